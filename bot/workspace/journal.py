"""The record of every call the app made."""

import copy
from collections import deque
from collections.abc import Iterator, Sequence
from typing import overload

from bot.local.clock import Clock
from bot.workspace.values import Call, JsonObject


class Journal(Sequence[Call]):
    """The latest calls, oldest first; bounded."""

    def __init__(self, clock: Clock, limit: int) -> None:
        self._clock = clock
        self._calls: deque[Call] = deque(maxlen=limit)

    def note(
        self, method: str, arguments: JsonObject, http_status: int, answer: JsonObject
    ) -> None:
        """Record a call."""
        self._calls.append(
            Call(
                method,
                copy.deepcopy(arguments),
                http_status,
                copy.deepcopy(answer),
                self._clock.time(),
            )
        )

    @overload
    def __getitem__(self, index: int) -> Call: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Call, ...]: ...

    def __getitem__(self, index: int | slice) -> Call | tuple[Call, ...]:
        return tuple(self._calls)[index]

    def __iter__(self) -> Iterator[Call]:
        return iter(tuple(self._calls))

    def __len__(self) -> int:
        return len(self._calls)
