"""The spool: what waits, having it tried again, and deleting it.

Seen in public clients (A: two agree, B: one well kept, C: one):

- GET settings/sysadmin/spool-message-counts → counts {default, waiting, virus, spam, …} (A)
- POST settings/sysadmin/spool-messages {spoolInput: [{…, search, count, startIndex,
  ascending}]} → spoolListData [{messages: [{fileName, spoolName, …}]}] (A). Which spool is
  meant is said as ``filter`` by one client ("quarantine_virus", C), as ``spoolName`` by
  another ("Pending", B): tried in this order.
- POST settings/sysadmin/spool-delete-messages, spool-delete-message {spoolInput:
  [{fileName, spoolName}]} (B)
- POST settings/sysadmin/reset-spool-messages {spoolInput: [{fileName, spoolName}]} (B): sets
  a message's attempts back, as one that just came, so that it is tried at once.

Of a listed message's other fields nothing is public. Those named like the columns of
SmarterMail's own page are read where they are there (C); who authenticated, from where,
and to whom comes from the SMTP log by the file's name (see journal.py).
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address

from services.clock import Clock
from services.errors import ServerDown
from services.language import later, tr
from services.mail.domains import is_in
from services.mail.port import (
    DELIVERING,
    MAX_SUBJECT,
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
from services.mail.smartermail import answers
from services.mail.smartermail.answers import Fields
from services.mail.smartermail.api import Api
from services.mail.smartermail.config import SmarterMailConfig
from services.mail.smartermail.journal import Journal
from services.mail.smartermail.log import Accepted
from services.mail.smartermail.ways import Refusal, suppress_nothing_there

_SYSADMIN = "settings/sysadmin"
_LIST = later("list the spool")
_BATCH = 200  # messages one call deletes or resets
_PASSES = 3  # a spool that moves while it is read is read again
_MOST_PAGES = 1000


@dataclass(frozen=True, slots=True)
class _Spool:
    """One of SmarterMail's spools: its name in the counts and as a filter, and what it is."""

    count: str
    filter: str
    queue: Queue
    folder: str | None = None


_SPOOLS = (
    _Spool("default", "default", Queue.ACTIVE),
    _Spool("waiting", "waiting", Queue.DEFERRED),
    _Spool("spam", "quarantine_spam", Queue.QUARANTINE, "spam"),
    _Spool("virus", "quarantine_virus", Queue.QUARANTINE, "virus"),
)
#: The name that stands for all that is not in quarantine, for the clients that use names.
_PENDING = "Pending"


@dataclass(frozen=True, slots=True)
class Item:
    """A listed message: what the list itself tells of it."""

    file_name: str
    spool_name: str
    queue: Queue
    folder: str | None
    arrived: datetime | None
    sender: str | None
    recipients: tuple[str, ...]
    size: int | None
    subject: str | None
    last_error: str | None


class Spool:
    """The spool of one server. Each look at it lists it anew."""

    def __init__(self, api: Api, config: SmarterMailConfig, clock: Clock, journal: Journal) -> None:
        self._api = api
        self._page_size = config.page_size
        self._clock = clock
        self._journal = journal

    async def counts(self) -> SpoolCounts:
        """Return how full it is. Past a page of messages, the bytes are an estimate."""
        numbers = await self._numbers()
        by_queue: Counter[Queue] = Counter()
        for spool in _SPOOLS:
            by_queue[spool.queue] += numbers[spool.count]
        total = by_queue.total()
        size = 0
        if total:
            some = await self._items(numbers, pages=1)
            sizes = [item.size or 0 for item in some]
            size = sum(sizes)
            if sizes and len(sizes) < total:
                size = size * total // len(sizes)
        return SpoolCounts(
            active=by_queue[Queue.ACTIVE],
            deferred=by_queue[Queue.DEFERRED],
            held=0,
            quarantine=by_queue[Queue.QUARANTINE],
            size=size,
        )

    async def folders(self) -> dict[str, int]:
        """Return SmarterMail's own quarantines that hold messages."""
        numbers = await self._numbers()
        return {s.folder: numbers[s.count] for s in _SPOOLS if s.folder and numbers[s.count]}

    async def search(self, query: SpoolQuery, offset: int, limit: int) -> Page:
        """Return one page of the matching messages, oldest first."""
        found = [message for message in await self._messages() if _matches(query, message)]
        return Page(total=len(found), messages=tuple(found[offset : offset + limit]))

    async def matching_ids(self, query: SpoolQuery, limit: int) -> tuple[str, ...]:
        """Return the file names of matching messages, oldest first."""
        return tuple(message.queue_id for message in (await self.search(query, 0, limit)).messages)

    async def top_queued(self, limit: int) -> Sequence[SenderQueued]:
        """Return the senders with most messages waiting."""
        waiting = Counter(
            message.sender.casefold()
            for message in await self._messages()
            if message.queue in DELIVERING
        )
        ranked = sorted(waiting.items(), key=lambda pair: (-pair[1], pair[0]))
        return [SenderQueued(sender, number) for sender, number in ranked[:limit]]

    async def spool_of(self, senders: Collection[str]) -> dict[str, SenderSpool]:
        """Return what each of these has waiting: the spool is listed once for all."""
        if not senders:
            return {}
        waiting = Counter(
            message.sender.casefold()
            for message in await self._messages()
            if message.queue in DELIVERING
        )
        return {sender: SenderSpool(waiting[sender.casefold()]) for sender in senders}

    async def holds(self, queue_id: str) -> bool:
        """Tell whether a message is in the spool."""
        return any(item.file_name == queue_id for item in await self._items())

    async def some_items(self, names: Iterable[str]) -> dict[str, Item]:
        """Return what the newest pages tell of these files; what is not in them is left out."""
        wanted = set(names)
        found = await self._items(pages=2, oldest_first=False)
        return {item.file_name: item for item in found if item.file_name in wanted}

    async def delete(self, queue_ids: Sequence[str], *, tell: Tell = nobody) -> list[MessageResult]:
        """Delete for good. What became of each is looked up, not believed."""
        asked = list(dict.fromkeys(queue_ids))
        if not asked:
            return []
        before = {item.file_name: item for item in await self._items()}
        there = [before[queue_id] for queue_id in asked if queue_id in before]
        if not there:
            return [MessageResult(queue_id, Fate.GONE) for queue_id in asked]
        why = ""
        for start in range(0, len(there), _BATCH):
            try:
                await self._delete(there[start : start + _BATCH])
            except Exception as error:
                if start == 0:
                    raise
                why = str(error)
                break
            tell(min(start + _BATCH, len(there)))
        left = {item.file_name for item in await self._items()}
        return [
            MessageResult(queue_id, Fate.GONE)
            if queue_id not in before
            else MessageResult(queue_id, Fate.FAILED, why or tr("SmarterMail still lists it"))
            if queue_id in left
            else MessageResult(queue_id, Fate.DONE)
            for queue_id in asked
        ]

    async def retry(self, queue_ids: Sequence[str], *, tell: Tell = nobody) -> list[MessageResult]:
        """Have waiting ones tried now. That one was is believed: the API shows no attempt."""
        fates = {queue_id: MessageResult(queue_id, Fate.GONE) for queue_id in queue_ids}
        listed = {item.file_name: item for item in await self._items()} if fates else {}
        waiting = [
            listed[queue_id]
            for queue_id in fates
            if queue_id in listed and listed[queue_id].queue in DELIVERING
        ]
        for start in range(0, len(waiting), _BATCH):
            try:
                done = await self._reset(waiting[start : start + _BATCH])
            except ServerDown as error:
                if not any(result.fate is Fate.DONE for result in fates.values()):
                    raise
                for item in waiting[start:]:
                    name = item.file_name
                    fates[name] = MessageResult(name, Fate.FAILED, str(error))
                break
            fates.update({name: MessageResult(name, Fate.DONE) for name in done})
            tell(min(start + _BATCH, len(waiting)))
        return list(fates.values())

    async def _reset(self, some: Sequence[Item]) -> list[str]:
        """Reset these; return which of them were there. One that left meanwhile is left out."""

        async def reset(items: Sequence[Item]) -> None:
            await self._api.post(
                f"{_SYSADMIN}/reset-spool-messages",
                {"spoolInput": _named(items)},
                doing=tr("try messages again"),
                acting=True,
            )

        try:
            await reset(some)
        except Refusal as refusal:
            if not refusal.nothing_there:
                raise
        else:
            return [item.file_name for item in some]
        done = []
        for item in some:
            with suppress_nothing_there():
                await reset([item])
                done.append(item.file_name)
        return done

    async def _delete(self, some: Sequence[Item]) -> None:
        named = _named(some)
        doing = tr("delete messages")

        async def many() -> None:
            await self._api.post(
                f"{_SYSADMIN}/spool-delete-messages",
                {"spoolInput": named},
                doing=doing,
                acting=True,
            )

        async def one_by_one() -> None:
            for name in named:
                await self._api.post(
                    f"{_SYSADMIN}/spool-delete-message",
                    {"spoolInput": [name]},
                    doing=doing,
                    acting=True,
                )

        await self._api.ways.first(
            "deleting messages",  # not shown
            [("spool-delete-messages", many), ("spool-delete-message", one_by_one)],
        )

    # -- listing ---------------------------------------------------------------------

    async def _numbers(self) -> dict[str, int]:
        doing = tr("count the spool")
        answer = await self._api.get(f"{_SYSADMIN}/spool-message-counts", doing=doing)
        counts = answers.inner(answer, "counts")
        numbers = {spool.count: answers.number(counts, spool.count) for spool in _SPOOLS}
        if numbers["default"] is None or numbers["waiting"] is None:
            raise self._api.failure(
                doing,
                tr("its answer holds no counts"),
                tr("Nothing was done; look in SmarterMail."),
            )
        return {name: number or 0 for name, number in numbers.items()}

    async def _items(
        self,
        numbers: dict[str, int] | None = None,
        *,
        pages: int = _MOST_PAGES,
        oldest_first: bool = True,
    ) -> list[Item]:
        numbers = numbers or await self._numbers()
        spools = [spool for spool in _SPOOLS if numbers[spool.count]]
        if not spools:
            return []

        async def by_filter() -> list[Item]:
            for _ in range(2):
                lists = [
                    await self._list({"filter": spool.filter}, pages, oldest_first)
                    for spool in spools
                ]
                if not _all_the_same(lists):  # a message may have moved on between two lists
                    break
            else:
                # A build that takes the field and does not heed it gives one list for all.
                why = tr("it gives the same list for each spool")
                raise self._api.refusal(tr(_LIST), 400, why)
            return [
                _item(fields, spool.queue, spool.folder)
                for spool, listed in zip(spools, lists, strict=True)
                for fields in listed
            ]

        async def by_name() -> list[Item]:
            listed = await self._list({"spoolName": _PENDING}, pages, oldest_first)
            return [_item(fields, _queue_of(fields), None) for fields in listed]

        found = await self._api.ways.first(
            "naming a spool",  # not shown
            [("filter", by_filter), ("spoolName", by_name)],
        )
        # A message that went from one spool to the next meanwhile is in both: the later counts.
        return list({item.file_name: item for item in found if item.file_name}.values())

    async def _list(self, which: dict[str, str], pages: int, oldest_first: bool) -> list[Fields]:
        """Read a spool page by page. Each page begins with the last message of the one before.

        If it does not, the spool moved under us and something may have been skipped, so it
        is read again, and what was seen at any time is kept. The server may give fewer
        than we ask for: a page that brings nothing new is the end.
        """
        seen: dict[str, Fields] = {}
        for _ in range(_PASSES):
            start, last = 0, ""
            for _ in range(pages):
                page = await self._page(which, start, oldest_first)
                names = [answers.text(fields, "fileName") or "" for fields in page]
                whole = not last or last in names
                fresh = {n: f for n, f in zip(names, page, strict=True) if n and n not in seen}
                seen |= fresh
                if not whole or len(page) < 2 or names[-1] == last:
                    break
                start, last = start + len(page) - 1, names[-1]
            else:
                break
            if whole:
                break
        return list(seen.values())

    async def _page(self, which: dict[str, str], start: int, oldest_first: bool) -> list[Fields]:
        wanted = {
            **which,
            "search": "",
            "count": self._page_size,
            "startIndex": start,
            "ascending": oldest_first,
        }
        answer = await self._api.post(
            f"{_SYSADMIN}/spool-messages", {"spoolInput": [wanted]}, doing=tr(_LIST)
        )
        data = answers.items(answer, "spoolListData")
        if data is None:
            raise self._api.failure(
                tr(_LIST),
                tr("its answer holds no list"),
                tr("Nothing was done; look in SmarterMail."),
            )
        return [fields for part in data for fields in answers.items(part, "messages") or []]

    async def _messages(self) -> list[Message]:
        items = await self._items()
        logged = await self._journal.find(item.file_name for item in items)
        found = [self._message(item, logged.get(item.file_name)) for item in items]
        return sorted(found, key=lambda message: (message.arrived, message.queue_id))

    def _message(self, item: Item, logged: Accepted | None) -> Message:
        if logged is None:
            return Message(
                queue_id=item.file_name,
                arrived=item.arrived or self._clock.now(),
                size=item.size or 0,
                envelope_sender=item.sender or "",
                authenticated_user=None,
                client_ip=None,
                recipients=item.recipients,
                subject=item.subject or "",
                queue=item.queue,
                folder=item.folder,
                last_error=item.last_error,
            )
        return Message(
            queue_id=item.file_name,
            arrived=self._journal.arrival(logged),
            size=item.size or logged.size or 0,
            envelope_sender=item.sender or "" if logged.sender is None else logged.sender,
            authenticated_user=logged.user,
            client_ip=logged.entry.client,
            recipients=logged.recipients or item.recipients,
            subject=item.subject or "",
            queue=item.queue,
            folder=item.folder,
            last_error=item.last_error,
        )


def _all_the_same(lists: Sequence[Sequence[Fields]]) -> bool:
    names = [{answers.text(fields, "fileName") for fields in listed} for listed in lists]
    return len(names) > 1 and bool(names[0]) and all(some == names[0] for some in names)


def _named(some: Sequence[Item]) -> list[dict[str, str]]:
    return [{"fileName": item.file_name, "spoolName": item.spool_name} for item in some]


def _item(fields: Fields, queue: Queue, folder: str | None) -> Item:
    sender = answers.text(fields, "sender", "from", "returnPath", limit=256)
    return Item(
        file_name=answers.text(fields, "fileName", limit=256) or "",
        spool_name=answers.text(fields, "spoolName") or "",
        queue=queue,
        folder=folder,
        arrived=answers.moment(fields, "timeReceived", "dateReceived", "received"),
        sender=None if sender is None else sender.strip("<> "),
        recipients=answers.texts(fields, "recipients", "to"),
        size=answers.number(fields, "size", "messageSize"),
        subject=answers.text(fields, "subject", limit=MAX_SUBJECT),
        last_error=answers.text(fields, "lastError", "statusMessage", "status"),
    )


def _queue_of(fields: Fields) -> Queue:
    """Tell a message that waits for another attempt from one that had none."""
    tried = answers.number(fields, "attempts", "retries") or 0
    return Queue.DEFERRED if tried else Queue.ACTIVE


def _matches(query: SpoolQuery, message: Message) -> bool:
    """Arrival bounds: ``arrived_after`` is in, ``arrived_before`` is out."""
    recipient = None if query.recipient is None else query.recipient.casefold()
    return (
        (query.sender is None or message.sender.casefold() == query.sender.casefold())
        and (recipient is None or recipient in (to.casefold() for to in message.recipients))
        and (not query.subject or query.subject.casefold() in message.subject.casefold())
        and (
            query.client_ip is None
            or (message.client_ip is not None and ip_address(message.client_ip) in query.client_ip)
        )
        and (query.arrived_after is None or message.arrived >= query.arrived_after)
        and (query.arrived_before is None or message.arrived < query.arrived_before)
        and (not query.queues or message.queue in query.queues)
        and (query.folder is None or message.folder == query.folder)
        and (not query.sender_domains or is_in(message.sender, query.sender_domains))
    )
