"""A person at a chat, and the room the chat is in: what the demo, the drill and tests play with.

Neutral of any chat. Each local chat server brings its own Hands and Room.
"""

from collections.abc import Collection
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

#: Seconds after which an answer counts as never given: many times what any takes, as the machine
#: may be busy with much else.
PATIENCE = 30.0


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who plays a part. ``part`` is what the page says they are.

    ``locale`` is the language that they have the chat in, as both chats name it ("en-US").
    """

    name: str
    display: str
    part: str
    locale: str = "en-US"


@dataclass(frozen=True, slots=True)
class Signs:
    """The words that a person knows an answer by, in the language that the bot speaks."""

    cancel: str = "Cancel"  # beside the yes of a question
    working: str = "Working on it"  # the answer takes long, and is still to come
    twice: str = "nothing was done twice"
    fill_in: str = "Fill in…"  # opens a form that came too late to open by itself


@dataclass(frozen=True, slots=True)
class Shown:
    """Something to read: a message, or a window that asks back.

    ``labels`` are those of its buttons and options, ``at`` when it was posted in seconds
    since the epoch (None for a window), ``raw`` what the local chat itself gives of it.
    """

    id: str
    text: str
    labels: tuple[str, ...]
    at: float | None
    raw: Any = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Image:
    """A picture as somebody sees it: its bytes, or, for who cannot see, its words."""

    id: str
    data: bytes
    words: str


class Unexpected(AssertionError):
    """What came back is not what a person would expect; the text says what it was."""


class NotThere(Unexpected):
    """The button is no longer there: the message was drawn anew under the finger."""


class Hands(Protocol):
    """One member. Every answer it returns is one that was not there before it asked.

    Raises TimeoutError after PATIENCE, Unexpected where the chat refuses.
    """

    signs: Signs

    @property
    def user(self) -> str:
        """The member's id."""
        ...

    async def alert(self, account: str) -> Shown:
        """Return the card of an account's incident: the newest message that names it on top."""
        ...

    async def card_with(self, account: str, text: str) -> Shown:
        """Return an account's card once it shows ``text``."""
        ...

    async def offering(self, card: Shown, label: str) -> Shown:
        """Return a card as it is once it offers a button or option with this label."""
        ...

    async def picture(self, card: Shown, *, besides: str = "") -> Image:
        """Return a card's picture once it has one, other than the one of that id."""
        ...

    async def file(self, name: str) -> bytes:
        """Return a file that the person was sent privately, once it is there, by its name."""
        ...

    async def home(self) -> Shown | None:
        """Open the page that the bot has for this person; None where a chat has none such."""
        ...

    async def new_card(self, seen: Collection[str], *, patience: float = PATIENCE) -> Shown:
        """Return the first card whose id is not among those seen."""
        ...

    def cards(self) -> list[Shown]:
        """Return the channel's incident cards, oldest first."""
        ...

    async def message(self, text: str) -> Shown:
        """Return the first message of the channel, card or not, that holds ``text``."""
        ...

    async def line(self, card: Shown, text: str, *, after: int = 0) -> Shown:
        """Return the first line past the first ``after`` of a card's thread that holds ``text``."""
        ...

    def lines(self, card: Shown) -> list[Shown]:
        """Return the lines of a card's thread now."""
        ...

    async def type(self, text: str) -> Shown:
        """Type a command that answers with a private message; return that."""
        ...

    async def type_unknown(self, word: str) -> str:
        """Type a command that there is not; return what whoever refuses it says."""
        ...

    async def type_for_form(self, text: str) -> Shown:
        """Type a command that asks back; return what asks."""
        ...

    async def press(self, shown: Shown, label: str) -> None:
        """Press a button, and say yes where that asks back with no more than yes or no."""
        ...

    async def press_privately(self, shown: Shown, label: str) -> Shown:
        """Press a button, the first of that label, that answers privately; return that."""
        ...

    async def press_privately_to_yes(self, shown: Shown, label: str) -> Shown:
        """Press a button, say yes where that is asked, and return what is answered privately."""
        ...

    async def press_for_form(self, shown: Shown, label: str) -> Shown:
        """Press a button, the first of that label, that opens something; return that."""
        ...

    async def pick(self, shown: Shown, option: str) -> None:
        """Pick an entry of a menu that acts at once."""
        ...

    async def pick_for_form(self, shown: Shown, option: str) -> Shown:
        """Pick an entry of a menu that asks back; return what asks."""
        ...

    async def pick_privately(self, shown: Shown, option: str) -> Shown:
        """Pick an entry of a menu that answers privately; return that."""
        ...

    async def choose(self, form: Shown, **labels: str) -> str:
        """Submit what asks, its fields as they stand but for these options.

        Return what is said then.
        """
        ...

    async def close(self, form: Shown) -> None:
        """Close something that opened."""
        ...


@dataclass(frozen=True, slots=True)
class CommandHint:
    """The command as a chat lists it, where the bot cannot say so itself."""

    name: str
    summary: str
    usage: str


class Room(Protocol):
    """A local chat server with a channel and people, from start() to stop()."""

    @property
    def chat(self) -> str:
        """The chat's name, as the settings and places have it."""
        ...

    async def start(self, port: int = 0) -> None:
        """Start, with the page at this port. Raises OSError for a port in use."""
        ...

    async def stop(self) -> None:
        """Stop."""
        ...

    def settings(self) -> dict[str, Any]:
        """Return the settings of a bot that uses this chat."""
        ...

    def id_of(self, person: Person) -> str:
        """Return a person's user id."""
        ...

    async def until_connected(self) -> None:
        """Return once a bot listens. Raises TimeoutError."""
        ...

    def pinned(self) -> list[str]:
        """Return the ids of the messages that are pinned."""
        ...

    def hands(self, person: Person) -> AbstractAsyncContextManager[Hands]:
        """Return a person's hands, for use within the block."""
        ...

    def page_url(self, person: Person) -> str:
        """Return the page's address for a person, its token included."""
        ...


def expect(shown: str, *parts: str) -> None:
    """Raise Unexpected unless a text holds all these parts."""
    missing = [part for part in parts if part not in shown]
    if missing:
        raise Unexpected(f"{missing} not in what was shown: {shown[:600]!r}")
