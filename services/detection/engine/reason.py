"""One thing that speaks for abuse, or against it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that speaks for abuse (or, with negative points, against it)."""

    text: str
    points: float
