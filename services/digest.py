"""Summaries at set local times: what happened, how fast it was found and stopped, what is due.

Each is one row in the database, made in one transaction with the line that tells it: so it is
told once, whoever leads and however often the bot is started. One that was missed is told
later, if that is not too late.
"""

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from statistics import median
from typing import NamedTuple
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict
from sqlalchemy import and_, case, func, or_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from services.clock import Clock
from services.detection.evidence import Evidence
from services.errors import MailServerError
from services.incidents import campaign_of, is_about, was_done_to
from services.mail.port import MailServer
from services.models import (
    Announcement,
    Digest,
    Incident,
    IncidentState,
    Intent,
    IntentState,
    SenderHabit,
)
from services.remedy import ENDS
from services.settings import WEEKDAYS, DigestSettings
from services.store import Store
from services.words import show_network

_log = logging.getLogger(__name__)

DAILY, WEEKLY = "daily", "weekly"
#: A summary that is later than this is left out: the next one is nearer.
LATEST = timedelta(hours=6)
_LISTED = 10
_MOVERS = 5


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True)


class Happened(_Value):
    """An incident, in short."""

    id: int
    sender: str
    server: str
    state: str


class Mover(_Value):
    """Who sent more than in the period before."""

    sender: str
    server: str
    messages: int
    before: int


class Ends(_Value):
    """A block that runs out in the next period."""

    network: str
    server: str
    until: datetime


class Failed(_Value):
    """An act that did not work out."""

    action: str
    by: str
    at: datetime
    summary: str


class Report(_Value):
    """What a summary tells. Times to detect and to stop are in seconds."""

    begin: datetime
    end: datetime
    incidents: tuple[Happened, ...] = ()
    more_incidents: int = 0
    false_alarms: int = 0  # of the incidents; those that were stopped first are not counted
    detected: tuple[float, ...] = ()
    stopped: tuple[float, ...] = ()
    movers: tuple[Mover, ...] = ()
    ends: tuple[Ends, ...] = ()
    more_ends: int = 0
    failed: tuple[Failed, ...] = ()
    more_failed: int = 0
    unknown: tuple[str, ...] = ()  # sentences on what could not be asked

    @property
    def is_quiet(self) -> bool:
        """Whether nothing happened that anybody has to know."""
        return not (self.incidents or self.ends or self.failed or self.unknown)


class Due(NamedTuple):
    """A summary that is due: its kind, its day there, what it is about, and when the next is."""

    kind: str
    day: str
    begin: datetime
    end: datetime
    next: datetime


class Timetable:
    """Knows when a summary is due.

    The local days are counted here: APScheduler's cron trigger leaves out the midnight after
    the clocks went forward, and finds a time that comes twice again and again.
    """

    def __init__(self, settings: DigestSettings) -> None:
        self._zone = ZoneInfo(settings.time_zone)
        self._times: dict[str, tuple[int | None, time]] = {}  # by kind: day of the week, and when
        if settings.daily is not None:
            self._times[DAILY] = None, time(*settings.daily)
        if settings.weekly is not None:
            day, at = settings.weekly
            self._times[WEEKLY] = WEEKDAYS.index(day), time(*at)

    @property
    def used(self) -> bool:
        """Whether there is to be any."""
        return bool(self._times)

    def due(self, now: datetime) -> list[Due]:
        """Return the newest summary of each kind whose time has come, if that is not too late."""
        found = []
        for kind in self._times:
            (day, end), (_, begin) = self._last_two(kind, now)
            if now - end <= LATEST:
                found.append(Due(kind, day.isoformat(), begin, end, self._next(kind, day)))
        return found

    def _next(self, kind: str, day: date) -> datetime:
        """Return when the one after a day's is due."""
        weekday, _ = self._times[kind]
        return self._moment(kind, day + timedelta(days=1 if weekday is None else 7))

    def _moment(self, kind: str, day: date) -> datetime:
        # Of a time that comes twice it is the first; one that is left out is an hour later.
        return datetime.combine(day, self._times[kind][1], self._zone).astimezone(UTC)

    def _last_two(self, kind: str, now: datetime) -> list[tuple[date, datetime]]:
        """Return the last two days on which one was due until now, and when; the newest first."""
        weekday, _ = self._times[kind]
        day, found = now.astimezone(self._zone).date(), list[tuple[date, datetime]]()
        while len(found) < 2:
            if weekday is None or day.weekday() == weekday:
                moment = self._moment(kind, day)
                if moment <= now:
                    found.append((day, moment))
            day -= timedelta(days=1)
        return found


class Digests:
    """Knows when a summary is due, and makes it."""

    def __init__(
        self,
        store: Store,
        servers: Mapping[str, MailServer],
        clock: Clock,
        settings: DigestSettings,
    ) -> None:
        self._store = store
        self._servers = servers
        self._clock = clock
        self._timetable = Timetable(settings)

    @property
    def used(self) -> bool:
        """Whether there is to be any."""
        return self._timetable.used

    async def look(self) -> bool:
        """Make what is due and was not made yet; return whether there was any."""
        made = False
        for due in self._timetable.due(self._clock.now()):
            made |= await self._make(due)
        return made

    async def _make(self, due: Due) -> bool:
        async with self._store.reading() as session:
            if await session.get(Digest, (due.kind, due.day)) is not None:
                return False
        report = await self._report(due)
        async with self._store.session() as session:
            if await session.get(Digest, (due.kind, due.day)) is not None:
                return False  # another instance was first
            line = Announcement(at=self._clock.now())
            session.add(line)
            await session.flush()
            assert line.id is not None  # noqa: S101 - it was just given one
            session.add(
                Digest(
                    kind=due.kind,
                    day=due.day,
                    announcement_id=line.id,
                    report=report.model_dump_json(),
                )
            )
        return True

    async def _report(self, due: Due) -> Report:
        ends, more, unknown = await self._ends(due)
        async with self._store.reading() as session:
            opened = await _opened(session, due)
            failed = await _failed(session, due)
            stopped = await _stopped(session, opened, due)
            false = [row for row in opened if row.state is IncidentState.FALSE_ALARM]
            return Report(
                begin=due.begin,
                end=due.end,
                incidents=tuple(
                    Happened(
                        id=row.id or 0,
                        sender=row.sender,
                        server=row.server,
                        state=row.state.value,
                    )
                    for row in opened[:_LISTED]
                ),
                more_incidents=len(opened[_LISTED:]),
                detected=tuple(_detected(row) for row in opened if row.opened_at >= due.begin),
                stopped=tuple(stopped.values()),
                false_alarms=sum(row.id not in stopped for row in false),
                movers=await _movers(session, due),
                ends=ends,
                more_ends=more,
                failed=tuple(
                    Failed(
                        action=row.action,
                        by=row.claimed_name or "",
                        at=row.claimed_at or due.end,
                        summary=row.summary,
                    )
                    for row in failed[:_LISTED]
                ),
                more_failed=len(failed[_LISTED:]),
                unknown=unknown,
            )

    async def _ends(self, due: Due) -> tuple[tuple[Ends, ...], int, tuple[str, ...]]:
        """Return which blocks run out before the next summary, and what could not be asked."""
        found: list[Ends] = []
        unknown: list[str] = []
        for name, server in self._servers.items():
            try:
                blocks = await server.blocks()
            except MailServerError as error:
                unknown.append(error.sentence)
                continue
            found += [
                Ends(network=show_network(block.network), server=name, until=block.until)
                for block in blocks
                if block.until is not None and block.until <= due.next
            ]
        found.sort(key=lambda one: one.until)
        return tuple(found[:_LISTED]), len(found[_LISTED:]), tuple(unknown)


def middle(seconds: Sequence[float]) -> timedelta:
    """Return the median of lengths of time, of which there must be some."""
    return timedelta(seconds=median(seconds))


async def _opened(session: AsyncSession, due: Due) -> Sequence[Incident]:
    """Return the incidents that were opened in that time, or opened again."""
    rows = await session.exec(
        select(Incident)
        .where(
            or_(
                *(
                    and_(at >= due.begin, at < due.end)
                    for at in (col(Incident.opened_at), col(Incident.reopened_at))
                )
            )
        )
        .order_by(col(Incident.id))
    )
    return rows.all()


def _detected(incident: Incident) -> float:
    first = Evidence.model_validate_json(incident.evidence).first_at
    return max(0.0, (incident.opened_at - first).total_seconds())


async def _stopped(
    session: AsyncSession, incidents: Sequence[Incident], due: Due
) -> dict[int | None, float]:
    """Return how long after its alert each incident was stopped, where it was, by its id.

    Of one that was opened again in that time it is the later alert, and what stopped it then.
    What was taken back does not count. An act on several accounts of a campaign stands on its
    card's incident, and stopped each of them.
    """
    ids = {incident_id for row in incidents for incident_id in (row.id, campaign_of(row))}
    rows = await session.exec(
        select(Intent)
        .where(
            col(Intent.incident_id).in_(ids),
            col(Intent.action).in_(ENDS),
            col(Intent.state).in_((IntentState.DONE, IntentState.FAILED)),
            col(Intent.undone).is_(False),
            col(Intent.finished_at).is_not(None),
        )
        .order_by(col(Intent.finished_at))
    )
    acts: defaultdict[int | None, list[Intent]] = defaultdict(list)
    for act in rows.all():
        acts[act.incident_id].append(act)
    found: dict[int | None, float] = {}
    for row in incidents:
        moments = [
            act.finished_at
            for place in {row.id, campaign_of(row)}
            for act in acts[place]
            if is_about(act, row) and was_done_to(act, row.sender) and act.finished_at is not None
        ]
        alerted = row.opened_at
        if row.reopened_at is not None and row.reopened_at < due.end:
            alerted = row.reopened_at
            moments = [moment for moment in moments if moment >= alerted]
        if moments:
            found[row.id] = max(0.0, (min(moments) - alerted).total_seconds())
    return found


async def _movers(session: AsyncSession, due: Due) -> tuple[Mover, ...]:
    """Return who sent most more than in a period of that length before."""
    before = due.begin - (due.end - due.begin)
    start, messages = col(SenderHabit.start), col(SenderHabit.messages)
    now = func.sum(case((start >= due.begin, messages), else_=0))
    then = func.sum(case((start < due.begin, messages), else_=0))
    rows = await session.exec(
        select(SenderHabit.sender, SenderHabit.server, now, then)
        .where(start >= before, start < due.end)
        .group_by(col(SenderHabit.sender), col(SenderHabit.server))
        .having(now > then)
        .order_by((now - then).desc(), col(SenderHabit.sender))
        .limit(_MOVERS)
    )
    return tuple(
        Mover(sender=sender, server=server, messages=int(sent), before=int(earlier))
        for sender, server, sent, earlier in rows.all()
    )


async def _failed(session: AsyncSession, due: Due) -> Sequence[Intent]:
    rows = await session.exec(
        select(Intent)
        .where(
            col(Intent.state).in_((IntentState.FAILED, IntentState.INTERRUPTED)),
            col(Intent.claimed_at) >= due.begin,
            col(Intent.claimed_at) < due.end,
        )
        .order_by(col(Intent.claimed_at))
    )
    return rows.all()
