"""Lines of SmarterMail's SMTP log, and what they tell of accepted messages.

A line is ``12:20:49.123 [203.0.113.1][14183571] cmd: DATA``; the log call puts the date
in front. The bracketed shape, and the two lines that follow an accepted message, are in a
public log viewer and its tests (A):

    Successfully wrote to the HDR file. (…/SubSpool8/67518204.hdr)
    Data transfer succeeded, writing mail to 67518204.eml (MessageID: <…>)

``cmd:`` and ``rsp:`` are in public recordings (B). ``Authenticated as USER``,
``Authenticating as USER``, ``connected at`` and ``Received message size: N bytes`` are in
administrators' posts (C). The log must be kept at the level Detailed.

What a client says stands behind ``cmd: `` only, so it cannot pass for another line. A line
cut in half is no line yet: it is read whole the next time.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

from services.mail.embedded.address import NULL_PATH, client_address, parse_path
from services.mail.embedded.headers import printable
from services.mail.port import MAX_ADDRESS

#: What the line of an accepted message says: what to search the log for.
ACCEPTED = "Data transfer succeeded, writing mail to"  # not shown

_LINE = re.compile(
    r"(?:\[?\d{4}[-./]\d{1,2}[-./]\d{1,2}\]?[ T]+)?"
    r"(\d{2}:\d{2}:\d{2})(?:\.(\d{1,6}))?\d* \[([0-9A-Fa-f.:%]{2,60})\] ?\[([\w-]{1,40})\] (.*)"
)
_FILE = re.compile(rf"{ACCEPTED} ([\w.-]{{1,100}}\.eml)(?: \(|$)", re.ASCII)
_SIZE = re.compile(r"Received message size: (\d{1,12}) bytes", re.ASCII)
_SIZE_SAID = re.compile(r"\bSIZE=(\d{1,12})\b", re.ASCII | re.IGNORECASE)
_AUTHENTICATED = re.compile(r"Authenticated as (\S{1,256})")
_AUTHENTICATING = re.compile(r"Authenticating as (\S{1,256})")
_MOST_RECIPIENTS = 1000  # kept for each message, and counted
# Clocks are set back by an hour, not by seconds.
_STEP_BACK = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Line:
    """One line. ``at`` is the server's own time, without a zone."""

    at: datetime
    client: str
    session: str
    said: str


@dataclass(frozen=True, slots=True)
class Entry:
    """That a message was accepted: its file, and the session that brought it."""

    at: datetime
    client: str
    session: str
    file_name: str

    @property
    def conversation(self) -> tuple[str, str]:
        """What tells its session from all others of the day."""
        return self.client, self.session


@dataclass(frozen=True, slots=True)
class Accepted:
    """An accepted message, as its session tells it.

    ``whole`` is whether the session was seen from its beginning; if not, who
    authenticated may be unknown. ``sender`` None: the log does not say.
    """

    entry: Entry
    user: str | None = None
    sender: str | None = None
    recipients: tuple[str, ...] = ()
    size: int | None = None
    whole: bool = False
    login_failures: int = 0  # in its session, since the message before


def lines(text: str, day: date, only: frozenset[tuple[str, str]] | None = None) -> list[Line]:
    """Return the lines of a day's log that make sense, in their order.

    With ``only``, those of these conversations: a whole day is too long to keep. Where the
    clock is set back in the night, times after that have ``fold`` set.
    """
    found: list[Line] = []
    newest = datetime.combine(day, time.min)
    fold = 0
    for raw in text.splitlines():
        match = _LINE.fullmatch(raw.strip())
        if match is None:
            continue
        clock, fraction, client, session, said = match.groups()
        try:
            at = datetime.combine(day, time.fromisoformat(clock))
            client = str(client_address(client))
        except ValueError:
            continue
        at = at.replace(microsecond=int((fraction or "0").ljust(6, "0")))
        if newest - at > _STEP_BACK:
            fold = 1
        newest = max(newest, at) if not fold else newest
        if only is None or (client, session) in only:
            found.append(Line(at.replace(fold=fold), client, session, said))
    return found


def entries(found: Iterable[Line]) -> list[Entry]:
    """Return the accepted messages among these lines."""
    return [
        Entry(line.at, line.client, line.session, match[1])
        for line in found
        if (match := _FILE.match(line.said))
    ]


@dataclass(slots=True)
class _Session:
    """What one session has said so far."""

    whole: bool = False
    user: str | None = None
    trying: str | None = None
    pending: list[str] = field(default_factory=list)
    sender: str | None = None
    recipients: list[str] = field(default_factory=list)
    size: int | None = None
    login_failures: int = 0

    def begin_message(self) -> None:
        self.sender, self.recipients, self.size = None, [], None


def accepted(found: Iterable[Line]) -> dict[str, Accepted]:
    """Return each accepted message by its file name, from the conversations in these lines."""
    sessions: dict[tuple[str, str], _Session] = {}
    messages: dict[str, Accepted] = {}
    for line in found:
        key = (line.client, line.session)
        session = sessions.setdefault(key, _Session())
        said = line.said
        if said.startswith("connected at"):  # not shown
            sessions[key] = _Session(whole=True)
        elif said.startswith("cmd: "):
            session.pending.append(said.removeprefix("cmd: "))
        elif said.startswith("rsp: "):
            _reply(session, said.removeprefix("rsp: "))
        elif match := _AUTHENTICATED.fullmatch(said):
            session.user = _address(match[1])
        elif match := _AUTHENTICATING.fullmatch(said):
            session.trying = _address(match[1])
        elif match := _SIZE.match(said):
            session.size = int(match[1])
        elif match := _FILE.match(said):
            messages[match[1]] = Accepted(
                entry=Entry(line.at, line.client, line.session, match[1]),
                user=session.user,
                sender=session.sender,
                recipients=tuple(session.recipients),
                size=session.size,
                whole=session.whole,
                login_failures=session.login_failures,
            )
            session.login_failures = 0
    return messages


def _reply(session: _Session, reply: str) -> None:
    if reply[3:4] == "-":  # more lines of it follow
        return
    code = reply[:3]
    if code == "220" and not session.pending:  # the greeting
        session.whole = True
        return
    command = session.pending.pop(0) if session.pending else ""
    verb = command[:4].upper()
    if code == "535":
        session.login_failures += 1
    if code == "235" and session.trying is not None:
        session.user = session.trying
    if not code.startswith("2"):
        return
    if verb == "MAIL":
        session.begin_message()
        session.sender = _path(command)
        said = _SIZE_SAID.search(command)
        session.size = int(said[1]) if said else None
    elif verb == "RCPT" and len(session.recipients) < _MOST_RECIPIENTS:
        recipient = _path(command)
        if recipient:
            session.recipients.append(recipient)


def _path(command: str) -> str | None:
    """Return the address in MAIL FROM:<…> or RCPT TO:<…>, “” for the null sender."""
    path = command.partition(":")[2]
    parsed = parse_path(path)
    if parsed is None:
        return _address(path.strip().strip("<>"))
    return "" if parsed[0] == NULL_PATH else _address(parsed[0])


def _address(text: str) -> str:
    return printable(text[:MAX_ADDRESS])
