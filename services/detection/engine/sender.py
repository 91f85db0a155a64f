"""What is kept of one sender: its last day in buckets and letters, and its habit.

Everything is bounded, is updated in constant time by each event, and packs into a few
hundred bytes. Nothing of a day is learnt before the day is over, and nothing at all of
one on which the sender alarmed: an attack must not become a habit.
"""

from array import array
from base64 import b64decode, b64encode
from collections import Counter, deque
from collections.abc import Sequence
from itertools import islice
from math import log
from typing import Any

import orjson

from services.detection.engine import tuning
from services.detection.engine.subjects import largest_group, size_sketch, sketch_of

HOUR, DAY = 3600, 86400
# 1970-01-01 was a Thursday: hours of the week are counted from Monday.
_MONDAY = 72
_WEEK = 168
#: An hour and its letters in one number: so many bits of it are the letters.
_SHIFT = 32
_LETTERS = (1 << _SHIFT) - 1

#: More near-identical letters than this are a run.
_ALIKE = tuning.ALIKE_FROM + 2

#: The most it sent, and on which day; the most first.
Record = tuple[tuple[int, int], ...]

_ARRAYS = ("hour_stamps", "hour_counts")

#: Hashes of those a letter went to. One alone is in no tuple: that is most letters, and the
#: garbage collector looks at each tuple.
Keys = int | tuple[int, ...]
#: time, network, young?, subject, size, keys, strangers among them, address, recipients
Letter = tuple[float, str, bool, str, int, Keys, int, str, int]


class Population:
    """What all senders together are used to: what a sender's own habit is mixed with."""

    __slots__ = ("bad", "days", "reports", "runs", "sent", "strange", "young")

    def __init__(self) -> None:
        self.days = 0.0
        self.young = 0.0
        self.runs = 0.0
        self.sent = 0.0
        self.strange = 0.0
        self.bad = 0.0
        self.reports = 0  # bad outcomes ever told: with none, no outcome says anything

    def learn(self, young: int, run: bool, sent: int, strange: int, bad: int) -> None:
        """Take in one sender's day. A bulk sender's counts as one of many, by its letters' part."""
        self.days += 1
        self.young += young
        self.runs += run
        part = min(1.0, 50.0 / sent) if sent else 0.0
        self.sent += sent * part
        self.strange += strange * part
        self.bad += bad * part
        if self.days > 100_000:  # so that a change of everybody's ways is followed
            for name in ("days", "young", "runs", "sent", "strange", "bad"):
                setattr(self, name, getattr(self, name) / 2)

    def rate(self, total: float, of: float, before: float, weight: float) -> float:
        """Return a rate between ``before`` (worth ``weight``) and what was seen, in bounds."""
        found = (total + before * weight) / (of + weight)
        bound = tuning.POPULATION_BOUND
        return min(max(found, before / bound), before * bound)


def _is_record(kept: Record, number: int) -> bool:
    return number > 0 if len(kept) < tuning.RECORDS else number > kept[-1][0]


def _record(kept: Record, number: int, day: int) -> Record:
    """Return a record with a day's number in it, if it is one, and without those too old."""
    if not _is_record(kept, number):
        return kept
    young = [one for one in kept if day - one[1] < tuning.RECORD_DAYS]
    return tuple(sorted([*young, (number, day)], reverse=True)[: tuning.RECORDS])


def each_of(keys: Keys) -> tuple[int, ...]:
    """Return the keys as a tuple, one alone too."""
    return (keys,) if isinstance(keys, int) else keys


def _keys(hashes: list[int]) -> Keys:
    return hashes[0] if len(hashes) == 1 and hashes[0] else tuple(hashes)


def _common(things: Sequence[str | int]) -> bool:
    """Whether any of these is there often enough for a run."""
    # Where nearly all differ none can be; that is soon seen, and mostly so.
    if len(things) - len(set(things)) < _ALIKE:
        return False
    return max(Counter(things).values()) > _ALIKE


def _one_more(
    counts: tuple[tuple[int, int], ...], which: int, most: int
) -> tuple[tuple[int, int], ...]:
    """Return counts by minute or hour with one more in the newest, or in one of its own."""
    if counts and counts[-1][0] == which:
        return (*counts[:-1], (which, counts[-1][1] + 1))
    return (*counts[1 - most :], (which, 1))


def _zeros(number: int) -> "array[int]":
    # Arrays and not lists: the garbage collector need not look into them.
    return array("q", bytes(8 * number))


class Sender:
    """One sender's state. Times are seconds since 1970; ``hour`` and ``day`` count from there."""

    __slots__ = (
        "abused", "active_days", "allowed", "allowed_at", "allowed_block", "bad_hours",
        "bad_minutes", "bad_today", "bad_total",
        "before", "bits", "block", "cleared", "curve", "cusum", "day", "failures", "fresh",
        "habit", "hot", "hot_hour", "hour", "hour_counts", "hour_stamps", "hours_today",
        "in_block", "in_hour", "judged_at", "known", "last", "letters", "minutes", "name",
        "networks", "news", "records", "run_days", "sent_today",
        "sent_total", "sent_yesterday", "steady", "strange_today", "strange_total", "strangers",
        "taught", "taught_at", "taught_networks", "today_block", "today_hour", "wait", "week",
        "weeks", "young", "young_letters", "young_total",
    )  # fmt: skip

    def __init__(self, name: str) -> None:
        self.name = name
        self.last = 0.0  # the newest event
        self.cleared = 0.0  # letters until then have been dealt with
        # the last hours
        self.minutes = _zeros(120)  # of each which one it is, and its letters
        self.hour_stamps = _zeros(24)
        self.hour_counts = _zeros(24)  # this hour's as of when it began
        self.hour = -1
        self.in_hour = 0
        self.before = 0  # in the 23 hours before this one
        self.block = -1  # five minutes
        self.in_block = 0
        self.letters: deque[Letter] = deque(maxlen=tuning.LETTERS)
        # Most senders have none of these, and then they take no room.
        self.news: tuple[float, ...] = ()  # when an outcome was bad: the newest
        # How many in each of the newest minutes and hours with any: which, and their number.
        self.bad_minutes: tuple[tuple[int, int], ...] = ()
        self.bad_hours: tuple[tuple[int, int], ...] = ()
        self.failures: tuple[tuple[float, int], ...] = ()
        self.fresh = 0  # letters since it was last judged
        self.wait = 1  # so many are worth another look
        # What it may send in this hour, and in five minutes, before it is worth one.
        self.allowed_at = -1
        self.allowed = 0.0
        self.allowed_block = 0.0
        self.judged_at = 0.0
        # today
        self.day = -1
        self.sent_today = 0
        self.sent_yesterday = 0
        self.today_block = 0
        self.today_hour = 0
        self.young: set[str] = set()
        self.young_letters = 0
        self.strange_today = 0
        self.bad_today = 0
        self.hot = 0.0  # today's highest score
        self.hot_hour = 0.0
        self.hours_today: tuple[int, ...] = ()  # an hour and its letters in one: to be learnt
        # the habit
        self.habit = array("f", bytes(4 * _WEEK))
        self.curve: array[float] | None = None  # of the habit, smoothed: made when asked for
        self.week = -1
        self.weeks = 0.0  # active weeks behind the habit, older ones less
        self.active_days = 0.0
        self.young_total = 0.0
        self.run_days = 0.0
        self.sent_total = 0.0
        self.strange_total = 0.0
        self.strangers = 0  # letters to strangers not yet counted in strange_total
        self.bad_total = 0.0
        self.records: tuple[Record, Record, Record] = ((), (), ())  # of five minutes, hour, day
        self.cusum = 0.0
        self.networks: dict[str, tuple[int, int]] = {}  # the last day it was used, on how many days
        self.steady = ""  # a known network with today's use in it already
        self.bits = tuning.FIRST_BITS
        self.known = bytearray(self.bits // 8)
        self.taught = 0
        self.taught_at = 0.0
        self.taught_networks: tuple[str, ...] = ()  # that only a false alarm made known
        self.abused = (0.0, 0.0, 0.0)  # points, since when and until when

    # -- taking in ---------------------------------------------------------------------

    def turn_hour(self, hour: int, everybody: Population) -> None:
        """Go on to another hour, and learn of the hour and the day that ended with it."""
        last, sent = self.hour, self.in_hour
        stamps, counts = self.hour_stamps, self.hour_counts
        if last >= 0:
            counts[last % 24] = sent
            if sent:
                if self.hot_hour < tuning.OPENS_AT:
                    self.hours_today += (last << _SHIFT | sent,)
                    if sent > 2 or self.cusum:
                        self._sum_up(sent, self.expected(last))
                if sent > self.today_hour:
                    self.today_hour = sent
            if self.cusum:
                empty = hour - last - 1
                self.cusum = max(0.0, self.cusum - empty * tuning.CUSUM_STEP)
        day = hour // 24
        if day != self.day:
            if self.day >= 0:
                self._learn_day(everybody)
            self.day, self.steady = day, ""
        self.hour, self.hot_hour = hour, 0.0
        before = self.before + sent
        if before:
            if hour - last >= 24:
                before = 0
            else:
                for gone in range(last - 23, hour - 23):
                    place = gone % 24
                    if stamps[place] == gone:
                        before -= counts[place]
        self.before = before if before > 0 else 0
        place = hour % 24
        if stamps[place] != hour:
            stamps[place], counts[place] = hour, 0
        self.in_hour = counts[place]

    def _learn_hours(self) -> None:
        week = (self.day * 24 + _MONDAY) // _WEEK
        if week != self.week:
            # Weeks without a letter are holidays and clocks that jumped: they teach nothing.
            if self.weeks:
                keeps = tuning.WEEK_KEEPS
                self.habit = array("f", [n * keeps for n in self.habit.tolist()])
            self.week = week
            self.weeks = self.weeks * tuning.WEEK_KEEPS + 1
        habit = self.habit
        for both in self.hours_today:
            habit[((both >> _SHIFT) + _MONDAY) % _WEEK] += both & _LETTERS
        self.hours_today = ()
        self.curve = None

    def _sum_up(self, number: int, expected: float) -> None:
        usual = expected + tuning.CUSUM_LEAST
        more = tuning.CUSUM_TIMES * usual + tuning.CUSUM_MORE
        step = min(tuning.CUSUM_STEP, number * log(more / usual) - (more - usual))
        self.cusum = max(0.0, self.cusum + step)

    def _learn_day(self, everybody: Population) -> None:
        if self.hours_today:
            self._learn_hours()
        if self.hot < tuning.OPENS_AT:
            sent, strange, bad = self.sent_today, self.strange_today, self.bad_today
            run = sent > _ALIKE and self._had_run()
            days, keeps = self.active_days, tuning.DAY_KEEPS
            # On its first days every network is a new one, which says nothing of later ones.
            young = len(self.young) if days > tuning.KNOWN_AFTER_DAYS else 0
            if days > tuning.SETTLED_DAYS:
                everybody.learn(young, run, sent, strange, bad)
            self.active_days = days * keeps + 1
            self.young_total = self.young_total * keeps + young
            self.run_days = self.run_days * keeps + run
            self.sent_total = self.sent_total * keeps + sent
            self.strange_total = self.strange_total * keeps + strange
            self.bad_total = self.bad_total * keeps + bad
            a, b, c = self.records
            block, most = self.today_block, self.today_hour
            if _is_record(a, block) or _is_record(b, most) or _is_record(c, sent):
                day = self.day
                self.records = _record(a, block, day), _record(b, most, day), _record(c, sent, day)
        else:
            for network in self.young:
                self.networks.pop(network, None)
        self.sent_yesterday = self.sent_today
        self.sent_today = self.today_block = self.today_hour = 0
        self.young_letters = self.strange_today = self.bad_today = 0
        if self.young:
            self.young = set()
        self.hot = 0.0
        if len(self.networks) > tuning.NETWORKS:
            newest = sorted(self.networks.items(), key=lambda item: item[1], reverse=True)
            self.networks = dict(newest[: tuning.NETWORKS * 3 // 4])

    def _had_run(self) -> bool:
        """Whether today's letters hold a run of near-identical ones within an hour or so."""
        begin = self.day * DAY
        newest = list(islice(reversed(self.letters), self.sent_today))
        # Most days have none, as the first words and the sizes show at once.
        heads = [one[3][:4] or one[4] for one in newest if one[0] >= begin]
        if not _common(heads) and not _common(
            [one[3][-4:] or one[4] for one in newest if one[0] >= begin]
        ):
            return False
        letters = [one for one in newest if one[0] >= begin]
        sketches = [sketch_of(one[3]) if one[3] else size_sketch(one[4]) for one in letters]
        number, _ = largest_group([letter[5] for letter in letters], sketches)
        return number > _ALIKE

    def meet(self, key: int) -> None:
        """Put a recipient, as a number, into the sketch of known ones.

        A bitmap of our own and no library's filter, as it grows without knowing what is in it,
        and each event asks it: 0.1 µs in line. pyprobables takes 8 µs; rbloom, with a hash that
        lets it be saved, takes as long as the bitmap, and cannot grow, so that each sender would
        need room for the most at once, or a chain of filters to be asked one by one.

        Its error is :attr:`filled`, the chance to take a stranger for known: less than a quarter
        of up to 290 recipients (in 128 bytes), 0.36 of 10,000 and 0.45 of 20,000 (in 8 KiB).
        It never takes a known one for a stranger.
        """
        place = key % self.bits
        self.known[place >> 3] |= 1 << (place & 7)
        self.strangers += 1
        if self.strangers * 4 > self.bits and self.bits < tuning.MOST_BITS:
            # Each bit stands for its place modulo the size, so both halves are right.
            self.known = self.known + self.known
            self.bits *= 2
            self.strangers *= 2

    @property
    def filled(self) -> float:
        """Return how much of the sketch is set: the chance to take a stranger for known."""
        return min(1.0, self.strangers / self.bits)

    def give_back(self, letters: int) -> None:
        """Take in that so many letters were sent today, of which all else was forgotten.

        For one just made, that was told the hour by :meth:`turn_hour` and no letter yet.

        At which hour nobody knows. They count as of the day's first: so in each window that
        begins today they are letters that were sent in it, and none counts for too long.
        """
        first = self.day * 24
        self.sent_today += letters
        if self.hour == first:
            self.in_hour += letters
        else:
            self.hour_stamps[0] = first
            self.before += letters
        self.hour_counts[0] += letters

    # -- asking ------------------------------------------------------------------------

    def expected(self, hour: int) -> float:
        """Return how many letters are usual in an hour: the hour of the week, smoothed.

        The hours beside it count, too, which is what daylight saving shifts.
        """
        if not self.weeks:
            return 0.0
        place = (hour + _MONDAY) % _WEEK
        if self.curve is not None:
            return self.curve[place]
        # Most days ask for an hour or two, for which the whole week need not be smoothed.
        habit = self.habit
        of_day = place % 24
        alike, days = (
            (range(of_day, 120, 24), 5) if place < 120 else (range(120 + of_day, 168, 24), 2)
        )
        beside = sum([habit[at - 1] + 2 * habit[at] + habit[(at + 1) % _WEEK] for at in alike])
        own = habit[place - 1] + 2 * habit[place] + habit[(place + 1) % _WEEK]
        prior = tuning.HOUR_PRIOR_WEEKS
        return (own + beside * prior / self.weeks / days) / 4 / (self.weeks + prior)

    def expected_in(self, hours: int, until: int) -> float:
        """Return how many letters are usual in so many hours, the last of them ``until``."""
        if not self.weeks:
            return 0.0
        end = _WEEK + (until + _MONDAY) % _WEEK + 1
        return sum((self.curve or self._smoothed())[end - hours : end])

    def _smoothed(self) -> "array[float]":
        habit = self.habit.tolist()
        before, after = habit[-1:] + habit[:-1], habit[1:] + habit[:1]
        own = [(a + b + b + c) / 4 for a, b, c in zip(before, habit, after, strict=True)]
        prior = tuning.HOUR_PRIOR_WEEKS
        share, weight = prior / self.weeks, self.weeks + prior
        working = [sum(own[at:120:24]) * share / 5 for at in range(24)]
        off = [sum(own[120 + at :: 24]) * share / 2 for at in range(24)]
        alike_hours = working * 5 + off * 2
        week = [(a + b) / weight for a, b in zip(own, alike_hours, strict=True)]
        # Twice, so that the last hours of a week and the first of the next are beside each other.
        self.curve = curve = array("d", week + week)
        return curve

    def record(self, window: int) -> int:
        """Return the most it ever sent in a window of this many seconds, when nothing was wrong."""
        place = 0 if window <= 300 else 1 if window <= HOUR else 2
        oldest = self.day - tuning.RECORD_DAYS
        return next((number for number, day in self.records[place] if day > oldest), 0)

    def sent(self, window: int, now: float) -> int:
        """Return how many letters it sent in the window that ends now."""
        if window <= HOUR:
            newest = int(now // 60)
            oldest = newest - window // 60
            pairs = zip(self.minutes[::2], self.minutes[1::2], strict=True)
            return sum([n for stamp, n in pairs if oldest < stamp <= newest])
        newest = int(now // HOUR)
        oldest = newest - window // HOUR
        self._note_hour()
        pairs = zip(self.hour_stamps, self.hour_counts, strict=True)
        return sum([n for stamp, n in pairs if oldest < stamp <= newest])

    def _note_hour(self) -> None:
        if self.hour >= 0:
            self.hour_counts[self.hour % 24] = self.in_hour

    def forget_windows(self) -> None:
        """Empty the counters of the last hours."""
        self.minutes = _zeros(120)
        self.hour_stamps, self.hour_counts = _zeros(24), _zeros(24)

    def refused(self, at: float) -> None:
        """Take in that the other side refused a letter, or put it off."""
        self.news = (*self.news[1 - tuning.LETTERS :], at)
        self.bad_today += 1
        self.bad_minutes = _one_more(self.bad_minutes, int(at // 60), 60)
        self.bad_hours = _one_more(self.bad_hours, int(at // HOUR), 24)

    def refused_since(self, begin: float) -> int:
        """Return how many were refused since then; of very many, all that surely were."""
        newest = sum([1 for at in self.news if at > begin])
        if newest < tuning.LETTERS:
            return newest
        return max(
            newest,
            sum([n for minute, n in self.bad_minutes if minute * 60 >= begin]),
            sum([n for hour, n in self.bad_hours if hour * HOUR >= begin]),
        )

    def clear(self, until: float) -> None:
        """Count nothing until then any more: an incident about it is over."""
        if until <= self.cleared:
            return
        self.cleared = until
        later = [letter for letter in self.letters if letter[0] > until]
        self.letters = deque(later, maxlen=tuning.LETTERS)
        self.news = tuple(t for t in self.news if t > until)
        self.bad_minutes = tuple(one for one in self.bad_minutes if one[0] * 60 > until)
        self.bad_hours = tuple(one for one in self.bad_hours if one[0] * HOUR > until)
        self.minutes[1::2] = _zeros(60)
        self.hour_counts = _zeros(24)
        for letter in later:
            at = letter[0]
            place = int(at // 60) % 60 * 2
            if self.minutes[place] == at // 60:
                self.minutes[place + 1] += 1
            place = int(at // HOUR) % 24
            if self.hour_stamps[place] == at // HOUR:
                self.hour_counts[place] += 1
        place = self.hour % 24
        self.in_hour = self.hour_counts[place] if self.hour_stamps[place] == self.hour else 0
        pairs = zip(self.hour_stamps, self.hour_counts, strict=True)
        self.before = sum([n for stamp, n in pairs if self.hour - 24 < stamp < self.hour])
        self.in_block = len([1 for letter in later if letter[0] // 300 == self.block])
        self.young_letters = len([1 for letter in later if letter[2]])
        self.cusum = 0.0

    def teach(self, messages: int, at: float) -> None:
        """Take a false alarm in: so many in a window are ordinary, and so was all of that day.

        Another than the last one takes that one's place; ``at`` 0 none does.
        """
        if self.taught_at and at < self.taught_at:
            for network in self.taught_networks:
                self.networks.pop(network, None)
            self.taught_networks, self.steady = (), ""
            self.run_days = max(0.0, self.run_days - 2)
            self.taught, self.taught_at = messages, at
            return
        self.taught, self.taught_at = messages, at
        self.hot = self.hot_hour = 0.0
        for network in self.young:
            self.networks[network] = (self.day, tuning.KNOWN_AFTER_DAYS + 1)
        self.taught_networks = tuple(sorted(self.young))
        self.young = set()
        self.young_letters = 0
        self.run_days += 2

    # -- keeping -----------------------------------------------------------------------

    def pack(self) -> bytes:
        """Return everything as bytes, from which :meth:`unpack` makes the very same."""
        self._note_hour()
        state: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__}
        del state["steady"]
        for name in _ARRAYS:
            state[name] = list(state[name])
        minutes = state.pop("minutes").tolist()
        state["minute_stamps"], state["minute_counts"] = minutes[::2], minutes[1::2]
        state["hours_today"] = [(n >> _SHIFT, n & _LETTERS) for n in self.hours_today]
        state["letters"] = [(*one[:5], each_of(one[5]), *one[6:]) for one in self.letters]
        state["young"] = sorted(self.young)
        state["habit"] = b64encode(self.habit.tobytes()).decode()
        state["known"] = b64encode(bytes(self.known)).decode()
        state["curve"] = None
        return orjson.dumps(state)

    @classmethod
    def unpack(cls, packed: bytes) -> "Sender":
        """Make a sender of what :meth:`pack` returned; things it lacks are as in a new one."""
        state: dict[str, Any] = orjson.loads(packed)
        sender = cls(state.pop("name"))
        state["habit"] = array("f", b64decode(state["habit"]))
        state["known"] = bytearray(b64decode(state["known"]))
        state["young"] = set(state["young"])
        for name in _ARRAYS:
            state[name] = array("q", state[name])
        state["letters"] = deque(
            ((t, net, young, subject, size, _keys(to), strange, ip, number)
             for t, net, young, subject, size, to, strange, ip, number in state["letters"]),
            maxlen=tuning.LETTERS,
        )  # fmt: skip
        state["networks"] = {name: (day, days) for name, (day, days) in state["networks"].items()}
        for name in ("news", "taught_networks", "abused"):
            if name in state:
                state[name] = tuple(state[name])
        minutes = zip(state.pop("minute_stamps"), state.pop("minute_counts"), strict=True)
        state["minutes"] = array("q", [n for pair in minutes for n in pair])
        state["hours_today"] = tuple([at << _SHIFT | n for at, n in state["hours_today"]])
        state["failures"] = tuple((at, n) for at, n in state["failures"])
        for name in ("bad_minutes", "bad_hours"):
            state[name] = tuple((which, n) for which, n in state.get(name, ()))
        state["records"] = tuple(tuple((n, day) for n, day in one) for one in state["records"])
        for name, value in state.items():
            if name in cls.__slots__:
                setattr(sender, name, value)
        return sender
