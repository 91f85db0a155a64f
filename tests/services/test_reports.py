"""Message traffic: each message counted once, for everybody, its domain and its account."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlmodel import col, select

from bot.demo.sender import compose
from bot.elements import Card, Figure
from services import reports
from services.detection.ingest import Ingest
from services.mail.port import DEFERRED, REJECTED, News, Submission
from services.models import Traffic, TrafficKind
from services.reports import Period, Tally, View, _Counting, count_in, listing, total, trend

from ..databases import PostgresDatabases
from ..mail.harness import ANN, BOB, DOMAIN
from .bench import CHANNEL, VIEWER, Bench, open_bench
from .desk import dispatch_of


@pytest.fixture(params=["sqlite", "postgresql"])
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    database = None
    if request.param == "postgresql":
        postgres: PostgresDatabases = request.getfixturevalue("postgres")
        database = postgres.empty()
    async with open_bench(tmp_path, database=database) as made:
        yield made


def _today(bench: Bench) -> Period:
    today = bench.clock.now().date()
    return Period(today, today)


async def _receive(bench: Bench, number: int, *to: str) -> None:
    """Have so many messages come from elsewhere."""
    async with bench.mail.sender("198.51.100.7") as client:
        await client.send_many(
            [
                compose("x@elsewhere.test", list(to), "Hello", "Hello.", clock=bench.clock)
                for _ in range(number)
            ]
        )


async def test_what_goes_out_and_comes_in_is_counted_for_all_a_domain_and_an_account(
    bench: Bench,
) -> None:
    await bench.burst(3, user=ANN)
    await bench.burst(2, user=BOB)
    await _receive(bench, 4, ANN, BOB)
    await bench.burst(1, user=BOB, to=[[ANN, "x@elsewhere.test", "y@sub." + DOMAIN]])
    await bench.poll()
    await bench.poll()
    today = _today(bench)
    async with bench.store.reading() as session:
        assert await total(session, "mail", today) == Tally(outgoing=6, incoming=5)
        only = frozenset({DOMAIN})
        assert await total(session, "mail", today, only) == Tally(outgoing=6, incoming=5)
        assert await total(session, "mail", today, frozenset({"other.test"})) == Tally()
        assert await total(session, "mail", today.before) == Tally()
        steps = await trend(session, "mail", today, bench.clock.now())
        assert sum(steps, Tally()) == Tally(outgoing=6, incoming=5)
        assert len(steps) == bench.clock.now().hour + 1
        domains, number = await listing(session, "mail", today, View.DOMAINS)
        assert [(row.name, row.tally, row.before) for row in domains] == [
            (DOMAIN, Tally(outgoing=6, incoming=5), 0)
        ]
        assert number == 1
        users, number = await listing(session, "mail", today, View.USERS, domain=DOMAIN)
        assert [(row.name, row.tally) for row in users] == [
            (ANN, Tally(outgoing=3, incoming=5)),
            (BOB, Tally(outgoing=3, incoming=4)),
        ]
        assert number == 2
        none = await listing(
            session, "mail", today, View.USERS, domain=DOMAIN, domains=frozenset({"other.test"})
        )
        assert none == ([], 0)
        assert await reports.known_since(session, "mail") == today.first


async def test_a_page_is_a_part_and_knows_the_period_before(bench: Bench) -> None:
    now = bench.clock.now()
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    counting = _Counting()
    for number in range(30):
        for _ in range(30 - number):
            counting.add(now, [f"a@d{number:02}.test"], Tally(outgoing=1))
        counting.add(now - timedelta(days=1), [f"a@d{number:02}.test"], Tally(outgoing=7))
    async with bench.store.session() as session:
        await reports._save(session, "mail", counting.tallies)
    async with bench.store.reading() as session:
        page, names = await listing(
            session, "mail", Period(day.date(), day.date()), View.DOMAINS, offset=8, limit=8
        )
    assert names == 30
    assert [(row.name, row.tally.outgoing, row.before) for row in page] == [
        (f"d{number:02}.test", 30 - number, 7) for number in range(8, 16)
    ]


async def test_what_became_of_messages_is_counted_when_it_is_known(bench: Bench) -> None:
    at = bench.clock.now()
    news = [
        News("1", at, ANN, outcome=DEFERRED),
        News("2", at, ANN, outcome=REJECTED),
        News("3", at, BOB, outcome=REJECTED),
        News("4", at, ANN, login_failures=3),
        News("5", at, "", "192.0.2.9", outcome=REJECTED),
    ]
    sent = Submission("6", at, ANN, True, None, 1, 10, "Hi", outcome=DEFERRED)
    told = [(item, item if item.account else None) for item in news]
    async with bench.store.session() as session:
        await count_in(session, "mail", [*told, (sent, sent)])
    async with bench.store.reading() as session:
        whole = await total(session, "mail", _today(bench))
        assert whole == Tally(outgoing=1, deferred=2, rejected=2)


_ACCOUNTS = st.sampled_from(["a@x.test", "B@x.test", "c@y.test", "login", "", "d@bücher.test"])


@given(
    st.lists(
        st.tuples(
            st.integers(0, 10 * 86400), st.lists(_ACCOUNTS, max_size=4), st.sampled_from("oidr")
        ),
        max_size=60,
    )
)
@settings(deadline=None)
def test_hours_days_and_everybody_agree(
    events: list[tuple[int, list[str], str]],
) -> None:
    counting = _Counting()
    kinds = {"o": "outgoing", "i": "incoming", "d": "deferred", "r": "rejected"}
    for seconds, accounts, kind in events:
        at = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(seconds=seconds)
        counting.add(at, accounts, Tally(**{kinds[kind]: 1}))
    sums: dict[tuple[TrafficKind, str], Tally] = {}
    for (kind_, start, name), tally in counting.tallies.items():
        assert start.minute == start.second == 0
        assert kind_ is TrafficKind.HOUR or start.hour == 0
        sums[kind_, name] = sums.get((kind_, name), Tally()) + tally
    for name in {name for kind_, name in sums if kind_ is not TrafficKind.ACCOUNT}:
        assert sums[TrafficKind.HOUR, name] == sums[TrafficKind.DAY, name]
    everybody = sums.get((TrafficKind.DAY, ""), Tally())
    counted = everybody.outgoing + everybody.incoming + everybody.deferred + everybody.rejected
    assert counted == len(events)
    assert ("bücher.test" in {name for _, name in sums}) is False


async def test_mail_to_ever_new_addresses_gets_no_more_rows_than_there_is_room_for(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports, "MOST_ACCOUNTS", 5)
    at = bench.clock.now()

    async def take(*to: str) -> None:
        items = [Submission("1", at, "", False, None, 1, 1, "", (name,)) for name in to]
        async with bench.store.session() as session:
            await count_in(session, "mail", [(item, None) for item in items])

    await take(*(f"x{n}@{DOMAIN}" for n in range(4)))
    await take(*(f"y{n}@{DOMAIN}" for n in range(100)))
    await take("x1@" + DOMAIN)
    sent = Submission("1", at, ANN, True, None, 1, 1, "")
    async with bench.store.session() as session:
        await count_in(session, "mail", [(sent, sent)])
    async with bench.store.reading() as session:
        users, number = await listing(
            session, "mail", _today(bench), View.USERS, domain=DOMAIN, limit=100
        )
        assert (await total(session, "mail", _today(bench))).incoming == 105
    assert number == 5
    assert {row.name: row.tally.incoming for row in users}["x1@" + DOMAIN] == 2
    assert users[0].name == ANN


async def test_what_is_old_is_forgotten_hours_before_days(bench: Bench) -> None:
    await bench.burst(2)
    await bench.poll()
    ingest = Ingest(bench.store, bench.clock, habit_days=28)
    bench.pass_time(days=9)
    await ingest.prune({})
    async with bench.store.reading() as session:
        kinds = set((await session.exec(select(Traffic.kind))).all())
    assert kinds == {TrafficKind.DAY, TrafficKind.ACCOUNT}
    bench.pass_time(days=400)
    await ingest.prune({})
    async with bench.store.reading() as session:
        assert (await session.exec(select(col(Traffic.name)))).all() == []


@given(st.dates(date(1990, 1, 1), date(2100, 1, 1)), st.integers(1, 366))
def test_the_period_before_ends_where_this_one_begins(first: date, days: int) -> None:
    period = Period(first, first + timedelta(days=days - 1))
    assert period.days == period.before.days == days
    assert period.before.end == period.begin
    assert (period.end - period.begin) == timedelta(days=days)


async def test_a_trend_of_days_whose_hours_are_forgotten_is_by_day(bench: Bench) -> None:
    now = bench.clock.now()
    old = now - timedelta(days=20)
    counting = _Counting()
    counting.add(old, [ANN], Tally(outgoing=5))
    counting.add(old + timedelta(days=1), [ANN], Tally(outgoing=7))
    async with bench.store.session() as session:
        await reports._save(session, "mail", counting.tallies)
        await reports.forget_traffic(session, now)
    period = Period(old.date(), old.date() + timedelta(days=1)).seen(now)
    async with bench.store.reading() as session:
        steps = await trend(session, "mail", period, now)
        assert sum(steps, Tally()) == await total(session, "mail", period) == Tally(outgoing=12)
    assert [step.outgoing for step in steps] == [5, 7]
    assert Period(now.date(), now.date()).seen(now).step == timedelta(hours=1)


async def test_a_report_on_days_long_ago_has_their_numbers_in_its_picture(bench: Bench) -> None:
    now = bench.clock.now()
    old = now - timedelta(days=20)
    counting = _Counting()
    counting.add(old, [ANN], Tally(outgoing=5))
    async with bench.store.session() as session:
        await reports._save(session, "mail", counting.tallies)
        await reports.forget_traffic(session, now)
    typed = f"report {old.date()}..{old.date()}"
    card = (await dispatch_of(bench).typed(VIEWER, CHANNEL, typed)).reply
    assert isinstance(card, Card)
    (figure,) = [section for section in card.sections if isinstance(section, Figure)]
    assert "Outgoing: 5" in figure.words


async def test_the_first_days_of_the_calendar_are_no_failure(bench: Bench) -> None:
    answer = await dispatch_of(bench).typed(VIEWER, CHANNEL, "report 0001-01-01..0001-01-03")
    assert "it is today, 7d, or days such as" in answer.sentence
