"""The shipped scenarios. Each is made of a seed, day by day, so that a month takes no room."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from services.detection.evaluate.attacks import attack, campaign, guesses
from services.detection.evaluate.lands import origin_of
from services.detection.evaluate.people import (
    BEGIN,
    DAY,
    Bulk,
    Person,
    bulk,
    in_order,
    letter,
    letters,
    network,
    person,
)
from services.detection.evaluate.traffic_file import Labelled, Scenario
from services.errors import BadArgument

#: Days of ordinary life before anything happens.
LEARN = 21
_TOWN = 40


class Town:
    """A few companies' people, their systems, and what is to happen on which day."""

    def __init__(self, chance: Random, size: int = _TOWN) -> None:
        self.chance = chance
        zones = [chance.choice((-5.0, 0.0, 1.0, 1.0, 2.0, 8.0)) for _ in range(max(1, size // 20))]
        self.people = [
            person(chance, n, n % len(zones), zones[n % len(zones)]) for n in range(size)
        ]
        self.bulks: list[Bulk] = []
        self.extra: list[Labelled] = []
        self.busier: Callable[[Person, int], float] = lambda who, day: 1.0
        self.moved: Callable[[Person, int], float] = lambda who, day: 0.0
        self.from_day: dict[str, int] = {}

    def add_bulks(self, number: int) -> None:
        """Add newsletters and systems: some daily, some weekly."""
        for place in range(number):
            days = self.chance.choice(((0, 1, 2, 3, 4), (1,), (3,), (1, 4), (0, 1, 2, 3, 4, 5, 6)))
            size = int(self.chance.lognormvariate(5.0 if len(days) > 2 else 6.0, 0.7))
            made = bulk(
                self.chance, 10_000 + place, place % 2, days=days, letters=min(size, 1500),
                name=self.chance.choice(("news", "system", "noreply")),
            )  # fmt: skip
            self.bulks.append(made)

    def days(self, number: int) -> Iterator[Labelled]:
        """Yield everything of so many days, in order; what crosses midnight included."""
        chance = self.chance
        waiting = self.extra
        for day in range(number):
            # East of here the next day begins ten hours before ours ends.
            end = BEGIN + (day + 1) * DAY - 10 * 3600
            for who in self.people:
                if day >= self.from_day.get(who.address, 0):
                    waiting.extend(
                        letters(chance, who, day, busier=self.busier(who, day),
                                moved=self.moved(who, day))
                    )  # fmt: skip
            for one in self.bulks:
                waiting.extend(one.letters(chance, day))
            in_order(waiting)
            split = next((n for n, item in enumerate(waiting) if item[0][0] >= end), len(waiting))
            yield from waiting[:split]
            waiting = waiting[split:]
        yield from waiting

    def moment(self, day: int) -> float:
        """Return any moment of a day, night included."""
        return BEGIN + day * DAY + self.chance.uniform(0, DAY - 3600)

    def victims(self, number: int) -> list[Person]:
        """Choose whose accounts are taken."""
        return self.chance.sample(self.people, number)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of scenario. ``burst`` and ``drip`` say by which goal it is measured."""

    make: Callable[[Town], int]  # arranges things, and returns how many days to play
    about: str
    goal: str = ""
    size: int = _TOWN
    learn: int = LEARN


def _loud(town: Town) -> int:
    for place, who in enumerate(town.victims(5)):
        run = campaign(town.chance, town.chance.choice((1, 1, 2, 4, 8)))
        town.extra += attack(
            town.chance, who, run, town.moment(LEARN + place % 4), letters=1200,
            a_minute=town.chance.choice((30, 60, 200, 600, 2000)),
            own_place=town.chance.random() < 0.1,
        )  # fmt: skip
    return LEARN + 5


def _drip(town: Town) -> int:
    for place, who in enumerate(town.victims(6)):
        run = campaign(town.chance, town.chance.choice((1, 1, 1, 2, 3)))
        town.extra += attack(
            town.chance, who, run, town.moment(LEARN + place % 3), letters=400,
            a_minute=20 / 60, own_place=town.chance.random() < 0.15,
        )  # fmt: skip
    return LEARN + 4


def _distributed(town: Town) -> int:
    for place, who in enumerate(town.victims(4)):
        run = campaign(town.chance, 200)
        town.extra += attack(
            town.chance, who, run, town.moment(LEARN + place % 3), letters=1500,
            a_minute=town.chance.choice((10, 40, 120)),
        )  # fmt: skip
    return LEARN + 4


def _many(town: Town) -> int:
    run = campaign(town.chance, 3)
    begin = town.moment(LEARN + 1)
    for who in town.victims(15):
        at = begin + town.chance.uniform(0, 1200)
        town.extra += attack(
            town.chance, who, run, at, letters=town.chance.randint(40, 80), a_minute=3
        )
    return LEARN + 3


def _sprayed(town: Town) -> int:
    for who in town.people:
        town.extra += guesses(town.chance, who, town.moment(LEARN), town.chance.randint(3, 12))
    for who in town.victims(4):
        run = campaign(town.chance, 1)
        # A single letter to see that it works, then days of quiet.
        first = town.moment(LEARN + 1)
        trial = list(attack(town.chance, who, run, first, letters=1, a_minute=60))
        town.extra += [Labelled(event, False) for event, _ in trial]
        town.extra += attack(
            town.chance, who, run, first + 4 * DAY, letters=800,
            a_minute=town.chance.choice((20, 60, 300)),
        )  # fmt: skip
    return LEARN + 7


def _newsletter(town: Town) -> int:
    for number in range(4):
        one = bulk(
            town.chance, 20_000 + number, 0, days=((1,), (1, 3), (0, 1, 2, 3, 4), (4,))[number],
            letters=town.chance.choice((300, 800, 1500)), name="letter",
        )  # fmt: skip
        town.bulks.append(one)
        run = campaign(town.chance, town.chance.choice((1, 2, 5)))
        town.extra += attack(
            town.chance, one.who, run, town.moment(LEARN + number), letters=700,
            a_minute=town.chance.choice((20, 60, 300)),
        )  # fmt: skip
    return LEARN + 5


def _ramp(town: Town) -> int:
    for who in town.victims(3):
        run = campaign(town.chance, 1)
        number = 4.0
        for day in range(LEARN, LEARN + 8):
            town.extra += attack(
                town.chance, who, run, BEGIN + day * DAY + 3600, letters=int(number),
                a_minute=number / 1200,
            )  # fmt: skip
            number *= 1.8
    return LEARN + 9


def _monday(town: Town) -> int:
    town.busier = lambda who, day: 3.0 if day == LEARN else 1.0
    return LEARN + 2


def _invoices(town: Town) -> int:
    for number in range(5):
        one = bulk(
            town.chance, 30_000 + number, 0, days=(-1,),
            letters=town.chance.choice((150, 400, 900)), name="accounts",
        )  # fmt: skip
        # Otherwise its owner writes as others do, from the same place.
        town.people.append(one.who)
        one.about = "Invoice {n} of company 0"
        town.bulks.append(one)
    return 65


def _employee(town: Town) -> int:
    chance = town.chance
    for number in range(6):
        who = person(chance, 500 + number, 0, 1.0)
        who.letters, who.curious = chance.uniform(15, 45), 0.6
        town.people.append(who)
        town.from_day[who.address] = LEARN + number % 3
    return LEARN + 8


def _viral(town: Town) -> int:
    chance = town.chance
    for number in range(2):
        one = bulk(chance, 40_000 + number, 0, days=(0, 1, 2, 3, 4), letters=60, name="list")
        one.pace = 1.0
        town.bulks.append(one)
        at = float(BEGIN + LEARN * DAY + 9 * 3600)
        for _ in range(60):  # sixty answers to all in one day
            at += chance.expovariate(1 / 400)
            here = at
            for to in one.readers:
                text = "Re: [list] Who took the good stapler?"
                town.extra += letter(chance, one.who, here, f"{one.who.office}.3", text, (to,))
                here += 0.3
    return LEARN + 2


def _loop(town: Town) -> int:
    chance = town.chance
    for who in town.victims(3):
        at, other = town.moment(LEARN + 1), town.people[0].address
        for hop in range(400):
            at += chance.uniform(0.5, 3)
            text = "Fwd: " * min(hop, 20) + "Out of the office"
            ip = f"{who.office}.4"
            town.extra += letter(chance, who, at, ip, text, (other,), refused=0.0)
    return LEARN + 3


def _clocks(town: Town) -> int:
    # One company's clocks go forward; some people work from eight hours further east.
    away = {who.address for who in town.people[:: max(1, len(town.people) // 6)]}
    for who in town.people:
        if who.address in away:
            places = (35_000 + town.chance.randrange(3000), 39_000)
            who.trip = (LEARN, LEARN + 6, places)
    town.moved = lambda who, day: (-7.0 if who.address in away else -1.0) if day >= LEARN else 0.0
    return LEARN + 7


def _moving(town: Town) -> int:
    def moved(who: Person, day: int) -> float:
        if day == LEARN:
            who.office = network(45_000)
        return 0.0

    town.moved = moved
    return LEARN + 7


def _month(town: Town) -> int:
    town.add_bulks(40)
    return 30


KINDS: dict[str, Kind] = {
    "loud-burst": Kind(_loud, "30 to 2,000 letters a minute", "burst"),
    "slow-drip": Kind(_drip, "20 letters an hour, day and night", "drip"),
    "distributed": Kind(_distributed, "one account from 200 addresses", "burst"),
    "many-accounts": Kind(_many, "15 accounts at once, three letters a minute each", "burst"),
    "sprayed": Kind(_sprayed, "passwords tried, four quiet days, then a burst", "burst"),
    "newsletter-taken": Kind(_newsletter, "a newsletter's account is taken", "burst"),
    "slow-ramp": Kind(_ramp, "four letters on the first day, 1.8 times as many on each"),
    "monday-morning": Kind(_monday, "everybody writes three times as much"),
    "invoice-run": Kind(_invoices, "150 to 900 invoices once a month; the first is learnt",
                        learn=28),
    "new-employee": Kind(_employee, "new colleagues who write a lot"),
    "list-viral": Kind(_viral, "a list of 60 with 60 answers to all in a day"),
    "forwarding-loop": Kind(_loop, "400 letters between two mailboxes in a few minutes"),
    "clock-change": Kind(_clocks, "daylight saving; some travel eight hours east"),
    "office-moves": Kind(_moving, "everybody's office network changes in a night"),
    "ordinary-month": Kind(_month, "2,000 people and 40 systems, 30 days, cold start included",
                           size=2000, learn=3),
}  # fmt: skip


#: The engine's constants were set on even seeds; what is reported is of odd ones.
TUNING_SEEDS, HELD_OUT_SEEDS = (0, 2, 4, 6), (1, 3, 5, 7)
#: So large that one seed is enough.
ONE_SEED = ("ordinary-month",)


def generate(name: str, seed: int, *, origins: bool = False) -> Scenario:
    """Return a shipped scenario, with each address's origin if wanted.

    Raises BadArgument if there is none of that name.
    """
    kind = KINDS.get(name)
    if kind is None:
        raise BadArgument(f"There is no scenario {name[:60]!r}. There are: {', '.join(KINDS)}.")
    known = origin_of if origins else None
    return Scenario(name, seed, kind.learn, _events(name, kind, seed), known)


def _events(name: str, kind: Kind, seed: int) -> Iterator[Labelled]:
    # Where a seed is used again for another scenario its people differ.
    town = Town(Random(f"{name}/{seed}"), kind.size)  # noqa: S311 - traffic must repeat
    return town.days(kind.make(town))
