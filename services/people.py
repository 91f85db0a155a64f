"""People and places of chat, as plain values: who asked, and where."""

from dataclasses import dataclass, field
from enum import IntEnum


class Role(IntEnum):
    """What a person may do; each role may do all that the ones below it may."""

    NONE = 0
    VIEWER = 1  # read the dashboard, search, preview
    OPERATOR = 2  # every remedy that can be undone
    ADMIN = 3  # the ones that cannot

    @property
    def word(self) -> str:
        """The role's name as shown to people."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody who asks for something, or the bot itself.

    ``name`` is a display name that the person chose: hostile text, for showing only.
    ``groups`` are those the chat itself says, at this moment, that the person is in, and
    ``locale`` how that person reads numbers and days ("de", "pt-BR"); "" where it does not say.
    """

    chat: str
    user_id: str
    name: str
    groups: frozenset[str] = frozenset()
    locale: str = field(default="", compare=False)

    @property
    def key(self) -> str:
        """What identifies this person in the audit log."""
        return f"{self.chat}:{self.user_id}"


#: The bot, where it acts by itself (purging, closing, reconciling).
BOT = Actor(chat="spoolwarden", user_id="bot", name="Spoolwarden")


@dataclass(frozen=True, slots=True)
class Place:
    """A channel of a chat."""

    chat: str
    channel: str
