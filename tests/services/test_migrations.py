"""From every released schema to this one's, on both databases, losing nothing."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlmodel import SQLModel, col, delete, select

from services import migrations
from services.audit import AuditLog, Line, Phase
from services.clock import ManualClock
from services.errors import StoreError
from services.lease import lease_of
from services.models import (
    Announcement,
    AuditEntry,
    Incident,
    Intent,
    IntentState,
    RecentSubmission,
)
from services.people import BOT
from services.store import OlderTables, Store, removing_from_log
from services.upkeep import Upkeep

from ..databases import PostgresDatabases, open_store_at
from ..mail.harness import ANN, START

_RELEASED = sorted(
    {file.stem.rpartition("-")[0] for file in (Path(__file__).parent / "released").iterdir()}
)
_KINDS = ("sqlite", "postgresql")


class _Database:
    """An empty database, and what somebody does to it without the bot."""

    def __init__(self, url: str, postgres: PostgresDatabases | None) -> None:
        self.url = url
        self._postgres = postgres
        self.kind = url.partition(":")[0]

    def execute(self, script: str) -> None:
        if self._postgres is not None:
            self._postgres.execute(script, self.url)
            return
        with closing(sqlite3.connect(self.url.removeprefix("sqlite:///"))) as file:
            file.executescript(script)

    def restore(self, release: str) -> None:
        """Fill it with what a release left."""
        dump = Path(__file__).parent / "released" / f"{release}-{self.kind}.sql"
        self.execute(dump.read_text("utf-8"))


@pytest.fixture(params=_KINDS)
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[_Database]:
    if request.param == "sqlite":
        yield _Database(f"sqlite:///{tmp_path}/bot.db", None)
    else:
        postgres: PostgresDatabases = request.getfixturevalue("postgres")
        yield _Database(postgres.empty(), postgres)


async def _differences(store: Store) -> list[object]:
    """What would have to be done to the tables for them to be those of the models."""

    def compare(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), SQLModel.metadata))

    async with store.reading() as session:
        return await (await session.connection()).run_sync(compare)


async def _version(store: Store) -> str | None:
    async with store.reading() as session:
        return await (await session.connection()).run_sync(migrations.version)


def test_the_newest_step_is_the_head() -> None:
    script = ScriptDirectory.from_config(migrations.config())
    assert script.get_heads() == [migrations.HEAD]


async def test_the_steps_make_the_tables_of_the_models(empty: _Database) -> None:
    async with open_store_at(empty.url) as store:
        assert await _differences(store) == []
        assert await _version(store) == migrations.HEAD


async def test_a_difference_between_tables_and_models_would_be_seen(empty: _Database) -> None:
    async with open_store_at(empty.url) as store:
        empty.execute("ALTER TABLE lesson ADD COLUMN more INTEGER")
        (difference,) = await _differences(store)
        assert isinstance(difference, tuple)
        assert difference[0] == "remove_column"


@pytest.mark.parametrize("release", _RELEASED)
async def test_a_released_database_is_brought_forward_and_nothing_is_lost(
    empty: _Database, release: str
) -> None:
    empty.restore(release)
    async with open_store_at(empty.url) as store:
        assert await _differences(store) == []
        clock = ManualClock(START)
        audit = AuditLog(store, clock)
        verdict = await audit.verify()
        assert (verdict.entries, verdict.broken_at) == (2, None)
        async with store.reading() as session:
            (incident,) = (await session.exec(select(Incident))).all()
            intents = (await session.exec(select(Intent).order_by(col(Intent.id)))).all()
            (recent,) = (await session.exec(select(RecentSubmission))).all()
        assert (incident.sender, incident.opened_at) == (ANN, START)
        assert (recent.sender, recent.subject) == (ANN, "You won")
        assert [intent.state for intent in intents] == [
            IntentState.OFFERED,
            IntentState.CLAIMED,
            IntentState.DONE,
        ]
        # What it had under way when it was stopped for the new release is told.
        assert await Upkeep(store, {}, audit, clock, lambda: None).recover({store.number}) == 1
        # And what it counted up goes on from there.
        async with store.session() as session:
            session.add(line := Announcement(at=START, text="after"))
        assert line.id == 2
        with pytest.raises(StoreError):
            async with store.session() as session:
                await session.delete((await audit.newest(1))[0])


@pytest.mark.parametrize("release", _RELEASED)
async def test_a_released_database_is_left_as_it_is_by_who_only_looks(
    empty: _Database, release: str
) -> None:
    empty.restore(release)
    store = Store(empty.url)
    before = await _version(store)
    with pytest.raises(OlderTables, match="the tables of an earlier release"):
        await store.open(upgrading=False)
    assert await _version(store) == before != migrations.HEAD
    await store.open()
    await store.open(upgrading=False)
    await store.close()


async def test_a_database_of_the_present_release_is_opened_again(empty: _Database) -> None:
    for _ in range(2):
        async with open_store_at(empty.url) as store:
            async with store.session() as session:
                session.add(Announcement(at=START, text="kept"))
            async with store.reading() as session:
                kept = (await session.exec(select(Announcement.id))).all()
    assert kept == [1, 2]


async def test_instances_that_start_at_once_make_the_tables_once(empty: _Database) -> None:
    stores = [Store(empty.url) for _ in range(3)]
    await asyncio.gather(*(store.open() for store in stores))
    assert [await _version(store) for store in stores] == [migrations.HEAD] * 3
    for store in stores:
        await store.close()


async def test_the_database_of_a_newer_program_is_left_alone(empty: _Database) -> None:
    async with open_store_at(empty.url):
        pass
    empty.execute("UPDATE alembic_version SET version_num = '9999'")
    store = Store(empty.url)
    with pytest.raises(StoreError) as failure:
        await store.open()
    assert failure.value.sentence == (
        "The bot's database is that of a newer Spoolwarden (its tables are of step 9999, and "
        f"this one knows them up to {migrations.HEAD}). Nothing was changed; install that "
        "release again, or restore the database from before it."
    )
    assert await _version(store) == "9999"
    await store.close()


async def test_a_step_that_fails_leaves_the_database_as_it_was(empty: _Database) -> None:
    empty.restore("0.1.0")
    empty.execute("ALTER TABLE intent ADD COLUMN claimed_in INTEGER")
    store = Store(empty.url)
    with pytest.raises(StoreError, match="Nothing was written"):
        await store.open()
    assert await _version(store) is None
    empty.execute("ALTER TABLE intent DROP COLUMN claimed_in")
    await store.open()
    assert await _differences(store) == []
    await store.close()


async def test_a_login_that_owns_the_database_and_may_nothing_else_is_enough(
    postgres: PostgresDatabases,
) -> None:
    async with open_store_at(postgres.owned()) as store:
        audit, lease = AuditLog(store, ManualClock(START)), lease_of(store)
        await lease.take()
        for number in range(2):
            await audit.write(Line(Phase.NOTE, f"note {number}", BOT))
        async with store.session() as session:
            await lease.check(session)
            async with removing_from_log(session):
                await session.exec(delete(AuditEntry).where(col(AuditEntry.seq) == 1))
        assert [entry.seq async for entry in audit.entries()] == [2]
        with pytest.raises(StoreError):
            async with store.session() as session:
                await session.exec(delete(AuditEntry))
        await lease.leave()
