"""What stands in the database for those who watch the bot: open incidents, and what is unsaid."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case, func
from sqlmodel import and_, col, or_, select
from sqlmodel.ext.asyncio.session import AsyncSession

from bot.publisher import INCIDENT, LINE
from services.models import LIVE, Announcement, Incident, IncidentState, Posted
from services.store import Store


@dataclass(frozen=True, slots=True)
class Backlog:
    """How many messages a chat has yet to be sent or to have changed, and since when."""

    messages: int = 0
    oldest: datetime | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """What the database says at one moment."""

    incidents: dict[IncidentState, int]
    backlogs: dict[str, Backlog]  # by chat


async def standing(store: Store, chats: Sequence[str]) -> Standing:
    """Look at the database. Raises StoreError."""
    async with store.reading() as session:
        rows = await session.exec(
            select(Incident.state, func.count())
            .where(col(Incident.state).in_(LIVE))
            .group_by(col(Incident.state))
        )
        incidents = dict.fromkeys(LIVE, 0)
        incidents |= {IncidentState(state): number for state, number in rows.all()}
        backlogs = {chat: await _backlog(session, chat) for chat in chats}
    return Standing(incidents, backlogs)


async def _backlog(session: AsyncSession, chat: str) -> Backlog:
    number, moments = 0, []
    # An incident that goes on is written at each poll: one that was never shown waits for longer.
    waits = case(
        (col(Posted.message_id).is_(None), col(Incident.opened_at)), else_=Incident.updated_at
    )
    for kind, table, at in (
        (INCIDENT, Incident, waits),
        (LINE, Announcement, col(Announcement.at)),
    ):
        posted = and_(
            Posted.chat == chat,
            Posted.kind == kind,
            col(Posted.ref) == col(table.id),
        )
        found = await session.exec(
            select(func.count(), func.min(at))
            .select_from(table)
            .join(Posted, posted, isouter=True)
            .where(
                or_(
                    col(Posted.id).is_(None),
                    and_(col(Posted.error).is_(None), col(Posted.version) < col(table.version)),
                )
            )
        )
        behind, oldest = found.one()
        number += behind
        if oldest is not None:
            moments.append(oldest)
    return Backlog(number, min(moments, default=None))
