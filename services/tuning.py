"""What people's judgement of incidents teaches the detector, by sender, and how it is forgotten.

A false alarm teaches that as much as that is ordinary; an abuse that somebody stopped, once
its incident is closed, that less than usual is needed to alarm for a while.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from services.audit import storable
from services.detection.evidence import Evidence
from services.incidents import campaign_of, was_done_to
from services.language import tr, trn
from services.models import Incident, Intent, IntentState, Lesson, LessonKind
from services.people import BOT, Actor
from services.remedy import STOPS
from services.targets import Target

#: Points that a confirmed abuse counts against its sender, and for how long.
CONFIRMED_POINTS = 15.0
CONFIRMED_FOR = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Tuned:
    """What the lessons of one sender come to; times in seconds since 1970, 0 for none."""

    messages: int = 0
    taught_at: float = 0.0
    points: float = 0.0
    abused_at: float = 0.0
    until: float = 0.0


def tuned(lessons: Iterable[Lesson]) -> Tuned:
    """Return what one sender's lessons come to: the newest of each kind that still stand."""
    found = Tuned()
    for row in sorted(lessons, key=lambda row: (row.taught_at, row.id or 0)):
        if row.forgotten_at is not None:
            continue
        at = row.taught_at.timestamp()
        if row.kind is LessonKind.ORDINARY:
            found = Tuned(row.messages, at, found.points, found.abused_at, found.until)
        elif row.until is not None:
            until = row.until.timestamp()
            found = Tuned(found.messages, found.taught_at, row.points, at, until)
    return found


async def ordinary(
    session: AsyncSession, server: str, sender: str, before: datetime | None = None
) -> int:
    """Return how many messages a window false alarms taught to be ordinary, 0 for none.

    With ``before``, of what was taught until then alone.
    """
    query = select(Lesson).where(Lesson.server == server, Lesson.sender == sender)
    if before is not None:
        query = query.where(col(Lesson.taught_at) < before)
    return tuned((await session.exec(query)).all()).messages


async def teach(
    session: AsyncSession, incident: Incident, actor: Actor, now: datetime, intent_id: str
) -> None:
    """Remember as much as this as ordinary for the incident's sender."""
    evidence = Evidence.model_validate_json(incident.evidence)
    session.add(
        Lesson(
            server=incident.server,
            sender=incident.sender,
            kind=LessonKind.ORDINARY,
            # Half as much again, so that the next ordinary day does not alert by a hair.
            messages=evidence.peak * 3 // 2,
            incident_id=incident.id,
            intent_id=intent_id,
            taught_by=actor.key,
            taught_name=storable(actor.name),
            taught_at=now,
        )
    )


async def confirm(session: AsyncSession, incident: Incident, now: datetime) -> None:
    """Remember an incident that is closed as abuse, where a person stopped it and it stands."""
    rows = await session.exec(
        select(Intent)
        .where(
            col(Intent.incident_id).in_({incident.id, campaign_of(incident)}),
            col(Intent.action).in_(STOPS),
            col(Intent.state).in_((IntentState.DONE, IntentState.FAILED)),
            col(Intent.undone).is_(False),
            Intent.claimed_by != BOT.key,
        )
        .order_by(col(Intent.finished_at).desc())
    )
    for act in rows.all():
        senders = Target.model_validate_json(act.target).senders
        if incident.sender not in senders or not was_done_to(act, incident.sender):
            continue
        if (known := await _taught_by(session, act.id, incident.sender)) is not None:
            known.until = now + CONFIRMED_FOR
            session.add(known)
            return
        session.add(
            Lesson(
                server=incident.server,
                sender=incident.sender,
                kind=LessonKind.ABUSED,
                points=CONFIRMED_POINTS,
                until=now + CONFIRMED_FOR,
                incident_id=incident.id,
                intent_id=act.id,
                taught_by=act.claimed_by or "",
                taught_name=act.claimed_name or "",
                taught_at=now,
            )
        )
        return


async def _taught_by(session: AsyncSession, intent_id: str, sender: str) -> Lesson | None:
    rows = await session.exec(
        select(Lesson).where(Lesson.intent_id == intent_id, Lesson.sender == sender)
    )
    return rows.first()


async def forget_act(session: AsyncSession, intent_id: str, actor: Actor, now: datetime) -> int:
    """Forget what follows from an act that was taken back; return how many lessons that was."""
    done = await session.exec(
        update(Lesson)
        .where(col(Lesson.intent_id) == intent_id, col(Lesson.forgotten_at).is_(None))
        .values(forgotten_at=now, forgotten_name=storable(actor.name))
    )
    return int(done.rowcount)


async def set_forgotten(
    session: AsyncSession, lesson_id: int, actor: Actor, now: datetime, *, forgotten: bool
) -> None:
    """Forget a lesson, or remember it again."""
    row = await session.get(Lesson, lesson_id)
    if row is not None:
        row.forgotten_at = now if forgotten else None
        row.forgotten_name = storable(actor.name) if forgotten else None
        session.add(row)


def effect(lesson: Lesson) -> str:
    """Return what a lesson does, in numbers."""
    if lesson.kind is LessonKind.ORDINARY:
        return trn(
            "up to {n} message within an hour are ordinary for it, and {more} within a day",
            "up to {n} messages within an hour are ordinary for it, and {more} within a day",
            lesson.messages,
            more=3 * lesson.messages,
        )
    return tr(
        "{points} points against it beforehand; an incident opens at {limit}",
        points=f"{lesson.points:+.0f}",
        limit=60,
    )
