"""Message traffic: how much mail there was, of which domains and accounts, by the server's own log.

It is counted as the log is read, in the transaction that moves on the place up to which it was:
no message is left out or counted twice. Outgoing is what was taken from who had logged in, or
from a host of our own; incoming is all else that was taken, and what somebody sends within their
own domain, counted for whom it is to, once for each. Deferred and rejected are of those that
went out: the other side put them off, or refused them, each counted once, by the first that it
had against it. Days and hours are UTC's.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, func
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import col, delete, select
from sqlmodel.ext.asyncio.session import AsyncSession

from services.mail.domains import domain_of
from services.mail.port import DEFERRED, REJECTED, News, Record, Submission
from services.models import Traffic, TrafficKind

_HOURS_KEPT = timedelta(days=8)
_DAYS_KEPT = timedelta(days=400)
_NAMES = 500
#: Anybody outside may write to any address of a domain that takes all: no more accounts than
#: this get a row of their own in a day because of mail to them.
MOST_ACCOUNTS = 50_000
_LONGEST = 256


class View(StrEnum):
    """What a report shows."""

    TREND = "trend"
    DOMAINS = "domains"
    USERS = "users"  # of one domain


@dataclass(frozen=True, slots=True)
class Tally:
    """How many messages."""

    outgoing: int = 0
    incoming: int = 0
    deferred: int = 0
    rejected: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.outgoing + other.outgoing,
            self.incoming + other.incoming,
            self.deferred + other.deferred,
            self.rejected + other.rejected,
        )


@dataclass(frozen=True, slots=True)
class Row:
    """What a domain or an account had, and what it sent in the period before."""

    name: str
    tally: Tally
    before: int


_Key = tuple[TrafficKind, datetime, str]


# The same few names come again and again in a batch.
_domain_of = lru_cache(maxsize=10_000)(domain_of)


class _Counting:
    """Adds up what a batch of the log tells."""

    def __init__(self) -> None:
        self.tallies: dict[_Key, Tally] = {}

    def add(self, at: datetime, accounts: Sequence[str], tally: Tally) -> None:
        """Count a message once for everybody, once for each domain and once for each account."""
        hour = at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        day = hour.replace(hour=0)
        names = list(dict.fromkeys(account.lower()[:_LONGEST] for account in accounts))
        # A null sender, or a login without a domain, is in no domain, and is told as an account.
        domains = list(dict.fromkeys(domain for name in names if (domain := _domain_of(name))))
        for name in ("", *domains):
            self._add((TrafficKind.HOUR, hour, name), tally)
            self._add((TrafficKind.DAY, day, name), tally)
        for name in names:
            if name:
                self._add((TrafficKind.ACCOUNT, day, name), tally)

    def _add(self, key: _Key, tally: Tally) -> None:
        self.tallies[key] = self.tallies.get(key, Tally()) + tally


async def count_in(
    session: AsyncSession, server: str, told: Iterable[tuple[Record, Record | None]]
) -> None:
    """Count what the log told: each record, and as whose it counts, None for nobody's."""
    counting = _Counting()
    for item, counted in told:
        if isinstance(item, News):
            if counted is not None and item.outcome:
                assert isinstance(counted, News)  # noqa: S101 - as it came in
                counting.add(item.at, [counted.account], _of(item.outcome))
        elif counted is None:
            counting.add(item.at, item.addressees, Tally(incoming=1))
        else:
            assert isinstance(counted, Submission)  # noqa: S101 - as it came in
            tally = Tally(outgoing=1) + _of(item.outcome)
            counting.add(item.at, [counted.sender], tally)
            own = _domain_of(counted.sender)
            within = [to for to in item.addressees if own and _domain_of(to) == own]
            if within:
                counting.add(item.at, within, Tally(incoming=1))
    await _save(session, server, await _bounded(session, server, counting.tallies))


def _of(outcome: str) -> Tally:
    return Tally(deferred=outcome == DEFERRED, rejected=outcome == REJECTED)


async def _bounded(
    session: AsyncSession, server: str, tallies: dict[_Key, Tally]
) -> dict[_Key, Tally]:
    """Return the tallies; of a day with very many accounts, without new ones that only received."""
    new: dict[datetime, list[str]] = {}
    for (kind, start, name), tally in tallies.items():
        if kind is TrafficKind.ACCOUNT and not tally.outgoing:
            new.setdefault(start, []).append(name)
    for day, names in new.items():
        of_day = (
            Traffic.server == server,
            Traffic.kind == TrafficKind.ACCOUNT,
            Traffic.start == day,
        )
        number = (await session.exec(select(func.count()).where(*of_day))).one()
        if number + len(names) <= MOST_ACCOUNTS:
            continue
        known: set[str] = set()
        for begin in range(0, len(names), _NAMES):
            some = select(Traffic.name).where(
                *of_day, col(Traffic.name).in_(names[begin : begin + _NAMES])
            )
            known |= set((await session.exec(some)).all())
        for name in names:
            if name not in known:
                del tallies[TrafficKind.ACCOUNT, day, name]
    return tallies


async def _save(session: AsyncSession, server: str, tallies: dict[_Key, Tally]) -> None:
    if not tallies:
        return
    dialect = session.get_bind().dialect.name
    upsert = (postgresql if dialect == "postgresql" else sqlite).insert(Traffic)
    await session.exec(
        upsert.on_conflict_do_update(
            index_elements=["server", "kind", "start", "name"],
            set_={
                name: getattr(Traffic, name) + getattr(upsert.excluded, name)
                for name in Tally.__dataclass_fields__
            },
        ),
        params=[
            {
                "server": server,
                "kind": kind,
                "start": start,
                "name": name,
                "domain": _domain_of(name) if kind is TrafficKind.ACCOUNT else name,
                "outgoing": tally.outgoing,
                "incoming": tally.incoming,
                "deferred": tally.deferred,
                "rejected": tally.rejected,
            }
            for (kind, start, name), tally in tallies.items()
        ],
    )


async def forget_traffic(session: AsyncSession, now: datetime) -> None:
    """Forget what is too old to be asked for."""
    for kind, kept in (
        (TrafficKind.HOUR, _HOURS_KEPT),
        (TrafficKind.DAY, _DAYS_KEPT),
        (TrafficKind.ACCOUNT, _DAYS_KEPT),
    ):
        await session.exec(
            delete(Traffic).where(col(Traffic.kind) == kind, col(Traffic.start) < now - kept)
        )


@dataclass(frozen=True, slots=True)
class Period:
    """Whole days, both included."""

    first: date
    last: date
    daily: bool = False  # its hours are forgotten, so that its trend is by day however short it is

    def seen(self, now: datetime) -> "Period":
        """Return it as it can be told now."""
        return replace(self, daily=self.begin < now - _HOURS_KEPT)

    @property
    def days(self) -> int:
        """How many."""
        return (self.last - self.first).days + 1

    @property
    def before(self) -> "Period":
        """The period of the same length just before."""
        return Period(self.first - timedelta(days=self.days), self.first - timedelta(days=1))

    @property
    def step(self) -> timedelta:
        """How long a time one point of its trend stands for."""
        return timedelta(hours=1) if self.days <= 3 and not self.daily else timedelta(days=1)

    @property
    def begin(self) -> datetime:
        """When it begins."""
        return datetime.combine(self.first, time(), UTC)

    @property
    def end(self) -> datetime:
        """When it is over."""
        return datetime.combine(self.last + timedelta(days=1), time(), UTC)


_Where = tuple[ColumnElement[bool] | bool, ...]
_SUMS: tuple[Any, ...] = tuple(
    func.coalesce(func.sum(getattr(Traffic, name)), 0) for name in Tally.__dataclass_fields__
)


def _within(server: str, kind: TrafficKind, period: Period) -> _Where:
    return (
        Traffic.server == server,
        col(Traffic.kind) == kind,
        col(Traffic.start) >= period.begin,
        col(Traffic.start) < period.end,
    )


def _whose(domains: frozenset[str] | None) -> ColumnElement[bool]:
    """Return the condition for everybody's row, or for those of some domains."""
    return col(Traffic.name) == "" if domains is None else col(Traffic.name).in_(domains)


async def known_since(session: AsyncSession, server: str) -> date | None:
    """Return the first day of which anything was counted."""
    query = select(func.min(Traffic.start)).where(
        Traffic.server == server, col(Traffic.kind) == TrafficKind.DAY
    )
    first = (await session.exec(query)).first()
    return first.date() if first is not None else None


async def total(
    session: AsyncSession, server: str, period: Period, domains: frozenset[str] | None = None
) -> Tally:
    """Return what there was in all. ``domains`` narrows it to theirs."""
    query = select(*_SUMS).where(*_within(server, TrafficKind.DAY, period), _whose(domains))
    (sums,) = (await (await session.connection()).execute(query)).all()
    return Tally(*map(int, sums))


async def trend(
    session: AsyncSession,
    server: str,
    period: Period,
    until: datetime,
    domains: frozenset[str] | None = None,
) -> list[Tally]:
    """Return what there was in each step of a period, as far as it has come."""
    kind = TrafficKind.HOUR if period.step < timedelta(days=1) else TrafficKind.DAY
    query = (
        select(col(Traffic.start), *_SUMS)
        .where(*_within(server, kind, period), _whose(domains))
        .group_by(col(Traffic.start))
    )
    rows = (await (await session.connection()).execute(query)).all()
    found = {start: Tally(*map(int, sums)) for start, *sums in rows}
    starts = [period.begin]
    while (later := starts[-1] + period.step) < period.end and later <= until:
        starts.append(later)
    return [found.get(start, Tally()) for start in starts]


async def listing(
    session: AsyncSession,
    server: str,
    period: Period,
    view: View,
    *,
    domain: str = "",
    offset: int = 0,
    limit: int = 10,
    domains: frozenset[str] | None = None,
) -> tuple[list[Row], int]:
    """Return a page of domains, or of one domain's accounts, and how many there are in all.

    Who sent most comes first. ``domains`` narrows it to these.
    """
    kind = TrafficKind.ACCOUNT if view is View.USERS else TrafficKind.DAY
    name, outgoing = col(Traffic.name), func.sum(Traffic.outgoing)
    which: list[ColumnElement[bool] | bool] = [*_within(server, kind, period), name != ""]
    if view is View.USERS:
        which.append(col(Traffic.domain) == domain)
    if domains is not None:
        which.append(col(Traffic.domain).in_(domains))
    query = (
        select(name, *_SUMS)
        .where(*which)
        .group_by(name)
        .order_by(outgoing.desc(), func.sum(Traffic.incoming).desc(), name)
        .offset(offset)
        .limit(limit)
    )
    rows = (await (await session.connection()).execute(query)).all()
    number = (await session.exec(select(func.count(func.distinct(name))).where(*which))).one()
    names = [row[0] for row in rows]
    earlier = select(name, outgoing).where(*_within(server, kind, period.before)).group_by(name)
    if len(names) <= _NAMES:
        earlier = earlier.where(name.in_(names))
    before = {one: int(sent) for one, sent in (await session.exec(earlier)).all()}
    page = [Row(one, Tally(*map(int, sums)), before.get(one, 0)) for one, *sums in rows]
    return page, number
