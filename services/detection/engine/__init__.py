"""The pure engine: evidence kept incrementally, a score, and its reasons in words."""

from services.detection.engine.engine import Engine, network_of
from services.detection.engine.event import DEFERRED, REJECTED, Event
from services.detection.engine.score import Floors, Reason, Verdict
from services.detection.engine.tuning import OPENS_AT

__all__ = [
    "DEFERRED", "OPENS_AT", "REJECTED", "Engine", "Event", "Floors", "Reason", "Verdict",
    "network_of",
]  # fmt: skip
