"""How acts change an incident: the state that follows from what stands, and what is learnt."""

from datetime import datetime

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from services.audit import storable
from services.detection.evidence import Evidence
from services.models import LIVE, Incident, IncidentState, Intent, IntentState, Lesson
from services.people import Actor
from services.remedy import Result

#: The acts that set an incident's state, so that taking one back does too.
STATE_ACTS = ("stop", "disable", "enable", "acknowledge", "snooze")
#: States in which somebody has yet to stop it.
_WAITING = (IncidentState.ACKNOWLEDGED, IncidentState.SNOOZED)


def settle(
    session: AsyncSession,
    incident: Incident,
    actor: Actor,
    result: Result,
    state: IncidentState | None,
    now: datetime,
) -> None:
    """Write the act's effect on the incident; its card is drawn anew in any case."""
    incident.version += 1
    closed = incident.state not in LIVE
    # A card that was stopped meanwhile may still show Acknowledge to somebody.
    overtaken = incident.state is IncidentState.REMEDIED and result.incident_state in _WAITING
    if result.ok and state is not None and not closed and not overtaken:
        incident.state = state
        incident.state_by, incident.state_at = storable(actor.name), now
        if result.snoozed:
            incident.snoozed_until = now + result.snoozed
        elif state is not IncidentState.SNOOZED:
            incident.snoozed_until = None
        if incident.state is IncidentState.FALSE_ALARM:
            incident.open_key = None
    session.add(incident)


async def state_without(session: AsyncSession, incident: Incident, undone_id: str) -> IncidentState:
    """Return the state that follows from the acts that still stand."""
    rows = await session.exec(
        select(Intent)
        .where(
            Intent.incident_id == incident.id,
            Intent.state == IntentState.DONE,
            Intent.id != undone_id,
            col(Intent.undone).is_(False),
        )
        .order_by(col(Intent.finished_at))
    )
    stopped, state = False, IncidentState.OPEN
    for intent in rows.all():
        if intent.action in ("stop", "disable", "enable", "delete_account"):
            stopped = intent.action != "enable"
        elif intent.action in ("acknowledge", "respond"):
            state = IncidentState.ACKNOWLEDGED
        elif intent.action == "snooze" and incident.snoozed_until:
            state = IncidentState.SNOOZED
    return IncidentState.REMEDIED if stopped else state


async def teach(session: AsyncSession, incident: Incident, actor: Actor, now: datetime) -> None:
    """Remember as much as this as ordinary for the incident's sender."""
    evidence = Evidence.model_validate_json(incident.evidence)
    # Half as much again, so that the next ordinary day does not alert by a hair.
    await session.merge(
        Lesson(
            server=incident.server,
            sender=incident.sender,
            messages=evidence.peak * 3 // 2,
            taught_by=actor.key,
            taught_at=now,
        )
    )
