"""Accepted messages, from Postfix's log: each once, whatever happens to the log meanwhile.

A message is known by several lines: the SMTP server's (who and from where), the header
check's (the subject, where one is configured), and the queue manager's (sender, size,
recipients). The first queue manager's line after the SMTP server's is the submission;
later ones are attempts to deliver the same message and find no open beginning. Bounces,
forwards and messages that come back from a content filter are no submissions.

A cursor names two places: after the last submission handed out, and where the oldest
message begins that was not accepted yet by then. Reading again from the second finds
what is open, and everything up to the first is known to have been handed out.
"""

import logging
import re
import zlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from services.clock import Clock
from services.errors import ServerDown
from services.mail.port import Submission
from services.mail.postfix.lines import Event, Intake, LineParser, Queued, Subject
from services.mail.postfix.logfiles import LogFile, LogFiles, Place, parse_place
from services.mail.postfix.state import Seen

_log = logging.getLogger(__name__)

_CHUNK = 1024 * 1024
# Messages begun and never accepted (the client hung up) are open for ever: the oldest go.
_MAX_OPEN = 50_000
# A message takes less of the log than this to come in; a cursor leads no further back.
_MAX_BACK = 64 * 1024 * 1024
_WHOLE_FILE = 1 << 62
_CURSOR = re.compile(r"([^~]{1,99})~([^~]{1,99})~([0-9]{1,11})\Z")
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(slots=True)
class _Open:
    """A message of which the queue manager has said nothing yet."""

    intake: Intake
    place: Place
    read: int  # how much had been read in all when it began
    subject: str | None = None


@dataclass(slots=True)
class _Reading:
    """How far the log has been read, and what is open.

    ``last`` is when the last submission was; ``since`` is set to it where the file it was
    in is lost: of the files that follow, only lines from then on count.
    """

    place: Place
    last: datetime = _LONG_AGO
    since: datetime = _LONG_AGO
    handed_out: Place | None = None  # up to here they were, before; None once that is passed
    read: int = 0  # bytes
    open: dict[str, _Open] = field(default_factory=dict)
    ready: deque[Submission] = field(default_factory=deque)


class SubmissionLog:
    """Reads submissions from the log. Every method blocks: call it in a thread.

    ``remember`` is told who sent each accepted message, before it is handed out.
    """

    def __init__(
        self,
        server: str,
        live: Path,
        parser: LineParser,
        clock: Clock,
        history: timedelta,
        remember: Callable[[list[Seen]], None],
    ) -> None:
        self._server = server
        self._live = live
        self._files = LogFiles(live)
        self._parser = parser
        self._clock = clock
        self._history = history
        self._remember = remember
        self._reading: _Reading | None = None
        self._handed_out: str | None = None

    def after(self, cursor: str | None, limit: int) -> list[Submission]:
        """Return up to ``limit`` submissions after the cursor. Raises ServerDown."""
        try:
            if self._reading is None or self._handed_out != cursor:
                self._reading = self._resume(cursor)
                self._handed_out = cursor
            reading = self._reading
            while len(reading.ready) < limit and self._read_on(reading):
                pass
        except (OSError, EOFError, zlib.error) as error:
            self._reading = None
            raise self._unreadable(error) from error
        except ServerDown:
            self._reading = None
            raise
        page = [reading.ready.popleft() for _ in range(min(limit, len(reading.ready)))]
        if page:
            self._handed_out = page[-1].cursor
        elif not reading.read:
            self._reading = None  # an empty file is no place to come back to
        return page

    def readable(self) -> None:
        """Raise ServerDown unless the live log can be read."""
        try:
            with self._live.open("rb") as stream:
                stream.read(1)
        except OSError as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: Exception) -> ServerDown:
        return ServerDown(
            f"The log {self._live} of the mail server {self._server} could not be read "
            f"({error}). No message is lost; check that it is there and the bot may read it."
        )

    def _resume(self, cursor: str | None) -> _Reading:
        files = self._files.all()
        known = _parse_cursor(cursor or "")
        if known is not None:
            until, back, last = known
            if self._files.find(until, files) is None:
                return self._after_loss(files, last)
            if self._files.find(back, files) is None:
                return _Reading(until, last)
            return _Reading(back, last, handed_out=until)
        oldest = self._clock.now() - self._history
        first = next((file for file in files if file.written >= oldest), files[-1])
        return _Reading(first.start())

    def _after_loss(self, files: list[LogFile], last: datetime) -> _Reading:
        """Go on with what was written since: the file that was being read is no more."""
        _log.warning("%s: the log that was read is gone; going on after %s", self._server, last)
        first = next((file for file in files if file.written >= last), files[-1])
        return _Reading(first.start(), last, since=last)

    def _read_on(self, reading: _Reading) -> bool:
        """Read one piece of the log; False when there is no whole line to be read now."""
        files = self._files.all()
        at = self._files.find(reading.place, files)
        if at is None:
            lost = self._after_loss(files, reading.last)
            reading.place, reading.since, reading.handed_out = lost.place, lost.since, None
            at = self._files.find(reading.place, files)
            if at is None:
                return False
        file = files[at]
        # The writer has turned to a later file once that holds something, and only what
        # is read after this was seen is surely all of this one.
        following = next((later for later in files[at + 1 :] if later.packed or later.size), None)
        with file.open() as stream:
            stream.seek(reading.place.offset)
            data = stream.read(_CHUNK)
        if not file.is_still(reading.place):
            return True  # rotated away under our hands: look again
        whole = data.rfind(b"\n") + 1
        if not whole and len(data) == _CHUNK:
            whole = len(data)  # no log line is that long
        if whole:
            self._take(reading, file, data[:whole])
            return True
        if following is None:
            return False  # half a line waits for its other half
        if data:  # the end of a file whose last line was never finished
            self._take(reading, file, data)
        if reading.handed_out is not None and file.holds(reading.handed_out):
            reading.handed_out = None
        reading.place = following.start()
        return True

    def _take(self, reading: _Reading, file: LogFile, data: bytes) -> None:
        offset = reading.place.offset
        here = file.place(offset, offset + len(data))
        handed_out = self._handed_out_until(reading, file)
        accepted: list[Seen] = []
        for begin, end, event in self._parser.events(data, file.written):
            if not isinstance(event, Queued):
                self._begin(reading, event, here.to(offset + begin))
                continue
            begun = reading.open.pop(event.queue_id, None)
            if begun is None or begun.intake.again:
                continue
            accepted.append(_seen(begun))
            # A file whose last line has no end is no longer than that line.
            place = here.to(min(offset + end, offset + len(data)))
            if place.offset > handed_out and event.at >= reading.since.replace(microsecond=0):
                reading.last = event.at
                cursor = f"{place}~{self._back(reading, place)}~{int(event.at.timestamp())}"
                reading.ready.append(_submission(cursor, event, begun))
        reading.read += len(data)
        reading.place = here.to(offset + len(data))
        if reading.place.offset >= handed_out:
            reading.handed_out = None
        if accepted:
            self._remember(accepted)

    def _begin(self, reading: _Reading, event: Event, place: Place) -> None:
        if isinstance(event, Intake):
            reading.open.pop(event.queue_id, None)  # a short id used again moves to the end
            reading.open[event.queue_id] = _Open(event, place, reading.read)
            if len(reading.open) > _MAX_OPEN:
                del reading.open[next(iter(reading.open))]
        elif isinstance(event, Subject):
            begun = reading.open.get(event.queue_id)
            if begun is not None and begun.subject is None:
                begun.subject = event.text(begun.intake.origin)

    def _handed_out_until(self, reading: _Reading, file: LogFile) -> int:
        """Return up to which offset of this file submissions were handed out before."""
        until = reading.handed_out
        if until is None:
            return 0
        return until.offset if file.holds(until) else _WHOLE_FILE

    def _back(self, reading: _Reading, place: Place) -> Place:
        """Return where the oldest message begins that is open."""
        while reading.open:
            first = next(iter(reading.open))
            if reading.read - reading.open[first].read <= _MAX_BACK:
                return reading.open[first].place
            del reading.open[first]
        return place


def _parse_cursor(cursor: str) -> tuple[Place, Place, datetime] | None:
    """Return where submissions were handed out until, where to begin to read, and when that was."""
    found = _CURSOR.match(cursor)
    if found is None:
        return None
    until, back = parse_place(found[1]), parse_place(found[2])
    if until is None or back is None:
        return None
    return until, back, datetime.fromtimestamp(int(found[3]), UTC)


def _seen(begun: _Open) -> Seen:
    intake = begun.intake
    at = int(intake.at.timestamp())
    return Seen(intake.queue_id, at, intake.user, intake.ip, begun.subject)


def _submission(cursor: str, queued: Queued, begun: _Open) -> Submission:
    user = begun.intake.user
    return Submission(
        cursor=cursor,
        at=queued.at,
        sender=user or queued.sender,
        authenticated=user is not None,
        client_ip=begun.intake.ip,
        recipients=queued.recipients,
        size=queued.size,
        subject=begun.subject or "",
    )
