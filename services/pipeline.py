"""The one way anything is done: authorise, confirm, audit, act, audit, tell.

A button or form holds only the id of an Intent. Using it goes:

    look     is it ours, here, for this person, and not too old?
    authorise  role and safety rules
    claim    one conditional UPDATE, with the audit line and the announcement
    act      the remedy, on the mail server
    finish   result, audit line, incident state, announcement
"""

import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from sqlalchemy import update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from services.access import Access
from services.audit import AuditLog, Line, Phase, storable
from services.clock import Clock
from services.detection.evidence import Evidence
from services.errors import BadArgument, Expired, NotCapable, Refused, SpoolwardenError
from services.mail.port import MailServer, Network, Queue, SpoolQuery, UserState
from services.models import LIVE, Announcement, Incident, IncidentState, Intent, IntentState, Lesson
from services.people import BOT, Actor, Place, Role
from services.remedies import (
    DELETED,
    MAX_MESSAGES,
    REMEDIES,
    Aim,
    Remedy,
    Result,
    Target,
    Undo,
    show_network,
)
from services.rules import Rules, plain
from services.settings import SafetySettings
from services.store import Store

_log = logging.getLogger(__name__)

UNDO = "undo"
#: How long a card's button can be pressed before the card must be drawn anew.
_OFFER_LASTS = timedelta(days=7)
#: How long most acts can be undone; a deletion only until it is purged.
_UNDO_LASTS = timedelta(days=7)

#: The acts that set an incident's state, so that taking one back does too.
_STATE_ACTS = ("stop", "disable", "enable", "acknowledge", "snooze")

#: States in which somebody has yet to stop it.
_WAITING = (IncidentState.ACKNOWLEDGED, IncidentState.SNOOZED)

Amend = Callable[[Target], Target]


@dataclass(frozen=True, slots=True)
class Proposal:
    """Something that would be done if the person confirms: its intent and what it is aimed at."""

    intent_id: str
    remedy: Remedy
    server: str
    target: Target
    left_out: tuple[str, ...] = ()  # sentences: what the rules kept out of it


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an act. ``undo_id`` is the intent to press to take it back, if any."""

    intent_id: str
    action: str
    ok: bool
    sentence: str
    undo_id: str | None = None
    incident_id: int | None = None


class Pipeline:
    """Runs every remedy. Built once; holds no state of its own."""

    def __init__(
        self,
        *,
        store: Store,
        servers: Mapping[str, MailServer],
        access: Access,
        audit: AuditLog,
        rules: Rules,
        clock: Clock,
        safety: SafetySettings,
        changed: Callable[[], None],
    ) -> None:
        """Take ``changed``, which is called when the chats have something new to show."""
        self._store = store
        self._servers = servers
        self._access = access
        self._audit = audit
        self._rules = rules
        self._clock = clock
        self._safety = safety
        self._kept = timedelta(days=safety.deleted_kept_days)
        self._changed = changed

    # -- making intents ---------------------------------------------------------

    async def offer(
        self,
        place: Place,
        action: str,
        *,
        server: str,
        target: Target,
        incident_id: int | None = None,
        actor: Actor | None = None,
    ) -> str:
        """Return the intent id for a button that stays: the one there is, else a new one.

        With ``actor`` only that person may use it, and it is always a new one.
        """
        now = self._clock.now()
        async with self._store.session() as session:
            if actor is None:
                there = await session.exec(
                    select(Intent.id).where(
                        Intent.incident_id == incident_id,
                        Intent.action == action,
                        Intent.server == server,
                        Intent.target == target.model_dump_json(),
                        Intent.chat == place.chat,
                        Intent.channel == place.channel,
                        Intent.state == IntentState.OFFERED,
                        col(Intent.bound_to).is_(None),
                        col(Intent.expires_at) > now + _OFFER_LASTS / 2,
                    )
                )
                if found := there.first():
                    return found
            intent = self._intent(place, action, server, target, _OFFER_LASTS)
            intent.incident_id = incident_id
            intent.bound_to = actor.key if actor else None
            session.add(intent)
            return intent.id

    async def offer_undo(self, place: Place, intent_id: str) -> str | None:
        """Return the intent id of a button that undoes that act; None if it can't be undone."""
        now = self._clock.now()
        async with self._store.session() as session:
            done = await session.get(Intent, intent_id)
            if done is None or not _undoable(done) or (done.undo_until or now) <= now:
                return None
            there = await session.exec(
                select(Intent.id).where(
                    Intent.undo_of == intent_id,
                    Intent.chat == place.chat,
                    Intent.channel == place.channel,
                    Intent.state == IntentState.OFFERED,
                )
            )
            if found := there.first():
                return found
            undo = self._intent(place, UNDO, done.server, Target(), timedelta(0))
            undo.incident_id = done.incident_id
            undo.undo_of = done.id
            undo.target = done.target
            undo.expires_at = done.undo_until or now
            session.add(undo)
            return undo.id

    async def propose(
        self,
        actor: Actor,
        place: Place,
        action: str,
        *,
        server: str,
        target: Target,
        incident_id: int | None = None,
    ) -> Proposal:
        """Freeze what would be done, for the person to confirm.

        Raises Refused (role, rules), NotCapable and ServerDown. Nothing is done. Where
        nothing matches, the proposal has no ids.
        """
        remedy = REMEDIES[action]
        await self._authorise(actor, remedy, server, target, incident_id)
        mail = self.server(server)
        left_out: list[str] = []
        if target.query is not None and not target.queue_ids:
            ids = await mail.matching_ids(target.query, limit=MAX_MESSAGES)
            target = target.model_copy(update={"queue_ids": ids})
        target = target.model_copy(update={"networks": _distinct(target.networks)})
        if action == "block":
            allowed = []
            own = await mail.own_networks()
            for network in target.networks:
                try:
                    self._rules.check_network(network, own)
                    allowed.append(network)
                except Refused as refusal:
                    left_out.append(refusal.sentence)
            target = target.model_copy(update={"networks": tuple(allowed)})
            if not allowed:
                await self._refuse(actor, action, server, target, incident_id, left_out[0])
        if incident_id is None:
            incident_id = await self._incident_of(server, target)
        intent = self._intent(
            place, action, server, target, timedelta(minutes=self._safety.form_minutes)
        )
        intent.bound_to, intent.incident_id = actor.key, incident_id
        async with self._store.session() as session:
            session.add(intent)
        return Proposal(intent.id, remedy, server, target, tuple(left_out))

    # -- using intents ----------------------------------------------------------

    async def look(self, actor: Actor, place: Place, intent_id: str) -> Intent:
        """Return the intent behind a button, once it is sure that this person may press it here.

        Raises Expired with a sentence otherwise; the attempt is audited.
        """
        intent_id = storable(intent_id[:64])
        async with self._store.reading() as session:
            intent = await session.get(Intent, intent_id)
        why = None
        if intent is None:
            why = "This button is unknown to Spoolwarden. Nothing was done."
        elif (intent.chat, intent.channel) != (place.chat, place.channel):
            why = "This button belongs to another channel. Nothing was done."
        elif intent.bound_to is not None and intent.bound_to != actor.key:
            why = "This form belongs to somebody else. Nothing was done."
        elif intent.expires_at <= self._clock.now():
            why = "This button is too old. Nothing was done; ask for it again with /spool."
        if why or intent is None:
            await self._audit.write(
                Line(
                    Phase.REFUSED,
                    intent.action if intent else "unknown button",
                    actor,
                    intent.server if intent else "",
                    intent_id=intent_id,
                    detail={"why": why},
                )
            )
            raise Expired(why or "")
        return intent

    async def execute(
        self, actor: Actor, place: Place, intent_id: str, amend: Amend | None = None
    ) -> Outcome:
        """Do what the intent says, once. ``amend`` puts the form's choices into the target.

        Raises Expired (too old, used before), Refused, BadArgument; then nothing was
        done. What fails later is an Outcome that is not ok, and says what was done.
        """
        intent = await self.look(actor, place, intent_id)
        target = Target.model_validate_json(intent.target)
        if amend:
            target = amend(target)
        original = await self._original(intent)
        remedy = REMEDIES[original.action if original else intent.action]
        await self._authorise(
            actor,
            remedy,
            intent.server,
            target,
            intent.incident_id,
            undoing=original is not None,
        )
        if remedy.name == "block" and original is None:
            await self._check_networks(actor, intent, target)
        intent = await self._claim(actor, intent, remedy, target)
        aim = Aim(
            self.server(intent.server),
            target,
            self._clock.now(),
            self._kept,
            reason=f"{actor.key} through Spoolwarden",
        )
        try:
            if original is not None and remedy.undo is not None:
                result = await remedy.undo(aim, _undo_of(original))
            else:
                result = await remedy.act(aim)
        except SpoolwardenError as error:
            result = Result(f"It failed: {error.sentence}", ok=False)
        except Exception:  # noqa: BLE001 - whatever it is, the person is told and it is logged
            _log.exception("the remedy %s failed in a way nobody foresaw", remedy.name)
            result = Result(
                "It failed inside Spoolwarden; part of it may have been done. "
                "Look at the spool before trying again; the log of Spoolwarden has the details.",
                ok=False,
            )
        return await self._finish(actor, place, intent, original, result)

    async def redraw(self, incident_id: int) -> None:
        """Have an incident's card drawn anew, whatever has or has not changed on it."""
        async with self._store.session() as session:
            await session.exec(
                update(Incident)
                .where(col(Incident.id) == incident_id)
                .values(version=Incident.version + 1)
            )
        self._changed()

    # -- looking after them -----------------------------------------------------

    async def recover(self) -> int:
        """Mark acts that a stop of the bot cut off, and say so; return how many there were."""
        async with self._store.session() as session:
            cut = (
                await session.exec(select(Intent).where(Intent.state == IntentState.CLAIMED))
            ).all()
            for intent in cut:
                intent.state = IntentState.INTERRUPTED
                intent.summary = (
                    "Spoolwarden was stopped in the middle of this; part of it may have been "
                    "done. It is safe to do it again: what is already so stays so."
                )
                session.add(intent)
                if intent.incident_id is not None:
                    # Its card shows a button that is used up: it must be drawn anew.
                    incident = await session.get(Incident, intent.incident_id)
                    if incident is not None:
                        incident.version += 1
                        session.add(incident)
                await self._audit.append(
                    session,
                    Line(
                        Phase.RESULT,
                        intent.action,
                        BOT,
                        intent.server,
                        Target.model_validate_json(intent.target).subject,
                        intent.incident_id,
                        intent.id,
                        {"interrupted": True},
                    ),
                )
                await _touch(session, intent)
        if cut:
            self._changed()
        return len(cut)

    async def purge(self) -> int:
        """Delete for good what was deleted long enough ago; return how many messages.

        A mail server that does not answer keeps no other one from being purged; its
        messages are tried again the next time.
        """
        now, purged = self._clock.now(), 0
        async with self._store.reading() as session:
            standing = (
                await session.exec(
                    select(Intent).where(
                        Intent.action == "delete",
                        # Of a deletion that failed in part, the other part was done.
                        col(Intent.state).in_((IntentState.DONE, IntentState.FAILED)),
                        col(Intent.undo).is_not(None),
                        col(Intent.undone).is_(False),
                    )
                )
            ).all()
        due: list[Intent] = []
        # What was brought back and deleted anew is kept as long as the later deletion says.
        kept: dict[str, set[str]] = {}
        for intent in standing:
            if (intent.undo_until or now) <= now:
                due.append(intent)
            else:
                kept.setdefault(intent.server, set()).update(_undo_of(intent).in_folder)
        for intent in due:
            try:
                purged += await self._purge(intent, kept.get(intent.server, set()))
            except SpoolwardenError as error:
                _log.warning("%s: purging failed: %s", intent.server, error.sentence)
        if due:
            self._changed()
        return purged

    async def _purge(self, intent: Intent, kept: set[str]) -> int:
        server = self.server(intent.server)
        query = SpoolQuery(queues=(Queue.QUARANTINE,), folder=DELETED)
        # Somebody may have brought some of them back by another way.
        still = set(await server.matching_ids(query, limit=MAX_MESSAGES)) - kept
        ids = [queue_id for queue_id in _undo_of(intent).in_folder if queue_id in still]
        line = Line(
            Phase.INTENT,
            "purge",
            BOT,
            intent.server,
            intent_id=intent.id,
            detail={"messages": len(ids)},
        )
        await self._audit.write(line)
        tally = Result("", tuple(await server.delete(ids))).tally()
        async with self._store.session() as session:
            row = await session.get(Intent, intent.id)
            if row is not None:
                row.undo = None
                session.add(row)
                await _touch(session, row)
            await self._audit.append(session, replace(line, phase=Phase.RESULT, detail=tally))
        return tally["done"]

    def server(self, name: str) -> MailServer:
        """Return the mail server of that name; raises BadArgument if there is none."""
        try:
            return self._servers[name]
        except KeyError:
            known = ", ".join(sorted(self._servers))
            raise BadArgument(f"There is no mail server {name!r}. Known: {known}.") from None

    async def done_on(self, incident_id: int) -> dict[str, Intent]:
        """Return the acts on an incident that stand, each remedy's newest, by its name."""
        async with self._store.reading() as session:
            incident = await session.get(Incident, incident_id)
            rows = await session.exec(
                select(Intent)
                .where(
                    Intent.incident_id == incident_id,
                    Intent.state == IntentState.DONE,
                    col(Intent.undone).is_(False),
                    Intent.action != UNDO,
                )
                .order_by(col(Intent.finished_at))
            )
            return {
                intent.action: intent
                for intent in rows.all()
                if not (REMEDIES[intent.action].once and _overtaken(incident, intent))
            }

    # -- the steps --------------------------------------------------------------

    def _intent(
        self, place: Place, action: str, server: str, target: Target, lasts: timedelta
    ) -> Intent:
        now = self._clock.now()
        return Intent(
            id=secrets.token_urlsafe(16),
            action=action,
            server=server,
            chat=place.chat,
            channel=place.channel,
            created_at=now,
            expires_at=now + lasts,
            target=target.model_dump_json(),
        )

    async def _authorise(
        self,
        actor: Actor,
        remedy: Remedy,
        server: str,
        target: Target,
        incident_id: int | None,
        *,
        undoing: bool = False,
    ) -> None:
        try:
            needed = Role.ADMIN if target.permanent else remedy.role
            await self._access.require(actor, needed, f"use “{remedy.name}”")
            if _may_disable(remedy, target, undoing=undoing):
                self._rules.check_account(target.account or "")
            for needs in remedy.needs(self.server(server).capabilities, target):
                if not needs.able:
                    raise NotCapable(needs.why)
        except SpoolwardenError as refusal:
            await self._refuse(
                actor, remedy.name, server, target, incident_id, refusal.sentence, refusal
            )

    async def _check_networks(self, actor: Actor, intent: Intent, target: Target) -> None:
        """Refuse if a rule forbids any: since they were proposed the rules may have changed."""
        own = await self.server(intent.server).own_networks()
        try:
            for network in target.networks:
                self._rules.check_network(network, own)
        except Refused as refusal:
            why = f"{refusal.sentence} Nothing was blocked."
            await self._refuse(actor, intent.action, intent.server, target, intent.incident_id, why)

    async def _refuse(
        self,
        actor: Actor,
        action: str,
        server: str,
        target: Target,
        incident_id: int | None,
        why: str,
        error: SpoolwardenError | None = None,
    ) -> None:
        await self._audit.write(
            Line(
                Phase.REFUSED,
                action,
                actor,
                server,
                target.subject,
                incident_id,
                detail={"why": why},
            )
        )
        raise error or Refused(why)

    async def _original(self, intent: Intent) -> Intent | None:
        if intent.undo_of is None:
            return None
        async with self._store.reading() as session:
            return await session.get(Intent, intent.undo_of)

    async def _claim(self, actor: Actor, intent: Intent, remedy: Remedy, target: Target) -> Intent:
        now = self._clock.now()
        line = Line(
            Phase.INTENT,
            intent.action if intent.action != UNDO else f"undo {remedy.name}",
            actor,
            intent.server,
            target.subject,
            intent.incident_id,
            intent.id,
            _audited(target),
        )
        async with self._store.session() as session:
            repeat = await self._twin(session, intent, remedy)
            if repeat is None:
                claimed = await session.exec(
                    update(Intent)
                    .where(col(Intent.id) == intent.id, col(Intent.state) == IntentState.OFFERED)
                    .values(
                        state=IntentState.CLAIMED,
                        claimed_by=actor.key,
                        claimed_name=storable(actor.name),
                        claimed_at=now,
                        target=target.model_dump_json(),
                    )
                )
                if claimed.rowcount != 1:
                    repeat = await session.get(Intent, intent.id, populate_existing=True)
            if repeat is None:
                await self._audit.append(session, line)
                session.add(
                    Announcement(at=now, incident_id=intent.incident_id, intent_id=intent.id)
                )
                row = await session.get(Intent, intent.id, populate_existing=True)
            else:
                await self._audit.append(session, replace(line, phase=Phase.REPEATED))
        if repeat is not None or row is None:
            raise Expired(_repeated(repeat))
        self._changed()
        return row

    async def _twin(self, session: AsyncSession, intent: Intent, remedy: Remedy) -> Intent | None:
        """Return the same act on the same incident, under way or standing, asked elsewhere."""
        others = select(Intent).where(
            Intent.action == intent.action,
            Intent.id != intent.id,
            col(Intent.state).in_((IntentState.CLAIMED, IntentState.DONE)),
        )
        if intent.undo_of is not None:
            # Each channel has its own button; by now the account may be stopped anew.
            return (await session.exec(others.where(Intent.undo_of == intent.undo_of))).first()
        if not remedy.once or intent.incident_id is None:
            return None
        incident = await session.get(Incident, intent.incident_id)
        rows = await session.exec(
            others.where(
                Intent.incident_id == intent.incident_id,
                col(Intent.undone).is_(False),
            )
        )
        return next((twin for twin in rows.all() if not _overtaken(incident, twin)), None)

    async def _finish(
        self, actor: Actor, place: Place, intent: Intent, original: Intent | None, result: Result
    ) -> Outcome:
        now = self._clock.now()
        async with self._store.session() as session:
            row = await session.get(Intent, intent.id)
            assert row is not None  # noqa: S101 - rows are never deleted
            row.state = IntentState.DONE if result.ok else IntentState.FAILED
            row.finished_at, row.summary = now, result.summary
            undo = result.undo
            incident = (
                await session.get(Incident, intent.incident_id) if intent.incident_id else None
            )
            if incident is not None:
                state = result.incident_state
                if original is not None and result.ok and original.action in _STATE_ACTS:
                    state = await self._state_without(session, incident, original.id)
                self._settle(session, incident, actor, result, state)
                if result.teach:
                    await self._teach(session, incident, actor)
            # A part that was done can be taken back even when another part failed.
            if undo is not None:
                row.undo = undo.model_dump_json()
                row.undo_until = now + (self._kept if row.action == "delete" else _UNDO_LASTS)
            if original is not None and result.ok:
                undone = await session.get(Intent, original.id)
                if undone is not None:
                    undone.undone = True
                    session.add(undone)
                    await _touch(session, undone)
            session.add(row)
            await _touch(session, row)
            await self._audit.append(
                session,
                Line(
                    Phase.RESULT,
                    row.action if original is None else f"undo {original.action}",
                    actor,
                    row.server,
                    Target.model_validate_json(row.target).subject,
                    row.incident_id,
                    row.id,
                    {"ok": result.ok, "summary": result.summary, "messages": result.tally()}
                    | {"failed": [[m.queue_id, m.why] for m in result.messages if m.why][:100]},
                ),
            )
        self._changed()
        undo_id = await self.offer_undo(place, row.id) if undo is not None else None
        return Outcome(row.id, row.action, result.ok, result.summary, undo_id, row.incident_id)

    def _settle(
        self,
        session: AsyncSession,
        incident: Incident,
        actor: Actor,
        result: Result,
        state: IncidentState | None,
    ) -> None:
        """Write the act's effect on the incident; its card is drawn anew in any case."""
        now = self._clock.now()
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

    async def _state_without(
        self, session: AsyncSession, incident: Incident, undone_id: str
    ) -> IncidentState:
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
            if intent.action in ("stop", "disable", "enable"):
                stopped = intent.action != "enable"
            elif intent.action == "acknowledge":
                state = IncidentState.ACKNOWLEDGED
            elif intent.action == "snooze" and incident.snoozed_until:
                state = IncidentState.SNOOZED
        return IncidentState.REMEDIED if stopped else state

    async def _teach(self, session: AsyncSession, incident: Incident, actor: Actor) -> None:
        evidence = Evidence.model_validate_json(incident.evidence)
        # Half as much again, so that the next ordinary day does not alert by a hair.
        await session.merge(
            Lesson(
                server=incident.server,
                sender=incident.sender,
                messages=evidence.peak * 3 // 2,
                taught_by=actor.key,
                taught_at=self._clock.now(),
            )
        )

    async def _incident_of(self, server: str, target: Target) -> int | None:
        sender = target.account or (target.query.sender if target.query else None)
        if sender is None:
            return None
        async with self._store.reading() as session:
            rows = await session.exec(
                select(Incident.id).where(
                    Incident.server == server,
                    Incident.sender == sender.lower(),
                    col(Incident.open_key).is_not(None),
                )
            )
            return rows.first()


def _undoable(intent: Intent) -> bool:
    return (
        intent.undo is not None
        and not intent.undone
        and intent.state in (IntentState.DONE, IntentState.FAILED)
    )


def _undo_of(intent: Intent) -> Undo:
    return Undo.model_validate_json(intent.undo or "{}")


def _distinct(networks: Sequence[Network]) -> tuple[Network, ...]:
    """Return each once: a second block of the same would take the first for an older one."""
    return tuple(dict.fromkeys(plain(network) for network in networks))


def _may_disable(remedy: Remedy, target: Target, *, undoing: bool) -> bool:
    """Tell whether this can leave an account disabled: so can undoing what enabled it."""
    enables = remedy.name == "enable" or target.user_state is UserState.ACTIVE
    return (remedy.changes_account or remedy.name == "enable") and enables is undoing


def _overtaken(incident: Incident | None, done: Intent) -> bool:
    """Tell whether an incident was opened again since, so that the act can be done anew."""
    return (
        incident is not None
        and incident.state == IncidentState.OPEN
        and incident.state_at is not None
        and done.finished_at is not None
        and incident.state_at >= done.finished_at
    )


def _repeated(before: Intent | None) -> str:
    """Return the sentence for a button that was used, or whose act was done elsewhere."""
    who = f" by {before.claimed_name}" if before and before.claimed_name else ""
    if before is not None and before.state in (IntentState.FAILED, IntentState.INTERRUPTED):
        return (
            f"This was tried already{who} and did not work out; nothing was done now. "
            "Use a newer button, or ask for it again with /spool."
        )
    return f"This was already done{who}; nothing was done twice."


async def _touch(session: AsyncSession, intent: Intent) -> None:
    """Have the lines that tell of this intent told anew."""
    await session.exec(
        update(Announcement)
        .where(col(Announcement.intent_id) == intent.id)
        .values(version=Announcement.version + 1)
    )


def _audited(target: Target) -> dict[str, object]:
    """Return what the audit log keeps of a target: everything that was chosen, ids by number."""
    kept: dict[str, object] = target.model_dump(
        mode="json", exclude={"queue_ids", "networks"}, exclude_defaults=True
    )
    if target.queue_ids:
        kept |= {"messages": len(target.queue_ids), "queue_ids": list(target.queue_ids[:1000])}
    if target.networks:
        kept["networks"] = [show_network(network) for network in target.networks]
    return kept
