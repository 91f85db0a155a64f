"""Fixtures for the services: real SQLite in a folder, a real mail server, a clock that stands."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.audit import AuditLog
from services.clock import ManualClock
from services.store import Store

from ..mail.harness import START
from .bench import Bench, open_bench, open_store


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(tmp_path / "bot.db") as store:
        yield store


@pytest.fixture
def audit(store: Store, clock: ManualClock) -> AuditLog:
    return AuditLog(store, clock)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with open_bench(tmp_path) as bench:
        yield bench
