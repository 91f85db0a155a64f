"""When a second person must approve, who may not be that person, and giving up what was asked."""

from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from services.audit import AuditLog, Line, Phase
from services.intents import touch
from services.language import tr, trn
from services.models import Intent, IntentState
from services.people import Actor
from services.scope import of_domains
from services.settings import ApprovalSettings
from services.targets import Target
from services.words import show_network


class Approval:
    """The rules, from the settings."""

    def __init__(self, settings: ApprovalSettings) -> None:
        self._settings = settings
        self._persons = [frozenset(ids) for ids in settings.same_person]

    def why(self, remedy: str, target: Target) -> str | None:
        """Return why a second person is needed for this, None where one is enough."""
        rules = self._settings
        if (always := self.always(remedy)) is not None:
            return always
        if remedy == "delete_account" and rules.delete_account:
            return tr("deleting an account takes two persons (setting approval.delete_account)")
        if target.permanent and len(target.queue_ids) > rules.permanent_above:
            return trn(
                "deleting more than {n} message for good takes two persons "
                "(setting approval.permanent_above)",
                "deleting more than {n} messages for good takes two persons "
                "(setting approval.permanent_above)",
                rules.permanent_above,
            )
        widest = {4: rules.widest_v4, 6: rules.widest_v6}
        wide = [n for n in target.networks if n.prefixlen < widest[n.version]]
        if remedy == "block" and wide:
            widest_one = max(wide, key=lambda network: network.num_addresses)
            version = widest_one.version
            return tr(
                "{network} is wider than /{length}, which takes two persons (setting {setting})",
                network=show_network(widest_one),
                length=widest[version],
                setting=f"approval.widest_v{version}",
            )
        return None

    def always(self, remedy: str) -> str | None:
        """Return why a second person is needed for each act of this kind, None where not so."""
        if remedy not in self._settings.remedies:
            return None
        name = remedy.replace("_", " ")
        return tr("“{remedy}” always takes two persons (setting approval.remedies)", remedy=name)

    def is_same(self, one: str, other: str) -> bool:
        """Tell whether two Actor.keys are one person's, as far as the settings say."""
        if one == other:
            return True
        ids = {key.partition(":")[2] for key in (one, other)}
        return any(ids <= person for person in self._persons)


async def give_up(
    session: AsyncSession,
    audit: AuditLog,
    asked: Intent,
    actor: Actor,
    now: datetime,
    summary: str,
    **detail: object,
) -> None:
    """Write down that what waits for a second person will not be done. The caller commits."""
    asked.state, asked.finished_at, asked.summary = IntentState.FAILED, now, summary
    session.add(asked)
    target = Target.model_validate_json(asked.target)
    await touch(session, asked)
    await audit.append(
        session,
        Line(
            Phase.DECIDED,
            asked.action,
            actor,
            asked.server,
            target.subject,
            asked.incident_id,
            asked.id,
            {"approved": False, **detail, "asked_by": asked.asked_by} | of_domains(target),
        ),
    )
