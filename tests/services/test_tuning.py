"""What incidents teach, by whom and to what effect, and that all of it can be forgotten."""

from datetime import timedelta
from typing import Any

from sqlmodel import select

from services.models import IncidentState, Lesson, LessonKind
from services.targets import Target
from services.tuning import CONFIRMED_FOR, CONFIRMED_POINTS, effect, tuned

from ..mail.harness import ANN, START
from .bench import CHANNEL, OPERATOR, Bench

_BURST = 44


async def _lessons(bench: Bench) -> list[Lesson]:
    async with bench.store.reading() as session:
        return list((await session.exec(select(Lesson))).all())


async def _alarmed(bench: Bench) -> int:
    await bench.burst(_BURST)
    await bench.poll()
    incident = (await bench.incidents())[-1]
    assert incident.id is not None
    return incident.id


async def _volume(bench: Bench) -> str:
    why = await bench.detector.why("mail", ANN)
    assert why is not None
    return why[0].reasons[0]


async def _stopped_and_closed(bench: Bench) -> str:
    incident_id = await _alarmed(bench)
    outcome = await bench.act("stop", Target(account=ANN), incident_id=incident_id)
    for _ in range(2):
        bench.pass_time(minutes=36)
        await bench.poll()
    return outcome.intent_id


async def test_a_false_alarm_that_is_taken_back_is_forgotten_and_open_again(bench: Bench) -> None:
    incident_id = await _alarmed(bench)
    outcome = await bench.act("false_alarm", Target(account=ANN), incident_id=incident_id)
    bench.pass_time(minutes=1)
    undone = await bench.undo(outcome)
    assert undone.ok
    (lesson,) = await _lessons(bench)
    assert (lesson.forgotten_name, lesson.forgotten_at) == (OPERATOR.name, bench.clock.now())
    incident = await bench.incident()
    assert (incident.state, incident.open_key is not None) == (IncidentState.OPEN, True)
    await bench.burst(_BURST)
    await bench.poll()
    evidence = await bench.evidence()
    assert "taught as ordinary" not in evidence.reasons[0]
    why = await bench.detector.why("mail", ANN)
    assert why is not None
    assert why[1].alarming


async def test_a_false_alarm_taken_back_beside_a_newer_incident_stays_closed(bench: Bench) -> None:
    incident_id = await _alarmed(bench)
    outcome = await bench.act("false_alarm", Target(account=ANN), incident_id=incident_id)
    bench.pass_time(minutes=1)
    await bench.alert()
    assert (await bench.undo(outcome)).ok
    first, second = await bench.incidents()
    assert (first.state, second.state) == (IncidentState.FALSE_ALARM, IncidentState.OPEN)
    assert (await _lessons(bench))[0].forgotten_at is not None


async def test_what_is_forgotten_no_longer_counts_and_can_be_remembered(bench: Bench) -> None:
    incident_id = await _alarmed(bench)
    await bench.act("false_alarm", Target(account=ANN), incident_id=incident_id)
    (lesson,) = await _lessons(bench)
    bench.pass_time(days=1)
    outcome = await bench.act("forget", Target(account=ANN, lesson=lesson.id))
    assert outcome.sentence == "Forgotten: it tunes the detector no more."
    await bench.burst(20)
    await bench.poll()
    assert "taught" not in await _volume(bench)
    await bench.undo(outcome)
    await bench.poll()
    assert "taught as ordinary: up to 66" in await _volume(bench)
    await bench.act("forget", Target(account=ANN, lesson=lesson.id))
    await bench.poll()
    assert "taught" not in await _volume(bench)


async def test_abuse_that_was_stopped_is_confirmed_when_its_incident_is_closed(
    bench: Bench,
) -> None:
    await _stopped_and_closed(bench)
    (lesson,) = await _lessons(bench)
    assert (lesson.kind, lesson.points) == (LessonKind.ABUSED, CONFIRMED_POINTS)
    assert (lesson.taught_name, lesson.incident_id) == (OPERATOR.name, 1)
    assert lesson.until == lesson.taught_at + CONFIRMED_FOR
    await bench.act("enable", Target(account=ANN))
    bench.pass_time(days=2)
    await bench.burst(5)
    await bench.poll()
    why = await bench.detector.why("mail", ANN)
    assert why is not None
    assert "its abuse was confirmed 2 days ago" in why[0].reasons
    bench.pass_time(days=30)
    await bench.burst(5)
    await bench.poll()
    why = await bench.detector.why("mail", ANN)
    assert why is not None
    assert not any("confirmed" in reason for reason in why[0].reasons)


async def test_a_stop_that_is_taken_back_confirms_nothing(bench: Bench) -> None:
    incident_id = await _alarmed(bench)
    outcome = await bench.act("stop", Target(account=ANN), incident_id=incident_id)
    await bench.undo(outcome)
    for _ in range(2):
        bench.pass_time(minutes=36)
        await bench.poll()
    assert (await bench.incident()).state is IncidentState.CLOSED
    assert await _lessons(bench) == []


async def test_a_stop_taken_back_after_it_was_closed_is_forgotten(bench: Bench) -> None:
    intent_id = await _stopped_and_closed(bench)
    undo_id = await bench.intents.offer_undo(CHANNEL, intent_id)
    assert undo_id is not None
    await bench.pipeline.execute(OPERATOR, CHANNEL, undo_id)
    (lesson,) = await _lessons(bench)
    assert lesson.forgotten_at == bench.clock.now()


def _lesson(kind: LessonKind, days: int, **over: Any) -> Lesson:
    values: dict[str, Any] = {
        "server": "mail", "sender": ANN, "kind": kind, "taught_by": "slack:U", "messages": 10,
        "taught_at": START + timedelta(days=days), "points": 15.0,
        "until": START + timedelta(days=days + 30), **over,
    }  # fmt: skip
    return Lesson(**values)


def test_the_newest_lesson_of_each_kind_counts_and_none_that_is_forgotten() -> None:
    lessons = [
        _lesson(LessonKind.ORDINARY, 0, messages=30),
        _lesson(LessonKind.ORDINARY, 2, messages=90, forgotten_at=START),
        _lesson(LessonKind.ORDINARY, 1, messages=60),
        _lesson(LessonKind.ABUSED, 1),
    ]
    found = tuned(lessons)
    assert (found.messages, found.points) == (60, 15.0)
    assert found.until == (START + timedelta(days=31)).timestamp()
    assert tuned([]).taught_at == 0


def test_a_lesson_says_what_it_does_in_numbers() -> None:
    assert effect(_lesson(LessonKind.ORDINARY, 0, messages=1500)) == (
        "up to 1,500 messages within an hour are ordinary for it, and 4,500 within a day"
    )
    assert effect(_lesson(LessonKind.ABUSED, 0)).startswith("+15 points against it beforehand")
