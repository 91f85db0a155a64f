"""The SMTP log, one file a day, as “Search the logs” (log-files) gives it."""

from collections import defaultdict
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from services.clock import Clock

from .build import Build


class SmtpLog:
    """Lines in the order written, stamped with the server's own time of day."""

    def __init__(self, clock: Clock, zone: ZoneInfo, build: Build) -> None:
        self._clock = clock
        self._zone = zone
        self._build = build
        self.days: dict[date, list[tuple[datetime, str]]] = defaultdict(list)

    def write(self, client: str, session: str, said: str, *, detail: bool = True) -> None:
        """Add a line; one of detail only at the level Detailed."""
        if detail and not self._build.detailed_log:
            return
        at = self._clock.now().astimezone(self._zone).replace(tzinfo=None)
        gap = " " if self._build.spaced_brackets else ""
        stamp = at.isoformat(timespec="milliseconds")[11:]
        self.days[at.date()].append((at, f"{stamp} [{client}]{gap}[{session}] {said}"))

    def search(self, start: datetime, end: datetime, what: str) -> tuple[str, bool]:
        """Return the lines that hold the text, each with its date before it; and if cut."""
        whole = end - start > timedelta(hours=23)
        if not whole and self._build.hours == "an hour off":
            start, end = start + timedelta(hours=1), end + timedelta(hours=1)
        whole |= self._build.hours == "ignored"
        nothing = not whole and self._build.hours == "empty"
        found = [
            f"[{day:%Y.%m.%d}] {line}"
            for day in sorted(self.days)
            if start.date() <= day <= end.date()
            for at, line in self.days[day]
            if what.casefold() in line.casefold()
            and (whole or (start <= at <= end and not nothing))
        ]
        text = "\r\n".join(found)
        limit = self._build.most_of_log
        return text[:limit], len(text) > limit
