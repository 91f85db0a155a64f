"""What somebody typed after /spool, parsed into typed values.

    /spool search sender:anna@example.com subject:"cheap pills" older:30m page:2
    /spool block 203.0.113.9 for:24h
    /spool top ips 5m

Words with a colon are named, one word without a name may go to the command's
first argument. Where several may go without one, each goes where it can be read.
Quotes (straight or typographic) hold words together.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from ipaddress import ip_network
from typing import Any

from services.errors import BadArgument
from services.language import later, tr
from services.mail.domains import as_domain
from services.mail.port import MAX_ADDRESS, Network, Queue
from services.tables import Kind, Window

_WORD = re.compile(r'(?:([A-Za-z]+):)?(?:"([^"]*)"?|(\S+))')
# A chat may rewrite addresses and links in what is typed, where escaping is switched on.
_LINK = re.compile(r"<(?:mailto:|https?://)([^|>]*)(?:\|[^>]*)?>")
_QUOTES = str.maketrans({"“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "\u00a0": " "})
_LENGTH = re.compile(r"(\d{1,6})\s*(s|sec|m|min|h|hours?|d|days?)")
_FOLDER = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_DAYS = re.compile(r"(\d{1,6})\s*(?:d|days?)")
#: Traffic is kept for so long.
MOST_DAYS = 366
_PERIODS = later("it is today, 7d, or days such as 2026-11-01..2026-11-07")
_FIRST = date(1970, 1, 1)  # the period before an earlier day may begin before the calendar does
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_LONGEST = timedelta(days=3650)
PIN_WORDS = ("show", "remove")


@dataclass(frozen=True, slots=True)
class During:
    """Whole days: the last so many, or from one to another; None is today."""

    days: int = 1
    first: date | None = None
    last: date | None = None


@dataclass(frozen=True, slots=True)
class Arguments:
    """Everything that can be typed, parsed. None (or the default) where it was not."""

    account: str | None = None
    sender: str | None = None
    to: str | None = None
    ip: Network | None = None
    subject: str | None = None
    older: timedelta | None = None
    queue: Queue | None = None
    folder: str | None = None
    lasting: timedelta | None = None
    receive: bool = True
    permanent: bool = False
    page: int = 1
    window: Window = Window.HOUR
    kind: Kind = Kind.USERS
    during: During | None = None
    domain: str | None = None
    server: str | None = None
    about: str | None = None
    incident: int = 0
    remove: bool = False


class Known(StrEnum):
    """What the bot can list while somebody types an argument."""

    SENDER = "sender"  # who has messages in the spool
    ACCOUNT = "account"  # whom an open incident is about, then senders
    FOLDER = "folder"
    BLOCKED = "blocked"  # networks on the block list
    SERVER = "server"


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a command: as it is typed, where it goes, and how it is read.

    ``choices`` are all there are, where they are few; ``known`` is what can be suggested.
    """

    typed: str  # the name before the colon
    into: str  # the field of Arguments
    read: Callable[[str], Any]
    means: str  # what it is, in the help
    required: bool = False
    first: bool = False  # may be typed without its name
    choices: tuple[str, ...] = ()
    known: Known | None = None
    number: bool = False


def parse(text: str, takes: tuple[Argument, ...], example: str) -> Arguments:
    """Parse ``text`` for a command that takes these. Raises BadArgument with the example."""
    by_name: Mapping[str, Argument] = {argument.typed: argument for argument in takes}
    words: list[tuple[Argument, str]] = []
    for name, quoted, bare in _WORD.findall(_straighten(text)):
        value = quoted or bare
        argument = by_name.get(name.lower()) if name else None
        whole = f"{name}:{value}" if name else value
        if argument is None:
            argument, value = _unnamed(takes, words, name, whole), whole
        if argument is None:
            known = ", ".join(f"{a.typed}:" for a in takes) or tr("nothing")
            raise BadArgument(
                tr(
                    "I do not understand “{word}” here; this takes {known}. Example: {example}",
                    word=whole[:60],
                    known=known,
                    example=example,
                )
            )
        words.append((argument, value))
    return read(words, takes, example)


def read(
    words: Iterable[tuple[Argument, str]], takes: tuple[Argument, ...], example: str
) -> Arguments:
    """Read what was given for each argument. Raises BadArgument with the example."""
    found: dict[str, Any] = {}
    for argument, value in words:
        if argument.into in found:
            raise BadArgument(
                tr(
                    "{argument}: is there twice. Example: {example}",
                    argument=argument.typed,
                    example=example,
                )
            )
        try:
            found[argument.into] = argument.read(value)
        except ValueError as error:
            raise BadArgument(
                tr(
                    "I read “{word}” as {argument}:, but {why}. Example: {example}",
                    word=value[:60],
                    argument=argument.typed,
                    why=error,
                    example=example,
                )
            ) from error
    for argument in takes:
        if argument.required and argument.into not in found:
            raise BadArgument(
                tr(
                    "{argument}: is missing. Example: {example}",
                    argument=argument.typed,
                    example=example,
                )
            )
    return Arguments(**found)


def _straighten(text: str) -> str:
    # Half of a surrogate pair is no character; neither a database nor JSON would take it.
    text = text[:4000].encode("utf-8", "replace").decode("utf-8")
    text = _LINK.sub(lambda match: match[1], text.translate(_QUOTES))
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _unnamed(
    takes: tuple[Argument, ...], given: list[tuple[Argument, str]], name: str, word: str
) -> Argument | None:
    """Return which argument a word goes to that has none of their names before it, if any."""
    first = [argument for argument in takes if argument.first]
    for argument in first:
        if any(taken is argument for taken, _ in given):
            continue
        # An IPv6 address has colons of its own; nothing else that goes without a name has.
        if name and argument.read is not read_network:
            continue
        # What cannot be read is told as such, unless it may be meant for another.
        if (len(first) == 1 and not name) or _reads(argument, word):
            return argument
    return None


def _reads(argument: Argument, value: str) -> bool:
    try:
        argument.read(value)
    except ValueError:
        return False
    return True


def read_address(value: str) -> str:
    """Read a mail address or the login name of a system account; case is folded."""
    if len(value) > MAX_ADDRESS or any(c.isspace() for c in value) or not value:
        raise ValueError(tr("that is no mail address"))
    return value.lower()


def read_network(value: str) -> Network:
    """Read an IP address or a CIDR network."""
    try:
        return ip_network(value, strict=False)
    except ValueError:
        raise ValueError(tr("that is no IP address or network such as 203.0.113.0/24")) from None


def read_length(value: str) -> timedelta:
    """Read a length of time: 90s, 30m, 24h, 7d."""
    match = _LENGTH.fullmatch(value.lower())
    if not match:
        raise ValueError(tr("a length of time is written like 30m, 24h or 7d"))
    length = timedelta(seconds=int(match[1]) * _UNITS[match[2][0]])
    if not timedelta(0) < length <= _LONGEST:
        raise ValueError(tr("that is no sensible length of time"))
    return length


def read_queue(value: str) -> Queue:
    """Read a queue's name."""
    try:
        return Queue(value.lower())
    except ValueError:
        raise ValueError(tr("a queue is one of {queues}", queues=", ".join(Queue))) from None


def read_window(value: str) -> Window:
    """Read how far back a table goes; 1d is 24h."""
    try:
        length = read_length(value)
        return next(window for window in Window if window.length == length)
    except (ValueError, StopIteration):
        raise ValueError(tr("a table goes back {windows}", windows=", ".join(Window))) from None


def read_kind(value: str) -> Kind:
    """Read what a table is of."""
    try:
        return Kind(value.lower())
    except ValueError:
        raise ValueError(tr("a table is of {kinds}", kinds=", ".join(Kind))) from None


def read_during(value: str) -> During:
    """Read a report's period: today, 7d, or 2026-11-01..2026-11-07."""
    if value.lower() == "today":
        return During()
    if match := _DAYS.fullmatch(value.lower()):
        days = int(match[1])
        if not 1 <= days <= MOST_DAYS:
            raise ValueError(tr("a report is of 1 to {days} days", days=MOST_DAYS))
        return During(days)
    first, dots, last = value.partition("..")
    try:
        begin, end = date.fromisoformat(first), date.fromisoformat(last if dots else first)
    except ValueError:
        raise ValueError(tr(_PERIODS)) from None
    if begin < _FIRST:
        raise ValueError(tr(_PERIODS))
    if end < begin:
        raise ValueError(tr("it ends before it begins"))
    if (end - begin).days >= MOST_DAYS:
        raise ValueError(tr("a report is of 1 to {days} days", days=MOST_DAYS))
    return During((end - begin).days + 1, begin, end)


def read_domain(value: str) -> str:
    """Read a domain, as it is read or as xn--…; it is given back as xn--…."""
    try:
        return as_domain(value.removeprefix("@"))
    except ValueError:
        raise ValueError(tr("not a domain, such as example.com")) from None


def read_folder(value: str) -> str:
    """Read a quarantine folder's name."""
    if not _FOLDER.fullmatch(value.lower()):
        raise ValueError(tr("a folder's name has up to 40 letters, digits, - or _"))
    return value.lower()


def read_text(value: str) -> str:
    """Read any text."""
    if not value.strip():
        raise ValueError(tr("it is empty"))
    return value[:200]


def read_page(value: str) -> int:
    """Read a page number."""
    if not value.isdecimal() or len(value) > 6 or not 1 <= int(value) <= 100_000:
        raise ValueError(tr("a page is a number from 1"))
    return int(value)


def read_number(value: str) -> int:
    """Read an incident's number."""
    number = value.removeprefix("#")
    if not number.isdecimal() or len(number) > 9 or int(number) < 1:
        raise ValueError(tr("an incident has a number, such as 7"))
    return int(number)


def read_pin(value: str) -> bool:
    """Read whether what is pinned is to be taken away."""
    if value.lower() not in PIN_WORDS:
        raise ValueError(tr("it is {one} or {other}", one=PIN_WORDS[0], other=PIN_WORDS[1]))
    return value.lower() == "remove"


def read_yes(value: str) -> bool:
    """Read yes or no."""
    if value.lower() not in ("yes", "no"):
        raise ValueError(tr("it is yes or no"))
    return value.lower() == "yes"
