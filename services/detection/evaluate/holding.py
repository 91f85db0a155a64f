"""What automatic containment would have done with labelled traffic: whom stopped, whom hurt."""

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from services.detection.confidence import confidence
from services.detection.engine import Engine, Verdict
from services.settings import ContainmentSettings

#: Confidences in percent that are tried beside each other.
LEVELS = (90.0, 95.0, 99.0, 99.9)
_USUAL = ContainmentSettings()
_HOUR = 3600.0

HEAD = (
    "scenario", "confidence", "abused", "held", "messages out first", "innocents held",
    "per 1,000 sender-days",
)  # fmt: skip


@dataclass(slots=True)
class Held:
    """What one confidence came to. ``stopped`` has what each abused account had sent by then."""

    stopped: dict[str, int] = field(default_factory=dict)
    hurt: list[str] = field(default_factory=list)  # who was held and had done nothing
    spared: int = 0  # alarms that a limit or a bulk sender's history kept from it

    def add(self, other: "Held", prefix: str) -> None:
        """Add another run's."""
        self.stopped |= {f"{prefix}/{user}": sent for user, sent in other.stopped.items()}
        self.hurt += [f"{prefix}/{user}" for user in other.hurt]
        self.spared += other.spared


class Holding:
    """Plays containment at several confidences at once, within the usual limits."""

    def __init__(self) -> None:
        self.found = {level: Held() for level in LEVELS}
        self._standing: dict[float, set[str]] = {level: set() for level in LEVELS}
        self._lately: dict[float, deque[float]] = {level: deque() for level in LEVELS}
        self._sent: Counter[str] = Counter()

    def abused(self, user: str) -> None:
        """Note a message of abuse."""
        self._sent[user] += 1

    def closed(self, user: str) -> None:
        """Note that an account's incident is over."""
        for standing in self._standing.values():
            standing.discard(user)

    def alarm(
        self, engine: Engine, verdict: Verdict, now: float, *, guilty: bool, counts: bool
    ) -> None:
        """Hold the account of an alarm at each confidence that it reaches."""
        sure, user = confidence(verdict.score), verdict.user
        for level, held in self.found.items():
            standing, lately = self._standing[level], self._lately[level]
            if sure < level or user in standing:
                continue
            while lately and lately[0] <= now - _HOUR:
                lately.popleft()
            bulk = engine.most(user) >= _USUAL.bulk_a_day
            if bulk or len(lately) >= _USUAL.accounts_an_hour:
                held.spared += 1
                continue
            standing.add(user)
            lately.append(now)
            if guilty:
                held.stopped.setdefault(user, self._sent[user])
            elif counts:
                held.hurt.append(user)


def row(name: str, level: float, held: Held, abused: int, days: int) -> tuple[str, ...]:
    """Return one line of the table."""
    out = sorted(held.stopped.values())
    first = f"{out[len(out) // 2]:,}, at most {out[-1]:,}" if out else ""
    return (
        name,
        f"{level:g}%",
        f"{abused:,}",
        f"{len(out):,}",
        first,
        f"{len(held.hurt):,}",
        f"{rate(held, days):.2f}",
    )


def rate(held: Held, days: int) -> float:
    """Return the innocents held in a thousand sender-days."""
    return 1000 * len(held.hurt) / days if days else 0.0


def facts(held: Held, abused: int, days: int) -> dict[str, Any]:
    """Return the same for JSON."""
    out: Sequence[int] = sorted(held.stopped.values())
    return {
        "abused": abused,
        "held": len(out),
        "median_messages_out_first": out[len(out) // 2] if out else None,
        "innocents_held": held.hurt,
        "innocents_held_per_1000_sender_days": rate(held, days),
        "spared_by_limits": held.spared,
    }
