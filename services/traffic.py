"""What was sent lately: top senders, top addresses, and one sender's evidence, by SQL."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from ipaddress import IPv4Network, ip_network
from typing import Any, NamedTuple

import orjson
from sqlalchemy import ColumnElement, func
from sqlalchemy.orm import Mapped
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from services.detection.engine import network_of
from services.detection.evidence import Evidence, Habit, Share
from services.mail.domains import is_of
from services.mail.port import Network
from services.models import RecentSubmission
from services.rules import plain

#: What was sent, and not news of that.
SENT = col(RecentSubmission.recipients) > 0
#: The stretch that habits and alerts are counted in.
WINDOW = timedelta(minutes=5)
#: How long single submissions are kept: a day, and the day before to compare it with.
KEPT = timedelta(hours=48)
_DAY = timedelta(hours=24)
# At a time, so that the chats are answered meanwhile.
_CHUNK = 2000


async def top_senders(
    session: AsyncSession,
    server: str,
    since: datetime,
    limit: int,
    *,
    at_least: int = 1,
    until: datetime | None = None,
) -> list[Share]:
    """Return who sent most since then, most first; ``until`` is the end where it is not now."""
    sender = col(RecentSubmission.sender)
    return await _top(session, server, since, until, limit, at_least, sender)


async def top_addresses(
    session: AsyncSession,
    server: str,
    since: datetime,
    limit: int,
    *,
    until: datetime | None = None,
) -> list[Share]:
    """Return the client IPs that sent most since then, most first; ``until`` as for senders."""
    return await _top(session, server, since, until, limit, 1, col(RecentSubmission.client_ip))


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
            SENT,
        )
        .group_by(address)
        .order_by(func.count().desc(), address)
        .limit(limit)
    )
    return [Share(name=name or "", messages=n) for name, n in (await session.exec(query)).all()]


class Use(NamedTuple):
    """One account's use of client IPs, or of one IP by accounts: ``name`` is the other side."""

    name: str
    messages: int
    first_at: datetime
    last_at: datetime


async def users_of(
    session: AsyncSession,
    server: str,
    network: Network,
    since: datetime,
    *,
    domains: frozenset[str] | None = None,
) -> list[Use]:
    """Return which accounts sent from an address or network since then, most first.

    ``domains`` narrows it to their accounts; None is all.
    """
    at, sender = col(RecentSubmission.at), col(RecentSubmission.sender)
    address = col(RecentSubmission.client_ip)
    query = (
        select(sender, address, func.count(), func.min(at))
        .where(*_likely_from(server, network, since), SENT)
        .group_by(sender, address)
        .add_columns(func.max(at))
    )
    found: dict[str, Use] = {}
    # SQLModel's own exec() knows no rows of more than four.
    rows = await (await session.connection()).execute(query)
    for number, (name, client_ip, messages, first_at, last_at) in enumerate(rows):
        if not number % _CHUNK:
            await asyncio.sleep(0)  # a whole network may be all there is
        if not _is_in(client_ip, network) or not is_of(name, domains):
            continue
        one = found.get(name) or Use(name, 0, first_at, last_at)
        found[name] = Use(
            name,
            messages + one.messages,
            min(first_at, one.first_at),
            max(last_at, one.last_at),
        )
    return sorted(found.values(), key=lambda use: (-use.messages, use.name))


async def failed_logins(
    session: AsyncSession,
    server: str,
    network: Network,
    since: datetime,
    *,
    domains: frozenset[str] | None = None,
) -> int:
    """Return how many logins failed just before messages came from there, where that is told."""
    sender, address = col(RecentSubmission.sender), col(RecentSubmission.client_ip)
    facts = col(RecentSubmission.facts)
    told = select(sender, address, facts).where(
        *_likely_from(server, network, since), facts.contains('"failures"')
    )
    return sum(
        int(orjson.loads(known).get("failures", 0))
        for name, client_ip, known in (await session.exec(told)).all()
        if _is_in(client_ip, network) and is_of(name, domains)
    )


async def addresses_used(
    session: AsyncSession, server: str, sender: str, since: datetime
) -> list[Use]:
    """Return which client IPs one sender used since then, most first; "" where none is known."""
    at, address = col(RecentSubmission.at), col(RecentSubmission.client_ip)
    number = func.count()
    query = (
        select(address, number, func.min(at), func.max(at))
        .where(
            RecentSubmission.server == server, RecentSubmission.sender == sender, at >= since, SENT
        )
        .group_by(address)
        .order_by(number.desc(), address)
    )
    rows = (await session.exec(query)).all()
    return [Use(name or "", messages, first, last) for name, messages, first, last in rows]


def _likely_from(
    server: str, network: Network, since: datetime
) -> tuple[ColumnElement[bool] | bool, ...]:
    """Return the conditions that a network's submissions meet, and some others besides.

    The database has addresses as text, so _is_in() must look at each that is found.
    """
    address = col(RecentSubmission.client_ip)
    likely = address.contains(":")
    if isinstance(network, IPv4Network):
        octets = str(network.network_address).split(".")
        whole = network.prefixlen // 8
        likely = address.contains(".".join(octets[:whole]) + "." * (whole < len(octets)))
    return RecentSubmission.server == server, col(RecentSubmission.at) >= since, likely


def _is_in(client_ip: str | None, network: Network) -> bool:
    try:
        address = plain(ip_network(client_ip or ""))
    except ValueError:
        return False
    return address.version == network.version and address.network_address in network


async def sent_since(
    session: AsyncSession, server: str, since: datetime, until: datetime | None = None
) -> int:
    """Return how many messages the server accepted since then; ``until`` as for senders."""
    query = select(func.count()).where(
        RecentSubmission.server == server, *_within(since, until), SENT
    )
    return (await session.exec(query)).one()


async def senders_since(session: AsyncSession, server: str, since: datetime) -> frozenset[str]:
    """Return who sent anything since then."""
    query = (
        select(RecentSubmission.sender)
        .where(RecentSubmission.server == server, col(RecentSubmission.at) > since)
        .distinct()
    )
    return frozenset((await session.exec(query)).all())


class Sent(NamedTuple):
    """How much one sender sent, and when the first and the last of it was."""

    messages: int
    first_at: datetime | None
    last_at: datetime | None


async def sent_by(
    session: AsyncSession,
    server: str,
    sender: str,
    since: datetime,
    before: datetime | None = None,
) -> Sent:
    """Return how much one sender sent since then, that moment with it; ``before`` is without."""
    at = col(RecentSubmission.at)
    query = select(func.count(), func.min(at), func.max(at)).where(
        RecentSubmission.server == server, RecentSubmission.sender == sender, at >= since, SENT
    )
    if before is not None:
        query = query.where(at < before)
    return Sent(*(await session.exec(query)).one())


async def begin_of(
    session: AsyncSession, server: str, sender: str, until: datetime, messages: int
) -> datetime | None:
    """Return when the first of a sender's last so many messages until then was sent.

    Of these, what came before the first from a network that is new with them is its owner's.
    """
    at, address = col(RecentSubmission.at), col(RecentSubmission.client_ip)
    mine = (
        RecentSubmission.server == server,
        RecentSubmission.sender == sender,
        at <= until,
        SENT,
    )
    newest = select(RecentSubmission.at).where(*mine).order_by(at.desc()).limit(messages).subquery()
    first: datetime | None = (await session.exec(select(func.min(newest.c.at)))).one()
    if first is None:
        return None
    began: dict[str, datetime] = {}
    used = select(address, func.min(at)).where(*mine, address.is_not(None)).group_by(address)
    for client_ip, begin in (await session.exec(used)).all():
        network = network_of(client_ip or "")
        began[network] = min(begin, began.get(network, begin))
    return min((begin for begin in began.values() if begin >= first), default=first)


async def gather(
    session: AsyncSession,
    server: str,
    sender: str,
    now: datetime,
    habit: Habit,
    *,
    past: bool = False,
) -> Evidence:
    """Return one sender's evidence for the window that ends now; queue figures are left 0.

    ``past`` is for a moment that is long over: what came after it is left out. Now, that is
    what a mail server sent whose clock is ahead.
    """
    mine: tuple[bool | ColumnElement[bool], ...] = (
        RecentSubmission.server == server,
        RecentSubmission.sender == sender,
        SENT,
    )
    if past:
        mine += (col(RecentSubmission.at) <= now,)
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
    session: AsyncSession, mine: tuple[bool | ColumnElement[bool], ...], now: datetime, habit: Habit
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


def _within(since: datetime, until: datetime | None) -> list[ColumnElement[bool]]:
    at = col(RecentSubmission.at)
    return [at > since] if until is None else [at > since, at <= until]


async def _top(
    session: AsyncSession,
    server: str,
    since: datetime,
    until: datetime | None,
    limit: int,
    at_least: int,
    column: Mapped[Any],
) -> list[Share]:
    query = (
        select(column, func.count().label("messages"))
        .where(
            RecentSubmission.server == server,
            *_within(since, until),
            column.is_not(None),
            SENT,
        )
        .group_by(column)
        .having(func.count() >= at_least)
        .order_by(func.count().desc(), column)
        .limit(limit)
    )
    return [Share(name=name, messages=n) for name, n in (await session.exec(query)).all()]
