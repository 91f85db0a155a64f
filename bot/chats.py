"""The chats there are: from their settings to what the bot uses of them.

With bot/app.py this is all of the bot, beside the chats themselves, that knows their names.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from bot.chat import PictureChat
from bot.discord.chat import DiscordChat
from bot.discord.check import discord_findings
from bot.discord.client import make_client as discord_client
from bot.discord.connection import DiscordConnection
from bot.dispatch import Dispatch
from bot.finding import Finding
from bot.slack.chat import SlackChat
from bot.slack.chat import make_client as slack_client
from bot.slack.check import slack_findings
from bot.slack.connection import SlackConnection
from services.access import GroupLookup
from services.claims import Claims
from services.settings import Settings


class Connection(Protocol):
    """How what people do in a chat reaches the bot."""

    trouble: str | None
    refused: int  # requests that were not the chat's

    @property
    def connected(self) -> bool:
        """Whether what people do can arrive now."""
        ...

    async def start(self) -> None:
        """Connect, or go on trying. Raises ConfigError."""
        ...

    async def drain(self, seconds: float) -> int:
        """Answer what has arrived, for so long at most, and hear nothing more.

        Returns how many acts were cut off then. The chat can still be told things.
        """
        ...

    async def stop(self) -> None:
        """Let go of the chat."""
        ...


@dataclass(frozen=True, slots=True)
class Made:
    """One chat: its channel, and who is in which group, where it must be asked for that."""

    chat: PictureChat
    groups: GroupLookup | None


class Chats:
    """The chats that the settings name."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.made: list[Made] = []
        if settings.slack is not None:
            token = settings.slack.bot_token.get_secret_value()
            slack = SlackChat(slack_client(token, settings.slack.api_url), settings.slack.channel)
            self.made.append(Made(slack, slack))
        if settings.discord is not None:
            self._client = discord_client(settings.discord)
            self.made.append(Made(DiscordChat(self._client, settings.discord.channel), None))

    def connections(self, dispatch: Dispatch, claims: Claims) -> tuple[Connection, ...]:
        """Return a connection for each chat, not started yet."""
        found: list[Connection] = []
        if self._settings.slack is not None:
            found.append(SlackConnection(self._settings.slack, dispatch))
        if self._settings.discord is not None:
            found.append(DiscordConnection(self._settings.discord, self._client, dispatch, claims))
        return tuple(found)


async def findings(settings: Settings) -> AsyncIterator[Finding]:
    """Look at each chat that the settings name."""
    picture = settings.detection.picture
    if settings.slack is None and settings.discord is None:
        yield Finding(
            False,
            "chat",
            "There is neither a [slack] nor a [discord] table: see the README's sections on them.",
        )
    if settings.slack is not None:
        async for finding in slack_findings(settings.slack, settings.access, picture=picture):
            yield finding
    if settings.discord is not None:
        async for finding in discord_findings(settings.discord, settings.access, picture=picture):
            yield finding
