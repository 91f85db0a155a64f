"""What one sender did: its messages day by day, its failed logins, the acts on it."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import orjson
from sqlalchemy import func
from sqlmodel import col, or_, select
from sqlmodel.ext.asyncio.session import AsyncSession

from services.audit import Phase
from services.models import (
    AuditEntry,
    Incident,
    Intent,
    IntentState,
    RecentSubmission,
    SenderHabit,
)
from services.responding import JUDGE, LOOK, REPORT, RESPOND
from services.targets import Target

#: Acts that change nothing of an account.
_LOOKING = (RESPOND, LOOK, JUDGE, REPORT)


async def per_day(
    session: AsyncSession, server: str, sender: str, now: datetime, days: int
) -> list[tuple[date, int]]:
    """Return how many messages a sender sent on each of the last days in UTC, oldest first."""
    today = now.astimezone(UTC).date()
    first = today - timedelta(days=days - 1)
    begin = datetime(first.year, first.month, first.day, tzinfo=UTC)
    found = await session.exec(
        select(SenderHabit.start, SenderHabit.messages).where(
            SenderHabit.server == server,
            SenderHabit.sender == sender,
            col(SenderHabit.start) >= begin,
        )
    )
    sent: Counter[date] = Counter()
    for start, messages in found.all():
        sent[start.date()] += messages
    return [(day, sent[day]) for day in (first + timedelta(days=n) for n in range(days))]


async def failed_logins_of(session: AsyncSession, server: str, sender: str, since: datetime) -> int:
    """Return how many of its logins failed since then, where the mail server tells that."""
    facts = col(RecentSubmission.facts)
    told = await session.exec(
        select(facts).where(
            RecentSubmission.server == server,
            RecentSubmission.sender == sender,
            col(RecentSubmission.at) >= since,
            facts.contains('"failures"'),
        )
    )
    return sum(int(orjson.loads(known).get("failures", 0)) for known in told.all())


async def acts_on(
    session: AsyncSession, server: str, account: str, limit: int
) -> Sequence[AuditEntry]:
    """Return the log's entries on acts on an account that came to an end, newest first.

    Those on a campaign that it is of are among them; what only looks at an incident is not.
    """
    leads = select(func.coalesce(Incident.campaign, Incident.id)).where(
        Incident.server == server, Incident.sender == account
    )
    on_several = await session.exec(
        select(Intent.id, Intent.target).where(
            col(Intent.incident_id).in_(leads),
            col(Intent.state).in_((IntentState.DONE, IntentState.FAILED)),
        )
    )
    theirs = [
        intent_id
        for intent_id, target in on_several.all()
        if account in Target.model_validate_json(target).members
    ]
    rows = await session.exec(
        select(AuditEntry)
        .where(
            or_(AuditEntry.subject == account, col(AuditEntry.intent_id).in_(theirs)),
            AuditEntry.server == server,
            AuditEntry.phase == Phase.RESULT.value,
            col(AuditEntry.action).not_in(_LOOKING),
        )
        .order_by(col(AuditEntry.seq).desc())
        .limit(limit)
    )
    return rows.all()
