"""What the chat is told of the log: walked from a head that is known, so that it has an end."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.audit import Wrong

from .test_audit_keeper import _SEALED, Stage, staged


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(tmp_path) as made:
        yield made


async def _anchored(stage: Stage) -> None:
    """Write 5 entries, a day later the anchor of the fifth, and 3 more: entries 1 to 9."""
    await stage.write(5)
    stage.pass_time(hours=24)
    await stage.keeper.anchor()
    await stage.write(3)


async def test_where_no_head_is_known_all_is_walked(stage: Stage) -> None:
    assert (await stage.audit.verify_newest()).entries == 0
    await stage.write(4)
    verdict = await stage.audit.verify_newest()
    assert (verdict.first, verdict.entries) == (1, 4)
    assert verdict == await stage.audit.verify()


async def test_it_begins_at_the_newest_anchor_and_says_so(stage: Stage) -> None:
    await _anchored(stage)
    verdict = await stage.audit.verify_newest()
    assert (verdict.first, verdict.entries) == (5, 5)
    assert verdict.sentence.startswith("The audit log is whole from entry 5 on: 5 entries, head ")
    assert "It still holds the anchor of entry 5." in verdict.sentence
    assert verdict.sentence.endswith(
        "Of this, what came before its anchor was not walked now; "
        "“spoolwarden audit verify” walks all."
    )
    assert verdict.head == (await stage.audit.verify()).head


async def test_the_second_time_it_begins_where_the_first_one_ended(stage: Stage) -> None:
    await _anchored(stage)
    await stage.audit.verify_newest()
    await stage.write(2)
    verdict = await stage.audit.verify_newest()
    assert (verdict.first, verdict.entries) == (9, 3)
    assert "what came before was walked by this bot earlier" in verdict.sentence


@pytest.mark.parametrize("seq", [5, 6, 8, 9])
async def test_what_was_changed_since_the_anchor_is_named(stage: Stage, seq: int) -> None:
    await _anchored(stage)
    await stage.behind_its_back(f"UPDATE auditentry SET actor = 'x' WHERE seq = {seq}")  # noqa: S608
    verdict = await stage.audit.verify_newest()
    assert (verdict.broken_at, verdict.wrong) == (seq, Wrong.CHANGED)
    # Nothing of it is taken for known the next time.
    assert (await stage.audit.verify_newest()).broken_at == seq


@pytest.mark.parametrize("seq", [5, 7])
async def test_what_was_taken_out_since_the_anchor_is_named(stage: Stage, seq: int) -> None:
    await _anchored(stage)
    await stage.behind_its_back(f"DELETE FROM auditentry WHERE seq = {seq}")  # noqa: S608
    verdict = await stage.audit.verify_newest()
    assert verdict.wrong is Wrong.MISSING
    assert verdict.broken_at in (1, seq)


async def test_a_log_that_ends_before_what_was_walked_is_cut_off(stage: Stage) -> None:
    await stage.write(6)
    await stage.audit.verify_newest()
    await stage.behind_its_back("DELETE FROM auditentry WHERE seq > 4")
    assert (await stage.audit.verify()).broken_at is None  # from the file alone it cannot be seen
    assert (await stage.audit.verify_newest()).wrong is Wrong.TRUNCATED


async def test_an_anchor_that_was_changed_is_found_where_all_is_walked(stage: Stage) -> None:
    await _anchored(stage)
    await stage.behind_its_back("""UPDATE auditentry SET detail = '{"anchor":"x"}' WHERE seq = 6""")
    verdict = await stage.audit.verify_newest()
    assert (verdict.broken_at, verdict.wrong) == (6, Wrong.CHANGED)


async def test_what_was_archived_meanwhile_is_vouched_for_by_its_checkpoint(stage: Stage) -> None:
    await stage.write(5)
    await stage.audit.verify_newest()
    stage.pass_time(days=40)
    assert await stage.keeper.archive() == 5
    await stage.write(2)
    verdict = await stage.audit.verify_newest()
    assert (verdict.broken_at, verdict.first) == (None, 6)
    stage.use(_SEALED)
    assert (await stage.audit.verify_newest()).broken_at is None


async def test_the_keys_are_told_without_a_beginning_that_is_not_known(stage: Stage) -> None:
    await _anchored(stage)
    sentence = (await stage.audit.verify_newest()).sentence
    assert f"It is sealed with key {_SEALED.current_id}." in sentence
