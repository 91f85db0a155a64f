"""The one way anything is done: authorise, confirm, audit, act, audit, tell.

A button or form holds only the id of an Intent. Using it goes:

    look     is it ours, here, for this person, and not too old?
    authorise  role and safety rules
    claim    one conditional UPDATE, with the audit line and the announcement
    act      the remedy, on the mail server
    finish   result, audit line, incident state, announcement
"""

import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NoReturn

from pydantic import SecretStr
from sqlalchemy import update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from services.access import Access
from services.aims import ON_ALL_MESSAGES, matching
from services.approval import Approval, give_up
from services.audit import AuditLog, Line, Phase, storable
from services.clock import Clock
from services.errors import (
    BadArgument,
    Expired,
    NotCapable,
    Refused,
    SpoolwardenError,
    StoreError,
)
from services.incidents import redraw, settle
from services.intents import (
    APPROVE,
    DECLINE,
    UNDO,
    Intents,
    cut_off_before,
    hand_on,
    overtaken,
    touch,
    touch_responses,
    undo_of,
)
from services.language import for_everybody, later, tr
from services.mail.port import MailServer, Network, SpoolQuery, UserState
from services.models import Announcement, Incident, Intent, IntentState
from services.passwords import Passwords
from services.people import BOT, Actor, Place, Role
from services.progress_keeper import ProgressKeeper
from services.remedies import MAX_MESSAGES, REMEDIES, lacking
from services.remedy import Aim, Remedy, Result
from services.rules import Rules, plain, rule_alone
from services.scope import Scope, of_domains
from services.settings import ApprovalSettings, SafetySettings
from services.store import Store
from services.targets import Target, Undo, show_network
from services.tuning import forget_act, set_forgotten, teach

_log = logging.getLogger(__name__)

#: How long most acts can be undone; a deletion only until it is purged.
_UNDO_LASTS = timedelta(days=7)
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
    """Runs every remedy. Built once; holds no state of its own."""

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
        self._access = access
        self._audit = audit
        self._rules = rules
        self._clock = clock
        self._safety = safety
        self._kept = timedelta(days=safety.deleted_kept_days)
        self._approval = Approval(approval)
        self._approval_minutes = approval.minutes
        self._changed = changed
        self._passwords = passwords or Passwords()
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

        Raises Refused (role, rules), NotCapable and ServerDown. Nothing is done. Where
        nothing matches, the proposal has no ids.
        """
        remedy = REMEDIES[action]
        target = await self._authorise(actor, remedy, server, target, incident_id)
        mail = self.server(server)
        left_out: list[str] = []
        of_all = bool(target.accounts) and action in ON_ALL_MESSAGES
        if (target.query is not None or of_all) and not target.queue_ids:
            ids = await matching(mail, target, MAX_MESSAGES)
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
        await self._authorise(actor, REMEDIES[action], server, target, None)

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
        target = await self._authorise(
            actor, remedy, intent.server, target, intent.incident_id, original
        )
        if remedy.name == "block" and original is None:
            await self._check_networks(actor, intent, target)
        why = None if original else self._approval.why(remedy.name, target)
        if why is not None:
            if remedy.name == "password" and not self._passwords.command:
                why = tr("{why}; the new password will be shown to who approves it", why=why)
            return await self._ask(actor, intent, remedy, target, why)
        intent = await self._claim(actor, intent, remedy, target, follows=follows)
        return await self._act(actor, place, intent, original, remedy, target, follows)

    @for_everybody
    async def decide(self, actor: Actor, place: Place, intent_id: str, *, approve: bool) -> Outcome:
        """Approve what somebody else asked for, and do it; or decline it. Once.

        Raises Expired (decided, or too old), Refused (role, rules, the asker itself).
        """
        asked = await self.asked_by(actor, await self.look(actor, place, intent_id))
        remedy, target = REMEDIES[asked.action], Target.model_validate_json(asked.target)
        target = await self._authorise(actor, remedy, asked.server, target, asked.incident_id)
        if not approve:
            return await self._decline(actor, asked)
        if self._approval.is_same(actor.key, asked.asked_by or ""):
            why = tr("You asked for this, so somebody else must approve it. Nothing was done.")
            await self._refuse(actor, APPROVE, asked.server, target, asked.incident_id, why)
        if remedy.name == "block":
            await self._check_networks(actor, asked, target)
        asked = await self._claim(actor, asked, remedy, target, approved=True)
        return await self._act(actor, place, asked, None, remedy, target)

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
                _audited(target),
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
        )
        earlier = undo_of(intent) if intent.undo is not None else None
        before: Undo | None = None
        try:
            async with self.progress.kept(intent.id) as progress:
                aim = replace(aim, progress=progress)
                if original is not None and remedy.undo is not None:
                    result = await remedy.undo(aim, undo_of(original))
                else:
                    before = await remedy.look(aim) if remedy.look else None
                    if before is not None:
                        earlier = await self._note(intent, before, earlier)
                    result = await remedy.act(replace(aim, before=before))
        except SpoolwardenError as error:
            result = Result(tr("It failed: {why}", why=error.sentence), ok=False)
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
        try:
            return await self._finish(actor, place, intent, original, result, follows)
        except StoreError as error:
            # The intent stays claimed: the next start says in the channel that it was cut off.
            _log.error("the result of %s could not be written: %s", intent.id, result.summary)
            lost = tr(
                "But that could not be written down: {why} Look at the mail server for what is "
                "true now.",
                why=error.sentence,
            )
            return Outcome(
                intent.id,
                intent.action,
                False,
                f"{result.summary} {lost}",
                None,
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
        try:
            return self._servers[name]
        except KeyError:
            known = ", ".join(sorted(self._servers))
            raise BadArgument(
                tr("There is no mail server {name}. Known: {known}.", name=repr(name), known=known)
            ) from None

    # -- the steps --------------------------------------------------------------

    async def _authorise(
        self,
        actor: Actor,
        remedy: Remedy,
        server: str,
        target: Target,
        incident_id: int | None,
        original: Intent | None = None,
    ) -> Target:
        """Return the target with what is not this person's to touch left out. Raises Refused.

        ``original`` is the act that is taken back, if any.
        """
        try:
            usual = Role.ADMIN if target.permanent else remedy.role
            needed = self._access.needed(remedy.name, usual)
            if target.permanent:
                needed = max(needed, usual)
            what = tr("use “{remedy}”", remedy=remedy.name)
            scope = await self._access.require(actor, needed, what)
            target = await self._within(scope, what, server, target, original)
            if _may_disable(remedy, target, undoing=original is not None):
                target = self._unprotected(target)
            why = lacking(remedy.name, self.server(server).capabilities, target)
            if why is not None:
                raise NotCapable(f"{why} {tr('Nothing was done.')}")
        except SpoolwardenError as refusal:
            await self._refuse(
                actor, remedy.name, server, target, incident_id, refusal.sentence, refusal
            )
        return target

    def _unprotected(self, target: Target) -> Target:
        """Return a target without accounts never to be disabled. Raises Refused if none is left."""
        if not target.accounts:
            self._rules.check_account(target.account or "")
            return target
        mine, refused = [], list[Refused]()
        for account in target.accounts:
            try:
                self._rules.check_account(account)
                mine.append(account)
            except Refused as refusal:
                refused.append(refusal)
        if not mine:
            raise refused[0]
        said = [tr("Not touched: {why}", why=rule_alone(r.sentence)) for r in refused]
        left_out = tuple(dict.fromkeys((*target.left_out, *said)))
        return target.model_copy(update={"accounts": tuple(mine), "left_out": left_out})

    async def _within(
        self, scope: Scope, what: str, server: str, target: Target, original: Intent | None
    ) -> Target:
        """Leave out what a person's role is not about. Raises Refused, ServerDown.

        Who sent a message is asked where nothing else tells it: where messages are named by
        their ids alone, and where taking an act back takes back one that was cut off, too.
        """
        if scope.everything:
            return target
        asked, target = target, scope.limited(target, what)
        if original is not None and target.accounts != asked.accounts:
            why = tr("other domains' accounts were concerned too")
            raise scope.refusal(what, because=why)
        # Those of a campaign's accounts were found by them; fewer accounts now are fewer messages.
        named_alone = target.query is None and (
            not target.accounts or target.accounts != asked.accounts
        )
        ids = set(target.queue_ids) if named_alone else set()
        if original is not None and target.queue_ids:
            ids |= set(undo_of(original).messages).difference(target.queue_ids)
        if ids:
            theirs = scope.query(SpoolQuery())
            mine = await self.server(server).matching_ids(theirs, limit=sys.maxsize)
            if not ids.issubset(mine):
                why = tr("a message of these is another's or gone")
                raise scope.refusal(what, because=why)
        return target

    async def _check_networks(self, actor: Actor, intent: Intent, target: Target) -> None:
        """Refuse if a rule forbids any: since they were proposed the rules may have changed."""
        own = await self.server(intent.server).own_networks()
        try:
            for network in target.networks:
                self._rules.check_network(network, own)
        except Refused as refusal:
            why = f"{refusal.sentence} {tr('Nothing was blocked.')}"
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
                detail={"why": why} | of_domains(target),
            )
        )
        raise error or Refused(why)

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
                _audited(target) | {"why": why},
            )
            await self._audit.append(session, line)
            if first:
                session.add(
                    Announcement(at=now, incident_id=intent.incident_id, intent_id=intent.id)
                )
            before = await session.get(Intent, intent.id, populate_existing=True)
        if not first:
            raise Expired(_repeated(before))
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

    async def _claim(
        self,
        actor: Actor,
        intent: Intent,
        remedy: Remedy,
        target: Target,
        *,
        approved: bool = False,
        follows: str | None = None,
    ) -> Intent:
        now = self._clock.now()
        name = storable(actor.name)
        if approved:
            name = tr("{asker}, approved by {name}", asker=intent.asked_name, name=name)
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
                    .where(
                        col(Intent.id) == intent.id,
                        col(Intent.state)
                        == (IntentState.WAITING if approved else IntentState.OFFERED),
                    )
                    .values(
                        state=IntentState.CLAIMED,
                        claimed_by=actor.key,
                        claimed_name=name,
                        claimed_at=now,
                        claimed_in=self._store.number,
                        target=target.model_dump_json(),
                    )
                )
                if claimed.rowcount != 1:
                    repeat = await session.get(Intent, intent.id, populate_existing=True)
            if repeat is None:
                if approved:
                    said = {"approved": True, "asked_by": intent.asked_by, **of_domains(target)}
                    decided = replace(line, phase=Phase.DECIDED, detail=said)
                    await self._audit.append(session, decided)
                await self._audit.append(session, line)
                if approved:
                    await touch(session, intent)  # the line that asked goes on to tell of it
                elif follows is None or not await hand_on(session, follows, intent.id):
                    session.add(
                        Announcement(at=now, incident_id=intent.incident_id, intent_id=intent.id)
                    )
                row = await session.get(Intent, intent.id, populate_existing=True)
                if row is not None and follows is not None:
                    await self._take_over(session, follows, row)
            else:
                await self._audit.append(session, replace(line, phase=Phase.REPEATED))
        if repeat is not None or row is None:
            raise Expired(_repeated(repeat))
        self._changed()
        return row

    async def _take_over(self, session: AsyncSession, follows: str, row: Intent) -> None:
        """Have an act take back, too, what the one before it did, however it will end."""
        before = await session.get(Intent, follows)
        if before is not None and before.undo is not None and not before.undone:
            row.undo, before.undo = before.undo, None
            row.undo_until = self._undoable_until(row)
            session.add_all((row, before))

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
        people = set(Target.model_validate_json(intent.target).people)
        for twin in rows.all():
            covered = people.issubset(Target.model_validate_json(twin.target).people)
            if covered and not overtaken(incident, twin):
                return twin
        return None

    async def _note(self, intent: Intent, before: Undo, earlier: Undo | None) -> Undo | None:
        """Write down how it is before the act, so that it can be taken back if it is cut off.

        Earlier tries that were cut off are taken back together with this one: returns what
        they found, after what was ``earlier`` than they.
        """
        async with self._store.session() as session:
            row = await session.get(Intent, intent.id)
            assert row is not None  # noqa: S101 - rows are never deleted
            for cut in await cut_off_before(session, row):
                found = undo_of(cut)
                earlier = found if earlier is None else earlier.then(found)
                cut.undo = None
                session.add(cut)
                await touch(session, cut)
            row.undo = (before if earlier is None else earlier.then(before)).model_dump_json()
            row.undo_until = self._undoable_until(row)
            session.add(row)
        return earlier

    def _undoable_until(self, row: Intent) -> datetime:
        return self._clock.now() + (self._kept if row.action == "delete" else _UNDO_LASTS)

    async def _finish(
        self,
        actor: Actor,
        place: Place,
        intent: Intent,
        original: Intent | None,
        result: Result,
        follows: str | None = None,
    ) -> Outcome:
        now = self._clock.now()
        async with self._store.session() as session:
            row = await session.get(Intent, intent.id)
            assert row is not None  # noqa: S101 - rows are never deleted
            if follows is not None and result.undo is not None and result.undo.held:
                more = f" {tr('In all {n} held since it began.', n=len(result.undo.held))}"
                result = replace(result, summary=f"{result.summary}{more}")
            row.state = IntentState.DONE if result.ok else IntentState.FAILED
            row.finished_at, row.summary = now, result.summary
            target = Target.model_validate_json(row.target)
            undo = result.undo
            incident = (
                await session.get(Incident, intent.incident_id) if intent.incident_id else None
            )
            if incident is not None:
                for one in await settle(session, incident, target, actor, result, now, original):
                    if result.teach:
                        await teach(session, one, actor, now, row.id)
            if target.lesson is not None and result.ok:
                forgotten = original is None
                await set_forgotten(session, target.lesson, actor, now, forgotten=forgotten)
            # A part that was done can be taken back even when another part failed.
            row.undo = None if undo is None else undo.model_dump_json()
            if undo is not None:
                row.undo_until = self._undoable_until(row)
                row.until = _ends(row, result, now)
                if row.until is not None:
                    row.undo_until = max(row.undo_until, row.until + _UNDO_LASTS)
            if original is not None and result.ok:
                undone = await session.get(Intent, original.id)
                if undone is not None:
                    await forget_act(session, undone.id, actor, now)
                    undone.undone = True
                    session.add(undone)
                    await touch(session, undone)
            session.add(row)
            await touch(session, row)
            await touch_responses(session, row.server, row.incident_id, (original or row).action)
            await self._audit.append(
                session,
                Line(
                    Phase.RESULT,
                    row.action if original is None else f"undo {original.action}",
                    actor,
                    row.server,
                    target.subject,
                    row.incident_id,
                    row.id,
                    {"ok": result.ok, "summary": result.summary, "messages": result.tally()}
                    | of_domains(target)
                    | {"failed": [[m.queue_id, m.why] for m in result.messages if m.why][:100]},
                ),
            )
        self._changed()
        undo_id = await self._intents.offer_undo(place, row.id) if undo is not None else None
        return Outcome(
            row.id, row.action, result.ok, result.summary, undo_id, row.incident_id, result.secret
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


def _distinct(networks: Sequence[Network]) -> tuple[Network, ...]:
    """Return each once: a second block of the same would take the first for an older one."""
    return tuple(dict.fromkeys(plain(network) for network in networks))


def _ends(row: Intent, result: Result, now: datetime) -> datetime | None:
    """Return when the bot takes an act back by itself; a block ends on the mail server."""
    lasting = Target.model_validate_json(row.target).lasting
    if row.action != "disable" or lasting is None or not result.ok:
        return None
    return now + lasting


def _may_disable(remedy: Remedy, target: Target, *, undoing: bool) -> bool:
    """Tell whether this can leave an account disabled: so can undoing what enabled it."""
    enables = remedy.name == "enable" or target.user_state is UserState.ACTIVE
    return (remedy.changes_account or remedy.name == "enable") and enables is undoing


def _repeated(before: Intent | None) -> str:
    """Return the sentence for a button that was used, or whose act was done elsewhere."""
    if before is not None and before.state is IntentState.WAITING:
        return tr(
            "{name} asked for this already; it waits for a second person.", name=before.asked_name
        )
    by = tr(" by {name}", name=before.claimed_name) if before and before.claimed_name else ""
    if before is not None and before.state in (IntentState.FAILED, IntentState.INTERRUPTED):
        return tr(
            "This was tried already{by} and did not work out; nothing was done now. "
            "Use a newer button, or ask for it again with /spool.",
            by=by,
        )
    return tr("This was already done{by}; nothing was done twice.", by=by)


def _audited(target: Target) -> dict[str, object]:
    """Return what the audit log keeps of a target: everything that was chosen, ids by number."""
    kept: dict[str, object] = target.model_dump(
        mode="json", exclude={"queue_ids", "networks"}, exclude_defaults=True
    )
    kept |= of_domains(target)
    if target.queue_ids:
        kept |= {"messages": len(target.queue_ids), "queue_ids": list(target.queue_ids[:1000])}
    if target.networks:
        kept["networks"] = [show_network(network) for network in target.networks]
    return kept
