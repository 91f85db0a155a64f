"""Every remedy on a real mail server: done, seen there, and taken back to just what was before."""

from collections.abc import Sequence
from datetime import timedelta
from ipaddress import ip_network

import pytest

from bot.demo.sender import SmtpRefused
from services.errors import Refused
from services.mail.embedded import EmbeddedServer
from services.mail.port import (
    DELIVERING,
    Block,
    Fate,
    MessageResult,
    Network,
    Queue,
    SpoolQuery,
    Tell,
    UserState,
    nobody,
)
from services.models import IncidentState, IntentState
from services.pipeline import Outcome
from services.remedies import REMEDIES
from services.targets import Target, describe

from ..mail.harness import ANN, BOB, DOMAIN, attempts
from .bench import ADMIN, CHANNEL, ELSEWHERE, OPERATOR, OTHER_OPERATOR, Bench

_NET = ip_network("198.51.100.7")
_WIDE = ip_network("203.0.112.0/24")
_ALL = SpoolQuery()


async def _may_send(bench: Bench, user: str = ANN, client_ip: str = "192.0.2.10") -> bool:
    try:
        client = await bench.mail.logged_in(user, client_ip)
    except SmtpRefused:
        return False
    await client.close()
    return True


async def _become(bench: Bench, kind: type[EmbeddedServer]) -> None:
    """Go on with the same data and another kind of server."""
    await bench.mail.stop()
    bench.mail.server = kind(bench.mail.config, bench.clock)
    await bench.mail.start()
    bench.build()


# -- stop ------------------------------------------------------------------------------------


async def test_stop_disables_and_holds_and_undo_lets_all_of_it_go_on(bench: Bench) -> None:
    incident_id = await bench.alert()
    await bench.mail.settle()
    await bench.mail.submit(BOB, [f"x@{ELSEWHERE}"], "not ann's")
    session = await bench.mail.logged_in(ANN)
    before = await bench.queues()
    outcome = await bench.act("stop", Target(account=ANN), incident_id=incident_id)
    assert outcome.ok
    assert outcome.sentence == (f"{ANN} can no longer send and still receives. 3 messages held.")
    assert not await _may_send(bench)
    assert (await session.command(f"MAIL FROM:<{ANN}>")).code == 550
    await session.close()
    counts = await bench.server.counts()
    assert (counts.held, counts.waiting) == (3, 1)
    await bench.mail.submit(BOB, [ANN], "still receives")
    assert (await bench.incident()).state is IncidentState.REMEDIED
    undone = await bench.undo(outcome)
    assert undone.ok
    assert undone.sentence == f"{ANN} can send again. 3 messages released."
    assert await _may_send(bench)
    after = await bench.queues()
    assert {i: after[i] for i in before} == before
    assert (await bench.incident()).state is IncidentState.OPEN


@pytest.mark.parametrize("before", [UserState.NO_SENDING, UserState.REFUSING])
async def test_an_account_that_was_disabled_before_a_stop_stays_so_after_its_undo(
    bench: Bench, before: UserState
) -> None:
    (queue_id,) = await bench.deferred(1)
    await bench.server.set_user_state(ANN, before)
    outcome = await bench.act("stop", Target(account=ANN))
    assert outcome.sentence == (f"{ANN} was already disabled ({before.value}). 1 message held.")
    assert await bench.state() is before
    undone = await bench.undo(outcome)
    assert undone.sentence == f"{ANN} is {before.value}, as before. 1 message released."
    assert await bench.state() is before
    assert await bench.queues() == {queue_id: Queue.DEFERRED}


async def test_undoing_a_stop_leaves_what_was_held_before_held(bench: Bench) -> None:
    held, free = await bench.deferred(2)
    await bench.server.hold([held])
    outcome = await bench.act("stop", Target(account=ANN))
    await bench.undo(outcome)
    assert await bench.queues() == {held: Queue.HELD, free: Queue.DEFERRED}


async def test_a_stop_of_an_outside_sender_holds_and_says_that_there_is_no_mailbox(
    bench: Bench,
) -> None:
    await bench.mail.submit(None, [BOB], "spam", envelope_sender="evil@bank.test", times=2)
    outcome = await bench.act("stop", Target(account="evil@bank.test"))
    assert outcome.ok
    assert outcome.sentence == (
        "evil@bank.test is no mailbox here, so there was nothing to disable. 2 messages held."
    )
    assert (await bench.undo(outcome)).sentence == "2 messages released."
    assert (await bench.server.counts()).held == 0


async def test_a_stop_of_nobody_is_a_sentence(bench: Bench) -> None:
    outcome = await bench.act("stop", Target(account=""))
    assert (outcome.ok, outcome.sentence) == (
        False,
        "It failed: No account was named. Nothing was done.",
    )


class _DiesBeforeHold(EmbeddedServer):
    async def hold(self, queue_ids: Sequence[str], *, tell: Tell = nobody) -> list[MessageResult]:
        await self.stop()
        return await super().hold(queue_ids)


async def test_a_stop_that_is_cut_in_half_tells_its_half_and_can_be_undone_and_repeated(
    bench: Bench,
) -> None:
    incident_id = await bench.alert()
    await _become(bench, _DiesBeforeHold)
    outcome = await bench.act("stop", Target(account=ANN), incident_id=incident_id)
    assert not outcome.ok
    assert outcome.sentence == (
        f"{ANN} can no longer send and still receives. 0 messages held. Then it failed: The "
        "embedded mail server mail is not running. What waits may still go out; stop it again."
    )
    assert (await bench.incident()).state is IncidentState.OPEN
    await bench.mail.restart()
    bench.build()
    assert await bench.state() is UserState.NO_SENDING
    again = await bench.act("stop", Target(account=ANN), incident_id=incident_id)
    assert again.ok
    assert (await bench.server.counts()).held == 3
    assert (await bench.incident()).state is IncidentState.REMEDIED
    assert (await bench.undo(again)).ok
    assert (await bench.undo(outcome)).ok
    assert await bench.state() is UserState.ACTIVE


# -- messages --------------------------------------------------------------------------------


async def test_a_move_is_undone_into_the_queue_each_message_came_from(bench: Bench) -> None:
    deferred, held = await bench.deferred(2)
    await bench.server.hold([held])
    raw = await bench.server.raw(deferred)
    outcome = await bench.act("move", Target(query=SpoolQuery(sender=ANN), folder="evidence"))
    assert outcome.sentence == "To the folder evidence: 2 messages moved."
    assert await bench.server.folders() == {"evidence": 2}
    undone = await bench.undo(outcome)
    assert undone.sentence == "2 messages put back."
    assert await bench.queues() == {deferred: Queue.DEFERRED, held: Queue.HELD}
    assert await bench.server.raw(deferred) == raw


@pytest.mark.parametrize("action", ["move", "delete"])
async def test_undoing_does_not_send_what_lay_in_a_folder_before(bench: Bench, action: str) -> None:
    stored, loose, there = await bench.deferred(3)
    await bench.server.move([stored], "evidence")
    await bench.server.move([there], "deleted" if action == "delete" else "review")
    before = await bench.server.search(_ALL)
    outcome = await bench.act(action, Target(query=SpoolQuery(sender=ANN)))
    assert outcome.ok
    assert list(await bench.server.folders()) == ["deleted" if action == "delete" else "review"]
    assert (await bench.undo(outcome)).ok
    assert await bench.server.search(_ALL) == before
    assert (await bench.queues())[loose] is Queue.DEFERRED


async def test_a_restore_is_undone_into_the_folders(bench: Bench) -> None:
    one, two, three = await bench.deferred(3)
    await bench.server.move([one], "a")
    await bench.server.move([two], "b")
    raw = await bench.server.raw(one)
    target = Target(query=SpoolQuery(queues=(Queue.QUARANTINE,)))
    outcome = await bench.act("restore", target)
    assert outcome.sentence == "2 messages put back in the queue."
    assert set((await bench.queues()).values()) == {Queue.DEFERRED}
    assert await bench.server.raw(one) == raw
    undone = await bench.undo(outcome)
    assert undone.sentence == "2 messages moved back to its folder."
    assert await bench.server.folders() == {"a": 1, "b": 1}
    assert (await bench.queues())[three] is Queue.DEFERRED


async def test_deleted_messages_come_back_with_the_same_bytes(bench: Bench) -> None:
    queue_id = await bench.mail.submit_raw(
        ANN, [f"x@{ELSEWHERE}"], b"Subject: \xff\xfe\r\n\r\n.dot\r\n\r\nbare \xe9\r\n"
    )
    raw = await bench.server.raw(queue_id)
    outcome = await bench.act("delete", Target(queue_ids=(queue_id,)))
    assert outcome.sentence == "1 message deleted. They can be brought back for 7 days."
    await bench.mail.settle()
    assert await bench.server.folders() == {"deleted": 1}
    assert (await bench.undo(outcome)).ok
    assert await bench.server.raw(queue_id) == raw
    assert (await bench.queues())[queue_id] is Queue.ACTIVE


async def test_only_what_was_there_when_it_was_proposed_is_touched(bench: Bench) -> None:
    first = await bench.deferred(3)
    proposal = await bench.propose("delete", Target(query=SpoolQuery(sender=ANN)))
    assert set(proposal.target.queue_ids) == set(first)
    await bench.server.delete(first[:1])
    (late,) = await bench.deferred(1)
    outcome = await bench.pipeline.execute(OPERATOR, CHANNEL, proposal.intent_id)
    assert outcome.ok
    assert outcome.sentence.startswith("2 messages deleted; 1 already gone.")
    assert await bench.queues() == {
        first[1]: Queue.QUARANTINE,
        first[2]: Queue.QUARANTINE,
        late: Queue.DEFERRED,
    }
    await bench.server.delete(first[1:2])
    undone = await bench.undo(outcome)
    assert undone.sentence == "1 message put back; 1 already gone."


async def test_what_was_put_back_is_tried_again_now_and_there_is_nothing_to_undo(
    bench: Bench,
) -> None:
    ids = await bench.deferred(3)
    await bench.server.move(ids, "review")
    await bench.act("restore", Target(queue_ids=ids))
    before = [await attempts(bench.server, queue_id) for queue_id in ids]
    proposal = await bench.propose("retry", Target(query=SpoolQuery(sender=ANN)))
    assert set(proposal.target.queue_ids) == set(ids)
    # Since it was asked, one was deleted and one is held.
    await bench.server.delete(ids[:1])
    await bench.server.hold(ids[1:2])
    outcome = await bench.pipeline.execute(OPERATOR, CHANNEL, proposal.intent_id)
    assert outcome.ok
    assert outcome.sentence == "1 message tried again; 2 no longer waiting."
    assert outcome.undo_id is None
    await bench.mail.settle()
    tried = [await attempts(bench.server, queue_id) for queue_id in ids]
    assert tried == [0, before[1], before[2] + 1]
    assert await bench.queues() == {ids[1]: Queue.HELD, ids[2]: Queue.DEFERRED}
    again = await bench.act("retry", Target(queue_ids=ids[2:]))
    assert again.sentence == "1 message tried again."
    said = [(entry.phase, entry.action) for entry in await bench.log()][-2:]
    assert said == [("intent", "retry"), ("result", "retry")]


async def test_more_than_a_thousand_are_not_tried_again_at_once(bench: Bench) -> None:
    await bench.mail.submit(ANN, [f"x@{ELSEWHERE}"], "again", times=1001)
    wanted = Target(query=SpoolQuery(sender=ANN, queues=DELIVERING))
    with pytest.raises(Refused, match=r"^That is 1,001 messages, and at most 1,000 are tried"):
        await bench.propose("retry", wanted)
    said = [(entry.phase, entry.action) for entry in await bench.log()]
    assert said[-1] == ("refused", "retry")
    first = (await bench.server.matching_ids(wanted.query or SpoolQuery(), limit=1))[:1]
    await bench.server.delete(first)
    assert len((await bench.propose("retry", wanted)).target.queue_ids) == 1000


@pytest.mark.parametrize("queue_ids", [("' OR 1=1 --",), ("*", "ALL"), ("../../etc/passwd", "\0")])
async def test_hostile_queue_ids_touch_nothing(bench: Bench, queue_ids: tuple[str, ...]) -> None:
    ids = await bench.deferred(1)
    for action in ("move", "restore", "delete"):
        outcome = await bench.act(action, Target(queue_ids=queue_ids))
        assert f"{len(queue_ids)} already gone" in outcome.sentence
    assert list(await bench.queues()) == ids


async def test_a_folder_that_cannot_be_is_a_sentence_and_nothing_moves(bench: Bench) -> None:
    (queue_id,) = await bench.deferred(1)
    outcome = await bench.act("move", Target(queue_ids=(queue_id,), folder="a\nb"))
    assert not outcome.ok
    assert outcome.sentence.startswith("It failed: A quarantine folder's name has ")
    assert await bench.queues() == {queue_id: Queue.DEFERRED}


class _HalfDone(EmbeddedServer):
    async def move(
        self, queue_ids: Sequence[str], folder: str, *, tell: Tell = nobody
    ) -> list[MessageResult]:
        done = await super().move(queue_ids[:1], folder)
        return done + [MessageResult(i, Fate.FAILED, "disk full") for i in queue_ids[1:]]


async def test_the_half_of_a_deletion_that_was_done_can_be_undone_or_is_purged(
    bench: Bench,
) -> None:
    await _become(bench, _HalfDone)
    one, two, three = await bench.deferred(3)
    outcome = await bench.act("delete", Target(queue_ids=(one, two)))
    assert not outcome.ok
    assert outcome.sentence.startswith("1 message deleted; 1 FAILED (disk full); try those again.")
    assert (await bench.undo(outcome)).ok
    assert set((await bench.queues()).values()) == {Queue.DEFERRED}
    await bench.act("delete", Target(queue_ids=(one, three)))
    bench.pass_time(days=7)
    assert await bench.upkeep.purge() == 1
    assert set(await bench.queues()) == {two, three}


# -- accounts --------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", [None, UserState.NO_SENDING, UserState.REFUSING])
async def test_disable_and_its_undo_are_exact(bench: Bench, asked: UserState | None) -> None:
    for before in UserState:
        await bench.server.set_user_state(ANN, before)
        outcome = await bench.act("disable", Target(account=ANN, user_state=asked))
        assert outcome.ok
        assert await bench.state() is (asked or UserState.NO_SENDING)
        assert not await _may_send(bench)
        assert (await bench.undo(outcome)).ok
        assert await bench.state() is before
        assert await _may_send(bench) is (before is UserState.ACTIVE)


async def test_refusing_refuses_mail_and_no_sending_does_not(bench: Bench) -> None:
    await bench.act("disable", Target(account=ANN, user_state=UserState.NO_SENDING))
    await bench.mail.submit(BOB, [ANN], "hello")
    await bench.act("disable", Target(account=ANN, user_state=UserState.REFUSING))
    with pytest.raises(SmtpRefused):
        await bench.mail.submit(BOB, [ANN], "hello")


async def test_enable_and_its_undo_are_exact(bench: Bench) -> None:
    for before in UserState:
        await bench.server.set_user_state(ANN, before)
        outcome = await bench.act("enable", Target(account=ANN))
        assert await bench.state() is UserState.ACTIVE
        already = " (it was so already)" if before is UserState.ACTIVE else ""
        assert outcome.sentence == f"{ANN} can send and receive again{already}."
        await bench.undo(outcome)
        assert await bench.state() is before


@pytest.mark.parametrize("action", ["disable", "enable"])
async def test_an_account_that_is_none_is_a_sentence(bench: Bench, action: str) -> None:
    outcome = await bench.act(action, Target(account=f"nobody@{DOMAIN}"))
    assert not outcome.ok
    assert outcome.undo_id is None
    assert f"nobody@{DOMAIN}" in outcome.sentence


# -- blocks ----------------------------------------------------------------------------------


def _entries(blocks: Sequence[Block]) -> set[tuple[Network, str, object]]:
    return {(block.network, block.reason, block.until) for block in blocks}


async def test_a_block_keeps_them_out_and_its_undo_lets_them_in(bench: Bench) -> None:
    lasting = timedelta(hours=1)
    outcome = await bench.act("block", Target(networks=(_NET, _WIDE), lasting=lasting))
    assert outcome.sentence == ("SMTP from 198.51.100.7 and 203.0.112.0/24 is refused for 1 h.")
    assert _entries(await bench.server.blocks()) == {
        (network, f"{OPERATOR.key} through Spoolwarden", bench.clock.now() + lasting)
        for network in (_NET, _WIDE)
    }
    assert not await _may_send(bench, client_ip="198.51.100.7")
    assert not await _may_send(bench, client_ip="203.0.112.200")
    undone = await bench.undo(outcome)
    assert undone.sentence == "198.51.100.7 and 203.0.112.0/24 may use SMTP again."
    assert list(await bench.server.blocks()) == []
    assert await _may_send(bench, client_ip="198.51.100.7")


async def test_a_block_that_stood_before_comes_back_with_its_reason_and_end(
    bench: Bench,
) -> None:
    await bench.server.block(_NET, reason="by hand", lasting=timedelta(days=3))
    before = _entries(await bench.server.blocks())
    outcome = await bench.act("block", Target(networks=(_NET, _WIDE)))
    assert "until lifted" in outcome.sentence
    bench.pass_time(hours=5)
    undone = await bench.undo(outcome)
    assert undone.sentence == (
        "203.0.112.0/24 may use SMTP again. 198.51.100.7 stays blocked, as before."
    )
    assert _entries(await bench.server.blocks()) == before


async def test_a_block_that_would_have_ended_by_now_does_not_come_back(bench: Bench) -> None:
    for action in ("block", "unblock"):
        await bench.server.block(_NET, reason="by hand", lasting=timedelta(hours=1))
        outcome = await bench.act(action, Target(networks=(_NET,)))
        bench.pass_time(hours=1)
        undone = await bench.undo(outcome)
        assert undone.ok
        assert undone.sentence == (
            "198.51.100.7 may use SMTP again."
            if action == "block"
            else "The block would have run out by now, so it was not put back."
        )
        assert list(await bench.server.blocks()) == []


async def test_a_network_named_twice_or_in_two_ways_is_blocked_once(bench: Bench) -> None:
    mapped = ip_network("::ffff:198.51.100.7")
    outcome = await bench.act("block", Target(networks=(_NET, mapped, _NET)))
    assert outcome.sentence == "SMTP from 198.51.100.7 is refused until lifted."
    await bench.undo(outcome)
    assert list(await bench.server.blocks()) == []


@pytest.mark.parametrize("lasting", [None, timedelta(days=3)])
async def test_an_unblock_is_undone_with_reason_and_end(
    bench: Bench, lasting: timedelta | None
) -> None:
    await bench.server.block(_NET, reason="by hand", lasting=lasting)
    before = _entries(await bench.server.blocks())
    outcome = await bench.act("unblock", Target(networks=(_NET, _WIDE)))
    assert outcome.sentence == "198.51.100.7 may use SMTP again."
    assert list(await bench.server.blocks()) == []
    undone = await bench.undo(outcome)
    assert undone.sentence == "SMTP from 198.51.100.7 is refused again."
    assert _entries(await bench.server.blocks()) == before


async def test_lifting_what_does_not_stand_says_so_and_has_no_undo(bench: Bench) -> None:
    outcome = await bench.act("unblock", Target(networks=(_NET,)))
    assert (outcome.sentence, outcome.undo_id) == ("198.51.100.7 was not on the block list.", None)


class _DiesBeforeWide(EmbeddedServer):
    async def block(
        self, network: Network, *, reason: str, lasting: timedelta | None
    ) -> Block | None:
        if network == _WIDE:
            await self.stop()
        return await super().block(network, reason=reason, lasting=lasting)

    async def unblock(self, network: Network) -> Block | None:
        if network == _WIDE:
            await self.stop()
        return await super().unblock(network)


async def test_the_blocks_that_were_made_before_a_failure_are_told_and_can_be_undone(
    bench: Bench,
) -> None:
    await _become(bench, _DiesBeforeWide)
    outcome = await bench.act("block", Target(networks=(_NET, _WIDE)))
    assert not outcome.ok
    assert outcome.sentence == (
        "SMTP from 198.51.100.7 is refused until lifted. Then it failed: The embedded mail "
        "server mail is not running. The other addresses were not blocked."
    )
    await bench.mail.restart()
    bench.build()
    assert (await bench.undo(outcome)).ok
    assert list(await bench.server.blocks()) == []


async def test_the_blocks_that_were_lifted_before_a_failure_can_be_put_back(
    bench: Bench,
) -> None:
    for network in (_NET, _WIDE):
        await bench.server.block(network, reason="by hand", lasting=None)
    before = _entries(await bench.server.blocks())
    await _become(bench, _DiesBeforeWide)
    outcome = await bench.act("unblock", Target(networks=(_NET, _WIDE)))
    assert not outcome.ok
    assert outcome.sentence.endswith("The other blocks stand.")
    await bench.mail.restart()
    bench.build()
    assert (await bench.undo(outcome)).ok
    assert _entries(await bench.server.blocks()) == before


@pytest.mark.parametrize("action", ["block", "unblock"])
async def test_a_failure_at_the_first_address_did_nothing(bench: Bench, action: str) -> None:
    await _become(bench, _DiesBeforeWide)
    outcome = await bench.act(action, Target(networks=(_WIDE, _NET)))
    assert not outcome.ok
    assert outcome.sentence == "It failed: The embedded mail server mail is not running."
    # A server that is away by then does not tell that; there was nothing to lift, though.
    assert (outcome.undo_id is None) is (action == "unblock")
    await bench.mail.restart()
    assert list(await bench.server.blocks()) == []


# -- the incident alone ----------------------------------------------------------------------


async def test_acknowledge_and_its_undo(bench: Bench) -> None:
    incident_id = await bench.alert()
    outcome = await bench.act("acknowledge", Target(account=ANN), incident_id=incident_id)
    incident = await bench.incident()
    assert (incident.state, incident.state_by) == (IncidentState.ACKNOWLEDGED, "Olga")
    assert (await bench.undo(outcome)).ok
    assert (await bench.incident()).state is IncidentState.OPEN


async def test_snooze_and_its_undo(bench: Bench) -> None:
    incident_id = await bench.alert()
    target = Target(account=ANN, lasting=timedelta(hours=4))
    outcome = await bench.act("snooze", target, incident_id=incident_id)
    assert outcome.sentence == "Snoozed for 4 h."
    incident = await bench.incident()
    assert incident.state is IncidentState.SNOOZED
    assert incident.snoozed_until == bench.clock.now() + timedelta(hours=4)
    await bench.undo(outcome)
    incident = await bench.incident()
    assert (incident.state, incident.snoozed_until) == (IncidentState.OPEN, None)


async def test_undoing_a_stop_gives_back_the_acknowledgement(bench: Bench) -> None:
    incident_id = await bench.alert()
    await bench.act("acknowledge", Target(account=ANN), incident_id=incident_id)
    stop = await bench.act("stop", Target(account=ANN), incident_id=incident_id)
    assert (await bench.incident()).state is IncidentState.REMEDIED
    await bench.undo(stop)
    assert (await bench.incident()).state is IncidentState.ACKNOWLEDGED


@pytest.mark.parametrize("action", ["acknowledge", "snooze"])
async def test_a_stopped_incident_stays_stopped_whoever_acknowledges_it_late(
    bench: Bench, action: str
) -> None:
    incident_id = await bench.alert()
    stop = await bench.act("stop", Target(account=ANN), incident_id=incident_id)
    late = await bench.act(action, Target(account=ANN), incident_id=incident_id)
    assert late.ok
    assert (await bench.incident()).state is IncidentState.REMEDIED
    await bench.undo(late)
    assert (await bench.incident()).state is IncidentState.REMEDIED
    await bench.undo(stop)
    assert (await bench.incident()).state is IncidentState.OPEN


async def test_undoing_a_move_or_a_block_says_nothing_of_the_incidents_state(
    bench: Bench,
) -> None:
    incident_id = await bench.alert()
    done: list[Outcome] = [
        await bench.act("move", Target(query=SpoolQuery(sender=ANN)), incident_id=incident_id),
        await bench.act("block", Target(networks=(_NET,)), incident_id=incident_id),
    ]
    await bench.act("acknowledge", Target(account=ANN), incident_id=incident_id)
    for outcome in done:
        await bench.undo(outcome, actor=OTHER_OPERATOR)
        incident = await bench.incident()
        assert (incident.state, incident.state_by) == (IncidentState.ACKNOWLEDGED, "Olga")


async def test_what_is_done_by_name_counts_for_the_live_incident(bench: Bench) -> None:
    incident_id = await bench.alert()
    outcome = await bench.act("disable", Target(account=ANN.upper()))
    assert outcome.incident_id == incident_id
    assert (await bench.incident()).state is IncidentState.REMEDIED
    await bench.act("enable", Target(account=ANN))
    assert (await bench.incident()).state is IncidentState.OPEN


async def test_an_act_on_a_closed_incident_does_not_open_it(bench: Bench) -> None:
    incident_id = await bench.alert()
    for _ in range(2):
        bench.pass_time(minutes=36)
        await bench.poll()
    assert (await bench.incident()).state is IncidentState.CLOSED
    await bench.act("stop", Target(account=ANN), incident_id=incident_id)
    assert (await bench.incident()).state is IncidentState.CLOSED
    assert await bench.state() is UserState.NO_SENDING


async def test_every_remedy_done_twice_leaves_things_as_they_are(bench: Bench) -> None:
    """A stop of the bot in the middle of an act makes people do it again."""
    ids = tuple(await bench.deferred(2))
    await bench.server.move(ids[:1], "evidence")
    target = Target(
        account=ANN, queue_ids=ids, networks=(_NET,), lasting=timedelta(hours=1), folder="f"
    )

    async def all_there_is() -> object:
        return (
            (await bench.server.search(_ALL)).messages,
            _entries(await bench.server.blocks()),
            await bench.state(),
        )

    for action, remedy in REMEDIES.items():
        outcome = await bench.act(action, target, actor=ADMIN)
        assert outcome.ok, action
        once = await all_there_is()
        assert (await bench.act(action, target, actor=ADMIN)).ok, action
        assert await all_there_is() == once, action
        assert (remedy.undo is None) == (outcome.undo_id is None), action
        intent = await bench.intent(outcome.intent_id)
        assert intent.state is IntentState.DONE


@pytest.mark.parametrize(
    ("query", "said"),
    [
        (SpoolQuery(), "everything"),
        (SpoolQuery(sender=ANN, subject="a b"), f'sender:{ANN} subject:"a b"'),
        (SpoolQuery(client_ip=_NET, queues=(Queue.HELD, Queue.ACTIVE)), "ip:198.51.100.7 queue:"),
        (SpoolQuery(client_ip=_WIDE, folder="x"), "ip:203.0.112.0/24 folder:x"),
    ],
)
def test_a_query_is_described_as_it_is_typed(query: SpoolQuery, said: str) -> None:
    assert describe(query).startswith(said)
