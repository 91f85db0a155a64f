"""What is known of senders that there was no room for."""

from collections.abc import Sequence
from itertools import count

from hypothesis import given, settings
from hypothesis import strategies as st

from services.detection.engine import Engine, Event, Verdict
from services.detection.engine.forgotten import Forgotten
from services.detection.engine.sender import Sender

#: A Monday, 0:00 UTC, and which day that is.
MONDAY = 1_767_571_200.0
DAY, HOUR = 86_400.0, 3600.0
TODAY = int(MONDAY // DAY)
ANN = "ann@example.com"
#: Names that were never seen and send one letter each push an earlier such one out.
_TRACKED, _PUSHES = 200, 101
_NAMES = count()


def _letter(at: float, number: int, user: str = ANN) -> Event:
    return Event(at, user, "203.0.113.5", 1, f"You won {number}", 3000, (f"v{number}@x.example",))


def _others(at: float, number: int = _PUSHES) -> list[Event]:
    """Letters of names that nobody has seen before, one each."""
    return [Event(at, f"x{next(_NAMES)}@forged.example", "", 1) for _ in range(number)]


class _Kept:
    """An engine with a database: what it hands out now and then is brought back when asked for."""

    def __init__(self, tracked: int, every: int) -> None:
        self.engine = Engine(senders=tracked)
        self.rows: dict[str, bytes] = {}
        self.alarms: list[Verdict] = []
        self._every = every
        self._taken = 0

    def take(self, events: Sequence[Event]) -> None:
        absent = {event.user for event in events if not self.engine.knows(event.user)}
        self.engine.restore(None, {name: self.rows[name] for name in absent & self.rows.keys()})
        self.engine.take(events, events[-1].time)
        self.alarms += self.engine.judge(events[-1].time)
        self._taken += len(events)
        if self._taken >= self._every:
            self._taken = 0
            self.rows |= self.engine.changed()


def test_a_sender_among_a_flood_of_names_is_judged_as_if_there_was_room_for_all() -> None:
    room, full = _Kept(100_000, every=10**6), _Kept(_TRACKED, every=700)
    for number in range(60):
        at = MONDAY + 9 * HOUR + number * 60
        events = [_letter(at, number), *_others(at + 1)]
        room.take(events)
        full.take(events)
    first, late = room.alarms[0], full.alarms[0]
    assert {one.user for one in (*room.alarms, *full.alarms)} == {ANN}
    # Of the first two letters nothing but that they were sent is known, of one not even surely.
    assert late.at <= first.at + 2 * 60
    assert late.messages >= first.messages - 2
    found, expected = full.engine.why(ANN), room.engine.why(ANN)
    assert found is not None
    assert expected is not None
    assert expected.messages - 2 <= found.messages <= expected.messages
    assert [one.points for one in found.reasons[1:]] == [one.points for one in expected.reasons[1:]]


def test_who_is_let_go_and_back_before_that_was_kept_is_as_it_was() -> None:
    engine = Engine(senders=_TRACKED)
    for number in range(4):
        at = MONDAY + number * 60
        pair = [_letter(at, number), _letter(at + 1, number + 50)]
        engine.take([*pair, *_others(at + 2)], at + 2)
    assert engine.knows(ANN)
    alone = Engine()
    alone.take([_letter(MONDAY + n * 60 + m, n + 50 * m) for n in range(4) for m in (0, 1)], at)
    found, expected = engine.why(ANN), alone.why(ANN)
    assert found is not None
    assert expected is not None
    assert (found.at, found.messages, found.score) == (
        expected.at,
        expected.messages,
        expected.score,
    )


def test_very_many_names_alarm_nobody_and_take_no_more_room_than_fewer() -> None:
    engine = Engine(senders=_TRACKED)
    sizes = []
    for turn in range(2):
        begin = MONDAY + turn * HOUR
        for step in range(75):
            at = begin + step
            engine.take(_others(at, 100), at)
            assert engine.judge(at) == []
        assert len(engine) <= _TRACKED
        assert len(engine.changed()) <= _TRACKED
        sizes.append(len(engine.common()))
    # A few bits a cell where most are empty; in memory all cells are there from the first.
    assert max(sizes) < 700_000


def test_what_the_forgotten_sent_is_still_known_after_a_restart() -> None:
    first = Engine(senders=_TRACKED)
    for number in range(2):
        at = MONDAY + 9 * HOUR + number
        first.take([_letter(at, number), *_others(at)], at)
    assert not first.knows(ANN)
    second = Engine(senders=_TRACKED)
    second.restore(first.common(), {})
    for engine in (first, second):
        engine.take([_letter(MONDAY + 10 * HOUR, 9)], MONDAY + 10 * HOUR)
    found = second.changed()[ANN]
    assert found == first.changed()[ANN]
    assert Sender.unpack(found).sent_today == 2  # and one is the error


@given(
    letters=st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 47 * 60)), max_size=9),
    news=st.booleans(),
)
@settings(max_examples=15, deadline=None)
def test_nobody_is_given_back_more_than_it_sent(letters: list[tuple[str, int]], news: bool) -> None:
    engine = Engine(senders=_TRACKED)
    letters.sort(key=lambda one: one[1])
    for user, minute in letters:
        at = MONDAY + minute * 60
        engine.take([_letter(at, minute, user), *_others(at)], at)
        if news:
            engine.take([Event(at, user, "", 0, outcome="rejected"), *_others(at)], at)
    kept = engine.changed()
    for user in {user for user, _ in letters} & kept.keys():
        sender = Sender.unpack(kept[user])
        times = [MONDAY + minute * 60 for name, minute in letters if name == user]
        assert sender.sent_today <= len([at for at in times if at // DAY == sender.day])
        assert sender.in_hour + sender.before <= len(
            [at for at in times if sender.hour - 24 < at // HOUR <= sender.hour]
        )
        for window in (4 * HOUR, DAY):
            begin = times[-1] // HOUR * HOUR - window
            assert sender.sent(int(window), times[-1]) <= len([at for at in times if at > begin])


@given(
    sent=st.dictionaries(st.text(max_size=8), st.integers(1, 40), max_size=20),
    asked=st.text(max_size=8),
)
@settings(max_examples=15, deadline=None)
def test_what_is_surely_known_is_short_by_the_error_and_never_over(
    sent: dict[str, int], asked: str
) -> None:
    forgotten = Forgotten()
    for name, number in sent.items():
        for _ in range(number):
            forgotten.count(name, TODAY)
    again = Forgotten()
    again.restore(forgotten.pack())
    for name in {*sent, asked}:
        number = sent.get(name, 0)
        # So few letters in all make an error of one.
        assert forgotten.surely(name, TODAY) == max(0, number - 1)
        assert again.surely(name, TODAY) == forgotten.surely(name, TODAY)
        assert forgotten.surely(name, TODAY + 1) == forgotten.surely(name, TODAY - 1) == 0


def test_each_day_is_counted_anew_and_a_clock_that_went_back_does_not_end_that() -> None:
    forgotten = Forgotten()
    for day in (TODAY, TODAY + 40, TODAY):
        for _ in range(3):
            forgotten.count(ANN, day)
    assert forgotten.surely(ANN, TODAY) == 0
    assert forgotten.surely(ANN, TODAY + 40) == 2
    forgotten.not_after(TODAY)
    for _ in range(4):
        forgotten.count(ANN, TODAY)
    assert forgotten.surely(ANN, TODAY) == 3
