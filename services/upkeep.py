"""What the bot does by itself with acts: mends what a stop cut off, purges what was deleted."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace

from sqlmodel import col, select

from services.audit import AuditLog, Line, Phase
from services.clock import Clock
from services.errors import SpoolwardenError
from services.intents import touch, undo_of
from services.mail.port import MailServer, Queue, SpoolQuery
from services.models import Incident, Intent, IntentState
from services.people import BOT
from services.remedies import DELETED, MAX_MESSAGES, Result
from services.store import Store
from services.targets import Target

_log = logging.getLogger(__name__)


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
                await touch(session, intent)
        if cut:
            self._changed()
        return len(cut)

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
                intent.state, intent.finished_at = IntentState.FAILED, now
                intent.summary = "Nobody approved it in time. Nothing was done."
                session.add(intent)
                await touch(session, intent)
                await self._audit.append(
                    session,
                    Line(
                        Phase.DECIDED,
                        intent.action,
                        BOT,
                        intent.server,
                        Target.model_validate_json(intent.target).subject,
                        intent.incident_id,
                        intent.id,
                        {"approved": False, "expired": True, "asked_by": intent.asked_by},
                    ),
                )
        if over:
            self._changed()
        return len(over)

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
                await touch(session, row)
            await self._audit.append(session, replace(line, phase=Phase.RESULT, detail=tally))
        return tally["done"]
