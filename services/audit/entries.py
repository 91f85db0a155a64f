"""What a line of the log is, what its hash covers, and how the next one is made."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

import orjson

from services.audit.keys import Keyring
from services.models import AuditEntry
from services.people import BOT, Actor

GENESIS = "0" * 64
# Nothing a sender or a chat member controls may grow the log without bound.
_MAX_TEXT = 512


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
    KEY = "key"  # from this entry on another key seals the log, or none
    ANCHOR = "anchor"  # the head before this entry was posted to the chats
    CHECKPOINT = "checkpoint"  # older entries were moved into a file


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


class Record(NamedTuple):
    """An entry as read, from the database or a file: a million of them are read quickly."""

    seq: int
    at: datetime
    phase: str
    action: str
    actor: str
    actor_name: str
    server: str
    incident_id: int | None
    intent_id: str | None
    subject: str
    detail: str
    prev_hash: str
    hash: str
    key_id: str | None
    mac: str | None


class Entry(Protocol):
    """A Record or a row of the table."""

    # fmt: off
    @property
    def seq(self) -> int | None: ...  # noqa: D102
    @property
    def at(self) -> datetime: ...  # noqa: D102
    @property
    def phase(self) -> str: ...  # noqa: D102
    @property
    def action(self) -> str: ...  # noqa: D102
    @property
    def actor(self) -> str: ...  # noqa: D102
    @property
    def actor_name(self) -> str: ...  # noqa: D102
    @property
    def server(self) -> str: ...  # noqa: D102
    @property
    def incident_id(self) -> int | None: ...  # noqa: D102
    @property
    def intent_id(self) -> str | None: ...  # noqa: D102
    @property
    def subject(self) -> str: ...  # noqa: D102
    @property
    def detail(self) -> str: ...  # noqa: D102
    @property
    def prev_hash(self) -> str: ...  # noqa: D102
    @property
    def hash(self) -> str: ...  # noqa: D102
    @property
    def key_id(self) -> str | None: ...  # noqa: D102
    @property
    def mac(self) -> str | None: ...  # noqa: D102
    # fmt: on


def entry_fields(entry: Entry) -> dict[str, Any]:
    """Return the fields that the hash covers, as exported: times in ISO 8601, UTC."""
    fields = {
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
    if entry.key_id is not None:
        # Only where there is one: logs from before there were keys keep their hashes.
        fields["key_id"] = entry.key_id
    return fields


def entry_hash(entry: Entry) -> str:
    """Return the hash that ``entry`` must carry, in hexadecimal.

    Raises TypeError or ValueError where a field is not even of its type.
    """
    canonical = orjson.dumps(entry_fields(entry), option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(entry.prev_hash.encode() + canonical).hexdigest()


def following(
    before: Entry | None, line: Line, at: datetime, keys: Keyring
) -> tuple[AuditEntry, ...]:
    """Return what is to be written after ``before``: the line, and a change of key first."""
    changed = () if before is None else key_change(before, at, keys)
    return (*changed, _sealed(changed[-1] if changed else before, line, at, keys))


def key_change(before: Entry, at: datetime, keys: Keyring) -> tuple[AuditEntry, ...]:
    """Return the entry that tells of another key than ``before`` has, if it is another."""
    if before.key_id == keys.current_id:
        return ()
    old = keys.get(before.key_id)
    detail = {"from": before.key_id, "to": keys.current_id}
    if old is not None:
        detail["seal"] = old.seal_change(_next(before), before.hash, keys.current_id)
    return (_sealed(before, Line(Phase.KEY, "key", BOT, detail=detail), at, keys),)


def _sealed(before: Entry | None, line: Line, at: datetime, keys: Keyring) -> AuditEntry:
    entry = AuditEntry(
        seq=_next(before),
        at=at,
        phase=line.phase.value,
        action=storable(line.action),
        actor=storable(line.actor.key),
        actor_name=storable(line.actor.name),
        server=storable(line.server),
        incident_id=line.incident_id,
        intent_id=None if line.intent_id is None else storable(line.intent_id),
        subject=storable(line.subject),
        detail=json.dumps(dict(line.detail or {}), sort_keys=True),
        prev_hash=GENESIS if before is None else before.hash,
        hash="",
        key_id=keys.current_id,
    )
    entry.hash = entry_hash(entry)
    if keys.current is not None:
        entry.mac = keys.current.seal(entry.hash)
    return entry


def _next(before: Entry | None) -> int:
    return 1 if before is None or before.seq is None else before.seq + 1


def storable(text: str) -> str:
    """Return a text as it can be stored whoever wrote it: bounded, and UTF-8."""
    # A lone surrogate cannot be stored as UTF-8, nor a NUL in PostgreSQL; better a "?" than
    # a failed log.
    return text[:_MAX_TEXT].replace("\0", "?").encode("utf-8", "replace").decode()
