"""Ending background tasks for certain."""

import asyncio
from collections.abc import Iterable
from typing import Any

# How long a task gets to end before it is told again.
_AGAIN_SECONDS = 1.0


async def end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks, and return once they have ended.

    Once is not enough: in Python 3.11 asyncio.wait_for, which libraries use, swallows a
    cancellation that comes at the moment in which what it waits for is there.
    """
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=_AGAIN_SECONDS)
