"""Of several instances of the bot on one database one leads, and the dead are told from the living.

An instance here is what the bot makes of the lease: it holds it, or it does not.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from services.errors import StoreError
from services.lease import FileLease, Lease, Pace, ServerLease, lease_of
from services.models import Announcement
from services.postgres import INSTANCES, LEADING, LOCKS
from services.store import Store
from services.tasks import end

from ..databases import PostgresDatabases, open_store_at
from ..mail.harness import START
from ..wire import wire_to

_QUICK = Pace(tick=0.05, patience=5.0, settles=0.05, grace=0.5)


class _Instance:
    """One process of the bot, as far as the lease goes."""

    def __init__(self, store: Store, pace: Pace = _QUICK) -> None:
        self.store = store
        self.lease = ServerLease(store, pace)
        self.told: Callable[[bool], object] = lambda leads: None
        self.turns: list[bool] = []
        self.woken = asyncio.Event()
        self.looks = 0
        self._task: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        await self.lease.take()
        self._task = asyncio.create_task(self.lease.keep(self._turn, self.woken.set, self._look))

    async def stop_looking(self) -> None:
        """Keep what it has, and notice nothing any more."""
        task, self._task = self._task, None
        if task is not None:
            await end([task])

    async def stop(self) -> None:
        await self.stop_looking()
        await self.lease.leave()

    async def _turn(self, leads: bool) -> None:
        self.turns.append(leads)
        self.told(leads)

    async def _look(self) -> None:
        self.looks += 1


Begin = Callable[[], Awaitable[_Instance]]


@pytest.fixture
def url(postgres: PostgresDatabases) -> object:
    with postgres.lent() as url:
        yield url


@pytest.fixture
async def begin(url: str) -> AsyncIterator[Begin]:
    """Begin one more instance; all are stopped at the end."""
    async with contextlib.AsyncExitStack() as stack:

        async def begun() -> _Instance:
            made = _Instance(await stack.enter_async_context(open_store_at(url)))
            stack.push_async_callback(made.stop)
            await made.begin()
            return made

        yield begun


async def _until(holds: Callable[[], bool], *, seconds: float = 15) -> None:
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - the lease tells nobody
            await asyncio.sleep(0.01)


def _holder(postgres: PostgresDatabases, url: str, space: int, number: int) -> list[int]:
    """The server's processes that hold one of our locks in a database."""
    rows = postgres.execute(
        "SELECT pid FROM pg_locks JOIN pg_database ON pg_database.oid = database "  # noqa: S608
        "WHERE locktype = 'advisory' AND granted AND datname = current_database() "
        f"AND classid = {space} AND objid = {number}",
        url,
    )
    return [int(pid) for (pid,) in rows]


def _cut(postgres: PostgresDatabases, url: str, instance: _Instance) -> None:
    """Cut the connection that an instance holds its locks on, as a failing network would."""
    (pid,) = _holder(postgres, url, INSTANCES, instance.store.number)
    postgres.execute(f"SELECT pg_terminate_backend({pid}, 5000)")


async def test_the_first_leads_and_the_next_follows_when_it_leaves(begin: Begin) -> None:
    first, second, third = await begin(), await begin(), await begin()
    assert [i.lease.leads for i in (first, second, third)] == [True, False, False]
    await first.stop()
    await _until(lambda: second.turns + third.turns == [True])
    assert second.lease.leads is not third.lease.leads
    assert first.turns == []


async def test_who_hands_over_lives_on_without_leading(
    begin: Begin, postgres: PostgresDatabases, url: str
) -> None:
    first, second = await begin(), await begin()
    await _until(first.lease.others)
    await first.stop_looking()
    await first.lease.hand_over()
    await _until(lambda: second.turns == [True])
    living = second.lease.living
    await _until(lambda: living() is not None)
    assert living() == frozenset({first.store.number, second.store.number})
    await first.stop()
    assert _holder(postgres, url, INSTANCES, first.store.number) == []
    await _until(lambda: living() == frozenset({second.store.number}))


async def test_one_that_is_alone_has_no_others(begin: Begin) -> None:
    only = await begin()
    await _until(lambda: only.lease.living() == frozenset({only.store.number}))
    assert not only.lease.others()


async def test_a_leader_that_is_cut_off_gives_up_or_leads_again_and_one_leads(
    begin: Begin, postgres: PostgresDatabases, url: str
) -> None:
    instances = [await begin(), await begin()]
    first, second = instances
    for _ in range(3):
        leader = first if first.lease.leads else second
        turns = len(leader.turns)
        _cut(postgres, url, leader)
        # Whoever leads then, the one that was cut off ceased to first.
        await _until(lambda: leader.turns[turns : turns + 1] == [False])  # noqa: B023
        await _until(lambda: sum(i.lease.leads for i in instances) == 1)
        await _until(lambda: all((i.turns or [i is first])[-1] is i.lease.leads for i in instances))
    assert len(_holder(postgres, url, LOCKS, LEADING)) == 1


async def test_one_that_has_not_noticed_that_it_was_cut_off_may_not_post(
    begin: Begin, postgres: PostgresDatabases, url: str
) -> None:
    first = await begin()
    await first.stop_looking()
    async with first.store.session() as session:
        await first.lease.check(session)
    _cut(postgres, url, first)
    assert first.lease.leads
    with pytest.raises(StoreError, match="Nothing was posted by this one"):
        async with first.store.session() as session:
            await first.lease.check(session)
    second = await begin()
    assert second.lease.leads
    # Nor does it take the other's lock for its own.
    with pytest.raises(StoreError, match="Nothing was posted by this one"):
        async with first.store.session() as session:
            await first.lease.check(session)


async def test_one_that_loses_its_connection_for_a_moment_does_not_count_as_dead(
    begin: Begin, postgres: PostgresDatabases, url: str
) -> None:
    first, second = await begin(), await begin()
    both = frozenset({first.store.number, second.store.number})
    await _until(lambda: first.lease.living() == both)
    _cut(postgres, url, second)
    seen = set()
    async with asyncio.timeout(15):
        while not _holder(postgres, url, INSTANCES, second.store.number):
            seen.add(first.lease.living())
            await asyncio.sleep(0.01)
    assert seen <= {frozenset(both)}


async def test_who_begins_is_not_sure_at_once_that_the_unseen_are_dead(begin: Begin) -> None:
    only = await begin()
    assert only.lease.living() is None
    await _until(lambda: only.lease.living() is not None)
    await _until(lambda: only.looks > 0)


async def test_what_one_instance_writes_wakes_the_other_and_not_itself(begin: Begin) -> None:
    first, second = await begin(), await begin()
    await first.stop_looking()
    first.woken.clear()
    second.woken.clear()
    async with second.store.session() as session:
        session.add(Announcement(at=START, text="news"))
    # What was said while it did not look is heard when it does.
    again = asyncio.create_task(first.lease.keep(first._turn, first.woken.set, first._look))
    async with asyncio.timeout(15):
        await first.woken.wait()
    await end([again])
    # By then the one that wrote has heard itself, too.
    async with first.store.session() as session:
        session.add(Announcement(at=START, text="an answer"))
    async with asyncio.timeout(15):
        await second.woken.wait()
    assert first.lease.leads


async def test_when_the_leader_s_machine_vanishes_another_leads_within_15_s_and_it_alone(
    url: str,
) -> None:
    """Nothing is closed: the server finds out by itself, and the leader on its own, before."""
    loop = asyncio.get_running_loop()
    at: dict[str, float] = {}
    async with wire_to(url) as (wire, over_wire), contextlib.AsyncExitStack() as stack:

        async def begin(name: str, url: str) -> _Instance:
            made = _Instance(await stack.enter_async_context(open_store_at(url)), Pace())
            made.told = lambda leads: at.setdefault(f"{name} {leads}", loop.time())
            stack.push_async_callback(made.stop)
            await made.begin()
            return made

        first = await begin("first", over_wire)
        second = await begin("second", url)
        await _until(second.lease.others)
        assert (first.lease.leads, second.lease.leads) == (True, False)
        gone = loop.time()
        wire.vanish()
        await _until(lambda: second.turns == [True], seconds=30)
        assert first.turns == [False]
        assert at["first False"] < at["second True"]
        assert at["second True"] - gone < 15
        with pytest.raises(StoreError):
            async with asyncio.timeout(30), first.store.session() as session:
                await first.lease.check(session)
        assert not first.lease.leads


async def test_two_databases_of_one_server_have_nothing_to_do_with_each_other(
    begin: Begin, postgres: PostgresDatabases
) -> None:
    here = await begin()
    with postgres.lent() as elsewhere:
        async with open_store_at(elsewhere) as store:
            there = ServerLease(store, _QUICK)
            await there.take()
            assert here.lease.leads
            assert there.leads
            await there.leave()


async def test_a_database_that_is_away_is_a_sentence() -> None:
    store = Store("postgresql://bot:CANARY@127.0.0.1:1/none")
    lease = lease_of(store)
    with pytest.raises(StoreError, match=r"could not be used .* try again in a moment") as failure:
        await lease.take()
    assert "CANARY" not in failure.value.sentence
    await lease.leave()
    await store.close()


# -- SQLite ----------------------------------------------------------------------------------


async def test_a_second_instance_on_an_sqlite_file_is_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/bot.db"
    async with open_store_at(url) as store, open_store_at(url) as other:
        first, second = lease_of(store), lease_of(other)
        await first.take()
        with pytest.raises(StoreError, match="Another Spoolwarden is running on the database"):
            await second.take()
        assert (first.leads, second.leads) == (True, False)
        async with store.session() as session:
            await first.check(session)
        await first.leave()
        await second.take()
        assert second.leads
        await second.leave()


async def test_where_no_lock_file_can_be_made_that_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    store = Store(f"sqlite:///{tmp_path}/file/bot.db")
    lease: Lease = lease_of(store)
    assert isinstance(lease, FileLease)
    with pytest.raises(StoreError, match="cannot be made"):
        await lease.take()
    await store.close()
