"""What was sent lately: top senders, top addresses, and one sender's evidence, by SQL."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network
from typing import Any

from sqlalchemy import func
from sqlalchemy.orm import Mapped
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from services.detection.evidence import Evidence, Habit, Share
from services.models import RecentSubmission

#: The stretch that habits and alerts are counted in.
WINDOW = timedelta(minutes=5)
_DAY = timedelta(hours=24)


async def top_senders(
    session: AsyncSession, server: str, since: datetime, limit: int, *, at_least: int = 1
) -> list[Share]:
    """Return who sent most since then, most first."""
    return await _top(session, server, since, limit, at_least, col(RecentSubmission.sender))


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


def network_of(address: str) -> str:
    """Return the /24 or /48 that a client IP is in; the text itself if it is no address."""
    try:
        length = 24 if ip_address(address).version == 4 else 48
        return str(ip_network(f"{address}/{length}", strict=False))
    except ValueError:
        return address


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
