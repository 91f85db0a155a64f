"""The databases that the bot runs on: SQLite files, and a private PostgreSQL."""

import sqlite3
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from sqlalchemy import Connection, create_engine, event
from sqlalchemy.engine import Engine

from services.migrations import migrate
from services.postgres import LOCKS, WRITING
from services.store import Store

from .mail.harness import must_not_miss
from .mail.postgres_instance import PASSWORD, USER, PostgresInstance, missing


class PostgresDatabases:
    """Lends databases to tests, on one cluster. Making one takes longer than emptying one."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._numbers = count(1)
        self._free: list[str] = []
        self._tables: list[str] = []

    def url(self, name: str) -> str:
        return f"postgresql://{USER}:{quote(PASSWORD, safe='')}@127.0.0.1:{self._port}/{name}"

    def execute(self, statement: str, url: str | None = None) -> list[tuple[Any, ...]]:
        """Run this as the database's superuser."""
        with psycopg.connect(url or self.url("postgres"), autocommit=True) as connection:
            done = connection.execute(statement.encode())
            return done.fetchall() if done.description else []

    def empty(self) -> str:
        """Make a database without tables; return its URL."""
        name = f"test{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0")
        return self.url(name)

    def owned(self) -> str:
        """Make a database without tables for a login that may nothing else; return its URL."""
        name = f"test{next(self._numbers)}"
        self.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{name}'")
        self.execute(f"CREATE DATABASE {name} OWNER {name} ENCODING 'UTF8' TEMPLATE template0")
        return f"postgresql://{name}:{name}@127.0.0.1:{self._port}/{name}"

    @contextmanager
    def lent(self) -> Iterator[str]:
        """Give the URL of a database with the bot's tables, and nothing in them."""
        url = self._free.pop() if self._free else self._made()
        yield url
        cleared = "".join(f"DELETE FROM {table};" for table in self._tables)  # noqa: S608
        restarted = "".join(
            f"ALTER SEQUENCE {name} RESTART;"
            for (name,) in self.execute("SELECT sequencename FROM pg_sequences", url)
        )
        # As a replica, so that the audit log's own guard lets it.
        self.execute(f"SET session_replication_role = replica; {cleared} {restarted}", url)
        self._free.append(url)

    def _made(self) -> str:
        url = self.empty()
        engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
        migrate(engine)
        engine.dispose()
        self._tables = [
            name
            for (name,) in self.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'public' "
                "AND tablename <> 'alembic_version'",
                url,
            )
        ]
        return url


@contextmanager
def postgres_databases() -> Iterator[PostgresDatabases]:
    """Run a cluster within the block; skip, or fail in CI, where there is no PostgreSQL."""
    must_not_miss(missing())
    with tempfile.TemporaryDirectory(prefix="spoolwarden-postgres-") as folder:
        instance = PostgresInstance(Path(folder))
        instance.start()
        try:
            yield PostgresDatabases(instance.port)
        finally:
            instance.stop()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresDatabases]:
    """Start one PostgreSQL for all tests of a process."""
    with postgres_databases() as databases:
        yield databases


@cache
def _tables() -> bytes:
    with tempfile.TemporaryDirectory(prefix="spoolwarden-tables-") as folder:
        file = Path(folder) / "bot.db"
        engine = create_engine(f"sqlite:///{file}")
        migrate(engine)
        engine.dispose()
        return file.read_bytes()


def put_tables(file: Path) -> None:
    """Have an SQLite file with the bot's tables: to make them step by step takes 50 ms."""
    if not file.exists():
        file.write_bytes(_tables())


class _Compiled(dict[Any, Any]):
    """Statements as text, by what they are and the kind of database, whichever dialect asks.

    An engine keeps them by its own dialect: each test's would put all of them together anew.
    """

    def __getitem__(self, key: Any) -> Any:
        return super().__getitem__(self._by_kind(key))

    def __setitem__(self, key: Any, compiled: Any) -> None:
        super().__setitem__(self._by_kind(key), compiled)

    def get(self, key: Any, default: Any = None) -> Any:
        return super().get(self._by_kind(key), default)

    @staticmethod
    def _by_kind(key: Any) -> Any:
        dialect, *statement = key
        return dialect.name, dialect.driver, *statement


def compile_once() -> None:
    """Have this process's engines share their statements, which is a tenth of the tests' time."""
    compiled = _Compiled()

    @event.listens_for(Engine, "engine_connect")
    def share(connection: Connection) -> None:
        connection.execution_options(compiled_cache=compiled)


@asynccontextmanager
async def open_store_at(url: str, **options: float) -> AsyncIterator[Store]:
    store = Store(url, **options)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


@contextmanager
def locked_at(url: str) -> Iterator[None]:
    """Keep every other writer out, as another process would that is writing."""
    if url.startswith("sqlite:///"):
        file = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
        with closing(file):
            file.execute("BEGIN IMMEDIATE")
            yield
            file.execute("ROLLBACK")
    else:
        with psycopg.connect(url) as other:
            other.execute("SELECT pg_advisory_xact_lock(%s, %s)", (LOCKS, WRITING))
            yield
