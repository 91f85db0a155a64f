"""Writes the log, reads it, and walks the whole chain."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Select, true
from sqlalchemy.exc import OperationalError
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from services.audit.archive import first_number, read
from services.audit.chain import Anchor, Chain, Verdict, Wrong
from services.audit.entries import Line, Phase, Record, following, key_change
from services.audit.keys import NO_KEYS, Keyring
from services.clock import Clock
from services.errors import BadArgument, StoreError
from services.language import tr
from services.models import Announcement, AuditEntry
from services.scope import Scope
from services.store import Store

_PAGE = 1000
_COLUMNS = tuple(getattr(AuditEntry, name) for name in Record._fields)


class AuditLog:
    """Writes and reads the log."""

    def __init__(self, store: Store, clock: Clock, keys: Keyring = NO_KEYS) -> None:
        self._store = store
        self._clock = clock
        self._keys = keys
        self._proved: Anchor | None = None  # the newest entry that was walked up to

    # -- writing ----------------------------------------------------------------

    async def append(self, session: AsyncSession, line: Line) -> AuditEntry:
        """Write one line in the caller's transaction, so both happen or neither."""
        last = await head(session)
        entries = following(last, line, self._clock.now(), self._keys)
        await self._add(session, last, entries)
        return entries[-1]

    async def write(self, line: Line) -> None:
        """Write one line in a transaction of its own."""
        async with self._store.session() as session:
            await self.append(session, line)

    async def use_key(self) -> bool:
        """Write down that another key seals the log, if so; return whether it was written."""
        async with self._store.session() as session:
            last = await head(session)
            changed = () if last is None else key_change(last, self._clock.now(), self._keys)
            await self._add(session, last, changed)
        return bool(changed)

    async def _add(
        self, session: AsyncSession, last: AuditEntry | None, entries: Sequence[AuditEntry]
    ) -> None:
        session.add_all(entries)
        if last is not None and last.key_id != self._keys.current_id:
            # People see it, since it is also what somebody would do who made the log anew.
            text = _key_changed(last.key_id, self._keys, entries[0].seq or 0)
            session.add(Announcement(at=self._clock.now(), text=text))
        await session.flush()

    # -- proving ----------------------------------------------------------------

    async def verify(
        self, anchors: Iterable[Anchor] = (), archives: Iterable[Path] = ()
    ) -> Verdict:
        """Walk the whole chain, with the ``archives`` of older entries before it if given."""
        chain = Chain(self._keys, anchors)
        for file in sorted(archives, key=lambda file: (first_number(file), file.name)):
            chain.next_source()
            for record in read(file):
                if record is None:
                    why = tr(
                        "unreadable in the file {file}, or the file is cut off there",
                        file=file.name,
                    )
                    chain.stop(Wrong.UNREADABLE, why)
                if record is None or not chain.feed(record):
                    break
        chain.next_source()
        await self._walk(chain)
        return chain.verdict()

    async def verify_newest(self) -> Verdict:
        """Walk from the newest entry on whose hash is known: this soon has an end.

        It is known because this bot has walked up to it, or from the newest anchor; where
        there is neither, all is walked.
        """
        known = self._proved
        note = tr(
            "Of this, what came before was walked by this bot earlier; “spoolwarden audit "
            "verify” walks all."
        )
        if known is None:
            known = await self._anchored()
            note = tr(
                "Of this, what came before its anchor was not walked now; “spoolwarden audit "
                "verify” walks all."
            )
        if known is None:
            chain = Chain(self._keys)
            await self._walk(chain)
        else:
            chain = Chain(self._keys, [known], begin=known.seq)
            await self._walk(chain, known.seq - 1)
        verdict = chain.verdict()
        if verdict.broken_at is None and chain.seq:
            self._proved = Anchor(chain.seq, chain.head)
        if known is None or known.seq == 1:
            return verdict
        return replace(verdict, notes=(*verdict.notes, note))

    async def _anchored(self) -> Anchor | None:
        """Return the head that the newest anchor has noted."""
        query = select(AuditEntry.detail).where(AuditEntry.phase == Phase.ANCHOR.value)
        async with self._store.reading() as session:
            newest = query.order_by(col(AuditEntry.seq).desc()).limit(1)
            detail = (await session.exec(newest)).first()
        try:
            return None if detail is None else Anchor.in_text(detail)[0]
        except BadArgument:
            return None  # somebody has changed it, which walking all will show

    async def _walk(self, chain: Chain, after: int | None = None) -> None:
        """Feed the table, in one statement: what is archived meanwhile is still seen."""
        last = after
        try:
            async with aclosing(self._records(after)) as records:
                async for record in records:
                    if not chain.feed(record):
                        return
                    last = record.seq
        except (TypeError, ValueError, StoreError) as error:
            _only_unreadable(error)
        else:
            return
        # A page with an entry that cannot be read says nothing of the others in it.
        try:
            async for entry in self._one_by_one(last):
                if not chain.feed(entry):
                    return
        except (TypeError, ValueError, StoreError) as error:
            _only_unreadable(error)
            chain.stop(Wrong.UNREADABLE, tr("it cannot be read"))

    async def _one_by_one(self, after: int | None) -> AsyncIterator[Record]:
        while True:
            async with self._store.reading() as session:
                row = (await (await session.connection()).execute(_after(after).limit(1))).first()
            if row is None:
                return
            record = Record._make(row)
            yield record
            after = record.seq

    async def _records(self, after: int | None) -> AsyncGenerator[Record]:
        async with aclosing(self.pages(after=after)) as pages:
            async for page in pages:
                for record in page:
                    yield record

    # -- reading ----------------------------------------------------------------

    async def pages(
        self, last: int | None = None, *, after: int | None = None
    ) -> AsyncGenerator[list[Record]]:
        """Yield every entry past ``after`` up to number ``last``, oldest first, as they stand now.

        Who does not take all of them must close it: it reads in a transaction.
        """
        # No lower bound by itself: an entry slipped in before the first must be seen.
        query = _after(after)
        if last is not None:
            query = query.where(col(AuditEntry.seq) <= last)
        async with self._store.reading() as session:
            rows = await (await session.connection()).stream(query)
            try:
                async for page in rows.partitions(_PAGE):
                    yield list(map(Record._make, page))
            finally:
                await rows.close()

    async def entries(self, *, page: int = _PAGE) -> AsyncIterator[AuditEntry]:
        """Yield every entry, oldest first; ``page`` of them are read at a time."""
        query = select(AuditEntry).order_by(col(AuditEntry.seq)).limit(page)
        rows: Sequence[AuditEntry] = ()
        while True:
            async with self._store.reading() as session:
                after = col(AuditEntry.seq) > rows[-1].seq if rows else true()
                rows = (await session.exec(query.where(after))).all()
            for row in rows:
                yield row
            if len(rows) < page:
                return

    async def newest_of(self, scope: Scope, limit: int, *, offset: int = 0) -> list[AuditEntry]:
        """Return the newest entries about these senders, newest first."""
        if scope.everything:
            return await self.newest(limit, offset=offset)
        found: list[AuditEntry] = []
        query = select(AuditEntry).order_by(col(AuditEntry.seq).desc()).limit(_PAGE)
        before: ColumnElement[bool] = true()
        while True:
            async with self._store.reading() as session:
                rows = (await session.exec(query.where(before))).all()
            found += [row for row in rows if scope.holds_entry(row.subject, row.detail)]
            if len(rows) < _PAGE or len(found) >= offset + limit:
                return found[offset : offset + limit]
            before = col(AuditEntry.seq) < rows[-1].seq

    async def newest(
        self, limit: int, *, incident_id: int | None = None, offset: int = 0
    ) -> list[AuditEntry]:
        """Return the newest entries, newest first."""
        query = select(AuditEntry).order_by(col(AuditEntry.seq).desc()).offset(offset).limit(limit)
        if incident_id is not None:
            query = query.where(AuditEntry.incident_id == incident_id)
        async with self._store.reading() as session:
            return list((await session.exec(query)).all())


async def head(session: AsyncSession) -> AuditEntry | None:
    """Return the newest entry."""
    query = select(AuditEntry).order_by(col(AuditEntry.seq).desc()).limit(1)
    return (await session.exec(query)).first()


def _after(seq: int | None) -> Select[*tuple[Any, ...]]:
    query: Select[*tuple[Any, ...]] = Select(*_COLUMNS).order_by(col(AuditEntry.seq))
    return query if seq is None else query.where(col(AuditEntry.seq) > seq)


def _only_unreadable(error: Exception) -> None:
    """Raise ``error`` again unless it comes from the values in the table."""
    if isinstance(error, StoreError):
        cause = error.__cause__
        if not (isinstance(cause, OperationalError) and "decode" in str(cause.orig)):
            raise error


def _key_changed(before: str | None, keys: Keyring, seq: int) -> str:
    now = keys.current_id
    if before is None:
        earlier = tr("before, it was not sealed.")
    elif keys.get(before) is None:
        earlier = tr(
            "before, it was sealed with key {key}, which is not in old_key_files, so the change "
            "itself is not proved. Was it you?",
            key=before,
        )
    else:
        earlier = tr("before, it was sealed with key {key}.", key=before)
    if now is None:
        return tr(
            "⚠️ The audit log is no longer sealed with a key from entry {number} on; {earlier}",
            number=str(seq),
            earlier=earlier,
        )
    return tr(
        "🔑 The audit log is sealed with key {key} from entry {number} on; {earlier}",
        key=now,
        number=str(seq),
        earlier=earlier,
    )
