"""Accepted messages and news of them, from Postfix's log: each once, whatever happens to it.

A message is known by several lines: the SMTP server's (who and from where), the header
check's (the subject, where one is configured), and the queue manager's (sender, size,
recipients). The first queue manager's line after the SMTP server's is the submission;
later ones are attempts to deliver the same message and find no open beginning. Bounces,
forwards and messages that come back from a content filter (:mod:`.returned`) are no
submissions; the latter are remembered as sent by whoever sent them first. Where a filter
stands before the queue, who logged in is in a line of its own, before the message has an id.

Whom a message went to is in the lines of its deliveries, and one recipient in that of the
header check. What they tell until a submission is handed out is handed out with it. A
bounce, and a deferral by the other side at the first attempt, is news, once a message.
Failed logins are news of the account where Postfix logs it (since 3.8 or so); where it
does not, they count for who next logs in from there.

A cursor names two places: after the last submission handed out, and where the oldest
message begins that was not accepted yet by then. Reading again from the second finds
what is open, and everything up to the first is known to have been handed out.
"""

import logging
import re
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from services.clock import Clock
from services.errors import ServerDown
from services.language import tr
from services.mail.port import DEFERRED, MAX_ADDRESSEES, News, Record, Submission
from services.mail.postfix.lines import (
    Delivery,
    Event,
    FailedLogin,
    Intake,
    LineParser,
    Named,
    Queued,
    Subject,
)
from services.mail.postfix.logfiles import UNREADABLE, LogFile, LogFiles, Place, parse_place
from services.mail.postfix.returned import Returned
from services.mail.postfix.state import Seen

_log = logging.getLogger(__name__)
_T = TypeVar("_T")

_CHUNK = 1024 * 1024
# Messages begun and never accepted (the client hung up) are open for ever: the oldest go.
_MAX_OPEN = 50_000
# A message takes less of the log than this to come in; a cursor leads no further back.
_MAX_BACK = 64 * 1024 * 1024
_WHOLE_FILE = 1 << 62
# What is remembered of messages and of clients, so that each thing is told once.
_MOST_TOLD, _MOST_FAILURES = 50_000, 10_000
# Postfix tries again after five minutes at the soonest: a later deferral is an old story.
_FIRST_ATTEMPT = timedelta(minutes=5)
# Failed logins longer ago say nothing of a login now.
_JUST_BEFORE = timedelta(hours=1)
# The id of a message that goes through a filter before it is queued: it has none yet.
_NO_ID = "NOQUEUE"
# Handing a message over takes less than this: what the queue manager takes on later was held as
# it came in, and released all at once it must not pass for what was sent all at once.
_HELD = timedelta(minutes=30)
# A client that a filter keeps waiting for longer has given up (smtp_data_done_timeout).
_PROXIED = timedelta(minutes=10)
_CURSOR = re.compile(r"([^~]{1,99})~([^~]{1,99})~([0-9]{1,11})\Z")
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(slots=True)
class _Open:
    """A message of which the queue manager has said nothing yet."""

    intake: Intake
    place: Place
    read: int  # how much had been read in all when it began
    subject: str | None = None
    addressee: str = ""
    message_id: bytes = b""


@dataclass(slots=True)
class _Ready:
    """A submission that waits to be handed out, and whom it is known to go to meanwhile."""

    cursor: str
    queued: Queued
    begun: _Open
    failures: int
    addressees: list[str] = field(default_factory=list)

    def told(self) -> Submission:
        begun, queued = self.begun, self.queued
        user = begun.intake.user
        one = (begun.addressee,) if begun.addressee else ()
        came = begun.intake.at
        return Submission(
            cursor=self.cursor,
            at=came if queued.at - came > _HELD else queued.at,
            sender=user or queued.sender,
            authenticated=user is not None,
            client_ip=begun.intake.ip,
            recipients=queued.recipients,
            size=queued.size,
            subject=begun.subject or "",
            addressees=tuple(self.addressees) or one,
            login_failures=self.failures,
            message=queued.queue_id,
        )


@dataclass(frozen=True, slots=True)
class _Bad:
    """A delivery that went badly. Whose message that was is not known yet."""

    cursor: str
    delivery: Delivery


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
    ready: deque[_Ready | News] = field(default_factory=deque)
    waiting: dict[str, _Ready] = field(default_factory=dict)  # those submissions, by queue id
    told: OrderedDict[str, None] = field(default_factory=OrderedDict)  # whose bad outcome
    again: OrderedDict[str, str] = field(default_factory=OrderedDict)  # and what it was before
    returned: Returned = field(default_factory=Returned)
    proxied: OrderedDict[str, Intake] = field(default_factory=OrderedDict)  # newest, by address
    failures: OrderedDict[str, tuple[datetime, int]] = field(default_factory=OrderedDict)


class SubmissionLog:
    """Reads submissions from the log. Every method blocks: call it in a thread.

    ``remember`` is told who sent each accepted message, before it is handed out; ``recall``
    returns what it was told of these.
    """

    def __init__(
        self,
        server: str,
        live: Path,
        parser: LineParser,
        clock: Clock,
        history: timedelta,
        remember: Callable[[list[Seen]], None],
        recall: Callable[[Sequence[str]], Mapping[str, Seen]],
    ) -> None:
        self._server = server
        self._live = live
        self._files = LogFiles(live)
        self._parser = parser
        self._clock = clock
        self._history = history
        self._remember = remember
        self._recall = recall
        self._reading: _Reading | None = None
        self._handed_out: str | None = None

    def after(self, cursor: str | None, limit: int) -> list[Record]:
        """Return up to ``limit`` submissions and news after the cursor. Raises ServerDown."""
        try:
            if self._reading is None or self._handed_out != cursor:
                self._reading = self._resume(cursor)
                self._handed_out = cursor
            reading = self._reading
            while len(reading.ready) < limit and self._read_on(reading):
                pass
        except UNREADABLE as error:
            self._reading = None
            raise self._unreadable(error) from error
        except ServerDown:
            self._reading = None
            raise
        page = [_told(reading) for _ in range(min(limit, len(reading.ready)))]
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
            tr(
                "The log {path} of the mail server {server} could not be read ({why}). No message "
                "is lost; check that it is there and the bot may read it.",
                path=self._live,
                server=self._server,
                why=error,
            )
        )

    def _resume(self, cursor: str | None) -> _Reading:
        files = self._files.all()
        known = _parse_cursor(cursor or "")
        if known is not None:
            until, back, last = known
            at = self._files.find(until, files)
            if at is None:
                return self._after_loss(files, last)
            if self._files.find(back, files) is None:  # that file is no more
                back = files[at].start()
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
        since = reading.since.replace(microsecond=0)
        accepted: list[Seen] = []
        returned: list[tuple[str, Seen]] = []
        found: list[_Ready | News | _Bad] = []
        for begin, end, event in self._parser.events(data, file.written):
            if isinstance(event, Intake | Subject | Named):
                self._begin(reading, event, here.to(offset + begin))
                continue
            begun = None
            if isinstance(event, Queued):
                begun = reading.open.pop(event.queue_id, None)
                if begun is None:
                    continue
                first_id = _came_back(reading, begun, event)
                if first_id is not None:
                    returned.append((first_id, _seen(begun)))
                    continue
                accepted.append(_seen(begun))
            elif isinstance(event, Delivery) and not _is_news(reading, event):
                continue
            # A file whose last line has no end is no longer than that line.
            place = here.to(min(offset + end, offset + len(data)))
            if place.offset <= handed_out or event.at < since:
                continue
            if isinstance(event, FailedLogin) and event.user is None:
                _count_failure(reading, event)
                continue
            reading.last = event.at
            cursor = f"{place}~{self._back(reading, place)}~{int(event.at.timestamp())}"
            if isinstance(event, FailedLogin):
                whose, number = event.user or "", event.times
                found.append(News(cursor, event.at, whose, event.ip, login_failures=number))
            elif isinstance(event, Delivery):
                found.append(_Bad(cursor, event))
            elif begun is not None:
                ready = _Ready(cursor, event, begun, _failures_before(reading, begun.intake))
                reading.waiting[event.queue_id] = ready
                found.append(ready)
        reading.read += len(data)
        reading.place = here.to(offset + len(data))
        if reading.place.offset >= handed_out:
            reading.handed_out = None
        if accepted:
            self._remember(accepted)
        if returned:
            self._remember_returned(returned)
        reading.ready.extend(self._attributed(reading, found))

    def _attributed(
        self, reading: _Reading, found: list[_Ready | News | _Bad]
    ) -> list[_Ready | News]:
        """Return what was found, with who sent what went badly; what nobody sent is left out."""
        asked = {_first_id(reading, one.delivery) for one in found if isinstance(one, _Bad)}
        seen = self._recall(sorted(asked)) if asked else {}
        told: list[_Ready | News] = []
        for one in found:
            if not isinstance(one, _Bad):
                told.append(one)
                continue
            delivery = one.delivery
            queue_id = _first_id(reading, delivery)
            by = seen.get(queue_id)
            if by is None or queue_id in reading.told:
                continue
            late = delivery.at.timestamp() - by.at > _FIRST_ATTEMPT.total_seconds()
            if delivery.outcome == DEFERRED and late:
                continue
            _put(reading.told, queue_id, None, _MOST_TOLD)
            told.append(
                News(
                    one.cursor,
                    delivery.at,
                    by.user or "",
                    by.ip,
                    delivery.outcome,
                    message=queue_id,
                )
            )
        return told

    def _remember_returned(self, returned: list[tuple[str, Seen]]) -> None:
        """Keep who first sent what a filter gave back; of what was not seen then, nothing."""
        known = self._recall(sorted({first_id for first_id, _ in returned}))
        self._remember(
            [
                seen._replace(
                    user=by.user,
                    ip=by.ip or seen.ip,
                    subject=seen.subject if by.subject is None else by.subject,
                )
                for first_id, seen in returned
                if (by := known.get(first_id)) is not None
            ]
        )

    def _begin(self, reading: _Reading, event: Event, place: Place) -> None:
        if isinstance(event, Intake):
            if event.queue_id == _NO_ID:
                _put(reading.proxied, event.ip or "", event, _MOST_FAILURES)
                return
            # A short id used again is another message's, and moves to the end.
            reading.again.pop(event.queue_id, None)
            reading.told.pop(event.queue_id, None)
            reading.open.pop(event.queue_id, None)
            reading.open[event.queue_id] = _Open(_behind_proxy(reading, event), place, reading.read)
            if len(reading.open) > _MAX_OPEN:
                del reading.open[next(iter(reading.open))]
        elif isinstance(event, Named):
            begun = reading.open.get(event.queue_id)
            if begun is not None:
                begun.message_id = event.message_id
        elif isinstance(event, Subject):
            begun = reading.open.get(event.queue_id)
            if begun is not None and begun.subject is None:
                begun.subject = event.text(begun.intake.origin)
                begun.addressee = event.addressee(begun.intake.origin)

    def _handed_out_until(self, reading: _Reading, file: LogFile) -> int:
        """Return up to which offset of this file submissions were handed out before."""
        until = reading.handed_out
        if until is None:
            return 0
        return until.offset if file.holds(until) else _WHOLE_FILE

    def _back(self, reading: _Reading, place: Place) -> Place:
        """Return where the oldest message begins that is open, or with a filter."""
        found = [reading.returned.oldest(reading.read)]
        while reading.open:
            first = next(iter(reading.open))
            if reading.read - reading.open[first].read <= _MAX_BACK:
                found.append((reading.open[first].read, reading.open[first].place))
                break
            del reading.open[first]
        there = [one for one in found if one is not None]
        return min(there, key=lambda one: (one[0], one[1].offset))[1] if there else place


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


def _told(reading: _Reading) -> Record:
    """Take the next record out."""
    first = reading.ready.popleft()
    if isinstance(first, News):
        return first
    if reading.waiting.get(first.queued.queue_id) is first:
        del reading.waiting[first.queued.queue_id]
    return first.told()


def _is_news(reading: _Reading, delivery: Delivery) -> bool:
    """Note whom a message went to, if it waits still, and return whether that went badly."""
    waits = reading.waiting.get(_first_id(reading, delivery))
    if (
        waits is not None
        and len(waits.addressees) < MAX_ADDRESSEES
        and delivery.recipient not in waits.addressees
    ):
        waits.addressees.append(delivery.recipient)
    return bool(delivery.outcome)


def _came_back(reading: _Reading, begun: _Open, queued: Queued) -> str | None:
    """Return under which id a message was taken before, None if this is the first time."""
    intake = begun.intake
    first_id = reading.returned.first_id(intake, begun.message_id, queued.recipients)
    if first_id:  # which may itself have been another's
        first_id = reading.again.get(first_id, first_id)
        _put(reading.again, intake.queue_id, first_id, _MOST_TOLD)
    requeued = intake.again and intake.by_program
    if first_id is None or requeued:  # and now it goes to the filter, if there is one
        reading.returned.take(
            first_id or intake.queue_id,
            begun.message_id,
            queued.recipients,
            begun.place,
            begun.read,
        )
    return first_id


def _behind_proxy(reading: _Reading, intake: Intake) -> Intake:
    """Return who handed a message over to the filter before the queue, if one was there."""
    if not intake.forwarded or intake.again or intake.user is not None:
        return intake
    client = reading.proxied.pop(intake.ip or "", None)
    if client is None or intake.at - client.at > _PROXIED:
        return intake
    return replace(intake, user=client.user)


def _first_id(reading: _Reading, delivery: Delivery) -> str:
    """Return the id under which a message came in, before a content filter gave it back."""
    return reading.again.get(delivery.queue_id, delivery.queue_id)


def _count_failure(reading: _Reading, event: FailedLogin) -> None:
    if event.ip is not None:
        number = reading.failures.get(event.ip, (event.at, 0))[1]
        _put(reading.failures, event.ip, (event.at, number + event.times), _MOST_FAILURES)


def _failures_before(reading: _Reading, intake: Intake) -> int:
    """Take how often a client that has now logged in could not, just before."""
    if intake.user is None or intake.ip is None:
        return 0
    at, number = reading.failures.pop(intake.ip, (intake.at, 0))
    return number if intake.at - at <= _JUST_BEFORE else 0


def _put(table: "OrderedDict[str, _T]", key: str, value: _T, most: int) -> None:
    """Put a value in as the newest, and let the oldest go where there are too many."""
    table[key] = value
    table.move_to_end(key)
    if len(table) > most:
        table.popitem(last=False)
