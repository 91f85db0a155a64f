"""What the bot needs of a chat to tell a channel something. One implementation a chat."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bot.elements import Card
from services.errors import SpoolwardenError
from services.people import Place


class ChatDown(SpoolwardenError):
    """The chat could not be reached or said to wait. What was to be shown waits too.

    ``unsure`` means that a message may have been posted although no answer came.
    ``retry_after`` is in seconds.
    """

    def __init__(self, sentence: str, *, retry_after: float = 5.0, unsure: bool = False) -> None:
        super().__init__(sentence)
        self.retry_after = retry_after
        self.unsure = unsure


class ChatRefused(SpoolwardenError):
    """The chat will never take this message; trying again would not help."""


class ChatGone(ChatRefused):
    """The message to be changed is no longer there: deleted, or in another channel."""


class PictureRefused(ChatRefused):
    """The chat does not show a card for its picture: it has it no more, or not yet."""


class NoPictures(SpoolwardenError):
    """The chat takes no picture from the bot, until somebody allows it."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """A picture to be shown: PNG, and the same in words."""

    png: bytes
    words: str


class Chat(Protocol):
    """A channel of a chat that is told of incidents."""

    @property
    def place(self) -> Place:
        """The channel."""
        ...

    async def post(self, card: Card, *, ref: str, thread: str | None) -> str:
        """Post a card, in the thread under a message where given; return the message's id.

        ``ref`` is kept with the message, unseen, so that find() knows it again.
        Raises ChatDown or ChatRefused.
        """
        ...

    async def update(self, message_id: str, card: Card) -> None:
        """Show another card in place of a message. Raises ChatDown, ChatGone, ChatRefused.

        Of the latter, PictureRefused where that is for the picture on it alone.
        """
        ...

    async def pin(self, message_id: str) -> None:
        """Pin a message in the channel; one pinned already stays. As update() raises."""
        ...

    async def remove(self, message_id: str) -> None:
        """Take a message out of the channel; one that is gone already is no trouble.

        Raises ChatDown, ChatRefused.
        """
        ...

    async def link(self, message_id: str) -> str | None:
        """Return the address of a message of the channel; None where there is none."""
        ...

    async def find(self, ref: str, *, thread: str | None, since: datetime) -> str | None:
        """Return the id of the message posted with ``ref``, None if it never arrived."""
        ...


class PictureChat(Chat, Protocol):
    """A chat that takes pictures, too."""

    async def take(self, drawing: Drawing) -> str:
        """Give the chat a picture to be shown by a card; return the handle that it knows it by.

        Raises ChatDown, ChatRefused, NoPictures.
        """
        ...

    async def drop(self, handle: str) -> None:
        """Take back a picture that no card shows any more. Raises ChatDown, ChatRefused."""
        ...
