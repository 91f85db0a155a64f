"""The bot's database: a SQLite file by default, or a PostgreSQL that several instances share."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, Executable, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, OperationalError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool
from sqlmodel.ext.asyncio.session import AsyncSession

from services import migrations, postgres
from services.errors import ConfigError, StoreError
from services.language import tr
from services.sqlite import InUse, PromptConnection, connect

# How long a writer waits for another before it gives up, in seconds.
BUSY_SECONDS = 10.0
# The same for the change to newer tables, which may have to wait for one of another instance.
_MIGRATION_BUSY_SECONDS = 600.0
# What lets audit entries be removed, and what forbids it again.
_GUARD = {
    "sqlite": (
        "DROP TRIGGER auditentry_no_delete",  # not shown
        "CREATE TRIGGER auditentry_no_delete BEFORE DELETE ON auditentry "  # not shown
        "BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END",
    ),
    "postgresql": (
        "ALTER TABLE auditentry DISABLE TRIGGER auditentry_no_delete",  # not shown
        "ALTER TABLE auditentry ENABLE TRIGGER auditentry_no_delete",  # not shown
    ),
}
_EXAMPLE = "Write for example sqlite:///spoolwarden.db"  # not shown


class OlderTables(StoreError):
    """The tables are an earlier release's, and were not to be brought up to date."""


class Store:
    """Opens sessions on the database. One for the whole process.

    ``number`` tells this instance of the bot from the others.
    """

    def __init__(self, url: str, *, busy_seconds: float = BUSY_SECONDS) -> None:
        """Take ``url`` as SQLAlchemy has it; raises ConfigError, without it: it holds a password.

        It must be one of SQLite or PostgreSQL.
        """
        try:
            parsed = make_url(url)
        except (ArgumentError, ValueError) as error:
            raise ConfigError(f"The database setting is not a URL. {_EXAMPLE}") from error
        self._in_use = InUse()
        self._busy_seconds = busy_seconds
        self.number = secrets.randbelow(2**31 - 1) + 1
        kind = parsed.drivername.partition("+")[0]
        self.sqlite = kind == "sqlite"
        if self.sqlite:
            if parsed.database in (None, "", ":memory:") or str(parsed.database)[:5] == "file:":
                raise ConfigError(f"The database setting names no file. {_EXAMPLE}")
            self.url = parsed.set(drivername="sqlite+aiosqlite")
        elif kind in ("postgresql", "postgres"):
            self.url = parsed.set(drivername="postgresql+psycopg")
        else:
            raise ConfigError(
                f"The database setting names {parsed.drivername}; Spoolwarden knows sqlite and "
                f"postgresql. {_EXAMPLE}"
            )
        try:
            self._engine: AsyncEngine = create_async_engine(
                self.url, connect_args=self.connect_args(), pool_pre_ping=not self.sqlite
            )
            self._apart = None if self.sqlite else self._second_engine()
        except (SQLAlchemyError, ImportError) as error:
            raise ConfigError(f"The database setting cannot be used. {_EXAMPLE}") from error
        self._prepare(self._engine.sync_engine)

    async def open(self, *, upgrading: bool = True) -> None:
        """Bring the tables up to date. Raises StoreError if the database cannot be used.

        Without ``upgrading``, those of an earlier release are left alone, as a bot of that
        release may be running on them: raises OlderTables.
        """
        if (file := self.file) is not None:
            try:
                file.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise StoreError(
                    tr(
                        "The folder {folder} for the bot's database cannot be made ({why}). "
                        "Nothing was written.",
                        folder=file.parent,
                        why=error.strerror,
                    )
                ) from error
            # The driver's thread outlives a connection that could not be opened.
            _must_be_writable(file)
        with _as_sentences():
            async with self._engine.connect() as plain:
                connection = await plain.execution_options(reading=True)
                there = await connection.run_sync(migrations.version)
                older = not upgrading and await connection.run_sync(migrations.is_older)
            if older:
                raise OlderTables(
                    tr(
                        "The bot's database has the tables of an earlier release. Nothing was "
                        "changed; they are brought up to date when this release starts."
                    )
                )
            if there != migrations.HEAD:
                await asyncio.to_thread(self._migrate)

    async def close(self) -> None:
        """Close every connection, once the transactions under way have ended."""
        await self._in_use.over()
        await self._engine.dispose()
        if self._apart is not None:
            await self._apart.dispose()

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        """Open a transaction: committed when the block ends, undone when it raises.

        From its first statement on no other can write. Raises StoreError, with nothing
        written, when the database cannot be used.
        """
        with _as_sentences(), self._in_use.using():
            async with (
                AsyncSession(self._engine, expire_on_commit=False) as session,
                session.begin(),
            ):
                yield session

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """Open a session that only reads one state, and so never waits for a writer.

        Raises StoreError when the database cannot be used.
        """
        options: dict[str, Any] = {"reading": True}
        if not self.sqlite:
            options["isolation_level"] = "REPEATABLE READ"  # not shown
            options["postgresql_readonly"] = True
        with _as_sentences(), self._in_use.using():
            async with AsyncSession(self._engine, expire_on_commit=False) as session:
                await session.connection(execution_options=options)
                yield session

    async def run_apart(self, statement: Executable) -> int:
        """Run one statement that changes rows which no transaction reads or writes.

        So it waits for none of them, nor for a connection that they use. PostgreSQL only.
        Returns how many rows it changed. Raises StoreError.
        """
        assert self._apart is not None  # noqa: S101 - it is PostgreSQL
        with _as_sentences(), self._in_use.using():
            async with self._apart.connect() as connection:
                counted = statement.execution_options(preserve_rowcount=True)
                return (await connection.execute(counted)).rowcount

    @property
    def file(self) -> Path | None:
        """The SQLite file, None where it is PostgreSQL."""
        return Path(str(self.url.database)) if self.sqlite else None

    def connect_args(self, busy_seconds: float | None = None) -> dict[str, Any]:
        """Return what the driver is told for each connection, beside the URL."""
        seconds = self._busy_seconds if busy_seconds is None else busy_seconds
        if self.sqlite:
            return {"timeout": seconds, "async_creator_fn": connect}
        return postgres.connect_args(self.url, seconds)

    def _second_engine(self) -> AsyncEngine:
        return create_async_engine(
            self.url,
            connect_args=self.connect_args(),
            pool_pre_ping=True,
            pool_size=2,
            isolation_level="AUTOCOMMIT",
        )

    def _prepare(self, engine: Engine) -> None:
        if self.sqlite:
            event.listen(engine, "connect", _set_up_sqlite)
            event.listen(engine, "begin", _begin_immediate)
        else:
            event.listen(engine, "connect", postgres.set_up)
            event.listen(engine, "begin", postgres.begin_as(self.number))

    def _migrate(self) -> None:
        """Take the steps that are missing, with a connection of its own: Alembic knows no async."""
        if self.sqlite:
            url = self.url.set(drivername="sqlite")
            args = {"timeout": _MIGRATION_BUSY_SECONDS, "factory": PromptConnection}
        else:
            url, args = self.url, self.connect_args(_MIGRATION_BUSY_SECONDS)
        engine = create_engine(url, connect_args=args, poolclass=NullPool)
        self._prepare(engine)
        migrations.migrate(engine)


def _must_be_writable(file: Path) -> None:
    try:
        file.open("ab").close()
    except OSError as error:
        raise StoreError(
            tr(
                "The bot's database {file} could not be opened ({why}). Nothing was written; see "
                "that the bot's user may write it and its folder.",
                file=file,
                why=error.strerror,
            )
        ) from error


@asynccontextmanager
async def removing_from_log(session: AsyncSession) -> AsyncIterator[None]:
    """Let audit entries be removed within the block, in this transaction only."""
    connection = await session.connection()
    off, on = _GUARD[connection.dialect.name]
    await connection.exec_driver_sql(off)
    yield
    # When the block raises, the transaction is undone, and with it this.
    await connection.exec_driver_sql(on)


def first_line(error: BaseException | None) -> str:
    """Return what a driver says, without the lines in which it goes on."""
    return str(error).partition("\n")[0][:120]


def unusable(error: BaseException | None) -> str:
    """Return the sentence for a database that cannot be used, for what its driver says."""
    return tr(
        "The bot's database could not be used ({why}). Nothing was written; try again in a moment.",
        why=first_line(error),
    )


class _as_sentences:
    """Turns the database driver's failures into a sentence."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, OperationalError):
            raise StoreError(unusable(error.orig)) from error
        if isinstance(error, SQLAlchemyError):
            raise StoreError(
                tr(
                    "The bot's database refused a change ({kind}). Nothing was written.",
                    kind=type(error).__name__,
                )
            ) from error


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    # The driver must not open transactions behind our back: _begin_immediate does.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")  # not shown
    # An intent must survive a power cut.
    cursor.execute("PRAGMA synchronous=FULL")  # not shown
    cursor.execute("PRAGMA foreign_keys=ON")  # not shown
    cursor.close()


def _begin_immediate(connection: Any) -> None:
    # A transaction that reads first and writes later could be refused in the
    # middle; taking the write lock at once makes it wait its turn instead.
    reading = connection.get_execution_options().get("reading", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")  # not shown
