"""From evidence to a score and its reasons. Pure: no clock, no database.

The score adds points a person can check by hand; 60 opens an incident.

- Volume: 25 points for each doubling over what is expected of this sender
  (the 95th percentile of its own active windows, or what a false alarm taught,
  never less than ORDINARY), at most 75.
- Spread: 5 points for each client network from the third on, at most 20.
- Repetition: 10 points when at least 20 messages mostly share a subject.
- Fan-out: 10 points for ten or more recipients a message.
"""

import math
from dataclasses import dataclass
from datetime import timedelta

from services.detection.evidence import Evidence
from services.settings import DetectionSettings
from services.words import count, short, span

OPENS_AT = 60.0
#: Messages in five minutes that anybody may send without being looked at.
ORDINARY = 10
_SPREAD = 3


@dataclass(frozen=True, slots=True)
class Verdict:
    """How suspicious, and why in words, the strongest reason first."""

    score: float
    reasons: tuple[str, ...]

    @property
    def alarming(self) -> bool:
        """Whether an incident is opened for this."""
        return self.score >= OPENS_AT


def judge(evidence: Evidence, settings: DetectionSettings) -> Verdict:
    """Score one sender's window."""
    expected = max(evidence.habit.expected, ORDINARY)
    spread = evidence.network_count >= _SPREAD
    volume = min(75.0, 25 * math.log2(max(1.0, evidence.messages / expected)))
    score = volume
    if spread:
        score += min(20, 5 * (evidence.network_count - _SPREAD + 1))
    repeated = evidence.subject_messages >= 20 and _share(evidence) >= 0.6
    if repeated:
        score += 10
    fan_out = evidence.messages > 0 and evidence.recipients >= 10 * evidence.messages
    if fan_out:
        score += 10
    floor = settings.min_messages_spread if spread else settings.min_messages
    if evidence.messages < floor:
        score = min(score, OPENS_AT - 1)
    return Verdict(round(score, 1), tuple(_reasons(evidence, repeated=repeated, fan_out=fan_out)))


def _share(evidence: Evidence) -> float:
    return evidence.subject_messages / evidence.messages if evidence.messages else 0.0


def _reasons(evidence: Evidence, *, repeated: bool, fan_out: bool) -> list[str]:
    window = span(timedelta(seconds=evidence.window))
    reasons = [f"{count(evidence.messages, 'message')} in {window}; {_usual(evidence)}"]
    if evidence.address_count:
        reasons.append(
            f"from {count(evidence.address_count, 'address', 'addresses')} "
            f"in {count(evidence.network_count, 'network')}"
        )
    if repeated:
        reasons.append(f"{_share(evidence):.0%} the same subject: “{short(evidence.subject, 80)}”")
    if fan_out or evidence.recipients > evidence.messages:
        reasons.append(f"to {count(evidence.recipients, 'recipient')}")
    return reasons


def _usual(evidence: Evidence) -> str:
    habit = evidence.habit
    if habit.taught > habit.high:
        return f"taught as ordinary: up to {habit.taught:,}"
    if not habit.windows:
        return "never seen sending before"
    return f"usual: {habit.usual:,.0f}, at most {habit.high:,}"
