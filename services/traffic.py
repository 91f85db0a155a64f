"""What was sent lately: top senders, top addresses, and one sender's evidence, by SQL."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import func
from sqlalchemy.orm import Mapped
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from services.detection.engine import network_of
from services.detection.evidence import Evidence, Habit, Share
from services.models import RecentSubmission
from services.scope import Scope

#: The stretch that habits and alerts are counted in.
WINDOW = timedelta(minutes=5)
_DAY = timedelta(hours=24)


async def top_senders(
    session: AsyncSession, server: str, since: datetime, limit: int, *, at_least: int = 1
) -> list[Share]:
    """Return who sent most since then, most first."""
    return await _top(session, server, since, limit, at_least, col(RecentSubmission.sender))


class Sent(NamedTuple):
    """What some senders sent: who most, from where most, and how much in all."""

    senders: list[Share]
    addresses: list[Share]
    messages: int


async def sent_in(
    session: AsyncSession, server: str, since: datetime, limit: int, scope: Scope
) -> Sent:
    """Return what the senders of a scope sent since then; nobody else is counted in it."""
    if scope.everything:
        return Sent(
            await top_senders(session, server, since, limit),
            await top_addresses(session, server, since, limit),
            await sent_since(session, server, since),
        )
    sender, address = col(RecentSubmission.sender), col(RecentSubmission.client_ip)
    query = (
        select(sender, address, func.count())
        .where(RecentSubmission.server == server, col(RecentSubmission.at) > since)
        .group_by(sender, address)
    )
    senders: Counter[str] = Counter()
    addresses: Counter[str] = Counter()
    # Which domain a sender is of is told in one place; no database can tell it.
    for name, client, number in (await session.exec(query)).all():
        if scope.holds(name):
            senders[name] += number
            if client is not None:
                addresses[client] += number
    return Sent(_most(senders, limit), _most(addresses, limit), senders.total())


async def top_addresses(
    session: AsyncSession, server: str, since: datetime, limit: int
) -> list[Share]:
    """Return the client IPs that sent most since then, most first."""
    return await _top(session, server, since, limit, 1, col(RecentSubmission.client_ip))


async def addresses_of(
    session: AsyncSession, server: str, sender: str, since: datetime, limit: int
) -> list[Share]:
    """Return the client IPs that one sender used since then, most used first."""
    address = col(RecentSubmission.client_ip)
    query = (
        select(address, func.count())
        .where(
            RecentSubmission.server == server,
            RecentSubmission.sender == sender,
            col(RecentSubmission.at) >= since,
            address.is_not(None),
        )
        .group_by(address)
        .order_by(func.count().desc(), address)
        .limit(limit)
    )
    return [Share(name=name or "", messages=n) for name, n in (await session.exec(query)).all()]


async def top_domains(
    session: AsyncSession, server: str, since: datetime, limit: int
) -> list[Share]:
    """Return the domains whose accounts sent most since then, most first."""
    totals: Counter[str] = Counter()
    for share in await top_senders(session, server, since, 100_000):
        totals[share.name.rpartition("@")[2]] += share.messages
    return _most(totals, limit)


class Use(NamedTuple):
    """One account's use of a client IP."""

    sender: str
    messages: int
    first_at: datetime
    last_at: datetime


async def users_of(
    session: AsyncSession, server: str, client_ip: str, since: datetime, limit: int
) -> list[Use]:
    """Return which accounts sent from a client IP since then, and when, most first."""
    at, number = col(RecentSubmission.at), func.count()
    query = (
        select(RecentSubmission.sender, number, func.min(at), func.max(at))
        .where(
            RecentSubmission.server == server,
            RecentSubmission.client_ip == client_ip,
            at >= since,
        )
        .group_by(col(RecentSubmission.sender))
        .order_by(number.desc(), col(RecentSubmission.sender))
        .limit(limit)
    )
    return [Use(*row) for row in (await session.exec(query)).all()]


async def sent_since(session: AsyncSession, server: str, since: datetime) -> int:
    """Return how many messages the server accepted since then."""
    query = select(func.count()).where(
        RecentSubmission.server == server, col(RecentSubmission.at) > since
    )
    return (await session.exec(query)).one()


async def gather(
    session: AsyncSession, server: str, sender: str, now: datetime, habit: Habit
) -> Evidence:
    """Return one sender's evidence for the window that ends now; queue figures are left 0."""
    mine = (RecentSubmission.server == server, RecentSubmission.sender == sender)
    since = now - WINDOW
    rows = (
        await session.exec(
            select(
                RecentSubmission.client_ip,
                RecentSubmission.subject_key,
                func.count(),
                func.sum(RecentSubmission.recipients),
            )
            .where(*mine, col(RecentSubmission.at) > since)
            .group_by(col(RecentSubmission.client_ip), col(RecentSubmission.subject_key))
        )
    ).all()
    addresses: Counter[str] = Counter()
    subjects: Counter[str] = Counter()
    recipients = 0
    for address, key, messages, to in rows:
        if address:
            addresses[address] += messages
        subjects[key] += messages
        recipients += to
    first_at, last_at, total = await _burst(session, mine, now, habit)
    key, repeated = subjects.most_common(1)[0] if subjects else ("", 0)
    sample = (
        await session.exec(
            select(RecentSubmission.subject)
            .where(*mine, col(RecentSubmission.at) > since, RecentSubmission.subject_key == key)
            .limit(1)
        )
    ).first()
    return Evidence(
        taken_at=now,
        window=int(WINDOW.total_seconds()),
        messages=subjects.total(),
        peak=subjects.total(),
        recipients=recipients,
        addresses=tuple(Share(name=n, messages=m) for n, m in addresses.most_common(25)),
        address_count=len(addresses),
        network_count=len({network_of(address) for address in addresses}),
        subject=sample or "",
        subject_messages=repeated,
        first_at=first_at,
        last_at=last_at,
        total=total,
        habit=habit,
    )


async def _burst(
    session: AsyncSession, mine: tuple[bool, bool], now: datetime, habit: Habit
) -> tuple[datetime, datetime, int]:
    """Return when the present burst began, its newest message, and its messages in all.

    Goes back window by window while each holds more than the sender's habit would.
    """
    ordinary = max(habit.high, 3)
    times: Sequence[datetime] = (
        await session.exec(
            select(RecentSubmission.at)
            .where(*mine, col(RecentSubmission.at) > now - _DAY)
            .order_by(col(RecentSubmission.at).desc())
        )
    ).all()
    if not times:
        return now, now, 0
    begin, taken, end = times[0], 0, times[0]
    while taken < len(times):
        edge = end - WINDOW
        inside = taken
        while inside < len(times) and times[inside] > edge:
            inside += 1
        if taken and inside - taken <= ordinary:
            break
        taken = inside
        begin, end = times[taken - 1], edge
    return begin, times[0], taken


def _most(totals: Counter[str], limit: int) -> list[Share]:
    ordered = sorted(totals.items(), key=lambda item: (-item[1], item[0]))
    return [Share(name=name, messages=n) for name, n in ordered[:limit]]


async def _top(
    session: AsyncSession,
    server: str,
    since: datetime,
    limit: int,
    at_least: int,
    column: Mapped[Any],
) -> list[Share]:
    query = (
        select(column, func.count().label("messages"))
        .where(
            RecentSubmission.server == server,
            col(RecentSubmission.at) > since,
            column.is_not(None),
        )
        .group_by(column)
        .having(func.count() >= at_least)
        .order_by(func.count().desc(), column)
        .limit(limit)
    )
    return [Share(name=name, messages=n) for name, n in (await session.exec(query)).all()]
