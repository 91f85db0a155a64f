"""What the demo's attackers send, and from where."""

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, slots=True)
class Campaign:
    """One abused account. ``pace`` is messages a second over all its addresses together.

    After ``burst`` messages it goes on at ``later_pace``, until it is refused.
    """

    account: str
    addresses: tuple[str, ...]
    subjects: tuple[str, ...]
    body: str
    recipients_each: int
    burst: int
    pace: float
    later_pace: float

    def subject(self, chance: Random) -> str:
        """Return one message's subject: numbered copies of a few."""
        return chance.choice(self.subjects).format(n=chance.randrange(1000, 9999))

    def recipients(self, chance: Random) -> tuple[str, ...]:
        """Return one message's recipients; they all differ."""
        first = chance.randrange(10_000_000)
        return tuple(
            f"user{(first + 7919 * place) % 10_000_000}@list{chance.randrange(400)}.invalid"
            for place in range(self.recipients_each)
        )


LOUD = Campaign(
    account="anna.keller@example.com",
    addresses=(
        "203.0.113.9",
        "203.0.113.77",
        "198.51.100.14",
        "198.51.100.201",
        "192.0.2.33",
        "198.18.4.8",
        "198.18.4.19",
        "198.19.77.5",
    ),
    subjects=("Your parcel {n} is waiting: confirm your address",) * 9
    + ("Final notice: parcel {n} will be returned",),
    body=(
        "Dear customer,\n\nyour parcel could not be delivered. Confirm your address and pay the\n"
        "customs fee of 1.99 within 24 hours:\n\n    http://parcel-desk.invalid/confirm\n\n"
        "Your parcel team\n"
    ),
    recipients_each=4,
    burst=1840,
    pace=60,
    later_pace=4,
)

QUIET = Campaign(
    account="tom.reyes@example.org",
    addresses=("198.19.140.7", "198.18.201.62", "198.18.90.3"),
    subjects=("Invoice {n} is overdue",),
    body="Please open the attached invoice at http://invoices.invalid/ and pay today.\n",
    recipients_each=1,
    burst=60,
    pace=1.0,
    later_pace=0.5,
)


def remote_policy(sender: str, recipient: str) -> str | None:
    """Answer as the world's servers answer spam: most wait, some refuse, a few take it.

    The same recipient always gets the same answer.
    """
    if not recipient.endswith(".invalid"):
        return None
    draw = Random(recipient).random()  # noqa: S311 - an answer that must repeat, not a secret
    if draw < 0.90:
        return "451 4.7.28 Unusual rate of mail from your address, try again later"
    return "550 5.1.1 No such user here" if draw < 0.95 else None
