"""The report on a private Postfix: its numbers are those of its log, to the message."""

import asyncio
import re
from collections import Counter
from datetime import date
from pathlib import Path

from bot.demo.sink import Sink
from services.clock import SystemClock
from services.detection.ingest import Ingest
from services.reports import Period, Tally, View, listing, total

from ..databases import open_store_at
from .harness import ANN, BOB, DOMAIN
from .postfix_harness import PostfixHarness

# Written anew, with no part of the bot's own reader.
_CLIENT = re.compile(r"smtpd\[\d+\]: (\w+): client=[^,\s]+(?:, .*sasl_username=(\S+))?")
_BAD = re.compile(r": (\w+): to=<[^>]*>.*?, relay=([^,]*),.* status=(deferred|bounced) ")
_TO = re.compile(r": (\w+): to=<([^>]*)>")


def _by_hand(log: str) -> tuple[Tally, Counter[str], Counter[str]]:
    """Count a log: in all, what each sent, and what each was sent."""
    users: dict[str, str] = {}
    taken: set[str] = set()
    bad: dict[str, str] = {}
    to: dict[str, set[str]] = {}
    for line in log.splitlines():
        if found := _CLIENT.search(line):
            taken.add(found[1])
            if found[2]:
                users[found[1]] = found[2]
        # The other side had something against it only where it was reached.
        if (found := _BAD.search(line)) and (found[3] == "bounced" or found[2] != "none"):
            bad.setdefault(found[1], found[3])
        if found := _TO.search(line):
            to.setdefault(found[1], set()).add(found[2])
    # What comes from elsewhere, and what is sent within a domain.
    got = {
        queue_id: to.get(queue_id, set())
        if queue_id not in users
        else {one for one in to.get(queue_id, ()) if _domain(one) == _domain(users[queue_id])}
        for queue_id in taken
    }
    came = [queue_id for queue_id in taken if got[queue_id] or queue_id not in users]
    received = Counter(address for addresses in got.values() for address in addresses)
    fates = Counter(fate for queue_id, fate in bad.items() if queue_id in users)
    whole = Tally(len(users), len(came), fates["deferred"], fates["bounced"])
    return whole, Counter(users.values()), received


def _domain(address: str) -> str:
    return address.rpartition("@")[2]


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
    counted, sent, received = _by_hand(postfix.instance.log.read_text("utf-8"))
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
