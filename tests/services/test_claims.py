"""What several instances are told of is claimed by one of them, whoever else is writing."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import select

from services.claims import Claims
from services.clock import ManualClock
from services.errors import StoreError
from services.models import Claim
from services.store import Store

from ..databases import PostgresDatabases, locked_at, open_store_at
from ..mail.harness import START


@pytest.fixture
def url(postgres: PostgresDatabases) -> Iterator[str]:
    with postgres.lent() as url:
        yield url


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    async with open_store_at(url) as store:
        yield store


async def test_of_many_who_claim_at_once_one_is_first(url: str) -> None:
    async with open_store_at(url) as here, open_store_at(url) as there:
        both = [Claims(store, ManualClock(START)) for store in (here, there)]
        for click in range(10):
            tries = [claims.first(f"discord {click}") for claims in both * 4]
            assert sum(await asyncio.gather(*tries)) == 1
        assert not await both[0].first("discord 0")


async def test_a_claim_waits_for_nobody_who_writes(store: Store, url: str) -> None:
    with locked_at(url):
        assert await Claims(store, ManualClock(START)).first("discord 1")


async def test_old_claims_are_forgotten_and_none_that_could_be_asked_for_again(
    store: Store,
) -> None:
    clock = ManualClock(START)
    claims = Claims(store, clock)
    assert await claims.first("old")
    clock.set(START + timedelta(minutes=50))
    assert await claims.first("new")
    await claims.prune()
    assert not await claims.first("old")
    clock.set(START + timedelta(minutes=61))
    await claims.prune()
    async with store.reading() as session:
        assert (await session.exec(select(Claim.what))).all() == ["new"]


async def test_a_database_that_is_away_is_a_sentence() -> None:
    store = Store("postgresql://bot:CANARY@127.0.0.1:1/none")
    with pytest.raises(StoreError, match="could not be used") as failure:
        await Claims(store, ManualClock(START)).first("discord 1")
    assert "CANARY" not in failure.value.sentence
    await store.close()


async def test_an_sqlite_file_is_one_instance_s_who_need_claim_nothing(tmp_path: Path) -> None:
    async with open_store_at(f"sqlite:///{tmp_path}/bot.db") as store:
        claims = Claims(store, ManualClock(START))
        assert not claims.contested
        assert [await claims.first("discord 1"), await claims.first("discord 1")] == [True, True]
        await claims.prune()
        async with store.reading() as session:
            assert (await session.exec(select(Claim))).all() == []
