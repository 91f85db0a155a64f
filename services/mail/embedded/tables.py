"""The embedded server's tables, on a metadata of their own: the bot's never mix with them.

Moments are integers, microseconds since 1970 in UTC: exact, ordered, without a zone.
Client addresses are kept twice: as text to show, and as 16 bytes (an IPv4 address as
its IPv4-mapped IPv6 one) so that a CIDR network is one range of an index. Keys that
are compared without regard to case are kept case-folded.
"""

from sqlalchemy import Column, ForeignKey, Index, Integer, LargeBinary, Table, Text, text
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel


class Base(SQLModel, registry=registry()):
    """What the embedded server's tables share: a registry and metadata of their own."""


class SpoolMessage(Base, table=True):
    """One message in the spool. ``id`` is also the id of its submission.

    ``due`` is when it is to be tried next; only queues that deliver heed it. ``claimed``
    is 1 while an attempt is under way, and nothing but that attempt may then change the
    row. ``moved_from`` is the queue a quarantined message came from. ``local_left`` is
    how many recipients are mailboxes of this server.
    """

    __tablename__ = "message"
    __table_args__ = (
        Index("ix_message_due", "queue", "due", "size"),
        Index("ix_message_sender", "sender_key", "arrived", "queue"),
        Index("ix_message_ip", "ip_key", "arrived"),
        # Covers a search by subject, so that it reads this index and no rows.
        Index("ix_message_subject", "arrived", "subject_key"),
        Index("ix_message_folder", "folder", sqlite_where=text("folder IS NOT NULL")),  # not shown
        Index("ix_message_local", "due", sqlite_where=text("local_left > 0")),
    )

    id: int = Field(primary_key=True)
    queue_id: str = Field(unique=True)
    arrived: int
    size: int
    envelope_sender: str
    auth_user: str | None = None
    sender_key: str
    client_ip: str | None = None
    ip_key: bytes | None = None
    subject: str
    subject_key: str
    queue: str
    moved_from: str | None = None
    folder: str | None = None
    due: int
    claimed: int = 0
    attempts: int = 0
    last_error: str | None = None
    local_left: int = 0


class Body(Base, table=True):
    """The bytes of one message in the spool, apart from its row so that scans stay short."""

    __tablename__ = "body"

    message_id: int = Field(primary_key=True)
    raw: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class Recipient(Base, table=True):
    """A recipient that a message in the spool has yet to reach."""

    __tablename__ = "recipient"

    message_id: int = Field(
        sa_column=Column(Integer, ForeignKey("message.id"), primary_key=True, nullable=False)
    )
    position: int = Field(primary_key=True)
    address: str
    address_key: str = Field(index=True)
    local: int  # 1: a mailbox of this server


class SubmissionRow(Base, table=True):
    """One accepted message, remembered after it left the spool."""

    __tablename__ = "submission"
    # Ids are cursors, so one is never used again, even after the newest rows were pruned.
    __table_args__ = {"sqlite_autoincrement": True}

    id: int = Field(primary_key=True)
    at: int = Field(index=True)
    sender: str
    authenticated: int
    client_ip: str | None = None
    recipients: int
    size: int
    subject: str
    # At most MAX_ADDRESSEES of them, a line each: an address has no line end. The default is
    # for a database that was made before this was kept.
    addressees: str = Field(sa_column=Column(Text, nullable=False, server_default=""))


class NewsRow(Base, table=True):
    """That a message was refused or put off, once a message, or that logins of an account failed.

    ``message_id`` is its submission's id; None with failed logins.
    """

    __tablename__ = "news"
    __table_args__ = {"sqlite_autoincrement": True}  # as of submissions

    id: int = Field(primary_key=True)
    at: int = Field(index=True)
    account: str
    client_ip: str | None = None
    outcome: str
    failures: int
    message_id: int | None = Field(default=None, unique=True)


class Account(Base, table=True):
    """A mailbox and its login."""

    __tablename__ = "account"

    address: str = Field(primary_key=True)  # case-folded
    password_hash: str
    state: str


class Mail(Base, table=True):
    """A message delivered to a mailbox, or a report of what could not be delivered."""

    __tablename__ = "mail"

    id: int | None = Field(default=None, primary_key=True)
    address: str = Field(index=True)  # case-folded
    at: int
    sender: str
    raw: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class BlockRow(Base, table=True):
    """An entry of the block list."""

    __tablename__ = "block"

    network: str = Field(primary_key=True)
    reason: str
    since: int
    until: int | None = None
    refused: int = Field(sa_column=Column(Integer, nullable=False, server_default="0"))


class DeliveryRow(Base, table=True):
    """What became of one recipient of one message."""

    __tablename__ = "delivery"

    id: int | None = Field(default=None, primary_key=True)
    at: int = Field(index=True)
    queue_id: str
    sender: str
    recipient: str
    outcome: str
    why: str


class About(Base, table=True):
    """One row on the database itself: ``epoch`` is random, made once, part of each cursor."""

    __tablename__ = "about"

    id: int = Field(primary_key=True)
    epoch: str


def _table(model: type[Base]) -> Table:
    table: Table = Base.metadata.tables[str(model.__tablename__)]
    return table


# Statements are written on the tables: rows come in thousands, and need no objects.
message = _table(SpoolMessage)
body = _table(Body)
recipient = _table(Recipient)
submission = _table(SubmissionRow)
news = _table(NewsRow)
account = _table(Account)
mail = _table(Mail)
block = _table(BlockRow)
delivery = _table(DeliveryRow)
about = _table(About)
