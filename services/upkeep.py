"""What the bot does by itself with acts: mends what a stop cut off, purges what was deleted."""

import asyncio
import json
import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import delete
from sqlmodel import col, select
from sqlmodel.sql.expression import SelectOfScalar

from services.approval import give_up
from services.audit import AuditLog, Line, Phase
from services.clock import Clock
from services.errors import SpoolwardenError
from services.incidents import redraw
from services.intents import touch, undo_of, undos_under_way
from services.language import later, tr
from services.mail.port import MailServer, Queue, SpoolQuery
from services.message_remedies import DELETED, MAX_MESSAGES
from services.models import AuditEntry, Incident, Intent, IntentState
from services.people import BOT
from services.reconcile import truth
from services.remedy import Result
from services.store import Store
from services.targets import Target

_log = logging.getLogger(__name__)

_CUT_OFF = later(
    "Spoolwarden was stopped in the middle of this; part of it may have been done. "
    "It is safe to do it again: what is already so stays so."
)
_LEFT = later(
    "What came of this could not be written down; part of it or all of it may have been done. "
    "It is safe to do it again: what is already so stays so."
)
#: Until then whoever presses an old button hears that it is too old.
_UNUSED_KEPT = timedelta(days=30)
# A server that is down must not keep the bot from starting.
_PATIENCE = 20.0  # seconds


class Upkeep:
    """Runs at start-up and from time to time; holds no state of its own."""

    def __init__(
        self,
        store: Store,
        servers: Mapping[str, MailServer],
        audit: AuditLog,
        clock: Clock,
        changed: Callable[[], None],
    ) -> None:
        """Take ``changed``, which is called when the chats have something new to show."""
        self._store = store
        self._servers = servers
        self._audit = audit
        self._clock = clock
        self._changed = changed

    async def recover(self, living: Collection[int] = ()) -> int:
        """Mark acts that a stop of the bot cut off, and say so; return how many there were.

        Those that instances with a number in ``living`` have claimed are under way.
        """
        query = select(Intent).where(
            Intent.state == IntentState.CLAIMED,
            col(Intent.claimed_in).is_(None) | col(Intent.claimed_in).not_in(living),
        )
        async with self._store.reading() as session:
            # It is asked often, and where there is none it waits for nobody.
            some = (await session.exec(query.limit(1))).first() is not None
        return await self._recover(query if some else None, _CUT_OFF)

    async def recover_left(self, under_way: Collection[str]) -> int:
        """Mark acts that this instance, which lives, has left without an end; return how many.

        They were cut off with a job, or how they ended could not be written down. Those whose
        ids are in ``under_way``, which is looked at again and again, are being worked on.
        """
        query = select(Intent).where(
            Intent.state == IntentState.CLAIMED, Intent.claimed_in == self._store.number
        )
        async with self._store.reading() as session:
            some = any(row.id not in under_way for row in (await session.exec(query)).all())
        return await self._recover(query, _LEFT, under_way) if some else 0

    async def _recover(
        self, query: SelectOfScalar[Intent] | None, why: str, under_way: Collection[str] = ()
    ) -> int:
        cut = 0 if query is None else await self._mark(query, why, under_way)
        told = await self._tell_the_truth()
        if cut or told:
            self._changed()
        return cut

    async def _mark(
        self, cut_off: SelectOfScalar[Intent], why: str, under_way: Collection[str]
    ) -> int:
        async with self._store.session() as session:
            # Looked at only now: what ends meanwhile can't be written down before this is over.
            found = (await session.exec(cut_off)).all()
            cut = [intent for intent in found if intent.id not in under_way]
            for intent in cut:
                intent.state, intent.summary = IntentState.INTERRUPTED, tr(why)
                intent.doubted = True
                session.add(intent)
                if intent.undo_of is not None:
                    # Its line shows the button that is used up.
                    original = await session.get(Intent, intent.undo_of)
                    if original is not None:
                        await touch(session, original)
                if intent.incident_id is not None:
                    # The card that tells of it, which may be its campaign's, shows a button that
                    # is used up.
                    incident = await session.get(Incident, intent.incident_id)
                    if incident is not None:
                        await redraw(session, incident)
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
                await touch(session, intent)
        return len(cut)

    async def _tell_the_truth(self) -> int:
        """Say of what was cut off how it stands now; what a stop kept from being said, too."""
        async with self._store.reading() as session:
            untold = await session.exec(
                select(Intent).where(
                    Intent.state == IntentState.INTERRUPTED, col(Intent.doubted).is_(True)
                )
            )
            acts = [
                (intent, await session.get(Intent, intent.undo_of) if intent.undo_of else None)
                for intent in untold.all()
            ]
        told = 0
        for intent, original in acts:
            now = await self._truth(intent, (original or intent).action)
            if not now:
                continue
            async with self._store.session() as session:
                row = await session.get(Intent, intent.id)
                if row is not None and row.doubted and row.state is IntentState.INTERRUPTED:
                    row.summary, row.doubted = f"{row.summary} {now}", False
                    session.add(row)
                    await touch(session, row)
                    told += 1
        return told

    async def _truth(self, intent: Intent, remedy: str) -> str:
        server = self._servers.get(intent.server)
        if server is None:
            return tr("The mail server {server} is no longer configured.", server=intent.server)
        try:
            async with asyncio.timeout(_PATIENCE):
                return await truth(server, remedy, Target.model_validate_json(intent.target))
        except TimeoutError:
            why = tr("It did not answer within {seconds} s.", seconds=f"{_PATIENCE:.0f}")
        except SpoolwardenError as error:
            why = error.sentence
        return tr(
            "How it stands now could not be asked of {server}: {why}",
            server=intent.server,
            why=why,
        )

    async def expire(self) -> int:
        """Give up what nobody approved in time; return how many."""
        now = self._clock.now()
        async with self._store.session() as session:
            over = (
                await session.exec(
                    select(Intent).where(
                        Intent.state == IntentState.WAITING, col(Intent.expires_at) <= now
                    )
                )
            ).all()
            for intent in over:
                await give_up(
                    session,
                    self._audit,
                    intent,
                    BOT,
                    now,
                    tr("Nobody approved it in time. Nothing was done."),
                    expired=True,
                )
        if over:
            self._changed()
        return len(over)

    async def forget(self) -> int:
        """Forget buttons and forms that nobody used in their time, long ago; return how many."""
        async with self._store.session() as session:
            gone = await session.exec(
                delete(Intent).where(
                    col(Intent.state) == IntentState.OFFERED,
                    col(Intent.expires_at) < self._clock.now() - _UNUSED_KEPT,
                )
            )
        return gone.rowcount

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
                        # Of a deletion that failed in part or was cut off, some was done.
                        col(Intent.state).in_(
                            (
                                IntentState.CLAIMED,
                                IntentState.DONE,
                                IntentState.FAILED,
                                IntentState.INTERRUPTED,
                            )
                        ),
                        col(Intent.undo).is_not(None),
                        col(Intent.undone).is_(False),
                    )
                )
            ).all()
            brought_back = await undos_under_way(session, *(intent.id for intent in standing))
        due: list[Intent] = []
        # What was brought back and deleted anew is kept as long as the later deletion says.
        kept: dict[str, set[str]] = {}
        for intent in standing:
            under_way = intent.state is IntentState.CLAIMED or intent.id in brought_back
            if (intent.undo_until or now) <= now and not under_way:
                due.append(intent)
            else:
                kept.setdefault(intent.server, set()).update(undo_of(intent).in_folder)
        for intent in due:
            try:
                purged += await self._purge(intent, kept.get(intent.server, set()))
            except SpoolwardenError as error:
                _log.warning("%s: purging failed: %s", intent.server, error.sentence)
        if due:
            self._changed()
        return purged

    async def _purge(self, intent: Intent, kept: set[str]) -> int:
        server = self._servers.get(intent.server)
        if server is None:
            return 0  # it is no longer configured; what waits there stays
        query = SpoolQuery(queues=(Queue.QUARANTINE,), folder=DELETED)
        # Somebody may have brought some of them back by another way.
        still = set(await server.matching_ids(query, limit=MAX_MESSAGES)) - kept
        ids = [queue_id for queue_id in undo_of(intent).in_folder if queue_id in still]
        line = Line(Phase.INTENT, "purge", BOT, intent.server, intent_id=intent.id)
        begun = await self._begun(intent)
        if begun is None:
            await self._audit.write(replace(line, detail={"messages": len(ids)}))
        tally = Result("", tuple(await server.delete(ids))).tally()
        if begun is not None:
            # It was cut off, or failed, and is now done: one line before it, and one after it.
            tally["before"] = max(0, begun - tally["done"])
        async with self._store.session() as session:
            row = await session.get(Intent, intent.id)
            if row is not None:
                row.undo = None
                session.add(row)
                await touch(session, row)
            await self._audit.append(session, replace(line, phase=Phase.RESULT, detail=tally))
        return tally["done"]

    async def _begun(self, intent: Intent) -> int | None:
        """Return of how many messages an earlier purge of these was written down but not ended."""
        async with self._store.reading() as session:
            line = (
                await session.exec(
                    select(AuditEntry)
                    .where(AuditEntry.intent_id == intent.id, AuditEntry.action == "purge")
                    .order_by(col(AuditEntry.seq).desc())
                )
            ).first()
        if line is None or line.phase != Phase.INTENT.value:
            return None
        return int(json.loads(line.detail)["messages"])
