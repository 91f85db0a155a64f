"""The bot's tables. State lives here and nowhere else, so that a restart loses nothing."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Dialect,
    Index,
    Integer,
    LargeBinary,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlmodel import Field, SQLModel

from services.language import later


class UtcDateTime(TypeDecorator[datetime]):
    """An aware moment in UTC. SQLite keeps no zone, so it is taken off and put back."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Store as naive UTC; a naive moment coming in is a mistake."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a moment without a time zone cannot be stored: {value!r}")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Give it back aware."""
        return None if value is None else value.replace(tzinfo=UTC)


class Named(TypeDecorator[StrEnum]):
    """A StrEnum kept as its text, and given back as the enum: states are compared by ``is``."""

    impl = Text
    cache_ok = True

    def __init__(self, kind: type[StrEnum]) -> None:
        super().__init__()
        self.kind = kind

    def process_bind_param(self, value: StrEnum | str | None, dialect: Dialect) -> Any:
        """Store the text; one that is no member is a mistake."""
        return None if value is None else self.kind(value).value

    def process_result_value(self, value: Any, dialect: Dialect) -> StrEnum | None:
        """Give the member back."""
        return None if value is None else self.kind(value)


# SQLModel makes a Column of each field; these say which kind, shortly.
def _when(**options: Any) -> Any:
    return Field(sa_type=UtcDateTime, **options)


def _text(**options: Any) -> Any:
    return Field(sa_type=Text, **options)


class IncidentState(StrEnum):
    """Where an incident is in its life."""

    OPEN = later("open")
    ACKNOWLEDGED = later("acknowledged")
    SNOOZED = later("snoozed")
    REMEDIED = later("remedied")
    FALSE_ALARM = later("false alarm")
    CLOSED = later("closed")


#: States in which an incident's card is live and keeps being updated.
LIVE = (
    IncidentState.OPEN,
    IncidentState.ACKNOWLEDGED,
    IncidentState.SNOOZED,
    IncidentState.REMEDIED,
)


class Incident(SQLModel, table=True):
    """One abused account, from the first alert until it is quiet.

    ``version`` goes up with every change that its card shows. ``open_key`` is
    unique and set only while the incident is live: the database itself keeps a
    second alert for the same account from being opened.

    Accounts that are abused together are one campaign: ``campaign`` is the id of the
    incident whose card tells of them all, None for that one and for an account alone.
    """

    id: int | None = Field(default=None, primary_key=True)
    server: str
    sender: str
    state: IncidentState = Field(default=IncidentState.OPEN, sa_column=Column(Named(IncidentState)))
    open_key: str | None = Field(default=None, unique=True)
    opened_at: datetime = _when()
    updated_at: datetime = _when()
    evidence: str = _text()  # detection.evidence.Evidence as JSON
    score: float
    version: int = 1
    turn: int = 0  # goes up when a menu of the card was used, so that it is drawn unpicked
    state_by: str | None = None  # the name of who set the state, for the card
    state_at: datetime | None = _when(default=None)
    snoozed_until: datetime | None = _when(default=None)
    #: Until when what was sent no more counts, though it is live: its sender is who it should be.
    cleared_at: datetime | None = _when(default=None)
    quiet_since: datetime | None = _when(default=None)
    campaign: int | None = Field(default=None, index=True)
    joined_by: str = _text(default="")  # what it shares with that campaign, in words
    severity: int = 0  # detection.life.Severity; a campaign's stands in its card's incident
    worst: int = 0  # the highest that was told since it was opened
    noted_total: int | None = None  # messages when it was acknowledged or snoozed,
    noted_peak: int | None = None  # and the most of them in one window
    reopened_at: datetime | None = _when(default=None)
    summary: str = _text(default="")  # what it came to once it is closed: sentences, as JSON
    containment: str = _text(default="")  # what the bot did about it by itself, or why not
    containment_kind: str = _text(default="")  # of which kind that is: its figures change


class IntentState(StrEnum):
    """How far an intent has come. It only ever goes forward."""

    OFFERED = "offered"  # a button or form exists; nobody has used it
    WAITING = "waiting"  # somebody has; a second person must approve
    CLAIMED = "claimed"  # it was used, and approved where it must be; the act is under way
    DONE = "done"
    FAILED = "failed"
    INTERRUPTED = "interrupted"  # the bot stopped in the middle of the act


class Intent(SQLModel, table=True):
    """What one button or form stands for. Its id is all that the chat ever holds.

    Bound to a chat, a channel and (where there is one) an incident and a person;
    claimed at most once, by one conditional UPDATE.
    """

    __table_args__ = (Index("ix_intent_offer", "incident_id", "action", "state"),)

    id: str = Field(primary_key=True)
    action: str  # a row of the command table
    server: str
    incident_id: int | None = Field(default=None, index=True)
    chat: str
    channel: str
    bound_to: str | None = None  # Actor.key of the only person who may use it
    created_at: datetime = _when()
    expires_at: datetime = _when()
    target: str = _text()  # targets.Target as JSON, queue ids frozen
    state: IntentState = Field(default=IntentState.OFFERED, sa_column=Column(Named(IntentState)))
    claimed_by: str | None = None  # Actor.key
    claimed_name: str | None = None
    claimed_at: datetime | None = _when(default=None)
    claimed_in: int | None = None  # the number of the instance of the bot that does it
    finished_at: datetime | None = _when(default=None)
    summary: str = _text(default="")  # the sentence that tells the result
    undo: str | None = _text(default=None)  # targets.Undo as JSON, where it can be undone
    undo_until: datetime | None = _when(default=None)
    undo_of: str | None = Field(default=None, index=True)
    undone: bool = False
    doubted: bool = False  # cut off, and how it stands on the mail server is not told yet
    asked_by: str | None = None  # Actor.key of who asked a second person
    asked_name: str | None = None
    asked_why: str = _text(default="")  # why a second person is needed
    decides: str | None = Field(default=None, index=True)  # the intent this approves or declines
    until: datetime | None = _when(default=None)  # when the bot takes it back by itself
    progress: int | None = None  # messages settled so far, told while it is claimed
    progress_of: int | None = None


class Announcement(SQLModel, table=True):
    """A line for the chats: in the incident's thread, or in the channel where there is none.

    With ``intent_id`` its words follow that intent's state; else ``text`` is shown.
    """

    id: int | None = Field(default=None, primary_key=True)
    at: datetime = _when()
    incident_id: int | None = Field(default=None, index=True)
    intent_id: str | None = Field(default=None, index=True)
    text: str = _text(default="")
    version: int = 1


class Posted(SQLModel, table=True):
    """What a chat shows of an incident or an announcement, and how new that is.

    ``message_id`` None with ``tried_at`` set: a post was sent and its answer never
    came, so the channel must be searched before posting again.
    """

    __table_args__ = (UniqueConstraint("chat", "kind", "ref"),)

    id: int | None = Field(default=None, primary_key=True)
    chat: str
    kind: str  # "incident" or "announcement"
    ref: int
    channel: str
    message_id: str | None = None
    version: int = 0
    tried_at: datetime | None = _when(default=None)
    error: str | None = _text(default=None)  # why it can never be shown; set means given up
    picture: str | None = None  # what the chat knows the alert's picture by
    picture_words: str = _text(default="")  # what that one shows, in words
    picture_version: int = 0  # of the incident that was looked at for it
    picture_at: datetime | None = _when(default=None)  # when that was


class Board(SQLModel, table=True):
    """A dashboard of one mail server that a chat's channel is to show, pinned and kept new.

    Where it stands is told by Posted. It goes when ``wanted`` is false and the chat has let
    go of the message.
    """

    __table_args__ = (UniqueConstraint("chat", "server"),)

    id: int | None = Field(default=None, primary_key=True)
    chat: str
    server: str
    wanted: bool = True
    pinned: bool = False
    trouble: str = _text(default="")  # why it could not be pinned, once that was told


class AuditEntry(SQLModel, table=True):
    """One line of the audit log. Never changed; removed only into an archive; see audit/."""

    seq: int | None = Field(default=None, primary_key=True)
    at: datetime = _when()
    phase: str  # services.audit.Phase
    action: str
    actor: str
    actor_name: str
    server: str
    incident_id: int | None = None
    intent_id: str | None = Field(default=None, index=True)
    subject: str = Field(index=True)  # the account, network or query acted on
    detail: str = _text()  # JSON
    prev_hash: str
    hash: str
    key_id: str | None = None  # the key that the entry is sealed with
    mac: str | None = None  # the seal


class Claim(SQLModel, table=True):
    """Something that reached several instances, and that one of them has taken on itself."""

    __table_args__ = (Index("ix_claim_at", "at"),)

    what: str = Field(sa_type=Text, primary_key=True)
    at: datetime = _when()


class PollCursor(SQLModel, table=True):
    """How far the submissions of one mail server have been taken in."""

    server: str = Field(primary_key=True)
    cursor: str
    last_at: datetime = _when()


class RecentSubmission(SQLModel, table=True):
    """A submission of the last two days, for windows, tables and evidence."""

    __table_args__ = (
        Index("ix_recent_at", "server", "at"),
        Index("ix_recent_sender", "server", "sender", "at"),
    )

    # SQLite counts up by itself only what is called an INTEGER; any of those is large.
    id: int | None = Field(
        default=None,
        sa_column=Column(BigInteger().with_variant(Integer(), "sqlite"), primary_key=True),
    )
    server: str
    at: datetime = _when()
    sender: str
    client_ip: str | None = None
    recipients: int  # 0: this is news of what was sent before
    size: int
    subject_key: str  # the subject, digits folded, so that numbered copies count as one
    subject: str
    facts: str = _text(default="")  # what else the server told, as JSON; see detection/memory.py


class SenderHabit(SQLModel, table=True):
    """How many messages a sender sent in one stretch of five minutes, when any."""

    server: str = Field(primary_key=True)
    sender: str = Field(primary_key=True)
    start: datetime = _when(primary_key=True)
    messages: int = Field(sa_type=Integer)
    recipients: int


class TrafficKind(StrEnum):
    """What a row of the traffic is of, and how long a time it counts."""

    HOUR = "hour"  # a domain's hour
    DAY = "day"  # a domain's day
    ACCOUNT = "account"  # an account's day


class Traffic(SQLModel, table=True):
    """How many messages there were, of a domain or an account; of everybody where name is ""."""

    server: str = Field(primary_key=True)
    kind: TrafficKind = Field(sa_column=Column(Named(TrafficKind), primary_key=True))
    start: datetime = _when(primary_key=True)  # of the hour or day, UTC
    name: str = Field(primary_key=True)  # as domain_of() gives it; an account in lower case
    domain: str  # of the account
    outgoing: int  # taken from who had logged in, or from our own hosts
    incoming: int  # taken from elsewhere
    deferred: int  # of those that went out: put off by the other side at least once
    rejected: int  # and refused


class SenderState(SQLModel, table=True):
    """What the detector knows of one sender: engine.sender.Sender, packed."""

    server: str = Field(primary_key=True)
    sender: str = Field(primary_key=True)
    place: int = Field(sa_type=BigInteger)  # the submission that it has read up to
    state: bytes = Field(sa_type=LargeBinary)


class EngineState(SQLModel, table=True):
    """What the detector knows of all senders, and the submission it has read up to."""

    server: str = Field(primary_key=True)
    place: int = Field(sa_type=BigInteger)
    common: bytes = Field(sa_type=LargeBinary)


class Listing(SQLModel, table=True):
    """What a DNS block list last answered about an address of a mail server."""

    server: str = Field(primary_key=True)
    address: str = Field(primary_key=True)
    zone: str = Field(primary_key=True)
    since: datetime | None = _when(default=None)  # when it was first seen there; None: it is not
    said: str = _text(default="")  # the list's codes and reason
    checked_at: datetime = _when()
    error: str = _text(default="")  # why the last look gave no answer; "" where it did


class Digest(SQLModel, table=True):
    """A summary: one row for each kind and day, whoever makes it."""

    kind: str = Field(primary_key=True)  # "daily" or "weekly"
    day: str = Field(primary_key=True)  # in the summaries' time zone, as ISO 8601 has it
    announcement_id: int = Field(unique=True)  # the line that tells it
    report: str = _text()  # digest.Report as JSON


class LessonKind(StrEnum):
    """What somebody's judgement of an incident teaches."""

    ORDINARY = later("false alarm")
    ABUSED = later("confirmed")


class Lesson(SQLModel, table=True):
    """What one incident taught of its sender. It counts until it is forgotten or runs out.

    A false alarm: up to ``messages`` a window are ordinary. A confirmed abuse: until
    ``until`` the sender has ``points`` against it beforehand.
    """

    __table_args__ = (Index("ix_lesson_sender", "server", "sender"),)

    id: int | None = Field(default=None, primary_key=True)
    server: str
    sender: str
    kind: LessonKind = Field(sa_column=Column(Named(LessonKind), nullable=False))
    messages: int = 0
    points: float = 0
    until: datetime | None = _when(default=None)
    incident_id: int | None = None
    intent_id: str | None = None  # the act that it follows from
    taught_by: str  # Actor.key
    taught_name: str = ""
    taught_at: datetime = _when()
    forgotten_at: datetime | None = _when(default=None)
    forgotten_name: str | None = None
