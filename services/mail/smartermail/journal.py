"""What the server accepted, read from its SMTP log through the API, once each.

POST settings/sysadmin/log-files {start, end, type, search, related} → {result, isTruncated}
(B; its answers were described by two people who tried it). The search is for a substring;
``related`` mixes sessions up, so it is never asked for, and the exact ``[session]`` gives
all lines of one (B). Nobody public shows whether times within a day are heeded, so each
call is for whole days, except where an answer was cut (see ``_by_hours``).

A cursor is a day of the server and how many accepted messages of that day were taken. The
log of a day only grows at its end, so nothing is counted twice or lost, whatever the
process that reads it lives through, and whatever the clocks do in the night.
"""

import asyncio
import re
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta

from services.clock import Clock
from services.language import later, tr
from services.mail.smartermail import answers, log
from services.mail.smartermail.api import Api
from services.mail.smartermail.config import SmarterMailConfig
from services.mail.smartermail.log import Accepted, Entry, Line
from services.mail.smartermail.ways import Refusal

_LOG_FILES = "settings/sysadmin/log-files"
_READ = later("read the SMTP log")
# More sessions than this are not asked for one by one: the whole day is read instead.
_FEW_SESSIONS = 20
_REMEMBERED = 50_000  # as many as a spool holds by default
_CURSOR = re.compile(r"(\d{4}-\d{2}-\d{2})/(\d{1,9})/(.{0,100})", re.ASCII)
# A line stamped before midnight can be written just after it.
_DAY_SETTLED = time(0, 0, 10)
_HOUR_SETTLES = timedelta(minutes=5)
_WAITS = timedelta(days=4)  # how long a message may be in the spool
_LONGEST_SESSION = 6  # hours: one that ends later in the day did not begin the day before


@dataclass(frozen=True, slots=True)
class Taken:
    """One accepted message, with the cursor just after it."""

    cursor: str
    at: datetime
    message: Accepted


class Journal:
    """Reads the SMTP log."""

    def __init__(self, api: Api, config: SmarterMailConfig, clock: Clock) -> None:
        self._api = api
        self._zone = config.zone
        self._history = config.history
        self._clock = clock
        self._known: OrderedDict[str, Accepted | None] = OrderedDict()
        self._hours: OrderedDict[datetime, list[Line]] = OrderedDict()

    async def after(self, cursor: str | None, limit: int) -> list[Taken]:
        """Return up to ``limit`` accepted messages after the cursor. Raises ServerDown."""
        now = self._here()
        day, place, last = self._begin(cursor, now)
        taken: list[Taken] = []
        while day <= now.date() and len(taken) < limit:
            # The day before is over for good before the first of a new day is taken.
            if place == 0 and day == now.date() and now.time() < _DAY_SETTLED:
                break
            found = await self._entries(day)
            start = _locate(found, place, last)
            some = found[start : start + limit - len(taken)]
            details = await self._details(day, some)
            taken += [
                Taken(f"{day}/{number}/{entry.file_name}", self._utc(entry.at), message)
                for number, (entry, message) in enumerate(
                    zip(some, details, strict=True), start + 1
                )
            ]
            day, place, last = day + timedelta(days=1), 0, ""
        return taken

    async def find(self, file_names: Iterable[str]) -> dict[str, Accepted]:
        """Return what the log tells of these files, as far back as mail waits."""
        asked = list(file_names)
        wanted = {name for name in asked if not self._settled(name)}
        today = self._here().date()
        oldest = today - max(self._history, _WAITS)
        day = today
        while wanted and day >= oldest:
            some = [entry for entry in await self._entries(day) if entry.file_name in wanted]
            await self._details(day, some)
            wanted -= {entry.file_name for entry in some}
            day -= timedelta(days=1)
        # Webmail's, or older: these are not looked for again with each page.
        for name in wanted - self._known.keys():
            self._remember(name, None)
        known = ((name, self._known.get(name)) for name in asked)
        return {name: message for name, message in known if message is not None}

    def arrival(self, message: Accepted) -> datetime:
        """Return when a message was accepted."""
        return self._utc(message.entry.at)

    async def detailed(self) -> tuple[int, bool]:
        """Return how many messages today's log shows, and whether it tells their senders."""
        day = self._here().date()
        found = await self._entries(day)
        newest = (await self._details(day, found[-1:]))[:1]
        return len(found), not newest or newest[0].sender is not None

    # -- entries ---------------------------------------------------------------------

    async def _entries(self, day: date) -> list[Entry]:
        """Return the accepted messages of a day, in the order accepted."""
        found = await self._search(day, log.ACCEPTED)
        return await asyncio.to_thread(log.entries, found)

    async def _details(self, day: date, some: Sequence[Entry]) -> list[Accepted]:
        """Return what the log tells of each of these, in their order."""
        missing = [entry for entry in some if not self._knows(entry)]
        sessions = list(dict.fromkeys(entry.conversation for entry in missing))
        if len(sessions) > _FEW_SESSIONS:
            found = await self._search(day, "", only=frozenset(sessions))
            for message in (await asyncio.to_thread(log.accepted, found)).values():
                self._remember(message.entry.file_name, message)
        else:
            for client, session in sessions:
                await self._converse(day, client, session)
        for entry in some:
            known = self._known.get(entry.file_name)
            if known is not None and not _complete(known):
                self._remember(entry.file_name, await self._begun_before(day, known))
        # A file name comes round again in time: what is known must be of this very entry.
        told = [self._known.get(entry.file_name) for entry in some]
        return [
            message if message is not None and message.entry == entry else Accepted(entry)
            for entry, message in zip(some, told, strict=True)
        ]

    def _settled(self, name: str) -> bool:
        known = self._known.get(name)
        return name in self._known and (known is None or _complete(known))

    def _knows(self, entry: Entry) -> bool:
        message = self._known.get(entry.file_name)
        return message is not None and message.entry == entry

    async def _converse(self, day: date, client: str, session: str) -> None:
        for message in log.accepted(await self._session(day, client, session)).values():
            self._remember(message.entry.file_name, message)

    async def _session(self, day: date, client: str, session: str) -> list[Line]:
        found = await self._search(day, f"[{session}]")
        return [line for line in found if (line.client, line.session) == (client, session)]

    async def _begun_before(self, day: date, message: Accepted) -> Accepted:
        """Complete a message whose session began before midnight."""
        client, session = message.entry.conversation
        before = await self._session(day - timedelta(days=1), client, session)
        found = [*before, *await self._session(day, client, session)] if before else []
        return replace(log.accepted(found).get(message.entry.file_name, message), whole=True)

    def _remember(self, name: str, message: Accepted | None) -> None:
        self._known[name] = message
        self._known.move_to_end(name)
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)

    # -- the call --------------------------------------------------------------------

    async def _search(
        self, day: date, what: str, *, only: frozenset[tuple[str, str]] | None = None
    ) -> list[Line]:
        """Return the lines of a day that hold this text."""
        start = datetime.combine(day, time.min)
        text, cut = await self._ask(start, start + timedelta(days=1, milliseconds=-1), what)
        found = await asyncio.to_thread(log.lines, text, day, only)
        return await self._by_hours(day, what, found, only) if cut else found

    async def _ask(self, start: datetime, end: datetime, what: str) -> tuple[str, bool]:
        body = {
            "start": start.isoformat(timespec="milliseconds"),
            "end": end.isoformat(timespec="milliseconds"),
            "type": "smtpLog",
            "search": what,
            "related": False,
        }
        try:
            answer = await self._api.post(_LOG_FILES, body, doing=tr(_READ))
        except Refusal as refusal:
            # A day on which nothing was logged has no file.
            if refusal.nothing_there:
                return "", False
            raise
        text = answers.field(answer, "result")
        if not isinstance(text, str):
            raise self._api.failure(
                tr(_READ),
                tr("its answer holds no lines"),
                tr("Nothing was counted; try again in a minute."),
            )
        return text, answers.flag(answer, "isTruncated") is True

    async def _by_hours(
        self,
        day: date,
        what: str,
        cut: Sequence[Line],
        only: frozenset[tuple[str, str]] | None,
    ) -> list[Line]:
        """Read a day whose answer was cut, hour by hour.

        That the server heeds the hours is not taken on trust: each line of the cut answer
        must come back, and every line must lie in its hour.
        """
        found: list[Line] = []
        now = self._here()
        for hour in range(24):
            start = datetime.combine(day, time(hour))
            if start > now:
                break
            settled = now - start > timedelta(hours=1) + _HOUR_SETTLES
            of_hour = await self._hour(start, what, settled=settled)
            found += [
                line for line in of_hour if only is None or (line.client, line.session) in only
            ]
        if not set(cut[1:-1]) <= set(found):  # its first and last line may be half ones
            raise self._cut_short()
        return found

    async def _hour(self, start: datetime, what: str, *, settled: bool) -> list[Line]:
        remembers = settled and what == log.ACCEPTED
        if remembers and start in self._hours:
            return self._hours[start]
        end = start + timedelta(hours=1, milliseconds=-1)
        text, cut = await self._ask(start, end, what)
        found = await asyncio.to_thread(log.lines, text, start.date())
        if cut or any(line.at.hour != start.hour for line in found):
            raise self._cut_short()
        if remembers:
            self._hours[start] = found
            while len(self._hours) > 72:
                self._hours.popitem(last=False)
        return found

    def _cut_short(self) -> Exception:
        return self._api.failure(
            tr(_READ),
            tr("it cuts its answer short"),
            tr("Nothing was counted or lost; raise SmarterMail's limit on log search results."),
        )

    # -- time ------------------------------------------------------------------------

    def _here(self) -> datetime:
        """Return the server's own time now, without a zone."""
        return self._clock.now().astimezone(self._zone).replace(tzinfo=None)

    def _utc(self, at: datetime) -> datetime:
        return at.replace(tzinfo=self._zone).astimezone(UTC)

    def _begin(self, cursor: str | None, now: datetime) -> tuple[date, int, str]:
        found = _CURSOR.fullmatch(cursor or "")
        if found is not None:
            try:
                return date.fromisoformat(found[1]), int(found[2]), found[3]
            except ValueError:
                pass
        return (now - self._history).date(), 0, ""


def _complete(message: Accepted) -> bool:
    """Tell whether the day's log tells all of a message, as far as there is more to know."""
    return message.whole or message.entry.at.hour >= _LONGEST_SESSION


def _locate(found: Sequence[Entry], place: int, last: str) -> int:
    """Return where to go on: after ``place`` entries, the newest of which was ``last``.

    Where they are other entries (somebody cut the log), after ``last``; where that is gone
    as well, it is a new log, and all of it is new.
    """
    if place == 0:
        return 0
    if place <= len(found) and found[place - 1].file_name == last:
        return place
    for index in range(len(found) - 1, -1, -1):
        if found[index].file_name == last:
            return index + 1
    return 0
