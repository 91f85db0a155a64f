"""Walks a log entry by entry, in bounded memory, and says what is wrong with it first."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from services.audit.entries import GENESIS, Entry, Phase, entry_hash
from services.audit.keys import NO_KEYS, Key, Keyring
from services.errors import BadArgument
from services.language import number, tr, trn

_ANCHOR = re.compile(r"(?<![0-9])([1-9][0-9]{0,17}):([0-9a-f]{64})(?![0-9a-f])")
_SEAL = re.compile(r"[0-9a-f]{64}")
_MOST_TOLD = 3
_MOST_KEPT = 1000  # keys: a log made to look bad must not fill the memory


class Wrong(StrEnum):
    """What can be wrong with a log."""

    CHANGED = "changed"
    MISSING = "missing"
    OUT_OF_ORDER = "out of order"  # not shown
    TRUNCATED = "truncated"
    WRONG_KEY = "wrong key"  # not shown
    NOT_SEALED = "not sealed"  # not shown
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Anchor:
    """A head of the log that was noted elsewhere."""

    seq: int
    hash: str

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash}"

    @staticmethod
    def in_text(text: str) -> "tuple[Anchor, ...]":
        """Return the anchors in a pasted line. Raises BadArgument if there is none."""
        found = tuple(Anchor(int(seq), hash) for seq, hash in _ANCHOR.findall(text))
        if not found:
            raise BadArgument(
                tr(
                    "There is no anchor in what was given; nothing was checked. An anchor is "
                    "NUMBER:HASH, the hash in 64 hexadecimal digits; paste the line from the "
                    "channel."
                )
            )
        return found


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the chain holds. ``broken_at`` is the first bad entry's number, and why.

    ``entries`` is how many are good, from number ``first`` on. ``notes`` tell what was
    proved beyond the chain, ``unchecked`` what could not be.
    """

    entries: int
    head: str
    broken_at: int | None = None
    why: str = ""
    wrong: Wrong | None = None
    first: int = 1
    notes: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """The verdict in words."""
        if self.wrong is Wrong.NOT_SEALED:
            return tr(
                "The audit log is NOT PROVED from entry {number} on: {why}. If the key was set "
                "after the bot last ran, start the bot once and verify again; otherwise the log "
                "was rewritten by somebody without the key.",
                number=str(self.broken_at),
                why=self.why,
            )
        if self.broken_at is not None:
            return tr(
                "The audit log is BROKEN at entry {number}: {why}. Everything before it is whole; "
                "do not trust what follows.",
                number=str(self.broken_at),
                why=self.why,
            )
        entries, head = number(self.entries), self.head[:16]
        told = (
            tr("The audit log is whole: {n} entries, head {head}.", n=entries, head=head)
            if self.first == 1
            else tr(
                "The audit log is whole from entry {first} on: {n} entries, head {head}.",
                first=str(self.first),
                n=entries,
                head=head,
            )
        )
        return " ".join((told, *self.notes, *self.unchecked))


@dataclass(frozen=True, slots=True)
class _Fault:
    seq: int
    wrong: Wrong
    why: str


class Chain:
    """The state of a walk. Feed it every entry, oldest first; then ask for the verdict.

    A walk that begins at entry ``begin`` takes what was before it for granted: give it an
    anchor of that entry.
    """

    def __init__(
        self, keys: Keyring = NO_KEYS, anchors: Iterable[Anchor] = (), *, begin: int = 1
    ) -> None:
        self._keys = keys
        self._begin = begin
        self._anchors: dict[int, set[str]] = {}
        for anchor in anchors:
            self._anchors.setdefault(anchor.seq, set()).add(anchor.hash)
        self._before_first = GENESIS
        self.first = 1
        self.seq = 0  # of the last good entry
        self.head = GENESIS
        self._count = 0
        self._fault: _Fault | None = None
        self._owed: Anchor | None = None  # what came before the first, until a checkpoint vouches
        self._key_id: str | None = None
        self._key_since = 1
        self._handed_over: str | None = None  # the key that a key which is here gave way to
        self._unknown: dict[str, list[int]] = {}  # a key that is not here: first, last entry
        self._not_compared: list[tuple[int, int]] = []
        self._copy: Chain | None = None
        self._joining = False

    def feed(self, entry: Entry) -> bool:
        """Take the next entry; return whether it makes sense to go on."""
        if self._fault is None:
            joining, self._joining = self._joining, False
            if joining and entry.seq is not None and 0 < entry.seq <= self.seq:
                self._copy = Chain(self._keys)
            if self._copy is not None:
                self._fault = self._compare(self._copy, entry)
            else:
                self._fault = self._take(entry)
        if self._owed is not None and _vouches(entry, self._owed, self._keys):
            self._owed = None
        return self._fault is None or self._owed is not None

    def next_source(self) -> None:
        """Say that the coming entries are from another file or database.

        It may begin with copies of the last entries so far; they must be the same.
        """
        if self._copy is not None:
            self._not_compared.append((self._copy.first, self._copy.seq))
        self._copy, self._joining = None, self._count > 0

    def stop(self, wrong: Wrong, why: str) -> None:
        """Say that the next entry could not even be read."""
        if self._fault is None:
            self._fault = _Fault(self.seq + 1, wrong, why)

    def verdict(self) -> Verdict:
        """Return what was found, once there are no more entries."""
        if self._copy is not None:
            self.next_source()
        fault = self._cut() or self._fault or self._not_sealed() or self._truncated()
        if fault is not None:
            good = max(0, min(self._count, fault.seq - self.first))
            return Verdict(good, self.head, fault.seq, fault.why, fault.wrong, self.first)
        return Verdict(
            self._count,
            self.head,
            first=self.first,
            notes=tuple(self._notes()),
            unchecked=tuple(self._unchecked()),
        )

    # -- one entry --------------------------------------------------------------

    def _take(self, entry: Entry) -> _Fault | None:
        try:
            fault = self._of_chain(entry) or self._of_key(entry) or self._of_anchor(entry)
        except (TypeError, ValueError, AttributeError):
            # What was written into it is not even of the column's type.
            return _Fault(self.seq + 1, Wrong.UNREADABLE, tr("it cannot be read"))
        if fault is None:
            self.seq, self.head = entry.seq or 0, entry.hash
            self._count += 1
        return fault

    def _of_chain(self, entry: Entry) -> _Fault | None:
        seq = self.seq + 1
        if entry.seq is None or entry.seq < seq:
            why = tr("out of order, an entry was put in before it")
            return _Fault(seq, Wrong.OUT_OF_ORDER, why)
        if entry.seq > seq and self._count == 0:
            self.first = seq = entry.seq
            self.seq, self.head = entry.seq - 1, entry.prev_hash
            self._before_first = entry.prev_hash
            if entry.seq != self._begin:
                self._owed = Anchor(self.seq, self.head)
        if entry.seq > seq:
            return _Fault(seq, Wrong.MISSING, _missing(seq, entry.seq - 1))
        if entry.prev_hash != self.head:
            why = tr("out of order, it does not follow from the entry before it")
            return _Fault(seq, Wrong.OUT_OF_ORDER, why)
        if entry.hash != entry_hash(entry):
            return _Fault(seq, Wrong.CHANGED, tr("its content was changed"))
        return None

    def _of_key(self, entry: Entry) -> _Fault | None:
        seq, key_id = self.seq + 1, entry.key_id
        if (entry.mac is None) is not (key_id is None):
            return _Fault(seq, Wrong.CHANGED, tr("its seal was changed"))
        key = self._keys.get(key_id)
        if key_id is not None and key is None and not _SEAL.fullmatch(entry.mac or ""):
            return _Fault(seq, Wrong.CHANGED, tr("its seal was changed"))
        if key is not None and entry.mac != key.seal(entry.hash):
            why = tr(
                "wrong key, its seal was not made with the key {key} that it names", key=key.id
            )
            return _Fault(seq, Wrong.WRONG_KEY, why)
        if self._count == 0 or key_id != self._key_id:
            if self._count and not _change_is_told(entry, self._key_id, self._keys):
                why = tr(
                    "wrong key, the key was changed or taken away here without the seal "
                    "of the one before"
                )
                return _Fault(seq, Wrong.WRONG_KEY, why)
            if self._count and self._keys.get(self._key_id) is not None:
                self._handed_over = key_id
            self._key_id, self._key_since = key_id, seq
        if key_id is not None and key is None and len(self._unknown) < _MOST_KEPT:
            self._unknown.setdefault(key_id, [seq, seq])[1] = seq
        return None

    def _of_anchor(self, entry: Entry) -> _Fault | None:
        noted = self._anchors.get(self.seq + 1)
        if noted is None or noted == {entry.hash}:
            return None
        why = tr(
            "its hash is not the one in the anchor, so it or an entry before it was changed "
            "and the chain made anew"
        )
        return _Fault(self.seq + 1, Wrong.CHANGED, why)

    def _compare(self, copy: "Chain", entry: Entry) -> _Fault | None:
        copy.feed(entry)
        if copy._fault is not None:
            return copy._fault
        if copy.seq == self.seq:
            self._copy = None
            if copy.head != self.head:
                why = tr("there are two of it that differ")
                return _Fault(copy.first, Wrong.CHANGED, why)
        return None

    # -- the whole --------------------------------------------------------------

    def _cut(self) -> _Fault | None:
        if self._owed is None:
            return None
        why = tr(
            "{missing}, and no checkpoint vouches for what was there",
            missing=_missing(1, self._owed.seq),
        )
        return _Fault(1, Wrong.MISSING, why)

    def _not_sealed(self) -> _Fault | None:
        """Return a fault where the end is not sealed: anybody could have written it."""
        current = self._keys.current
        if current is None or not self._count or self._keys.get(self._key_id) is not None:
            return None
        if self._key_id is not None and self._key_id == self._handed_over:
            return None  # a key that is here vouches for that one; it is told as not checked
        if self._key_id is None:
            why = tr("it is not sealed, though the key {key} is set", key=current.id)
            return _Fault(self._key_since, Wrong.NOT_SEALED, why)
        why = tr(
            "wrong key, it is sealed with {found} and not with {key}, which is set",
            found=self._key_id,
            key=current.id,
        )
        return _Fault(self._key_since, Wrong.WRONG_KEY, why)

    def _truncated(self) -> _Fault | None:
        """Look at the anchors that no entry met."""
        if (beyond := max(self._anchors, default=0)) > self.seq:
            why = tr(
                "truncated, the log ends before it, but the anchor notes entry {number}",
                number=str(beyond),
            )
            return _Fault(self.seq + 1, Wrong.TRUNCATED, why)
        noted = self._anchors.get(self.first - 1)
        if noted is not None and noted != {self._before_first}:
            why = tr("the hash of the entry before it is not the one in the anchor")
            return _Fault(self.first, Wrong.CHANGED, why)
        return None

    def _notes(self) -> Iterable[str]:
        if self._keys.get(self._key_id) is not None:
            # Where the walk began in the middle, the key may be older than that.
            known = self._begin == 1 or self._key_since > self._begin
            since = str(self._key_since)
            yield (
                tr(
                    "It is sealed with key {key} since entry {number}.",
                    key=self._key_id,
                    number=since,
                )
                if known
                else tr("It is sealed with key {key}.", key=self._key_id)
            )
        held = [seq for seq in sorted(self._anchors) if seq >= self.first - 1]
        if held:
            numbers = ", ".join(map(str, held))
            yield tr("It still holds the anchor of entry {numbers}.", numbers=numbers)

    def _unchecked(self) -> Iterable[str]:
        for key_id, (first, last) in list(self._unknown.items())[:_MOST_TOLD]:
            yield tr(
                "NOT CHECKED: entries {first} to {last} are sealed with key {key}, which was not "
                "given; who has no key could have rewritten them.",
                first=str(first),
                last=str(last),
                key=key_id,
            )
        if (more := len(self._unknown) - _MOST_TOLD) > 0:
            yield trn(
                "NOT CHECKED: the seals of {n} more key.",
                "NOT CHECKED: the seals of {n} more keys.",
                more,
            )
        for seq in sorted(self._anchors):
            if seq < self.first - 1:
                yield tr(
                    "NOT CHECKED: the anchor of entry {number}, which was archived; name its file "
                    "with --archive.",
                    number=str(seq),
                )
        for first, last in self._not_compared:
            yield tr(
                "NOT CHECKED: whether the copies of entries {first} to {last} are the same.",
                first=str(first),
                last=str(last),
            )


def _missing(first: int, last: int) -> str:
    if last == first:
        return tr("entry {number} is missing", number=str(first))
    return tr("entry {first} is missing, as all to {last}", first=str(first), last=str(last))


def _detail(entry: Entry) -> dict[str, object]:
    detail = json.loads(entry.detail)
    return detail if isinstance(detail, dict) else {}


def _change_is_told(entry: Entry, before: str | None, keys: Keyring) -> bool:
    """Tell whether this entry announces that another key seals from it on, and may do so."""
    if entry.phase != Phase.KEY:
        return False
    detail = _detail(entry)
    if (detail.get("from"), detail.get("to")) != (before, entry.key_id):
        return False
    old = keys.get(before)
    return old is None or detail.get("seal") == _ending(old, entry)


def _ending(old: Key, entry: Entry) -> str:
    return old.seal_change(entry.seq or 0, entry.prev_hash, entry.key_id)


def _vouches(entry: Entry, cut: Anchor, keys: Keyring) -> bool:
    """Tell whether this entry is a checkpoint for what was cut off before the log's first."""
    if entry.phase != Phase.CHECKPOINT:
        return False
    try:
        detail = _detail(entry)
        first, last, count = (detail.get(name) for name in ("first", "last", "count"))
        if not (isinstance(first, int) and isinstance(last, int) and count == last - first + 1):
            return False
        key = keys.get(entry.key_id)
        return (
            (last, detail.get("hash")) == (cut.seq, cut.hash)
            and entry.hash == entry_hash(entry)
            and (key is None or entry.mac == key.seal(entry.hash))
        )
    except (TypeError, ValueError, AttributeError):
        return False
