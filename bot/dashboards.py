"""What a mail server's dashboard shows now, for one person, the Home of a chat, or a channel."""

from datetime import datetime, timedelta

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from bot import spool_cards
from services.detection.evidence import Share
from services.mail.port import MailServer, Queue, SpoolCounts, SpoolQuery
from services.models import LIVE, Incident
from services.scope import Scope
from services.store import Store
from services.tables import Kind, Table, Window, table
from services.traffic import sent_since, top_addresses, top_senders

#: Seconds between two looks of one that is kept new.
EVERY = 20.0
_HOUR = timedelta(hours=1)
_TOP = 5


async def dashboard(
    server: MailServer, store: Store, now: datetime, scope: Scope
) -> spool_cards.Dashboard:
    """Return what is to be shown of a mail server to somebody with that scope.

    Raises ServerDown, StoreError.
    """
    counts = await _counts(server, scope)
    blocks = await server.blocks()
    async with store.reading() as session:
        live = await session.exec(
            select(Incident)
            .where(Incident.server == server.name, col(Incident.state).in_(LIVE))
            .order_by(col(Incident.id).desc())
        )
        senders, addresses, sent = await _sent(session, server.name, now, scope)
        return spool_cards.Dashboard(
            server=server.name,
            counts=counts,
            senders=senders,
            addresses=addresses,
            sent=sent,
            incidents=[row for row in live.all() if scope.holds(row.sender)],
            taken_at=now,
            blocks=len(blocks),
            only=scope.note,
        )


async def _counts(server: MailServer, scope: Scope) -> SpoolCounts:
    """Return how much of a scope the spool holds; of a part of it nothing tells the bytes."""
    if scope.everything:
        return await server.counts()
    number = {}
    for queue in Queue:
        query = scope.query(SpoolQuery(queues=(queue,)))
        number[queue.value] = (await server.search(query, limit=1)).total
    return SpoolCounts(**number, size=0)


async def _sent(
    session: AsyncSession, server: str, now: datetime, scope: Scope
) -> tuple[list[Share], list[Share], int]:
    """Return who of a scope sent most in the last hour, from where most, and how much in all."""
    if scope.everything:
        return (
            await top_senders(session, server, now - _HOUR, _TOP),
            await top_addresses(session, server, now - _HOUR, _TOP),
            await sent_since(session, server, now - _HOUR),
        )
    users, addresses = [
        await table(session, server, kind, Window.HOUR, now, limit=_TOP, domains=scope.domains)
        for kind in (Kind.USERS, Kind.IPS)
    ]
    return _shares(users), _shares(addresses), users.messages


def _shares(found: Table) -> list[Share]:
    return [Share(name=rank.name, messages=rank.messages) for rank in found.ranks]
