"""The engine of each mail server, fed from the bot's tables and kept in them.

The submissions are in the database before the engine sees them, so its own state may lag
behind: it is saved now and then with the place up to which it has read, and after a
restart it reads on from there and stands where it stood. Several bots on one database
each read everything, and the one that has read furthest saves.
"""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import and_, case, func, or_
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from services.detection.engine import Engine, Event, Floors, Verdict
from services.mail.port import MAX_ADDRESSEES, Network, Record, Submission
from services.models import EngineState, Incident, Lesson, RecentSubmission, SenderState
from services.origin import OriginOf
from services.settings import DetectionSettings
from services.store import Store
from services.tuning import Tuned, tuned

# At a time, so that the chats are answered while a long backlog is read.
_CHUNK = 2000
_NAMES = 500
#: Unsaved events that are reread after a restart; a minute's work at most.
_UNSAVED = 20_000


class Memory:
    """One mail server's engine, and how far it has read."""

    def __init__(
        self,
        store: Store,
        server: str,
        settings: DetectionSettings,
        trusted: Sequence[Network] = (),
        origin_of: OriginOf | None = None,
    ) -> None:
        self._origin_of = origin_of
        self._store = store
        self._server = server
        self._settings = settings
        self._trusted = tuple(trusted)
        self._engine: Engine | None = None
        self._place = 0
        self._unsaved = 0
        # Senders whose kept state another bot has read further than we have.
        self._ahead: dict[str, int] = {}
        self._alarms: dict[str, Verdict] = {}
        self._over: dict[str, float] = {}
        # Two polls at once must not feed one engine the same rows.
        self._lock = asyncio.Lock()

    async def look(self, now: datetime) -> dict[str, Verdict]:
        """Read what is new and return who alarms. They stay until :meth:`handled`."""
        async with self._lock:
            async with self._store.reading() as session:
                engine = await self._opened(session)
                await self._read(session, engine, now)
            for verdict in engine.judge(now.timestamp()):
                before = self._alarms.get(verdict.user)
                if before is None or verdict.score > before.score:
                    self._alarms[verdict.user] = verdict
            # What was dealt with is not told again after a restart.
            over = self._over
            self._alarms = {
                user: one for user, one in self._alarms.items() if one.at > over.get(user, 0.0)
            }
            if self._unsaved >= _UNSAVED:
                await self._save()
            return dict(self._alarms)

    def handled(self, users: Iterable[str]) -> None:
        """Forget alarms that are in the database now."""
        for user in users:
            self._alarms.pop(user, None)

    async def why(self, user: str, now: datetime) -> Verdict | None:
        """Return how a sender stands, incident or not; None if it never sent anything."""
        async with self._lock, self._store.reading() as session:
            engine = await self._opened(session)
            await self._read(session, engine, now)
            await self._bring_back(session, engine, {user})
            return engine.why(user)

    async def most(self, user: str) -> int:
        """Return the most messages a sender ever sent in a day when nothing was wrong."""
        async with self._lock, self._store.reading() as session:
            engine = await self._opened(session)
            await self._bring_back(session, engine, {user})
            return engine.most(user)

    def standing(self, user: str) -> Verdict | None:
        """Return how a sender stood when last looked."""
        return self._engine.why(user) if self._engine is not None else None

    async def save(self) -> None:
        """Keep what the engine knows."""
        async with self._lock:
            await self._save()

    @property
    def place(self) -> int:
        """Return up to which row it has read."""
        return self._place

    async def _opened(self, session: AsyncSession) -> Engine:
        if self._engine is not None:
            return self._engine
        settings = self._settings
        engine = Engine(
            senders=settings.tracked_senders,
            floors=Floors(settings.min_messages, settings.min_messages_spread),
            trusted=self._trusted,
            origin_of=self._origin_of,
        )
        kept = await session.get(EngineState, self._server)
        if kept is not None:
            self._place = kept.place
            # The ones on their first day wait in memory; the others come when they send.
            state = orjson.loads(kept.common)
            names = {*state.get("newcomers", ()), *state.get("pending", ())}
            engine.restore(kept.common, await self._kept(session, names))
        self._engine = engine
        return engine

    async def _read(self, session: AsyncSession, engine: Engine, now: datetime) -> None:
        self._over = await dealt_with(session, self._server, now)
        taught = await session.exec(select(Lesson).where(Lesson.server == self._server))
        of_each: defaultdict[str, list[Lesson]] = defaultdict(list)
        for row in taught.all():
            of_each[row.sender].append(row)
        lessons = {sender: tuned(rows) for sender, rows in of_each.items()}
        while True:
            rows = (
                await session.exec(
                    select(RecentSubmission)
                    .where(
                        RecentSubmission.server == self._server,
                        col(RecentSubmission.id) > self._place,
                    )
                    .order_by(col(RecentSubmission.id))
                    .limit(_CHUNK)
                )
            ).all()
            await self._bring_back(session, engine, {row.sender for row in rows})
            # Before what came after it: what was called ordinary must not alarm in the reading.
            self._learn(engine, lessons)
            if rows:
                engine.take(_events(rows, self._ahead), now.timestamp())
                self._place = rows[-1].id or self._place
                self._unsaved += len(rows)
                self._ahead = {n: at for n, at in self._ahead.items() if at > self._place}
            self._learn(engine, lessons)
            if len(rows) < _CHUNK:
                return
            await asyncio.sleep(0)

    def _learn(self, engine: Engine, lessons: Mapping[str, Tuned]) -> None:
        for user, until in self._over.items():
            engine.clear(user, until)
        for user, lesson in lessons.items():
            engine.teach(user, lesson.messages, lesson.taught_at)
            engine.suspect(user, lesson.points, lesson.abused_at, lesson.until)

    async def _bring_back(self, session: AsyncSession, engine: Engine, names: set[str]) -> None:
        """Load the senders that are not in memory."""
        absent = {name for name in names if not engine.knows(name)}
        if absent:
            kept = await self._kept(session, absent)
            if kept:
                engine.restore(None, kept)

    async def _kept(self, session: AsyncSession, names: set[str]) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        ordered = sorted(names)
        for begin in range(0, len(ordered), _NAMES):
            rows = await session.exec(
                select(SenderState).where(
                    SenderState.server == self._server,
                    col(SenderState.sender).in_(ordered[begin : begin + _NAMES]),
                )
            )
            for row in rows.all():
                found[row.sender] = row.state
                if row.place > self._place:
                    self._ahead[row.sender] = row.place
        return found

    async def _save(self) -> None:
        engine = self._engine
        if engine is None:
            return
        # Whose alarm is in no incident yet is judged again by whoever reads on from here.
        for user in self._alarms:
            engine.judge_again(user)
        changed = engine.changed()
        common, place = engine.common(), self._place
        try:
            async with self._store.session() as session:
                kept = await session.get(EngineState, self._server)
                if kept is None or kept.place <= place:
                    await _write(session, self._server, changed, place)
                    await session.merge(
                        EngineState(server=self._server, place=place, common=common)
                    )
        except BaseException:
            engine.not_kept(changed)
            raise
        self._unsaved = 0


async def _write(session: AsyncSession, server: str, states: dict[str, bytes], place: int) -> None:
    if not states:
        return
    dialect = session.get_bind().dialect.name
    upsert = (postgresql if dialect == "postgresql" else sqlite).insert(SenderState)
    await session.exec(
        upsert.on_conflict_do_update(
            index_elements=["server", "sender"],
            set_={"state": upsert.excluded.state, "place": upsert.excluded.place},
        ),
        params=[
            {"server": server, "sender": sender, "place": place, "state": state}
            for sender, state in states.items()
        ],
    )


def facts_of(item: Record) -> str:
    """Return what else a server told of it, as JSON; "" if it told no more."""
    facts: dict[str, Any] = {}
    if isinstance(item, Submission) and item.addressees:
        facts["to"] = [address[:256] for address in item.addressees[:MAX_ADDRESSEES]]
    if item.outcome:
        facts["outcome"] = item.outcome
    if item.login_failures:
        facts["failures"] = item.login_failures
    if item.message:
        facts["id"] = item.message[:256]
    return orjson.dumps(facts).decode() if facts else ""


def _events(rows: Sequence[RecentSubmission], ahead: dict[str, int]) -> Iterator[Event]:
    for row in rows:
        if row.sender in ahead and (row.id or 0) <= ahead[row.sender]:
            continue  # its state has this one already
        facts: dict[str, Any] = orjson.loads(row.facts) if row.facts else {}
        at, ip = row.at.timestamp(), row.client_ip or ""
        failures, outcome = int(facts.get("failures", 0)), str(facts.get("outcome", ""))
        ident = str(facts.get("id", ""))
        if row.recipients and failures:  # before it
            yield Event(at, row.sender, ip, 0, failures=failures, id=ident and f"{ident}/logins")
        if row.recipients:
            yield Event(
                at,
                row.sender,
                ip,
                row.recipients,
                row.subject,
                row.size,
                tuple(facts.get("to", ())),
                id=ident,
            )
            failures = 0
        if failures or outcome:
            what = f"{ident}/{outcome}" if ident else ""
            yield Event(at, row.sender, ip, 0, outcome=outcome, failures=failures, id=what)


async def dealt_with(
    session: AsyncSession, server: str, now: datetime, senders: Collection[str] = ()
) -> dict[str, float]:
    """Return whose incident ended lately, or who was cleared, and when: nothing before counts.

    ``senders`` narrows it to these; empty means everybody.
    """
    lately = now - timedelta(hours=25)
    over = and_(col(Incident.open_key).is_(None), col(Incident.state_at) > lately)
    at = case((over, col(Incident.state_at)), else_=col(Incident.cleared_at))
    query = select(Incident.sender, at).where(
        Incident.server == server, or_(over, col(Incident.cleared_at) > lately)
    )
    if senders:
        query = query.where(col(Incident.sender).in_(senders))
    ended: dict[str, float] = {}
    for sender, at in (await session.exec(query)).all():
        if at is not None:
            ended[sender] = max(ended.get(sender, 0.0), at.timestamp())
    return ended


async def newest_row(session: AsyncSession) -> int:
    """Return the id of the newest submission, which stays: ids must never start again."""
    return (await session.exec(select(func.max(RecentSubmission.id)))).one() or 0
