"""The one way anything is done: authorise, confirm, audit, act, audit, tell.

A button or form holds only the id of an Intent. Using it goes:

    look     is it ours, here, for this person, and not too old?
    authorise  role and safety rules
    claim    one conditional UPDATE, with the audit line and the announcement
    act      the remedy, on the mail server
    finish   result, audit line, incident state, announcement
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import NoReturn

from pydantic import SecretStr
from sqlalchemy import update
from sqlmodel import col, select

from services.access import Access
from services.aims import ON_ALL_MESSAGES, matching
from services.approval import Approval, give_up
from services.audit import AuditLog, Line, Phase, storable
from services.clock import Clock
from services.errors import (
    Expired,
    Refused,
    ServerDown,
    SpoolwardenError,
    StoreError,
)
from services.gate import Gate, named
from services.incidents import redraw
from services.intents import (
    APPROVE,
    DECLINE,
    Intents,
    touch,
    undo_of,
)
from services.language import for_everybody, later, tr
from services.mail.port import MailServer, Network
from services.message_remedies import MAX_MESSAGES, too_many
from services.models import Announcement, Incident, Intent, IntentState
from services.passwords import Passwords
from services.people import BOT, Actor, Place
from services.progress_keeper import ProgressKeeper
from services.record import Record, audited, repeated
from services.remedies import REMEDIES
from services.remedy import Aim, Remedy, Result
from services.rules import Rules, plain
from services.settings import ApprovalSettings, SafetySettings
from services.store import Store
from services.targets import Target, Undo
from services.words import act

_log = logging.getLogger(__name__)

_DECIDED = later("This was decided already; nothing was done now.")

Amend = Callable[[Target], Target]

_NOT_SHOWN = later("It could not be shown, so nobody knows it: set it again.")


@dataclass(frozen=True, slots=True)
class Proposal:
    """Something that would be done if the person confirms: its intent and what it is aimed at."""

    intent_id: str
    remedy: Remedy
    server: str
    target: Target
    left_out: tuple[str, ...] = ()  # sentences: what the rules kept out of it
    note: str = ""  # a sentence on what else must be known before it is confirmed


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an act. ``undo_id`` is the intent to press to take it back, if any."""

    intent_id: str
    action: str
    ok: bool
    sentence: str
    undo_id: str | None = None
    incident_id: int | None = None
    secret: SecretStr | None = None  # for who had it made, to be shown once and nowhere else


class Pipeline:
    """Runs every remedy. Built once; of its own it knows only what is under way."""

    def __init__(
        self,
        *,
        store: Store,
        intents: Intents,
        servers: Mapping[str, MailServer],
        access: Access,
        audit: AuditLog,
        rules: Rules,
        clock: Clock,
        safety: SafetySettings,
        approval: ApprovalSettings,
        changed: Callable[[], None],
        passwords: Passwords | None = None,
    ) -> None:
        """Take ``changed``, which is called when the chats have something new to show."""
        self._store = store
        self._intents = intents
        self._servers = servers
        self._audit = audit
        self._rules = rules
        self._clock = clock
        self._safety = safety
        self._kept = timedelta(days=safety.deleted_kept_days)
        self._approval = Approval(approval)
        self._approval_minutes = approval.minutes
        self._changed = changed
        self._passwords = passwords or Passwords()
        #: The ids of the intents that are being worked on here, from before they are claimed.
        self.under_way: set[str] = set()
        self._gate = Gate(servers=servers, access=access, audit=audit, rules=rules)
        self._record = Record(
            store=store,
            intents=intents,
            audit=audit,
            clock=clock,
            kept=self._kept,
            changed=changed,
        )
        self.progress = ProgressKeeper(store, changed)

    # -- proposing --------------------------------------------------------------

    @for_everybody
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

        Raises Refused (role, rules, too many messages), NotCapable and ServerDown. Nothing is
        done. Where nothing matches, the proposal has no ids.
        """
        remedy = REMEDIES[action]
        target = await self._gate.authorise(actor, remedy, server, target, incident_id)
        mail = self.server(server)
        left_out: list[str] = []
        of_all = bool(target.accounts) and action in ON_ALL_MESSAGES
        if (target.query is not None or of_all) and not target.queue_ids:
            ids = await matching(mail, target, MAX_MESSAGES)
            target = target.model_copy(update={"queue_ids": ids})
        if remedy.most is not None and len(target.queue_ids) > remedy.most:
            why = too_many(len(target.queue_ids), remedy.most)
            await self._gate.refuse(actor, action, server, target, incident_id, why)
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
                why = f"{left_out[0]} {tr('Nothing was blocked.')}"
                await self._gate.refuse(actor, action, server, target, incident_id, why)
        if incident_id is None:
            incident_id = await self._incident_of(server, target)
        intent = self._intents.new(
            place, action, server, target, timedelta(minutes=self._safety.form_minutes)
        )
        intent.bound_to, intent.incident_id = actor.key, incident_id
        async with self._store.session() as session:
            session.add(intent)
        note = self._note_on(action, mail)
        return Proposal(intent.id, remedy, server, target, tuple(left_out), note)

    def _note_on(self, action: str, mail: MailServer) -> str:
        """Return what else must be known before an act on an account is confirmed."""
        if action == "password":
            return self._passwords.note
        if action != "delete_account":
            return ""
        able = mail.capabilities.copy_mail
        if able.able and self._safety.copies_folder is not None:
            return tr("Its mail is copied to {folder} first.", folder=self._safety.copies_folder)
        return able.why or tr("No copy of its mail is made (setting safety.copies_folder).")

    async def allow(self, actor: Actor, action: str, *, server: str, target: Target) -> None:
        """Raise what propose() would for this person and target, before anything is looked up."""
        await self._gate.authorise(actor, REMEDIES[action], server, target, None)

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
            why = tr("This button is unknown to Spoolwarden. Nothing was done.")
        elif (intent.chat, intent.channel) != (place.chat, place.channel):
            why = tr("This button belongs to another channel. Nothing was done.")
        elif intent.bound_to is not None and intent.bound_to != actor.key:
            why = tr("This form belongs to somebody else. Nothing was done.")
        elif intent.expires_at <= self._clock.now():
            why = tr("This button is too old. Nothing was done; ask for it again with /spool.")
        if why or intent is None:
            await self._audit.write(
                Line(
                    Phase.REFUSED,
                    intent.action if intent else later("unknown button"),
                    actor,
                    intent.server if intent else "",
                    intent_id=intent_id,
                    detail={"why": why},
                )
            )
            raise Expired(why or "")
        return intent

    @for_everybody
    async def execute(
        self,
        actor: Actor,
        place: Place,
        intent_id: str,
        amend: Amend | None = None,
        *,
        follows: str | None = None,
    ) -> Outcome:
        """Do what the intent says, once. ``amend`` puts the form's choices into the target.

        ``follows`` is an act that this one goes on with: one line tells of both, and taking
        this one back takes both back.

        Raises Expired (too old, used before), Refused, BadArgument; then nothing was
        done. What fails later is an Outcome that is not ok, and says what was done.
        """
        intent = await self.look(actor, place, intent_id)
        target = Target.model_validate_json(intent.target)
        if amend:
            target = amend(target)
        original = await self._intents.original(intent)
        remedy = REMEDIES[original.action if original else intent.action]
        reverse = self._reverse(actor, remedy, original)
        target = await self._gate.authorise(
            actor, remedy, intent.server, target, intent.incident_id, original, reverse=reverse
        )
        if reverse is not None and (two := self._approval.always(reverse)) is not None:
            said = tr(
                "Taking this back comes to “{remedy}”, and {why}. Nothing was done; ask for it "
                "with {command}, or have whoever did this take it back.",
                remedy=act(reverse),
                why=two,
                command=f"/spool {reverse}",
            )
            await self._gate.refuse(
                actor, intent.action, intent.server, target, intent.incident_id, said
            )
        # To put a block back is to block: by now the address may be one that never may be.
        if remedy.name == ("block" if original is None else "unblock"):
            await self._gate.check_networks(actor, intent, target)
        why = None if original else self._approval.why(remedy.name, target)
        if why is not None:
            if remedy.name == "password" and not self._passwords.command:
                why = tr("{why}; the new password will be shown to who approves it", why=why)
            return await self._ask(actor, intent, remedy, target, why)
        with self._working_on(intent):
            intent = await self._record.claim(actor, intent, remedy, target, follows=follows)
            # As it was when that was claimed: from then on nothing changes what there is to undo.
            original = await self._intents.original(intent)
            return await self._act(actor, place, intent, original, remedy, target, follows)

    @for_everybody
    async def decide(self, actor: Actor, place: Place, intent_id: str, *, approve: bool) -> Outcome:
        """Approve what somebody else asked for, and do it; or decline it. Once.

        Raises Expired (decided, or too old), Refused (role, rules, the asker itself).
        """
        asked = await self.asked_by(actor, await self.look(actor, place, intent_id))
        remedy, target = REMEDIES[asked.action], Target.model_validate_json(asked.target)
        target = await self._gate.authorise(
            actor, remedy, asked.server, target, asked.incident_id, whole=True
        )
        if not approve:
            return await self._decline(actor, asked)
        if self._approval.is_same(actor.key, asked.asked_by or ""):
            why = tr("You asked for this, so somebody else must approve it. Nothing was done.")
            await self._gate.refuse(actor, APPROVE, asked.server, target, asked.incident_id, why)
        if remedy.name == "block":
            await self._gate.check_networks(actor, asked, target)
        with self._working_on(asked):
            asked = await self._record.claim(actor, asked, remedy, target, approved=True)
            return await self._act(actor, place, asked, None, remedy, target)

    def _reverse(self, actor: Actor, remedy: Remedy, original: Intent | None) -> str | None:
        """Return the remedy that taking another's act back comes to; None for one's own.

        Who stopped the wrong account can put that right alone. To let go what somebody else
        stopped is to enable it, and takes whatever that takes.
        """
        if original is None or actor == BOT:
            return None
        theirs = (original.claimed_by, original.asked_by)
        if any(key and self._approval.is_same(actor.key, key) for key in theirs):
            return None
        return remedy.reverse

    @contextmanager
    def _working_on(self, intent: Intent) -> Iterator[None]:
        mine = intent.id not in self.under_way
        self.under_way.add(intent.id)
        try:
            yield
        finally:
            if mine:
                self.under_way.discard(intent.id)

    async def asked_by(self, actor: Actor, button: Intent) -> Intent:
        """Return what a button approves or declines. Raises Expired where that is over."""
        async with self._store.reading() as session:
            asked = await session.get(Intent, button.decides) if button.decides else None
        if asked is None or asked.state is not IntentState.WAITING:
            await self.over(actor, button, button.action, tr(_DECIDED))
        assert asked is not None  # noqa: S101 - over() raises
        return asked

    @for_everybody
    async def over(self, actor: Actor, button: Intent, action: str, why: str) -> NoReturn:
        """Write down that a button was pressed again whose act is over. Raises Expired: ``why``."""
        target = Target.model_validate_json(button.target)
        await self._audit.write(
            Line(
                Phase.REPEATED,
                action,
                actor,
                button.server,
                target.subject,
                button.incident_id,
                button.id,
                audited(target),
            )
        )
        raise Expired(why)

    async def _act(
        self,
        actor: Actor,
        place: Place,
        intent: Intent,
        original: Intent | None,
        remedy: Remedy,
        target: Target,
        follows: str | None = None,
    ) -> Outcome:
        aim = Aim(
            self.server(intent.server),
            target,
            self._clock.now(),
            self._kept,
            reason=f"{actor.key} through Spoolwarden",  # not shown: the mail server keeps it
            passwords=self._passwords,
            copies=self._safety.copies_folder,
            by_itself=actor == BOT,
        )
        earlier = undo_of(intent) if intent.undo is not None else None
        before: Undo | None = None
        try:
            async with self.progress.kept(intent.id) as progress:
                aim = replace(aim, progress=progress)
                if original is not None and remedy.undo is not None:
                    undo, stays = await self._record.left_to_undo(original)
                    result = await remedy.undo(aim, undo)
                    result = replace(result, summary=" ".join((*stays, result.summary)).rstrip())
                else:
                    before = await remedy.look(aim) if remedy.look else None
                    if before is not None:
                        earlier = await self._record.note(intent, before, earlier)
                    result = await remedy.act(replace(aim, before=before))
        except SpoolwardenError as error:
            # Where it is not known whether it was done, it can be taken back all the same.
            doubtful = isinstance(error, ServerDown) and await _may_have_acted(remedy, aim, before)
            failed = tr("It failed: {why}", why=error.sentence)
            result = Result(failed, undo=before if doubtful else None, ok=False)
        except Exception:  # noqa: BLE001 - whatever it is, the person is told and it is logged
            _log.exception("the remedy %s failed in a way nobody foresaw", remedy.name)
            result = Result(
                tr(
                    "It failed inside Spoolwarden; part of it may have been done. Look at the "
                    "spool before trying again; the log of Spoolwarden has the details."
                ),
                undo=before,
                ok=False,
            )
        if earlier is not None:
            result = replace(result, undo=earlier.then(result.undo or Undo()))
        if target.left_out and original is None:
            result = replace(result, summary=" ".join((result.summary, *target.left_out)))
        if follows is not None and result.undo is not None and result.undo.held:
            more = tr("In all {n} held since it began.", n=len(result.undo.held))
            result = replace(result, summary=f"{result.summary} {more}")
        try:
            undo_id = await self._record.finish(actor, place, intent, original, result)
        except StoreError as error:
            # The intent stays claimed: Upkeep.recover_left() says so in the channel.
            _log.error("the result of %s could not be written: %s", intent.id, result.summary)
            lost = tr(
                "But that could not be written down: {why} Look at the mail server for what is "
                "true now.",
                why=error.sentence,
            )
            result, undo_id = replace(result, summary=f"{result.summary} {lost}", ok=False), None
        return Outcome(
            intent.id,
            intent.action,
            result.ok,
            result.summary,
            undo_id,
            intent.incident_id,
            result.secret,
        )

    @for_everybody
    async def not_shown(self, intent_id: str) -> None:
        """Say that a new password was set and reached nobody, in its line and in the log."""
        async with self._store.session() as session:
            row = await session.get(Intent, intent_id)
            if row is None:
                return
            row.summary = f"{row.summary} {tr(_NOT_SHOWN)}"
            session.add(row)
            await touch(session, row)
            target = Target.model_validate_json(row.target)
            await self._audit.append(
                session,
                Line(
                    Phase.NOTE,
                    row.action,
                    BOT,
                    row.server,
                    target.subject,
                    row.incident_id,
                    row.id,
                    {"why": tr(_NOT_SHOWN)},
                ),
            )
        self._changed()

    @for_everybody
    async def used_menu(self, incident_id: int) -> None:
        """Have an incident's card drawn with its menu unpicked."""
        async with self._store.session() as session:
            incident = await session.get(Incident, incident_id)
            if incident is not None:
                await redraw(session, incident, turned=True)
        self._changed()

    def server(self, name: str) -> MailServer:
        """Return the mail server of that name; raises BadArgument if there is none."""
        return named(self._servers, name)

    # -- the steps --------------------------------------------------------------

    async def _ask(
        self, actor: Actor, intent: Intent, remedy: Remedy, target: Target, why: str
    ) -> Outcome:
        """Write down that a second person is asked, once, and have the chats show it."""
        now = self._clock.now()
        until = now + timedelta(minutes=self._approval_minutes)
        async with self._store.session() as session:
            asked = await session.exec(
                update(Intent)
                .where(col(Intent.id) == intent.id, col(Intent.state) == IntentState.OFFERED)
                .values(
                    state=IntentState.WAITING,
                    asked_by=actor.key,
                    asked_name=storable(actor.name),
                    asked_why=why,
                    bound_to=None,
                    expires_at=until,
                    target=target.model_dump_json(),
                )
            )
            first = asked.rowcount == 1
            line = Line(
                Phase.ASKED if first else Phase.REPEATED,
                intent.action,
                actor,
                intent.server,
                target.subject,
                intent.incident_id,
                intent.id,
                audited(target) | {"why": why},
            )
            await self._audit.append(session, line)
            if first:
                session.add(
                    Announcement(at=now, incident_id=intent.incident_id, intent_id=intent.id)
                )
            before = await session.get(Intent, intent.id, populate_existing=True)
        if not first:
            raise Expired(repeated(before))
        self._changed()
        said = tr(
            "Asked for a second person: {why}. Nothing was done yet; it stands in the channel "
            "until {time} UTC.",
            why=why,
            time=f"{until:%H:%M}",
        )
        return Outcome(
            intent.id,
            intent.action,
            True,
            said,
            None,
            intent.incident_id,
        )

    async def _decline(self, actor: Actor, asked: Intent) -> Outcome:
        now = self._clock.now()
        summary = tr("Declined by {name}. Nothing was done.", name=storable(actor.name))
        async with self._store.session() as session:
            row = await session.get(Intent, asked.id)
            waits = row is not None and row.state is IntentState.WAITING
            if row is not None and waits:
                await give_up(session, self._audit, row, actor, now, summary)
        if not waits:
            await self.over(actor, asked, DECLINE, tr(_DECIDED))
        self._changed()
        return Outcome(asked.id, asked.action, True, summary, None, asked.incident_id)

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


async def _may_have_acted(remedy: Remedy, aim: Aim, before: Undo | None) -> bool:
    """Tell whether an act whose answer never came may have been done, for all that is known."""
    if before is None or before == Undo() or remedy.look is None:
        return False
    try:
        return await remedy.look(aim) != before
    except SpoolwardenError:
        return True


def _distinct(networks: Sequence[Network]) -> tuple[Network, ...]:
    """Return each once: a second block of the same would take the first for an older one."""
    return tuple(dict.fromkeys(plain(network) for network in networks))
