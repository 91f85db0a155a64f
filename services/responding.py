"""The steps of a response to an incident, and which of them stand as done, by whom and when.

Nothing is kept about a step: it is done when an act that does it was done and not taken back
(an account that was stopped: nor enabled since, but with a new password), by whom and from
wherever that may have been.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from services.detection.evidence import Evidence
from services.incidents import UNSTOPPED, still_stopped
from services.language import later
from services.mail.port import Network
from services.models import Incident, Intent, IntentState
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
        later("Judge its messages, some side by side"),
        later("Samples"),
        "samples",
        (JUDGE,),
    ),
    Step(
        "disable",
        later("Stop it: it can no longer send, and what waits is held"),
        later("Stop sending"),
        "stop",
        ENDS,
        ("enable",),
    ),
    Step(
        "move",
        later("Move its messages to a folder for review"),
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
        later("Block the addresses it came from"),
        later("Block…"),
        "block",
        ("block",),
        ("unblock",),
    ),
    Step(
        "delete",
        later("Delete its messages, once nobody needs them"),
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


async def done_steps(session: AsyncSession, incident: Incident) -> Mapping[str, Intent]:
    """Return the act that does each step that is done, by the step's name."""
    acts = await _acts(session, incident)
    found: dict[str, Intent] = {}
    renewed = incident.state not in UNSTOPPED
    stopped = still_stopped((act.action for act in reversed(acts)), renewed=renewed)
    for step in STEPS:
        # An account that was enabled with a new password is still dealt with.
        against = () if stopped and "enable" in step.against else step.against
        last = next((act for act in acts if act.action in (*step.by, *against)), None)
        if last is not None and last.action in step.by:
            found[step.name] = last
    return found


async def _acts(session: AsyncSession, incident: Incident) -> Sequence[Intent]:
    """Return the acts on an incident that stand, newest first; on its addresses, too."""
    rows = await session.exec(
        select(Intent)
        .where(
            Intent.server == incident.server,
            Intent.state == IntentState.DONE,
            col(Intent.undone).is_(False),
            col(Intent.undo_of).is_(None),
            (col(Intent.incident_id) == incident.id)
            | (
                col(Intent.incident_id).is_(None)
                & col(Intent.action).in_(("block", "unblock"))
                & (col(Intent.finished_at) >= incident.opened_at)
            ),
        )
        .order_by(col(Intent.finished_at).desc())
    )
    used = _addresses(incident)
    return [act for act in rows.all() if act.incident_id is not None or _is_on(act, used)]


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
