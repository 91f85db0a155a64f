"""The audit log: what is done to it behind its back is found, at the entry where it was done."""

# ruff: noqa: S608 - every statement is made of this file's own constants

import asyncio
import csv
import hashlib
import json
import sqlite3
from datetime import timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from services.audit import (
    GENESIS,
    AuditLog,
    Line,
    Phase,
    Verdict,
    as_csv,
    as_jsonl,
    entry_hash,
)
from services.clock import ManualClock
from services.errors import StoreError
from services.models import AuditEntry
from services.people import Actor
from services.store import Store

from ..mail.harness import START
from .bench import OPERATOR, open_store

_ENTRIES = 7
_COLUMNS = (
    "at",
    "phase",
    "action",
    "actor",
    "actor_name",
    "server",
    "incident_id",
    "intent_id",
    "subject",
    "detail",
    "key_id",
)


def _line(number: int) -> Line:
    return Line(
        Phase.INTENT,
        f"act {number}",
        OPERATOR,
        "mail",
        f"s{number}@example.test",
        number,
        f"intent-{number}",
        {"n": number},
    )


async def _write_lines(file: Path, number: int) -> None:
    clock = ManualClock(START)
    async with open_store(file) as store:
        audit = AuditLog(store, clock)
        for index in range(1, number + 1):
            clock.set(clock.now() + timedelta(seconds=1))
            await audit.write(_line(index))


@cache
def _whole_log() -> bytes:
    """A database with a whole log, made once."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "bot.db"
        asyncio.run(_write_lines(file, _ENTRIES))
        return file.read_bytes()


def _verify(file: Path) -> Verdict:
    async def verify() -> Verdict:
        async with open_store(file) as store:
            return await AuditLog(store, ManualClock(START)).verify()

    return asyncio.run(verify())


def _tampered(*statements: tuple[str, tuple[Any, ...]]) -> Verdict:
    """Verify the log after somebody with the file has run these on it."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "bot.db"
        file.write_bytes(_whole_log())
        raw = sqlite3.connect(file)
        raw.execute("DROP TRIGGER auditentry_no_update")
        raw.execute("DROP TRIGGER auditentry_no_delete")
        for statement, values in statements:
            raw.execute(statement, values)
        raw.commit()
        raw.close()
        return _verify(file)


def _raw(statement: str) -> list[tuple[Any, ...]]:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "bot.db"
        file.write_bytes(_whole_log())
        raw = sqlite3.connect(file)
        rows = raw.execute(statement).fetchall()
        raw.close()
        return rows


_numbers = st.integers(1, _ENTRIES)
_texts = st.text(st.characters(blacklist_categories=["Cs"]), max_size=20)
_values = st.one_of(_texts, st.binary(max_size=8), st.integers(-(2**40), 2**40))


def test_an_untouched_log_is_whole() -> None:
    verdict = _tampered()
    assert (verdict.entries, verdict.broken_at) == (_ENTRIES, None)
    assert verdict.sentence.startswith("The audit log is whole: 7 entries, head ")
    assert verdict.head[:16] in verdict.sentence


async def test_an_empty_log_is_whole(audit: AuditLog) -> None:
    assert await audit.verify() == Verdict(0, GENESIS)


@settings(max_examples=40, deadline=None)
@given(seq=_numbers, column=st.sampled_from(_COLUMNS), value=_values)
def test_a_changed_field_is_found_at_its_entry(seq: int, column: str, value: object) -> None:
    if column == "incident_id":
        value = f"x{value!r}"  # SQLite would make the old number of a text like "3"
    verdict = _tampered((f"UPDATE auditentry SET {column} = ? WHERE seq = ?", (value, seq)))
    assert (verdict.entries, verdict.broken_at) == (seq - 1, seq)
    assert f"BROKEN at entry {seq}" in verdict.sentence


@settings(max_examples=12, deadline=None)
@given(seq=_numbers, column=st.sampled_from(["prev_hash", "hash"]), value=_values)
def test_a_changed_hash_is_found_at_its_entry(seq: int, column: str, value: object) -> None:
    verdict = _tampered((f"UPDATE auditentry SET {column} = ? WHERE seq = ?", (value, seq)))
    assert verdict.broken_at == seq


@settings(max_examples=10, deadline=None)
@given(seq=st.integers(1, _ENTRIES - 1))
def test_a_dropped_entry_is_named(seq: int) -> None:
    verdict = _tampered(("DELETE FROM auditentry WHERE seq = ?", (seq,)))
    assert verdict.broken_at == seq
    assert f"entry {seq} is missing" in verdict.sentence


@settings(max_examples=10, deadline=None)
@given(seq=st.integers(1, _ENTRIES - 1))
def test_a_dropped_entry_is_found_when_the_later_ones_are_renumbered(seq: int) -> None:
    verdict = _tampered(
        ("DELETE FROM auditentry WHERE seq = ?", (seq,)),
        ("UPDATE auditentry SET seq = -seq WHERE seq > ?", (seq,)),
        ("UPDATE auditentry SET seq = -seq - 1 WHERE seq < 0", ()),
    )
    assert verdict.broken_at == seq


@settings(max_examples=12, deadline=None)
@given(pair=st.lists(_numbers, min_size=2, max_size=2, unique=True))
def test_swapped_entries_are_found_at_the_first_of_them(pair: list[int]) -> None:
    one, other = pair
    verdict = _tampered(
        ("UPDATE auditentry SET seq = 1000 WHERE seq = ?", (one,)),
        ("UPDATE auditentry SET seq = ? WHERE seq = ?", (one, other)),
        ("UPDATE auditentry SET seq = ? WHERE seq = 1000", (other,)),
    )
    assert verdict.broken_at == min(pair)


def _inserted(seq: int, copied: int) -> tuple[tuple[str, tuple[Any, ...]], ...]:
    columns = ", ".join((*_COLUMNS, "prev_hash", "hash"))
    return (
        ("UPDATE auditentry SET seq = -seq WHERE seq >= ?", (seq,)),
        ("UPDATE auditentry SET seq = 1 - seq WHERE seq < 0", ()),
        (
            f"INSERT INTO auditentry (seq, {columns}) SELECT ?, {columns} "
            "FROM auditentry WHERE seq = ?",
            (seq, copied + 1 if copied >= seq else copied),
        ),
    )


@settings(max_examples=12, deadline=None)
@given(seq=_numbers, copied=_numbers)
def test_an_inserted_copy_is_found(seq: int, copied: int) -> None:
    verdict = _tampered(*_inserted(seq, copied))
    # A copy of the entry that stood there fits; then the one after it does not.
    assert verdict.broken_at == (seq + 1 if seq == copied else seq)


@pytest.mark.parametrize("seq", [0, -1, -(2**40)])
def test_an_entry_put_before_the_first_is_found(seq: int) -> None:
    columns = ", ".join((*_COLUMNS, "prev_hash", "hash"))
    verdict = _tampered(
        (
            f"INSERT INTO auditentry (seq, {columns}) SELECT ?, {columns} "
            "FROM auditentry WHERE seq = 1",
            (seq,),
        )
    )
    assert (verdict.entries, verdict.broken_at) == (0, 1)
    assert "put in before it" in verdict.sentence


@settings(max_examples=10, deadline=None)
@given(seq=_numbers, subject=_texts)
def test_a_forger_who_makes_a_new_hash_is_found_at_the_next_entry_or_by_the_head(
    seq: int, subject: str
) -> None:
    head = _raw(f"SELECT hash FROM auditentry WHERE seq = {_ENTRIES}")[0][0]
    forged = AuditEntry(
        seq=seq,
        at=START + timedelta(seconds=seq),
        phase="intent",
        action=f"act {seq}",
        actor=OPERATOR.key,
        actor_name=OPERATOR.name,
        server="mail",
        incident_id=seq,
        intent_id=f"intent-{seq}",
        subject=subject,
        detail=json.dumps({"n": seq}),
        prev_hash=_raw(f"SELECT prev_hash FROM auditentry WHERE seq = {seq}")[0][0],
        hash="",
    )
    verdict = _tampered(
        (
            "UPDATE auditentry SET subject = ?, hash = ? WHERE seq = ?",
            (subject, entry_hash(forged), seq),
        )
    )
    if seq < _ENTRIES:
        assert verdict.broken_at == seq + 1
    else:
        assert verdict.broken_at is None
        assert verdict.head != head


@pytest.mark.parametrize("page", [1, 2, 3, 6, 7, 100])
async def test_entries_past_one_page_are_walked(audit: AuditLog, page: int) -> None:
    for number in range(1, 7):
        await audit.write(_line(number))
    assert [entry.seq async for entry in audit.entries(page=page)] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    "statement", ["UPDATE auditentry SET subject = ''", "DELETE FROM auditentry"]
)
async def test_the_database_itself_refuses_to_rewrite_the_log(
    store: Store, audit: AuditLog, statement: str
) -> None:
    await audit.write(_line(1))
    with pytest.raises(StoreError, match="Nothing was written"):
        async with store.session() as session:
            await (await session.connection()).execute(text(statement))
    assert await audit.verify() == Verdict(1, (await audit.newest(1))[0].hash)


async def test_a_line_is_written_with_its_transaction_or_not_at_all(
    store: Store, audit: AuditLog
) -> None:
    async def change_ones_mind() -> None:
        async with store.session() as session:
            await audit.append(session, _line(2))
            raise RuntimeError

    await audit.write(_line(1))
    with pytest.raises(RuntimeError):
        await change_ones_mind()
    await audit.write(_line(3))
    assert [entry.action async for entry in audit.entries()] == ["act 1", "act 3"]
    assert (await audit.verify()).broken_at is None


async def test_lines_written_at_once_make_one_chain(audit: AuditLog) -> None:
    await asyncio.gather(*(audit.write(_line(number)) for number in range(20)))
    verdict = await audit.verify()
    assert (verdict.entries, verdict.broken_at) == (20, None)


async def test_the_newest_come_first_and_only_of_the_incident(audit: AuditLog) -> None:
    for number in (1, 2, 1, 1):
        await audit.write(_line(number))
    newest = await audit.newest(2, incident_id=1)
    assert [(e.seq, e.incident_id) for e in newest] == [(4, 1), (3, 1)]
    assert [e.seq for e in await audit.newest(2, offset=2)] == [2, 1]


# -- hostile texts ---------------------------------------------------------------------------

_HOSTILE = [
    "\ud800 alone",
    "x" * 100_000,
    "nul \0 in it",
    "a\r\nb\u2028c",
    "\u202egnp.exe",
    "'; DROP TABLE auditentry; --",
    "=HYPERLINK(1)",
    "",
]


@pytest.mark.parametrize("hostile", _HOSTILE, ids=range(len(_HOSTILE)))
async def test_hostile_texts_are_stored_and_the_chain_holds(audit: AuditLog, hostile: str) -> None:
    actor = Actor("slack", hostile, hostile)
    await audit.write(
        Line(Phase.REFUSED, hostile, actor, hostile, hostile, None, hostile, {"why": hostile})
    )
    await audit.write(_line(2))
    verdict = await audit.verify()
    assert (verdict.entries, verdict.broken_at) == (2, None)
    entry = (await audit.newest(1, offset=1))[0]
    assert entry.subject.startswith(hostile[:100].replace("\ud800", "?").replace("\0", "?"))
    assert len(entry.subject) <= 512
    assert json.loads(entry.detail) == {"why": hostile}


# -- exports ---------------------------------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(texts=st.lists(st.text(max_size=40), min_size=1, max_size=3))
def test_the_hash_is_recomputed_from_an_exported_line_alone(texts: list[str]) -> None:
    async def exported() -> list[str]:
        with TemporaryDirectory() as folder:
            async with open_store(Path(folder) / "bot.db") as store:
                audit = AuditLog(store, ManualClock(START))
                for hostile in texts:
                    actor = Actor("slack", "U1", hostile)
                    await audit.write(
                        Line(Phase.NOTE, "n", actor, subject=hostile, detail={"x": hostile})
                    )
                return [as_jsonl(entry) async for entry in audit.entries()]

    before = GENESIS
    for line in asyncio.run(exported()):
        fields = json.loads(line)
        stated, fields["prev_hash"] = fields.pop("hash"), fields["prev_hash"]
        assert fields.pop("prev_hash") == before
        canonical = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert hashlib.sha256((before + canonical).encode()).hexdigest() == stated
        before = stated


def _entry(subject: str) -> AuditEntry:
    return AuditEntry(
        seq=1,
        at=START,
        phase="note",
        action="a",
        actor="slack:U1",
        actor_name="Ann",
        server="mail",
        subject=subject,
        detail="{}",
        prev_hash=GENESIS,
        hash="",
    )


def _rows(subject: str) -> list[dict[str, str]]:
    """What a spreadsheet reads of a header and one entry."""
    entry = _entry(subject)
    text = f"{as_csv(entry, header=True)}\r\n{as_csv(entry)}\r\n"
    return list(csv.DictReader(text.splitlines(keepends=True), strict=True))


@pytest.mark.parametrize("first", list("=+-@\t\r\n"))
def test_a_spreadsheet_does_not_take_a_text_for_a_formula(first: str) -> None:
    (row,) = _rows(f"{first}cmd|' /C calc'!A0")
    assert row["subject"].startswith("'")


def test_an_ordinary_text_is_exported_as_it_is() -> None:
    (row,) = _rows('ann@example.test, "Ann" − 5')
    assert row["subject"] == 'ann@example.test, "Ann" − 5'


@given(subject=st.text(st.characters(blacklist_characters="\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029")))
def test_no_text_breaks_out_of_its_cell(subject: str) -> None:
    rows = _rows(subject)
    assert len(rows) == 1
    assert rows[0]["subject"].removeprefix("'").replace("\r", "") == subject.removeprefix(
        "'"
    ).replace("\r", "")
    assert rows[0]["hash"] == ""
