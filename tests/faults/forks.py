"""Work in a process of its own: forked, because what it needs is imported already.

The process that forks has one thread, always: whatever needs a loop runs in a child.
"""

import contextlib
import ctypes
import os
import pickle
import traceback
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TypeVar

_T = TypeVar("_T")
_PR_SET_CHILD_SUBREAPER = 36


class ChildError(Exception):
    """What a child raised, as text."""


def inherit_orphans() -> None:
    """Have the programs that a killed child leaves become ours, so that their end is known."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def in_child(work: Callable[[], _T]) -> _T | None:
    """Do it in a child and return what it came to; None if the child was killed.

    Programs that the child started have ended by then, too.
    """
    pid, read = _fork(work)
    answer: _T | None = _answer(pid, read)
    return answer


def side_by_side(works: Sequence[Callable[[], _T]]) -> list[_T]:
    """Do each in a child, at the same time. Raises ChildError."""
    begun = [_fork(work) for work in works]
    answers = [_answer(pid, read) for pid, read in begun]
    if any(answer is None for answer in answers):
        raise ChildError("A worker was killed.")
    return [answer for answer in answers if answer is not None]


def _fork(work: Callable[[], Any]) -> tuple[int, int]:
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read)
        _child(work, write)
    os.close(write)
    with contextlib.suppress(ProcessLookupError, PermissionError):  # it was quicker
        os.setpgid(pid, pid)
    return pid, read


def _child(work: Callable[[], Any], write: int) -> NoReturn:
    try:
        os.setpgid(0, 0)
        answer: tuple[bool, Any] = (True, work())
    except BaseException:  # noqa: BLE001 - told by the parent
        answer = (False, traceback.format_exc())
    with os.fdopen(write, "wb") as out:
        pickle.dump(answer, out)
    os._exit(0)


def _answer(pid: int, read: int) -> Any:
    with os.fdopen(read, "rb") as given:
        content = given.read()
    os.waitpid(pid, 0)
    # A program that a killed child had started goes on without it.
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-pid, 0)
    if not content:
        return None
    good, answer = pickle.loads(content)  # noqa: S301 - from our own child
    if not good:
        raise ChildError(answer)
    return answer
