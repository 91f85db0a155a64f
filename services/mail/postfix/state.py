"""What this package itself remembers: who sent what is queued, and the quarantine notes.

Both can be lost without losing mail: who sent a message is read from its queue file
again, and a message without its note is simply one on hold.
"""

import json
import sqlite3
import threading
from collections.abc import Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from services.errors import ServerDown
from services.language import tr

if TYPE_CHECKING:
    from collections.abc import Iterator

_BUSY_SECONDS = 10.0
# Postfix returns mail after five days; what is on hold longer is read from its file again.
_KEPT_SECONDS = 10 * 24 * 60 * 60

_TABLES = """
CREATE TABLE IF NOT EXISTS seen (
  queue_id TEXT PRIMARY KEY, at INTEGER NOT NULL, user TEXT, ip TEXT, subject TEXT
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS note (
  queue_id TEXT PRIMARY KEY, folder TEXT NOT NULL, was_held INTEGER NOT NULL, at INTEGER NOT NULL
) WITHOUT ROWID;
"""  # not shown


class Seen(NamedTuple):
    """Who sent a message. ``at`` is a second; ``subject`` None means not known yet."""

    queue_id: str
    at: int
    user: str | None
    ip: str | None
    subject: str | None


@dataclass(frozen=True, slots=True)
class Note:
    """That a message on hold is in a quarantine folder, and whether it was held before."""

    folder: str
    was_held: bool


class State:
    """The package's own database. Every method blocks: call it in a thread."""

    def __init__(self, server: str, path: Path) -> None:
        self._server = server
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._lock = threading.Lock()

    def open(self) -> None:
        """Make the file and what tables are missing. Raises ServerDown."""
        with self._sentences():
            connection = sqlite3.connect(
                self._path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            self._connection = connection
            self._path.chmod(0o600)
            connection.execute("PRAGMA journal_mode=WAL")
            connection.executescript(_TABLES)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()

    def remember(self, seen: Iterable[Seen]) -> None:
        """Keep who sent these. A queue id used again is the later message's."""
        rows = [(s.queue_id, s.at, s.user, s.ip, s.subject) for s in seen]
        with self._writing() as connection:
            connection.executemany("INSERT OR REPLACE INTO seen VALUES (?, ?, ?, ?, ?)", rows)

    def seen(self, queue_ids: Sequence[str]) -> dict[str, Seen]:
        """Return what is known of these."""
        statement = (
            "SELECT queue_id, at, user, ip, subject FROM seen "
            "WHERE queue_id IN (SELECT value FROM json_each(?))"  # not shown
        )
        with self._reading() as connection:
            rows = connection.execute(statement, (json.dumps(queue_ids),)).fetchall()
        return {row[0]: Seen._make(row) for row in rows}

    def forget(self, now: int) -> None:
        """Drop what is too old to be in the queue still."""
        with self._writing() as connection:
            connection.execute("DELETE FROM seen WHERE at < ?", (now - _KEPT_SECONDS,))

    def notes(self) -> dict[str, Note]:
        """Return every quarantine note."""
        with self._reading() as connection:
            rows = connection.execute("SELECT queue_id, folder, was_held FROM note").fetchall()
        return {queue_id: Note(folder, bool(was_held)) for queue_id, folder, was_held in rows}

    def note(self, notes: dict[str, Note], now: int) -> None:
        """Write these notes, all or none."""
        rows = [(id_, note.folder, note.was_held, now) for id_, note in notes.items()]
        with self._writing() as connection:
            connection.executemany("INSERT OR REPLACE INTO note VALUES (?, ?, ?, ?)", rows)

    def drop_notes(self, queue_ids: Iterable[str]) -> None:
        """Take these notes off, all or none."""
        with self._writing() as connection:
            connection.executemany(
                "DELETE FROM note WHERE queue_id = ?", [(id_,) for id_ in queue_ids]
            )

    @contextmanager
    def _reading(self) -> "Iterator[sqlite3.Connection]":
        with self._lock, self._sentences():
            if self._connection is None:
                raise ServerDown(
                    tr("The mail server {server} has not been started.", server=self._server)
                )
            yield self._connection

    @contextmanager
    def _writing(self) -> "Iterator[sqlite3.Connection]":
        with self._reading() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _sentences(self) -> "Iterator[None]":
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise ServerDown(
                tr(
                    "The notes of the mail server {server} in {path} could not be used ({why}). "
                    "This step was not done; check the disk, and that the bot's user may write "
                    "there.",
                    server=self._server,
                    path=self._path,
                    why=str(error)[:120],
                )
            ) from error
