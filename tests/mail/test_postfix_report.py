"""The report on a private Postfix: its numbers are those of its log, to the message."""

import asyncio
from datetime import date
from pathlib import Path

from bot.demo.sink import Sink
from services.clock import SystemClock
from services.detection.ingest import Ingest
from services.reports import Period, View, listing, total

from ..databases import open_store_at
from .counted_by_hand import by_postfix
from .harness import ANN, BOB, DOMAIN
from .postfix_harness import PostfixHarness


async def test_the_report_agrees_with_the_servers_own_log_to_the_message(
    postfix: PostfixHarness, tmp_path: Path
) -> None:
    first = SystemClock().now().date()
    sink = Sink(_world)
    host, port = await sink.start()
    asked = ("default_transport=smtp:[127.0.0.1]:1", f"default_transport=smtp:[{host}]:{port}")
    await asyncio.to_thread(_set, postfix, asked[1])
    try:
        await _compared(postfix, tmp_path, first)
    finally:
        await asyncio.to_thread(_set, postfix, asked[0])
        await sink.stop()


def _world(_: str, recipient: str) -> str | None:
    if recipient.startswith("later"):
        return "451 4.7.1 not now"
    return "550 5.1.1 nobody of that name" if recipient.startswith("nobody") else None


def _set(postfix: PostfixHarness, setting: str) -> None:
    postfix.instance.run("postconf", "-e", setting)
    postfix.instance.run("postfix", "reload")


async def _compared(postfix: PostfixHarness, tmp_path: Path, first: date) -> None:
    await postfix.add_user(ANN)
    await postfix.add_user(BOB)
    await postfix.submit(ANN, ["x@elsewhere.test", "y@elsewhere.test"], "Two", times=5)
    await postfix.submit(ANN, ["later@elsewhere.test", "x@elsewhere.test"], "Put off", times=4)
    await postfix.submit(BOB, ["nobody@elsewhere.test"], "Refused", times=3)
    await postfix.submit(BOB, ["nobody@elsewhere.test", "later@elsewhere.test"], "Both", times=1)
    await postfix.submit(ANN, [BOB], "Within", times=3)
    await postfix.submit(BOB, ["x@elsewhere.test", ANN], "Both", times=2)
    await postfix.submit(None, [ANN, BOB], "In", envelope_sender="x@elsewhere.test", times=7)
    await postfix.submit(None, [BOB], "In", envelope_sender="", times=1)
    await postfix.settle()
    async with open_store_at(f"sqlite:///{tmp_path}/bot.db") as store:
        ingest = Ingest(store, SystemClock(), habit_days=28)
        # In two goes, with nothing new the second time.
        await ingest.take_in(postfix.server)
        await postfix.submit(ANN, ["z@elsewhere.test"], "Later", times=2)
        await postfix.settle()
        await ingest.take_in(postfix.server)
        await ingest.take_in(postfix.server)
        # Midnight may have come meanwhile.
        period = Period(first, SystemClock().now().date())
        async with store.reading() as session:
            whole = await total(session, "mx", period)
            rows, _ = await listing(session, "mx", period, View.USERS, domain=DOMAIN, limit=100)
    counted, sent, received = by_postfix(postfix.instance.log.read_text("utf-8"))
    assert (counted.outgoing, counted.incoming) == (20, 13)
    assert counted.deferred >= 4
    assert counted.rejected >= 3
    assert counted.deferred + counted.rejected == 8
    assert whole == counted
    assert {row.name: row.tally.outgoing for row in rows} == {ANN: sent[ANN], BOB: sent[BOB]}
    assert {row.name: row.tally.incoming for row in rows} == {
        ANN: received[ANN],
        BOB: received[BOB],
    }
