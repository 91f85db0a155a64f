"""How sure a score is, as a number that people know: a percentage. Pure.

An incident opens at 60 points. Each further DECADE points are reasons that are ten times
less likely together for this sender, if nothing were wrong; so the doubt that was left
falls to a tenth. As some reasons overlap, two of them are counted as one.
"""

from services.detection.engine import OPENS_AT
from services.detection.engine.tuning import DECADE
from services.language import percent

#: The doubt that is left at the score at which an incident opens.
DOUBT = 0.5
#: Points that bring it down to a tenth.
TENTH = 2 * DECADE


def confidence(score: float) -> float:
    """Return how sure a score is, in percent: 50 where an incident opens, never quite 100."""
    if score < OPENS_AT:
        return 100 * (1 - DOUBT) * max(0.0, score) / OPENS_AT
    return 100 * (1 - DOUBT * 10 ** (-(score - OPENS_AT) / TENTH))


def shown(sure: float) -> str:
    """Return a confidence as people read it, rounded down: "99.4%"."""
    return as_set(int(sure * 10) / 10)


def as_set(number: float) -> str:
    """Return a percentage with the digits that it has and no more: "99.4%", "60%"."""
    return percent(number, len(f"{number:g}".partition(".")[2]))
