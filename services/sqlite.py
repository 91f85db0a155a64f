"""What both of our databases need to be closed cleanly."""

import asyncio
import contextlib
import sqlite3
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import aiosqlite


class PromptConnection(sqlite3.Connection):
    """Lets go of its lock when it is closed.

    SQLite puts off closing while a statement is unfinished, and keeps the
    transaction and its lock until then. The statement of a cancelled task is
    finished only when Python's garbage collector comes by: until then nobody
    could write, not even this process after a restart of the part concerned.
    """

    def close(self) -> None:
        """Undo what was not committed, then close."""
        with contextlib.suppress(sqlite3.Error):  # closed already, or the disk is gone
            self.rollback()
        super().close()


class _Stopping(aiosqlite.Connection):
    """Is told once only to stop: whoever tells it again would wait for ever.

    SQLAlchemy does that when a task that waits for a lock is cancelled twice, and the
    process could then not end.
    """

    _told = False

    def stop(self) -> asyncio.Future[Any] | None:
        """Have the thread end; return what to wait for, nothing where it ends already."""
        if self._told:
            return None
        self._told = True
        return super().stop()


async def connect(database: str | Path, **options: Any) -> aiosqlite.Connection:
    """Connect as SQLAlchemy's ``async_creator_fn``."""
    options.setdefault("factory", PromptConnection)
    connection = _Stopping(partial(sqlite3.connect, database, **options), iter_chunk_size=64)
    # As SQLAlchemy does it itself: a thread that waits for a lock keeps no process alive.
    connection._thread.daemon = True
    return await connection


class InUse:
    """Counts who is using something, so that closing it can wait for them.

    A connection that is given back to a pool after its engine was disposed is never closed.
    """

    def __init__(self) -> None:
        self._users = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @contextlib.contextmanager
    def using(self) -> Iterator[None]:
        """Count as a user within the block."""
        self._users += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._users -= 1
            if not self._users:
                self._idle.set()

    async def over(self) -> None:
        """Return once nobody uses it."""
        await self._idle.wait()
