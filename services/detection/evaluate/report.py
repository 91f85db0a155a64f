"""What an evaluation found, as a table to read and as JSON."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from services.detection.evaluate.holding import Held, facts, row
from services.detection.evaluate.replay import LIMITS, Outcome, Replayed
from services.words import span

#: The goals: for what kind of scenario, the median time to detect in seconds.
GOALS = {"burst": 60.0, "drip": 1800.0}
FALSE_GOAL = 1.0
_ALL = "all"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Every replay, and what they come to together."""

    replays: Sequence[Replayed]

    def scenarios(self) -> dict[str, Outcome]:
        """Return the engine's outcome of each scenario, all its seeds together."""
        found: dict[str, Outcome] = {}
        for one in self.replays:
            found.setdefault(one.scenario, Outcome()).add(one.engine, str(one.seed))
            found[one.scenario].sender_days += one.engine.sender_days
        return found

    def total(self) -> Outcome:
        """Return the engine's outcome of everything."""
        return self._together([(one, one.engine) for one in self.replays])

    def limits(self) -> dict[int, Outcome]:
        """Return the same for each fixed limit: the curve."""
        return {
            limit: self._together([(one, one.limits[limit]) for one in self.replays])
            for limit in LIMITS
            if all(limit in one.limits for one in self.replays)
        }

    def _together(self, runs: Sequence[tuple[Replayed, Outcome]]) -> Outcome:
        whole = Outcome()
        for one, outcome in runs:
            whole.add(outcome, f"{one.scenario}/{one.seed}")
            whole.sender_days += outcome.sender_days
        return whole

    def beaten(self) -> list[int]:
        """Return the fixed limits that are as good on both sides at once: there should be none.

        As good is: no more false alarms, and no account missed or found later.
        """
        ours = self.total()
        return [
            limit
            for limit, theirs in self.limits().items()
            if theirs.false_rate <= ours.false_rate
            and (theirs.recall or 0) >= (ours.recall or 0)
            and _never(theirs.median_seconds) <= _never(ours.median_seconds)
        ]

    def table(self) -> list[tuple[str, ...]]:
        """Return the rows: each scenario, then everything, then each fixed limit."""
        rows = [_row(name, outcome) for name, outcome in self.scenarios().items()]
        rows.append(_row(_ALL, self.total()))
        rows += [_row(f"over {limit:,} an hour", one) for limit, one in self.limits().items()]
        return rows

    def held(self) -> dict[str, dict[float, Held]]:
        """Return what containment would have done, by scenario and confidence, then in all."""
        found: dict[str, dict[float, Held]] = {}
        for one in self.replays:
            for level, held in one.held.items():
                for name, prefix in (
                    (one.scenario, str(one.seed)),
                    (_ALL, f"{one.scenario}/{one.seed}"),
                ):
                    found.setdefault(name, {}).setdefault(level, Held()).add(held, prefix)
        found[_ALL] = found.pop(_ALL, {})
        return found

    def held_table(self, level: float) -> list[tuple[str, ...]]:
        """Return each scenario at one confidence, then everything at each of them."""
        outcomes = self.scenarios() | {_ALL: self.total()}
        rows = []
        for name, levels in self.held().items():
            outcome = outcomes[name]
            for one, held in levels.items():
                if name == _ALL or one == level:
                    rows.append(row(name, one, held, len(outcome.caught), outcome.sender_days))
        return rows

    def as_dict(self) -> dict[str, Any]:
        """Return everything for JSON."""
        return {
            "seeds": sorted({one.seed for one in self.replays}),
            "events": sum(one.events for one in self.replays),
            "scenarios": {name: _facts(one) for name, one in self.scenarios().items()},
            "total": _facts(self.total()),
            "fixed_limits": {str(limit): _facts(one) for limit, one in self.limits().items()},
            "containment": {
                name: {
                    f"{level:g}": facts(held, len(outcome.caught), outcome.sender_days)
                    for level, held in levels.items()
                }
                for name, levels in self.held().items()
                if (outcome := self.scenarios().get(name) or self.total())
            },
            "fixed_limits_as_good": self.beaten(),
            "false_alarms": [why for one in self.replays for why in one.engine.false_alarms],
        }


HEAD = (
    "scenario", "abused", "found", "median time", "worst", "messages out",
    "false alarms", "per 1,000 sender-days",
)  # fmt: skip


def _row(name: str, outcome: Outcome) -> tuple[str, ...]:
    abused, days = len(outcome.caught), outcome.sender_days
    if not abused:
        found = ("none", "", "", "", "")
    else:
        middle, out = outcome.median_seconds, outcome.out
        worst = outcome.seconds[-1] if len(outcome.found) == abused else None
        found = (
            f"{abused}", f"{outcome.recall:.0%}", _time(middle), _time(worst),
            f"{out[len(out) // 2]:,}, at most {out[-1]:,}",
        )  # fmt: skip
    alarms = f"{len(outcome.false_alarms):,} in {days:,} days"
    return (name, *found, alarms, f"{outcome.false_rate:.2f}")


def _facts(outcome: Outcome) -> dict[str, Any]:
    out = outcome.out
    return {
        "abused": len(outcome.caught),
        "recall": outcome.recall,
        "median_seconds": outcome.median_seconds,
        "worst_seconds": outcome.seconds[-1] if outcome.seconds else None,
        "median_messages_out": out[len(out) // 2] if out else None,
        "worst_messages_out": out[-1] if out else None,
        "false_alarms": len(outcome.false_alarms),
        "sender_days": outcome.sender_days,
        "false_alarms_per_1000_sender_days": outcome.false_rate,
    }


def _time(seconds: float | None) -> str:
    return "never" if seconds is None else span(timedelta(seconds=seconds))


def _never(seconds: float | None) -> float:
    return float("inf") if seconds is None else seconds
