"""What a remedy is, what it is aimed at and what it comes to. The remedies: remedies.py."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from pydantic import SecretStr

from services.mail.port import Capabilities, Capability, Fate, MailServer, MessageResult
from services.models import IncidentState
from services.passwords import Passwords
from services.people import Role
from services.progress import Progress
from services.targets import Target, Undo

#: Acts after which an account no longer sends.
STOPS = ("stop", "disable")
#: The same, with the one that leaves nothing to send.
ENDS = (*STOPS, "delete_account")
#: Acts that set what an account may do.
SET_STATES = (*STOPS, "enable", "contain")


@dataclass(frozen=True, slots=True)
class Result:
    """What an act came to. ``summary`` is one or two sentences without a name in front."""

    summary: str
    messages: tuple[MessageResult, ...] = ()
    undo: Undo | None = None
    ok: bool = True
    incident_state: IncidentState | None = None
    snoozed: timedelta | None = None
    teach: bool = False
    #: Of several accounts, those that it was done to; None where it is all or nothing.
    reached: frozenset[str] | None = None
    #: A new password, for the person who had it made and nobody else: never stored, told or logged.
    secret: SecretStr | None = None

    def tally(self) -> dict[str, int]:
        """Return how many messages met which fate."""
        return {fate.value: sum(m.fate is fate for m in self.messages) for fate in Fate}


@dataclass(frozen=True, slots=True)
class Aim:
    """A target on its server, at a moment."""

    server: MailServer
    target: Target
    now: datetime
    kept: timedelta  # how long deleted messages are kept
    reason: str = ""
    before: Undo | None = None  # what look() found
    progress: Progress = field(default_factory=Progress)
    passwords: Passwords = field(default_factory=Passwords)
    copies: Path | None = None  # where a mailbox is copied to before it is deleted
    by_itself: bool = False  # nobody asks for it: the bot does, as the time for that has come


Act = Callable[[Aim], Awaitable[Result]]
UndoAct = Callable[[Aim, Undo], Awaitable[Result]]
Look = Callable[[Aim], Awaitable[Undo | None]]


def _always(_: Capabilities, __: Target) -> Sequence[Capability]:
    return ()


@dataclass(frozen=True, slots=True)
class Remedy:
    """One remedy: what it is called, who may, what it needs, how it acts and is undone."""

    name: str
    doing: str  # "{who} is …" while it is under way; tr() where it is shown
    role: Role
    act: Act
    undo: UndoAct | None = None
    #: How it is before: written down first, so that an act that is cut off can be taken back.
    look: Look | None = None
    needs: Callable[[Capabilities, Target], Sequence[Capability]] = field(default=_always)
    changes_account: bool = False  # the protected list applies
    most: int | None = None  # messages at once, where they are fewer than of every act
    once: bool = False  # offered on a card: a second one on the same incident is a repeat
    #: The remedy that undoing comes to: its role and its second person hold for the undoing, too.
    reverse: str | None = None
