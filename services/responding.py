"""The steps of a response to an incident, and which of them stand as done, by whom and when.

Nothing is kept about a step: it is done when an act that does it was done and not taken back
(an account that was stopped: nor enabled since, but with a new password), by whom and from
wherever that may have been; of an incident that was reopened, since then. A campaign's steps are
about all of its accounts: those that are stopped, and those that have a new password, must be
all that are left to deal with.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address, ip_network

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from services.detection.evidence import Evidence
from services.incidents import UNSTOPPED, still_stopped
from services.language import later
from services.mail.port import Network
from services.models import LIVE, Incident, IncidentState, Intent, IntentState
from services.remedy import ENDS
from services.rules import plain
from services.targets import Target

RESPOND, LOOK, JUDGE, REPORT = "respond", "look", "judge", "reported"


@dataclass(frozen=True, slots=True)
class Step:
    """One step: what is to be done, the act its button does, and which acts do or undo it.

    ``what`` and ``button`` are looked up in the catalogue where they are shown.
    """

    name: str
    what: str
    button: str
    action: str
    by: tuple[str, ...]
    against: tuple[str, ...] = ()


# Stopping comes before moving: what was moved first would be followed by more.
STEPS = (
    Step(
        "look",
        later("See who sends and what is unusual about it"),
        later("Evidence"),
        LOOK,
        (LOOK,),
    ),
    Step(
        "judge",
        later("Judge the messages by a few samples"),
        later("Samples"),
        "samples",
        (JUDGE,),
    ),
    Step(
        "disable",
        later("Stop it: nothing more is sent, and what waits is held"),
        later("Stop sending"),
        "stop",
        ENDS,
        ("enable",),
    ),
    Step(
        "move",
        later("Move the messages to a folder for review"),
        later("Move…"),
        "move",
        ("move",),
        ("restore",),
    ),
    Step(
        "password",
        later("Set a new password"),
        later("New password…"),
        "password",
        ("password", "delete_account"),
    ),
    Step(
        "block",
        later("Block the IP addresses that they came from"),
        later("Block…"),
        "block",
        ("block",),
        ("unblock",),
    ),
    Step(
        "delete",
        later("Delete the messages, once nobody needs them"),
        later("Delete…"),
        "delete",
        ("delete",),
        ("restore",),
    ),
    Step(
        "report",
        later("Report: the summary, to paste elsewhere"),
        later("Summary"),
        REPORT,
        (REPORT,),
    ),
)


async def done_steps(session: AsyncSession, *incidents: Incident) -> Mapping[str, Intent]:
    """Return the act that does each step that is done, by the step's name.

    ``incidents`` are one, or all of a campaign.
    """
    acts = await acts_of(session, incidents)
    found: dict[str, Intent] = {}
    stopped = _are_stopped(incidents, acts)
    unsafe = passwordless(incidents, acts)
    for step in STEPS:
        if len(incidents) > 1 and (
            (step.name == "disable" and not stopped) or (step.name == "password" and unsafe)
        ):
            continue
        # An account that was enabled with a new password is still dealt with; one that sends
        # again has shown that the password is known, too.
        against = () if stopped and "enable" in step.against else step.against
        if step.name == "password" and len(incidents) == 1 and incidents[0].state in UNSTOPPED:
            against = ("enable",)
        last = next((act for act in acts if act.action in (*step.by, *against)), None)
        if last is not None and last.action in step.by:
            found[step.name] = last
    return found


def _are_stopped(incidents: Sequence[Incident], acts: Sequence[Intent]) -> bool:
    if len(incidents) == 1:
        renewed = incidents[0].state not in UNSTOPPED
        return still_stopped((act.action for act in reversed(acts)), renewed=renewed)
    # What was done to each of several is in its state.
    return all(row.state is IncidentState.REMEDIED for row in incidents if row.state in LIVE)


def passwordless(incidents: Sequence[Incident], acts: Sequence[Intent]) -> list[Incident]:
    """Return those whose account is left to deal with, and got no new password by these acts."""
    renewed = [act for act in acts if act.action in ("password", "delete_account")]
    return [
        row
        for row in incidents
        if row.state in LIVE
        and not any(row.sender in _people_of(act) and _is_since(act, row) for act in renewed)
    ]


async def acts_of(session: AsyncSession, incidents: Sequence[Incident]) -> Sequence[Intent]:
    """Return the acts on incidents that stand, newest first; on their addresses, too.

    What was done before an incident was reopened is history: whoever it was is back.
    """
    opened = min(_begun(incident) for incident in incidents)
    rows = await session.exec(
        select(Intent)
        .where(
            Intent.server == incidents[0].server,
            Intent.state == IntentState.DONE,
            col(Intent.undone).is_(False),
            col(Intent.undo_of).is_(None),
            col(Intent.incident_id).in_([incident.id for incident in incidents])
            | (
                col(Intent.incident_id).is_(None)
                & col(Intent.action).in_(("block", "unblock"))
                & (col(Intent.finished_at) >= opened)
            ),
        )
        .order_by(col(Intent.finished_at).desc())
    )
    used = [network for incident in incidents for network in _addresses(incident)]
    return [
        act
        for act in rows.all()
        if any(_is_since(act, row) for row in _about(act, incidents))
        and (act.incident_id is not None or _is_on(act, used))
    ]


def _about(act: Intent, incidents: Sequence[Incident]) -> Sequence[Incident]:
    """Return those of the incidents that an act is about: all, where it names no account."""
    people = _people_of(act)
    return [row for row in incidents if row.sender in people] or incidents


def _people_of(act: Intent) -> frozenset[str]:
    return Target.model_validate_json(act.target).senders


def _begun(incident: Incident) -> datetime:
    """Return when an incident was opened, for the last time."""
    return incident.reopened_at or incident.opened_at


def _is_since(act: Intent, incident: Incident) -> bool:
    return act.finished_at is None or act.finished_at >= _begun(incident)


def _addresses(incident: Incident) -> list[Network]:
    found = []
    for share in Evidence.model_validate_json(incident.evidence).addresses:
        try:
            found.append(plain(ip_network(ip_address(share.name))))
        except ValueError:
            continue
    return found


def _is_on(act: Intent, used: Sequence[Network]) -> bool:
    networks = Target.model_validate_json(act.target).networks
    return any(
        one.version == other.version and one.overlaps(other) for one in networks for other in used
    )
