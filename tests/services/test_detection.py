"""Detection over real SMTP: what is taken in, what alerts, and an incident's whole life."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import datetime, timedelta
from ipaddress import ip_network
from itertools import combinations
from typing import Any, cast

import pytest
from sqlmodel import col, select

from services.detection.detector import Detector
from services.detection.ingest import habit_of, stretch_of
from services.errors import ServerDown, StoreError
from services.mail.port import MailServer, SenderSpool, UserState
from services.models import Incident, IncidentState, Lesson, RecentSubmission, SenderHabit
from services.settings import DetectionSettings
from services.targets import Target

from ..databases import locked_at, open_store_at
from ..mail.harness import ANN, BOB, DOMAIN, PASSWORD, START
from .bench import ELSEWHERE, OPERATOR, Bench

#: Enough alike at once for an alert about somebody never seen before.
_BURST = 44


async def _recent(bench: Bench) -> list[RecentSubmission]:
    async with bench.store.reading() as session:
        rows = await session.exec(select(RecentSubmission).order_by(col(RecentSubmission.id)))
        return list(rows.all())


async def _habits(bench: Bench) -> dict[tuple[str, datetime], tuple[int, int]]:
    async with bench.store.reading() as session:
        rows = (await session.exec(select(SenderHabit))).all()
    return {(row.sender, row.start): (row.messages, row.recipients) for row in rows}


# -- taking in -------------------------------------------------------------------------------


async def test_each_submission_is_taken_in_once_across_polls_and_restarts(bench: Bench) -> None:
    for number in range(3):
        await bench.mail.submit(ANN, [f"x@{ELSEWHERE}", f"y@{ELSEWHERE}"], f"n {number}", times=2)
        assert (await bench.poll()).taken_in == 2
        assert (await bench.poll()).taken_in == 0
        await bench.mail.restart()
        bench.build()
        bench.pass_time(minutes=5)
    recent = await _recent(bench)
    assert [item.subject for item in recent] == [f"n {n}" for n in (0, 0, 1, 1, 2, 2)]
    assert {(item.sender, item.client_ip, item.recipients) for item in recent} == {
        (ANN, "192.0.2.10", 2)
    }
    assert await _habits(bench) == {
        (ANN, START + timedelta(minutes=5 * number)): (2, 4) for number in range(3)
    }


async def test_polls_at_once_count_each_submission_once(bench: Bench) -> None:
    await bench.burst(_BURST)
    other = Detector(bench.store, bench.audit, bench.clock, DetectionSettings())
    polls = await asyncio.gather(bench.poll(), other.poll(bench.server), bench.poll())
    assert sum(poll.taken_in for poll in polls) == _BURST
    assert len(await _recent(bench)) == _BURST
    assert await _habits(bench) == {(ANN, START): (_BURST, _BURST)}
    assert sum(poll.opened for poll in polls) == 1
    assert (await bench.incident()).sender == ANN


async def test_a_mail_server_that_is_down_loses_nothing(bench: Bench) -> None:
    await bench.burst(_BURST)
    await bench.mail.stop()
    with pytest.raises(ServerDown, match="not running"):
        await bench.poll()
    assert await _recent(bench) == []
    await bench.mail.restart()
    poll = await bench.poll()
    assert (poll.taken_in, poll.opened) == (_BURST, 1)


async def test_a_database_that_is_locked_loses_nothing(bench: Bench, database: str) -> None:
    await bench.burst(_BURST)
    async with open_store_at(database, busy_seconds=0.05) as store:
        detector = Detector(store, bench.audit, bench.clock, DetectionSettings())
        with locked_at(database), pytest.raises(StoreError):
            await detector.poll(bench.server)
        assert await _recent(bench) == []
        poll = await detector.poll(bench.server)
    assert (poll.taken_in, poll.opened) == (_BURST, 1)


async def test_old_submissions_and_habits_are_forgotten(bench: Bench) -> None:
    bench.build(DetectionSettings(habit_days=3))
    await bench.burst(2, subject="old")
    await bench.poll()
    bench.pass_time(hours=48)
    await bench.burst(1, subject="younger")
    await bench.poll()
    await bench.detector.prune()
    assert len(await _recent(bench)) == 3
    bench.pass_time(seconds=1)
    await bench.detector.prune()
    assert [item.subject for item in await _recent(bench)] == ["younger"]
    assert len(await _habits(bench)) == 2
    bench.pass_time(hours=24)
    await bench.detector.prune()
    assert list(await _habits(bench)) == [(ANN, START + timedelta(hours=48))]


async def test_what_came_while_the_bot_was_away_for_days_is_habit_but_not_news(
    bench: Bench,
) -> None:
    await bench.burst(_BURST)
    bench.pass_time(days=3)
    poll = await bench.poll()
    assert (poll.taken_in, poll.opened) == (_BURST, 0)
    # It is learnt from before it is forgotten; the newest stays, so that ids never start again.
    await bench.detector.prune()
    assert len(await _recent(bench)) == 1
    assert await _habits(bench) == {(ANN, START): (_BURST, _BURST)}


async def test_a_habit_leaves_out_the_last_hour_and_what_was_an_incident(bench: Bench) -> None:
    async def habit() -> tuple[int, float, int]:
        async with bench.store.reading() as session:
            found = await habit_of(session, "mail", ANN, bench.clock.now())
        return found.windows, found.usual, found.high

    for number in (3, 5, 7):
        await bench.burst(number)
        bench.pass_time(minutes=10)
    await bench.poll()
    assert await habit() == (0, 0, 0)
    bench.pass_time(minutes=61)
    assert await habit() == (3, 5, 7)
    await bench.burst(_BURST)
    assert (await bench.poll()).opened == 1
    for _ in range(3):
        bench.pass_time(minutes=40)
        await bench.poll()
    assert (await bench.incident()).state is IncidentState.CLOSED
    assert await habit() == (3, 5, 7)


@pytest.mark.parametrize("seconds", [0, 1, 299.999])
def test_a_stretch_is_the_five_minutes_a_moment_is_in(seconds: float) -> None:
    assert stretch_of(START + timedelta(seconds=seconds)) == START
    assert stretch_of(START + timedelta(seconds=300)) == START + timedelta(minutes=5)


# -- what alerts -----------------------------------------------------------------------------


async def test_each_abused_account_gets_one_incident(bench: Bench) -> None:
    await bench.burst(_BURST, user=ANN)
    await bench.burst(_BURST, user=BOB, subject="Cheap watches", client_ip="198.51.100.7")
    poll = await bench.poll()
    assert (poll.opened, poll.changed) == (2, True)
    incidents = await bench.incidents()
    assert sorted(i.sender for i in incidents) == [ANN, BOB]
    assert {i.state for i in incidents} == {IncidentState.OPEN}
    assert [e.action for e in await bench.log()] == ["incident opened"] * 2


async def test_a_live_incident_never_gets_a_second_alert(bench: Bench) -> None:
    await bench.burst(_BURST)
    assert (await bench.poll()).opened == 1
    for _ in range(3):
        bench.pass_time(minutes=2)
        await bench.burst(_BURST)
        bench.build()  # a restart forgets nothing
        assert (await bench.poll()).opened == 0
    assert (await bench.evidence()).total == 4 * _BURST


async def test_a_sender_is_who_logged_in_whatever_the_from_and_the_envelope_say(
    bench: Bench,
) -> None:
    for number in range(11):
        await bench.burst(4, envelope_sender=f"victim{number}@bank.test")
    await bench.poll()
    assert (await bench.incident()).sender == ANN
    assert (await bench.evidence()).messages == _BURST


async def test_a_forged_sender_of_an_account_that_sends_little_is_not_blamed(
    bench: Bench,
) -> None:
    await bench.burst(1, user=BOB)
    await bench.burst(_BURST, user=ANN, envelope_sender=BOB)
    await bench.poll()
    assert [i.sender for i in await bench.incidents()] == [ANN]


@pytest.mark.parametrize("envelope_sender", [ANN, ""])
async def test_mail_from_outside_blames_nobody_here_whatever_its_envelope_says(
    bench: Bench, envelope_sender: str
) -> None:
    await bench.mail.submit(
        None, [BOB], "Prize 1", times=2 * _BURST, envelope_sender=envelope_sender
    )
    assert (await bench.poll()).taken_in == 2 * _BURST
    assert await bench.incidents() == []
    assert await _recent(bench) == []
    assert await _habits(bench) == {}


async def test_the_evidence_tells_what_was_sent_and_from_where(bench: Bench) -> None:
    await bench.burst(22, subject="Prize 1", client_ip="192.0.2.1", each=10)
    bench.pass_time(seconds=60)
    await bench.burst(20, subject="PRIZE 2", client_ip="192.0.2.9", each=10)
    await bench.burst(3, subject="lunch", client_ip="2001:db8::1")
    await bench.burst(2, user=BOB)
    await bench.poll()
    evidence = await bench.evidence()
    assert evidence.messages == evidence.peak == evidence.total == 45
    assert evidence.recipients == 423
    assert [(s.name, s.messages) for s in evidence.addresses] == [
        ("192.0.2.1", 22),
        ("192.0.2.9", 20),
        ("2001:db8::1", 3),
    ]
    assert (evidence.address_count, evidence.network_count) == (3, 2)
    assert (evidence.subject, evidence.subject_messages) == ("Prize 1", 42)
    assert (evidence.first_at, evidence.last_at) == (START, START + timedelta(seconds=60))
    assert (evidence.queued, evidence.held, evidence.spool_waiting) == (45, 0, 47)
    assert [(s.name, s.messages) for s in evidence.top_senders] == [(ANN, 45), (BOB, 2)]
    assert evidence.all_messages == 47
    assert evidence.reasons == (
        "45 messages in 5 min; never seen sending before",
        "93% near-identical subjects: “PRIZE 2”",
        "100% to people it never wrote to; usual: 25%",
        "from 3 addresses in 2 networks",
        "to 423 recipients",
    )
    assert len(evidence.points) == 5
    assert sum(evidence.points) == pytest.approx((await bench.incident()).score)


async def test_few_messages_from_many_networks_alert_and_from_one_do_not(bench: Bench) -> None:
    for number in range(6):
        await bench.burst(4, client_ip=f"198.51.{number}.7")
        await bench.burst(4, user=BOB, client_ip=f"198.51.100.{number}")
        bench.pass_time(seconds=45)
    await bench.poll()
    assert (await bench.incident()).sender == ANN
    assert (await bench.evidence()).reasons[:2] == (
        "24 messages in 5 min; never seen sending before",
        "from 6 addresses in 6 networks",
    )
    why = await bench.detector.why("mail", BOB)
    assert why is not None
    assert not why[1].alarming
    assert why[0].reasons[0] == "24 messages in 5 min; never seen sending before"
    assert await bench.detector.why("mail", "nobody@example.test") is None


async def test_a_normal_week_does_not_alert_and_makes_a_burst_stand_out(bench: Bench) -> None:
    for _ in range(7):
        for number, subject in ((6, "Minutes"), (3, "Lunch"), (11, "Newsletter")):
            await bench.burst(number, subject=subject)
            assert (await bench.poll()).opened == 0
            bench.pass_time(hours=3)
        bench.pass_time(hours=15)
    # So many alike are this sender's daily bread: what alarms of a stranger is an ordinary day.
    await bench.burst(_BURST)
    assert (await bench.poll()).opened == 0
    await bench.burst(200)
    assert (await bench.poll()).opened == 1
    assert (await bench.evidence()).reasons[0] == (
        "244 messages in 5 min; usual at this hour: 0, at most 7"
    )


@pytest.mark.parametrize(
    "subject", ["\u202egnp.exe", "<!channel> *x* `y`", "=cmd|' /C calc'!A0", "💌" * 300]
)
async def test_hostile_subjects_are_evidence_like_others(bench: Bench, subject: str) -> None:
    await bench.burst(_BURST, subject=subject)
    await bench.poll()
    shown = (await bench.evidence()).subject
    assert shown
    assert subject.startswith(shown)
    assert (await bench.evidence()).subject_messages == _BURST


# -- an incident's life ----------------------------------------------------------------------


async def test_more_mail_updates_the_incident_in_place(bench: Bench) -> None:
    await bench.burst(_BURST)
    await bench.poll()
    first = await bench.incident()
    assert (await bench.poll()).changed is False
    assert (await bench.incident()).version == first.version
    bench.pass_time(seconds=10)
    await bench.burst(20)
    assert (await bench.poll()).changed is True
    second = await bench.incident()
    assert second.version == first.version + 1
    assert second.score > first.score
    assert second.updated_at == bench.clock.now()
    assert (await bench.evidence()).total == _BURST + 20


async def test_the_peak_and_the_total_never_go_down(bench: Bench) -> None:
    await bench.burst(60)
    await bench.poll()
    bench.pass_time(minutes=5)
    await bench.burst(45)
    await bench.poll()
    evidence = await bench.evidence()
    assert (evidence.messages, evidence.peak, evidence.total) == (45, 60, 105)
    assert evidence.first_at == START
    bench.pass_time(minutes=6)
    await bench.poll()
    evidence = await bench.evidence()
    assert (evidence.messages, evidence.peak, evidence.total) == (0, 60, 105)
    assert evidence.reasons[0].startswith("45 messages in 5 min")


async def test_quiet_closes_an_incident_once_and_a_burst_within_a_day_reopens_it(
    bench: Bench,
) -> None:
    await bench.burst(_BURST)
    await bench.poll()
    bench.pass_time(minutes=6)
    await bench.poll()
    bench.pass_time(minutes=29)
    await bench.poll()
    assert (await bench.incident()).state is IncidentState.OPEN
    bench.pass_time(minutes=1)
    await bench.poll()
    incident = await bench.incident()
    assert (incident.state, incident.open_key) == (IncidentState.CLOSED, None)
    assert incident.state_by == "Spoolwarden"
    bench.pass_time(minutes=30)
    assert (await bench.poll()).changed is False
    said = (
        "44 messages in all, within 0 s.",
        "Nothing was held, moved or deleted. Now 0 held, 44 waiting.",
        "Detected 0 s after the first message; nobody stopped it.",
        "Acted: nobody.",
    )
    assert tuple(json.loads(incident.summary)) == said
    assert await bench.told() == [f"Closed: quiet for 30 min. {' '.join(said)}"]
    await bench.burst(_BURST)
    poll = await bench.poll()
    assert (poll.opened, poll.changed) == (1, True)
    incident = await bench.incident()
    assert (incident.state, incident.summary) == (IncidentState.OPEN, "")
    assert incident.open_key is not None
    assert (await bench.told())[1] == (
        "Reopened: it alarms again, 30 min after it was closed. 44 messages in 5 min; never seen "
        "sending before; 100% near-identical subjects: “You won”."
    )
    evidence = await bench.evidence()
    assert (evidence.messages, evidence.earlier, evidence.total) == (_BURST, _BURST, 2 * _BURST)
    assert evidence.first_at == START
    await bench.burst(6)
    await bench.poll()
    assert (await bench.evidence()).total == 2 * _BURST + 6


async def test_a_day_after_it_was_closed_an_alarm_is_a_new_incident(bench: Bench) -> None:
    await bench.burst(_BURST)
    await bench.poll()
    for _ in range(2):
        bench.pass_time(minutes=36)
        await bench.poll()
    bench.pass_time(hours=24)
    await bench.burst(_BURST)
    assert (await bench.poll()).opened == 1
    assert [i.state for i in await bench.incidents()] == [
        IncidentState.CLOSED,
        IncidentState.OPEN,
    ]


async def test_noise_within_the_quiet_time_starts_it_again(bench: Bench) -> None:
    await bench.burst(_BURST)
    await bench.poll()
    for _ in range(3):
        bench.pass_time(minutes=20)
        await bench.burst(_BURST)
        await bench.poll()
        bench.pass_time(minutes=6)
        await bench.poll()
    assert (await bench.incident()).state is IncidentState.OPEN


async def test_a_snooze_ends_by_itself_and_is_told_once(bench: Bench) -> None:
    target = Target(account=ANN, lasting=timedelta(minutes=10))
    await bench.act("snooze", target, incident_id=await bench.alert())
    states = []
    for _ in range(4):
        bench.pass_time(minutes=4)
        await bench.burst(3)
        await bench.poll()
        states.append((await bench.incident()).state)
    assert states == [IncidentState.SNOOZED] * 2 + [IncidentState.OPEN] * 2
    assert [text for text in await bench.told() if text] == ["The snooze is over."]
    incident = await bench.incident()
    assert (incident.snoozed_until, incident.state_by) == (None, "Spoolwarden")


async def test_a_stopped_account_that_sends_again_is_open_again(bench: Bench) -> None:
    await bench.burst(_BURST)
    await bench.poll()
    outcome = await bench.act("stop", Target(account=ANN), incident_id=(await bench.incident()).id)
    assert outcome.ok
    await bench.poll()
    assert (await bench.incident()).state is IncidentState.REMEDIED
    # Messages that were under way when it was stopped say nothing.
    await bench.server.set_user_state(ANN, UserState.ACTIVE)
    bench.pass_time(seconds=20)
    await bench.burst(5)
    await bench.poll()
    assert (await bench.incident()).state is IncidentState.REMEDIED
    bench.pass_time(seconds=20)
    await bench.burst(5)
    assert (await bench.poll()).changed is True
    assert (await bench.incident()).state is IncidentState.OPEN
    await bench.poll()
    told = [text for text in await bench.told() if text]
    assert told == ["It is sending again although it was stopped. Look at it once more."]


async def test_who_has_a_new_password_writes_letters_without_an_alarm_but_no_spam(
    bench: Bench,
) -> None:
    await bench.burst(_BURST)
    await bench.poll()
    for action in ("stop", "password", "enable"):
        incident_id = (await bench.incident()).id
        assert (await bench.act(action, Target(account=ANN), incident_id=incident_id)).ok
        bench.pass_time(seconds=1)
        await bench.poll()
    await bench.server.set_password(ANN, PASSWORD)  # the one that the next letters log in with
    bench.pass_time(minutes=10)
    await bench.burst(1, subject="I am back")
    await bench.poll()
    assert (await bench.incident()).state is IncidentState.REMEDIED
    assert [text for text in await bench.told() if text] == []
    bench.pass_time(minutes=1)
    await bench.burst(_BURST)
    await bench.poll()
    assert (await bench.incident()).state is IncidentState.OPEN


async def test_a_stopped_account_that_stays_quiet_is_closed(bench: Bench) -> None:
    await bench.burst(_BURST)
    await bench.poll()
    await bench.act("stop", Target(account=ANN), incident_id=(await bench.incident()).id)
    for _ in range(2):
        bench.pass_time(minutes=36)
        await bench.poll()
    assert (await bench.incident()).state is IncidentState.CLOSED
    assert (await bench.told())[-1] == (
        "Closed: quiet for 30 min. 44 messages in all, within 0 s. By acts: 44 held. Now 44 held, "
        "0 waiting. Detected 0 s after the first message; stopped 0 s after the alert. Acted: Olga."
    )


class _Meanwhile:
    """The mail server, with something that happens once while it is first asked about senders."""

    def __init__(self, server: MailServer, happens: Callable[[], Awaitable[object]]) -> None:
        self._server = server
        self._happens: Callable[[], Awaitable[object]] | None = happens

    def __getattr__(self, name: str) -> Any:
        return getattr(self._server, name)

    async def spool_of(self, senders: Collection[str]) -> Mapping[str, SenderSpool]:
        happens, self._happens = self._happens, None
        if happens is not None:
            await happens()
        return await self._server.spool_of(senders)


async def test_what_ends_while_a_poll_looks_at_it_is_not_opened_again(bench: Bench) -> None:
    await bench.burst(_BURST)
    await bench.poll()
    incident = await bench.incident()
    await bench.burst(3)  # still alarming, and this poll has it in hand
    server = _Meanwhile(
        bench.server,
        lambda: bench.act("false_alarm", Target(account=ANN), incident_id=incident.id),
    )
    assert (await bench.detector.poll(cast(MailServer, server))).opened == 0
    assert (await bench.incident()).state is IncidentState.FALSE_ALARM
    assert (await bench.poll()).opened == 0
    assert len(await bench.incidents()) == 1


async def test_a_false_alarm_teaches_what_is_ordinary(bench: Bench) -> None:
    await bench.burst(_BURST)
    await bench.poll()
    incident = await bench.incident()
    outcome = await bench.act("false_alarm", Target(account=ANN), incident_id=incident.id)
    assert outcome.ok
    incident = await bench.incident()
    assert (incident.state, incident.open_key) == (IncidentState.FALSE_ALARM, None)
    async with bench.store.reading() as session:
        (lesson,) = (await session.exec(select(Lesson))).all()
    assert (lesson.messages, lesson.taught_by) == (_BURST * 3 // 2, OPERATOR.key)
    assert (lesson.sender, lesson.incident_id) == (ANN, incident.id)
    assert (await bench.poll()).opened == 0
    bench.pass_time(days=1)
    await bench.burst(_BURST * 3 // 2)
    assert (await bench.poll()).opened == 0
    # Another sender has learnt nothing from it, and much more is an alert still.
    await bench.burst(_BURST, user=BOB)
    assert (await bench.poll()).opened == 1
    for number in range(6):
        await bench.burst(15, client_ip=f"198.51.{number}.7")
    assert (await bench.poll()).opened == 1
    assert [i.sender for i in await bench.incidents()] == [ANN, BOB, ANN]


async def test_a_refresh_shows_what_an_act_did_before_the_next_poll(bench: Bench) -> None:
    await bench.burst(_BURST)
    await bench.poll()
    before = await bench.incident()
    assert before.id is not None
    await bench.server.hold(list(await bench.queues())[:4])
    await bench.detector.refresh(bench.server, before.id)
    evidence = await bench.evidence()
    assert (evidence.held, evidence.queued, evidence.spool_waiting) == (4, _BURST - 4, _BURST - 4)
    assert (await bench.incident()).version == before.version + 1


async def test_what_waits_is_as_of_when_it_was_asked_and_what_was_sent_as_of_the_poll(
    bench: Bench,
) -> None:
    await bench.burst(_BURST)
    await bench.poll()
    polled = bench.clock.now()
    bench.pass_time(minutes=1)
    await bench.detector.refresh(bench.server, (await bench.incident()).id or 0)
    evidence = await bench.evidence()
    assert (evidence.taken_at, evidence.waited_at) == (polled, polled + timedelta(minutes=1))


async def test_refreshing_what_is_closed_or_unknown_changes_nothing(bench: Bench) -> None:
    async with bench.store.session() as session:
        session.add(
            Incident(
                server="mail",
                sender=ANN,
                state=IncidentState.CLOSED,
                opened_at=START,
                updated_at=START,
                evidence="{}",
                score=60,
            )
        )
    await bench.detector.refresh(bench.server, 1)
    await bench.detector.refresh(bench.server, 999)
    assert (await bench.incident()).version == 1


# -- what is kept ----------------------------------------------------------------------------


async def test_a_restart_changes_no_verdict_whether_saved_before_or_not(bench: Bench) -> None:
    for _ in range(4):
        await bench.burst(6, subject="Minutes")
        await bench.poll()
        bench.pass_time(days=1)
    await bench.burst(20, client_ip="198.51.100.9")
    await bench.poll()
    before = await bench.detector.why("mail", ANN)
    assert before is not None
    assert before[1].score > 0
    bench.build()
    assert await bench.detector.why("mail", ANN) == before
    await bench.detector.prune()
    bench.build()
    assert await bench.detector.why("mail", ANN) == before


async def test_an_alarm_whose_poll_failed_outlives_what_was_kept_and_a_restart(
    bench: Bench,
) -> None:
    await bench.burst(_BURST)
    server = cast(MailServer, _Meanwhile(bench.server, bench.mail.stop))
    with pytest.raises(ServerDown):
        await bench.detector.poll(server)
    await bench.detector.prune()
    await bench.mail.restart()
    bench.build()
    bench.pass_time(minutes=10)
    assert (await bench.poll()).opened == 1
    assert (await bench.poll()).opened == 0
    await bench.detector.prune()
    bench.build()
    assert (await bench.poll()).opened == 0


async def test_what_another_bot_on_the_database_took_in_is_judged_here_too(bench: Bench) -> None:
    other = Detector(bench.store, bench.audit, bench.clock, DetectionSettings())
    await bench.poll()
    await bench.burst(10)
    await other.poll(bench.server)
    await other.prune()
    await bench.burst(_BURST - 10)
    assert (await bench.poll()).opened == 1
    mine, theirs = await bench.detector.why("mail", ANN), await other.why("mail", ANN)
    assert mine is not None
    assert theirs is not None
    assert mine[1] == theirs[1]


async def test_an_hour_that_was_missed_is_judged_by_when_it_was_sent(bench: Bench) -> None:
    for minute in range(60):
        await bench.burst(1, subject=f"{'abcdefghij'[minute % 10] * 4} {minute % 7 * 'x'}y")
        bench.pass_time(minutes=1)
    poll = await bench.poll()
    assert (poll.taken_in, poll.opened) == (60, 0)
    await bench.burst(_BURST)
    bench.pass_time(minutes=50)
    # What alarmed in between is told although it has stopped.
    assert (await bench.poll()).opened == 1
    assert (await bench.evidence()).messages > _BURST


async def test_a_trusted_host_counts_by_its_address_without_a_login(bench: Bench) -> None:
    detector = Detector(
        bench.store,
        bench.audit,
        bench.clock,
        DetectionSettings(),
        trusted=[ip_network("192.0.2.0/24")],
    )
    here = [f"user{n}@{DOMAIN}" for n in range(10)]
    for address in here:
        await bench.mail.add_user(address)
    pairs = list(combinations(here, 2)) * 3
    for ip in ("192.0.2.10", "198.51.100.1"):
        await bench.burst(135, user=None, envelope_sender=ANN, client_ip=ip, to=pairs)
    assert (await detector.poll(bench.server)).opened == 1
    assert (await bench.incident()).sender == "[192.0.2.10]"


# -- what is counted over a long time --------------------------------------------------------


async def _drip(bench: Bench, number: int, *, minutes: float = 3) -> int:
    """Send so many, one by one, and poll after each; return how many were sent when it opened."""
    opened = 0
    for sent in range(1, number + 1):
        bench.pass_time(minutes=minutes)
        await bench.burst(1, client_ip="198.51.100.9")
        if (await bench.poll()).opened:
            opened = sent
    return opened


async def _known(bench: Bench) -> None:
    """Have Ann write some letters a day, for long enough to be known."""
    for _ in range(5):
        await bench.burst(3, subject="Minutes", to=[[BOB]] * 3)
        await bench.poll()
        bench.pass_time(days=1)


async def test_of_a_drip_all_is_counted_from_its_beginning(bench: Bench) -> None:
    await _known(bench)
    begun = bench.clock.now() + timedelta(minutes=3)
    opened = await _drip(bench, 20)
    assert 4 < opened < 20
    evidence = await bench.evidence()
    assert (evidence.first_at, evidence.total) == (begun, 20)
    await _drip(bench, 20)
    evidence = await bench.evidence()
    assert (evidence.first_at, evidence.total) == (begun, 40)
    assert evidence.last_at == bench.clock.now()


async def test_what_its_owner_sent_before_a_drip_is_none_of_it(bench: Bench) -> None:
    await _known(bench)
    for _ in range(4):
        await bench.burst(2, subject="Minutes", to=[[BOB]] * 2)
        await bench.poll()
        bench.pass_time(minutes=30)
    begun = bench.clock.now() + timedelta(minutes=3)
    await _drip(bench, 20)
    evidence = await bench.evidence()
    assert (evidence.first_at, evidence.total) == (begun, 20)


async def test_a_burst_that_goes_on_as_a_drip_is_counted_on(bench: Bench) -> None:
    await bench.burst(_BURST)
    await bench.poll()
    await _drip(bench, 30)
    assert (await bench.evidence()).total == _BURST + 30


async def test_a_drip_that_somebody_acknowledged_is_open_again_when_it_doubles(
    bench: Bench,
) -> None:
    await _known(bench)
    await _drip(bench, 20)
    incident_id = (await bench.incident()).id
    await bench.act("acknowledge", Target(account=ANN), incident_id=incident_id)
    await _drip(bench, 39)
    assert (await bench.incident()).state is IncidentState.ACKNOWLEDGED
    await _drip(bench, 1)
    assert (await bench.incident()).state is IncidentState.OPEN
    assert [text for text in await bench.told() if text.startswith("It has doubled")] == [
        "It has doubled since it was acknowledged: 60 messages by now, 20 then. It is open again."
    ]


async def test_what_goes_on_for_days_is_counted(bench: Bench) -> None:
    await bench.burst(_BURST)
    await bench.poll()
    for _ in range(60):
        bench.pass_time(hours=1)
        await bench.burst(20)
        await bench.poll()
        await bench.detector.prune()
    assert (await bench.evidence()).total == _BURST + 60 * 20


async def test_what_was_sent_while_no_poll_worked_is_counted(bench: Bench) -> None:
    await bench.burst(_BURST)
    await bench.poll()
    for _ in range(3):
        bench.pass_time(minutes=10)
        await bench.burst(20)
    sent = bench.clock.now()
    bench.pass_time(minutes=20)
    await bench.poll()
    evidence = await bench.evidence()
    assert (evidence.messages, evidence.total, evidence.last_at) == (0, _BURST + 60, sent)


async def test_what_a_stopped_account_sent_while_no_poll_worked_is_told(bench: Bench) -> None:
    await bench.burst(_BURST)
    await bench.poll()
    await bench.act("stop", Target(account=ANN), incident_id=(await bench.incident()).id)
    await bench.server.set_user_state(ANN, UserState.ACTIVE)
    bench.pass_time(minutes=10)
    await bench.burst(5)
    bench.pass_time(minutes=10)
    bench.build()
    await bench.poll()
    assert (await bench.incident()).state is IncidentState.OPEN
    told = [text for text in await bench.told() if text]
    assert told == ["It is sending again although it was stopped. Look at it once more."]


async def test_what_was_counted_before_it_was_closed_is_not_counted_again(bench: Bench) -> None:
    await bench.burst(_BURST)
    await bench.poll()
    for _ in range(2):
        bench.pass_time(minutes=36)
        await bench.poll()
    bench.pass_time(minutes=1)
    await bench.burst(_BURST)
    await bench.poll()
    await _drip(bench, 5)
    evidence = await bench.evidence()
    assert (evidence.earlier, evidence.total) == (_BURST, 2 * _BURST + 5)


async def test_what_alarmed_in_a_missed_hour_is_shown_as_it_was_then(bench: Bench) -> None:
    await bench.burst(_BURST)
    for minute in range(150):
        bench.pass_time(minutes=1)
        subject = f"{'abcdefghij'[minute % 10] * 4} {minute % 7 * 'x'}y"
        await bench.burst(1, subject=subject, to=[[BOB]])
    assert (await bench.poll()).opened == 1
    evidence = await bench.evidence()
    # It alarmed most with the next few letters.
    assert (evidence.messages, evidence.peak, evidence.first_at) == (48, 48, START)
    assert evidence.reasons[0].startswith("48 messages in 5 min")
    assert evidence.all_messages == evidence.top_senders[0].messages == 48
    assert evidence.total == _BURST + 150
    assert evidence.last_at == bench.clock.now()
