"""The audit log: append-only, each entry holding the hash of the one before.

An entry's hash is SHA-256 over the hash before it and the entry's own fields as
canonical JSON (sorted keys, no spaces, UTF-8). Changing, dropping, adding or
swapping entries breaks the chain at that place, and verify() names it. Cutting
off the end cannot be seen from the chain alone: compare the head with one that
was noted elsewhere.
"""

import csv
import hashlib
import io
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import true
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from services.clock import Clock
from services.models import AuditEntry
from services.people import Actor
from services.store import Store

GENESIS = "0" * 64
# Nothing a sender or a chat member controls may grow the log without bound.
_MAX_TEXT = 512
_PAGE = 1000
_UNREADABLE = "it cannot be read"


class Phase(StrEnum):
    """What kind of line this is."""

    INTENT = "intent"  # written before the act
    RESULT = "result"  # written after it
    ASKED = "asked"  # a second person is waited for; nothing was done yet
    DECIDED = "decided"  # the second person approved or declined
    REFUSED = "refused"
    REPEATED = "repeated"  # the same button again; nothing was done twice
    READ = "read"  # somebody looked into a message
    NOTE = "note"  # the bot's own doings


@dataclass(frozen=True, slots=True)
class Line:
    """What to write down; the log adds time, place in the chain and hash."""

    phase: Phase
    action: str
    actor: Actor
    server: str = ""
    subject: str = ""
    incident_id: int | None = None
    intent_id: str | None = None
    detail: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the chain holds. ``broken_at`` is the first bad entry's number, and why."""

    entries: int
    head: str
    broken_at: int | None = None
    why: str = ""

    @property
    def sentence(self) -> str:
        """The verdict in words."""
        if self.broken_at is None:
            return f"The audit log is whole: {self.entries:,} entries, head {self.head[:16]}."
        return (
            f"The audit log is BROKEN at entry {self.broken_at}: {self.why}. "
            "Everything before it is whole; do not trust what follows."
        )


class AuditLog:
    """Writes and reads the log."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def append(self, session: AsyncSession, line: Line) -> AuditEntry:
        """Write one line in the caller's transaction, so both happen or neither."""
        last = (
            await session.exec(select(AuditEntry).order_by(col(AuditEntry.seq).desc()).limit(1))
        ).first()
        entry = AuditEntry(
            seq=1 if last is None or last.seq is None else last.seq + 1,
            at=self._clock.now(),
            phase=line.phase.value,
            action=storable(line.action),
            actor=storable(line.actor.key),
            actor_name=storable(line.actor.name),
            server=storable(line.server),
            incident_id=line.incident_id,
            intent_id=None if line.intent_id is None else storable(line.intent_id),
            subject=storable(line.subject),
            detail=json.dumps(dict(line.detail or {}), sort_keys=True),
            prev_hash=GENESIS if last is None else last.hash,
            hash="",
        )
        entry.hash = entry_hash(entry)
        session.add(entry)
        await session.flush()
        return entry

    async def write(self, line: Line) -> None:
        """Write one line in a transaction of its own."""
        async with self._store.session() as session:
            await self.append(session, line)

    async def verify(self) -> Verdict:
        """Walk the whole chain."""
        verdict = await self._walk(_PAGE)
        # A page with an entry that cannot be read says nothing of the others in it.
        return verdict if verdict.why != _UNREADABLE else await self._walk(1)

    async def _walk(self, page: int) -> Verdict:
        before, seq = GENESIS, 0
        try:
            async for entry in self.entries(page=page):
                why = _fault(entry, seq + 1, before)
                if why:
                    return Verdict(seq, before, seq + 1, why)
                before, seq = entry.hash, seq + 1
        except (TypeError, ValueError):
            # What was written into it is not even of the column's type.
            return Verdict(seq, before, seq + 1, _UNREADABLE)
        return Verdict(seq, before)

    async def entries(self, *, page: int = _PAGE) -> AsyncIterator[AuditEntry]:
        """Yield every entry, oldest first; ``page`` of them are read at a time."""
        query = select(AuditEntry).order_by(col(AuditEntry.seq)).limit(page)
        # No lower bound at first: an entry slipped in before the first must be seen.
        rows: Sequence[AuditEntry] = ()
        while True:
            async with self._store.reading() as session:
                after = col(AuditEntry.seq) > rows[-1].seq if rows else true()
                rows = (await session.exec(query.where(after))).all()
            for row in rows:
                yield row
            if len(rows) < page:
                return

    async def newest(
        self, limit: int, *, incident_id: int | None = None, offset: int = 0
    ) -> list[AuditEntry]:
        """Return the newest entries, newest first."""
        query = select(AuditEntry).order_by(col(AuditEntry.seq).desc()).offset(offset).limit(limit)
        if incident_id is not None:
            query = query.where(AuditEntry.incident_id == incident_id)
        async with self._store.reading() as session:
            return list((await session.exec(query)).all())


def entry_fields(entry: AuditEntry) -> dict[str, Any]:
    """Return the fields that the hash covers, as exported: times in ISO 8601, UTC."""
    return {
        "seq": entry.seq,
        "at": entry.at.isoformat(timespec="microseconds"),
        "phase": entry.phase,
        "action": entry.action,
        "actor": entry.actor,
        "actor_name": entry.actor_name,
        "server": entry.server,
        "incident_id": entry.incident_id,
        "intent_id": entry.intent_id,
        "subject": entry.subject,
        "detail": entry.detail,
    }


def entry_hash(entry: AuditEntry) -> str:
    """Return the hash that ``entry`` must carry, in hexadecimal."""
    canonical = json.dumps(
        entry_fields(entry), sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )
    return hashlib.sha256((entry.prev_hash + canonical).encode()).hexdigest()


def _fault(entry: AuditEntry, seq: int, before: str) -> str:
    """Return what is wrong with the entry that should be number ``seq``, "" if nothing is."""
    if entry.seq is None or entry.seq < seq:
        return "an entry was put in before it"
    if entry.seq > seq:
        return f"entry {seq} is missing"
    if entry.prev_hash != before:
        return "it does not follow from the entry before it"
    if entry.hash != entry_hash(entry):
        return "its content was changed"
    return ""


def storable(text: str) -> str:
    """Return a text as it can be stored whoever wrote it: bounded, and UTF-8."""
    # A lone surrogate cannot be stored as UTF-8; better a "?" than a failed log.
    return text[:_MAX_TEXT].encode("utf-8", "replace").decode()


def as_jsonl(entry: AuditEntry) -> str:
    """Return one entry as a line of JSON, with its hashes."""
    fields = entry_fields(entry) | {"prev_hash": entry.prev_hash, "hash": entry.hash}
    return json.dumps(fields, ensure_ascii=False)


def as_csv(entry: AuditEntry, *, header: bool = False) -> str:
    """Return one entry as a CSV line; with ``header``, the column names instead.

    A text that a spreadsheet would take for a formula gets an apostrophe before
    it (OWASP, "CSV Injection").
    """
    fields = entry_fields(entry) | {"prev_hash": entry.prev_hash, "hash": entry.hash}
    values: list[Any] = list(fields) if header else [_no_formula(v) for v in fields.values()]
    out = io.StringIO()
    # The writer quotes a line break only where it ends lines itself (RFC 4180, 2.6).
    csv.writer(out, lineterminator="\r\n").writerow(values)
    return out.getvalue().removesuffix("\r\n")


def _no_formula(value: object) -> object:
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r", "\n"):
        return "'" + value
    return value
