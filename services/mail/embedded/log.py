"""The two logs: what was accepted (the detector's food) and what became of it (reports)."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import delete, insert, select

from services.mail.embedded import tables
from services.mail.embedded.database import Database, from_stored, to_stored
from services.mail.port import Submission


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
    """Reads and prunes both logs. Cursors name the database, so one of another starts anew."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._epoch = ""

    async def load(self) -> None:
        """Find the name of this database, or give it one. Raises ServerDown."""
        async with self._database.write() as connection:
            epoch = await connection.scalar(select(tables.about.c.epoch))
            if epoch is None:
                epoch = secrets.token_hex(4)
                await connection.execute(insert(tables.about).values(id=1, epoch=epoch))
        self._epoch = epoch

    async def submissions(self, after: str | None, limit: int) -> Sequence[Submission]:
        """Return up to ``limit`` submissions after the cursor, in the order committed."""
        table = tables.submission
        statement = (
            select(table).where(table.c.id > self._place(after)).order_by(table.c.id).limit(limit)
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(statement)).all()
        return [
            Submission(
                cursor=f"{self._epoch}-{row.id}",
                at=from_stored(row.at),
                sender=row.sender,
                authenticated=bool(row.authenticated),
                client_ip=row.client_ip,
                recipients=row.recipients,
                size=row.size,
                subject=row.subject,
            )
            for row in rows
        ]

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
            for table in (tables.submission, tables.delivery):
                await connection.execute(delete(table).where(table.c.at < to_stored(before)))

    def _place(self, cursor: str | None) -> int:
        epoch, _, number = (cursor or "").partition("-")
        return int(number) if epoch == self._epoch and number.isdecimal() else 0
