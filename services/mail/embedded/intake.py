"""Accepting mail: many sessions, one writer, one commit for all that wait.

The body of a message is kept in the database, not in a file of its own. One
transaction then makes the message, its recipients, its bytes and its submission
durable together, a crash leaves neither a body without a message nor a message without
a body, and one fsync covers a whole group; with files each message would need its own
fsync and its directory's. The price is a larger database file.
"""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address

from sqlalchemy import func, insert, select, text

from services.errors import ServerDown
from services.language import tr
from services.mail.embedded import tables
from services.mail.embedded.address import ip_key
from services.mail.embedded.database import Database, to_stored
from services.mail.port import MAX_ADDRESSEES, Queue

# One transaction takes at most this many messages, and about this many bytes.
_MAX_GROUP = 256
_MAX_GROUP_BYTES = 16 * 1024 * 1024
# More sessions than this wait before they may even hand over their message.
_MAX_WAITING = 512


@dataclass(frozen=True, slots=True)
class Target:
    """A recipient, and whether it is a mailbox of this server."""

    address: str
    local: bool


@dataclass(frozen=True, slots=True)
class Accepted:
    """What a session hands over. ``refusal`` is asked again just before the commit.

    It returns the SMTP reply that refuses the message, or None if it may come in.
    """

    arrived: datetime
    envelope_sender: str
    auth_user: str | None
    client: IPv4Address | IPv6Address | None
    recipients: tuple[Target, ...]
    subject: str
    raw: bytes
    refusal: Callable[[], str | None]


@dataclass(frozen=True, slots=True)
class RefusedLate:
    """The sender may no longer send: the SMTP reply that says so."""

    reply: str


@dataclass(slots=True)
class _Waiting:
    item: Accepted
    outcome: "asyncio.Future[str | RefusedLate]"


class Intake:
    """Writes accepted messages to the spool, in groups."""

    def __init__(self, database: Database, on_commit: Callable[[], None]) -> None:
        self._database = database
        self._on_commit = on_commit
        self._waiting: asyncio.Queue[_Waiting] = asyncio.Queue(_MAX_WAITING)
        self._task: asyncio.Task[None] | None = None
        self._last_id = 0

    async def start(self) -> None:
        """Find the last id given, and begin to take messages. Raises ServerDown."""
        async with self._database.read() as connection:
            newest = await connection.scalar(select(func.max(tables.message.c.id)))
            given = await connection.scalar(
                text("SELECT seq FROM sqlite_sequence WHERE name = 'submission'")  # not shown
            )
        self._last_id = max(newest or 0, given or 0)
        self._task = asyncio.create_task(self._run(), name="mail intake")  # not shown

    async def stop(self) -> None:
        """Stop taking messages. One that waits is not accepted: its session gets ServerDown."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        while not self._waiting.empty():
            _settle([self._waiting.get_nowait()], ServerDown(tr("The mail server stopped.")))

    async def accept(self, item: Accepted) -> str | RefusedLate:
        """Return the queue id once the message is on disk. Raises ServerDown."""
        outcome: asyncio.Future[str | RefusedLate] = asyncio.get_running_loop().create_future()
        await self._waiting.put(_Waiting(item, outcome))
        return await outcome

    async def _run(self) -> None:
        while True:
            group = [await self._waiting.get()]
            size = len(group[0].item.raw)
            while len(group) < _MAX_GROUP and size < _MAX_GROUP_BYTES and self._waiting.qsize():
                group.append(self._waiting.get_nowait())
                size += len(group[-1].item.raw)
            try:
                await self._commit(group)
            except ServerDown as error:
                _settle(group, error)
            except asyncio.CancelledError:
                _settle(group, ServerDown(tr("The mail server stopped.")))
                raise
            else:
                self._on_commit()

    async def _commit(self, group: list[_Waiting]) -> None:
        answers: list[tuple[_Waiting, str | RefusedLate]] = []
        messages, bodies, recipients, submissions = [], [], [], []
        async with self._database.write() as connection:
            # Who may send is changed only in such a transaction too: see accounts.py.
            for waiting in group:
                item = waiting.item
                reply = item.refusal()
                if reply is not None:
                    answers.append((waiting, RefusedLate(reply)))
                    continue
                self._last_id += 1
                queue_id = secrets.token_hex(6).upper()
                answers.append((waiting, queue_id))
                messages.append(_message_row(self._last_id, queue_id, item))
                submissions.append(_submission_row(self._last_id, item))
                bodies.append({"message_id": self._last_id, "raw": item.raw})
                recipients += [
                    {
                        "message_id": self._last_id,
                        "position": position,
                        "address": target.address,
                        "address_key": target.address.casefold(),
                        "local": int(target.local),
                    }
                    for position, target in enumerate(item.recipients)
                ]
            if messages:
                await connection.execute(insert(tables.message), messages)
                await connection.execute(insert(tables.body), bodies)
                await connection.execute(insert(tables.recipient), recipients)
                await connection.execute(insert(tables.submission), submissions)
        for waiting, answer in answers:
            if not waiting.outcome.done():  # done: the client left meanwhile
                waiting.outcome.set_result(answer)


def _settle(group: list[_Waiting], error: ServerDown) -> None:
    for waiting in group:
        if not waiting.outcome.done():
            waiting.outcome.set_exception(error)


def _message_row(id_: int, queue_id: str, item: Accepted) -> dict[str, object]:
    arrived = to_stored(item.arrived)
    return {
        "id": id_,
        "queue_id": queue_id,
        "arrived": arrived,
        "size": len(item.raw),
        "envelope_sender": item.envelope_sender,
        "auth_user": item.auth_user,
        "sender_key": (item.auth_user or item.envelope_sender).casefold(),
        "client_ip": None if item.client is None else str(item.client),
        "ip_key": None if item.client is None else ip_key(item.client),
        "subject": item.subject,
        "subject_key": item.subject.casefold(),
        "queue": Queue.ACTIVE.value,
        "due": arrived,
        "claimed": 0,
        "attempts": 0,
        "local_left": sum(target.local for target in item.recipients),
    }


def _submission_row(id_: int, item: Accepted) -> dict[str, object]:
    return {
        "id": id_,
        "at": to_stored(item.arrived),
        "sender": item.auth_user or item.envelope_sender,
        "authenticated": int(item.auth_user is not None),
        "client_ip": None if item.client is None else str(item.client),
        "recipients": len(item.recipients),
        "size": len(item.raw),
        "subject": item.subject,
        "addressees": "\n".join(one.address for one in item.recipients[:MAX_ADDRESSEES]),
    }
