"""What can be done about a message, an account or an address, and how it is undone.

A remedy only acts; who may, whether it was done already, the audit log and the
telling are the pipeline's (pipeline.py). Every ``act`` may be called again with
the same target: what is already so stays so.
"""

from datetime import timedelta

from services.account_remedies import ACCOUNT_REMEDIES
from services.block_remedies import BLOCK_REMEDIES
from services.language import later, tr
from services.mail.port import Capabilities
from services.message_remedies import MESSAGE_REMEDIES
from services.models import IncidentState
from services.people import Role
from services.remedy import Aim, Remedy, Result
from services.responding import JUDGE, LOOK, REPORT, RESPOND
from services.stop_remedies import STOP_REMEDIES
from services.targets import Target, Undo
from services.words import span


async def _acknowledge(_: Aim) -> Result:
    return Result(
        tr("Acknowledged: somebody is on it."),
        undo=Undo(),
        incident_state=IncidentState.ACKNOWLEDGED,
    )


async def _snooze(aim: Aim) -> Result:
    lasting = aim.target.lasting or timedelta(hours=1)
    return Result(
        tr("Snoozed for {time}.", time=span(lasting)),
        undo=Undo(),
        incident_state=IncidentState.SNOOZED,
        snoozed=lasting,
    )


async def _false_alarm(aim: Aim) -> Result:
    return Result(
        tr("A false alarm: this much is remembered as ordinary for each of these senders.")
        if len(aim.target.accounts) > 1
        else tr("A false alarm: this much is remembered as ordinary for this sender."),
        undo=Undo(),
        incident_state=IncidentState.FALSE_ALARM,
        teach=True,
    )


async def _undo_false_alarm(_: Aim, __: Undo) -> Result:
    return Result(tr("Taken back: what it taught is forgotten, and the incident is open again."))


async def _forget(_: Aim) -> Result:
    return Result(tr("Forgotten: it tunes the detector no more."), undo=Undo())


async def _undo_forget(_: Aim, __: Undo) -> Result:
    return Result(tr("Remembered again."))


async def _respond(_: Aim) -> Result:
    return Result(
        tr("Responding: the steps are below, each with its button."),
        incident_state=IncidentState.ACKNOWLEDGED,
    )


async def _looked(_: Aim) -> Result:
    return Result(tr("Looked at who sends and what is unusual about it."))


async def _judged(_: Aim) -> Result:
    return Result(tr("Judged the messages: they are spam."))


async def _reported(_: Aim) -> Result:
    return Result(tr("Took the summary, to report it."))


async def _undo_state(_: Aim, __: Undo) -> Result:
    return Result(tr("Taken back."))


REMEDIES = {
    remedy.name: remedy
    for remedy in (
        *STOP_REMEDIES,
        *MESSAGE_REMEDIES,
        *BLOCK_REMEDIES,
        *ACCOUNT_REMEDIES,
        Remedy(
            "acknowledge",
            later("acknowledging"),
            Role.OPERATOR,
            _acknowledge,
            _undo_state,
            once=True,
        ),
        Remedy("snooze", later("snoozing"), Role.OPERATOR, _snooze, _undo_state),
        Remedy(
            "false_alarm",
            later("closing it as a false alarm"),
            Role.OPERATOR,
            _false_alarm,
            _undo_false_alarm,
        ),
        Remedy("forget", later("forgetting what was taught"), Role.OPERATOR, _forget, _undo_forget),
        Remedy(RESPOND, later("beginning the response"), Role.OPERATOR, _respond, once=True),
        Remedy(LOOK, later("looking at who sends"), Role.OPERATOR, _looked, once=True),
        Remedy(JUDGE, later("judging the messages"), Role.OPERATOR, _judged, once=True),
        Remedy(REPORT, later("reporting it"), Role.OPERATOR, _reported, once=True),
    )
}


def lacking(action: str, capabilities: Capabilities, target: Target) -> str | None:
    """Return the sentence why a server can't do this; None where it can, or for no remedy."""
    remedy = REMEDIES.get(action)
    needs = remedy.needs(capabilities, target) if remedy else ()
    return next((capability.why for capability in needs if not capability.able), None)
