"""The bot's database: all or nothing, and its failures are sentences."""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlmodel import select

from services.clock import ManualClock
from services.errors import ConfigError, StoreError
from services.models import Announcement, PollCursor
from services.store import Store

from ..databases import locked_at, open_store_at
from ..mail.harness import START
from .bench import open_store


async def _texts(store: Store) -> list[str]:
    async with store.reading() as session:
        return list((await session.exec(select(Announcement.text))).all())


async def _add(store: Store, *texts: str) -> None:
    async with store.session() as session:
        for said in texts:
            session.add(Announcement(at=START, text=said))


async def test_what_is_committed_is_there_after_a_restart(database: str) -> None:
    async with open_store_at(database) as store:
        await _add(store, "one", "two")
    async with open_store_at(database) as store:
        assert await _texts(store) == ["one", "two"]


async def test_a_block_that_raises_leaves_nothing(store: Store) -> None:
    async def add_and_fail() -> None:
        async with store.session() as session:
            session.add(Announcement(at=START, text="never"))
            await session.flush()
            raise KeyError

    await _add(store, "before")
    with pytest.raises(KeyError):
        await add_and_fail()
    assert await _texts(store) == ["before"]


async def test_a_refused_change_is_a_sentence_and_takes_the_rest_with_it(store: Store) -> None:
    async def add_twice() -> None:
        async with store.session() as session:
            session.add(Announcement(at=START, text="never"))
            for _ in range(2):
                session.add(PollCursor(server="mail", cursor="1", last_at=START))
                await session.flush()
                session.expunge_all()

    with pytest.raises(StoreError, match=r"refused a change .* Nothing was written"):
        await add_twice()
    assert await _texts(store) == []


async def test_another_process_holding_the_lock_is_a_sentence_and_nothing_is_written(
    database: str,
) -> None:
    async with open_store_at(database, busy_seconds=0.05) as store:
        await _add(store, "before")
        with locked_at(database):
            with pytest.raises(StoreError) as failure:
                await _add(store, "never")
            # Readers are not kept waiting.
            assert await _texts(store) == ["before"]
        why = "database is locked" if store.sqlite else "canceling statement due to lock timeout"
        assert failure.value.sentence.startswith(f"The bot's database could not be used ({why}")
        assert failure.value.sentence.endswith("Nothing was written; try again in a moment.")
        await _add(store, "after")
        assert await _texts(store) == ["before", "after"]


async def test_writers_at_once_wait_for_each_other(store: Store) -> None:
    await asyncio.gather(*(_add(store, str(number)) for number in range(20)))
    assert sorted(await _texts(store), key=int) == [str(number) for number in range(20)]


async def test_a_file_that_is_no_database_is_a_sentence(tmp_path: Path) -> None:
    file = tmp_path / "bot.db"
    file.write_bytes(b"this is no database at all, however long one looks at it" * 100)
    store = Store(f"sqlite:///{file}")
    with pytest.raises(StoreError, match="Nothing was written"):
        await store.open()
    await store.close()


async def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    store = Store(f"sqlite:///{tmp_path}/file/folder/bot.db")
    with pytest.raises(StoreError, match="cannot be made"):
        await store.open()
    await store.close()


async def test_a_missing_folder_is_made(tmp_path: Path) -> None:
    async with open_store(tmp_path / "a" / "b" / "bot.db") as store:
        assert await _texts(store) == []


@pytest.mark.parametrize(
    "url",
    [
        "nonsense",
        "",
        "CANARY@host/db",
        "postgresql://bot:CANARY@host:port/db",
        "oraclish://bot:CANARY@host/db",
        "mysql+pymysql://bot:CANARY@host/db",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file:CANARY?uri=true",
    ],
)
def test_what_is_no_usable_database_url_is_told_without_the_password_in_it(url: str) -> None:
    with pytest.raises(ConfigError, match=r"^The database setting ") as failure:
        Store(url)
    assert "sqlite:///spoolwarden.db" in failure.value.sentence
    assert "CANARY" not in failure.value.sentence


async def test_moments_come_back_aware_and_naive_ones_are_not_stored(store: Store) -> None:
    later = ManualClock(START).now() + timedelta(microseconds=1)
    async with store.session() as session:
        session.add(Announcement(at=later, text="x"))
    async with store.reading() as session:
        assert (await session.exec(select(Announcement.at))).all() == [later]
    naive = datetime(2026, 3, 2)  # noqa: DTZ001 - that is what is tried
    with pytest.raises(StoreError, match="Nothing was written"):
        async with store.session() as session:
            session.add(Announcement(at=naive, text="naive"))


async def test_the_files_settings_survive_power_cuts_and_let_readers_in(tmp_path: Path) -> None:
    async with open_store(tmp_path / "bot.db") as store, store.reading() as session:
        connection = await session.connection()
        said = [
            (await connection.execute(text(f"PRAGMA {name}"))).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    assert said == ["wal", 2, 1]


async def test_a_database_that_may_not_be_opened_is_no_matter_of_waiting(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}")  # a folder
    with pytest.raises(StoreError, match=r"could not be opened .* the bot's user may write"):
        await store.open()
    await store.close()
