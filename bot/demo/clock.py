"""The demo's clock: it runs through a past week in seconds, then is the machine's own."""

from datetime import UTC, datetime, timedelta


class DemoClock:
    """Stands where it is set; once released, goes as the machine's does. Never goes back."""

    def __init__(self, at: datetime | None = None) -> None:
        self._at = at
        self._ahead = timedelta()

    def now(self) -> datetime:
        """Return the present moment, aware, in UTC."""
        return self._at or datetime.now(UTC) + self._ahead

    def set(self, at: datetime) -> None:
        """Move to a moment in the past."""
        self._at = at

    def release(self) -> None:
        """Go on with the machine's own clock."""
        self._at = None

    def skip(self, length: timedelta) -> None:
        """Be ahead of the machine's own clock by so much more from now on."""
        self._ahead += length
