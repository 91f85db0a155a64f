"""One thing that speaks for abuse, or against it."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that speaks for abuse (or, with negative points, against it).

    ``said`` is it in words, "" where it need not be told; or what says it, and with which
    values, as round as they are told: most reasons are never shown.
    """

    said: "str | tuple[Any, ...]"
    points: float

    @property
    def text(self) -> str:
        """It in words, in the present language."""
        said = self.said
        return said if isinstance(said, str) else str(said[0](*said[1:]))
