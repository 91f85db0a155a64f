"""A mail server that cannot be watched: told once, and once more when it can."""

from datetime import timedelta

import pytest

from services.audit import AuditLog
from services.clock import ManualClock
from services.errors import ServerDown, StoreError
from services.store import Store
from services.watch import Watch

from ..databases import locked_at, open_store_at
from .bench import Bench

_WHY = "The embedded mail server mail is not running."
_PATIENCE = timedelta(minutes=2)


async def _poll(bench: Bench, watch: Watch) -> bool:
    """Poll as the bot's timetable does; return whether the channel was told something."""
    try:
        await bench.poll()
    except ServerDown as error:
        return await watch.failed("mail", error.sentence)
    return await watch.worked("mail")


@pytest.fixture
def watch(store: Store, audit: AuditLog, clock: ManualClock) -> Watch:
    return Watch(store, audit, clock, patience=_PATIENCE)


def _pass(clock: ManualClock, **by: float) -> None:
    clock.set(clock.now() + timedelta(**by))


async def test_the_channel_is_told_when_patience_ends_and_once_on_recovery(bench: Bench) -> None:
    watch = Watch(bench.store, bench.audit, bench.clock, patience=_PATIENCE)
    assert await _poll(bench, watch) is False
    await bench.mail.stop()
    down = []
    for _ in range(5):
        bench.pass_time(minutes=1)
        down.append(await _poll(bench, watch))
    assert down == [False, True, False, False, False]
    await bench.mail.restart()
    bench.pass_time(minutes=1)
    assert [await _poll(bench, watch) for _ in range(3)] == [True, False, False]
    assert await bench.told() == [
        f"⚠️ The mail server mail cannot be watched since 09:00:00 UTC: {_WHY} "
        "There will be no alerts for it until it answers; nothing it logs is lost.",
        "The mail server mail is watched again, after 6 min.",
    ]
    assert await bench.phases() == [("note", "watch")] * 2


async def test_a_short_failure_is_not_told_and_neither_is_its_end(
    watch: Watch, clock: ManualClock
) -> None:
    for _ in range(3):
        assert await watch.worked("mail") is False
        for _ in range(3):
            _pass(clock, seconds=30)
            assert await watch.failed("mail", _WHY) is False


async def test_each_outage_is_told(watch: Watch, clock: ManualClock) -> None:
    for _ in range(2):
        assert await watch.failed("mail", _WHY) is False
        _pass(clock, minutes=2)
        assert await watch.failed("mail", _WHY) is True
        assert await watch.worked("mail") is True


async def test_a_poll_that_never_ends_is_told_as_well(bench: Bench) -> None:
    watch = Watch(bench.store, bench.audit, bench.clock, patience=_PATIENCE)
    watch.expect("mail")
    assert watch.trouble("mail") == "The mail server mail was not looked at yet."
    assert await watch.look() is False
    bench.pass_time(minutes=2)
    assert [await watch.look() for _ in range(2)] == [True, False]
    assert watch.age("mail") == _PATIENCE
    (told,) = await bench.told()
    assert "since 09:00:00 UTC: No look at it has come to an end since." in told
    assert watch.trouble("mail") == told.removeprefix("⚠️ ")
    assert await watch.worked("mail") is True
    assert watch.trouble("mail") is None


async def test_servers_are_watched_apart(watch: Watch, clock: ManualClock) -> None:
    watch.expect("a")
    _pass(clock, minutes=1)
    watch.expect("b")
    _pass(clock, minutes=1)
    assert await watch.look() is True
    assert (watch.trouble("a") or "").startswith("The mail server a cannot be watched since")
    assert "not looked at yet" in (watch.trouble("b") or "")
    _pass(clock, minutes=1)
    assert await watch.look() is True


async def test_what_another_instance_looks_at_is_not_waited_for(
    watch: Watch, clock: ManualClock
) -> None:
    watch.expect("mail")
    watch.forget("mail")
    _pass(clock, hours=1)
    assert await watch.look() is False
    assert (watch.age("mail"), watch.trouble("mail")) == (None, None)


async def test_what_could_not_be_written_is_told_the_next_time(
    database: str, clock: ManualClock
) -> None:
    async with open_store_at(database, busy_seconds=0.05) as store:
        watch = Watch(store, AuditLog(store, clock), clock, patience=_PATIENCE)
        await watch.failed("mail", _WHY)
        _pass(clock, minutes=2)
        with locked_at(database), pytest.raises(StoreError):
            await watch.failed("mail", _WHY)
        assert await watch.failed("mail", _WHY) is True
        assert await watch.failed("mail", _WHY) is False
        with locked_at(database), pytest.raises(StoreError):
            await watch.worked("mail")
        assert await watch.worked("mail") is True
        assert await watch.worked("mail") is False
