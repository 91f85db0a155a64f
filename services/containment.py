"""Automatic containment: the bot itself holds what an account has waiting, if an admin says so.

Off by default. Only above the confidence that is set, at most so many accounts an hour,
never a protected account or one that is known to send much; never deletes, and disables
only where told so. It goes through the pipeline as anybody's act would, and is undone like it.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import col, select

from services.audit import AuditLog, Line, Phase
from services.clock import Clock
from services.detection.confidence import as_set, confidence, shown
from services.detection.detector import Detector
from services.detection.evidence import Evidence
from services.errors import Expired, Refused, SpoolwardenError
from services.hosts import host_of
from services.incidents import redraw
from services.intents import Intents
from services.language import later, tr, trn
from services.mail.port import MailServer, UserState
from services.models import Announcement, Incident, IncidentState, Intent, IntentState
from services.people import BOT, Place
from services.pipeline import Pipeline
from services.remedies import lacking
from services.rules import Rules, rule_alone
from services.settings import ContainmentSettings
from services.store import Store
from services.targets import Target

_log = logging.getLogger(__name__)
CONTAIN = "contain"
_NOT_HELD = later("Not held by itself ({sure}): {why}")
_HOUR = timedelta(hours=1)
#: In these states what was begun goes on: nobody has stopped the account.
_GOES_ON = (IncidentState.OPEN, IncidentState.ACKNOWLEDGED, IncidentState.SNOOZED)
#: After these an act is not begun anew.
_ENDED = (IntentState.CLAIMED, IntentState.FAILED, IntentState.WAITING)


@dataclass(frozen=True, slots=True)
class _Why:
    """Whether an account may be held, and what is said of it.

    ``kind`` tells what is news: the figures in the text change from poll to poll.
    """

    may: bool
    kind: str
    text: str


class Containment:
    """Looks at the open incidents of a mail server after each poll.

    Its only state is whose hold it begins at this moment, which the database does not tell yet.

    ``settings`` are looked at each time.
    """

    def __init__(
        self,
        *,
        store: Store,
        intents: Intents,
        pipeline: Pipeline,
        detector: Detector,
        audit: AuditLog,
        rules: Rules,
        clock: Clock,
        settings: ContainmentSettings,
        place: Place,
    ) -> None:
        """``place`` is the channel that its acts are written down as done in."""
        self._store = store
        self._intents = intents
        self._pipeline = pipeline
        self._detector = detector
        self._audit = audit
        self._rules = rules
        self._clock = clock
        self.settings = settings
        self._place = place
        # Several servers are looked at at once, and the limit is for all of them together.
        self._beginning: set[int | None] = set()

    async def run(self, server: MailServer) -> bool:
        """Hold what is due; return whether there is anything new to show."""
        if not self.settings.enabled:
            return False
        async with self._store.reading() as session:
            rows = await session.exec(
                select(Incident).where(
                    Incident.server == server.name,
                    col(Incident.state).in_(_GOES_ON),
                )
            )
            incidents = list(rows.all())
        changed = False
        for incident in incidents:
            try:
                changed |= await self._look_at(server, incident)
            except SpoolwardenError as error:
                _log.warning("%s was not held: %s", incident.sender, error.sentence)
                text = tr(
                    "It should have been held ({sure}), and that failed: {why}",
                    sure=self._sure(incident),
                    why=error.sentence,
                )
                changed |= await self._say(incident, _Why(False, "failed", text))
        return changed

    async def _look_at(self, server: MailServer, incident: Incident) -> bool:
        if confidence(incident.score) < self.settings.confidence:
            return False
        if host_of(incident.sender) is not None:
            return False  # many people's mail may come from there
        evidence = Evidence.model_validate_json(incident.evidence)
        acts = await self._acts(incident)
        before = next((act for act in acts if act.state is IntentState.DONE), None)
        if any(act.undone for act in acts) or (acts and acts[0].state in _ENDED):
            return False  # somebody took it back, or it failed: it is people's now
        if acts and await self._enabled_since(acts[-1]):
            return False  # somebody let it send again: it is people's now
        if before is None and incident.state is not IncidentState.OPEN:
            return False  # somebody is on it
        if not evidence.queued:
            return False
        why = await self._may(server, incident, evidence, begun=before is not None)
        if not why.may:
            return await self._say(incident, why)
        try:
            return await self._hold(server, incident, before, why)
        finally:
            self._beginning.discard(incident.id)

    async def _hold(
        self, server: MailServer, incident: Incident, before: Intent | None, why: _Why
    ) -> bool:
        state = UserState.NO_SENDING if self.settings.disable else None
        target = Target(account=incident.sender, user_state=state)
        offered = await self._intents.offer_to(
            BOT, self._place, server.name, [(CONTAIN, target, incident.id)]
        )
        follows = before.id if before is not None else None
        try:
            outcome = await self._pipeline.execute(BOT, self._place, offered[0], follows=follows)
        except Expired:
            return False  # somebody is taking it back at this moment: it is people's now
        if before is None and outcome.ok:
            # Not sooner: a bot that stops in between would have said what is not so.
            await self._say(incident, why, announce=False)
        return True

    async def _may(
        self, server: MailServer, incident: Incident, evidence: Evidence, *, begun: bool
    ) -> _Why:
        settings, sure = self.settings, self._sure(incident)

        def not_held(kind: str, reason: str) -> _Why:
            return _Why(False, kind, tr(_NOT_HELD, sure=sure, why=reason))

        try:
            self._rules.check_account(incident.sender)
        except Refused as refusal:
            return not_held("protected", rule_alone(refusal.sentence))
        most = await self._detector.most(server.name, incident.sender)
        if evidence.habit.taught or most >= settings.bulk_a_day:
            known = (
                tr("a false alarm taught that it sends much.")
                if evidence.habit.taught
                else tr("it is known to send as many as {n} a day.", n=most)
            )
            return not_held("taught" if evidence.habit.taught else "bulk", known)
        target = Target(user_state=UserState.NO_SENDING if settings.disable else None)
        if (cannot := lacking(CONTAIN, server.capabilities, target)) is not None:
            return not_held("unable", cannot)
        disabled = tr(" and its account disabled for sending") if settings.disable else ""
        if settings.dry_run:
            dry = trn(
                "Dry run: its {n} waiting message would have been held{disabled} ({sure}). "
                "Nothing was done.",
                "Dry run: its {n} waiting messages would have been held{disabled} ({sure}). "
                "Nothing was done.",
                evidence.queued,
                disabled=disabled,
                sure=sure,
            )
            return _Why(False, "dry_run", dry)
        if not begun and not await self._begin(incident):
            limit = trn(
                "{n} account an hour is the limit that is set.",
                "{n} accounts an hour is the limit that is set.",
                settings.accounts_an_hour,
            )
            return not_held("limit", limit)
        return _Why(
            True,
            "held",
            tr(
                "Spoolwarden itself holds what this account has waiting{disabled} ({sure}): "
                "{reasons}. Nothing is deleted, and “{button}” puts all of it back.",
                button=tr("Undo hold"),
                disabled=disabled,
                sure=sure,
                reasons="; ".join(evidence.reasons[:3]),
            ),
        )

    def _sure(self, incident: Incident) -> str:
        return tr(
            "confidence {confidence}, {least} is set",
            confidence=shown(confidence(incident.score)),
            least=as_set(self.settings.confidence),
        )

    async def _acts(self, incident: Incident) -> list[Intent]:
        """Return what was done by itself about this incident since it opened, newest first."""
        since = incident.reopened_at or incident.opened_at
        async with self._store.reading() as session:
            rows = await session.exec(
                select(Intent)
                .where(
                    Intent.action == CONTAIN,
                    Intent.incident_id == incident.id,
                    col(Intent.claimed_at) >= since,
                )
                .order_by(col(Intent.claimed_at).desc())
            )
            return list(rows.all())

    async def _enabled_since(self, act: Intent) -> bool:
        """Tell whether somebody has enabled the account since that act."""
        async with self._store.reading() as session:
            rows = await session.exec(
                select(Intent.id).where(
                    Intent.action == "enable",
                    Intent.incident_id == act.incident_id,
                    Intent.state == IntentState.DONE,
                    col(Intent.undone).is_(False),
                    col(Intent.claimed_at) >= act.claimed_at,
                )
            )
            return rows.first() is not None

    async def _begin(self, incident: Incident) -> bool:
        """Tell whether the limit leaves room for this one; if so it counts from now on.

        What counts is other incidents' accounts, held by itself within the last hour or just now.
        """
        since: datetime = self._clock.now() - _HOUR
        async with self._store.reading() as session:
            rows = await session.exec(
                select(Intent.incident_id)
                .where(Intent.action == CONTAIN, col(Intent.claimed_at) > since)
                .distinct()
            )
            held = set(rows.all())
        if len((held | self._beginning) - {incident.id}) >= self.settings.accounts_an_hour:
            return False
        self._beginning.add(incident.id)
        return True

    async def _say(self, incident: Incident, why: _Why, *, announce: bool = True) -> bool:
        """Have the card say it, and the thread once; return whether that is new."""
        async with self._store.session() as session:
            row = await session.get(Incident, incident.id)
            if row is None or row.containment_kind == why.kind:
                return False
            # From before kinds were kept: it was announced then.
            announce = announce and not (row.containment and not row.containment_kind)
            row.containment, row.containment_kind = why.text, why.kind
            await redraw(session, row)
            if announce:
                now = self._clock.now()
                session.add(Announcement(at=now, incident_id=row.id, text=f"🤖 {why.text}"))
                await self._audit.append(
                    session,
                    Line(
                        Phase.NOTE,
                        CONTAIN,
                        BOT,
                        row.server,
                        row.sender,
                        row.id,
                        detail={"said": why.text},
                    ),
                )
        return True


def findings(settings: ContainmentSettings, server: MailServer) -> str | None:
    """Return in a sentence what containment can't do on a server, None where all is well."""
    if not settings.enabled:
        return None
    target = Target(user_state=UserState.NO_SENDING if settings.disable else None)
    why = lacking(CONTAIN, server.capabilities, target)
    if why is None:
        return None
    return tr("containment is on, but it can do nothing here: {why}", why=why)
