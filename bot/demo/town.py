"""Who uses the demo's mail server: two companies' people, with names nobody has.

Everything is made from a seed, so that two runs have the same people and the same
letters. All domains are reserved for examples (RFC 2606) and all client addresses
private or reserved for documentation (RFC 1918, RFC 5737, RFC 2544).
"""

from dataclasses import dataclass
from random import Random

DOMAINS = ("example.com", "example.org")
PASSWORD = "demo password"  # noqa: S105 - of mailboxes that exist for a demo
NEWSLETTER = "news@example.com"

_NAMES = (
    "anna.keller ben.osei carla.moreau david.lindgren elif.kaya farid.haddad greta.novak "
    "henrik.dahl ines.costa jonas.weber kamila.zielinska liam.byrne mara.ionescu nils.berg "
    "olga.petrova paul.tremblay",
    "quinn.harper rosa.alvarez sami.virtanen tom.reyes uma.iyer viktor.szabo wanda.kowal "
    "xenia.markou yusuf.demir zoe.martin",
)
_ELSEWHERE = ("shop.example", "bank.example", "clinic.example", "school.example", "mail.example")
_FIRST = ("alex", "bo", "chris", "dana", "eli", "fran", "gia", "hal", "ivy", "jo", "kim", "lou")
_SUBJECTS = (
    "Minutes of Tuesday's meeting",
    "Your order {n}",
    "Lunch on Friday?",
    "Draft of the contract, version {d}",
    "Question about invoice {n}",
    "Photos from the workshop",
    "Re: delivery date",
    "Holiday request",
    "Offer {n}",
    "Thank you for your call",
)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a mailbox. ``client_ip`` is where they always write from."""

    address: str
    client_ip: str
    letters_a_day: float


@dataclass(frozen=True, slots=True)
class Draft:
    """An ordinary letter before it is composed."""

    recipients: tuple[str, ...]
    subject: str
    body: str


def people() -> tuple[Person, ...]:
    """Return everybody, the same each time."""
    found = []
    for number, (domain, names) in enumerate(zip(DOMAINS, _NAMES, strict=True)):
        for place, name in enumerate(names.split()):
            found.append(
                Person(
                    f"{name}@{domain}",
                    f"10.{20 + number}.{place // 8}.{10 + place}",
                    4 + 3 * (place % 4),
                )
            )
    return tuple(found)


def letter(chance: Random, sender: str) -> Draft:
    """Return an ordinary letter: mostly to somebody elsewhere, sometimes to a colleague."""
    if chance.random() < 0.3:
        colleague = chance.choice(people()).address
        recipients: tuple[str, ...] = (colleague if colleague != sender else NEWSLETTER,)
    else:
        recipients = tuple(
            f"{chance.choice(_FIRST)}{chance.randrange(90)}@{chance.choice(_ELSEWHERE)}"
            for _ in range(1 if chance.random() < 0.85 else 2)
        )
    subject = chance.choice(_SUBJECTS).format(n=chance.randrange(1000, 9999), d=chance.randrange(9))
    return Draft(recipients, subject, "Hello,\n\nplease see above.\n\nBest regards\n")
