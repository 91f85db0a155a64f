"""Takes in what a mail server accepted: each submission once, habits kept as counts.

News of submissions go into the same table, with no recipients, in the order they came. The
submissions, the habit counts and the cursor are written in one transaction,
so a crash at any point neither loses a submission nor counts one twice.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from sqlalchemy import func, insert
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import col, delete, select
from sqlmodel.ext.asyncio.session import AsyncSession

from services.clock import Clock
from services.detection.evidence import Habit
from services.detection.memory import facts_of, newest_row
from services.hosts import sender_of
from services.mail.port import MailServer, Network, News, Record, Submission, submitted
from services.models import Incident, IncidentState, PollCursor, RecentSubmission
from services.models import SenderHabit as HabitRow
from services.reports import count_in, forget_traffic
from services.store import Store
from services.traffic import KEPT, WINDOW
from services.tuning import ordinary

_BATCH = 5000
_NAMES = 500
#: Younger stretches are not yet anybody's habit: an attack must not teach it.
SETTLED = timedelta(hours=1)
_DIGITS = re.compile(r"\d+")


class Ingest:
    """Reads submissions into the bot's own tables."""

    def __init__(
        self, store: Store, clock: Clock, *, habit_days: int, trusted: Sequence[Network] = ()
    ) -> None:
        self._store = store
        self._clock = clock
        self._trusted = tuple(trusted)
        self._kept = timedelta(days=habit_days)

    async def take_in(self, server: MailServer) -> int:
        """Take in everything new; return how many submissions that was."""
        async with self._store.reading() as session:
            cursor = await _cursor(session, server.name)
        taken = 0
        while True:
            batch = await server.submissions(cursor, _BATCH)
            if batch:
                async with self._store.session() as session:
                    if await _cursor(session, server.name) != cursor:
                        return taken  # another poll has taken these in meanwhile
                    await self._write(session, server.name, batch)
                cursor = batch[-1].cursor
                taken += len(submitted(batch))
            if len(batch) < _BATCH:
                return taken

    async def reached(self, server: str) -> datetime | None:
        """Return when the newest that was taken in happened; None if nothing ever was."""
        async with self._store.reading() as session:
            row = await session.get(PollCursor, server)
        return row.last_at if row else None

    async def prune(self, learnt: Mapping[str, int]) -> None:
        """Forget what is too old to matter, and of submissions only what was learnt from.

        ``learnt`` is up to which row that is, by mail server.
        """
        now = self._clock.now()
        async with self._store.session() as session:
            newest = await newest_row(session)
            for server, place in learnt.items():
                await session.exec(
                    delete(RecentSubmission).where(
                        col(RecentSubmission.server) == server,
                        col(RecentSubmission.at) < now - KEPT,
                        col(RecentSubmission.id) <= place,
                        col(RecentSubmission.id) < newest,
                    )
                )
            await forget_traffic(session, now)
            await session.exec(delete(HabitRow).where(col(HabitRow.start) < now - self._kept))

    async def _write(self, session: AsyncSession, server: str, batch: Sequence[Record]) -> None:
        cursor = batch[-1]
        told = [(item, self._counted(item)) for item in batch]
        counted = [known for _, known in told if known is not None]
        sent = submitted(counted)
        recent = [
            _row(server, item) for item in await self._worth_keeping(session, server, counted, sent)
        ]
        if recent:
            await session.exec(insert(RecentSubmission), params=recent)
        messages: Counter[tuple[str, datetime]] = Counter()
        recipients: Counter[tuple[str, datetime]] = Counter()
        for item in sent:
            key = (item.sender.lower(), stretch_of(item.at))
            messages[key] += 1
            recipients[key] += item.recipients
        rows = [
            {
                "server": server,
                "sender": sender,
                "start": start,
                "messages": number,
                "recipients": recipients[sender, start],
            }
            for (sender, start), number in messages.items()
        ]
        if rows:
            dialect = session.get_bind().dialect.name
            upsert = (postgresql if dialect == "postgresql" else sqlite).insert(HabitRow)
            await session.exec(
                upsert.on_conflict_do_update(
                    index_elements=["server", "sender", "start"],
                    set_={
                        "messages": HabitRow.messages + upsert.excluded.messages,
                        "recipients": HabitRow.recipients + upsert.excluded.recipients,
                    },
                ),
                params=rows,
            )
        await count_in(session, server, told)
        await session.merge(PollCursor(server=server, cursor=cursor.cursor, last_at=cursor.at))

    def _counted(self, item: Record) -> Record | None:
        """Return it under the name that it counts for, None if for nobody's.

        Anybody outside can write any envelope sender on a letter to here, so only who
        logged in has sent something: nobody's account is stopped for another's forgery.
        A host of our own is trusted not to forge, and counts by its address.
        """
        if isinstance(item, News):
            if item.account:
                return item
            host = sender_of(item.client_ip or "")
            return replace(item, account=host) if self._ours(item.client_ip) else None
        if item.authenticated:
            return item
        host = sender_of(item.client_ip or "")
        return replace(item, sender=host) if self._ours(item.client_ip) else None

    async def _worth_keeping(
        self,
        session: AsyncSession,
        server: str,
        counted: Sequence[Record],
        sent: Sequence[Submission],
    ) -> list[Record]:
        """Return these, failed logins summed up by account and hour.

        Anybody outside can fail to log in as often as they like, under any name: so those of
        names that never sent anything are left out.
        """
        tried = {
            item.account.lower()
            for item in counted
            if isinstance(item, News) and item.login_failures
        }
        if not tried:
            return list(counted)
        known = {item.sender.lower() for item in sent} & tried
        asked = sorted(tried - known)
        for begin in range(0, len(asked), _NAMES):
            some = asked[begin : begin + _NAMES]
            query = select(HabitRow.sender).distinct()
            query = query.where(HabitRow.server == server, col(HabitRow.sender).in_(some))
            known |= set((await session.exec(query)).all())
        kept: list[Record] = []
        places: dict[tuple[str, int], int] = {}
        for item in counted:
            if isinstance(item, News) and item.login_failures:
                account = item.account.lower()
                if account not in known:
                    continue
                key = (account, int(item.at.timestamp()) // 3600)
                if (place := places.get(key)) is not None:
                    before = kept[place]
                    assert isinstance(before, News)  # noqa: S101 - narrows the type
                    number = before.login_failures + item.login_failures
                    kept[place] = replace(item, login_failures=number)
                    continue
                places[key] = len(kept)
            kept.append(item)
        return kept

    def _ours(self, client_ip: str | None) -> bool:
        if not self._trusted or not client_ip:
            return False
        try:
            address = ip_address(client_ip)
        except ValueError:
            return False
        return any(address in network for network in self._trusted)


def _row(server: str, item: Record) -> dict[str, object]:
    if isinstance(item, News):
        subject, recipients, size, sender = "", 0, 0, item.account
    else:
        subject, size, sender = item.subject, item.size, item.sender
        recipients = max(1, item.recipients)  # none is news
    return {
        "server": server,
        "at": item.at,
        "sender": sender.lower(),
        "client_ip": item.client_ip,
        "recipients": recipients,
        "size": size,
        "subject_key": subject_key(subject),
        "subject": subject[:200],
        "facts": facts_of(item),
    }


async def _cursor(session: AsyncSession, server: str) -> str | None:
    row = await session.get(PollCursor, server)
    return row.cursor if row else None


def subject_key(subject: str) -> str:
    """Fold a subject so that numbered copies of it are the same."""
    return _DIGITS.sub("#", subject.casefold())[:120]


def stretch_of(at: datetime) -> datetime:
    """Return the start of the five minutes that ``at`` is in."""
    seconds = int(WINDOW.total_seconds())
    return datetime.fromtimestamp(int(at.timestamp()) // seconds * seconds, UTC)


async def ordinary_stretches(
    session: AsyncSession, server: str, sender: str, before: datetime
) -> list[tuple[datetime, int]]:
    """Return what a sender sent in each five minutes until then, leaving out past incidents."""
    query = select(HabitRow.start, HabitRow.messages).where(
        HabitRow.server == server,
        HabitRow.sender == sender,
        col(HabitRow.start) < before,
    )
    rows = (await session.exec(query)).all()
    incidents = (
        await session.exec(
            select(Incident.opened_at, func.coalesce(Incident.quiet_since, Incident.updated_at))
            .where(Incident.server == server, Incident.sender == sender)
            .where(col(Incident.state) != IncidentState.FALSE_ALARM)
        )
    ).all()
    bad = [(opened - SETTLED, _aware(ended)) for opened, ended in incidents]
    return [(start, n) for start, n in rows if not any(a <= start <= b for a, b in bad)]


def spread_of(numbers: Iterable[int]) -> tuple[int, int]:
    """Return the median and the 95th percentile; zeros for none."""
    usual = sorted(numbers)
    if not usual:
        return 0, 0
    return usual[len(usual) // 2], usual[min(len(usual) - 1, int(len(usual) * 0.95))]


async def habit_of(session: AsyncSession, server: str, sender: str, now: datetime) -> Habit:
    """Return what is usual for a sender, leaving out past incidents and the last hour."""
    stretches = await ordinary_stretches(session, server, sender, now - SETTLED)
    usual, high = spread_of(n for _, n in stretches)
    return Habit(
        windows=len(stretches),
        usual=usual,
        high=high,
        taught=await ordinary(session, server, sender),
    )


def _aware(moment: datetime) -> datetime:
    # coalesce() loses the column's type on some databases, and with it the zone.
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
