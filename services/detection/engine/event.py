"""What the engine is fed: one submission, or one piece of news about an earlier one."""

from typing import NamedTuple

from services.mail.port import DEFERRED as DEFERRED
from services.mail.port import REJECTED as REJECTED

#: Outcomes that speak against a sender. Nothing said means delivered, or not yet known.
BAD = frozenset((REJECTED, DEFERRED))


class Event(NamedTuple):
    """One thing that happened on a mail server.

    With ``recipients`` it is a submission. With none it is news: a bad ``outcome`` of a
    message sent before, or ``failures`` (failed logins). ``user`` is who logged in; ""
    is nobody, and then only the client's address counts, if it is a trusted one. ``to``
    holds addresses, or "@domain" where no more is known, or nothing. ``id`` tells a
    repeated event from a new one; without one every event is new.

    A named tuple and not a dataclass: a million are made and taken apart in seconds.
    """

    time: float  # seconds since 1970, UTC
    user: str
    ip: str
    recipients: int
    subject: str = ""
    size: int = 0
    to: tuple[str, ...] = ()
    outcome: str = ""
    failures: int = 0
    id: str = ""
