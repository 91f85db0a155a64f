"""What thieves of accounts send. Their numbers, too, are their own and not the detector's."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from services.detection.engine import Event
from services.detection.evaluate.people import Person, around, letter, subject
from services.detection.evaluate.traffic_file import Labelled

_TEXTS = [
    "Your parcel {n} is waiting",
    "Final notice: parcel {n}",
    "Invoice {n} is overdue",
    "{who}, your mailbox is full",
    "Payment {n} could not be made",
    "Confirm your account {who}",
    "Voice message {n} for {who}",
    "Shared document: {w} {w2}",
    "Your refund of {n} EUR",
    "Cheap pills {r}",
    "Re: payment {r}",
    "{who} sent you a file",
    "Urgent request {w}",
    "You have won {n} EUR, {who}!",
    "Password of {who} expires today",
    "Wire transfer {n} {w}",
]
_HOSTS = tuple(f"list{n}.example" for n in range(400)) + ("bigmail.example",) * 250


@dataclass(frozen=True, slots=True)
class Campaign:
    """One thief's run through one account."""

    networks: tuple[int, ...]
    texts: tuple[str, ...]
    refused: float
    each: int  # recipients of a letter
    size: int


def campaign(chance: Random, networks: int) -> Campaign:
    """Make a campaign up, from so many networks."""
    return Campaign(
        tuple(chance.randrange(500) for _ in range(networks)),
        tuple(chance.sample(_TEXTS, chance.choice((1, 1, 1, 2, 3)))),
        chance.uniform(0.03, 0.3),
        chance.choice((1, 1, 1, 2, 5, 20)),
        chance.randint(3000, 60_000),
    )


def attack(
    chance: Random,
    who: Person,
    run: Campaign,
    begin: float,
    *,
    letters: int,
    a_minute: float,
    own_place: bool = False,
) -> Iterator[Labelled]:
    """Yield an attack's letters; from the owner's own address if it is a worm at home."""
    at = begin
    for _ in range(letters):
        at += chance.expovariate(a_minute / 60)
        ip = f"{who.office}.66" if own_place else around(chance, chance.choice(run.networks))
        name = f"user{chance.randrange(10_000_000)}"
        text = chance.choice(run.texts).format(
            n=chance.randrange(1000, 99_999),
            who=name if chance.random() < 0.5 else name.title(),
            w=subject(chance).split()[0],
            w2=subject(chance).split()[-1],
            r=f"{chance.getrandbits(40):x}",
        )
        to = tuple(
            f"user{chance.randrange(10_000_000)}@{chance.choice(_HOSTS)}" for _ in range(run.each)
        )
        size = int(run.size * chance.uniform(0.98, 1.02))
        yield from letter(chance, who, at, ip, text, to, refused=run.refused, abuse=True, size=size)


def guesses(chance: Random, who: Person, begin: float, number: int) -> Iterator[Labelled]:
    """Yield a password's being tried, over a few hours."""
    for _ in range(number):
        at = begin + chance.uniform(0, 4 * 3600)
        yield Labelled(
            Event(at, who.address, around(chance, chance.randrange(500)), 0, failures=1), abuse=True
        )
