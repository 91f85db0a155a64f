"""The spool: finding messages, and holding, moving, restoring, retrying and deleting them."""

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    case,
    delete,
    func,
    literal,
    not_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from services.clock import Clock
from services.errors import BadArgument, ServerDown
from services.language import tr
from services.mail.embedded import tables
from services.mail.embedded.address import ip_range
from services.mail.embedded.attempts import Attempts
from services.mail.embedded.database import (
    Database,
    among,
    chunks,
    from_stored,
    in_domains,
    to_stored,
)
from services.mail.port import (
    DELIVERING,
    Fate,
    Message,
    MessageResult,
    Page,
    Queue,
    SenderQueued,
    SenderSpool,
    SpoolCounts,
    SpoolQuery,
    Tell,
    nobody,
)

# Messages a transaction changes: short enough that mail coming in hardly waits.
_CHUNK = 1000
_MAX_FOLDER = 64

_m = tables.message.c
_DELIVERING = [queue.value for queue in DELIVERING]
_QUARANTINE = Queue.QUARANTINE.value
_HELD = Queue.HELD.value
# A message that was tried at least once is a deferred one.
_WHERE_DELIVERED = case((_m.attempts > 0, Queue.DEFERRED.value), else_=Queue.ACTIVE.value)
# The sender key as it was written: folding its case would make one domain of some that are two.
_SENDER = func.coalesce(func.nullif(_m.auth_user, ""), _m.envelope_sender)
_LISTED = (
    _m.id, _m.queue_id, _m.arrived, _m.size, _m.envelope_sender, _m.auth_user, _m.client_ip,
    _m.subject, _m.queue, _m.folder, _m.last_error,
)  # fmt: skip

# Decides one message's fate from its queue: None means it is to be changed.
_Decide = Callable[[Any], Fate | None]


class Spool:
    """Every message not yet delivered."""

    def __init__(self, database: Database, clock: Clock, attempts: Attempts) -> None:
        self._database = database
        self._clock = clock
        self._attempts = attempts

    async def counts(self) -> SpoolCounts:
        """Return how full the spool is."""
        statement = select(_m.queue, func.count(), func.sum(_m.size)).group_by(_m.queue)
        async with self._database.read() as connection:
            rows = (await connection.execute(statement)).all()
        number = {Queue(queue): count for queue, count, _ in rows}
        return SpoolCounts(
            active=number.get(Queue.ACTIVE, 0),
            deferred=number.get(Queue.DEFERRED, 0),
            held=number.get(Queue.HELD, 0),
            quarantine=number.get(Queue.QUARANTINE, 0),
            size=sum(size for _, _, size in rows),
        )

    async def top_queued(self, limit: int) -> list[SenderQueued]:
        """Return the senders with most messages waiting."""
        count = func.count().label("messages")
        statement = (
            select(_m.sender_key, count)
            .where(_m.queue.in_(_DELIVERING))
            .group_by(_m.sender_key)
            .order_by(count.desc(), _m.sender_key)
            .limit(limit)
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(statement)).all()
        return [SenderQueued(sender, messages) for sender, messages in rows]

    async def spool_of(self, senders: Collection[str]) -> dict[str, SenderSpool]:
        """Return what each of these has waiting and held."""
        keys = json.dumps(sorted({sender.casefold() for sender in senders}))
        statement = (
            select(_m.sender_key, _m.queue, func.count())
            .where(among(_m.sender_key, "keys"), _m.queue != _QUARANTINE)
            .group_by(_m.sender_key, _m.queue)
        )
        numbers: dict[str, Counter[bool]] = {}
        async with self._database.read() as connection:
            for key, queue, number in await connection.execute(statement, {"keys": keys}):
                numbers.setdefault(key, Counter())[queue == _HELD] += number
        nothing: Counter[bool] = Counter()
        found = {sender: numbers.get(sender.casefold(), nothing) for sender in senders}
        return {sender: SenderSpool(of[False], of[True]) for sender, of in found.items()}

    async def folders(self) -> dict[str, int]:
        """Return each quarantine folder with its number of messages."""
        statement = (
            select(_m.folder, func.count().label("messages"))
            .where(_m.folder.is_not(None))
            .group_by(_m.folder)
            .order_by(_m.folder)
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(statement)).all()
        return {row.folder: row.messages for row in rows}

    async def search(self, query: SpoolQuery, offset: int, limit: int) -> Page:
        """Return one page, oldest first, and how many match in all."""
        where = _conditions(query)
        # Ids first, from an index that covers them; the rows of one page then.
        ids = select(_m.id).where(*where).order_by(_m.arrived, _m.id).offset(offset).limit(limit)
        async with self._database.read() as connection:
            total = await connection.scalar(
                select(func.count()).select_from(tables.message).where(*where)
            )
            found = [row.id for row in await connection.execute(ids)]
            messages = await _load(connection, found)
        return Page(total=total or 0, messages=messages)

    async def matching_ids(self, query: SpoolQuery, limit: int) -> tuple[str, ...]:
        """Return the queue ids of the matching messages, oldest first."""
        statement = (
            select(_m.queue_id).where(*_conditions(query)).order_by(_m.arrived, _m.id).limit(limit)
        )
        async with self._database.read() as connection:
            return tuple((await connection.execute(statement)).scalars())

    async def message(self, queue_id: str) -> Message | None:
        """Return one message, None if it is gone."""
        async with self._database.read() as connection:
            id_ = await connection.scalar(select(_m.id).where(_m.queue_id == queue_id))
            found = await _load(connection, [] if id_ is None else [id_])
        return found[0] if found else None

    async def raw(self, queue_id: str) -> bytes | None:
        """Return the bytes of one message, None if it is gone."""
        statement = (
            select(tables.body.c.raw)
            .join(tables.message, _m.id == tables.body.c.message_id)
            .where(_m.queue_id == queue_id)
        )
        async with self._database.read() as connection:
            raw: bytes | None = await connection.scalar(statement)
        return raw

    async def hold(self, queue_ids: Sequence[str], *, tell: Tell = nobody) -> list[MessageResult]:
        """Hold these. One held already stays so, and is DONE."""
        fates = {_HELD: Fate.DONE, _QUARANTINE: Fate.GONE}
        change = update(tables.message).where(among(_m.id, "ids")).values(queue=_HELD)
        return await self._act(queue_ids, lambda row: fates.get(row.queue), [change], tell)

    async def release(
        self, queue_ids: Sequence[str], *, tell: Tell = nobody
    ) -> list[MessageResult]:
        """Deliver held ones again, now."""
        change = (
            update(tables.message)
            .where(among(_m.id, "ids"))
            .values(queue=_WHERE_DELIVERED, due=to_stored(self._clock.now()))
        )
        return await self._act(
            queue_ids, lambda row: None if row.queue == _HELD else Fate.GONE, [change], tell
        )

    async def move(
        self, queue_ids: Sequence[str], folder: str, *, tell: Tell = nobody
    ) -> list[MessageResult]:
        """Move these to a folder. One in it already stays there, and is DONE."""
        if not folder.strip() or len(folder) > _MAX_FOLDER or not folder.isprintable():
            raise BadArgument(
                tr(
                    "A quarantine folder's name has 1 to {n} printable characters.",
                    n=_MAX_FOLDER,
                )
            )
        change = (
            update(tables.message)
            .where(among(_m.id, "ids"))
            .values(
                queue=_QUARANTINE,
                folder=folder,
                moved_from=case((_m.queue == _QUARANTINE, _m.moved_from), else_=_m.queue),
            )
        )
        return await self._act(
            queue_ids, lambda row: Fate.DONE if row.folder == folder else None, [change], tell
        )

    async def restore(
        self, queue_ids: Sequence[str], *, tell: Tell = nobody
    ) -> list[MessageResult]:
        """Put quarantined ones back in the queue they came from, due when they were."""
        change = (
            update(tables.message)
            .where(among(_m.id, "ids"))
            .values(queue=_m.moved_from, folder=None, moved_from=None)
        )
        return await self._act(
            queue_ids, lambda row: None if row.queue == _QUARANTINE else Fate.GONE, [change], tell
        )

    async def retry(self, queue_ids: Sequence[str], *, tell: Tell = nobody) -> list[MessageResult]:
        """Make waiting ones due now. One being delivered this moment is let finish, and is DONE."""
        change = (
            update(tables.message)
            .where(among(_m.id, "ids"))
            .values(due=to_stored(self._clock.now()))
        )

        def decide(row: Any) -> Fate | None:
            if row.queue not in _DELIVERING:
                return Fate.GONE
            return Fate.DONE if row.claimed else None

        return await self._act(queue_ids, decide, [change], tell)

    async def delete(self, queue_ids: Sequence[str], *, tell: Tell = nobody) -> list[MessageResult]:
        """Delete these for good."""
        return await self._act(queue_ids, lambda row: None, deletions(), tell)

    async def _act(
        self, queue_ids: Sequence[str], decide: _Decide, changes: list[Any], tell: Tell
    ) -> list[MessageResult]:
        """Change the messages, in chunks; each result tells what is true once this returns.

        One that is being delivered is waited for: its attempt is asked to give up, and
        when it could not, the message is gone or deferred before it is looked at again.
        """
        fates: dict[str, MessageResult] = {}
        waiting: Iterable[str] = dict.fromkeys(queue_ids)
        with self._attempts.wanted() as wanted:
            while waiting:
                busy: list[tuple[str, int]] = []
                for chunk in chunks(waiting, _CHUNK):
                    try:
                        decided, claimed = await self._act_on(chunk, decide, changes)
                    except ServerDown as error:
                        if not any(result.fate is Fate.DONE for result in fates.values()):
                            raise
                        decided = {
                            id_: MessageResult(id_, Fate.FAILED, str(error)) for id_ in chunk
                        }
                        claimed = []
                    fates |= decided
                    busy += claimed
                    tell(len(fates))
                waiting = [queue_id for queue_id, _ in busy]
                await wanted.ended(id_ for _, id_ in busy)
        return [fates[queue_id] for queue_id in dict.fromkeys(queue_ids)]

    async def _act_on(
        self, chunk: list[str], decide: _Decide, changes: list[Any]
    ) -> tuple[dict[str, MessageResult], list[tuple[str, int]]]:
        statement = select(_m.id, _m.queue_id, _m.queue, _m.folder, _m.claimed).where(
            among(_m.queue_id, "ids")
        )
        fates = dict.fromkeys(chunk, Fate.GONE)
        claimed: list[tuple[str, int]] = []
        ids: list[int] = []
        async with self._database.write() as connection:
            rows = (await connection.execute(statement, {"ids": json.dumps(chunk)})).all()
            for row in rows:
                fate = decide(row)
                if row.claimed and fate is None:
                    claimed.append((row.queue_id, row.id))
                    del fates[row.queue_id]
                    continue
                fates[row.queue_id] = fate or Fate.DONE
                if fate is None:
                    ids.append(row.id)
            if ids:
                for change in changes:
                    await connection.execute(change, {"ids": json.dumps(ids)})
        return {id_: MessageResult(id_, fate) for id_, fate in fates.items()}, claimed


def deletions() -> list[Any]:
    """Return the statements that remove the messages whose ids are bound to ``ids``."""
    return [
        delete(tables.recipient).where(among(tables.recipient.c.message_id, "ids")),
        delete(tables.body).where(among(tables.body.c.message_id, "ids")),
        delete(tables.message).where(among(_m.id, "ids")),
    ]


def _conditions(query: SpoolQuery) -> list[ColumnElement[bool]]:
    """Arrival bounds: ``arrived_after`` is in, ``arrived_before`` is out."""
    where: list[ColumnElement[bool]] = []
    if query.sender is not None:
        where.append(_m.sender_key == query.sender.casefold())
    if query.recipient is not None:
        having: Select[Any] = select(tables.recipient.c.message_id).where(
            tables.recipient.c.address_key == query.recipient.casefold()
        )
        where.append(_m.id.in_(having))
    if query.client_ip is not None:
        first, last = ip_range(query.client_ip)
        where.append(_m.ip_key.between(first, last))
        if query.client_ip.version == 6:  # ::/0 and its like are not about IPv4
            where.append(not_(func.substr(_m.ip_key, 1, 12) == b"\x00" * 10 + b"\xff\xff"))
    if query.subject:
        where.append(func.instr(_m.subject_key, literal(query.subject.casefold())) > 0)
    if query.arrived_after is not None:
        where.append(_m.arrived >= to_stored(query.arrived_after))
    if query.arrived_before is not None:
        where.append(_m.arrived < to_stored(query.arrived_before))
    if query.queues:
        where.append(_m.queue.in_([queue.value for queue in query.queues]))
    if query.folder is not None:
        where.append(_m.folder == query.folder)
    if query.sender_domains:
        where.append(in_domains(_SENDER, query.sender_domains))
    return where


async def _load(connection: AsyncConnection, ids: list[int]) -> tuple[Message, ...]:
    if not ids:
        return ()
    bound = {"ids": json.dumps(ids)}
    r = tables.recipient.c
    rows = await connection.execute(select(*_LISTED).where(among(_m.id, "ids")), bound)
    found = {row.id: row for row in rows}
    recipients: dict[int, list[str]] = {id_: [] for id_ in ids}
    to = select(r.message_id, r.address).where(among(r.message_id, "ids"))
    for row in await connection.execute(to.order_by(r.message_id, r.position), bound):
        recipients[row.message_id].append(row.address)
    return tuple(
        Message(
            queue_id=row.queue_id,
            arrived=from_stored(row.arrived),
            size=row.size,
            envelope_sender=row.envelope_sender,
            authenticated_user=row.auth_user,
            client_ip=row.client_ip,
            recipients=tuple(recipients[row.id]),
            subject=row.subject,
            queue=Queue(row.queue),
            folder=row.folder,
            last_error=row.last_error,
        )
        for row in (found[id_] for id_ in ids)
    )
