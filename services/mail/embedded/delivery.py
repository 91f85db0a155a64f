"""Taking messages out of the spool: into mailboxes, to the relay, or back to the sender.

A message is claimed in the database before an attempt to relay it begins. Holding,
moving or deleting it waits for that attempt (see attempts.py), so each of them either
wins, or truthfully finds the message gone. Delivery into a mailbox is one transaction
and needs no claim. Claims are void when the process ends; a message whose relaying was
cut short by that is tried again, as RFC 5321, 6.1 would rather have two than none.
"""

import asyncio
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.clock import Clock
from services.language import later, tr
from services.mail.embedded import tables
from services.mail.embedded.accounts import Accounts
from services.mail.embedded.attempts import Attempts
from services.mail.embedded.config import EmbeddedConfig
from services.mail.embedded.database import Database, among, from_stored, to_stored
from services.mail.embedded.headers import printable
from services.mail.embedded.log import Outcome
from services.mail.embedded.relay import Outgoing, Relay, Reply, Tried
from services.mail.embedded.report import Failure, bounce
from services.mail.embedded.spool import deletions
from services.mail.port import DEFERRED, DELIVERING, REJECTED, Queue, UserState

_LOCAL_CHUNK = 200
_MAX_WHY = 300
_NO_RELAY = later("No relay is configured, so mail to other servers waits here.")

_m = tables.message.c
_r = tables.recipient.c
_OUTGOING = (
    _m.id, _m.queue_id, _m.arrived, _m.envelope_sender, _m.auth_user, _m.sender_key,
    _m.client_ip, _m.attempts,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class DeliveryCounts:
    """How many recipients a pass reached, put off and gave up."""

    delivered: int = 0
    deferred: int = 0
    failed: int = 0

    def __add__(self, other: "DeliveryCounts") -> "DeliveryCounts":
        return DeliveryCounts(
            self.delivered + other.delivered,
            self.deferred + other.deferred,
            self.failed + other.failed,
        )


class Delivery:
    """Delivers what is due, one pass at a time."""

    def __init__(
        self,
        config: EmbeddedConfig,
        clock: Clock,
        database: Database,
        accounts: Accounts,
        attempts: Attempts,
    ) -> None:
        self._config = config
        self._clock = clock
        self._database = database
        self._accounts = accounts
        self._attempts = attempts
        self._local = asyncio.Lock()
        self._remote = asyncio.Lock()

    async def void_claims(self) -> None:
        """Undo the claims of a process that is no more. Raises ServerDown."""
        async with self._database.write() as connection:
            await connection.execute(
                update(tables.message).where(_m.claimed == 1).values(claimed=0)
            )

    async def deliver_local(self) -> DeliveryCounts:
        """Put all that is due for mailboxes of this server into them. Raises ServerDown."""
        total = DeliveryCounts()
        async with self._local:
            while True:
                counts = await self._deliver_chunk()
                if counts is None:
                    return total
                total += counts

    async def deliver_remote(self) -> DeliveryCounts:
        """Try once all that is due for other servers. Raises ServerDown."""
        async with self._remote:
            if self._config.relay is None:
                return await self._put_off(Reply(0, tr(_NO_RELAY)))
            relay = Relay(self._config)
            try:
                return await self._relay_all(relay)
            finally:
                await relay.close()

    async def _deliver_chunk(self) -> DeliveryCounts | None:
        now = self._clock.now()
        due = (
            select(*_OUTGOING)
            .where(
                _m.local_left > 0,
                _m.queue.in_([queue.value for queue in DELIVERING]),
                _m.due <= to_stored(now),
                _m.claimed == 0,
            )
            .order_by(_m.due)
            .limit(_LOCAL_CHUNK)
        )
        async with self._database.write() as connection:
            rows = (await connection.execute(due)).all()
            if not rows:
                return None
            mails = await self._load(connection, rows, local=1)
            arrived = await self._into_mailboxes(connection, mails)
            ids = json.dumps([mail.id for mail in mails])
            await connection.execute(
                update(tables.message).where(among(_m.id, "ids")).values(local_left=0),
                {"ids": ids},
            )
            return await self._record(connection, [(mail, arrived[mail.id]) for mail in mails])

    async def _into_mailboxes(
        self, connection: AsyncConnection, mails: list[Outgoing]
    ) -> dict[int, Tried]:
        stored, tried = [], {}
        at = to_stored(self._clock.now())
        for mail in mails:
            replies = {}
            for position, address in mail.recipients:
                mailbox = self._accounts.get(address)
                if mailbox is None:
                    replies[position] = Reply(550, "5.1.1 No such mailbox here")  # not shown
                elif mailbox.state is UserState.REFUSING:
                    no_mail = "5.2.1 This mailbox takes no mail"  # not shown
                    replies[position] = Reply(550, no_mail)
                else:
                    replies[position] = Reply(250, "2.0.0 Delivered")
                    stored.append(
                        {
                            "address": mailbox.address,
                            "at": at,
                            "sender": mail.envelope_sender,
                            "raw": mail.raw,
                        }
                    )
            tried[mail.id] = Tried(replies)
        if stored:
            await connection.execute(insert(tables.mail), stored)
        return tried

    async def _relay_all(self, relay: Relay) -> DeliveryCounts:
        """Keep as many attempts going as allowed; each commit takes all that have ended."""
        total = DeliveryCounts()
        # What was due when the pass began: one given up for now is not met again in it.
        started = to_stored(self._clock.now())
        running: dict[asyncio.Task[Tried], Outgoing] = {}
        unreachable: Reply | None = None
        try:
            while True:
                free = self._config.delivery_concurrency - len(running)
                if unreachable is None and free > 0:
                    for mail in await self._claim(started, free):
                        attempt = self._attempts.running[mail.id]
                        running[asyncio.create_task(relay.attempt(mail, attempt))] = mail
                if not running:
                    break
                done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                ended = [(running.pop(task), task.result()) for task in done]
                for _, tried in ended:
                    if tried.unreachable:
                        unreachable = next(iter(tried.replies.values()))
                total += await self._end(ended)
        finally:
            if running:  # the pass was cancelled: nothing more is sent, nothing is lost
                for task in running:
                    task.cancel()
                await asyncio.gather(*running, return_exceptions=True)
                await self._end([(mail, Tried({}, gave_up=True)) for mail in running.values()])
        if unreachable is not None:
            total += await self._put_off(unreachable)
        return total

    async def _claim(self, started: int, limit: int) -> list[Outgoing]:
        mails: list[Outgoing] = []
        async with self._database.write() as connection:
            for queue in DELIVERING:
                due = (
                    select(*_OUTGOING)
                    .where(
                        _m.queue == queue.value,
                        _m.due <= started,
                        _m.claimed == 0,
                        _m.local_left == 0,
                        ~among(_m.id, "unwanted"),
                    )
                    .order_by(_m.due)
                    .limit(limit - len(mails))
                )
                unwanted = json.dumps(list(self._attempts.unwanted))
                rows = (await connection.execute(due, {"unwanted": unwanted})).all()
                mails += await self._load(connection, rows, local=0)
            if mails:
                await connection.execute(
                    update(tables.message).where(among(_m.id, "ids")).values(claimed=1),
                    {"ids": json.dumps([mail.id for mail in mails])},
                )
                for mail in mails:
                    self._attempts.begin(mail.id)
        return mails

    async def _end(self, ended: list[tuple[Outgoing, Tried]]) -> DeliveryCounts:
        try:
            async with self._database.write() as connection:
                return await self._record(connection, ended)
        finally:
            for mail, _ in ended:
                self._attempts.end(mail.id)

    async def _put_off(self, reply: Reply) -> DeliveryCounts:
        """Defer all that is due for other servers, without trying."""
        total = DeliveryCounts()
        started = to_stored(self._clock.now())
        while mails := await self._claim(started, _LOCAL_CHUNK):
            tried = [
                (mail, Tried({position: reply for position, _ in mail.recipients}))
                for mail in mails
            ]
            total += await self._end(tried)
        return total

    async def _load(
        self, connection: AsyncConnection, rows: Sequence[Any], *, local: int
    ) -> list[Outgoing]:
        bound = {"ids": json.dumps([row.id for row in rows]), "local": local}
        to: defaultdict[int, list[tuple[int, str]]] = defaultdict(list)
        recipients = (
            select(_r.message_id, _r.position, _r.address)
            .where(among(_r.message_id, "ids"), _r.local == bindparam("local"))
            .order_by(_r.message_id, _r.position)
        )
        for row in await connection.execute(recipients, bound):
            to[row.message_id].append((row.position, row.address))
        bodies = select(tables.body).where(among(tables.body.c.message_id, "ids"))
        raw = {row.message_id: row.raw for row in await connection.execute(bodies, bound)}
        return [
            Outgoing(
                id=row.id,
                queue_id=row.queue_id,
                arrived=from_stored(row.arrived),
                envelope_sender=row.envelope_sender,
                auth_user=row.auth_user,
                sender_key=row.sender_key,
                client_ip=row.client_ip,
                attempts=row.attempts,
                recipients=tuple(to[row.id]),
                raw=raw[row.id],
            )
            for row in rows
        ]

    async def _record(
        self, connection: AsyncConnection, ended: list[tuple[Outgoing, Tried]]
    ) -> DeliveryCounts:
        """Write down what attempts came to, in the one transaction that is open."""
        now = self._clock.now()
        log: list[dict[str, Any]] = []
        news: list[dict[str, Any]] = []
        reached: list[dict[str, int]] = []
        later: list[dict[str, Any]] = []
        settled: list[int] = []
        counts = dict.fromkeys(Outcome, 0)
        for mail, tried in ended:
            too_old = now - mail.arrived >= self._config.max_age
            failures, waiting = [], None
            if bad := _bad(tried):
                news.append(_news_row(to_stored(now), mail, bad))
            for position, address in mail.recipients:
                reply = tried.replies.get(position)
                if reply is None:
                    continue  # given up before the relay was asked
                outcome = _outcome(reply, too_old)
                counts[outcome] += 1
                why = f"{reply.code} {reply.text}" if reply.code else reply.text
                why = printable(why)[:_MAX_WHY]
                if outcome is Outcome.DEFERRED:
                    waiting = why
                else:
                    reached.append({"b_id": mail.id, "b_position": position})
                if outcome is Outcome.FAILED:
                    failures.append(Failure(address, "5.0.0" if reply.code else "5.4.7", why))
                if outcome is not Outcome.DEFERRED or mail.attempts == 0:
                    log.append(_log_row(to_stored(now), mail, address, outcome, why))
            if failures:
                await self._bounce(connection, mail, failures)
            settled.append(mail.id)
            if waiting is not None:
                wait = self._config.retry_after[
                    min(mail.attempts, len(self._config.retry_after) - 1)
                ]
                later.append(
                    {
                        "b_id": mail.id,
                        "b_due": to_stored(now + wait),
                        "b_attempts": mail.attempts + 1,
                        "b_error": waiting,
                    }
                )
        if log:
            await connection.execute(insert(tables.delivery), log)
        if news:
            # Once a message: a later attempt's answer is no more news.
            once = insert(tables.news).prefix_with("OR IGNORE")  # not shown
            await connection.execute(once, news)
        if reached:
            await connection.execute(_REACHED, reached)
        if later:
            await connection.execute(_LATER, later)
        await self._finish(connection, settled)
        return DeliveryCounts(
            counts[Outcome.DELIVERED], counts[Outcome.DEFERRED], counts[Outcome.FAILED]
        )

    async def _finish(self, connection: AsyncConnection, ids: list[int]) -> None:
        """Take the claims off, and out of the spool what has no recipient left."""
        bound = {"ids": json.dumps(ids)}
        left = await connection.execute(
            select(_r.message_id).where(among(_r.message_id, "ids")).distinct(), bound
        )
        finished = set(ids) - set(left.scalars())
        await connection.execute(
            update(tables.message).where(among(_m.id, "ids")).values(claimed=0), bound
        )
        if finished:
            bound = {"ids": json.dumps(list(finished))}
            for statement in deletions():
                await connection.execute(statement, bound)

    async def _bounce(
        self, connection: AsyncConnection, mail: Outgoing, failures: list[Failure]
    ) -> None:
        """Tell the sender, if it is a mailbox here. Nobody else: an envelope is easily forged."""
        if not mail.envelope_sender:
            return  # RFC 5321, 4.5.5: no report on a report
        mailbox = self._accounts.get(mail.envelope_sender) or self._accounts.get(
            mail.auth_user or ""
        )
        if mailbox is None or mailbox.state is UserState.REFUSING:
            return
        now = self._clock.now()
        raw = bounce(self._config.hostname, now, mailbox.address, failures, mail.raw)
        await connection.execute(
            insert(tables.mail).values(
                address=mailbox.address, at=to_stored(now), sender="", raw=raw
            )
        )


_REACHED = delete(tables.recipient).where(
    _r.message_id == bindparam("b_id"), _r.position == bindparam("b_position")
)
_LATER = (
    update(tables.message)
    .where(_m.id == bindparam("b_id"))
    .values(
        queue=Queue.DEFERRED.value,
        due=bindparam("b_due"),
        attempts=bindparam("b_attempts"),
        last_error=bindparam("b_error"),
    )
)


def _outcome(reply: Reply, too_old: bool) -> Outcome:
    if reply.code // 100 == 2:
        return Outcome.DELIVERED
    if reply.code // 100 == 5 or too_old:
        return Outcome.FAILED
    return Outcome.DEFERRED


def _bad(tried: Tried) -> str:
    """Return what the other side has against a message, "" if nothing.

    Where it was not even asked (code 0), that says nothing about who sent it.
    """
    kinds = {reply.code // 100 for reply in tried.replies.values()}
    return REJECTED if 5 in kinds else DEFERRED if 4 in kinds else ""


def _news_row(at: int, mail: Outgoing, outcome: str) -> dict[str, Any]:
    return {
        "at": at,
        "account": mail.auth_user or "",
        "client_ip": mail.client_ip,
        "outcome": outcome,
        "failures": 0,
        "message_id": mail.id,
    }


def _log_row(at: int, mail: Outgoing, address: str, outcome: Outcome, why: str) -> dict[str, Any]:
    return {
        "at": at,
        "queue_id": mail.queue_id,
        "sender": mail.sender_key,
        "recipient": address,
        "outcome": outcome.value,
        "why": why,
    }
