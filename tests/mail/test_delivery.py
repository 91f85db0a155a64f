"""Delivery: into mailboxes, to the relay, back to the sender, and never what was held."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import timedelta
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pytest

from bot.demo.sink import Sink
from services.mail.embedded import DeliveryCounts, Outcome
from services.mail.port import Fate, MessageResult, Queue, SpoolQuery, UserState

from .harness import ANN, BOB, START, EmbeddedHarness

_PATIENCE = 15.0  # seconds, on a busy machine

FAR = "x@elsewhere.test"


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    sink = Sink()
    await sink.start()
    yield sink
    await sink.stop()


async def _relaying(tmp_path: Path, relay: tuple[str, int], **settings: object) -> EmbeddedHarness:
    harness = EmbeddedHarness(tmp_path, relay=relay, **settings)
    await harness.start()
    await harness.add_user(ANN)
    return harness


@pytest.fixture
async def mail(tmp_path: Path, sink: Sink) -> AsyncIterator[EmbeddedHarness]:
    assert sink._listener is not None
    harness = await _relaying(tmp_path, sink._listener.sockets[0].getsockname()[:2])
    yield harness
    await harness.stop()


async def test_mail_for_mailboxes_arrives_whole(mail: EmbeddedHarness) -> None:
    await mail.server.add_user(BOB, "pw")
    await mail.submit(None, [ANN, BOB], "hello", envelope_sender="peer@other.test")
    assert await mail.server.deliver_due() == DeliveryCounts(delivered=2)
    (received,) = await mail.server.mailbox(BOB)
    assert received.envelope_sender == "peer@other.test"
    assert b"Subject: hello" in received.raw
    assert (await mail.server.counts()).waiting == 0


async def test_mail_for_elsewhere_reaches_the_relay_with_a_trace(
    mail: EmbeddedHarness, sink: Sink
) -> None:
    await mail.submit(ANN, [FAR, "y@elsewhere.test"], "hello", client_ip="198.51.100.7")
    assert await mail.server.deliver_due() == DeliveryCounts(delivered=2)
    (taken,) = sink.latest
    assert taken.sender == ANN
    assert taken.recipients == (FAR, "y@elsewhere.test")
    assert taken.content.startswith(b"Received: from [198.51.100.7] by mail.example.test")
    log = await mail.server.deliveries(START)
    assert {(entry.recipient, entry.outcome) for entry in log} == {
        (FAR, Outcome.DELIVERED),
        ("y@elsewhere.test", Outcome.DELIVERED),
    }


async def test_awkward_addresses_and_bytes_reach_the_relay(
    mail: EmbeddedHarness, sink: Sink
) -> None:
    queue_id = await mail.submit_raw(
        ANN, ['"a b"@elsewhere.test', "grün@höhle.test"], b".dot\r\n\xff\r\n..\r\nbare\nline\r\n"
    )
    await mail.server.deliver_due()
    (taken,) = sink.latest
    assert taken.recipients == ('"a b"@elsewhere.test', "grün@höhle.test")
    assert taken.content.endswith(b".dot\r\n\xff\r\n..\r\nbare\r\nline\r\n")
    assert await mail.server.raw(queue_id) is None


async def test_one_recipient_deferred_keeps_only_that_one(
    mail: EmbeddedHarness, sink: Sink
) -> None:
    sink.policy = lambda sender, recipient: (
        "451 4.2.1 greylisted" if recipient.startswith("slow") else None
    )
    await mail.server.add_user(BOB, "pw")
    await mail.submit(ANN, [BOB, FAR, "slow@elsewhere.test"], "hello")
    assert await mail.server.deliver_due() == DeliveryCounts(delivered=2, deferred=1)
    (message,) = (await mail.server.search(SpoolQuery())).messages
    assert message.recipients == ("slow@elsewhere.test",)
    assert message.queue is Queue.DEFERRED
    assert "greylisted" in (message.last_error or "")
    assert await mail.server.mailbox_count(BOB) == 1
    sink.policy = lambda sender, recipient: None
    assert await mail.server.deliver_due() == DeliveryCounts()
    await mail.advance(timedelta(minutes=5))
    assert await mail.server.deliver_due() == DeliveryCounts(delivered=1)
    assert sink.messages == 2
    assert (await mail.server.counts()).waiting == 0


async def test_a_refused_recipient_is_returned_to_the_sender(
    mail: EmbeddedHarness, sink: Sink
) -> None:
    sink.policy = lambda sender, recipient: "550 5.1.1 no such user"
    await mail.submit(ANN, [FAR], "Grüße", body="secret body")
    assert await mail.server.deliver_due() == DeliveryCounts(failed=1)
    (bounce,) = await mail.server.mailbox(ANN)
    assert bounce.envelope_sender == ""
    assert b"secret body" not in bounce.raw
    parsed = message_from_bytes(bounce.raw, policy=default)
    assert parsed.get_content_type() == "multipart/report"
    assert [part.get_content_type() for part in parsed.walk()][1] == "text/plain"
    assert FAR in parsed.get_body().get_content()  # type: ignore[union-attr]
    assert (await mail.server.counts()).waiting == 0
    (entry,) = await mail.server.deliveries(START)
    assert entry.outcome is Outcome.FAILED
    assert "no such user" in entry.why


async def test_a_forged_envelope_gets_no_bounce_but_the_account_behind_it_does(
    mail: EmbeddedHarness, sink: Sink
) -> None:
    sink.policy = lambda sender, recipient: "550 5.7.1 spam"
    await mail.submit(ANN, [FAR], "spam", envelope_sender="victim@bank.test")
    await mail.submit(ANN, [FAR], "report", envelope_sender="")
    await mail.server.deliver_due()
    assert await mail.server.mailbox_count(ANN) == 1
    assert sink.messages == 0


async def test_a_hostile_reply_cannot_write_into_the_bounce(
    mail: EmbeddedHarness, sink: Sink
) -> None:
    sink.policy = lambda sender, recipient: "550 no\x00\x1b[2J\x07 way"
    await mail.submit(ANN, [FAR], "hello")
    await mail.server.deliver_due()
    (bounce,) = await mail.server.mailbox(ANN)
    assert b"\x1b" not in bounce.raw
    assert b"\x00" not in bounce.raw


async def test_mail_that_grows_too_old_is_returned(mail: EmbeddedHarness, sink: Sink) -> None:
    sink.policy = lambda sender, recipient: "451 4.2.1 later"
    await mail.submit(ANN, [FAR], "hello")
    tries = 0
    while (await mail.server.counts()).waiting:
        await mail.server.deliver_due()
        await mail.advance(timedelta(hours=1))
        tries += 1
    assert sink.deferred == tries == 121  # five days, an hour apart, and the last
    assert await mail.server.mailbox_count(ANN) == 1
    outcomes = [entry.outcome for entry in await mail.server.deliveries(START)]
    assert outcomes == [Outcome.DEFERRED, Outcome.FAILED]


async def test_retries_follow_the_schedule(mail: EmbeddedHarness, sink: Sink) -> None:
    sink.policy = lambda sender, recipient: "451 4.2.1 later"
    await mail.submit(ANN, [FAR], "hello")
    tried: list[int] = []
    for minute in range(181):
        before = sink.deferred
        await mail.server.deliver_due()
        if sink.deferred > before:
            tried.append(minute)
        await mail.advance(timedelta(minutes=1))
    assert tried == [0, 5, 20, 50, 110, 170]


async def test_without_a_relay_mail_waits_and_says_why(embedded: EmbeddedHarness) -> None:
    await embedded.add_user(ANN)
    await embedded.submit(ANN, [FAR], "hello", times=3)
    assert await embedded.server.deliver_due() == DeliveryCounts(deferred=3)
    (message, *_) = (await embedded.server.search(SpoolQuery())).messages
    assert "No relay is configured" in (message.last_error or "")


async def test_a_relay_that_is_down_defers_everything_after_one_try(
    tmp_path: Path, sink: Sink
) -> None:
    assert sink._listener is not None
    relay = sink._listener.sockets[0].getsockname()[:2]
    mail = await _relaying(tmp_path, relay, delivery_concurrency=2)
    await sink.stop()
    await mail.submit(ANN, [FAR], "hello", times=30)
    assert await mail.server.deliver_due() == DeliveryCounts(deferred=30)
    (message, *_) = (await mail.server.search(SpoolQuery())).messages
    assert "cannot be reached" in (message.last_error or "")
    await mail.stop()


@pytest.mark.parametrize(
    "greeting",
    [b"", b"554 go away\r\n", b"421 too busy\r\n", b"rubbish\r\n", b"220 hi\r\n", b"\xff\x00\r\n"],
)
async def test_a_relay_that_makes_no_sense_defers(tmp_path: Path, greeting: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        await writer.drain()
        writer.close()

    relay = await asyncio.start_server(serve, "127.0.0.1", 0)
    mail = await _relaying(tmp_path, relay.sockets[0].getsockname()[:2], delivery_timeout=5)
    await mail.submit(ANN, [FAR], "hello")
    assert await mail.server.deliver_due() == DeliveryCounts(deferred=1)
    assert (await mail.server.counts()).deferred == 1
    await mail.stop()
    relay.close()
    await relay.wait_closed()


async def test_a_mailbox_that_went_or_closed_meanwhile_returns_the_mail(
    mail: EmbeddedHarness,
) -> None:
    await mail.server.add_user(BOB, "pw")
    await mail.submit(ANN, [BOB], "one")
    await mail.server.set_user_state(BOB, UserState.REFUSING)
    assert await mail.server.deliver_due() == DeliveryCounts(failed=1)
    await mail.server.set_user_state(BOB, UserState.ACTIVE)
    await mail.submit(ANN, [BOB], "two")
    await mail.server.delete_user(BOB)
    assert await mail.server.deliver_due() == DeliveryCounts(failed=1)
    assert await mail.server.mailbox_count(ANN) == 2


async def test_deleting_a_user_deletes_the_mail(mail: EmbeddedHarness) -> None:
    await mail.submit(None, [ANN], "hello", envelope_sender="peer@other.test")
    await mail.server.deliver_due()
    await mail.server.delete_user(ANN)
    await mail.server.add_user(ANN, "pw")
    assert await mail.server.mailbox_count(ANN) == 0


async def test_released_mail_is_due_at_once_and_held_mail_never(
    mail: EmbeddedHarness, sink: Sink
) -> None:
    await mail.submit(ANN, [FAR], "hello")
    (queue_id,) = await mail.server.matching_ids(SpoolQuery(), limit=1)
    await mail.server.hold([queue_id])
    assert await mail.server.deliver_due() == DeliveryCounts()
    await mail.server.release([queue_id])
    assert (await mail.server.counts()).active == 1
    assert await mail.server.deliver_due() == DeliveryCounts(delivered=1)
    assert (await mail.server.release([queue_id]))[0].fate is Fate.GONE


async def test_in_the_background_mail_goes_out_by_itself(tmp_path: Path, sink: Sink) -> None:
    assert sink._listener is not None
    mail = await _relaying(
        tmp_path, sink._listener.sockets[0].getsockname()[:2], deliver_in_background=True
    )
    gone = asyncio.Event()

    def policy(sender: str, recipient: str) -> None:
        gone.set()

    sink.policy = policy
    await mail.submit(ANN, [FAR], "hello")
    async with asyncio.timeout(_PATIENCE):
        await gone.wait()
    # A deferral comes due when the clock jumps, with nobody to wake the loop.
    tried = asyncio.Event()

    def later(sender: str, recipient: str) -> str:
        tried.set()
        return "451 4.2.1 later"

    sink.policy = later
    await mail.submit(ANN, [FAR], "again")
    async with asyncio.timeout(_PATIENCE):
        await tried.wait()
        tried.clear()
        await _until_deferred(mail)
        await mail.advance(timedelta(days=1))
        await tried.wait()
    await mail.stop()


# -- the same instant ------------------------------------------------------------------------


class PausingRelay:
    """A relay that stops before it answers one command, until it is told to go on."""

    def __init__(self, before: bytes) -> None:
        self.before = before
        self.reached = asyncio.Event()
        self.go_on = asyncio.Event()
        self.messages = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 relay\r\n")
        try:
            while line := await reader.readline():
                verb = line[:4].upper().strip()
                if verb == self.before:
                    self.reached.set()
                    await self.go_on.wait()
                if verb == b"DATA":
                    writer.write(b"354 go\r\n")
                    await reader.readuntil(b"\r\n.\r\n")
                    if self.before == b".":
                        self.reached.set()
                        await self.go_on.wait()
                    self.messages += 1
                writer.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 fine\r\n")
                if verb == b"QUIT":
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the other side left, which some of these tests want
        finally:
            writer.close()


Act = Callable[[EmbeddedHarness, Sequence[str]], Awaitable[list[MessageResult]]]
ACTS: dict[str, Act] = {
    "hold": lambda mail, ids: mail.server.hold(ids),
    "move": lambda mail, ids: mail.server.move(ids, "review"),
    "delete": lambda mail, ids: mail.server.delete(ids),
}


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("before", [b"MAIL", b"RCPT", b"."])
async def test_an_act_in_the_middle_of_an_attempt_wins_or_says_gone(
    tmp_path: Path, act: str, before: bytes
) -> None:
    relay = PausingRelay(before)
    listener = await asyncio.start_server(relay.serve, "127.0.0.1", 0)
    mail = await _relaying(tmp_path, listener.sockets[0].getsockname()[:2])
    await mail.submit(ANN, [FAR], "hello")
    ids = await mail.server.matching_ids(SpoolQuery(), limit=1)
    attempt = asyncio.create_task(mail.server.deliver_due())
    await relay.reached.wait()
    acting = asyncio.ensure_future(ACTS[act](mail, ids))
    # The act cannot end before the attempt does: what it would say might not be true.
    await _until_unwanted(mail)
    assert not acting.done()
    relay.go_on.set()
    counts = await attempt
    ((result),) = await acting
    if before == b".":
        assert (result.fate, relay.messages, counts.delivered) == (Fate.GONE, 1, 1)
        assert (await mail.server.search(SpoolQuery())).total == 0
    else:
        assert (result.fate, relay.messages, counts) == (Fate.DONE, 0, DeliveryCounts())
        assert (await mail.server.search(SpoolQuery())).total == (act != "delete")
        assert await mail.server.deliver_due() == DeliveryCounts()
    await mail.stop()
    listener.close()
    await listener.wait_closed()


async def test_deleting_while_delivering_accounts_for_every_message(
    mail: EmbeddedHarness, sink: Sink
) -> None:
    await mail.submit(ANN, [FAR], "hello", times=150)
    ids = await mail.server.matching_ids(SpoolQuery(), limit=1000)
    begun = asyncio.Event()

    def policy(sender: str, recipient: str) -> None:
        begun.set()

    sink.policy = policy
    attempt = asyncio.create_task(mail.server.deliver_due())
    await begun.wait()
    results = await mail.server.delete(ids)
    counts = await attempt
    deleted = sum(result.fate is Fate.DONE for result in results)
    gone = sum(result.fate is Fate.GONE for result in results)
    assert deleted + gone == 150
    assert gone == counts.delivered == sink.messages
    assert deleted > 0
    assert (await mail.server.counts()).waiting == 0


async def test_a_pass_that_is_cancelled_loses_no_message(tmp_path: Path) -> None:
    relay = PausingRelay(b"RCPT")
    listener = await asyncio.start_server(relay.serve, "127.0.0.1", 0)
    mail = await _relaying(tmp_path, listener.sockets[0].getsockname()[:2])
    await mail.submit(ANN, [FAR], "hello", times=3)
    attempt = asyncio.create_task(mail.server.deliver_due())
    await relay.reached.wait()
    attempt.cancel()
    with pytest.raises(asyncio.CancelledError):
        await attempt
    relay.go_on.set()
    assert (await mail.server.counts()).active == 3
    assert (await mail.server.deliver_due()).delivered == 3
    await mail.stop()
    listener.close()
    await listener.wait_closed()


async def _until_deferred(mail: EmbeddedHarness) -> None:
    while not (await mail.server.counts()).deferred:  # noqa: ASYNC110 - the spool has no event
        await asyncio.sleep(0)


async def _until_unwanted(mail: EmbeddedHarness) -> None:
    while not mail.server._attempts.running[1].unwanted:  # noqa: ASYNC110 - a flag, no event
        await asyncio.sleep(0)
