"""Ids, as the "Snowflakes" section of the API reference makes them."""

import re

from bot.local.clock import Clock

EPOCH_MS = 1_420_070_400_000  # the first second of 2015
_SNOWFLAKE = re.compile(r"0|[1-9]\d{0,19}", re.ASCII)


class Snowflakes:
    """Makes ids, each greater than all before: milliseconds since 2015, 22 bits left free."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = 0

    def next(self) -> str:
        """Return a new id."""
        now = (int(self._clock.time() * 1000) - EPOCH_MS) << 22
        self._last = max(now, self._last + 1)
        return str(self._last)


def is_snowflake(value: object) -> bool:
    """Tell whether a string is a snowflake."""
    return isinstance(value, str) and _SNOWFLAKE.fullmatch(value) is not None
