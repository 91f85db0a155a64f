"""Anchors, archives and keys on a real database: what is posted, moved, refused and provable."""

# ruff: noqa: S608 - every statement is made of this file's own constants

import asyncio
import gzip
import json
import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError
from sqlalchemy import text
from sqlmodel import col, select

from services.audit import (
    GENESIS,
    NO_KEYS,
    Anchor,
    AuditLog,
    Key,
    Keyring,
    Line,
    Phase,
    Record,
    Verdict,
    Wrong,
    as_jsonl,
    entry_hash,
    keyring,
)
from services.audit.keeper import AuditKeeper
from services.clock import ManualClock
from services.errors import BadArgument, ConfigError, StoreError
from services.models import Announcement
from services.secrets import with_credentials
from services.settings import AuditSettings, Settings
from services.store import Store, removing_from_log

from ..databases import open_store_at
from ..mail.harness import START
from .bench import OPERATOR

_KEY = Key.of("a key for the audit log of this test", "here")
_SEALED = Keyring(_KEY)
_LINE = Line(Phase.INTENT, "stop", OPERATOR, "mail", "ann@example.test", detail={"n": 1})


class Stage:
    """A log with its keeper, a clock that stands, and a folder for archives."""

    def __init__(
        self, store: Store, folder: Path, keys: Keyring, at_once: int, keep_days: int | None
    ) -> None:
        self.store = store
        self.clock = ManualClock(START)
        self.folder = folder / "archive"
        self.settings = AuditSettings(keep_days=keep_days, archive_folder=self.folder)
        self.changes = 0
        self.at_once = at_once
        self.use(keys)

    def use(self, keys: Keyring) -> None:
        """Build what a restart with these keys builds."""
        self.audit = AuditLog(self.store, self.clock, keys)
        self.keeper = AuditKeeper(
            self.store,
            self.audit,
            self.clock,
            self.settings,
            self._changed,
            at_once=self.at_once,
        )

    def _changed(self) -> None:
        self.changes += 1

    def pass_time(self, **by: float) -> None:
        self.clock.set(self.clock.now() + timedelta(**by))

    async def write(self, number: int, **between: float) -> None:
        for _ in range(number):
            self.pass_time(**between or {"minutes": 1})
            await self.audit.write(_LINE)

    async def told(self) -> list[str]:
        async with self.store.reading() as session:
            rows = await session.exec(select(Announcement).order_by(col(Announcement.id)))
            return [row.text for row in rows.all()]

    async def phases(self) -> list[tuple[int | None, str]]:
        return [(entry.seq, entry.phase) async for entry in self.audit.entries()]

    @property
    def files(self) -> list[Path]:
        return sorted(self.folder.glob("*"))

    async def behind_its_back(self, statement: str) -> None:
        """Change the log as somebody does who can write the database."""
        async with self.store.session() as session:
            connection = await session.connection()
            if self.store.sqlite:
                await connection.exec_driver_sql("DROP TRIGGER IF EXISTS auditentry_no_update")
            else:
                await connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
            async with removing_from_log(session):
                await connection.execute(text(statement))


@asynccontextmanager
async def staged(
    folder: Path,
    keys: Keyring = _SEALED,
    *,
    at_once: int = 1000,
    keep_days: int | None = 30,
    database: str | None = None,
) -> AsyncIterator[Stage]:
    async with open_store_at(database or f"sqlite:///{folder}/bot.db") as store:
        yield Stage(store, folder, keys, at_once, keep_days)


@pytest.fixture
async def stage(tmp_path: Path, database: str) -> AsyncIterator[Stage]:
    async with staged(tmp_path, database=database) as made:
        yield made


@pytest.fixture
async def sqlite(tmp_path: Path) -> AsyncIterator[Stage]:
    """A stage whose columns take what is not of their type."""
    async with staged(tmp_path) as made:
        yield made


# -- anchors ---------------------------------------------------------------------------------


async def test_the_head_is_told_once_a_day_and_only_when_something_was_written(
    stage: Stage,
) -> None:
    assert not await stage.keeper.anchor()
    await stage.write(3)
    assert not await stage.keeper.anchor()
    stage.pass_time(hours=24)
    assert await stage.keeper.anchor()
    assert not await stage.keeper.anchor()
    assert stage.changes == 1
    (line,) = await stage.told()
    (anchor,) = Anchor.in_text(line)
    assert anchor.seq == 3
    assert [phase for _, phase in await stage.phases()] == ["intent"] * 3 + ["anchor"]
    stage.pass_time(days=3)
    assert not await stage.keeper.anchor()
    await stage.write(1)
    assert await stage.keeper.anchor()
    await stage.write(1)
    stage.pass_time(hours=23)
    assert not await stage.keeper.anchor()
    stage.pass_time(hours=1)
    assert await stage.keeper.anchor()
    anchors = [a for told in await stage.told() for a in Anchor.in_text(told)]
    assert [a.seq for a in anchors] == [3, 5, 7]
    verdict = await stage.audit.verify(anchors)
    assert verdict.broken_at is None
    assert "still holds the anchor of entry 3, 5, 7" in verdict.sentence


async def test_a_cut_off_end_is_found_by_the_line_in_the_channel(stage: Stage) -> None:
    await stage.write(5)
    stage.pass_time(hours=24)
    await stage.keeper.anchor()
    anchors = Anchor.in_text((await stage.told())[0])
    await stage.behind_its_back("DELETE FROM auditentry WHERE seq > 3")
    assert (await stage.audit.verify()).broken_at is None
    verdict = await stage.audit.verify(anchors)
    assert (verdict.broken_at, verdict.wrong) == (4, Wrong.TRUNCATED)
    assert "truncated, the log ends before it, but the anchor notes entry 5" in verdict.sentence


async def test_no_anchors_are_told_where_they_are_switched_off(stage: Stage) -> None:
    stage.settings = AuditSettings(anchor_hours=0)
    stage.use(_SEALED)
    await stage.write(1)
    stage.pass_time(days=9)
    assert not await stage.keeper.anchor()
    assert await stage.told() == []


# -- archives --------------------------------------------------------------------------------


async def test_nothing_is_archived_by_default_or_before_its_time(tmp_path: Path) -> None:
    async with staged(tmp_path, keep_days=None) as stage:
        await stage.write(3)
        stage.pass_time(days=9999)
        assert await stage.keeper.archive() == 0
    async with staged(tmp_path) as stage:
        stage.clock.set(START + timedelta(days=30))
        assert await stage.keeper.archive() == 0
        assert not stage.folder.exists()


async def test_old_entries_move_into_a_file_and_the_log_stays_provable(stage: Stage) -> None:
    await stage.write(6, days=1)
    before = await stage.audit.verify()
    stage.pass_time(days=28)  # three entries are older than 30 days
    assert await stage.keeper.archive() == 3
    assert await stage.keeper.archive() == 0
    assert await stage.phases() == [(4, "intent"), (5, "intent"), (6, "intent"), (7, "checkpoint")]
    (file,) = stage.files
    assert file.name == "audit-000000000001-000000000003.jsonl.gz"
    assert file.stat().st_mode & 0o777 == 0o600
    lines = [json.loads(line) for line in gzip.decompress(file.read_bytes()).splitlines()]
    assert [line["seq"] for line in lines] == [1, 2, 3]
    (checkpoint,) = await stage.audit.newest(1)
    assert json.loads(checkpoint.detail) == {
        "first": 1,
        "last": 3,
        "count": 3,
        "hash": lines[-1]["hash"],
    }
    assert checkpoint.mac == _KEY.seal(checkpoint.hash)
    alone = await stage.audit.verify()
    assert (alone.entries, alone.broken_at) == (4, None)
    assert alone.sentence.startswith("The audit log is whole from entry 4 on: 4 entries")
    anchor = Anchor(6, before.head)
    together = await stage.audit.verify([anchor], [file])
    assert (together.entries, together.broken_at, together.unchecked) == (7, None, ())
    assert together.sentence.startswith("The audit log is whole: 7 entries")


async def test_each_run_makes_a_file_of_bounded_size_and_all_together_are_provable(
    tmp_path: Path,
) -> None:
    async with staged(tmp_path, at_once=2) as stage:
        await stage.write(5, hours=1)
        stage.pass_time(days=40)
        assert await stage.keeper.archive() == 5
        # The checkpoints are the log now; in a month they are archived, too.
        assert await stage.phases() == [(n, "checkpoint") for n in (6, 7, 8)]
        assert (await stage.audit.verify()).broken_at is None
        stage.pass_time(days=40)
        assert await stage.keeper.archive() == 3
        await stage.write(2)
        assert (await stage.audit.verify()).broken_at is None
        assert len(stage.files) == 5
        for files in (stage.files, stage.files[::-1]):
            verdict = await stage.audit.verify(archives=files)
            assert (verdict.entries, verdict.broken_at) == (12, None)
        # With a file missing in the middle:
        verdict = await stage.audit.verify(archives=[*stage.files[:1], *stage.files[2:]])
        assert (verdict.broken_at, verdict.wrong) == (3, Wrong.MISSING)
        # The newest files alone are proved too: the rest has its checkpoint.
        verdict = await stage.audit.verify(archives=stage.files[2:])
        assert (verdict.first, verdict.broken_at) == (5, None)


async def test_a_log_that_begins_elsewhere_than_at_its_checkpoint_is_refused(stage: Stage) -> None:
    await stage.write(6, days=1)
    stage.pass_time(days=28)
    await stage.keeper.archive()
    await stage.behind_its_back("DELETE FROM auditentry WHERE seq = 4")
    verdict = await stage.audit.verify()
    assert (verdict.broken_at, verdict.wrong) == (1, Wrong.MISSING)
    assert "entry 1 is missing, as all to 4, and no checkpoint vouches" in verdict.sentence


async def test_a_checkpoint_that_was_changed_or_is_not_sealed_vouches_for_nothing(
    stage: Stage,
) -> None:
    await stage.write(6, days=1)
    stage.pass_time(days=28)
    await stage.keeper.archive()
    (checkpoint,) = await stage.audit.newest(1)
    forged = checkpoint.detail.replace('"count": 3', '"count": 3, "x": 0')
    assert forged != checkpoint.detail
    await stage.behind_its_back(f"UPDATE auditentry SET detail = '{forged}' WHERE seq = 7")
    assert (await stage.audit.verify()).broken_at == 1


async def test_a_checkpoint_made_without_the_key_vouches_for_nothing(stage: Stage) -> None:
    await stage.write(6, days=1)
    stage.pass_time(days=28)
    await stage.keeper.archive()
    entries = [entry async for entry in stage.audit.entries()]
    cut, checkpoint = entries[0], entries[-1]
    detail = {"first": 1, "last": 4, "count": 4, "hash": cut.hash}
    checkpoint.detail = json.dumps(detail)
    await stage.behind_its_back("DELETE FROM auditentry WHERE seq = 4")
    await stage.behind_its_back(
        f"UPDATE auditentry SET detail = '{checkpoint.detail}', "
        f"hash = '{entry_hash(checkpoint)}' WHERE seq = 7"
    )
    verdict = await stage.audit.verify()
    assert (verdict.broken_at, verdict.wrong) == (1, Wrong.MISSING)


async def test_a_changed_entry_after_the_checkpoint_is_named_as_itself(stage: Stage) -> None:
    await stage.write(6, days=1)
    stage.pass_time(days=28)
    await stage.keeper.archive()
    await stage.behind_its_back("UPDATE auditentry SET subject = 'x' WHERE seq = 5")
    verdict = await stage.audit.verify()
    assert (verdict.entries, verdict.broken_at, verdict.wrong) == (1, 5, Wrong.CHANGED)


async def test_a_broken_log_is_not_archived_and_the_channel_is_told_once(stage: Stage) -> None:
    await stage.write(6, days=1)
    stage.pass_time(days=28)
    await stage.behind_its_back("UPDATE auditentry SET subject = 'x' WHERE seq = 2")
    for _ in range(2):
        with pytest.raises(StoreError, match=r"Nothing .* archived.*BROKEN at entry 2"):
            await stage.keeper.archive()
    assert len(await stage.phases()) == 6
    assert not stage.folder.exists()
    (told,) = await stage.told()
    assert told.startswith("⚠️ Nothing of the audit log was archived.")


async def test_a_folder_that_cannot_be_written_removes_nothing_and_is_a_sentence(
    stage: Stage,
) -> None:
    await stage.write(3, days=1)
    stage.pass_time(days=40)
    stage.folder.write_text("in the way")
    with pytest.raises(StoreError, match="Nothing was removed; make it writable"):
        await stage.keeper.archive()
    assert len(await stage.phases()) == 3


async def test_a_file_left_by_a_stop_before_the_entries_were_removed_is_replaced(
    stage: Stage,
) -> None:
    await stage.write(6, days=1)
    stage.folder.mkdir()
    left = stage.folder / "audit-000000000001-000000000002.jsonl.gz"
    left.write_bytes(b"half a fi")
    stage.pass_time(days=28)
    assert await stage.keeper.archive() == 3
    assert [file.name for file in stage.files] == ["audit-000000000001-000000000003.jsonl.gz"]


async def test_of_two_instances_that_archive_at_once_one_does_and_nothing_is_lost(
    stage: Stage,
) -> None:
    await stage.write(6, days=1)
    stage.pass_time(days=28)
    other = AuditKeeper(stage.store, stage.audit, stage.clock, stage.settings, lambda: None)
    done = await asyncio.gather(stage.keeper.archive(), other.archive(), return_exceptions=True)
    assert all(isinstance(one, StoreError) or one in (0, 3) for one in done), done
    assert 3 in done
    assert [phase for _, phase in await stage.phases()] == ["intent"] * 3 + ["checkpoint"]
    verdict = await stage.audit.verify(archives=stage.files)
    assert (verdict.entries, verdict.broken_at, len(stage.files)) == (7, None, 1)


async def test_the_database_refuses_removal_again_after_archiving(stage: Stage) -> None:
    await stage.write(6, days=1)
    stage.pass_time(days=28)
    await stage.keeper.archive()
    with pytest.raises(StoreError, match="Nothing was written"):
        async with stage.store.session() as session:
            await (await session.connection()).execute(text("DELETE FROM auditentry"))
    assert len(await stage.phases()) == 4


async def test_removal_that_fails_leaves_the_log_and_its_guard_as_they_were(stage: Stage) -> None:
    async def remove_and_fail() -> None:
        async with stage.store.session() as session, removing_from_log(session):
            await (await session.connection()).execute(text("DELETE FROM auditentry"))
            raise RuntimeError

    await stage.write(2)
    with pytest.raises(RuntimeError):
        await remove_and_fail()
    with pytest.raises(StoreError, match="Nothing was written"):
        async with stage.store.session() as session:
            await (await session.connection()).execute(text("DELETE FROM auditentry"))
    assert len(await stage.phases()) == 2


# -- archive files that were tampered with ------------------------------------------------------


@pytest.fixture
async def archived(stage: Stage) -> Stage:
    await stage.write(6, days=1)
    stage.pass_time(days=28)
    await stage.keeper.archive()
    return stage


async def _with_lines(stage: Stage, lines: list[str]) -> Verdict:
    file = stage.folder / "tampered.jsonl"
    file.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return await stage.audit.verify(archives=[file])


def _lines(stage: Stage) -> list[str]:
    return gzip.decompress(stage.files[0].read_bytes()).decode().splitlines()


async def test_an_export_that_overlaps_with_the_log_is_proved_together_with_it(
    archived: Stage,
) -> None:
    lines = _lines(archived) + [as_jsonl(e) async for e in archived.audit.entries()][:2]
    verdict = await _with_lines(archived, lines)
    assert (verdict.entries, verdict.broken_at) == (7, None)


async def test_a_second_file_whose_whole_chain_was_made_anew_differs_from_the_first(
    tmp_path: Path,
) -> None:
    async with staged(tmp_path, NO_KEYS) as stage:
        await stage.write(6, days=1)
        stage.pass_time(days=28)
        await stage.keeper.archive()
        before, forged = GENESIS, list[str]()
        for line in _lines(stage):
            entry = json.loads(line) | {"subject": "x", "prev_hash": before}
            at = datetime.fromisoformat(entry["at"])
            before = entry_hash(Record(**entry | {"key_id": None, "mac": None, "at": at}))
            forged.append(json.dumps(entry | {"hash": before}))
        second = stage.folder / "second.jsonl"
        second.write_text("\n".join(forged))
        assert (await stage.audit.verify(archives=stage.files[:1])).broken_at is None
        verdict = await stage.audit.verify(archives=[*stage.files[:1], second])
        assert (verdict.broken_at, verdict.wrong) == (1, Wrong.CHANGED)
        assert "there are two of it that differ" in verdict.sentence


@pytest.mark.parametrize("number", [1, 2, 3])
async def test_a_changed_archive_is_found_at_its_entry(archived: Stage, number: int) -> None:
    lines = _lines(archived)
    lines[number - 1] = lines[number - 1].replace("ann@example.test", "bob@example.test")
    verdict = await _with_lines(archived, lines)
    assert (verdict.broken_at, verdict.wrong) == (number, Wrong.CHANGED)


@pytest.mark.parametrize("number", [1, 2, 3])
async def test_an_archive_without_one_of_its_entries_is_found(archived: Stage, number: int) -> None:
    lines = _lines(archived)
    del lines[number - 1]
    verdict = await _with_lines(archived, lines)
    # Without the first, it begins where nothing vouches for it.
    assert (verdict.broken_at, verdict.wrong) == (number, Wrong.MISSING)


@pytest.mark.parametrize("bad", ["", "{}", "[1]", '{"seq": 2}', "\x00", "null", '{"seq": "2"}'])
async def test_a_line_that_is_no_entry_is_named(archived: Stage, bad: str) -> None:
    lines = _lines(archived)
    verdict = await _with_lines(archived, [lines[0], bad, lines[2]])
    assert (verdict.broken_at, verdict.wrong) == (2, Wrong.UNREADABLE)
    assert "in the file tampered.jsonl" in verdict.sentence


async def test_a_field_written_in_another_way_or_added_is_found(archived: Stage) -> None:
    for old, new in (("+00:00", "Z"), ('"seq": 2', '"seq": 2, "more": 1')):
        lines = _lines(archived)
        assert old in lines[1]
        lines[1] = lines[1].replace(old, new)
        assert (await _with_lines(archived, lines)).broken_at == 2


async def test_a_packed_file_that_is_cut_off_is_named(archived: Stage) -> None:
    (file,) = archived.files
    cut = archived.folder / "cut.jsonl.gz"
    whole = file.read_bytes()
    for end in (len(whole) - 1, len(whole) // 2, 5):
        cut.write_bytes(whole[:end])
        verdict = await archived.audit.verify(archives=[cut])
        assert verdict.wrong is Wrong.UNREADABLE
    with pytest.raises(BadArgument, match="There is no file"):
        await archived.audit.verify(archives=[archived.folder / "nowhere"])


# -- keys ------------------------------------------------------------------------------------


async def test_a_key_is_switched_on_at_start_and_the_channel_is_told(stage: Stage) -> None:
    stage.use(NO_KEYS)
    await stage.write(2)
    assert await stage.told() == []
    stage.use(_SEALED)
    assert (await stage.audit.verify()).wrong is Wrong.NOT_SEALED
    assert await stage.audit.use_key()
    assert not await stage.audit.use_key()
    assert await stage.phases() == [(1, "intent"), (2, "intent"), (3, "key")]
    assert (await stage.audit.verify()).broken_at is None
    (told,) = await stage.told()
    assert f"sealed with key {_KEY.id} from entry 3 on; before, it was not sealed." in told


async def test_an_empty_log_needs_no_entry_to_begin_sealed(stage: Stage) -> None:
    assert not await stage.audit.use_key()
    await stage.write(1)
    assert await stage.phases() == [(1, "intent")]
    assert (await stage.audit.verify()).broken_at is None


async def test_a_key_that_was_taken_out_of_the_settings_is_told_to_the_channel(
    stage: Stage,
) -> None:
    await stage.write(1)
    stage.use(NO_KEYS)
    await stage.write(1)
    (told,) = await stage.told()
    assert told.startswith("⚠️ The audit log is no longer sealed with a key from entry 2 on")
    assert "is not in old_key_files, so the change itself is not proved" in told
    assert await stage.phases() == [(1, "intent"), (2, "key"), (3, "intent")]


async def test_texts_that_are_not_even_text_are_named(sqlite: Stage) -> None:
    stage = sqlite
    await stage.write(3)
    await stage.behind_its_back(
        "UPDATE auditentry SET subject = CAST(x'ff80' AS TEXT) WHERE seq = 2"
    )
    verdict = await stage.audit.verify()
    assert (verdict.broken_at, verdict.wrong) == (2, Wrong.UNREADABLE)


async def test_more_than_a_page_is_walked(sqlite: Stage) -> None:
    stage = sqlite
    async with stage.store.session() as session:
        for _ in range(1100):
            await stage.audit.append(session, _LINE)
    assert (await stage.audit.verify()).entries == 1100
    await stage.behind_its_back("UPDATE auditentry SET at = 'never' WHERE seq = 1050")
    assert (await stage.audit.verify()).broken_at == 1050


def test_the_key_comes_from_the_settings_a_file_or_a_credential(tmp_path: Path) -> None:
    secret = "CANARY, a key of more than 32 characters"
    file = tmp_path / "audit-key"
    file.write_text(f"{secret}\n")
    key = Key.of(secret, "here")
    assert keyring(AuditSettings(key=SecretStr(secret))).current == key
    assert keyring(AuditSettings.model_validate({"key_file": file})).current == key
    assert keyring(AuditSettings()).current is None
    for called in ("audit.key", "spoolwarden_audit.key", "audit-key"):
        folder = tmp_path / f"with {called}"
        folder.mkdir()
        shutil.copy(file, folder / called)
        given = with_credentials(Settings, {}, folder)
        assert keyring(AuditSettings.model_validate(given["audit"])).current == key
    old = keyring(AuditSettings(old_key_files=(file,)))
    assert (old.current, old.get(key.id)) == (None, key)


@pytest.mark.parametrize("content", [b"CANARY", b"", b"\xff" * 40, None])
def test_a_key_that_is_no_key_is_a_sentence_without_it(
    tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises((ConfigError, ValidationError)) as failure:
        keyring(AuditSettings.model_validate({"key_file": file}))
    said = str(failure.value)
    assert str(file) in said
    assert "CANARY" not in said.replace(str(file), "")
    with pytest.raises(ConfigError, match="openssl rand -hex 32") as failure:
        keyring(AuditSettings(old_key_files=(file,)))
    assert str(file) in str(failure.value)
    assert "CANARY" not in str(failure.value)


def test_settings_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ValidationError, match="both given"):
        AuditSettings.model_validate({"key": "x", "key_file": "x"})
    with pytest.raises(ValidationError, match="needs archive_folder"):
        AuditSettings(keep_days=30)


# -- databases of older releases -----------------------------------------------------------------


async def test_a_log_from_before_there_were_keys_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "bot.db"
    raw = sqlite3.connect(file)
    raw.executescript((Path(__file__).parent / "released" / "0.1.0-sqlite.sql").read_text("utf-8"))
    raw.close()
    async with staged(tmp_path) as stage:
        stage.pass_time(hours=1)
        await stage.audit.use_key()
        await stage.write(1)
        verdict = await stage.audit.verify()
        assert (verdict.entries, verdict.broken_at) == (4, None)
        assert [e.key_id async for e in stage.audit.entries()] == [None] * 2 + [_KEY.id] * 2
