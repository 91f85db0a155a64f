"""The engine by itself: what alarms, what does not, what is learnt, and bad input."""

import re
from array import array
from collections.abc import Iterable, Sequence
from ipaddress import ip_network
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.detection.engine import OPENS_AT, Engine, Event, Floors, Verdict, tuning
from services.detection.engine.engine import network_of
from services.detection.engine.sender import Sender
from services.detection.engine.subjects import largest_group, sketch_of, words_of

#: A Monday, 9:00 UTC.
MONDAY = 1_767_603_600.0
DAY = 86_400.0
ANN, BOB = "ann@example.com", "bob@example.com"
HOME, THIEF = "10.0.0.7", "203.0.113.{}"


def _letters(
    user: str,
    begin: float,
    number: int,
    gap: float,
    *,
    ip: str = HOME,
    subject: str = "You won {}",
    to: str = "",
) -> list[Event]:
    return [
        Event(
            begin + n * gap,
            user,
            ip.format(n % 250),
            1,
            subject.format(n),
            3000 + n,
            (to.format(n),) if to else (),
        )
        for n in range(number)
    ]


def _weeks(user: str, days: int = 21, *, begin: float = MONDAY, seed: int = 1) -> list[Event]:
    """Some letters on each working day, from home, to a few people."""
    chance = Random(f"{user}{seed}")  # noqa: S311 - tests must repeat
    found = []
    for day in range(days):
        if day % 7 < 5:
            for _ in range(8):
                at = begin + day * DAY + chance.uniform(0, 8 * 3600)
                to = (f"friend{chance.randrange(12)}@example.org",)
                subject = f"{chance.choice('abcdefgh') * 5} {chance.choice('stuvwxyz') * 4}"
                found.append(Event(at, user, HOME, 1, subject, chance.randrange(9999), to))
    return sorted(found)


def _fed(events: Iterable[Event], engine: Engine | None = None) -> Engine:
    """Feed events as they come, ten seconds at a time, keeping what alarmed."""
    engine = engine or Engine()
    for event in events:
        engine.take([event], event.time)
    return engine


def _learnt(days: int = 21) -> Engine:
    engine = Engine()
    events = [*_weeks(ANN, days), *_weeks(BOB, days)]
    engine.take(sorted(events), MONDAY + (days + 2) * DAY)
    assert engine.judge(MONDAY + days * DAY) == []
    return engine


def _alarms(engine: Engine, events: Sequence[Event]) -> list[Verdict]:
    found: list[Verdict] = []
    for event in events:
        engine.take([event], event.time)
        found += engine.judge(event.time)
    return found


# -- what alarms -----------------------------------------------------------------------------

AFTER = MONDAY + 21 * DAY


def test_a_drip_from_a_strange_network_alarms_within_ten_letters() -> None:
    engine = _learnt()
    drip = _letters(ANN, AFTER, 10, 180, ip="203.0.113.5", to="victim{}@list.example")
    first = _alarms(engine, drip)[0]
    assert first.user == ANN
    assert first.at <= AFTER + 30 * 60
    assert any("not used before" in reason.text for reason in first.reasons)
    assert any("near-identical" in reason.text for reason in first.reasons)
    assert sum(reason.points for reason in first.reasons) == pytest.approx(first.score, abs=0.2)


def test_the_same_letters_to_usual_people_from_the_usual_place_do_not() -> None:
    engine = _learnt()
    quiet = _letters(ANN, AFTER, 10, 180, subject="{} a matter", to="friend{}@example.org")
    assert _alarms(engine, quiet) == []


def test_somebody_travelling_writes_from_new_places_without_an_alarm() -> None:
    engine = _learnt()
    away = [
        event._replace(ip=f"198.51.{day}.9")
        for day in range(3)
        for event in _weeks(ANN, 1, begin=AFTER + day * DAY, seed=day)
    ]
    assert _alarms(engine, away) == []


def test_a_worm_at_home_alarms_by_volume_and_says_what_is_usual() -> None:
    engine = _learnt()
    burst = _letters(ANN, AFTER + 20 * 3600, 400, 1, subject="{} words", to="victim{}@x.example")
    first = _alarms(engine, burst)[0]
    assert first.reasons[0].text.startswith(f"{first.messages} messages in ")
    assert "usual at this hour: 0, at most " in first.reasons[0].text


def test_what_is_sent_every_week_is_learnt_and_a_strange_sender_of_it_is_not() -> None:
    engine = Engine()
    news = [
        event
        for week in range(5)
        for event in _letters(
            "news@example.com",
            MONDAY + week * 7 * DAY,
            300,
            1,
            subject="Our news",
            to="reader{}@example.org",
        )
    ]
    engine.take(news, MONDAY + 40 * DAY)
    again = MONDAY + 35 * DAY
    issue = _letters(
        "news@example.com", again + 26 * 3600, 320, 1, subject="Our news", to="reader{}@example.org"
    )
    assert _alarms(engine, issue) == []
    stolen = _letters(
        "news@example.com", again + 3 * DAY, 200, 1, ip="203.0.113.9", to="victim{}@list.example"
    )
    assert _alarms(engine, stolen)[0].user == "news@example.com"


def test_many_accounts_with_one_campaign_alarm_together_before_each_would_alone() -> None:
    people = [f"u{n}@example.com" for n in range(8)]
    engine = Engine()
    engine.take(sorted(e for who in people for e in _weeks(who)), AFTER + 2 * DAY)
    campaign = [
        Event(AFTER + turn * 120 + n, who, "203.0.113.5", 1, f"Parcel {n} waits", 3000)
        for turn in range(4)
        for n, who in enumerate(people)
    ]
    alarms = _alarms(engine, campaign)
    assert {one.user for one in alarms} == set(people)
    assert any("accounts began to send the same" in r.text for r in alarms[0].reasons)


def test_of_equally_many_accounts_on_new_networks_those_that_send_most_alike_count() -> None:
    people = [ANN, BOB, "carl@example.com"]
    engine = Engine()
    engine.take(sorted(e for one in people for e in _weeks(one)), MONDAY + 23 * DAY)
    letters = [
        Event(AFTER + n, one, f"203.0.{place}.9", 1, f"Parcel {n} waits", 3000, (f"{n}@x.example",))
        for n in range(3)
        for one in people
        for place in range(9)
        # On the middle one of the networks three each, else one each: they are in no order.
        if n == 0 or place == 4
    ]
    engine.take(letters, AFTER + 10)
    for one in people:
        verdict = engine.why(one)
        assert verdict is not None
        assert any("accounts began to send the same" in r.text for r in verdict.reasons)


def test_a_loop_between_two_mailboxes_is_not_taken_for_spam() -> None:
    engine = _learnt()
    loop = _letters(ANN, AFTER, 400, 1, subject="Fwd: away {}", to=BOB)
    assert _alarms(engine, loop) == []


@pytest.mark.parametrize("known", [1, 2])
def test_a_recipient_that_is_told_of_many_does_not_speak_for_the_others(known: int) -> None:
    # Postfix tells one recipient with the subject, and the others as they are delivered.
    engine = _learnt()
    mine = tuple(f"mine{n}@drop.example" for n in range(known))
    letters = _letters(ANN, AFTER + 20 * 3600, 200, 1)
    spam = [letter._replace(recipients=50, to=mine) for letter in letters]
    first = _alarms(engine, spam)[0]
    assert first.messages < 60
    assert not any("recipients only" in reason.text for reason in first.reasons)


def test_few_recipients_of_whom_some_are_told_are_still_few() -> None:
    engine = _learnt()
    letters = _letters(ANN, AFTER, 400, 1, subject="Fwd: away {}", to=BOB)
    assert _alarms(engine, [letter._replace(recipients=2) for letter in letters]) == []


def test_refusals_by_the_other_side_count_against_their_usual() -> None:
    engine = _learnt()
    letters = _letters(ANN, AFTER, 12, 60, ip="203.0.113.5", subject="{} a b c", to="{}@x.example")
    before = _fed(letters, engine).why(ANN)
    refused = [Event(AFTER + 700 + n, ANN, "", 0, outcome="rejected") for n in range(5)]
    after = _fed(refused, engine).why(ANN)
    assert before is not None
    assert after is not None
    assert after.score > before.score
    assert any(r.text.startswith("5 of 12 refused") for r in after.reasons)


def test_of_very_many_refusals_all_count_that_surely_were_within_the_window() -> None:
    gap = 0.1
    letters = _letters(
        ANN, AFTER, 4000, gap, ip="203.0.113.5", subject="{} a b c", to="{}@x.example"
    )
    refused = [Event(AFTER + n / 5, ANN, "", 0, outcome="rejected") for n in range(2000)]
    verdict = _fed(refused, _fed(letters, _learnt())).why(ANN)
    assert verdict is not None
    (reason,) = [r for r in verdict.reasons if " refused " in r.text]
    # Half of those of five minutes, but for the ones of a minute that began before them.
    found = re.match(r"at least ([\d,]+) of ([\d,]+) refused", reason.text)
    assert found is not None
    number, of = (int(one.replace(",", "")) for one in found.groups())
    assert 0.3 * of <= number <= 0.5 * of
    assert reason.points == tuning.OUTCOME_CAP


@given(
    number=st.integers(1, 60), gap=st.floats(0.1, 600), known=st.integers(2, 80),
    spread=st.integers(1, 80),
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_nothing_alarms_under_both_floors(number: int, gap: float, known: int, spread: int) -> None:
    engine = Engine(floors=Floors(known, spread))
    alarms = _alarms(engine, _letters(ANN, MONDAY, number, gap, ip=THIEF))
    if number < min(known, spread):
        assert alarms == []
    assert all(one.messages >= min(known, spread) for one in alarms)


# -- what is learnt and taught ---------------------------------------------------------------


@pytest.mark.parametrize(("ip", "letters"), [(HOME, 12), ("203.0.113.5", 5)])
@pytest.mark.parametrize("known", [0, 32])
def test_few_letters_to_very_many_strangers_are_no_few(ip: str, letters: int, known: int) -> None:
    engine = _learnt()
    spam = [
        letter._replace(
            recipients=1000, to=tuple(f"victim{n}-{place}@x.example" for place in range(known))
        )
        for n, letter in enumerate(_letters(ANN, AFTER + 20 * 3600, letters + 20, 5, ip=ip))
    ]
    first = _alarms(engine, spam)[0]
    assert first.messages <= letters + (0 if known else 20)


def test_a_few_letters_to_everybody_one_knows_do_not() -> None:
    engine = _learnt()
    everybody = tuple(f"friend{n}@example.org" for n in range(12))
    letters = _letters(ANN, AFTER, 8, 600, subject="{} to all of you")
    assert _alarms(engine, [one._replace(recipients=60, to=everybody) for one in letters]) == []


def test_a_day_that_alarmed_teaches_nothing() -> None:
    engine = _learnt()
    for day in range(4):
        burst = _letters(ANN, AFTER + day * DAY, 300, 1, ip="203.0.113.5", to="v{}@x.example")
        assert _alarms(engine, burst) != []


def test_a_false_alarm_teaches_and_is_not_repeated() -> None:
    engine = _learnt()
    first = _letters(ANN, AFTER, 300, 1, to="v{}@x.example")
    assert _alarms(engine, first) != []
    engine.clear(ANN, AFTER + 400)
    engine.teach(ANN, 450, AFTER + 400)
    second = _letters(ANN, AFTER + DAY, 300, 1, to="w{}@x.example")
    assert _alarms(engine, second) == []


def test_what_was_dealt_with_does_not_count_again() -> None:
    engine = _learnt()
    assert _alarms(engine, _letters(ANN, AFTER, 100, 1, ip="203.0.113.5")) != []
    engine.clear(ANN, AFTER + 100)
    assert _alarms(engine, _weeks(ANN, 1, begin=AFTER + 7200)) == []


# -- bad input -------------------------------------------------------------------------------


@given(seed=st.integers(0, 10_000), cut=st.integers(0, 300))
@settings(max_examples=15, deadline=None)
def test_a_restart_changes_no_verdict(seed: int, cut: int) -> None:
    chance = Random(seed)  # noqa: S311
    events = [
        *_weeks(ANN, 8, seed=seed),
        *_letters(ANN, MONDAY + 8 * DAY, 40, chance.uniform(1, 200), ip=THIEF, to="v{}@x.example"),
        *_weeks(BOB, 9, seed=seed),
    ]
    events.sort()
    whole, first = Engine(), Engine()
    seen: list[Verdict] = []
    for engine_events, engine in ((events, whole), (events[:cut], first)):
        for event in engine_events:
            engine.take([event], event.time)
            if engine is whole and event in events[cut:]:
                seen += engine.judge(event.time)
            else:
                engine.judge(event.time)
    second = Engine()
    second.restore(first.common(), first.changed())
    assert _alarms(second, events[cut:]) == seen
    for user in (ANN, BOB):
        assert second.why(user) == whole.why(user)


def test_a_backlog_of_hours_is_judged_by_when_things_were_sent() -> None:
    live, late = _learnt(), _learnt()
    ordinary = sorted([*_weeks(ANN, 1, begin=AFTER), *_weeks(BOB, 1, begin=AFTER)])
    late.take(ordinary, AFTER + 9 * 3600)
    assert late.judge(AFTER + 9 * 3600) == []
    drip = _letters(ANN, AFTER + 12 * 3600, 60, 60, ip="203.0.113.5", to="v{}@x.example")
    at_once = AFTER + 14 * 3600
    late.take(drip, at_once)
    (found,) = late.judge(at_once)
    first = _alarms(_fed(ordinary, live), drip)[0]
    assert found.user == first.user == ANN
    assert abs(found.at - first.at) < 3600
    # A day later it is no news any more.
    never = _learnt()
    never.take(drip, at_once + 2 * DAY)
    assert never.judge(at_once + 2 * DAY) == []


def test_repeated_events_count_once() -> None:
    engine = _learnt()
    day = [e._replace(id=f"id{n}") for n, e in enumerate(_weeks(ANN, 1, begin=AFTER))]
    engine.take(day, AFTER + DAY)
    before = engine.why(ANN)
    for _ in range(50):
        engine.take(day, AFTER + DAY)
    assert engine.judge(AFTER + DAY) == []
    assert engine.why(ANN) == before


@given(seed=st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_events_out_of_order_alarm_nobody_and_lose_nothing(seed: int) -> None:
    engine = _learnt()
    day = _weeks(ANN, 1, begin=AFTER, seed=seed)
    chance = Random(seed)  # noqa: S311
    shuffled = sorted(day, key=lambda e: e.time + chance.uniform(0, 7200))
    engine.take(shuffled, AFTER + DAY)
    assert engine.judge(AFTER + DAY) == []
    verdict = engine.why(ANN)
    assert verdict is not None
    sender = Sender.unpack(engine.changed()[ANN])
    assert sender.sent(24 * 3600, sender.last) == len(day)


@pytest.mark.parametrize("jump", [-30 * DAY, -3600.0, 3600.0, 3 * DAY, 400 * DAY])
def test_a_clock_that_jumps_alarms_nobody_and_forgets_no_habit(jump: float) -> None:
    engine = _learnt()
    normal = _weeks(ANN, 1, begin=AFTER)
    jumped = [event._replace(time=event.time + jump) for event in normal]
    for event in [*jumped[:4], *normal[4:], *_weeks(ANN, 2, begin=AFTER + DAY)]:
        engine.take([event], event.time)
        assert engine.judge(event.time) == []
    drip = _letters(ANN, AFTER + 4 * DAY, 10, 180, ip="203.0.113.5", to="victim{}@list.example")
    assert _alarms(engine, drip)[0].user == ANN


def test_what_is_repeated_counts_once_also_where_its_time_is_not_believed() -> None:
    engine = _learnt()
    ahead = Event(AFTER + 3 * DAY, ANN, HOME, 1, "Minutes", 900, ("a@x.example",), id="A1")
    for second in range(60):
        engine.take([ahead], AFTER + second)
    why = engine.why(ANN)
    assert why is not None
    assert why.reasons[0].text.startswith("1 message in ")


def test_times_of_the_far_future_are_not_believed() -> None:
    engine = _learnt()
    engine.take([Event(AFTER + 900 * DAY, ANN, HOME, 1, "Hello")], AFTER)
    engine.take(_weeks(ANN, 1, begin=AFTER), AFTER + DAY)
    verdict = engine.why(ANN)
    assert verdict is not None
    assert verdict.at < AFTER + DAY


def test_a_flood_of_names_is_bounded_and_costs_nobody_their_habit() -> None:
    engine = Engine(senders=200)
    engine.take(sorted([*_weeks(ANN), *_weeks(BOB)]), AFTER + 2 * DAY)
    flood = (Event(AFTER + n / 100, f"x{n}@forged.example", THIEF, 1) for n in range(20_000))
    engine.take(flood, AFTER + 300)
    assert engine.judge(AFTER + 300) == []
    assert len(engine) <= 300
    drip = _letters(ANN, AFTER + 3600, 10, 180, ip="203.0.113.5", to="victim{}@list.example")
    assert _alarms(engine, drip)[0].user == ANN


def test_who_had_to_make_room_comes_back_as_they_were() -> None:
    engine = Engine(senders=100)
    names = [f"p{n}@example.com" for n in range(150)]
    for name in names:
        engine.take(_weeks(name, 3), MONDAY + 5 * DAY)
    kept = engine.changed()
    absent = [name for name in names if not engine.knows(name)]
    assert absent
    engine.restore(None, {absent[0]: kept[absent[0]]})
    alone = Engine()
    alone.take(_weeks(absent[0], 3), MONDAY + 5 * DAY)
    found, expected = engine.why(absent[0]), alone.why(absent[0])
    assert found is not None
    assert expected is not None
    assert found.reasons[0] == expected.reasons[0]


def test_nobody_logged_in_counts_only_for_a_trusted_host() -> None:
    engine = Engine(trusted=[ip_network("10.1.0.0/16")])
    spam = _letters("", MONDAY, 300, 1, ip="10.1.2.3", subject="Prize {}")
    outside = _letters("", MONDAY, 300, 1, ip="203.0.113.5", subject="Prize {}")
    assert {one.user for one in _alarms(engine, sorted([*spam, *outside]))} == {"[10.1.2.3]"}
    assert len(engine) == 1


@given(
    events=st.lists(
        st.builds(
            Event,
            time=st.floats(0, 4e9),
            user=st.sampled_from(["", "a@x", "b@x"]) | st.text(max_size=9),
            ip=st.ip_addresses().map(str) | st.text(max_size=9),
            recipients=st.integers(0, 10**6),
            subject=st.text(max_size=200),
            size=st.integers(0, 2**50),
            to=st.lists(st.text(max_size=9), max_size=3).map(tuple),
            outcome=st.sampled_from(["", "rejected", "deferred", "?"]),
            failures=st.integers(0, 10**6),
            id=st.text(max_size=4),
        ),
        max_size=30,
    ),
    now=st.floats(0, 4e9),
)
@settings(max_examples=60, deadline=None)
def test_whatever_comes_is_taken_and_kept(events: list[Event], now: float) -> None:
    engine = Engine()
    engine.take(events, now)
    assert all(one.score >= OPENS_AT for one in engine.judge(now))
    again = Engine()
    again.restore(engine.common(), engine.changed())
    for user in {event.user for event in events}:
        assert again.why(user) == engine.why(user)


# -- subjects and networks -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Invoice 1234 due", "Re: invoice 99 DUE"),
        ("Parcel x7f3 waits", "Parcel 9q waits"),
        ("Fwd: AW: Lunch", "lunch"),
    ],
)
def test_copies_made_to_differ_are_the_same(one: str, other: str) -> None:
    assert sketch_of(one) == sketch_of(other)


def test_a_changing_name_in_a_subject_leaves_a_group() -> None:
    subjects = [f"Dear {name}, your parcel is waiting at the desk" for name in "abcdefghij"]
    sketches = [sketch_of(subject) for subject in subjects]
    number, _ = largest_group([()] * 10, sketches)
    assert number >= 7


def test_a_conversation_counts_once_and_a_mailing_each_time() -> None:
    sketches = [sketch_of("Lunch on Friday")] * 10
    assert largest_group([(1, 2)] * 10, sketches)[0] == 1
    assert largest_group([(n,) for n in range(10)], sketches)[0] == 10


@given(subject=st.text(max_size=300))
def test_any_subject_has_a_sketch(subject: str) -> None:
    assert len(sketch_of(subject)) == 4
    assert all(len(word) <= 22 for word in words_of(subject))


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.9", "203.0.113.0/24"),
        ("2001:db8:1:2::3", "2001:db8:1::/48"),
        ("300.1.1.1", "300.1.1.1"),
        ("unknown", "unknown"),
    ],
)
def test_a_network_is_a_24_or_a_48(address: str, network: str) -> None:
    assert network_of(address) == network


@given(st.lists(st.tuples(st.integers(0, 3 * 86_400), st.booleans()), min_size=1, max_size=60))
def test_what_is_counted_step_by_step_is_what_adding_up_gives(sent: list[tuple[int, bool]]) -> None:
    engine = Engine()
    for after, straggler in sorted(sent):
        at = MONDAY + after - (5 * 3600 if straggler else 0)
        engine.take([Event(at, ANN, HOME, 1)], at)
    sender = Sender.unpack(engine.changed()[ANN])
    pairs = list(zip(sender.hour_stamps, sender.hour_counts, strict=True))
    assert sender.before == sum(n for at, n in pairs if sender.hour - 24 < at < sender.hour)
    assert sender.in_hour == sum(n for at, n in pairs if at == sender.hour)


@given(
    counts=st.lists(st.integers(0, 500), min_size=168, max_size=168),
    hour=st.integers(0, 10**6),
    weeks=st.floats(1, 5),
)
def test_an_hours_expectation_is_the_same_with_and_without_the_whole_week(
    counts: list[int], hour: int, weeks: float
) -> None:
    sender = Sender(ANN)
    sender.habit, sender.weeks = array("f", counts), weeks
    alone = sender.expected(hour)
    assert sender.expected_in(1, hour) == pytest.approx(alone)
    assert sender.expected(hour) == pytest.approx(alone)
