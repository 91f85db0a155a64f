"""The logs: what was accepted and news of it (the detector's food), and deliveries (reports)."""

import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from heapq import merge
from typing import Any

from sqlalchemy import delete, insert, select

from services.clock import Clock
from services.mail.embedded import tables
from services.mail.embedded.database import Database, from_stored, to_stored
from services.mail.port import News, Record, Submission

# So many pairs of an account and a client are told apart until the log is read again.
_MOST_FAILURES = 1000


class Outcome(StrEnum):
    """What became of one recipient. Only the first deferral of a message is logged."""

    DELIVERED = "delivered"
    DEFERRED = "deferred"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of one recipient of one message."""

    at: datetime
    queue_id: str
    sender: str  # the sender key, as in Message.sender
    recipient: str
    outcome: Outcome
    why: str


class Logs:
    """Reads and prunes the logs. Cursors name the database, so one of another starts anew.

    Failed logins are counted in memory until the log is read: whoever tries passwords must
    not make the disk busy. A process that ends before that takes them along.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._epoch = ""
        self._failures: Counter[tuple[str, str | None]] = Counter()

    async def load(self) -> None:
        """Find the name of this database, or give it one. Raises ServerDown."""
        async with self._database.write() as connection:
            epoch = await connection.scalar(select(tables.about.c.epoch))
            if epoch is None:
                epoch = secrets.token_hex(4)
                await connection.execute(insert(tables.about).values(id=1, epoch=epoch))
        self._epoch = epoch

    def login_failed(self, account: str, client_ip: str | None) -> None:
        """Count a wrong password for an account."""
        key = (account, client_ip)
        if key not in self._failures and len(self._failures) >= _MOST_FAILURES:
            key = (account, None)
        self._failures[key] += 1

    async def submissions(self, after: str | None, limit: int) -> Sequence[Record]:
        """Return up to ``limit`` submissions and news after the cursor, each in its own order.

        A cursor holds how far each of the two tables was read. By time they are merged, so
        that news of a message comes after it.
        """
        if self._failures:
            await self._write_failures()
        submission, news = tables.submission, tables.news
        place, heard = self._places(after)
        async with self._database.read() as connection:
            accepted = select(submission).where(submission.c.id > place)
            told = select(news).where(news.c.id > heard)
            rows = merge(
                await connection.execute(accepted.order_by(submission.c.id).limit(limit)),
                await connection.execute(told.order_by(news.c.id).limit(limit)),
                key=lambda row: row.at,
            )
            found: list[Record] = []
            for row in list(rows)[:limit]:
                if hasattr(row, "addressees"):
                    place = row.id
                    found.append(self._submission(f"{self._epoch}-{place}-{heard}", row))
                else:
                    heard = row.id
                    found.append(self._news(f"{self._epoch}-{place}-{heard}", row))
        return found

    def _submission(self, cursor: str, row: Any) -> Submission:
        return Submission(
            cursor=cursor,
            at=from_stored(row.at),
            sender=row.sender,
            authenticated=bool(row.authenticated),
            client_ip=row.client_ip,
            recipients=row.recipients,
            size=row.size,
            subject=row.subject,
            addressees=tuple(row.addressees.split("\n")) if row.addressees else (),
            message=f"{self._epoch}-{row.id}",
        )

    def _news(self, cursor: str, row: Any) -> News:
        return News(
            cursor=cursor,
            at=from_stored(row.at),
            account=row.account,
            client_ip=row.client_ip,
            outcome=row.outcome,
            login_failures=row.failures,
            message=f"{self._epoch}-news-{row.id}",
        )

    async def _write_failures(self) -> None:
        failures, self._failures = self._failures, Counter()
        at = to_stored(self._clock.now())
        rows = [
            {"at": at, "account": account, "client_ip": ip, "outcome": "", "failures": number}
            for (account, ip), number in failures.items()
        ]
        try:
            async with self._database.write() as connection:
                await connection.execute(insert(tables.news), rows)
        except BaseException:
            self._failures.update(failures)
            raise

    async def deliveries(self, since: datetime, limit: int) -> Sequence[Delivery]:
        """Return up to ``limit`` deliveries from ``since`` on, oldest first."""
        table = tables.delivery
        statement = (
            select(table)
            .where(table.c.at >= to_stored(since))
            .order_by(table.c.at, table.c.id)
            .limit(limit)
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(statement)).all()
        return [
            Delivery(
                at=from_stored(row.at),
                queue_id=row.queue_id,
                sender=row.sender,
                recipient=row.recipient,
                outcome=Outcome(row.outcome),
                why=row.why,
            )
            for row in rows
        ]

    async def prune(self, before: datetime) -> None:
        """Forget what is older."""
        async with self._database.write() as connection:
            for table in (tables.submission, tables.news, tables.delivery):
                await connection.execute(delete(table).where(table.c.at < to_stored(before)))

    def _places(self, cursor: str | None) -> tuple[int, int]:
        """Return up to which submission and which news a cursor is."""
        epoch, _, places = (cursor or "").partition("-")
        numbers = [int(place) for place in places.split("-") if place.isdecimal()]
        if epoch != self._epoch or not numbers:
            return 0, 0
        # Before there were news a cursor was one number.
        return numbers[0], numbers[1] if len(numbers) > 1 else 0
