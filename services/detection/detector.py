"""One poll of one mail server: take in, look, and keep the incidents true."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import perf_counter

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from services.audit import AuditLog, Line, Phase
from services.clock import Clock
from services.detection.campaigns import Tie
from services.detection.closing import summary_of
from services.detection.counting import (
    counted_first,
    counted_on,
    over_with,
    quiet,
    refreshed,
    whole_server,
    with_spool,
)
from services.detection.engine import Verdict
from services.detection.evidence import Evidence
from services.detection.ingest import Ingest, habit_of
from services.detection.life import Member, step
from services.detection.memory import Memory, dealt_with
from services.detection.merging import Merging, since_of
from services.hosts import host_of, spool_of
from services.incidents import campaign_of, group_of, open_key, redraw
from services.intents import touch_responses
from services.language import later, tr
from services.mail.port import MailServer, Network, SpoolCounts
from services.models import LIVE, Announcement, Incident, IncidentState
from services.origin import OriginOf
from services.people import BOT
from services.rules import Rules
from services.settings import DetectionSettings, SafetySettings
from services.store import Store
from services.traffic import (
    WINDOW,
    gather,
    senders_since,
    sent_by,
)
from services.tuning import confirm
from services.words import short, span

#: Who alarms again so soon after the incident was closed has that one reopened.
REOPENED_WITHIN = timedelta(hours=24)


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
        rules: Rules | None = None,
        trusted: Sequence[Network] = (),
        origin_of: OriginOf | None = None,
    ) -> None:
        """``trusted`` networks hold our own hosts: they count without a login, by address.

        ``origin_of`` says where an address is, if anything does.

        What the ``rules`` forbid to block makes no two accounts one campaign.
        """
        self._store = store
        self._audit = audit
        self._clock = clock
        self._settings = settings
        self._trusted = tuple(trusted)
        self._origin_of = origin_of
        self._ingest = Ingest(store, clock, habit_days=settings.habit_days, trusted=self._trusted)
        self._memories: dict[str, Memory] = {}
        self._rules = rules or Rules(SafetySettings())
        self._mergings: dict[str, Merging] = {}
        # Up to which message of each server the incidents were brought up to date.
        self._reached: dict[str, datetime] = {}

    def begin(self) -> None:
        """Take up what whoever polled until now has kept, instead of what was known here."""
        self._reached.clear()
        self._memories.clear()
        self._mergings.clear()

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
        return _explained(self._placed(evidence), verdict), verdict

    def _placed(self, evidence: Evidence) -> Evidence:
        """Return the evidence with where each address is, as far as that is known."""
        if self._origin_of is None:
            return evidence
        of = self._origin_of
        places = [
            share.model_copy(update={"origin": of(share.name)}) for share in evidence.addresses
        ]
        return evidence.model_copy(update={"addresses": tuple(places)})

    async def most(self, server: str, sender: str) -> int:
        """Return the most messages a sender ever sent in a day when nothing was wrong."""
        return await self._memory(server).most(sender)

    def _memory(self, server: str) -> Memory:
        if server not in self._memories:
            self._memories[server] = Memory(
                self._store, server, self._settings, self._trusted, self._origin_of
            )
        return self._memories[server]

    async def poll(self, server: MailServer) -> Poll:
        """Look once. Raises ServerDown or StoreError, with nothing lost for the next poll."""
        # A poll that fails after this leaves what it took in to the next one.
        if server.name not in self._reached:
            reached = await self._ingest.reached(server.name)
            self._reached[server.name] = reached or self._clock.now()
        taken = await self._ingest.take_in(server)
        reached = await self._ingest.reached(server.name)
        counts = await server.counts()
        now = self._clock.now()
        memory = self._memory(server.name)
        alarms = await memory.look(now)
        async with self._store.reading() as session:
            live = await self._live(session, server.name)
            over = await over_with(session, live)
        senders = {incident.sender for incident in live}
        names = list(dict.fromkeys([*senders, *alarms]))
        # The mail server is asked before the transaction opens: it may be slow.
        spool = await spool_of(server, [*names, *over.difference(names)])
        own = tuple(await server.own_networks()) if len(names) > 1 else ()
        opened, changed, begun = 0, False, perf_counter()
        verdicts, at = {}, {}
        for name in names:
            alarm = alarms.get(name)
            standing = memory.standing(name) or _nothing(name, now)
            verdict = verdicts[name] = standing if alarm is None or standing.alarming else alarm
            # What came late is shown as it was when it alarmed.
            late = name not in senders and now.timestamp() - verdict.at > 60
            at[name] = datetime.fromtimestamp(verdict.at, UTC) if late else now
        evidences = await self._evidences(server.name, at, now, live, verdicts)
        ties = await self._ties(server.name, live, verdicts, evidences, own, now)
        async with self._store.session() as session:
            standing_now = {row.sender: row for row in await self._live(session, server.name)}
            members: dict[str, Member] = {}
            for name in names:
                verdict, incident = verdicts[name], standing_now.get(name)
                found = evidences.get(name)
                evidence = found and _explained(
                    with_spool(found, spool[name], counts, now), verdict
                )
                if incident is not None:
                    evidence = evidence or quiet(incident, spool[name], counts, now)
                    members[name] = self._update(incident, evidence, verdict)
                elif (
                    evidence is not None
                    and verdict.alarming
                    and not await self._ended_since(session, server.name, name, now, verdict)
                ):
                    members[name] = await self._open(session, server.name, name, evidence, verdict)
                    opened += 1
            changed |= await self._merging(server.name).merge(session, members, ties, now)
            if over:
                changed |= await refreshed(session, members, spool, counts, now)
            changed |= await self._live_on(session, members, now) or opened > 0
        memory.handled(alarms)
        if reached is not None:
            self._reached[server.name] = reached
        return Poll(taken, opened, changed, counts, perf_counter() - begun)

    async def _ties(
        self,
        server: str,
        live: Sequence[Incident],
        verdicts: Mapping[str, Verdict],
        evidences: Mapping[str, Evidence],
        own: Sequence[Network],
        now: datetime,
    ) -> list[Tie]:
        """Return whose incidents, those about to be opened too, are one campaign."""
        # What our own hosts send has all kinds of authors, and nothing of theirs can be stopped.
        known = {
            row.sender: (campaign_of(row), since_of(row))
            for row in live
            if host_of(row.sender) is None
        }
        alarming = {
            name: evidence.first_at
            for name, evidence in evidences.items()
            if name not in known and host_of(name) is None and verdicts[name].alarming
        }
        async with self._store.reading() as session:
            return await self._merging(server).look(
                session, known, alarming, evidences.keys(), own, now
            )

    def _merging(self, server: str) -> Merging:
        if server not in self._mergings:
            self._mergings[server] = Merging(server, self._rules, self._audit)
        return self._mergings[server]

    async def _live_on(
        self, session: AsyncSession, members: Mapping[str, Member], now: datetime
    ) -> bool:
        """Move each campaign on in its life; return whether anything is new to show."""
        groups: defaultdict[int, list[Member]] = defaultdict(list)
        for member in members.values():
            groups[campaign_of(member.incident)].append(member)
        quiet = timedelta(minutes=self._settings.quiet_minutes)
        anything = False
        for campaign, group in groups.items():
            lead = await session.get(Incident, campaign)
            assert lead is not None  # noqa: S101 - rows are never deleted
            made = step(lead, group, now, quiet, self._settings.min_messages)
            if made.closed:
                for one in group:
                    one.incident.evidence = one.evidence.model_dump_json()
                    await confirm(session, one.incident, now)
                closed = [
                    row
                    for row in await group_of(session, campaign)
                    if row.state is IncidentState.CLOSED
                ]
                lines = await summary_of(session, closed)
                lead.summary = json.dumps(lines)
                over = tr("Closed: quiet for {time}.", time=span(quiet))
                made.lines.append(" ".join((over, *lines)))
            for text in made.lines:
                session.add(Announcement(at=now, incident_id=campaign, text=text))
            changed = bool(made.lines)
            for one in group:
                if one.changed or made.lines:
                    one.incident.evidence = one.evidence.model_dump_json()
                    one.incident.updated_at = now
                    changed |= not one.is_new or lead is not one.incident
                session.add(one.incident)
            if changed:
                lead.version += 1
            session.add(lead)
            if made.closed:
                await touch_responses(session, lead.server, campaign)
            anything |= changed
        return anything

    async def refresh(self, server: MailServer, incident_id: int) -> None:
        """Bring one incident's card up to date at once, after an act."""
        async with self._store.reading() as session:
            incident = await session.get(Incident, incident_id)
        if incident is None:
            return
        async with self._store.reading() as session:
            group = await group_of(session, campaign_of(incident))
        if not any(row.state in LIVE for row in group):
            return
        now = self._clock.now()
        counts = await server.counts()
        spool = await spool_of(server, [row.sender for row in group])
        async with self._store.session() as session:
            for row in await group_of(session, campaign_of(incident)):
                if row.sender in spool:
                    before = Evidence.model_validate_json(row.evidence)
                    evidence = with_spool(before, spool[row.sender], counts, now)
                    row.evidence = evidence.model_dump_json()
                    session.add(row)
            drawn = await session.get(Incident, incident_id)
            if drawn is not None:
                await redraw(session, drawn)

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
        self,
        server: str,
        at: Mapping[str, datetime],
        now: datetime,
        live: Sequence[Incident],
        verdicts: Mapping[str, Verdict],
    ) -> dict[str, Evidence]:
        """Return each sender's evidence at its moment, the queue figures left 0.

        Who has an incident and sent nothing lately, or since the last poll, is left out: there
        is nothing new.
        """
        before = {row.sender: Evidence.model_validate_json(row.evidence) for row in live}
        found: dict[str, Evidence] = {}
        tables: dict[datetime, dict[str, object]] = {}
        lately = min(now, self._reached.get(server, now)) - WINDOW
        async with self._store.reading() as session:
            busy = await senders_since(session, server, lately) if at else frozenset()
            for name, moment in at.items():
                if name in before and name not in busy:
                    continue
                past = moment != now
                if moment not in tables:
                    until = moment if past else None
                    tables[moment] = await whole_server(session, server, moment - WINDOW, until)
                habit = await habit_of(session, server, name, moment)
                gathered = await gather(session, server, name, moment, habit, past=past)
                evidence = self._placed(gathered)
                counted = (
                    await counted_on(session, server, name, before[name], now)
                    if name in before
                    else await counted_first(session, server, evidence, verdicts[name])
                )
                found[name] = evidence.model_copy(update=tables[moment] | counted)
        return found

    async def _open(
        self, session: AsyncSession, server: str, sender: str, evidence: Evidence, verdict: Verdict
    ) -> Member:
        """Open an incident, or the one again that was closed lately."""
        now = self._clock.now()
        incident = await self._closed_lately(session, server, sender, now)
        again = incident is not None
        if incident is None:
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
        else:
            evidence = await self._reopen(session, incident, evidence, verdict)
        await self._audit.append(
            session,
            Line(
                Phase.NOTE,
                later("incident reopened") if again else later("incident opened"),
                BOT,
                server,
                sender,
                incident.id,
                detail={"score": verdict.score, "reasons": list(evidence.reasons)},
            ),
        )
        return Member(incident, evidence, verdict.score, alarming=True, changed=True, is_new=True)

    async def _closed_lately(
        self, session: AsyncSession, server: str, sender: str, now: datetime
    ) -> Incident | None:
        """Return a sender's last incident if it was closed within a day, and not as false."""
        rows = await session.exec(
            select(Incident)
            .where(Incident.server == server, Incident.sender == sender)
            .order_by(col(Incident.id).desc())
            .limit(1)
        )
        last = rows.first()
        if (
            last is None
            or last.state is not IncidentState.CLOSED
            or last.state_at is None
            or now - last.state_at >= REOPENED_WITHIN
        ):
            return None
        return last

    async def _reopen(
        self, session: AsyncSession, incident: Incident, evidence: Evidence, verdict: Verdict
    ) -> Evidence:
        """Take up a closed incident again: the same card, the same thread."""
        now = self._clock.now()
        before = Evidence.model_validate_json(incident.evidence)
        lead = await session.get(Incident, campaign_of(incident)) or incident
        ago = span(now - (incident.state_at or now))
        incident.state, incident.state_by, incident.state_at = IncidentState.OPEN, BOT.name, now
        incident.open_key = open_key(incident.server, incident.sender)
        incident.reopened_at = incident.updated_at = now
        incident.quiet_since = incident.snoozed_until = None
        incident.noted_total = incident.noted_peak = None
        incident.containment = incident.containment_kind = ""
        incident.score = verdict.score
        others = [row for row in await group_of(session, lead.id or 0) if row.id != incident.id]
        if not any(row.state in LIVE for row in others):
            lead.summary, lead.severity, lead.worst = "", 0, 0
            lead.containment = lead.containment_kind = ""
        said = (
            tr(
                "Reopened: {sender} alarms again, {time} after it was closed.",
                sender=short(incident.sender or "<>", 80),
                time=ago,
            )
            if others
            else tr("Reopened: it alarms again, {time} after it was closed.", time=ago)
        )
        text = f"{said} {'; '.join(evidence.reasons[:2])}."
        session.add(incident)
        session.add(Announcement(at=now, incident_id=lead.id, text=text))
        since = max(evidence.first_at, before.last_at + timedelta(microseconds=1))
        more = await sent_by(session, incident.server, incident.sender, since)
        evidence = evidence.model_copy(
            update={
                "first_at": min(before.first_at, evidence.first_at),
                "earlier": before.total,
                "counted_until": since,
                "total": before.total + more.messages,
                "peak": max(before.peak, evidence.messages),
            }
        )
        incident.evidence = evidence.model_dump_json()
        lead.version += 1
        session.add(lead)
        return evidence

    def _update(self, incident: Incident, evidence: Evidence, verdict: Verdict) -> Member:
        """Return a live incident with what is known of it now."""
        now = self._clock.now()
        before = Evidence.model_validate_json(incident.evidence)
        if evidence.messages == 0:
            # The burst is over: its facts stay as they were, only the queues move.
            evidence = before.model_copy(
                update={
                    "queued": evidence.queued,
                    "held": evidence.held,
                    "spool_waiting": evidence.spool_waiting,
                    "spool_at": evidence.spool_at,
                    "messages": 0,
                    # Something may have come late, or while no poll worked.
                    "total": max(before.total, before.earlier + evidence.total),
                    "last_at": max(before.last_at, evidence.last_at),
                    "counted": evidence.counted,
                    "counted_until": evidence.counted_until,
                }
            )
        else:
            evidence = evidence.model_copy(
                update={
                    "first_at": min(before.first_at, evidence.first_at),
                    "earlier": before.earlier,
                    "total": max(before.total, before.earlier + evidence.total),
                    "peak": max(before.peak, evidence.messages),
                }
            )
            if not verdict.alarming:
                evidence = evidence.model_copy(
                    update={"reasons": before.reasons, "points": before.points}
                )
        # A day's evidence stands for a day; it is quiet once nothing is sent any more.
        if verdict.alarming and evidence.messages:
            incident.score = verdict.score
            incident.quiet_since = None
        elif incident.quiet_since is None:
            incident.quiet_since = now
        return Member(
            incident,
            evidence,
            verdict.score,
            alarming=verdict.alarming,
            changed=_shown(before) != _shown(evidence),
        )


def _shown(evidence: Evidence) -> object:
    """Return what the card shows of it, to tell whether it must be drawn anew."""
    tables = {"top_senders", "top_addresses", "spool_waiting", "all_messages"}
    return evidence.model_dump(exclude=tables | {"taken_at", "spool_at", "reasons", "points"})


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
