"""Replays labelled traffic through the real engine, and through fixed limits beside it.

Time is the traffic's own: every ten seconds in which something came the engine is asked,
as the bot asks it. An alarm opens an incident, which is closed after half an hour in
which the account sent nothing, as the bot's are; each opening counts.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from statistics import median

from services.detection.engine import Engine, Event
from services.detection.engine.score import explained
from services.detection.evaluate.holding import Held, Holding
from services.detection.evaluate.traffic_file import Labelled, Scenario

POLL = 10.0
QUIET = 1800.0
DAY = 86400
#: The fixed limits beside it: more messages than this within an hour alarm.
LIMITS = (5, 8, 10, 15, 20, 30, 40, 60, 80, 100, 150, 200, 300, 500, 800, 1200, 2000, 5000)


class Server(StrEnum):
    """Whose telling the detector gets: what a kind of mail server says of the traffic.

    SmarterMail says whom a message goes to. It also says what is put off at that moment, and
    failed logins before one in the same session: both are too little to count on here.
    """

    EMBEDDED = "embedded"
    POSTFIX = "postfix"
    SMARTERMAIL = "smartermail"
    ANY = "any"  # what each of them tells: who, when, from where, how large, the subject

    @property
    def tells_recipients(self) -> bool:
        """Whether the addresses that a message goes to are told."""
        return self is not Server.ANY

    @property
    def tells_news(self) -> bool:
        """Whether it is told what became of a message, and which logins failed."""
        return self in (Server.EMBEDDED, Server.POSTFIX)


@dataclass(slots=True)
class Caught:
    """One account that was abused, and what became of it."""

    user: str
    began: float
    at: float | None = None  # when it was found
    out: int = 0  # messages of abuse until then (or in all)


@dataclass(slots=True)
class Outcome:
    """What one judge (the engine or a fixed limit) made of the traffic."""

    caught: dict[str, Caught] = field(default_factory=dict)
    false_alarms: list[str] = field(default_factory=list)  # who, and why
    sender_days: int = 0

    def add(self, other: "Outcome", prefix: str) -> None:
        """Add another run's accounts and alarms; days are the caller's to add."""
        self.caught |= {f"{prefix}/{user}": one for user, one in other.caught.items()}
        self.false_alarms += other.false_alarms

    @property
    def found(self) -> list[Caught]:
        """Return the abused accounts that were found."""
        return [one for one in self.caught.values() if one.at is not None]

    @property
    def recall(self) -> float | None:
        """Return how many of the abused accounts were found, as a part of them."""
        return len(self.found) / len(self.caught) if self.caught else None

    @property
    def seconds(self) -> list[float]:
        """Return how long each that was found took."""
        return sorted(one.at - one.began for one in self.found if one.at is not None)

    @property
    def median_seconds(self) -> float | None:
        """Return the median time to detect; one never found took for ever."""
        if not self.caught or len(self.found) * 2 < len(self.caught):
            return None
        never = [float("inf")] * (len(self.caught) - len(self.found))
        found = median(self.seconds + never)
        return None if found == float("inf") else found

    @property
    def out(self) -> list[int]:
        """Return how many messages each abused account sent before it was found."""
        return sorted(one.out for one in self.caught.values())

    @property
    def false_rate(self) -> float:
        """Return the false alarms in a thousand sender-days."""
        return 1000 * len(self.false_alarms) / self.sender_days if self.sender_days else 0.0


@dataclass(slots=True)
class Replayed:
    """One scenario's outcome, and that of each fixed limit."""

    scenario: str
    seed: int
    engine: Outcome
    limits: dict[int, Outcome]
    events: int = 0
    held: dict[float, Held] = field(default_factory=dict)  # by the confidence asked for


class _Judge:
    """Keeps one judge's incidents, and what they came to."""

    def __init__(self) -> None:
        self.outcome = Outcome()
        self.open: dict[str, float] = {}  # who, and when they last sent

    def alarm(self, user: str, now: float, abused: float | None, why: str, counts: bool) -> None:
        is_new = user not in self.open
        if is_new:
            self.open[user] = now
        if abused is not None and now - abused <= DAY:
            # Whose incident is open for another reason is found as well.
            caught = self.outcome.caught[user]
            if caught.at is None:
                caught.at = now
        elif is_new and counts:
            self.outcome.false_alarms.append(why)

    def sent(self, user: str, at: float) -> float | None:
        """Note that somebody sent; return when their incident was closed before that, if it was."""
        last = self.open.get(user)
        if last is None:
            return None
        if at - last > QUIET:
            del self.open[user]
            return last + QUIET
        self.open[user] = max(at, last)
        return None


def replay(
    scenario: Scenario, *, server: Server = Server.EMBEDDED, with_limits: bool = True
) -> Replayed:
    """Replay a scenario, as a mail server of this kind would tell it."""
    engine = Engine(origin_of=scenario.origin_of)
    judge, holding = _Judge(), Holding()
    limits = {limit: _Judge() for limit in (LIMITS if with_limits else ())}
    abused: dict[str, float] = {}  # the newest abuse
    lately: dict[str, deque[float]] = {}
    days: set[tuple[str, int]] = set()
    bad_days: set[tuple[str, int]] = set()
    learn_until: float | None = None
    number = 0
    for now, items in _polls(scenario.events):
        events: list[Event] = []
        busy: dict[str, int] = {}
        for event, abuse in items:
            number += 1
            if learn_until is None:
                learn_until = event.time // DAY * DAY + scenario.learn_days * DAY
            if not event.recipients:
                if server.tells_news:
                    events.append(event)
                continue
            untold = event.to and not server.tells_recipients
            events.append(event._replace(to=()) if untold else event)
            user, at = event.user, event.time
            if at >= learn_until:
                days.add((user, int(at) // DAY))
            if abuse:
                bad_days.add((user, int(at) // DAY))
                holding.abused(user)
                abused[user] = at
                for one in (judge, *limits.values()):
                    if (caught := one.outcome.caught.get(user)) is None:
                        one.outcome.caught[user] = caught = Caught(user, at)
                    if caught.at is None:
                        caught.out += 1
            closed = judge.sent(user, at)
            if closed is not None:
                engine.clear(user, closed)
                holding.closed(user)
            if with_limits:
                times = lately.get(user)
                if times is None:
                    lately[user] = times = deque()
                times.append(at)
                while times[0] <= at - 3600:
                    times.popleft()
                busy[user] = max(busy.get(user, 0), len(times))
                for limit in LIMITS:
                    limits[limit].sent(user, at)
        # The first days are history, as a server's log is when the bot first reads it.
        learning = learn_until is not None and now < learn_until
        engine.take(events, now + 2 * DAY if learning else now)
        counts = learn_until is not None and now >= learn_until
        for verdict in engine.judge(now):
            why = f"{verdict.user} {verdict.score:.0f}: {explained(verdict)}"
            since = abused.get(verdict.user)
            judge.alarm(verdict.user, now, since, why, counts)
            guilty = since is not None and now - since <= DAY
            holding.alarm(engine, verdict, now, guilty=guilty, counts=counts)
        for user, most in busy.items():
            for limit in LIMITS:
                if most <= limit:
                    break
                limits[limit].alarm(user, now, abused.get(user), user, counts)
    outcomes = [judge.outcome, *(one.outcome for one in limits.values())]
    for outcome in outcomes:
        outcome.sender_days = len(days - bad_days)
    return Replayed(
        scenario.name,
        scenario.seed,
        judge.outcome,
        {limit: one.outcome for limit, one in limits.items()},
        number,
        holding.found,
    )


def _polls(events: Iterable[Labelled]) -> Iterator[tuple[float, list[Labelled]]]:
    """Yield what came in each ten seconds, with the moment of asking."""
    items: list[Labelled] = []
    place: int | None = None
    for item in events:
        here = int(item[0][0] // POLL)
        if place is None:
            place = here
        if here > place:
            yield (place + 1) * POLL, items
            items, place = [], here
        items.append(item)
    if place is not None:
        yield (place + 1) * POLL, items
