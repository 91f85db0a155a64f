"""The spool's database: one SQLite file, one writer at a time.

Write-ahead logging lets searches read while mail comes in. ``synchronous`` is FULL:
with NORMAL a commit survives the death of this process but may be undone by a power
cut, and an SMTP server that has answered 250 has taken over the responsibility for the
message (RFC 5321, section 6.1). FULL costs one fsync a transaction; incoming mail is
committed in groups, which makes that cheap.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy
from sqlalchemy import ColumnElement, Connection, Select, bindparam, event, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.schema import CreateColumn

from services.errors import ServerDown
from services.language import tr
from services.mail.domains import domain_of
from services.mail.embedded.config import EmbeddedConfig
from services.mail.embedded.tables import Base
from services.sqlite import InUse, connect

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

# How long a statement waits for a lock held by somebody outside this process, in seconds.
BUSY_SECONDS = 10.0


def to_stored(moment: datetime) -> int:
    """Return an aware moment as microseconds since 1970."""
    return (moment - _EPOCH) // _MICROSECOND


def from_stored(value: int) -> datetime:
    """Return stored microseconds as an aware moment in UTC."""
    return _EPOCH + value * _MICROSECOND


def among(column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    """Return the condition that a column is in the JSON list bound to ``name``.

    One parameter however long the list is, so SQLite's limit on them is never met
    and the statement is compiled once.
    """
    values = func.json_each(bindparam(name)).table_valued("value")
    inner: Select[Any] = select(values.c.value)
    return column.in_(inner)


def in_domains(sender: ColumnElement[Any], domains: Iterable[str]) -> ColumnElement[bool]:
    """Return the condition that an address is in one of these domains, as is_in() tells it."""
    domain: ColumnElement[str] = func.domain_of(sender)
    return domain.in_({*map(domain_of, (f"@{one}" for one in domains))} - {""})


class Database:
    """Opens transactions on the spool's file."""

    def __init__(self, config: EmbeddedConfig) -> None:
        self._config = config
        self._engine: AsyncEngine | None = None
        # SQLite has one writer; waiting here is first come first served, in SQLite it is not.
        self._writing = asyncio.Lock()
        self._in_use = InUse()

    async def open(self) -> None:
        """Make the file and what tables are missing. Raises ServerDown if that cannot be done."""
        path = self._config.database
        engine = create_async_engine(
            f"sqlite+aiosqlite:///{path}",
            connect_args={"timeout": BUSY_SECONDS, "async_creator_fn": connect},
        )
        event.listen(engine.sync_engine, "connect", _set_up)
        event.listen(engine.sync_engine, "begin", _begin)
        self._engine = engine
        try:
            await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True)
            async with self.write() as connection:
                await connection.run_sync(_make_what_is_missing)
        except OSError as error:
            await self.close()
            raise ServerDown(
                tr("The spool {path} cannot be made: {why}.", path=path, why=error)
            ) from error
        except ServerDown:
            await self.close()
            raise

    async def close(self) -> None:
        """Close every connection, once the transactions under way have ended."""
        engine, self._engine = self._engine, None
        if engine is not None:
            await self._in_use.over()
            await engine.dispose()

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction that writes: committed at the end of the block, undone if it raises.

        Raises ServerDown, with nothing written, when the file cannot be used.
        """
        async with self._writing, self._as_sentences():
            with self._in_use.using():
                async with self._open_engine().begin() as connection:
                    yield connection

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction that sees one state of the file and waits for no writer.

        Raises ServerDown when the file cannot be used.
        """
        with self._in_use.using():
            async with self._as_sentences(), self._open_engine().connect() as plain:
                yield await plain.execution_options(reading=True)

    def _open_engine(self) -> AsyncEngine:
        if self._engine is None:
            raise ServerDown(
                tr("The embedded mail server {server} is not running.", server=self._config.name)
            )
        return self._engine

    @asynccontextmanager
    async def _as_sentences(self) -> AsyncIterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            cause = error.orig if isinstance(error, sqlalchemy.exc.DBAPIError) else error
            raise ServerDown(
                tr(
                    "The embedded mail server {server} could not use its spool ({why}). "
                    "This step was not done.",
                    server=self._config.name,
                    why=f"{type(error).__name__}: {str(cause)[:120]}",
                )
            ) from error


def chunks(values: Iterable[str], size: int) -> Iterable[list[str]]:
    """Cut a sequence into lists of at most ``size``."""
    part: list[str] = []
    for value in values:
        part.append(value)
        if len(part) == size:
            yield part
            part = []
    if part:
        yield part


def _make_what_is_missing(connection: Connection) -> None:
    """Make the tables, and the columns that a table of an older version lacks."""
    Base.metadata.create_all(connection)
    there = sqlalchemy.inspect(connection)
    for table in Base.metadata.sorted_tables:
        known = {column["name"] for column in there.get_columns(table.name)}
        for column in table.columns:
            if column.name not in known:
                made = CreateColumn(column).compile(dialect=connection.dialect)
                connection.exec_driver_sql(f"ALTER TABLE {table.name} ADD COLUMN {made}")


def _set_up(connection: Any, _record: Any) -> None:
    # The driver must not open transactions behind our back: _begin does.
    connection.isolation_level = None
    connection.create_function("domain_of", 1, domain_of, deterministic=True)
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute(f"PRAGMA busy_timeout={int(BUSY_SECONDS * 1000)}")
    cursor.execute("PRAGMA cache_size=-16384")  # KiB a connection
    cursor.close()


def _begin(connection: Any) -> None:
    # A transaction that reads first and writes later could be refused in the middle.
    reading = connection.get_execution_options().get("reading", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
