"""What a check found."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. ``says`` tells what was found, or what to do."""

    ok: bool
    what: str
    says: str
