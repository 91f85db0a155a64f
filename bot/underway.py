"""What is being answered now, so that a stop can wait for it."""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any, TypeVar

from services.tasks import end

_T = TypeVar("_T")


class UnderWay:
    """Knows the answers under way, and the work that each of them waits for."""

    def __init__(self) -> None:
        self._answers: set[asyncio.Task[Any]] = set()
        self._work: set[asyncio.Task[Any]] = set()

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Count the task that runs this as an answer within the block."""
        task = asyncio.current_task()
        inner = task is None or task in self._answers  # the block around it counts already
        if task is not None:
            self._answers.add(task)
        try:
            yield
        finally:
            if task is not None and not inner:
                self._answers.discard(task)

    def keep(self, work: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
        """Start work that must not be lost when what waits for it ends."""
        task = asyncio.create_task(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)
        return task

    async def over(self, seconds: float) -> int:
        """Return when all is answered, or so long after; return how much work was cut off then."""
        until = monotonic() + seconds
        # What arrives meanwhile is answered as well.
        while left := self._answers | self._work:
            if monotonic() >= until:
                cut = len(self._work)
                await end(left)
                return cut
            await asyncio.wait(
                left, timeout=until - monotonic(), return_when=asyncio.FIRST_COMPLETED
            )
        return 0
