"""Lines of Postfix's log, read as hostile bytes.

What a sender controls stands after the queue id and cannot hold a line end (Postfix logs
a question mark for it), so a line is recognised by its beginning only.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from services.mail.embedded.headers import decode_header
from services.mail.port import DEFERRED, MAX_ADDRESS, REJECTED
from services.mail.postfix.contents import client_ip

_STAMP = rb"[0-9]{4}-[0-9-]{5}T\S{8,24}|[A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8}"
_BEGINS = re.compile(_STAMP)
_INTAKE = re.compile(
    rb"[^\[\s]*\[(?P<ip>[^\]\s]*)\](?::\d+)?(?:, sasl_method=[^,]*)?"
    rb"(?:, sasl_username=(?P<user>.*?))?(?:, sasl_sender=.*?)?"
    rb"(?P<again>, orig_queue_id=(?P<id>.*?))?"
    rb"(?:, orig_client=(?P<origin>[^\[\s]*\[(?P<first>[^\]\s]*)\]).*)?\Z"
)
_QUEUED = re.compile(
    rb"(?P<sender>.*)>, size=(?P<size>\d+), nrcpt=(?P<nrcpt>\d+) \(queue active\)\Z"
)
# An address may hold what ends it if that is quoted.
_ADDRESS = rb'(?:[^">]|"(?:[^"\\]|\\.)*")*'
_DELIVERY = re.compile(
    rb"(?P<to>" + _ADDRESS + rb")>, (?:orig_to=<" + _ADDRESS + rb">, )?relay=(?P<relay>[^,]*), "
    rb"(?:conn_use=[^,]*, )?delay=[^,]*, delays=[^,]*, (?:tls=[^,]*, )?dsn=[0-9.]*, "
    rb"status=(?P<status>[a-zA-Z]+) "
)
# The other side, as the SMTP client names it: who could not be reached is "none".
_RELAY = re.compile(rb"[^\[\s]*\[[0-9A-Fa-f.:]+\](?::\d+)?\Z")
_FAILED_LOGIN = re.compile(
    rb"[^\[\s]*\[(?P<ip>[^\]\s]*)\](?::\d+)?: SASL \S+ authentication failed"
    rb"(?::.*?(?:, sasl_username=(?P<user>.*))?)?\Z"
)
_ADDRESSEE = re.compile(rb"; from=<" + _ADDRESS + rb"> to=<(" + _ADDRESS + rb")>(?: proto=|: |\Z)")
_SUBJECT = re.compile(rb"subject:[ \t]*(.*)\Z", re.IGNORECASE | re.DOTALL)
# What "postsuper -r" had taken in anew. No address ends so: each is followed by what ends it.
_REQUEUED = re.compile(rb"> orig_id=([0-9A-Za-z]+)\Z")
_NOBODY = ("", "(unavailable)")
# RFC 5322, 2.1.1: a line has at most 998 characters.
_NO_NAME, _MAX_NAME = b"<>", 998
_MONTHS = {
    name: number
    for number, name in enumerate(
        (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov",
         b"Dec"), 1,
    )
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Intake:
    """A client began to hand over a message. ``again``: this server had it before."""

    queue_id: str
    at: datetime
    ip: str | None
    user: str | None
    again: bool
    first_id: str  # under which it had it, "" if that is not told
    origin: bytes  # how the client is called in later lines of the same message
    by_program: bool = False  # one of this machine, which called sendmail
    forwarded: bool = False  # by a proxy, which said for whom: that is ``ip``


@dataclass(frozen=True, slots=True)
class Subject:
    """A header check told a message's subject."""

    queue_id: str
    raw: bytes

    def text(self, origin: bytes) -> str:
        """Return the subject; what is logged after it begins with the client's name."""
        return decode_header(_UNFOLD.sub(b"?= =?", self.raw.partition(b" from " + origin)[0]))

    def addressee(self, origin: bytes) -> str:
        """Return the recipient that is logged with it: one of them; "" if there is none."""
        found = _ADDRESSEE.match(self.raw.partition(b" from " + origin)[2])
        return "" if found is None else _text(found[1])


@dataclass(frozen=True, slots=True)
class Named:
    """A message's Message-ID: what its sender chose, or Postfix where there was none."""

    queue_id: str
    message_id: bytes


# A folded header's line end is logged as a question mark.
_UNFOLD = re.compile(rb"\?=\?[ \t]+=\?")


@dataclass(frozen=True, slots=True)
class Queued:
    """The queue manager took a message on: the first time, it has been accepted."""

    queue_id: str
    at: datetime
    sender: str
    size: int
    recipients: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """What came of one attempt to reach one recipient.

    ``outcome`` is what the other side has against it, "" where it has nothing, or was not
    even asked: then that says nothing about who sent it.
    """

    queue_id: str
    at: datetime
    recipient: str
    outcome: str


@dataclass(frozen=True, slots=True)
class FailedLogin:
    """A client gave a wrong password. ``user`` is None where Postfix does not log whose.

    ``times``: a syslog daemon may write what comes again and again once, and how often.
    """

    at: datetime
    ip: str | None
    user: str | None
    times: int = 1


Event = Intake | Subject | Named | Queued | Delivery | FailedLogin


# What stands between the id and the rest in a line that tells something. Postfix writes
# them once a line; a sender can write them again, so each only says which line to look at.
_CLIENT = b": client="
_LOGIN = b" authentication failed"
_MARKS = (
    _CLIENT, b": from=<", b": uid=", b": message-id=", b": info: header ", b": warning: header ",
    b": to=<", _LOGIN,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Client:
    """Who handed a message over, as it is written. ``again``: this server had it before.

    ``forwarded``: the address is what a proxy said that it is. ``origin`` is how later lines
    of the same message call the client.
    """

    address: bytes
    login: bytes
    again: bool
    first_id: bytes
    forwarded: bool
    origin: bytes

    @property
    def ip(self) -> str | None:
        """The address, None if it is none."""
        return client_ip(self.address)

    @property
    def user(self) -> str | None:
        """The login, None if there was none."""
        return self.login.decode("utf-8", "replace")[:MAX_ADDRESS] or None


class LineParser:
    """Finds the lines of one Postfix instance in a log that others may write to as well."""

    def __init__(self, syslog_name: str, zone: tzinfo | None) -> None:
        name = re.escape(syslog_name.encode())
        self._zone = zone
        service = rb" \S+ " + name + rb"(?:/[^\s\[\]/:]+)*\[[0-9]+\]: "
        self._client_line = re.compile(
            rb"(?:" + _STAMP + rb")" + service + rb"[0-9A-Za-z]{6,64}: client=([^\n]*)"
        )
        begin = rb"(" + _STAMP + rb")" + service
        self._line = re.compile(
            begin + rb"(?:([0-9A-Za-z]{6,64}): (client=|from=<|uid=|to=<|message-id=|"
            rb"(?:info|warning): header )|"
            rb"(?:message repeated ([0-9]{1,9}) times: \[ ?)?warning: (?=[^\[\s]*\[))([^\n]*)"
        )
        self._stamps: dict[bytes, datetime] = {}

    def events(self, lines: bytes, written: datetime) -> Iterator[tuple[int, int, Event]]:
        """Yield what whole lines tell: where the line begins and ends, and the event.

        ``written`` is when the file was last written: stamps without a year are before it.
        """
        # Most lines are not looked at: finding a mark is many times faster than a pattern.
        end = 0
        for mark in sorted(at for text in _MARKS for at in _all(text, lines)):
            if mark < end:
                continue  # another one in the same line
            found = self._line.match(lines, lines.rfind(b"\n", end, mark) + 1 or end)
            if found is None:
                continue
            end = found.end() + 1
            event = self._event(found, written)
            if event is not None:
                yield found.start(), end, event

    def count_clients(
        self, lines: bytes, counts: dict[bytes, int], begin: int = 0, end: int | None = None
    ) -> None:
        """Count what the whole lines between tell of clients, each text for :func:`client`."""
        match, find, rfind, known = self._client_line.match, lines.find, lines.rfind, counts.get
        at = find(_CLIENT, begin, end)
        while at >= 0:
            found = match(lines, rfind(b"\n", 0, at) + 1)
            if found is None:
                at = find(b"\n", at) + 1 or len(lines)  # look at no line twice
            else:
                text = found[1]
                counts[text] = known(text, 0) + 1
                at = found.end()
            at = find(_CLIENT, at, end)

    def _event(self, found: re.Match[bytes], written: datetime) -> Event | None:
        stamp, id_, kind, times, rest = found.groups()
        if id_ is None:
            if times is not None:
                rest = rest.removesuffix(b"]")
            return self._failed_login(stamp, rest, int(times or 1), written)
        queue_id = id_.decode("ascii")
        if kind == b"to=<":
            return self._delivery(stamp, queue_id, rest, written)
        if kind == b"from=<":
            queued = _QUEUED.match(rest)
            at = None if queued is None else self._moment(stamp, written)
            if queued is None or at is None:
                return None
            return Queued(
                queue_id, at, _text(queued["sender"]), int(queued["size"]), int(queued["nrcpt"])
            )
        if kind == b"message-id=":
            return Named(queue_id, b"" if rest == _NO_NAME else rest[:_MAX_NAME])
        if kind not in (b"client=", b"uid="):
            subject = _SUBJECT.match(rest)
            return None if subject is None else Subject(queue_id, subject[1])
        at = self._moment(stamp, written)
        if at is None:
            return None
        if kind == b"uid=":  # handed over by a program of this machine
            requeued = _REQUEUED.search(rest)
            return Intake(
                queue_id=queue_id,
                at=at,
                ip=None,
                user=None,
                again=requeued is not None,
                first_id="" if requeued is None else requeued[1].decode("ascii"),
                origin=b"local;",
                by_program=True,
            )
        by = client(rest)
        if by is None:
            return None
        return Intake(
            queue_id=queue_id,
            at=at,
            ip=by.ip,
            user=by.user,
            again=by.again,
            first_id=by.first_id.decode("ascii", "replace"),
            origin=by.origin,
            forwarded=by.forwarded,
        )

    def _delivery(
        self, stamp: bytes, queue_id: str, rest: bytes, written: datetime
    ) -> Delivery | None:
        found = _DELIVERY.match(rest)
        at = None if found is None else self._moment(stamp, written)
        if found is None or at is None:
            return None
        status, outcome = found["status"].lower(), ""
        if status == b"bounced":
            outcome = REJECTED
        elif status in (b"deferred", b"softbounce") and _RELAY.match(found["relay"]):
            outcome = DEFERRED
        return Delivery(queue_id, at, _text(found["to"]), outcome)

    def _failed_login(
        self, stamp: bytes, rest: bytes, times: int, written: datetime
    ) -> FailedLogin | None:
        found = _FAILED_LOGIN.match(rest)
        at = None if found is None else self._moment(stamp, written)
        if found is None or at is None:
            return None
        user = _text(found["user"] or b"")
        # What Postfix writes where the login never came so far.
        return FailedLogin(at, client_ip(found["ip"]), None if user in _NOBODY else user, times)

    def moment_of(self, line: bytes, written: datetime) -> datetime | None:
        """Return when a line was written, of a file last written then; None if it has no stamp."""
        found = _BEGINS.match(line)
        return None if found is None else self._moment(found[0], written)

    def _moment(self, stamp: bytes, written: datetime) -> datetime | None:
        known = self._stamps.get(stamp)
        if known is not None and abs((written - known).days) < 180:
            return known
        try:
            moment = self._read(stamp, written)
        except (ValueError, KeyError, OverflowError):
            return None
        if len(self._stamps) > 1000:
            self._stamps.clear()
        self._stamps[stamp] = moment
        return moment

    def _read(self, stamp: bytes, written: datetime) -> datetime:
        if stamp[:1].isdigit():
            moment = datetime.fromisoformat(stamp.decode("ascii"))
            return self._zoned(moment) if moment.tzinfo is None else moment.astimezone(UTC)
        month, day = _MONTHS[stamp[:3]], int(stamp[4:6])
        hour, minute, second = (int(part) for part in stamp[7:].split(b":"))
        # No year: the latest one that is not after the file was written. A leap second or
        # a clock set back may seem to be; a day's grace covers both, and zones.
        for year in range(written.year + 1, written.year - 9, -1):
            try:
                moment = datetime(year, month, day, hour, minute, min(second, 59))  # noqa: DTZ001
            except ValueError:
                if (month, day) != (2, 29):
                    raise
                continue
            zoned = self._zoned(moment)
            if (zoned - written).total_seconds() <= 86400:
                return zoned
        raise ValueError(stamp)

    def _zoned(self, moment: datetime) -> datetime:
        local = moment.astimezone() if self._zone is None else moment.replace(tzinfo=self._zone)
        return local.astimezone(UTC)


def client(text: bytes) -> Client | None:
    """Return whom the text after ``client=`` tells of, None if it is no such text."""
    found = _INTAKE.match(text)
    if found is None:
        return None
    address, user, again, first = found["ip"], found["user"], found["again"], found["first"]
    return Client(
        address=first or address,
        login=user or b"",
        again=again is not None,
        first_id=found["id"] or b"",
        forwarded=first is not None,
        origin=found["origin"] or text.partition(b"]")[0] + b"]",
    )


def _text(address: bytes) -> str:
    return address.decode("utf-8", "replace")[:MAX_ADDRESS]


def _all(text: bytes, lines: bytes) -> Iterator[int]:
    at = lines.find(text)
    while at >= 0:
        yield at
        at = lines.find(text, at + 1)
