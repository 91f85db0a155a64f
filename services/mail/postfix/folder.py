"""The folder of what Postfix reads, on the machine of the mail server: a seam.

There is the database that Postfix asks, which it keeps open and so must stay the same file,
and texts beside it. :class:`LocalFolder` is one on this machine; :mod:`.farfolder` has one
elsewhere. What is written in them, and when, is for :mod:`.access` and :mod:`.blocks` alone.

The database has a write-ahead log: with a rollback journal a change would lock Postfix out
for a moment, and its proxymap ends over that, with all that it was asked just then. Postfix
may not write here, so it needs the log's two files to be there. The last connection that is
closed takes them away, unless it is one that only reads: so one of those is closed last.
"""

import asyncio
import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from services.errors import ServerDown
from services.language import tr

#: Its name in the folder, and how long it and the lock are waited for.
DATABASE = "access.db"
LOCK = "lock"
BUSY_SECONDS = 10
_LOOK_AGAIN_SECONDS = 0.02
T = TypeVar("T")

Value = str | int | None


@dataclass(frozen=True, slots=True)
class Statement:
    """One SQL statement, each ``?`` in it standing for a value."""

    sql: str
    values: tuple[Value, ...] = ()


@dataclass(frozen=True, slots=True)
class Swap:
    """A text to put in the place of another, if that is still as it was.

    ``old`` is what was read, empty for no file. ``new`` None leaves the file as it is. The
    statements put in force what the new text says, ``undo`` what the old one did. ``keep``
    puts a copy of the old beside it.
    """

    name: str
    old: bytes
    new: bytes | None
    statements: Sequence[Statement]
    undo: Sequence[Statement]
    keep: bool = False


class Folder(Protocol):
    """The folder of what Postfix reads.

    What surely failed is an OSError or sqlite3.Error, and changed nothing; a ServerDown
    says itself what is known.
    """

    @property
    def path(self) -> Path:
        """Where it is on that machine."""
        ...

    async def open(self, tables: str, texts: Mapping[str, str]) -> None:
        """Make what tables are missing, and write each text that differs."""
        ...

    async def close(self) -> None:
        """Let go of it."""
        ...

    async def select(self, statement: Statement) -> Sequence[Sequence[object]]:
        """Return the rows."""
        ...

    async def change(self, statements: Sequence[Statement]) -> Sequence[Sequence[object]]:
        """Run these, all or none; return the rows they select."""
        ...

    async def read(self, name: str) -> bytes:
        """Return a text, empty if it is not there."""
        ...

    async def swap(self, swap: Swap) -> bool:
        """Put a text in another's place and run the statements, both or neither.

        False, and nothing done, where another process changed the text meanwhile.
        """
        ...


class LocalFolder:
    """A folder on this machine."""

    def __init__(self, server: str, path: Path) -> None:
        self._server = server
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        self._lock = threading.Lock()

    @property
    def path(self) -> Path:
        """Where it is."""
        return self._path

    async def open(self, tables: str, texts: Mapping[str, str]) -> None:
        """Make what tables are missing, and write each text that differs."""
        await asyncio.to_thread(self._open, tables, texts)

    async def close(self) -> None:
        """Close the database."""
        await asyncio.to_thread(self._close)

    async def select(self, statement: Statement) -> Sequence[Sequence[object]]:
        """Return the rows."""
        return await asyncio.to_thread(self._with_database, lambda c: _run(c, statement))

    async def change(self, statements: Sequence[Statement]) -> Sequence[Sequence[object]]:
        """Run these, all or none; return the rows they select."""
        return await asyncio.to_thread(self._with_database, lambda c: _change(c, statements))

    async def read(self, name: str) -> bytes:
        """Return a text, empty if it is not there."""
        return await asyncio.to_thread(_read, self._path / name)

    async def swap(self, swap: Swap) -> bool:
        """Put a text in another's place and run the statements, both or neither."""
        return await asyncio.to_thread(self._with_database, lambda c: self._swap(c, swap))

    def _open(self, tables: str, texts: Mapping[str, str]) -> None:
        path = self._path / DATABASE
        connection = sqlite3.connect(
            path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        self._connection = connection
        path.chmod(0o644)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA wal_autocheckpoint=1")  # the file itself holds all
        connection.execute("PRAGMA synchronous=FULL")
        connection.executescript(tables)
        self._reader = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro", uri=True, check_same_thread=False
        )
        self._reader.execute("SELECT 1 FROM sqlite_master").fetchall()
        for name, text in texts.items():
            # Postfix reads it when a process starts: only a new one is written.
            if _read(self._path / name) != text.encode():
                fresh = self._path / f"{name}.new"
                _whole(fresh, text.encode())
                fresh.replace(self._path / name)

    def _close(self) -> None:
        with self._lock:
            for connection in (self._connection, self._reader):  # in this order
                if connection is not None:
                    connection.close()
            self._connection = self._reader = None

    def _with_database(self, work: Callable[[sqlite3.Connection], T]) -> T:
        with self._lock:
            if self._connection is None:
                raise ServerDown(
                    tr("The mail server {server} has not been started.", server=self._server)
                )
            return work(self._connection)

    def _swap(self, connection: sqlite3.Connection, swap: Swap) -> bool:
        path = self._path / swap.name
        with locked(self._path / LOCK):
            if _read(path) != swap.old:
                return False
            if swap.new is None:
                _change(connection, swap.statements)
                return True
            fresh = path.with_name(f"{swap.name}.new")
            try:
                if swap.keep:
                    _whole(path.with_name(f"{swap.name}.orig"), swap.old)
                _whole(fresh, swap.new)
                _change(connection, swap.statements)
                try:
                    fresh.replace(path)
                    _sync(self._path)
                except OSError:
                    _change(connection, swap.undo)
                    raise
            except (OSError, sqlite3.Error):
                fresh.unlink(missing_ok=True)
                raise
        return True


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock that one process has at a time, on a file. Raises OSError when it waits long.

    ``flock`` of the shell takes the same one, so a bot that comes by SSH is kept out too.
    """
    # Another account may have made it, and to lock it takes no right to write.
    handle = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        deadline = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(_LOOK_AGAIN_SECONDS)
        yield
    finally:
        os.close(handle)


def _run(connection: sqlite3.Connection, statement: Statement) -> list[tuple[object, ...]]:
    return connection.execute(statement.sql, statement.values).fetchall()


def _change(
    connection: sqlite3.Connection, statements: Sequence[Statement]
) -> list[tuple[object, ...]]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        rows = [row for statement in statements for row in _run(connection, statement)]
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return rows


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def _whole(path: Path, content: bytes) -> None:
    """Write a file so that it is all on the disk when this returns."""
    with path.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    path.chmod(0o644)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
