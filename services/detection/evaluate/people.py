"""Ordinary people writing letters: what the detector must be silent about.

The numbers here are about people (how clumped they write, how often they travel, how
often they send one text to many) and were set before the detector's; none is shared
with it. Domains and addresses are reserved ones (RFC 2606, RFC 5737, RFC 2544, RFC 1918).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from services.detection.engine import DEFERRED, REJECTED, Event
from services.detection.evaluate.traffic_file import Labelled

DAY = 86400
#: Monday, 5 January 2026, 00:00 UTC.
BEGIN = 1_767_571_200

_NAMES = [
    "anna",
    "ben",
    "carla",
    "david",
    "elif",
    "farid",
    "greta",
    "henrik",
    "ines",
    "jonas",
    "kamila",
    "liam",
    "mara",
    "nils",
    "olga",
    "paul",
    "quinn",
    "rosa",
    "sami",
    "tom",
    "uma",
    "viktor",
    "wanda",
    "xenia",
    "yusuf",
    "zoe",
]
_NOUNS = [
    "meeting",
    "minutes",
    "contract",
    "offer",
    "invoice",
    "delivery",
    "workshop",
    "photos",
    "report",
    "draft",
    "budget",
    "plan",
    "holiday",
    "lunch",
    "order",
    "ticket",
    "server",
    "printer",
    "training",
    "lease",
    "survey",
    "agenda",
    "interview",
    "roster",
    "paint",
    "shelves",
    "heating",
    "tax",
    "audit",
    "brochure",
    "logo",
    "website",
    "samples",
    "claim",
    "repair",
    "keys",
    "parking",
    "conference",
    "flight",
    "hotel",
    "timetable",
    "exam",
    "choir",
    "tender",
    "permit",
    "drawing",
    "cable",
    "battery",
    "recipe",
]
_OPENERS = [
    "question about the",
    "about",
    "draft of the",
    "your",
    "our",
    "new",
    "next week's",
    "final",
    "changes to the",
    "thanks for the",
    "missing",
    "updated",
    "comments on the",
    "please sign the",
    "feedback on",
    "urgent:",
    "date for",
]
_TAILS = [
    "",
    "",
    " on Tuesday",
    " for March",
    " (second version)",
    " with Mrs Petersen",
    " in Lyon",
    ", again",
    " no. {n}",
    " for room {d}",
    " and the rest",
    " until Friday",
    " in blue",
    " Q{d}",
    " from yesterday",
]
_ELSEWHERE = tuple(
    f"{name}.example"
    for name in [
        "shop",
        "bank",
        "clinic",
        "school",
        "mail",
        "post",
        "town",
        "press",
        "garage",
        "museum",
        "law",
        "travel",
        "parts",
        "studio",
        "farm",
        "bakery",
        "union",
        "library",
        "harbour",
        "theatre",
    ]
)


def subject(chance: Random) -> str:
    """Return an ordinary subject."""
    text = f"{chance.choice(_OPENERS)} {chance.choice(_NOUNS)}{chance.choice(_TAILS)}"
    return text[0].upper() + text[1:].format(n=chance.randrange(100, 9999), d=chance.randrange(9))


def poisson(chance: Random, mean: float) -> int:
    """Return a draw from a Poisson distribution."""
    if mean > 50:
        return max(0, round(chance.gauss(mean, math.sqrt(mean))))
    limit, number, product = math.exp(-mean), 0, chance.random()
    while product > limit:
        product *= chance.random()
        number += 1
    return number


def around(chance: Random, base: int) -> str:
    """Return an address out of 198.18.0.0/15 or 10.0.0.0/8: ``base`` says which /24."""
    return f"{network(base)}.{chance.randrange(1, 255)}"


def network(base: int) -> str:
    """Return the first three numbers of one of about 66,000 networks."""
    base %= 66_000
    return (
        f"198.{18 + base // 256}.{base % 256}" if base < 512 else f"10.{base // 256}.{base % 256}"
    )


@dataclass(slots=True)
class Person:
    """Somebody with a mailbox, and their ways."""

    address: str
    zone: float  # hours east of Greenwich
    letters: float  # on a working day
    week_end: float  # part of that on a Saturday
    office: str
    home: str
    mobile: tuple[int, ...]  # networks of the telephone
    mobility: float  # part of the letters from the telephone
    contacts: list[str]
    curious: float  # how often to somebody new
    refused: float
    runs: float  # on how many days one text goes to many
    trip: tuple[int, int, tuple[int, ...]] = (0, 0, ())  # first day, last day, networks
    threads: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)


def person(chance: Random, number: int, domain: int, zone: float) -> Person:
    """Make somebody up."""
    name = f"{_NAMES[number % len(_NAMES)]}.{number}@company{domain}.example"
    roams = chance.random() < 0.15
    mobile = tuple(
        20_000 + chance.randrange(9000) for _ in range(chance.randint(8, 40) if roams else 2)
    )
    regular = chance.random()
    return Person(
        name,
        zone,
        min(90.0, chance.lognormvariate(1.9, 0.8)),
        chance.choice((0.0, 0.05, 0.3)),
        network(40_000 + domain),
        network(50_000 + number % 15_000),
        mobile,
        chance.random() * (0.6 if roams else 0.15),
        [_stranger(chance) for _ in range(chance.randint(15, 150))],
        chance.uniform(0.04, 0.3),
        min(0.08, chance.expovariate(1 / 0.012)),
        # A few mail many people one text every week, most once in years.
        0.15 if regular < 0.02 else 0.02 if regular < 0.06 else 0.0008,
    )


def _stranger(chance: Random) -> str:
    return f"{chance.choice(_NAMES)}{chance.randrange(5000)}@{chance.choice(_ELSEWHERE)}"


def _recipients(chance: Random, who: Person) -> tuple[str, ...]:
    found = []
    for _ in range(1 if chance.random() < 0.85 else chance.randint(2, 9)):
        if chance.random() < who.curious:
            found.append(_stranger(chance))
            if chance.random() < 0.5:
                who.contacts[chance.randrange(len(who.contacts))] = found[-1]
        else:
            # People write most to a few.
            place = int(len(who.contacts) * chance.random() ** 2)
            found.append(who.contacts[place])
    return tuple(found)


def _place(chance: Random, who: Person, day: int, hour: float) -> str:
    first, last, networks = who.trip
    if first <= day <= last and networks:
        return around(chance, chance.choice(networks))
    if who.mobile and chance.random() < who.mobility:
        return around(chance, chance.choice(who.mobile))
    at_work = 8 <= hour < 18 and day % 7 < 5
    return f"{who.office}.{2 + hash_of(who.address) % 200}" if at_work else f"{who.home}.7"


def hash_of(text: str) -> int:
    """Return a number that a text always has."""
    return sum(ord(letter) * (place + 7) for place, letter in enumerate(text))


def letters(
    chance: Random, who: Person, day: int, *, busier: float = 1.0, moved: float = 0.0
) -> Iterator[Labelled]:
    """Yield one person's letters of one day, not in order.

    ``busier`` multiplies them; ``moved`` is by how many hours the clock was changed.
    """
    if day > who.trip[1] and chance.random() < 0.012:
        away = chance.randint(1, 4)
        networks = tuple(30_000 + chance.randrange(9000) for _ in range(chance.randint(1, 3)))
        who.trip = (day, day + away - 1, networks)
    week_day = day % 7
    part = 1.0 if week_day < 5 else who.week_end if week_day == 5 else who.week_end / 2
    mean = who.letters * part * busier * chance.lognormvariate(0, 0.5)
    # Letters come in sittings: somebody sits down and answers a few.
    for _ in range(poisson(chance, mean / 2.5)):
        hour = min(23.9, max(0.0, chance.gauss(13, 3.2)))
        if week_day == 0 and chance.random() < 0.35:
            hour = chance.uniform(8, 10)
        at = BEGIN + day * DAY + (hour - who.zone + moved) * 3600
        ip = _place(chance, who, day, hour)
        number = 1
        while number < 25 and chance.random() < 0.6:
            number += 1
        # Sometimes what was written off-line goes out in one go.
        gap = 4.0 if chance.random() < 0.05 else 200.0
        for _ in range(number):
            about, to = _next(chance, who)
            yield from letter(chance, who, at, ip, about, to)
            at += chance.expovariate(1 / gap)
    if week_day < 5 and chance.random() < who.runs:
        yield from _run(chance, who, day, moved)
    if chance.random() < 0.02:
        at, ip = BEGIN + (day + chance.random()) * DAY, around(chance, chance.randrange(9000))
        yield Labelled(Event(at, who.address, ip, 0, failures=chance.randint(1, 6)))


def _next(chance: Random, who: Person) -> tuple[str, tuple[str, ...]]:
    """Return what somebody writes next, and to whom: mostly a turn in a conversation."""
    if who.threads and chance.random() < 0.5:
        place = int(len(who.threads) * (1 - chance.random() ** 2) - 1e-9)
        about, to = who.threads[place]
        # Some conversations wander: forwarded, or with somebody else in them.
        if chance.random() < 0.25:
            to = _recipients(chance, who)
        return f"{chance.choice(('Re: ', 'RE: ', 'AW: ', 'Fwd: '))}{about}", to
    about, to = subject(chance), _recipients(chance, who)
    who.threads.append((about, to))
    del who.threads[:-12]
    return about, to


def _run(chance: Random, who: Person, day: int, moved: float) -> Iterator[Labelled]:
    """One text to many: an invitation, a change of address, an offer, one by one."""
    about = subject(chance)
    at = BEGIN + day * DAY + (chance.uniform(9, 16) - who.zone + moved) * 3600
    ip = _place(chance, who, day, 11)
    named = chance.random() < 0.5
    for _ in range(int(min(90, 8 + chance.expovariate(1 / 18)))):
        to = (chance.choice(who.contacts) if chance.random() < 0.8 else _stranger(chance),)
        text = f"{about}, {chance.choice(_NAMES).title()}" if named else about
        yield from letter(chance, who, at, ip, text, to)
        at += chance.expovariate(1 / chance.choice((2, 20, 40)))


def letter(
    chance: Random,
    who: Person,
    at: float,
    ip: str,
    about: str,
    to: tuple[str, ...],
    *,
    refused: float | None = None,
    abuse: bool = False,
    size: int = 0,
) -> Iterator[Labelled]:
    """Yield a letter, and, where the other side refused it or put it off, that news."""
    size = size or int(min(2e7, 2500 + chance.lognormvariate(8.3, 1.6)))
    yield Labelled(Event(at, who.address, ip, len(to), about, size, to), abuse)
    if chance.random() < (who.refused if refused is None else refused):
        outcome = REJECTED if chance.random() < 0.6 else DEFERRED
        later = at + chance.uniform(1, 90)
        yield Labelled(Event(later, who.address, "", 0, outcome=outcome), abuse)


@dataclass(slots=True)
class Bulk:
    """A system or newsletter that sends the same to many, from one place, by its timetable."""

    who: Person
    days: tuple[int, ...]  # of the week; (-1,) the first of each month
    hour: float
    number: int
    pace: float  # letters a second
    about: str
    readers: list[str]

    def letters(self, chance: Random, day: int) -> Iterator[Labelled]:
        """Yield its letters of one day."""
        due = day % 30 == 0 if self.days == (-1,) else day % 7 in self.days
        if not due:
            return
        at = BEGIN + day * DAY + (self.hour + chance.gauss(0, 0.15)) * 3600
        about = self.about.format(n=day)
        count = int(self.number * chance.uniform(0.85, 1.1))
        for place in range(count):
            to = (self.readers[place % len(self.readers)],)
            yield from letter(chance, self.who, at, f"{self.who.office}.3", about, to)
            at += chance.expovariate(self.pace)


def bulk(
    chance: Random, number: int, domain: int, *, days: tuple[int, ...], letters: int, name: str
) -> Bulk:
    """Make a bulk sender up."""
    who = person(chance, number, domain, 0)
    who.address = f"{name}{number}@company{domain}.example"
    who.refused = chance.uniform(0.005, 0.03)
    readers = [f"reader{n}-{number}@{chance.choice(_ELSEWHERE)}" for n in range(letters)]
    about = chance.choice(
        ("Our news no. {n}", "Status of {n}", "Your invoice {n}", "Daily figures")
    )
    pace = chance.choice((0.5, 2, 5))
    return Bulk(who, days, chance.uniform(5, 16), letters, pace, about, readers)


def in_order(found: list[Labelled]) -> list[Labelled]:
    """Return one day's events in the order of their times."""
    found.sort(key=lambda item: item[0][0])
    return found
