"""Who sends most, a page at a time: users, client addresses or domains, and what they sent before.

Each is told beside the window of the same length just before, as far back as the bot has seen.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, case, func, null
from sqlalchemy.orm import Mapped
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from services.mail.domains import domain_of, is_of
from services.models import RecentSubmission, SenderHabit
from services.traffic import SENT


class Kind(StrEnum):
    """What is counted."""

    USERS = "users"
    IPS = "ips"
    DOMAINS = "domains"


class Window(StrEnum):
    """Over how long."""

    FIVE_MINUTES = "5m"
    HOUR = "1h"
    DAY = "24h"

    @property
    def length(self) -> timedelta:
        """How long it is."""
        return _LENGTHS[self]


_LENGTHS = {
    Window.FIVE_MINUTES: timedelta(minutes=5),
    Window.HOUR: timedelta(hours=1),
    Window.DAY: timedelta(hours=24),
}


@dataclass(frozen=True, slots=True)
class Rank:
    """One name's messages in the window, and in the one before."""

    name: str
    messages: int
    before: int


@dataclass(frozen=True, slots=True)
class Table:
    """One page of names, most first. ``known`` is whether the bot saw the window before, too."""

    ranks: Sequence[Rank]
    names: int  # on all pages
    messages: int  # of everybody
    before: int
    known: bool


async def table(
    session: AsyncSession,
    server: str,
    kind: Kind,
    window: Window,
    now: datetime,
    *,
    offset: int = 0,
    limit: int = 10,
    domains: frozenset[str] | None = None,
) -> Table:
    """Return a page of who sent most. ``domains`` narrows it to their senders; None is all."""
    since = now - window.length
    before = since - window.length
    at = col(RecentSubmission.at)
    which = (RecentSubmission.server == server, at > before, SENT)
    recent = func.sum(case((at > since, 1), else_=0))
    # What was counted in a stretch that began before then has been seen for so long.
    oldest = select(SenderHabit.start).where(
        SenderHabit.server == server, col(SenderHabit.start) < before
    )
    known = (await session.exec(oldest.limit(1))).first() is not None
    if kind is Kind.DOMAINS or domains is not None:
        ranks, whole = await _folded(session, which, recent, kind, domains)
        page, names = ranks[offset : offset + limit], len(ranks)
    else:
        column: Mapped[Any] = (
            col(RecentSubmission.sender) if kind is Kind.USERS else col(RecentSubmission.client_ip)
        )
        query = (
            select(column, recent, func.count())
            .where(*which, column.is_not(None))
            .group_by(column)
            .having(recent > 0)
            .order_by(recent.desc(), column)
            .offset(offset)
            .limit(limit)
        )
        page = [Rank(name, n, both - n) for name, n, both in (await session.exec(query)).all()]
        distinct = select(func.count(func.distinct(column))).where(*which, at > since)
        names = (await session.exec(distinct)).one()
        total = (await session.exec(select(recent, func.count()).where(*which))).one()
        whole = Rank("", total[0] or 0, total[1] - (total[0] or 0))
    return Table(page, names, whole.messages, whole.before, known)


async def _folded(
    session: AsyncSession,
    which: tuple[ColumnElement[bool] | bool, ...],
    recent: ColumnElement[int],
    kind: Kind,
    domains: frozenset[str] | None,
) -> tuple[list[Rank], Rank]:
    """Return all ranks, and what is theirs together: no database can tell a sender's domain."""
    sender = col(RecentSubmission.sender)
    # Told apart by address only where that is asked: it makes many more rows.
    address: Any = col(RecentSubmission.client_ip) if kind is Kind.IPS else null()
    groups = (sender, address) if kind is Kind.IPS else (sender,)
    query = select(sender, address, recent, func.count()).where(*which).group_by(*groups)
    now: Counter[str] = Counter()
    before: Counter[str] = Counter()
    whole = Rank("", 0, 0)
    for name, client_ip, number, both in (await session.exec(query)).all():
        if not is_of(name, domains):
            continue
        whole = Rank("", whole.messages + number, whole.before + both - number)
        key = {Kind.USERS: name, Kind.IPS: client_ip, Kind.DOMAINS: domain_of(name)}[kind]
        if key is not None:
            now[key] += number
            before[key] += both - number
    ordered = sorted((item for item in now.items() if item[1]), key=lambda i: (-i[1], i[0]))
    return [Rank(name, number, before[name]) for name, number in ordered], whole
