"""One poll of one mail server: take in, look, and keep the incidents true."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import perf_counter

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from services.audit import AuditLog, Line, Phase
from services.clock import Clock
from services.detection.engine import Verdict
from services.detection.evidence import Evidence
from services.detection.ingest import Ingest, habit_of
from services.detection.memory import Memory, dealt_with
from services.mail.port import MailServer, Network, SenderSpool, SpoolCounts
from services.models import LIVE, Announcement, Incident, IncidentState
from services.people import BOT
from services.settings import DetectionSettings
from services.store import Store
from services.traffic import (
    WINDOW,
    gather,
    senders_since,
    sent_since,
    top_addresses,
    top_senders,
)
from services.words import count, span

_SHOWN = 5
# A stopped account may have had messages under way; later ones mean it is not stopped.
_GRACE = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Poll:
    """What one poll found. ``changed`` is true when a chat has something new to show.

    ``judging`` is how many seconds were spent on judging, with all that it needs at hand.
    """

    taken_in: int
    opened: int
    changed: bool
    spool: SpoolCounts
    judging: float


class Detector:
    """Finds the abused accounts of a mail server."""

    def __init__(
        self,
        store: Store,
        audit: AuditLog,
        clock: Clock,
        settings: DetectionSettings,
        *,
        trusted: Sequence[Network] = (),
    ) -> None:
        """``trusted`` networks hold our own hosts: they count without a login, by address."""
        self._store = store
        self._audit = audit
        self._clock = clock
        self._settings = settings
        self._trusted = tuple(trusted)
        self._ingest = Ingest(store, clock, habit_days=settings.habit_days, trusted=self._trusted)
        self._memories: dict[str, Memory] = {}

    def begin(self) -> None:
        """Take up what whoever polled until now has kept, instead of what was known here."""
        self._memories.clear()

    async def prune(self) -> None:
        """Keep what was learnt, and forget submissions and habits that are too old to matter."""
        for memory in self._memories.values():
            await memory.save()
        learnt = {name: memory.place for name, memory in self._memories.items()}
        await self._ingest.prune(learnt)

    async def why(self, server: str, sender: str) -> tuple[Evidence, Verdict] | None:
        """Return a sender's evidence now, incident or not; None if it never sent anything.

        The queue figures are left 0: they are the mail server's to tell.
        """
        now = self._clock.now()
        verdict = await self._memory(server).why(sender, now)
        if verdict is None:
            return None
        async with self._store.reading() as session:
            habit = await habit_of(session, server, sender, now)
            evidence = await gather(session, server, sender, now, habit)
        return _explained(evidence, verdict), verdict

    def _memory(self, server: str) -> Memory:
        if server not in self._memories:
            self._memories[server] = Memory(self._store, server, self._settings, self._trusted)
        return self._memories[server]

    async def poll(self, server: MailServer) -> Poll:
        """Look once. Raises ServerDown or StoreError, with nothing lost for the next poll."""
        taken = await self._ingest.take_in(server)
        counts = await server.counts()
        now = self._clock.now()
        memory = self._memory(server.name)
        alarms = await memory.look(now)
        async with self._store.reading() as session:
            live = await self._live(session, server.name)
        senders = {incident.sender for incident in live}
        names = list(dict.fromkeys([*senders, *alarms]))
        # The mail server is asked before the transaction opens: it may be slow.
        spool = await server.spool_of(names)
        opened, changed, begun = 0, False, perf_counter()
        verdicts, at = {}, {}
        for name in names:
            alarm = alarms.get(name)
            standing = memory.standing(name) or _nothing(name, now)
            verdict = verdicts[name] = standing if alarm is None or standing.alarming else alarm
            # What came late is shown as it was when it alarmed.
            late = name not in senders and now.timestamp() - verdict.at > 60
            at[name] = datetime.fromtimestamp(verdict.at, UTC) if late else now
        evidences = await self._evidences(server.name, at, now, senders)
        async with self._store.session() as session:
            standing_now = {row.sender: row for row in await self._live(session, server.name)}
            for name in names:
                verdict, incident = verdicts[name], standing_now.get(name)
                found = evidences.get(name)
                evidence = found and _explained(_with(found, spool[name], counts), verdict)
                if incident is not None:
                    evidence = evidence or _quiet(incident, spool[name], counts)
                    changed |= await self._update(session, incident, evidence, verdict)
                elif (
                    evidence is not None
                    and verdict.alarming
                    and not await self._ended_since(session, server.name, name, now, verdict)
                ):
                    await self._open(session, server.name, name, evidence, verdict)
                    opened, changed = opened + 1, True
        memory.handled(alarms)
        return Poll(taken, opened, changed, counts, perf_counter() - begun)

    async def refresh(self, server: MailServer, incident_id: int) -> None:
        """Bring one incident's card up to date at once, after an act."""
        async with self._store.reading() as session:
            incident = await session.get(Incident, incident_id)
        if incident is None or incident.state not in LIVE:
            return
        counts = await server.counts()
        spool = await server.spool_of((incident.sender,))
        async with self._store.session() as session:
            incident = await session.get(Incident, incident_id)
            if incident is None:
                return
            before = Evidence.model_validate_json(incident.evidence)
            evidence = _with(before, spool[incident.sender], counts)
            incident.evidence = evidence.model_dump_json()
            incident.version += 1
            session.add(incident)

    async def _live(self, session: AsyncSession, server: str) -> list[Incident]:
        query = select(Incident).where(
            Incident.server == server, col(Incident.open_key).is_not(None)
        )
        return list((await session.exec(query)).all())

    async def _ended_since(
        self, session: AsyncSession, server: str, sender: str, now: datetime, verdict: Verdict
    ) -> bool:
        """Whether somebody ended this sender's incident while this poll was looking at it."""
        ended = await dealt_with(session, server, now, (sender,))
        return ended.get(sender, 0.0) >= verdict.at

    async def _evidences(
        self, server: str, at: Mapping[str, datetime], now: datetime, live: Collection[str]
    ) -> dict[str, Evidence]:
        """Return each sender's evidence at its moment, the queue figures left 0.

        Who has an incident and sent nothing lately is left out: there is nothing new.
        """
        found: dict[str, Evidence] = {}
        tables: dict[datetime, dict[str, object]] = {}
        async with self._store.reading() as session:
            busy = await senders_since(session, server, now - WINDOW) if at else frozenset()
            for name, moment in at.items():
                if name in live and name not in busy:
                    continue
                if moment not in tables:
                    tables[moment] = await _tables(session, server, moment - WINDOW)
                habit = await habit_of(session, server, name, moment)
                evidence = await gather(session, server, name, moment, habit)
                found[name] = evidence.model_copy(update=tables[moment])
        return found

    async def _open(
        self, session: AsyncSession, server: str, sender: str, evidence: Evidence, verdict: Verdict
    ) -> None:
        now = self._clock.now()
        incident = Incident(
            server=server,
            sender=sender,
            open_key=open_key(server, sender),
            opened_at=now,
            updated_at=now,
            evidence=evidence.model_dump_json(),
            score=verdict.score,
        )
        session.add(incident)
        await session.flush()
        await self._audit.append(
            session,
            Line(
                Phase.NOTE,
                "incident opened",
                BOT,
                server,
                sender,
                incident.id,
                detail={"score": verdict.score, "reasons": list(evidence.reasons)},
            ),
        )

    async def _update(
        self, session: AsyncSession, incident: Incident, evidence: Evidence, verdict: Verdict
    ) -> bool:
        now = self._clock.now()
        before = Evidence.model_validate_json(incident.evidence)
        if evidence.messages == 0:
            # The burst is over: its facts stay as they were, only the queues move.
            evidence = before.model_copy(
                update={
                    "queued": evidence.queued,
                    "held": evidence.held,
                    "spool_waiting": evidence.spool_waiting,
                    "messages": 0,
                }
            )
        else:
            evidence = evidence.model_copy(
                update={
                    "first_at": min(before.first_at, evidence.first_at),
                    "total": max(before.total, evidence.total),
                    "peak": max(before.peak, evidence.messages),
                }
            )
            if not verdict.alarming:
                evidence = evidence.model_copy(
                    update={"reasons": before.reasons, "points": before.points}
                )
        changed = _shown(before) != _shown(evidence)
        # A day's evidence stands for a day; it is quiet once nothing is sent any more.
        if verdict.alarming and evidence.messages:
            incident.score = verdict.score
            incident.quiet_since = None
        elif incident.quiet_since is None:
            incident.quiet_since = now
        changed |= self._step(session, incident, evidence, verdict)
        if changed:
            incident.evidence = evidence.model_dump_json()
            incident.updated_at = now
            incident.version += 1
            session.add(incident)
        return changed

    def _step(
        self, session: AsyncSession, incident: Incident, evidence: Evidence, verdict: Verdict
    ) -> bool:
        """Move the incident on in its life where that is due, and say so."""
        now = self._clock.now()
        text = ""
        if incident.state is IncidentState.SNOOZED and incident.snoozed_until:
            if now >= incident.snoozed_until:
                text = "The snooze is over."
                incident.state, incident.snoozed_until = IncidentState.OPEN, None
        elif (
            incident.state is IncidentState.REMEDIED
            and incident.state_at
            and evidence.last_at > incident.state_at + _GRACE
            and verdict.alarming
        ):
            text = "It is sending again although it was stopped. Look at it once more."
            incident.state = IncidentState.OPEN
        quiet_for = timedelta(minutes=self._settings.quiet_minutes)
        if incident.quiet_since and now - incident.quiet_since >= quiet_for:
            text = (
                f"Closed: quiet for {span(quiet_for)}. "
                f"{count(evidence.total, 'message')} in all; {evidence.held:,} held, "
                f"{evidence.queued:,} waiting."
            )
            incident.state, incident.open_key = IncidentState.CLOSED, None
        if text:
            incident.state_at, incident.state_by = now, BOT.name
            session.add(Announcement(at=now, incident_id=incident.id, text=text))
        return bool(text)


def open_key(server: str, sender: str) -> str:
    """Return what a live incident of this sender holds, so that there is only one."""
    return f"{server}\n{sender}"


def _shown(evidence: Evidence) -> object:
    """Return what the card shows of it, to tell whether it must be drawn anew."""
    tables = {"top_senders", "top_addresses", "spool_waiting", "all_messages"}
    return evidence.model_dump(exclude=tables | {"taken_at", "reasons", "points"})


async def _tables(session: AsyncSession, server: str, since: datetime) -> dict[str, object]:
    """Return what a card shows of the whole server: the same for each incident of a poll."""
    return {
        "top_senders": tuple(await top_senders(session, server, since, _SHOWN)),
        "top_addresses": tuple(await top_addresses(session, server, since, _SHOWN)),
        "all_messages": await sent_since(session, server, since),
    }


def _with(evidence: Evidence, spool: SenderSpool, counts: SpoolCounts) -> Evidence:
    """Return the evidence with what the spool holds now."""
    return evidence.model_copy(
        update={"queued": spool.waiting, "held": spool.held, "spool_waiting": counts.waiting}
    )


def _quiet(incident: Incident, spool: SenderSpool, counts: SpoolCounts) -> Evidence:
    """Return the evidence of a sender that sent nothing lately."""
    before = Evidence.model_validate_json(incident.evidence)
    return _with(before, spool, counts).model_copy(update={"messages": 0})


def _explained(evidence: Evidence, verdict: Verdict) -> Evidence:
    """Return the evidence with the verdict's reasons and their points."""
    said = [reason for reason in verdict.reasons if reason.text]
    return evidence.model_copy(
        update={
            "reasons": tuple(reason.text for reason in said),
            "points": tuple(reason.points for reason in said),
        }
    )


def _nothing(user: str, now: datetime) -> Verdict:
    return Verdict(user, now.timestamp(), 0.0, ())
