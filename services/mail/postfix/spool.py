"""The spool: finding messages, and holding, moving, restoring, retrying and deleting them.

Postfix has no folders: a message in quarantine is one on hold with a note of ours. A note
without its message on hold says nothing, and is dropped when the queue is next read.

Who sent a message comes from the log, which is read for submissions anyway, and costs
nothing more; the log also tells it once the message has left. What it did not tell (it
was rotated away before the bot came, or is a moment behind) is read from the queue file
with ``postcat``, once for each message.
"""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from services.clock import Clock
from services.errors import BadArgument, ServerDown
from services.language import tr
from services.mail.domains import is_in
from services.mail.port import (
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
from services.mail.postfix.commands import CutShort, Runner
from services.mail.postfix.contents import Contents
from services.mail.postfix.ids import is_id
from services.mail.postfix.programs import Programs
from services.mail.postfix.queue import Entry, entries
from services.mail.postfix.state import Note, Seen, State

# Ids one command is given.
_BATCH = 1000
# Commands that have one message each tried again, at a time: SSH has six for all that is asked.
_SIDE_BY_SIDE = 4
_MAX_FOLDER = 64
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DONE = re.compile(
    r"^postsuper: ([0-9A-Za-z]+): (placed on hold|released from hold|removed)$", re.M
)
#: What postsuper is asked to do.
HOLD, RELEASE, DELETE = "-h", "-H", "-d"


@dataclass(frozen=True, slots=True)
class _Told:
    """What one command did: the ids it changed, and why the rest of them failed, if so."""

    done: set[str]
    failed: dict[str, str]


class Spool:
    """Every message not yet delivered."""

    def __init__(
        self, server: str, runner: Runner, programs: Programs, state: State, clock: Clock
    ) -> None:
        self._server = server
        self._runner = runner
        self._programs = programs
        self._state = state
        self._clock = clock
        self._contents = Contents(server, runner, programs)
        # Acts read notes, change the queue, and write notes: one act at a time.
        self._acting = asyncio.Lock()

    # -- reading ---------------------------------------------------------------------

    async def counts(self) -> SpoolCounts:
        """Return how full the spool is."""
        number: Counter[Queue] = Counter()
        size = 0
        notes = await self._notes()
        async with aclosing(self._entries()) as bundles:
            async for bundle in bundles:
                number.update(_queue(entry, notes) for entry in bundle)
                size += sum(entry.size for entry in bundle)
        return SpoolCounts(
            active=number[Queue.ACTIVE],
            deferred=number[Queue.DEFERRED],
            held=number[Queue.HELD],
            quarantine=number[Queue.QUARANTINE],
            size=size,
        )

    async def folders(self) -> dict[str, int]:
        """Return each quarantine folder with its number of messages."""
        async with self._acting:
            notes = await self._notes()
            if not notes:
                return {}
            on_hold = await self._on_hold()
            stale = [queue_id for queue_id in notes if queue_id not in on_hold]
            if stale:
                await asyncio.to_thread(self._state.drop_notes, stale)
        found = Counter(note.folder for queue_id, note in notes.items() if queue_id in on_hold)
        return dict(sorted(found.items()))

    async def top_queued(self, limit: int) -> list[SenderQueued]:
        """Return the senders with most messages waiting; senders are case-folded."""
        waiting: Counter[str] = Counter()
        async with aclosing(self._entries()) as bundles:
            async for bundle in bundles:
                kept = [entry for entry in bundle if entry.queue != "hold"]
                seen = await self._seen(kept)
                waiting.update(_sender(entry, seen).casefold() for entry in kept)
        ranked = sorted(waiting.items(), key=lambda item: (-item[1], item[0]))
        return [SenderQueued(sender, messages) for sender, messages in ranked[:limit]]

    async def spool_of(self, senders: Collection[str]) -> dict[str, SenderSpool]:
        """Return what each of these has waiting and held: the queue is listed once for all."""
        if not senders:
            return {}
        wanted = {sender.casefold() for sender in senders}
        notes = await self._notes()
        waiting: Counter[str] = Counter()
        held: Counter[str] = Counter()
        async with aclosing(self._entries()) as bundles:
            async for bundle in bundles:
                seen = await self._seen(bundle)
                for entry in bundle:
                    sender, queue = _sender(entry, seen).casefold(), _queue(entry, notes)
                    if sender in wanted and queue is not Queue.QUARANTINE:
                        (held if queue is Queue.HELD else waiting)[sender] += 1
        return {
            sender: SenderSpool(waiting[sender.casefold()], held[sender.casefold()])
            for sender in senders
        }

    async def search(self, query: SpoolQuery, offset: int, limit: int) -> Page:
        """Return one page, oldest first, and how many match in all."""
        total, found = await self._oldest(query, offset + limit)
        page = found[offset:]
        notes = await self._notes()
        seen = await self._seen(page, subjects=True)
        return Page(total, tuple(_message(entry, seen, notes) for entry in page))

    async def matching_ids(self, query: SpoolQuery, limit: int) -> tuple[str, ...]:
        """Return the queue ids of the matching messages, oldest first."""
        _, found = await self._oldest(query, limit)
        return tuple(entry.queue_id for entry in found)

    async def message(self, queue_id: str) -> Message | None:
        """Return one message, None if it is gone."""
        notes = await self._notes()
        async with aclosing(self._entries()) as bundles:
            async for bundle in bundles:
                for entry in bundle:
                    if entry.queue_id == queue_id:
                        return _message(entry, await self._seen([entry], subjects=True), notes)
        return None

    async def head(self, queue_id: str, limit: int) -> bytes | None:
        """Return up to about ``limit`` bytes of one message, None if it is gone."""
        return await self._contents.head(queue_id, limit) if is_id(queue_id) else None

    async def must_read(self, queue_id: str) -> None:
        """Ask for a message in each way that is used. Raises ServerDown, not where it is gone."""
        await self._contents.seen({queue_id: 0})
        await self._contents.head(queue_id, 1)

    async def raw(self, queue_id: str) -> bytes | None:
        """Return one message, None if it is gone."""
        return await self._contents.whole(queue_id) if is_id(queue_id) else None

    # -- acting ----------------------------------------------------------------------

    async def hold(self, queue_ids: Sequence[str], *, tell: Tell = nobody) -> list[MessageResult]:
        """Hold these. One held already stays so, and is DONE."""
        async with self._acting:
            notes = await self._notes()
            # Only a message on hold is in quarantine, whatever a note says.
            noted = [queue_id for queue_id in queue_ids if queue_id in notes]
            in_quarantine = await self._on_hold() if noted else set()
            fates = _fates(queue_ids)
            asked = [i for i in fates if not (i in notes and i in in_quarantine)]
            told = await self._postsuper(HOLD, asked, tell)
            await self._drop(notes, told.done)
            already = await self._on_hold() if len(told.done) < len(asked) else set()
            fates.update(_results(asked, told, already))
        return list(fates.values())

    async def release(
        self, queue_ids: Sequence[str], *, tell: Tell = nobody
    ) -> list[MessageResult]:
        """Let Postfix deliver held ones again, at its next look at the deferred queue."""
        async with self._acting:
            notes = await self._notes()
            fates = _fates(queue_ids)
            asked = [queue_id for queue_id in fates if queue_id not in notes]
            told = await self._postsuper(RELEASE, asked, tell)
            fates.update(_results(asked, told, set()))
        return list(fates.values())

    async def move(
        self, queue_ids: Sequence[str], folder: str, *, tell: Tell = nobody
    ) -> list[MessageResult]:
        """Move these to a folder. One in it already stays there, and is DONE.

        They are on hold before their notes are written: should this end between the two,
        they are held and not in a folder, and nothing of them is delivered.
        """
        if not folder.strip() or len(folder) > _MAX_FOLDER or not folder.isprintable():
            raise BadArgument(
                tr(
                    "A quarantine folder's name has 1 to {n} printable characters.",
                    n=_MAX_FOLDER,
                )
            )
        async with self._acting:
            notes = await self._notes()
            fates = _fates(queue_ids)
            told = await self._postsuper(HOLD, fates, tell)
            already = await self._on_hold() if len(told.done) < len(fates) else set()
            results = _results(fates, told, already)
            fresh = {}
            for queue_id, result in results.items():
                if result.fate is Fate.DONE:
                    # One that was noted and still on hold keeps where it came from.
                    before = None if queue_id in told.done else notes.get(queue_id)
                    held = queue_id not in told.done if before is None else before.was_held
                    fresh[queue_id] = Note(folder, was_held=held)
            if fresh:
                await asyncio.to_thread(self._state.note, fresh, self._now())
            await self._drop(notes, (i for i, r in results.items() if r.fate is Fate.GONE))
            fates.update(results)
        return list(fates.values())

    async def restore(
        self, queue_ids: Sequence[str], *, tell: Tell = nobody
    ) -> list[MessageResult]:
        """Put quarantined ones back in the queue they came from."""
        async with self._acting:
            notes = await self._notes()
            fates = _fates(queue_ids)
            noted = [queue_id for queue_id in fates if queue_id in notes]
            stay = [queue_id for queue_id in noted if notes[queue_id].was_held]
            go = [queue_id for queue_id in noted if not notes[queue_id].was_held]
            on_hold = await self._on_hold() if stay else set()
            results = _results(stay, _Told(set(), {}), on_hold)
            told = await self._postsuper(RELEASE, go, tell)
            results |= _results(go, told, set())
            settled = (i for i, result in results.items() if result.fate is not Fate.FAILED)
            await self._drop(notes, settled)
            fates.update(results)
        return list(fates.values())

    async def retry(self, queue_ids: Sequence[str], *, tell: Tell = nobody) -> list[MessageResult]:
        """Have waiting ones tried now. Which of these wait the listing tells, not the command."""
        # No other act waits for it: it changes no note, and what is held meanwhile stays held.
        fates = _fates(queue_ids)
        waiting: set[str] = set()
        if fates:
            async with aclosing(self._entries()) as bundles:
                async for bundle in bundles:
                    waiting.update(one.queue_id for one in bundle if one.queue != "hold")
        asked = [queue_id for queue_id in fates if queue_id in waiting and is_id(queue_id)]
        fates.update(_results(asked, await self._flushed(asked, tell), set()))
        return list(fates.values())

    async def delete(self, queue_ids: Sequence[str], *, tell: Tell = nobody) -> list[MessageResult]:
        """Delete these for good."""
        async with self._acting:
            notes = await self._notes()
            fates = _fates(queue_ids)
            told = await self._postsuper(DELETE, fates, tell)
            results = _results(fates, told, set())
            settled = (i for i, result in results.items() if result.fate is not Fate.FAILED)
            await self._drop(notes, settled)
            fates.update(results)
        return list(fates.values())

    # -- inside ----------------------------------------------------------------------

    def _entries(self) -> AsyncGenerator[list[Entry], None]:
        return entries(self._server, self._runner, self._programs)

    async def _notes(self) -> dict[str, Note]:
        return await asyncio.to_thread(self._state.notes)

    async def _drop(self, notes: dict[str, Note], queue_ids: Iterable[str]) -> None:
        noted = [queue_id for queue_id in queue_ids if queue_id in notes]
        if noted:
            await asyncio.to_thread(self._state.drop_notes, noted)

    async def _on_hold(self) -> set[str]:
        found: set[str] = set()
        async with aclosing(self._entries()) as bundles:
            async for bundle in bundles:
                found.update(entry.queue_id for entry in bundle if entry.queue == "hold")
        return found

    def _now(self) -> int:
        return int(self._clock.now().timestamp())

    async def _postsuper(self, option: str, queue_ids: Iterable[str], tell: Tell) -> _Told:
        """Act on the ids, in batches, and read back which were found.

        Raises ServerDown when nothing at all is known to have been done.
        """
        told = _Told(set(), {})
        waiting = [queue_id for queue_id in queue_ids if is_id(queue_id)]
        number = len(waiting)
        while waiting:
            batch, waiting = waiting[:_BATCH], waiting[_BATCH:]
            stdin = "".join(f"{queue_id}\n" for queue_id in batch).encode()
            why = ""
            try:
                end = await self._runner.run(self._programs.act(option), stdin=stdin)
                told.done.update(_done(end.errors, batch))
                if end.code != 0:
                    why = tr(
                        "postsuper failed on {server}: {why}.",
                        server=self._server,
                        why=end.complaint,
                    )
            except ServerDown as error:
                if isinstance(error, CutShort):
                    told.done.update(_done(error.errors, batch))
                if not told.done:
                    raise  # it says itself what is known
                why = str(error)
            if why and not told.done:
                raise ServerDown(
                    tr("{what} Nothing was changed; check the bot's rights there.", what=why)
                )
            if why:
                rest = [queue_id for queue_id in batch + waiting if queue_id not in told.done]
                told.failed.update(dict.fromkeys(rest, why))
                break
            tell(number - len(waiting))
        return told

    async def _flushed(self, queue_ids: Sequence[str], tell: Tell) -> _Told:
        """Have each of these tried now; after the first failure no more are begun.

        Raises ServerDown when nothing at all is known to have been done.
        """
        told = _Told(set(), {})
        left = list(reversed(queue_ids))
        failures: list[ServerDown] = []

        async def some() -> None:
            while left and not failures:
                queue_id = left.pop()
                try:
                    # It reads no input: with some, a command that is cut short is not said to
                    # have changed nothing.
                    end = await self._runner.run(self._programs.retry(queue_id), stdin=b"\n")
                except ServerDown as error:
                    failures.append(error)
                    return
                if end.code != 0:
                    failures.append(self._not_flushed(end.complaint))
                    return
                told.done.add(queue_id)
                tell(len(told.done))

        async with asyncio.TaskGroup() as group:
            for _ in range(_SIDE_BY_SIDE):
                group.create_task(some())
        if failures and not told.done:
            raise failures[0]
        if failures:
            rest = (queue_id for queue_id in queue_ids if queue_id not in told.done)
            told.failed.update(dict.fromkeys(rest, str(failures[0])))
        return told

    def _not_flushed(self, why: str) -> ServerDown:
        return ServerDown(
            tr(
                "postqueue failed on {server}: {why}. The bot's account must be among "
                "authorized_flush_users there.",
                server=self._server,
                why=why,
            )
        )

    async def _oldest(self, query: SpoolQuery, number: int) -> tuple[int, list[Entry]]:
        """Return how many match, and the oldest ``number`` of them."""
        matches = _matcher(query, await self._notes())
        needs_seen = (
            query.sender is not None
            or query.client_ip is not None
            or bool(query.subject or query.sender_domains)
        )
        total = 0
        found: list[Entry] = []
        async with aclosing(self._entries()) as bundles:
            async for bundle in bundles:
                kept = [entry for entry in bundle if matches(entry)]
                if needs_seen and kept:
                    seen = await self._seen(kept, subjects=bool(query.subject))
                    kept = [entry for entry in kept if _sent_so(entry, seen, query)]
                total += len(kept)
                found += kept
                if len(found) > 2 * number + _BATCH:
                    found = sorted(found, key=_age)[:number]
        return total, sorted(found, key=_age)[:number]

    async def _seen(self, asked: Sequence[Entry], *, subjects: bool = False) -> dict[str, Seen]:
        """Tell who sent these, and their subjects if so asked."""
        found: dict[str, Seen] = {}
        for at in range(0, len(asked), _BATCH):
            part = asked[at : at + _BATCH]
            known = await asyncio.to_thread(self._state.seen, [e.queue_id for e in part])
            missing = {
                entry.queue_id: entry.second
                for entry in part
                if not _is_of(known.get(entry.queue_id), entry, subjects)
            }
            if missing:
                read = await self._contents.seen(missing)
                # A message that a content filter gave back says in its file nothing of a login.
                read = [_joined(one, known.get(one.queue_id)) for one in read]
                known |= {one.queue_id: one for one in read}
                if read:
                    await asyncio.to_thread(self._state.remember, read)
            found |= known
        return found


def _is_of(seen: Seen | None, entry: Entry, subjects: bool) -> bool:
    """Tell whether this is about that very message: short ids are used again."""
    if seen is None or (subjects and seen.subject is None):
        return False
    # The log tells of a message after it began to arrive, give or take a rounded second.
    return seen.at + 2 >= entry.second


def _joined(read: Seen, logged: Seen | None) -> Seen:
    """Return what the file says, and of who sent it what the log says of that very message."""
    if logged is None or logged.user is None or logged.at + 2 < read.at:
        return read
    return read._replace(user=logged.user, ip=logged.ip)


def _queue(entry: Entry, notes: dict[str, Note]) -> Queue:
    if entry.queue == "hold":
        return Queue.QUARANTINE if entry.queue_id in notes else Queue.HELD
    return Queue.DEFERRED if entry.queue == "deferred" else Queue.ACTIVE


def _sender(entry: Entry, seen: dict[str, Seen]) -> str:
    one = seen.get(entry.queue_id)
    return (None if one is None else one.user) or entry.sender


def _age(entry: Entry) -> tuple[int, str]:
    return entry.arrived, entry.queue_id


def _moment(entry: Entry) -> datetime:
    return _EPOCH + timedelta(microseconds=entry.arrived)


def _message(entry: Entry, seen: dict[str, Seen], notes: dict[str, Note]) -> Message:
    queue = _queue(entry, notes)
    one = seen.get(entry.queue_id)
    return Message(
        queue_id=entry.queue_id,
        arrived=_moment(entry),
        size=entry.size,
        envelope_sender=entry.sender,
        authenticated_user=None if one is None else one.user,
        client_ip=None if one is None else one.ip,
        recipients=entry.recipients,
        subject="" if one is None or one.subject is None else one.subject,
        queue=queue,
        folder=notes[entry.queue_id].folder if queue is Queue.QUARANTINE else None,
        last_error=entry.error,
    )


def _matcher(query: SpoolQuery, notes: dict[str, Note]) -> Callable[[Entry], bool]:
    """Return the test of what the listing tells. ``arrived_after`` is in, ``_before`` out."""
    recipient = None if query.recipient is None else query.recipient.casefold()

    def matches(entry: Entry) -> bool:
        if query.queues or query.folder is not None:
            queue = _queue(entry, notes)
            if query.queues and queue not in query.queues:
                return False
            if query.folder is not None and (
                queue is not Queue.QUARANTINE or notes[entry.queue_id].folder != query.folder
            ):
                return False
        if recipient is not None and recipient not in (r.casefold() for r in entry.recipients):
            return False
        if query.arrived_after is not None and _moment(entry) < query.arrived_after:
            return False
        return query.arrived_before is None or _moment(entry) < query.arrived_before

    return matches


def _sent_so(entry: Entry, seen: dict[str, Seen], query: SpoolQuery) -> bool:
    """Tell whether a message was sent by, from and about what is asked."""
    one = seen.get(entry.queue_id)
    if query.sender is not None and _sender(entry, seen).casefold() != query.sender.casefold():
        return False
    if query.sender_domains and not is_in(_sender(entry, seen), query.sender_domains):
        return False
    if query.client_ip is not None:
        address = None if one is None or one.ip is None else ip_address(one.ip)
        if address is None or address.version != query.client_ip.version:
            return False
        if address not in query.client_ip:
            return False
    if query.subject:
        subject = "" if one is None else one.subject or ""
        return query.subject.casefold() in subject.casefold()
    return True


def _done(said: str, queue_ids: Sequence[str]) -> set[str]:
    """Return which of these ``postsuper`` said that it changed."""
    return {found[1] for found in _DONE.finditer(said)} & {*queue_ids}


def _fates(queue_ids: Iterable[str]) -> dict[str, MessageResult]:
    """Begin with each of them gone, once each, in the order given."""
    return {queue_id: MessageResult(queue_id, Fate.GONE) for queue_id in queue_ids}


def _results(asked: Iterable[str], told: _Told, already: set[str]) -> dict[str, MessageResult]:
    results = {}
    for queue_id in asked:
        if queue_id in told.done or queue_id in already:
            results[queue_id] = MessageResult(queue_id, Fate.DONE)
        elif queue_id in told.failed:
            results[queue_id] = MessageResult(queue_id, Fate.FAILED, told.failed[queue_id])
        else:
            results[queue_id] = MessageResult(queue_id, Fate.GONE)
    return results
