"""What a card counts: all that a sender sent since its incident began, and what waits of it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from sqlmodel import col, or_, select
from sqlmodel.ext.asyncio.session import AsyncSession

from services.detection.engine import Verdict
from services.detection.evidence import Evidence
from services.detection.life import Member
from services.incidents import campaign_of, group_of, redraw
from services.mail.port import SenderSpool, SpoolCounts
from services.models import Incident
from services.traffic import begin_of, sent_by, sent_since, top_addresses, top_senders

_SHOWN = 5
#: What was sent is counted anew for so long, as the log may be late; then half of that is kept
#: as a number, as single submissions are not kept for ever.
_COUNTED_ANEW = timedelta(hours=24)


async def over_with(session: AsyncSession, live: Sequence[Incident]) -> set[str]:
    """Return whose incidents are over while others of their campaigns live."""
    campaigns = {campaign_of(row) for row in live}
    if not campaigns:
        return set()
    rows = await session.exec(
        select(Incident.sender).where(
            or_(col(Incident.id).in_(campaigns), col(Incident.campaign).in_(campaigns)),
            col(Incident.open_key).is_(None),
        )
    )
    return set(rows.all())


async def refreshed(
    session: AsyncSession,
    members: Mapping[str, Member],
    spool: Mapping[str, SenderSpool],
    counts: SpoolCounts,
    now: datetime,
) -> bool:
    """Bring what the spool holds up to date of those whose incident is over, on others' cards."""
    changed = False
    for campaign in {campaign_of(member.incident) for member in members.values()}:
        for row in await group_of(session, campaign):
            if row.open_key is not None or row.sender not in spool:
                continue
            before = Evidence.model_validate_json(row.evidence)
            # An account's newer incident tells of what it has there, and one of them is enough.
            found = SenderSpool(0, 0) if row.sender in members else spool[row.sender]
            if (before.queued, before.held) == (found.waiting, found.held):
                continue
            row.evidence = with_spool(before, found, counts, now).model_dump_json()
            await redraw(session, row)
            changed = True
    return changed


async def whole_server(
    session: AsyncSession, server: str, since: datetime, until: datetime | None
) -> dict[str, object]:
    """Return what a card shows of the whole server: the same for each incident of a poll."""
    return {
        "top_senders": tuple(await top_senders(session, server, since, _SHOWN, until=until)),
        "top_addresses": tuple(await top_addresses(session, server, since, _SHOWN, until=until)),
        "all_messages": await sent_since(session, server, since, until),
    }


def with_spool(
    evidence: Evidence, spool: SenderSpool, counts: SpoolCounts, at: datetime
) -> Evidence:
    """Return the evidence with what the spool holds, as it was asked at that moment."""
    return evidence.model_copy(
        update={
            "queued": spool.waiting,
            "held": spool.held,
            "spool_waiting": counts.waiting,
            "spool_at": at,
        }
    )


def quiet(incident: Incident, spool: SenderSpool, counts: SpoolCounts, at: datetime) -> Evidence:
    """Return the evidence of a sender that sent nothing lately."""
    before = Evidence.model_validate_json(incident.evidence)
    total = before.total - before.earlier
    return with_spool(before, spool, counts, at).model_copy(update={"messages": 0, "total": total})


async def counted_first(
    session: AsyncSession, server: str, evidence: Evidence, verdict: Verdict
) -> dict[str, object]:
    """Return since when a sender that alarms is counted, and what it sent.

    A drip is no burst: what alarms of it are hours of a few messages each.
    """
    first = evidence.first_at
    if verdict.messages > 2 * evidence.total:
        until = datetime.fromtimestamp(verdict.at, UTC) + timedelta(seconds=1)
        begin = await begin_of(session, server, verdict.user, until, verdict.messages)
        first = min(first, begin or first)
    sent = await sent_by(session, server, verdict.user, first)
    return {
        "first_at": first,
        "last_at": sent.last_at or evidence.last_at,
        "total": sent.messages,
        "counted_until": first,
    }


async def counted_on(
    session: AsyncSession, server: str, sender: str, before: Evidence, now: datetime
) -> dict[str, object]:
    """Return what a sender with a live incident has sent since that began, or was reopened."""
    since, counted = before.counted_until, before.counted
    if since is None:
        return {}
    if now - since > _COUNTED_ANEW:
        until = now - _COUNTED_ANEW / 2
        counted += (await sent_by(session, server, sender, since, until)).messages
        since = until
    sent = await sent_by(session, server, sender, since)
    return {
        "first_at": before.first_at,
        "last_at": max(before.last_at, sent.last_at or before.last_at),
        "total": counted + sent.messages,
        "counted": counted,
        "counted_until": since,
    }
