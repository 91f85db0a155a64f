"""A mail server that cannot be watched: told once, and once more when it can."""

from pathlib import Path

import pytest

from services.audit import AuditLog
from services.clock import ManualClock
from services.errors import ServerDown, StoreError
from services.store import Store
from services.watch import Watch

from .bench import Bench, locked, open_store

_WHY = "The embedded mail server mail is not running."


async def _poll(bench: Bench, watch: Watch) -> bool:
    """Poll as the bot's timetable does; return whether the channel was told something."""
    try:
        await bench.poll()
    except ServerDown as error:
        return await watch.failed("mail", error.sentence)
    return await watch.worked("mail")


@pytest.fixture
def watch(store: Store, audit: AuditLog, clock: ManualClock) -> Watch:
    return Watch(store, audit, clock)


async def test_the_channel_is_told_after_three_failures_and_once_on_recovery(
    bench: Bench,
) -> None:
    watch = Watch(bench.store, bench.audit, bench.clock)
    assert await _poll(bench, watch) is False
    await bench.mail.stop()
    down = []
    for _ in range(6):
        down.append(await _poll(bench, watch))
        bench.pass_time(minutes=1)
    assert down == [False, False, True, False, False, False]
    await bench.mail.restart()
    assert [await _poll(bench, watch) for _ in range(3)] == [True, False, False]
    assert await bench.told() == [
        f"⚠️ The mail server mail cannot be watched since 09:00:00 UTC: {_WHY} "
        "There will be no alerts for it until it answers; nothing it logs is lost.",
        "The mail server mail is watched again, after 6 min.",
    ]
    assert await bench.phases() == [("note", "watch")] * 2


async def test_fewer_failures_are_not_told_and_neither_is_their_end(watch: Watch) -> None:
    for _ in range(3):
        assert [await watch.failed("mail", _WHY) for _ in range(2)] == [False, False]
        assert await watch.worked("mail") is False


async def test_each_outage_is_told(watch: Watch) -> None:
    for _ in range(2):
        assert [await watch.failed("mail", _WHY) for _ in range(3)] == [False, False, True]
        assert await watch.worked("mail") is True


async def test_servers_are_counted_apart(watch: Watch) -> None:
    assert [await watch.failed("a", _WHY) for _ in range(2)] == [False, False]
    assert [await watch.failed("b", _WHY) for _ in range(2)] == [False, False]
    assert await watch.worked("b") is False
    assert await watch.failed("a", _WHY) is True


async def test_what_could_not_be_written_is_told_the_next_time(
    tmp_path: Path, clock: ManualClock
) -> None:
    file = tmp_path / "bot.db"
    async with open_store(file, busy_seconds=0.05) as store:
        watch = Watch(store, AuditLog(store, clock), clock)
        for _ in range(2):
            await watch.failed("mail", _WHY)
        with locked(file), pytest.raises(StoreError):
            await watch.failed("mail", _WHY)
        assert await watch.failed("mail", _WHY) is True
        assert await watch.failed("mail", _WHY) is False
        with locked(file), pytest.raises(StoreError):
            await watch.worked("mail")
        assert await watch.worked("mail") is True
        assert await watch.worked("mail") is False
