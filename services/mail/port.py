"""The port every mail server serves, and the values that cross it.

A mail server module parses whatever its server says into these values at the
edge; nothing past the port sees a dict, a log line or a protocol reply. All
times are aware and in UTC, all sizes are bytes. Texts a sender controls
(addresses, subjects, headers, bodies) are passed as they came, decoded with
replacement and bounded in length; whoever shows them escapes them.
"""

from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network
from typing import Protocol

from services.language import tr

Network = IPv4Network | IPv6Network

#: Is told, while a mail server acts, how many of the messages that it was given are settled.
Tell = Callable[[int], None]


def nobody(_: int) -> None:
    """Hear how far it has come, and do nothing."""


# RFC 5321, 4.5.3.1.3: a path is at most 256 octets. Longer ones are cut.
MAX_ADDRESS = 256
# Subjects have no limit in RFC 5322; past this, people do not read on.
MAX_SUBJECT = 998
#: So many recipients of a message say enough of whom it goes to.
MAX_ADDRESSEES = 32

#: Outcomes that speak against a sender. Delivered is not told: it is what is expected.
REJECTED = "rejected"
DEFERRED = "deferred"


class Queue(StrEnum):
    """Where in the spool a message is."""

    ACTIVE = "active"  # waiting for its first attempt, or being delivered
    DEFERRED = "deferred"  # at least one attempt failed for now; will be tried again
    HELD = "held"  # stays where it is until released; not delivered
    QUARANTINE = "quarantine"  # moved to a folder for review; not delivered


#: Queues whose messages the server will try to deliver.
DELIVERING = (Queue.ACTIVE, Queue.DEFERRED)


class UserState(StrEnum):
    """What a mailbox may do."""

    ACTIVE = "active"
    NO_SENDING = "no-sending"  # cannot send, still receives
    REFUSING = "refusing"  # cannot send, and its mail is refused


@dataclass(frozen=True, slots=True)
class Message:
    """One message in the spool."""

    queue_id: str
    arrived: datetime
    size: int
    envelope_sender: str  # "" is the null sender of bounces
    authenticated_user: str | None
    client_ip: str | None
    recipients: tuple[str, ...]
    subject: str
    queue: Queue
    folder: str | None = None  # the quarantine folder, when queue is QUARANTINE
    last_error: str | None = None

    @property
    def sender(self) -> str:
        """The sender key: who authenticated, else the envelope sender. Never the From header."""
        return self.authenticated_user or self.envelope_sender


@dataclass(frozen=True, slots=True)
class Submission:
    """One message that the server accepted, as its log tells it: the detector's food.

    ``cursor`` is opaque and marks the place just after it. What follows ``subject`` is left
    empty by a server whose log does not tell it by then, and used where it is. ``message``
    is the server's own id: one that the sender writes could make many messages pass for one.
    """

    cursor: str
    at: datetime
    sender: str  # the sender key, as in Message.sender
    authenticated: bool
    client_ip: str | None
    recipients: int
    size: int
    subject: str
    addressees: tuple[str, ...] = ()  # at most MAX_ADDRESSEES of the recipients
    outcome: str = ""  # REJECTED or DEFERRED by the other side, when known by now
    login_failures: int = 0  # just before, from this client, where nobody knows whose they were
    message: str = ""  # tells one that is told again from a new one


@dataclass(frozen=True, slots=True)
class News:
    """What a log tells of an account beside its submissions, at the moment it came to be known.

    That the other side refused or put off what it had sent (``outcome``), once a message
    however many recipients and attempts it has; or that its logins failed. ``account`` is
    who had logged in to send it, or whose login it was; "" is nobody, and then it counts for
    ``client_ip``, if that is a host of our own.
    """

    cursor: str
    at: datetime
    account: str
    client_ip: str | None = None
    outcome: str = ""  # REJECTED or DEFERRED
    login_failures: int = 0
    message: str = ""  # as in Submission


#: What a log tells, in its order.
Record = Submission | News


def submitted(records: Iterable[Record]) -> list[Submission]:
    """Return the submissions among what a log tells."""
    return [record for record in records if isinstance(record, Submission)]


@dataclass(frozen=True, slots=True)
class Preview:
    """The head of one message, safe to hold: bounded, decoded, nothing executed or fetched.

    ``headers`` keep their order; at most 60, each value at most 998 characters.
    ``text`` is the first lines of the text/plain part, or of the HTML part with
    its markup removed; at most 2,000 characters. ``attachments`` are file names.
    """

    message: Message
    headers: tuple[tuple[str, str], ...]
    text: str
    attachments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SpoolQuery:
    """Which messages of the spool. Every given field must match; none given matches all.

    ``sender`` matches the sender key exactly, ``recipient`` a recipient exactly,
    both without regard to case; ``subject`` is contained in the subject, without
    regard to case; ``client_ip`` is an address or a CIDR network; ``arrived_before``
    and ``arrived_after`` bound the arrival. ``queues`` empty means all of them.
    ``sender_domains`` matches the domain of the sender key exactly, as is_in() of
    domains.py has it: none above or below; empty means any, or none at all.
    """

    sender: str | None = None
    recipient: str | None = None
    client_ip: Network | None = None
    subject: str | None = None
    arrived_before: datetime | None = None
    arrived_after: datetime | None = None
    queues: tuple[Queue, ...] = ()
    folder: str | None = None
    sender_domains: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a search, oldest arrival first, and how many match in all."""

    total: int
    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class SpoolCounts:
    """How many messages each queue holds, and the bytes of all."""

    active: int
    deferred: int
    held: int
    quarantine: int
    size: int

    @property
    def waiting(self) -> int:
        """Messages the server will still try to deliver."""
        return self.active + self.deferred


@dataclass(frozen=True, slots=True)
class SenderQueued:
    """How much of the spool one sender has waiting (active and deferred)."""

    sender: str
    messages: int


@dataclass(frozen=True, slots=True)
class SenderSpool:
    """How many of one sender's messages wait (active and deferred), and are held."""

    waiting: int = 0
    held: int = 0


class Fate(StrEnum):
    """What became of one message that a remedy was asked to act on."""

    DONE = "done"
    GONE = "already gone"  # not shown: delivered or deleted since it was seen
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class MessageResult:
    """What became of one message, and why where it failed."""

    queue_id: str
    fate: Fate
    why: str = ""


@dataclass(frozen=True, slots=True)
class User:
    """A mailbox. ``sessions`` counts its open authenticated SMTP sessions, None if unknown."""

    address: str
    state: UserState
    sessions: int | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """An entry of the SMTP block list. ``until`` None means until somebody lifts it."""

    network: Network
    reason: str
    since: datetime
    until: datetime | None = None


@dataclass(frozen=True, slots=True, init=False)
class Capability:
    """Whether the server can do a thing; where not, ``why`` is a sentence to show.

    Where it can, ``why`` is a sentence on what that leaves undone, if anything. It is given
    as the catalogue has it (``later``), and read in the language of who is spoken to.
    """

    able: bool
    sentence: str

    def __init__(self, able: bool, why: str = "") -> None:
        object.__setattr__(self, "able", able)
        object.__setattr__(self, "sentence", why)

    @property
    def why(self) -> str:
        """The sentence in the present language."""
        return tr(self.sentence)


ABLE = Capability(able=True)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What this server can do, asked before a button is offered."""

    preview: Capability = ABLE
    hold: Capability = ABLE  # hold and release
    quarantine: Capability = ABLE  # move and restore
    retry: Capability = ABLE  # try what waits again at once
    delete: Capability = ABLE
    no_sending: Capability = ABLE  # disable a user that still receives
    refusing: Capability = ABLE  # disable a user and refuse its mail
    set_password: Capability = ABLE
    delete_user: Capability = ABLE
    end_sessions: Capability = ABLE  # of one user, whatever it was logged in to
    copy_mail: Capability = ABLE  # read all that a mailbox holds
    block: Capability = ABLE
    block_expiry: Capability = ABLE  # the server itself lifts a block in time
    count_refused: Capability = ABLE  # how often a block has refused somebody
    # What submissions() tells beyond who sent how much from where: the detector uses it.
    tell_subjects: Capability = ABLE
    tell_recipients: Capability = ABLE  # their addresses
    tell_outcomes: Capability = ABLE
    tell_failed_logins: Capability = ABLE
    # What it counts of its traffic by itself, if it does, is no more than submissions() tells.
    tell_statistics: Capability = ABLE


class MailServer(Protocol):
    """A mail server, as Spoolwarden sees it.

    Every method may raise :class:`~services.errors.ServerDown`, and
    :class:`~services.errors.NotCapable` where :attr:`capabilities` says so.
    Acting methods can be called again with the same arguments: the second call
    changes nothing and says GONE or returns the state as it is. Those on messages ``tell``
    after each batch how many are settled.
    """

    @property
    def name(self) -> str:
        """The name from the configuration, shown in alerts and the audit log."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What this server can do."""
        ...

    async def own_networks(self) -> tuple[Network, ...]:
        """Return the server's own addresses, which must never be blocked."""
        ...

    async def submissions(self, after: str | None, limit: int) -> Sequence[Record]:
        """Return up to ``limit`` accepted messages, and news of them, after the cursor.

        In the order in which the log tells them: what became of a message is not known when
        it is accepted, and comes later, as :class:`News` in the same stream. None starts at
        the oldest the server remembers. Nothing is left out and nothing is repeated when
        each call gets the last cursor of the one before.
        """
        ...

    async def counts(self) -> SpoolCounts:
        """Return how full the spool is now."""
        ...

    async def top_queued(self, limit: int) -> Sequence[SenderQueued]:
        """Return the senders with most messages waiting, most first."""
        ...

    async def spool_of(self, senders: Collection[str]) -> Mapping[str, SenderSpool]:
        """Return what each of these senders, who are all looked for at once, has in the spool."""
        ...

    async def search(self, query: SpoolQuery, *, offset: int = 0, limit: int = 10) -> Page:
        """Return one page of the matching messages, oldest first."""
        ...

    async def matching_ids(self, query: SpoolQuery, *, limit: int) -> tuple[str, ...]:
        """Return the queue ids of up to ``limit`` matching messages, oldest first."""
        ...

    async def preview(self, queue_id: str) -> Preview | None:
        """Return the head of one message, None if it is gone."""
        ...

    async def raw(self, queue_id: str) -> bytes | None:
        """Return one whole message as it was accepted, None if it is gone."""
        ...

    async def hold(self, queue_ids: Sequence[str], *, tell: Tell = nobody) -> list[MessageResult]:
        """Stop delivering these, leaving them in the spool. Quarantined ones are GONE."""
        ...

    async def release(
        self, queue_ids: Sequence[str], *, tell: Tell = nobody
    ) -> list[MessageResult]:
        """Deliver these held messages again. Ones not held are GONE."""
        ...

    async def move(
        self, queue_ids: Sequence[str], folder: str, *, tell: Tell = nobody
    ) -> list[MessageResult]:
        """Move these from whichever queue or folder to the quarantine folder, made if new."""
        ...

    async def restore(
        self, queue_ids: Sequence[str], *, tell: Tell = nobody
    ) -> list[MessageResult]:
        """Put these back in the queue they were moved from (a held one comes back held)."""
        ...

    async def retry(self, queue_ids: Sequence[str], *, tell: Tell = nobody) -> list[MessageResult]:
        """Try to deliver these now, not at the next turn; one being tried now is DONE.

        Nothing is let go by it: held and quarantined ones are GONE, and stay where they are.
        """
        ...

    async def delete(self, queue_ids: Sequence[str], *, tell: Tell = nobody) -> list[MessageResult]:
        """Delete these for good, from whichever queue or folder."""
        ...

    async def folders(self) -> dict[str, int]:
        """Return each quarantine folder that holds messages, and how many."""
        ...

    async def user(self, address: str) -> User | None:
        """Return one mailbox, None if the server has no such user."""
        ...

    async def set_user_state(self, address: str, state: UserState) -> UserState:
        """Set what a mailbox may do, in force at once, open sessions included.

        Returns the state before. Raises BadArgument if there is no such user.
        """
        ...

    async def set_password(self, address: str, password: str) -> None:
        """Change a mailbox's password. Raises BadArgument if there is no such user."""
        ...

    async def delete_user(self, address: str) -> None:
        """Delete a mailbox, with its mail where the server keeps that.

        Raises BadArgument if there is no such user.
        """
        ...

    async def end_sessions(self, address: str) -> int | None:
        """End what is open as this user; return how many ended, None where that is not told.

        Its password stays as it is. Raises BadArgument if there is no such user.
        """
        ...

    def mail_of(self, address: str) -> AsyncIterator[bytes]:
        """Yield each message that a mailbox holds, whole, oldest first."""
        ...

    async def blocks(self) -> Sequence[Block]:
        """Return the SMTP block list as now in force, oldest first."""
        ...

    async def block(
        self, network: Network, *, reason: str, lasting: timedelta | None
    ) -> Block | None:
        """Refuse SMTP from these addresses, for ``lasting`` or until lifted.

        Returns the entry for exactly this network that stood before, if any (it is replaced).
        """
        ...

    async def unblock(self, network: Network) -> Block | None:
        """Lift the entry for exactly this network; return it, None if there was none."""
        ...

    async def refused(self) -> Mapping[Network, int]:
        """Return how often each block in force has refused a connection or a message.

        Since the block began, as far back as the server knows; never is 0.
        """
        ...

    async def healthy(self) -> str:
        """Return a sentence on how the server is reached; raise ServerDown if it is not."""
        ...
