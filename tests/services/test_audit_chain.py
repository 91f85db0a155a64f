"""Sealed logs: whatever is done to one without its key is found, and no whole one is accused.

The logs are made by the functions that the bot writes with, and are walked without a database.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from services.audit import (
    GENESIS,
    NO_KEYS,
    Anchor,
    Chain,
    Key,
    Keyring,
    Line,
    Phase,
    Record,
    Verdict,
    Wrong,
    entry_hash,
)
from services.audit.entries import following, key_change
from services.errors import BadArgument
from services.models import AuditEntry
from services.people import Actor

from ..mail.harness import START

KEYS = tuple(Key.of(f"the secret number {n}, long enough", "here") for n in range(3))
FORGER = Keyring(Key.of("what somebody without the key makes up", "here"))
ALL = Keyring(KEYS[-1], KEYS)

texts = st.text(st.characters(blacklist_categories=["Cs"]), max_size=12)
lines = st.builds(
    Line,
    st.sampled_from([p for p in Phase if p not in (Phase.KEY, Phase.CHECKPOINT)]),
    texts,
    st.builds(Actor, st.just("slack"), texts, texts),
    texts,
    texts,
    st.none() | st.integers(0, 2**40),
    st.none() | texts,
    st.dictionaries(texts, texts | st.integers(-9, 9), max_size=2),
)


@dataclass(frozen=True)
class Log:
    """A log as the bot wrote it, and the keys that a verifier holds."""

    records: tuple[Record, ...]
    keys: Keyring


def record(entry: AuditEntry) -> Record:
    return Record(**{name: getattr(entry, name) for name in Record._fields})


def written(stretches: Sequence[tuple[Keyring, Sequence[Line]]]) -> tuple[Record, ...]:
    """Write each stretch of lines with its keys, a second apart."""
    entries: list[AuditEntry] = []
    for keys, said in stretches:
        for line in said:
            last = entries[-1] if entries else None
            entries += following(last, line, START + timedelta(seconds=len(entries)), keys)
    return tuple(map(record, entries))


@st.composite
def logs(draw: st.DrawFn) -> Log:
    """A log whose end is sealed; before that it may be plain, and keys may have changed."""
    order = draw(st.sampled_from([(0,), (None, 0), (0, 1), (None, 0, 1), (0, 1, 2), (0, 1, 0)]))
    stretches, used = [], list[Key]()
    for number in order:
        current = None if number is None else KEYS[number]
        stretches.append((Keyring(current, used), draw(st.lists(lines, min_size=1, max_size=4))))
        used += [] if current is None else [current]
    return Log(written(stretches), stretches[-1][0])


def verdict(records: Sequence[Record], keys: Keyring = NO_KEYS, *anchors: Anchor) -> Verdict:
    chain = Chain(keys, anchors)
    for entry in records:
        if not chain.feed(entry):
            break
    return chain.verdict()


def head(log: Log) -> Anchor:
    return Anchor(log.records[-1].seq, log.records[-1].hash)


def chained(records: Sequence[Record], start: int, keys: Keyring | None) -> tuple[Record, ...]:
    """Make numbers and hashes fit from ``start`` on, as somebody does who knows all but the key.

    With ``keys`` he seals with one of his own; without, he keeps what the entries had.
    """
    done = list(records[:start])
    for entry in records[start:]:
        before = done[-1].hash if done else GENESIS
        entry = entry._replace(seq=len(done) + 1, prev_hash=before)
        if keys is not None:
            entry = entry._replace(key_id=keys.current_id)
        entry = entry._replace(hash=entry_hash(entry))
        if keys is not None:
            entry = entry._replace(mac=keys.current.seal(entry.hash) if keys.current else None)
        done.append(entry)
    return tuple(done)


# -- whole logs ------------------------------------------------------------------------------


@given(log=logs())
def test_an_untouched_log_is_never_accused(log: Log) -> None:
    found = verdict(log.records, log.keys, head(log), *_anchors(log))
    assert (found.broken_at, found.unchecked) == (None, ())
    assert (found.entries, found.head) == (len(log.records), log.records[-1].hash)
    assert f"sealed with key {log.keys.current_id} since entry" in found.sentence


@given(log=logs(), held=st.sets(st.sampled_from(KEYS)))
def test_with_fewer_keys_it_is_not_accused_and_what_is_not_checked_is_told(
    log: Log, held: set[Key]
) -> None:
    found = verdict(log.records, Keyring(None, held))
    assert found.broken_at is None
    missing = {e.key_id for e in log.records} - {None} - {key.id for key in held}
    assert len(found.unchecked) == len(missing)
    assert all(key_id in found.sentence for key_id in missing if key_id)


@given(log=logs())
def test_a_log_continued_with_the_next_key_is_whole_before_and_after(log: Log) -> None:
    new = Key.of("a new key that nothing is sealed with yet", "here")
    keys = log.keys.adding(())
    rotated = Keyring(new, [k for n in range(3) if (k := keys.get(KEYS[n].id))])
    assert verdict(log.records, rotated).broken_at is None
    (entry,) = key_change(_row(log.records[-1]), START, rotated)
    assert verdict((*log.records, record(entry)), rotated).broken_at is None
    # Who still has only the keys from before is told of the new one, and accuses nobody.
    found = verdict((*log.records, record(entry)), log.keys)
    assert (found.broken_at, len(found.unchecked)) == (None, 1)


def _row(entry: Record) -> AuditEntry:
    return AuditEntry(**entry._asdict())


def _anchors(log: Log) -> list[Anchor]:
    return [Anchor(entry.seq, entry.hash) for entry in log.records]


# -- what is done to them --------------------------------------------------------------------


@settings(max_examples=400)
@given(log=logs(), data=st.data())
def test_any_changed_field_is_found_at_its_entry(log: Log, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(log.records) - 1))
    field = data.draw(st.sampled_from(Record._fields))
    old: Any = getattr(log.records[place], field)
    if field == "at":
        new: Any = old + data.draw(
            st.timedeltas(min_value=timedelta(microseconds=1)).filter(
                lambda by: by < timedelta(days=9999)
            )
        )
    else:
        new = data.draw(
            texts
            | st.none()
            | st.integers(-(2**70), 2**70)
            | st.binary(max_size=4)
            | st.sampled_from([getattr(entry, field) for entry in log.records])
        )
    assume(new != old)
    records = list(log.records)
    records[place] = records[place]._replace(**{field: new})
    found = verdict(records, log.keys)
    if field == "seq" and place == 0 and isinstance(new, int) and new > 1:
        assert found.broken_at in (1, new)
    else:
        assert found.broken_at == place + 1, found
    assert found.wrong is not None


@settings(max_examples=200)
@given(log=logs(), data=st.data(), renumbered=st.booleans())
def test_a_dropped_entry_is_found_where_it_was(
    log: Log, data: st.DataObject, renumbered: bool
) -> None:
    assume(len(log.records) > 1)
    place = data.draw(st.integers(0, len(log.records) - 2))
    records = (*log.records[:place], *log.records[place + 1 :])
    if renumbered:
        records = chained(records, place, None)
        assert verdict(records, log.keys).broken_at is not None
        return
    found = verdict(records, log.keys)
    assert (found.broken_at, found.wrong) == (place + 1, Wrong.MISSING)


@given(log=logs(), data=st.data())
def test_swapped_entries_are_found_at_the_first(log: Log, data: st.DataObject) -> None:
    assume(len(log.records) > 1)
    places = st.integers(0, len(log.records) - 1)
    one, other = sorted(data.draw(st.lists(places, min_size=2, max_size=2, unique=True)))
    records = list(log.records)
    records[one], records[other] = records[other], records[one]
    assert _accused(verdict(records, log.keys)) in (1, one + 1)
    # With their numbers in order again:
    records = [entry._replace(seq=number) for number, entry in enumerate(records, 1)]
    found = verdict(records, log.keys)
    assert (found.broken_at, found.wrong) == (one + 1, Wrong.OUT_OF_ORDER)


@given(log=logs(), data=st.data())
def test_a_duplicated_entry_is_found(log: Log, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(log.records) - 1))
    to = data.draw(st.integers(place + 1, len(log.records)))
    records = [*log.records[:to], log.records[place], *log.records[to:]]
    assert (_accused(verdict(records, log.keys))) == to + 1
    records = [entry._replace(seq=number) for number, entry in enumerate(records, 1)]
    assert (_accused(verdict(records, log.keys))) == to + 1


@given(log=logs(), data=st.data())
def test_a_cut_off_end_is_found_with_an_anchor(log: Log, data: st.DataObject) -> None:
    left = data.draw(st.integers(0, len(log.records) - 1))
    noted = data.draw(st.integers(left, len(log.records) - 1))
    anchor = _anchors(log)[noted]
    for keys in (log.keys, NO_KEYS):
        found = verdict(log.records[:left], keys, anchor)
        assert found.broken_at is not None
        if found.wrong is not Wrong.NOT_SEALED:
            assert (found.broken_at, found.wrong) == (left + 1, Wrong.TRUNCATED)
    # What was noted before the cut is still held.
    assert verdict(log.records[:left], NO_KEYS, *_anchors(log)[:left]).broken_at is None


@given(log=logs(), data=st.data())
def test_a_cut_off_beginning_is_found(log: Log, data: st.DataObject) -> None:
    assume(len(log.records) > 1)
    gone = data.draw(st.integers(1, len(log.records) - 1))
    found = verdict(log.records[gone:], log.keys)
    assert (found.broken_at, found.wrong) == (1, Wrong.MISSING)
    assert "no checkpoint vouches" in found.sentence


@settings(max_examples=300)
@given(
    log=logs(),
    data=st.data(),
    line=lines,
    way=st.sampled_from(["kept seals", "own key", "no key", "own key, told", "no key, told"]),
)
def test_a_log_rewritten_without_the_key_is_found(
    log: Log, data: st.DataObject, line: Line, way: str
) -> None:
    """The chain is made anew from somewhere on: every hash fits, but the key is not there."""
    start = data.draw(st.integers(0, len(log.records) - 1))
    (new,) = following(None, line, log.records[start].at, NO_KEYS)
    changed = record(new)._replace(
        seq=start + 1, key_id=log.records[start].key_id, mac=log.records[start].mac
    )
    if way == "kept seals":
        forged = chained((*log.records[:start], changed, *log.records[start + 1 :]), start, None)
    elif not way.endswith("told"):
        keys = FORGER if way == "own key" else NO_KEYS
        forged = chained((*log.records[:start], changed, *log.records[start + 1 :]), start, keys)
    else:
        # He goes on as the bot itself would: with an entry that tells of the other key.
        keys = FORGER if way.startswith("own key") else NO_KEYS
        entries = [_row(entry) for entry in log.records[:start]]
        for _ in log.records[start:]:
            entries += following(entries[-1] if entries else None, line, START, keys)
        forged = tuple(map(record, entries))
    assume(forged[: len(log.records)] != log.records)
    found = verdict(forged, log.keys)
    assert found.broken_at is not None
    # Before where he began, only what was not sealed yet can be in doubt with it.
    assert found.broken_at <= start + 1 or log.records[start].key_id is None
    # Without any key it looks whole, unless its head was noted.
    assert verdict(forged, NO_KEYS, head(log)).broken_at is not None


@given(log=logs(), line=lines)
def test_a_rewritten_beginning_is_found_with_the_end_sealed_as_it_was(log: Log, line: Line) -> None:
    """What was written before there was a key cannot be changed either, once there is one."""
    changed = log.records[0]._replace(subject=log.records[0].subject + "!")
    forged = chained((changed, *log.records[1:]), 0, None)
    assert verdict(forged, log.keys).broken_at is not None


def _accused(found: Verdict) -> int | None:
    assert found.wrong is not None
    return found.broken_at


# -- changing the key ------------------------------------------------------------------------

_LINES = [Line(Phase.NOTE, "n", Actor("slack", "U1", "Ann"))] * 2


def test_switching_the_key_on_and_changing_it_are_entries_themselves() -> None:
    one, two = KEYS[:2]
    records = written([(NO_KEYS, _LINES), (Keyring(one), _LINES), (Keyring(two, [one]), _LINES)])
    assert [e.phase for e in records].count("key") == 2
    assert [e.key_id for e in records] == [None] * 2 + [one.id] * 3 + [two.id] * 3
    assert json.loads(records[2].detail) == {"from": None, "to": one.id}
    assert json.loads(records[5].detail).keys() == {"from", "to", "seal"}
    found = verdict(records, Keyring(two, [one]))
    assert f"sealed with key {two.id} since entry 6" in found.sentence


def test_a_key_taken_away_without_its_seal_is_an_accusation_and_with_it_is_not() -> None:
    (one, *_) = KEYS
    silent = written([(Keyring(one), _LINES), (NO_KEYS, _LINES)])
    assert verdict(silent, Keyring(None, [one])).wrong is Wrong.WRONG_KEY
    told = written([(Keyring(one), _LINES), (Keyring(None, [one]), _LINES)])
    assert verdict(told, Keyring(None, [one])).broken_at is None
    # But while the settings name a key, an end that is not sealed is not proved.
    found = verdict(told, Keyring(one))
    assert (found.broken_at, found.wrong) == (3, Wrong.NOT_SEALED)
    assert "start the bot once" in found.sentence


def test_a_log_that_was_never_sealed_is_not_proved_while_a_key_is_set() -> None:
    found = verdict(written([(NO_KEYS, _LINES)]), Keyring(KEYS[0]))
    assert (found.entries, found.broken_at, found.wrong) == (0, 1, Wrong.NOT_SEALED)
    assert KEYS[0].id in found.sentence


def test_a_log_sealed_with_another_key_than_the_one_that_is_set_is_named() -> None:
    found = verdict(written([(Keyring(KEYS[1]), _LINES)]), Keyring(KEYS[0]))
    assert (found.broken_at, found.wrong) == (1, Wrong.WRONG_KEY)


def test_a_key_does_not_show_itself() -> None:
    secret = "the secret number 0, long enough"
    assert secret not in repr(KEYS[0])
    assert "secret" not in repr(KEYS[0])
    assert len(KEYS[0].id) == 16
    assert Key.of(f"\n{secret}\n", "here") == KEYS[0]


# -- anchors ---------------------------------------------------------------------------------


@given(seq=st.integers(1, 10**15), digest=st.text("0123456789abcdef", min_size=64, max_size=64))
def test_an_anchor_is_read_from_a_pasted_line(seq: int, digest: str) -> None:
    anchor = Anchor(seq, digest)
    for text in (f"{anchor}", f"🔗 Audit log anchor {anchor} – keep this line: x", f"> `{anchor}`"):
        assert Anchor.in_text(text) == (anchor,)


@pytest.mark.parametrize("text", ["", "12", f"0:{'a' * 64}", f"1:{'a' * 63}", f"1:{'a' * 65}"])
def test_what_holds_no_anchor_is_told(text: str) -> None:
    with pytest.raises(BadArgument, match="no anchor in what was given; nothing was checked"):
        Anchor.in_text(text)


@given(log=logs(), data=st.data())
def test_an_anchor_of_another_log_is_not_held(log: Log, data: st.DataObject) -> None:
    seq = data.draw(st.integers(1, len(log.records)))
    found = verdict(log.records, log.keys, Anchor(seq, "a" * 64))
    assert (found.broken_at, found.wrong) == (seq, Wrong.CHANGED)
