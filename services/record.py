"""An act on paper: claimed once, noted before it is done, its result written down after it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from services.audit import AuditLog, Line, Phase, storable
from services.clock import Clock
from services.errors import Expired
from services.incidents import settle
from services.intents import (
    UNDO,
    Intents,
    cut_off_before,
    hand_on,
    hand_undo_on,
    overtaken,
    people_of,
    touch,
    touch_responses,
    undo_of,
    undoable,
    undos_under_way,
)
from services.language import later, tr
from services.models import Announcement, Incident, Intent, IntentState
from services.people import Actor, Place
from services.remedy import STOPS, Remedy, Result
from services.scope import of_domains
from services.since import leave_to_later
from services.store import Store
from services.targets import Target, Undo
from services.tuning import forget_act, set_forgotten, teach
from services.words import show_network

_TAKEN_BACK = later("Somebody is taking this back at this moment. Nothing was done.")
#: How long most acts can be undone; a deletion only until it is purged.
_UNDO_LASTS = timedelta(days=7)


class Record:
    """Writes down what an intent comes to. Each step is one transaction, with its audit line."""

    def __init__(
        self,
        *,
        store: Store,
        intents: Intents,
        audit: AuditLog,
        clock: Clock,
        kept: timedelta,
        changed: Callable[[], None],
    ) -> None:
        """``kept`` is how long a deletion can be undone; ``changed``, see Pipeline."""
        self._store = store
        self._intents = intents
        self._audit = audit
        self._clock = clock
        self._kept = kept
        self._changed = changed

    async def claim(
        self,
        actor: Actor,
        intent: Intent,
        remedy: Remedy,
        target: Target,
        *,
        approved: bool = False,
        follows: str | None = None,
    ) -> Intent:
        """Claim an intent for this person, once, and have it told; return it claimed.

        ``approved`` is where it waited for a second person, who this is then; ``follows``, see
        Pipeline.execute(). Raises Expired where it was claimed before, or its like was, or what
        it takes back or goes on with has changed meanwhile.
        """
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
            audited(target),
        )
        async with self._store.session() as session:
            repeat = await self._twin(session, intent, remedy)
            why = None if repeat is not None else await _changed_since(session, intent, follows)
            if repeat is None and why is None:
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
            if repeat is None and why is None:
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
        if why is not None:
            raise Expired(why)
        if repeat is not None or row is None:
            raise Expired(repeated(repeat))
        self._changed()
        return row

    async def _take_over(self, session: AsyncSession, follows: str, row: Intent) -> None:
        """Have an act take back, too, what the one before it did, however it will end."""
        before = await session.get(Intent, follows)
        if before is not None and before.undo is not None and not before.undone:
            row.undo, row.undo_until = before.undo, self._undoable_until(row)
            await hand_undo_on(session, before, row)

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
        on_it = (Intent.incident_id == intent.incident_id, col(Intent.undone).is_(False))
        rows = await session.exec(others.where(*on_it))
        people = people_of(intent)
        twins = [
            twin
            for twin in rows.all()
            if people.issubset(people_of(twin)) and not overtaken(incident, twin)
        ]
        if not twins or intent.action not in STOPS:
            return next(iter(twins), None)
        enables = await session.exec(
            select(Intent).where(
                *on_it, Intent.action == "enable", Intent.state == IntentState.DONE
            )
        )
        # Whom somebody let send again since can be stopped anew.
        again = [act.finished_at for act in enables.all() if people & people_of(act)]
        last = max((at for at in again if at is not None), default=None)
        return next(
            (t for t in twins if t.finished_at is None or last is None or last < t.finished_at),
            None,
        )

    async def note(self, intent: Intent, before: Undo, earlier: Undo | None) -> Undo | None:
        """Write down how it is before the act, so that it can be taken back if it is cut off.

        Earlier tries that were cut off are taken back together with this one: returns what
        they found, after what was ``earlier`` than they.
        """
        async with self._store.session() as session:
            row = await session.get(Intent, intent.id)
            assert row is not None  # noqa: S101 - rows are never deleted
            row.undo_until = self._undoable_until(row)
            for cut in await cut_off_before(session, row):
                found = undo_of(cut)
                earlier = found if earlier is None else earlier.then(found)
                await hand_undo_on(session, cut, row)
                await touch(session, cut)
            row.undo = (before if earlier is None else earlier.then(before)).model_dump_json()
            session.add(row)
        return earlier

    async def left_to_undo(self, original: Intent) -> tuple[Undo, tuple[str, ...]]:
        """Return what taking an act back is to put back now, and sentences on what it is not."""
        async with self._store.session() as session:
            return await leave_to_later(session, original)

    def _undoable_until(self, row: Intent) -> datetime:
        return self._clock.now() + (self._kept if row.action == "delete" else _UNDO_LASTS)

    async def finish(
        self,
        actor: Actor,
        place: Place,
        intent: Intent,
        original: Intent | None,
        result: Result,
    ) -> str | None:
        """Write the result; return the intent to press to take it back, if any."""
        now = self._clock.now()
        async with self._store.session() as session:
            row = await session.get(Intent, intent.id)
            assert row is not None  # noqa: S101 - rows are never deleted
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
        return await self._intents.offer_undo(place, row.id) if undo is not None else None


async def _changed_since(session: AsyncSession, intent: Intent, follows: str | None) -> str | None:
    """Return why an act cannot be taken back, or gone on with, as it was; None where it can."""
    if follows is not None:
        before = await session.get(Intent, follows)
        if before is None or before.undone or await undos_under_way(session, follows):
            return tr(_TAKEN_BACK)
    if intent.undo_of is None:
        return None
    row = await session.get(Intent, intent.id, populate_existing=True)
    if row is None or row.undo_of != intent.undo_of:
        return tr("It went on meanwhile. Nothing was done; press the button again.")
    original = await session.get(Intent, intent.undo_of)
    if original is not None and original.state is IntentState.CLAIMED:
        return tr(
            "This is still under way, so it cannot be taken back yet. Nothing was done; try "
            "again when it has ended."
        )
    if original is None or not undoable(original):
        return tr("There is nothing of this left to take back. Nothing was done.")
    return None


def repeated(before: Intent | None) -> str:
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


def audited(target: Target) -> dict[str, object]:
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


def _ends(row: Intent, result: Result, now: datetime) -> datetime | None:
    """Return when the bot takes an act back by itself; a block ends on the mail server."""
    lasting = Target.model_validate_json(row.target).lasting
    if row.action != "disable" or lasting is None or not result.ok:
        return None
    return now + lasting
