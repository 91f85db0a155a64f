"""Fixtures for the services: a real database, a real mail server, a clock that stands.

The tests of what is kept in the database run on SQLite and on PostgreSQL; those of rules,
words and scores, and of remedies that only the mail server sees, run on SQLite alone.
"""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from services.audit import AuditLog
from services.clock import ManualClock
from services.store import Store

from ..databases import open_store_at, postgres, put_tables
from ..mail.harness import START
from .bench import Bench, open_bench

__all__ = ["postgres"]

_ON_BOTH = (
    "test_approval",
    "test_audit",
    "test_audit_keeper",
    "test_campaigns",
    "test_detection",
    "test_digest",
    "test_listings",
    "test_pipeline",
    "test_store",
    "test_tables",
    "test_tuning",
    "test_watch",
)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what uses the database once on each kind of it, where that is a question."""
    if "database" in metafunc.fixturenames:
        both = metafunc.module.__name__.rpartition(".")[2] in _ON_BOTH
        kinds = ("sqlite", "postgresql") if both else ("sqlite",)
        metafunc.parametrize("database", kinds, indirect=True)


@pytest.fixture
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database that is the test's own."""
    if request.param == "sqlite":
        put_tables(tmp_path / "bot.db")
        yield f"sqlite:///{tmp_path}/bot.db"
    else:
        with request.getfixturevalue("postgres").lent() as url:
            yield url


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture
async def store(database: str) -> AsyncIterator[Store]:
    async with open_store_at(database) as store:
        yield store


@pytest.fixture
def audit(store: Store, clock: ManualClock) -> AuditLog:
    return AuditLog(store, clock)


@pytest.fixture
async def bench(tmp_path: Path, database: str) -> AsyncIterator[Bench]:
    async with open_bench(tmp_path, database=database) as bench:
        yield bench
