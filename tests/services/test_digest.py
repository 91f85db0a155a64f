"""Summaries at local times: once each, over changes of the clocks and restarts, and true."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import select

from bot.digest_card import digest
from bot.elements import Paragraph, say
from services.digest import DAILY, WEEKLY, Digests, Report, Timetable
from services.errors import ServerDown
from services.models import Announcement, Digest, Incident, IncidentState
from services.settings import DigestSettings
from services.targets import Target

from ..mail.harness import ANN, BOB
from .bench import CHANNEL, OPERATOR, Bench

ZURICH = "Europe/Zurich"


def digests(bench: Bench, **settings: Any) -> Digests:
    made = DigestSettings(**{"daily": "08:00", "time_zone": ZURICH, **settings})
    return Digests(bench.store, {"mail": bench.server}, bench.clock, made)


def alone(**settings: Any) -> Timetable:
    return Timetable(DigestSettings(**settings))


async def made(bench: Bench) -> list[tuple[str, str, Report]]:
    async with bench.store.reading() as session:
        rows = (await session.exec(select(Digest).order_by(Digest.day, Digest.kind))).all()
    return [(row.kind, row.day, Report.model_validate_json(row.report)) for row in rows]


# -- when ----------------------------------------------------------------------------------


def _days(found: Timetable, begin: datetime, end: datetime, step: timedelta) -> list[Any]:
    """Look every so often, as the bot does; return each summary that was ever due, once."""
    seen: dict[tuple[str, str], Any] = {}
    at = begin
    while at < end:
        for due in found.due(at):
            known = seen.setdefault((due.kind, due.day), due)
            assert (known.begin, known.end) == (due.begin, due.end)
            assert at >= due.end
        at += step
    return list(seen.values())


@pytest.mark.parametrize("time", ["02:00", "02:30", "03:00", "08:00", "00:00", "23:59"])
@pytest.mark.parametrize("month", [3, 10], ids=["spring", "autumn"])
def test_over_a_change_of_the_clocks_there_is_one_each_day_and_no_moment_is_left_out(
    time: str, month: int
) -> None:
    zone = ZoneInfo(ZURICH)
    begin = datetime(2026, month, 20, tzinfo=zone).astimezone(UTC)
    end = datetime(2026, month, 31, 12, tzinfo=zone).astimezone(UTC)
    found = _days(alone(daily=time, time_zone=ZURICH), begin, end, timedelta(minutes=30))
    days = [due.day for due in found]
    assert days == sorted(set(days))
    assert {f"2026-{month:02}-{day}" for day in range(21, 31)} <= set(days)
    for before, after in pairwise(found):
        assert after.begin in (before.end, before.end + timedelta(hours=1))
        assert timedelta(hours=22) <= after.end - after.begin <= timedelta(hours=26)


def test_at_eight_local_time_the_day_of_a_change_is_of_23_or_25_hours() -> None:
    found = alone(daily="08:00", time_zone=ZURICH)
    (spring,) = found.due(datetime(2026, 3, 29, 7, tzinfo=UTC))
    assert spring.end == datetime(2026, 3, 29, 6, tzinfo=UTC)
    assert spring.end - spring.begin == timedelta(hours=23)
    (autumn,) = found.due(datetime(2026, 10, 25, 8, tzinfo=UTC))
    assert autumn.end == datetime(2026, 10, 25, 7, tzinfo=UTC)
    assert autumn.end - autumn.begin == timedelta(hours=25)


def test_a_weekly_one_is_on_its_day_alone() -> None:
    found = alone(weekly="mon 08:00", time_zone=ZURICH)
    (due,) = found.due(datetime(2026, 3, 30, 6, 0, 1, tzinfo=UTC))
    assert (due.kind, due.day) == (WEEKLY, "2026-03-30")
    assert due.end - due.begin == timedelta(days=7) - timedelta(hours=1)
    assert found.due(datetime(2026, 3, 31, 6, 0, 1, tzinfo=UTC)) == []


def test_one_that_would_be_too_late_is_left_out() -> None:
    found = alone(daily="08:00")
    assert len(found.due(datetime(2026, 3, 2, 13, 59, tzinfo=UTC))) == 1
    assert found.due(datetime(2026, 3, 2, 14, 1, tzinfo=UTC)) == []
    assert found.due(datetime(2026, 3, 2, 7, 59, tzinfo=UTC)) == []


@given(
    st.integers(0, 3 * 366 * 1440),
    st.integers(0, 23),
    st.sampled_from([ZURICH, "UTC", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"]),
)
def test_what_is_due_is_over_and_about_a_day(minutes: int, hour: int, zone: str) -> None:
    now = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    for due in alone(daily=f"{hour}:30", time_zone=zone).due(now):
        assert due.begin < due.end <= now
        assert timedelta(hours=22) <= due.end - due.begin <= timedelta(hours=26)
        assert due.day == due.end.astimezone(ZoneInfo(zone)).date().isoformat()


@pytest.mark.parametrize(
    "wrong",
    [
        {"daily": "8"},
        {"daily": "24:00"},
        {"daily": "08:5"},
        {"weekly": "08:00"},
        {"weekly": "someday 08:00"},
        {"time_zone": "Europe/Nowhere"},
        {"time_zone": "../etc/passwd"},
    ],
)
def test_what_is_no_time_or_zone_is_a_mistake(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"time|zone|written"):
        DigestSettings(**wrong)


# -- what ----------------------------------------------------------------------------------


async def test_it_is_made_once_whoever_looks_and_however_often(bench: Bench) -> None:
    assert await digests(bench).look()  # 10:00 there
    for _ in range(3):
        assert not await digests(bench).look()
        bench.pass_time(hours=1)
    assert [(kind, day) for kind, day, _ in await made(bench)] == [(DAILY, "2026-03-02")]
    bench.clock.set(datetime(2026, 3, 3, 7, 0, 1, tzinfo=UTC))
    assert await digests(bench).look()
    assert len(await made(bench)) == 2
    async with bench.store.reading() as session:
        lines = (await session.exec(select(Announcement))).all()
    assert len(lines) == 2


async def test_without_a_time_there_is_none(bench: Bench) -> None:
    none = digests(bench, daily=None)
    assert not none.used
    assert not await none.look()


async def test_it_tells_what_happened_how_fast_and_what_runs_out(bench: Bench) -> None:
    incident_id = await bench.alert()
    bench.pass_time(minutes=3)
    await bench.act("stop", Target(account=ANN), incident_id=incident_id)
    network = ip_network("198.51.100.7")
    await bench.server.block(network, reason="spam", lasting=timedelta(hours=30))
    await bench.server.block(ip_network("198.51.100.8"), reason="spam", lasting=None)
    failed = await bench.propose("password", Target(account=ANN))
    await bench.server.delete_user(ANN)
    await bench.pipeline.execute(OPERATOR, CHANNEL, failed.intent_id)
    bench.clock.set(datetime(2026, 3, 3, 7, 0, 1, tzinfo=UTC))
    await digests(bench).look()
    ((_, day, report),) = await made(bench)
    assert day == "2026-03-03"
    assert [(one.id, one.sender, one.state) for one in report.incidents] == [
        (incident_id, ANN, "remedied")
    ]
    assert report.detected == (0.0,)
    assert report.stopped == (180.0,)
    assert [(one.sender, one.messages, one.before) for one in report.movers] == [(ANN, 3, 0)]
    assert [one.network for one in report.ends] == ["198.51.100.7"]
    assert [(one.action, one.by) for one in report.failed] == [("password", "Olga")]
    assert not report.is_quiet


async def test_all_that_one_act_on_a_campaign_stopped_are_told_as_stopped(bench: Bench) -> None:
    for user in (ANN, BOB):
        await bench.burst(44, user=user)
    await bench.poll()
    lead, other = await bench.incidents()
    assert other.campaign == lead.id
    bench.pass_time(minutes=3)
    await bench.act("stop", Target(accounts=(ANN, BOB)), incident_id=lead.id)
    bench.clock.set(datetime(2026, 3, 3, 7, 0, 1, tzinfo=UTC))
    await digests(bench).look()
    ((_, _, report),) = await made(bench)
    assert report.stopped == (180.0, 180.0)
    assert "not stopped" not in str(digest(DAILY, report))


async def test_an_act_on_some_of_a_campaign_stops_no_other_of_it(bench: Bench) -> None:
    for user in (ANN, BOB):
        await bench.burst(44, user=user)
    await bench.poll()
    lead, other = await bench.incidents()
    await bench.act("stop", Target(accounts=(other.sender,)), incident_id=lead.id)
    bench.clock.set(datetime(2026, 3, 3, 7, 0, 1, tzinfo=UTC))
    await digests(bench).look()
    ((_, _, report),) = await made(bench)
    assert len(report.stopped) == 1
    assert "1 of 2 not stopped" in str(digest(DAILY, report))


async def test_what_was_taken_back_stopped_nothing(bench: Bench) -> None:
    incident_id = await bench.alert()
    bench.pass_time(minutes=3)
    outcome = await bench.act("stop", Target(account=ANN), incident_id=incident_id)
    await bench.undo(outcome)
    bench.clock.set(datetime(2026, 3, 3, 7, 0, 1, tzinfo=UTC))
    await digests(bench).look()
    ((_, _, report),) = await made(bench)
    assert report.stopped == ()
    assert "1 of 1 not stopped" in str(digest(DAILY, report))


async def test_an_incident_that_was_reopened_is_one_of_that_day_too(bench: Bench) -> None:
    incident_id = await bench.alert()
    await bench.act("stop", Target(account=ANN), incident_id=incident_id)
    bench.clock.set(datetime(2026, 3, 3, 7, 0, 1, tzinfo=UTC))
    await digests(bench).look()
    bench.pass_time(hours=1)
    async with bench.store.session() as session:
        row = await session.get(Incident, incident_id)
        assert row is not None
        row.state, row.state_at = IncidentState.OPEN, bench.clock.now()
        row.reopened_at = bench.clock.now()
        session.add(row)
    bench.clock.set(datetime(2026, 3, 4, 7, 0, 1, tzinfo=UTC))
    await digests(bench).look()
    (_, _, first), (_, _, second) = await made(bench)
    assert (len(first.detected), len(first.stopped)) == (1, 1)
    assert [one.id for one in second.incidents] == [incident_id]
    # How fast it was found was told, and the stop of the day before has stopped nothing.
    assert second.detected == second.stopped == ()
    assert "1 of 1 not stopped" in str(digest(DAILY, second))
    false = digest(DAILY, second.model_copy(update={"false_alarms": 1}))
    assert Paragraph(()) not in false.sections
    assert Paragraph(say("")) not in false.sections


async def test_a_false_alarm_is_not_told_as_one_that_was_not_stopped(bench: Bench) -> None:
    incident_id = await bench.alert()
    await bench.act("false_alarm", Target(account=ANN), incident_id=incident_id)
    bench.clock.set(datetime(2026, 3, 3, 7, 0, 1, tzinfo=UTC))
    await digests(bench).look()
    ((_, _, report),) = await made(bench)
    assert report.false_alarms == 1
    said = str(digest(DAILY, report))
    assert "not stopped" not in said
    # Of one there is no median.
    assert "Found 0 s after the first message." in said


async def test_on_the_day_of_25_hours_no_block_runs_out_untold(bench: Bench) -> None:
    bench.clock.set(datetime(2026, 10, 24, 6, 0, 1, tzinfo=UTC))
    # At 07:30 of the next day there, after the clocks went back: before the next summary.
    lasting = timedelta(hours=24, minutes=29)
    await bench.server.block(ip_network("198.51.100.7"), reason="spam", lasting=lasting)
    await digests(bench).look()
    ((_, day, report),) = await made(bench)
    assert day == "2026-10-24"
    assert [one.network for one in report.ends] == ["198.51.100.7"]


async def test_a_quiet_day_says_so_and_a_server_that_is_away_is_named(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await digests(bench).look()
    ((_, _, report),) = await made(bench)
    assert report.is_quiet

    async def away() -> None:
        raise ServerDown("The mail server mail does not answer.")

    monkeypatch.setattr(bench.server, "blocks", away)
    bench.pass_time(days=1)
    await digests(bench).look()
    assert (await made(bench))[1][2].unknown == ("The mail server mail does not answer.",)
