"""Identifiers in the shapes Slack gives them."""

import secrets
import string

from bot.local.clock import Clock

_LETTERS = string.ascii_uppercase + string.digits


def new_id(prefix: str) -> str:
    """Return an id such as ``V04XXXXXXXX``: the prefix and ten random letters or digits."""
    return prefix + "".join(secrets.choice(_LETTERS) for _ in range(10))


def short_id() -> str:
    """Return five random letters or digits, as Slack fills in a missing block_id or action_id."""
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(5))


class Timestamps:
    """Message timestamps: ``seconds.micros``, unique and growing within a workspace."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = 0

    def next(self) -> str:
        """Return a timestamp later than any given before."""
        self._last = max(int(self._clock.time() * 1_000_000), self._last + 1)
        seconds, micros = divmod(self._last, 1_000_000)
        return f"{seconds}.{micros:06d}"
