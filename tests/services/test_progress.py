"""How far an act over many messages has come: kept while it is under way, and no longer."""

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import select

from services.mail.embedded import EmbeddedServer
from services.mail.port import MessageResult, SpoolQuery, Tell, nobody
from services.models import Announcement, Intent, IntentState
from services.pipeline import Outcome
from services.progress import Progress
from services.progress_keeper import ProgressKeeper
from services.targets import Target

from ..faults.world import Paper, publisher
from ..mail.harness import ANN
from .bench import CHANNEL, OPERATOR, Bench


class _Slow(EmbeddedServer):
    """A server that settles the messages one by one, each when it is let."""

    let: asyncio.Semaphore

    async def move(
        self, queue_ids: Sequence[str], folder: str, *, tell: Tell = nobody
    ) -> list[MessageResult]:
        results: list[MessageResult] = []
        for queue_id in queue_ids:
            await self.let.acquire()
            results += await super().move([queue_id], folder)
            tell(len(results))
        return results


class _Work:
    """Five messages that are moved, one each time that the server is let."""

    def __init__(self, bench: Bench, intent_id: str) -> None:
        self.bench = bench
        self.paper = Paper({})
        self.intent_id = intent_id
        server = bench.server
        assert isinstance(server, _Slow)
        self._let = server.let = asyncio.Semaphore(0)
        self._kept = asyncio.Event()
        bench.pipeline.progress = ProgressKeeper(bench.store, self._kept.set)
        bench.pipeline.progress.every = 0.001
        self.act: asyncio.Task[Outcome] = asyncio.create_task(
            bench.pipeline.execute(OPERATOR, CHANNEL, intent_id)
        )

    async def let_one(self) -> Intent:
        """Have one more message moved; return the intent once that is kept."""
        self._kept.clear()
        self._let.release()
        await self._kept.wait()
        return await self.bench.intent(self.intent_id)

    async def end(self) -> Outcome:
        for _ in range(5):
            self._let.release()
        return await self.act

    async def shown(self) -> str:
        """The one line that the channel shows of it."""
        await publisher(self.bench, self.paper).catch_up()
        (line,) = (card.fallback for _, card in self.paper.shown.values())
        return line


async def _begin(bench: Bench) -> _Work:
    await bench.deferred(5)
    await bench.mail.stop()
    bench.mail.server = _Slow(bench.mail.config, bench.clock)
    await bench.mail.start()
    bench.build()
    proposal = await bench.propose("move", Target(query=SpoolQuery(sender=ANN), folder="review"))
    return _Work(bench, proposal.intent_id)


async def test_how_far_it_has_come_is_kept_and_shown_in_its_one_line(bench: Bench) -> None:
    work = await _begin(bench)
    for number in range(1, 5):
        intent = await work.let_one()
        assert (intent.progress, intent.progress_of) == (number, 5)
        assert await work.shown() == f"⏳ Olga is moving messages … {number} of 5"
    assert (await work.end()).ok
    assert await work.shown() == "✔️ Olga: To the folder review: 5 messages moved."


async def test_nothing_of_it_is_shown_after_it_was_cut_off(bench: Bench) -> None:
    work = await _begin(bench)
    await work.let_one()
    assert "1 of 5" in await work.shown()
    work.act.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work.act
    await bench.mail.restart()
    bench.build()
    await bench.upkeep.recover()
    line = await work.shown()
    assert line.startswith("⚠️ Olga was moving messages. Spoolwarden was stopped in the middle")
    assert "4 are in the queue and 1 in the folder review" in line
    assert "1 of 5" not in line


async def test_what_is_done_soon_is_told_when_it_is_done(bench: Bench) -> None:
    await bench.deferred(3)
    outcome = await bench.act("move", Target(query=SpoolQuery(sender=ANN)))
    intent = await bench.intent(outcome.intent_id)
    assert (intent.progress, intent.progress_of) == (None, None)
    async with bench.store.reading() as session:
        (line,) = (await session.exec(select(Announcement))).all()
    assert line.version == 2  # begun, and done


async def test_what_has_ended_is_not_told_of_as_under_way(bench: Bench) -> None:
    await bench.deferred(1)
    outcome = await bench.act("move", Target(query=SpoolQuery(sender=ANN)))
    told = asyncio.Event()
    keeper = ProgressKeeper(bench.store, told.set)
    assert not await keeper.keep(outcome.intent_id, 1, 2)
    intent = await bench.intent(outcome.intent_id)
    assert (intent.state, intent.progress) == (IntentState.DONE, None)
    assert not told.is_set()


async def test_what_is_kept_never_goes_back(bench: Bench) -> None:
    work = await _begin(bench)
    for _ in range(3):
        await work.let_one()
    other = ProgressKeeper(bench.store, lambda: None)
    assert not await other.keep(work.intent_id, 2, 5)
    assert (await bench.intent(work.intent_id)).progress == 3
    assert await other.keep(work.intent_id, 4, 5)
    await work.end()


@given(
    st.lists(st.tuples(st.integers(0, 50), st.lists(st.integers(-5, 80), max_size=6)), max_size=6)
)
def test_whatever_is_told_it_only_goes_up_and_never_past_the_total(
    parts: list[tuple[int, list[int]]],
) -> None:
    progress = Progress()
    before = 0
    for number, told in parts:
        progress.expect(number)
        tell = progress.part()
        for settled in told:
            tell(settled)
            assert before <= progress.settled <= progress.total
            before = progress.settled
