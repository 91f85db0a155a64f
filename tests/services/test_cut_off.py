"""What was cut off in the middle is told as it is, and can be done again or taken back."""

import asyncio
import json
from collections.abc import Callable, Coroutine, Sequence
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import select

from services.errors import ServerDown, StoreError
from services.mail.embedded import EmbeddedServer
from services.mail.port import (
    Block,
    MessageResult,
    Network,
    Page,
    Queue,
    SpoolQuery,
    Tell,
    User,
    UserState,
    nobody,
)
from services.models import Announcement, Intent, IntentState
from services.targets import Target, Undo

from ..mail.harness import ANN, START
from .bench import ADMIN, CHANNEL, OPERATOR, Bench

FREE, BLOCKED = ip_network("198.51.100.8"), ip_network("198.51.100.7")


class _Stuck(EmbeddedServer):
    """A server that does what it is told and never answers that it did."""

    reached: asyncio.Event

    async def _never(self) -> None:
        self.reached.set()
        await asyncio.Event().wait()

    async def hold(self, queue_ids: Sequence[str], *, tell: Tell = nobody) -> list[MessageResult]:
        await super().hold(queue_ids[:1])  # and the others not
        await self._never()
        return []

    async def release(
        self, queue_ids: Sequence[str], *, tell: Tell = nobody
    ) -> list[MessageResult]:
        await super().release(queue_ids[:-1])
        await self._never()
        return []

    async def move(
        self, queue_ids: Sequence[str], folder: str, *, tell: Tell = nobody
    ) -> list[MessageResult]:
        await super().move(queue_ids[:-1], folder)
        await self._never()
        return []

    async def restore(
        self, queue_ids: Sequence[str], *, tell: Tell = nobody
    ) -> list[MessageResult]:
        await super().restore(queue_ids[:-1])
        await self._never()
        return []

    async def delete(self, queue_ids: Sequence[str], *, tell: Tell = nobody) -> list[MessageResult]:
        await super().delete(queue_ids[:-1])
        await self._never()
        return []

    async def block(
        self, network: Network, *, reason: str, lasting: timedelta | None
    ) -> Block | None:
        await super().block(network, reason=reason, lasting=lasting)
        await self._never()
        return None


class _Silent(EmbeddedServer):
    """A server that is down whenever it is asked for mailboxes."""

    async def user(self, address: str) -> User | None:
        raise ServerDown("The mail server mail cannot be reached.")


async def _with(bench: Bench, kind: type[EmbeddedServer]) -> EmbeddedServer:
    await bench.mail.stop()
    server = bench.mail.server = kind(bench.mail.config, bench.clock)
    await bench.mail.start()
    bench.build()
    return server


async def cut_off_in(bench: Bench, work: Callable[[], Coroutine[Any, Any, Any]]) -> None:
    """Begin it, stop the bot when the server has done a part, start anew."""
    stuck = await _with(bench, _Stuck)
    assert isinstance(stuck, _Stuck)
    stuck.reached = asyncio.Event()
    act = asyncio.ensure_future(work())
    await stuck.reached.wait()
    act.cancel()
    with pytest.raises(asyncio.CancelledError):
        await act
    await _with(bench, EmbeddedServer)
    await bench.upkeep.recover()


async def cut_off(bench: Bench, intent_id: str, *, purge: bool = False) -> Intent:
    """Press it and cut it off; return the intent."""

    def work() -> Coroutine[Any, Any, Any]:
        if purge:
            return bench.upkeep.purge()
        return bench.pipeline.execute(OPERATOR, CHANNEL, intent_id)

    await cut_off_in(bench, work)
    return await bench.intent(intent_id)


async def begun(bench: Bench, action: str, target: Target) -> Intent:
    proposal = await bench.propose(action, target)
    return await cut_off(bench, proposal.intent_id)


async def everything(bench: Bench) -> tuple[UserState | None, Page, list[tuple[Network, str]]]:
    page = await bench.server.search(SpoolQuery(), limit=100)
    blocks = [(block.network, block.reason) for block in await bench.server.blocks()]
    return await bench.state(), page, blocks


@pytest.fixture
async def before(bench: Bench) -> object:
    """Have some of everything on the server; return how it is."""
    await bench.deferred(3)
    await bench.server.hold(await bench.deferred(1))
    await bench.server.move(await bench.deferred(2), "evidence")
    await bench.server.block(BLOCKED, reason="by hand", lasting=None)
    return await everything(bench)


_ACTS = {
    "stop": Target(account=ANN),
    "move": Target(query=SpoolQuery(sender=ANN), folder="review"),
    "delete": Target(query=SpoolQuery(sender=ANN)),
    "restore": Target(query=SpoolQuery(folder="evidence")),
    "block": Target(networks=(BLOCKED, FREE)),
}


@pytest.mark.parametrize("action", _ACTS)
async def test_what_was_cut_off_can_be_taken_back_exactly(
    bench: Bench, before: object, action: str
) -> None:
    cut = await begun(bench, action, _ACTS[action])
    assert await everything(bench) != before
    undo_id = await bench.intents.offer_undo(CHANNEL, cut.id)
    assert undo_id is not None
    assert (await bench.pipeline.execute(OPERATOR, CHANNEL, undo_id)).ok
    assert await everything(bench) == before
    assert (await bench.intent(cut.id)).undone
    assert await bench.intents.offer_undo(CHANNEL, cut.id) is None


@pytest.mark.parametrize("action", _ACTS)
async def test_what_is_done_after_two_tries_that_were_cut_off_is_taken_back_as_one(
    bench: Bench, before: object, action: str
) -> None:
    tries = [await begun(bench, action, _ACTS[action]) for _ in range(2)]
    target = Target.model_validate_json(tries[0].target)
    outcome = await bench.act(action, target)
    assert outcome.ok
    # There is one button for all of it.
    for cut in tries:
        assert await bench.intents.offer_undo(CHANNEL, cut.id) is None
    assert (await bench.undo(outcome)).ok
    assert await everything(bench) == before


async def test_what_was_done_between_is_not_taken_back_with_it(bench: Bench) -> None:
    await bench.deferred(2)
    cut = await begun(bench, "stop", Target(account=ANN))
    bench.pass_time(minutes=1)
    refuse = Target(account=ANN, user_state=UserState.REFUSING)
    assert (await bench.act("disable", refuse)).ok
    bench.pass_time(minutes=1)
    outcome = await bench.act("stop", Target(account=ANN))
    await bench.undo(outcome)
    assert await bench.state() is UserState.REFUSING
    assert await bench.intents.offer_undo(CHANNEL, cut.id) is not None


async def test_a_try_at_something_else_keeps_its_own_undo(bench: Bench) -> None:
    ids = await bench.deferred(4)
    cut = await begun(bench, "move", Target(queue_ids=tuple(ids[:2]), folder="review"))
    other = await bench.act("move", Target(queue_ids=tuple(ids[2:]), folder="review"))
    await bench.undo(other)
    queues = await bench.queues()
    assert [queues[i] for i in ids] == [Queue.QUARANTINE, *[Queue.DEFERRED] * 3]
    assert await bench.intents.offer_undo(CHANNEL, cut.id) is not None


async def test_how_it_stands_now_is_said_of_what_was_cut_off(bench: Bench) -> None:
    await bench.deferred(3)
    cut = await begun(bench, "stop", Target(account=ANN))
    assert cut.summary.endswith(
        f"Now {ANN} cannot send and still receives; 2 messages of it waiting, 1 held."
    )
    assert await bench.upkeep.recover() == 0
    assert await bench.intent(cut.id) == cut


async def test_of_an_undo_that_was_cut_off_as_well_and_its_button_is_new(bench: Bench) -> None:
    ids = await bench.deferred(3)
    outcome = await bench.act("move", Target(queue_ids=tuple(ids), folder="review"))
    assert outcome.undo_id is not None
    cut = await cut_off(bench, outcome.undo_id)
    assert "Now of 3 messages 2 are in the queue and 1 in the folder review" in cut.summary
    async with bench.store.reading() as session:
        lines = (await session.exec(select(Announcement))).all()
    # The line of the act has the button to take it back: it is drawn anew, too.
    assert {line.intent_id: line.version > 1 for line in lines} == {
        outcome.intent_id: True,
        cut.id: True,
    }
    again = await bench.undo(outcome)
    assert again.ok
    assert set((await bench.queues()).values()) == {Queue.DEFERRED}


async def test_a_server_that_does_not_answer_is_said_so(bench: Bench) -> None:
    await bench.deferred(1)
    proposal = await bench.propose("stop", Target(account=ANN))
    async with bench.store.session() as session:
        row = await session.get(Intent, proposal.intent_id)
        assert row is not None
        row.state, row.claimed_at = IntentState.CLAIMED, bench.clock.now()
        session.add(row)
    await _with(bench, _Silent)
    assert await bench.upkeep.recover() == 1
    summary = (await bench.intent(proposal.intent_id)).summary
    assert summary.endswith(
        "How it stands now could not be asked of mail: The mail server mail cannot be reached."
    )


async def test_a_deletion_that_was_cut_off_is_purged_in_time(bench: Bench) -> None:
    ids = await bench.deferred(3)
    await begun(bench, "delete", Target(queue_ids=tuple(ids)))
    bench.pass_time(days=6)
    assert await bench.upkeep.purge() == 0
    bench.pass_time(days=2)
    assert await bench.upkeep.purge() == 2
    # The one that it did not come to was never deleted.
    assert list(await bench.queues()) == ids[2:]


async def test_a_purge_that_was_cut_off_is_one_in_the_log(bench: Bench) -> None:
    ids = await bench.deferred(3)
    outcome = await bench.act("delete", Target(queue_ids=tuple(ids)), actor=ADMIN)
    bench.pass_time(days=8)
    await cut_off(bench, outcome.intent_id, purge=True)
    assert await bench.upkeep.purge() == 1
    assert await bench.upkeep.purge() == 0
    lines = [entry for entry in await bench.log() if entry.action == "purge"]
    assert [line.phase for line in lines] == ["intent", "result"]
    assert json.loads(lines[0].detail) == {"messages": 3}
    told = json.loads(lines[1].detail)
    assert (told["done"], told["before"]) == (1, 2)


_ids = st.lists(st.sampled_from("ABCDEF"), unique=True).map(tuple)
_networks = st.lists(st.sampled_from([FREE, BLOCKED]), unique=True).map(tuple)
_blocks = _networks.map(lambda networks: tuple(Block(n, "by hand", START) for n in networks))
_undos = st.builds(
    Undo,
    account=st.none() | st.just(ANN),
    user_state=st.none() | st.sampled_from(UserState),
    held=_ids,
    moved=_ids,
    moved_from=st.dictionaries(st.sampled_from(["review", "evidence"]), _ids),
    restored_from=st.dictionaries(st.sampled_from(["review", "evidence"]), _ids),
    blocked=_networks,
    replaced=_blocks,
    waiting=_ids,
)


@given(_undos, _undos)
def test_of_two_acts_taken_back_as_one_the_older_state_counts(first: Undo, second: Undo) -> None:
    both = first.then(second)
    assert both.user_state == (first.user_state or second.user_state)
    assert set(both.in_folder) == set(first.in_folder) | set(second.in_folder)
    assert set(both.moved) == set(first.moved) | (set(second.moved) - set(first.in_folder))
    assert set(both.held) == set(first.held) | set(second.held)
    # What the first act blocked was not blocked before, whatever the second found.
    fresh = set(first.blocked) - {block.network for block in first.replaced}
    assert fresh.isdisjoint(block.network for block in both.replaced)
    assert first.then(Undo()).in_folder == first.in_folder


async def test_what_has_no_end_here_and_nobody_works_on_is_told_and_can_be_taken_back(
    bench: Bench,
) -> None:
    await bench.deferred(3)
    stuck = await _with(bench, _Stuck)
    assert isinstance(stuck, _Stuck)
    stuck.reached = asyncio.Event()
    proposal = await bench.propose("stop", Target(account=ANN))
    act = asyncio.ensure_future(bench.pipeline.execute(OPERATOR, CHANNEL, proposal.intent_id))
    await stuck.reached.wait()
    assert await bench.upkeep.recover_left(bench.pipeline.under_way) == 0
    act.cancel()  # as a job is when another instance leads
    with pytest.raises(asyncio.CancelledError):
        await act
    # It was claimed by this instance, which lives.
    assert await bench.upkeep.recover([bench.store.number]) == 0
    assert await bench.upkeep.recover_left(bench.pipeline.under_way) == 1
    assert await bench.upkeep.recover_left(bench.pipeline.under_way) == 0
    cut = await bench.intent(proposal.intent_id)
    assert cut.state is IntentState.INTERRUPTED
    assert cut.summary.startswith("What came of this could not be written down")
    assert "2 messages of it waiting, 1 held." in cut.summary
    await _with(bench, EmbeddedServer)
    assert (
        await bench.pipeline.execute(
            OPERATOR, CHANNEL, await bench.intents.offer_undo(CHANNEL, cut.id) or ""
        )
    ).ok
    assert await bench.state() is UserState.ACTIVE


async def test_a_result_that_could_not_be_written_down_is_told_without_a_restart(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    proposal = await bench.propose("disable", Target(account=ANN))

    async def down(*_: object, **__: object) -> None:
        raise StoreError("The bot's database could not be used.")

    with monkeypatch.context() as patched:
        patched.setattr("services.record.touch_responses", down)
        outcome = await bench.pipeline.execute(OPERATOR, CHANNEL, proposal.intent_id)
    assert not outcome.ok
    assert await bench.upkeep.recover_left(bench.pipeline.under_way) == 1
    row = await bench.intent(proposal.intent_id)
    assert row.summary.endswith(f"Now {ANN} cannot send and still receives.")
