"""The bot's database: SQLite by default, whatever SQLAlchemy's async engines know by URL."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import DDL, Connection, event, inspect
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, OperationalError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlmodel import SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession

from services import models
from services.errors import ConfigError, StoreError
from services.sqlite import InUse, connect

# How long a writer waits for another before it gives up, in seconds.
BUSY_SECONDS = 10.0

# The log refuses to be rewritten even by our own code.
_NO = {
    verb: f"CREATE TRIGGER auditentry_no_{verb.lower()} BEFORE {verb} ON auditentry "
    "BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END"
    for verb in ("UPDATE", "DELETE")
}
for _trigger in _NO.values():
    event.listen(
        models.AuditEntry.__table__,  # type: ignore[attr-defined]
        "after_create",
        DDL(_trigger).execute_if(dialect="sqlite"),  # type: ignore[no-untyped-call]
    )

# Columns that databases of older releases lack; each may be empty.
_ADDED = {
    "auditentry": {"key_id": "VARCHAR", "mac": "VARCHAR"},
    "intent": {
        "asked_by": "VARCHAR",
        "asked_name": "VARCHAR",
        "asked_why": "TEXT NOT NULL DEFAULT ''",
        "decides": "VARCHAR",
        "until": "TIMESTAMP",
    },
    "recentsubmission": {"facts": "TEXT NOT NULL DEFAULT ''"},
}


class Store:
    """Opens sessions on the database. One for the whole process."""

    def __init__(self, url: str, *, busy_seconds: float = BUSY_SECONDS) -> None:
        """Take ``url`` as SQLAlchemy has it; raises ConfigError, without it: it holds a password.

        It must be one that an installed driver serves.
        """
        try:
            parsed = make_url(url)
        except (ArgumentError, ValueError) as error:
            raise ConfigError(
                "The database setting is not a URL. Write for example sqlite:///spoolwarden.db"
            ) from error
        self._in_use = InUse()
        self._sqlite = parsed.get_backend_name() == "sqlite"
        options: dict[str, Any] = {}
        if self._sqlite:
            parsed = parsed.set(drivername="sqlite+aiosqlite")
            options["connect_args"] = {"timeout": busy_seconds, "async_creator_fn": connect}
        self.url = parsed
        try:
            self._engine: AsyncEngine = create_async_engine(parsed, **options)
        except (SQLAlchemyError, ImportError) as error:
            raise ConfigError(
                f"The database setting names {parsed.drivername}, for which no asynchronous "
                "driver is installed. Install one, or write for example sqlite:///spoolwarden.db"
            ) from error
        if self._sqlite:
            event.listen(self._engine.sync_engine, "connect", _set_up_sqlite)
            event.listen(self._engine.sync_engine, "begin", _begin_immediate)

    async def open(self) -> None:
        """Make what tables and columns are missing.

        Raises StoreError if the database cannot be used.
        """
        if self._sqlite and self.url.database:
            folder = Path(self.url.database).parent
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise StoreError(
                    f"The folder {folder} for the bot's database cannot be made "
                    f"({error.strerror}). Nothing was written."
                ) from error
            # The driver's thread outlives a connection that could not be opened.
            if self.url.database != ":memory:" and not self.url.database.startswith("file:"):
                _must_be_writable(Path(self.url.database))
        with _as_sentences():
            async with self._engine.begin() as connection:
                await connection.run_sync(SQLModel.metadata.create_all)
                await connection.run_sync(_add_columns)

    async def close(self) -> None:
        """Close every connection, once the transactions under way have ended."""
        await self._in_use.over()
        await self._engine.dispose()

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        """Open a transaction: committed when the block ends, undone when it raises.

        Raises StoreError, with nothing written, when the database cannot be used.
        """
        with _as_sentences(), self._in_use.using():
            async with (
                AsyncSession(self._engine, expire_on_commit=False) as session,
                session.begin(),
            ):
                yield session

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """Open a session that only reads, and so never waits for a writer.

        Raises StoreError when the database cannot be used.
        """
        with _as_sentences(), self._in_use.using():
            async with AsyncSession(self._engine, expire_on_commit=False) as session:
                await session.connection(execution_options={"reading": True})
                yield session


def _must_be_writable(file: Path) -> None:
    try:
        file.open("ab").close()
    except OSError as error:
        raise StoreError(
            f"The bot's database {file} could not be opened ({error.strerror}). Nothing was "
            "written; see that the bot's user may write it and its folder."
        ) from error


@asynccontextmanager
async def removing_from_log(session: AsyncSession) -> AsyncIterator[None]:
    """Let audit entries be removed within the block, in this transaction only."""
    connection = await session.connection()
    sqlite = connection.dialect.name == "sqlite"
    if sqlite:
        await connection.exec_driver_sql("DROP TRIGGER auditentry_no_delete")
    yield
    # When the block raises, the transaction is undone, and with it this.
    if sqlite:
        await connection.exec_driver_sql(_NO["DELETE"])


def _add_columns(connection: Connection) -> None:
    # Another instance may be starting at the same moment. SQLite lets one at a time in.
    unless = "" if connection.dialect.name == "sqlite" else "IF NOT EXISTS "
    for table, columns in _ADDED.items():
        there = {column["name"] for column in inspect(connection).get_columns(table)}
        for name in columns.keys() - there:
            connection.exec_driver_sql(
                f"ALTER TABLE {table} ADD COLUMN {unless}{name} {columns[name]}"
            )


class _as_sentences:
    """Turns the database driver's failures into a sentence."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, OperationalError):
            raise StoreError(
                "The bot's database could not be used "
                f"({str(error.orig)[:120]}). Nothing was written; try again in a moment."
            ) from error
        if isinstance(error, SQLAlchemyError):
            raise StoreError(
                f"The bot's database refused a change ({type(error).__name__}). "
                "Nothing was written."
            ) from error


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    # The driver must not open transactions behind our back: _begin_immediate does.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")  # an intent must survive a power cut
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _begin_immediate(connection: Any) -> None:
    # A transaction that reads first and writes later could be refused in the
    # middle; taking the write lock at once makes it wait its turn instead.
    reading = connection.get_execution_options().get("reading", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
