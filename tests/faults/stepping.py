"""A process that ends itself, as by SIGKILL, at one awaited step of what it does."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Coroutine, Generator
from pathlib import Path
from typing import Any, TypeVar

import services.mail

_T = TypeVar("_T")
_MAIL = str(Path(services.mail.__file__).parent) + os.sep


def die() -> None:
    """End this process at once: nothing is closed, flushed or undone."""
    os.kill(os.getpid(), signal.SIGKILL)


class Steps:
    """Counts the steps of all that is awaited, and dies at the one that it is given.

    Each await has two: when what is awaited was asked for (a thread or a program may be at
    it), and when it was answered (and nothing was made of the answer yet). ``on_mail`` are
    those at which the module of the mail server is at work: only they differ from one to another.
    """

    def __init__(self, last: int | None) -> None:
        self.passed = 0
        self.on_mail: list[int] = []
        self._last = last

    def step(self, work: Coroutine[Any, Any, Any]) -> None:
        if self.passed == self._last:
            die()
        if self._last is None and _on_mail(work):
            self.on_mail.append(self.passed)
        self.passed += 1

    async def through(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Await ``work`` and every task that it makes, counting."""
        loop = asyncio.get_running_loop()
        loop.set_task_factory(self._task)
        try:
            return await _Stepping(work, self)
        finally:
            loop.set_task_factory(None)

    def _task(
        self, loop: asyncio.AbstractEventLoop, work: Any, **options: Any
    ) -> "asyncio.Task[Any]":
        return asyncio.Task(_awaited(_Stepping(work, self)), loop=loop, **options)


class _Stepping(Awaitable[_T]):
    def __init__(self, work: Coroutine[Any, Any, _T], steps: Steps) -> None:
        self._work = work
        self._steps = steps

    def __await__(self) -> Generator[Any, Any, _T]:
        work, answer, error = self._work, None, None
        while True:
            try:
                waits = work.send(answer) if error is None else work.throw(error)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]
            self._steps.step(work)
            answer = error = None
            try:
                answer = yield waits
            except BaseException as raised:  # noqa: BLE001 - handed on to whom it was meant for
                error = raised
            self._steps.step(work)


def _on_mail(work: Any) -> bool:
    """Tell whether a chain of awaits goes through the module of a mail server."""
    while (code := getattr(work, "cr_code", None)) is not None:
        if code.co_filename.startswith(_MAIL):
            return True
        work = work.cr_await
    return False


async def _awaited(work: Awaitable[_T]) -> _T:
    return await work
