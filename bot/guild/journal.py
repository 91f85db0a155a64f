"""What was said over the HTTP API, in order: the proof that an independent judge can examine."""

from collections import deque
from collections.abc import Iterator, Sequence
from typing import overload

from bot.guild.values import Call


class Journal(Sequence[Call]):
    """The latest calls, oldest first; bounded."""

    def __init__(self, limit: int) -> None:
        self._calls: deque[Call] = deque(maxlen=limit)

    def note(self, call: Call) -> None:
        """Record a call."""
        self._calls.append(call)

    def of(self, method: str, path: str) -> tuple[Call, ...]:
        """Return the calls of one route, by its template."""
        return tuple(c for c in self._calls if (c.method, c.path) == (method, path))

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
