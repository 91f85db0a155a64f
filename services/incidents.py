"""How acts change an incident: the state that follows from what stands, and what is learnt."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlmodel import col, or_, select
from sqlmodel.ext.asyncio.session import AsyncSession

from services.audit import storable
from services.detection.evidence import Evidence
from services.detection.life import note_sent
from services.models import LIVE, Incident, IncidentState, Intent, IntentState
from services.people import Actor
from services.remedy import ENDS, Result
from services.targets import Target, Undo

#: The acts that set an incident's state, so that taking one back does too.
STATE_ACTS = ("stop", "disable", "enable", "acknowledge", "snooze", "false_alarm")
#: States in which somebody has yet to stop it.
_WAITING = (IncidentState.ACKNOWLEDGED, IncidentState.SNOOZED)
#: The same, with nobody on it, or again.
UNSTOPPED = (IncidentState.OPEN, *_WAITING)


def still_stopped(actions: Iterable[str], *, renewed: bool) -> bool:
    """Tell whether an account is dealt with after these acts on it, oldest first.

    To enable it opens the matter again, unless it got a new password since it was stopped: who
    had the old one is out. Not ``renewed`` is an account that sends again: then whoever does
    has the new one, too.
    """
    stopped = changed = False
    for action in actions:
        if action in ENDS:
            stopped, changed = True, False
        elif action == "password":
            changed = renewed
        elif action == "enable":
            stopped = stopped and changed
    return stopped


def open_key(server: str, sender: str) -> str:
    """Return what a live incident of this sender holds, so that there is only one."""
    return f"{server}\n{sender}"


def campaign_of(incident: Incident) -> int:
    """Return the id of the incident whose card tells of this one."""
    return incident.campaign or incident.id or 0


async def group_of(session: AsyncSession, campaign: int) -> list[Incident]:
    """Return all incidents of a campaign, its card's first; live or not."""
    rows = await session.exec(
        select(Incident)
        .where(or_(Incident.id == campaign, Incident.campaign == campaign))
        .order_by(col(Incident.id))
    )
    return list(rows.all())


async def redraw(session: AsyncSession, incident: Incident, *, turned: bool = False) -> None:
    """Have the card that tells of an incident drawn anew; ``turned`` has its menu unpicked."""
    lead = await session.get(Incident, campaign_of(incident))
    for row in {id(row): row for row in (lead or incident, incident)}.values():
        row.version += 1
        row.turn += turned
        session.add(row)


async def concerned(session: AsyncSession, incident: Incident, target: Target) -> list[Incident]:
    """Return those of a campaign's incidents that an act on this one is about."""
    if not target.accounts:
        return [incident]
    group = await group_of(session, campaign_of(incident))
    return [row for row in group if row.sender in target.members]


async def settle(
    session: AsyncSession,
    incident: Incident,
    target: Target,
    actor: Actor,
    result: Result,
    now: datetime,
    undone: Intent | None,
) -> list[Incident]:
    """Write the act's effect on the incidents it is about; their card is drawn anew in any case.

    ``undone`` is the act that is taken back, if any. Returns the incidents.
    """
    await redraw(session, incident)
    rows = await concerned(session, incident, target)
    if undone is not None and undone.action == "false_alarm":
        rows = await _free(session, rows)
    for row in rows:
        state = result.incident_state
        done = result.ok if result.reached is None else row.sender in result.reached
        if undone is not None and undone.action in STATE_ACTS:
            state = await state_without(session, row, undone.id) if done else None
        elif done and state is IncidentState.OPEN:  # it was enabled
            stands = await _standing(session, row)
            actions = [*(act.action for act in stands), "enable"]
            if still_stopped(actions, renewed=row.state not in UNSTOPPED):
                state, row.cleared_at = None, now
        if done and state is not None:
            _set(row, actor, result, state, now, undone)
        session.add(row)
    return rows


def _set(
    incident: Incident,
    actor: Actor,
    result: Result,
    state: IncidentState,
    now: datetime,
    undone: Intent | None,
) -> None:
    back = undone is not None and undone.action == "false_alarm"
    # What is over stays over, but for a false alarm that was none.
    if incident.state not in LIVE and not (back and incident.state is IncidentState.FALSE_ALARM):
        return
    # A card that was stopped meanwhile may still show Acknowledge to somebody.
    if incident.state is IncidentState.REMEDIED and result.incident_state in _WAITING:
        return
    incident.state = state
    incident.state_by, incident.state_at = storable(actor.name), now
    if result.snoozed:
        incident.snoozed_until = now + result.snoozed
    elif state is not IncidentState.SNOOZED:
        incident.snoozed_until = None
    if state in _WAITING:
        note_sent(incident, Evidence.model_validate_json(incident.evidence))
    if state is IncidentState.FALSE_ALARM:
        incident.open_key = None
    elif back:
        incident.open_key = open_key(incident.server, incident.sender)
        incident.quiet_since = None


async def state_without(session: AsyncSession, incident: Incident, undone_id: str) -> IncidentState:
    """Return the state that follows from the acts that still stand."""
    acts = [act for act in await _standing(session, incident) if act.id != undone_id]
    renewed = incident.state is IncidentState.REMEDIED
    if still_stopped((act.action for act in acts), renewed=renewed):
        return IncidentState.REMEDIED
    state = IncidentState.OPEN
    for act in acts:
        if act.action in ("acknowledge", "respond"):
            state = IncidentState.ACKNOWLEDGED
        elif act.action == "snooze" and incident.snoozed_until:
            state = IncidentState.SNOOZED
    return state


async def _standing(session: AsyncSession, incident: Incident) -> list[Intent]:
    """Return the acts on an incident, or on it among a campaign's, that stand, oldest first."""
    rows = await session.exec(
        select(Intent)
        .where(
            col(Intent.incident_id).in_({incident.id, campaign_of(incident)}),
            Intent.state == IntentState.DONE,
            col(Intent.undone).is_(False),
        )
        .order_by(col(Intent.finished_at))
    )
    return [act for act in rows.all() if is_about(act, incident)]


def is_about(intent: Intent, incident: Incident) -> bool:
    """Tell whether an act is on an incident, or on it among those of its campaign."""
    members = Target.model_validate_json(intent.target).members
    return incident.sender in members if members else intent.incident_id == incident.id


def was_done_to(intent: Intent, account: str) -> bool:
    """Tell whether an act on an account was done to it.

    One on several may have been done to some of them: what is needed to take that back is kept.
    """
    if intent.state is IntentState.DONE:
        return True
    undo = Undo.model_validate_json(intent.undo or "{}")
    return intent.state is IntentState.FAILED and account in {one.lower() for one in undo.states}


async def _free(session: AsyncSession, incidents: Sequence[Incident]) -> list[Incident]:
    """Return those whose place no other live incident of the same account has taken."""
    keys = {open_key(row.server, row.sender): row for row in incidents}
    rows = await session.exec(select(Incident.open_key).where(col(Incident.open_key).in_(keys)))
    taken = set(rows.all())
    return [row for key, row in keys.items() if key not in taken or row.open_key == key]
