"""The guild as a room: its people, its one channel, and how a bot reaches it."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any

from bot.guild.hands import GuildHands
from bot.guild.server import Guild
from bot.guild.values import GuildMember
from bot.hands import CommandHint, Person

CHAT = "discord"
_FIRST_ID = 1001


class GuildRoom:
    """Implements bot.hands.Room. Who somebody is here is in the guild's roles, too."""

    chat = CHAT

    def __init__(self, people: Sequence[Person], channel: str, command: CommandHint) -> None:
        self._ids = {person: str(_FIRST_ID + number) for number, person in enumerate(people)}
        self._channel = channel
        self._group = command.name.removeprefix("/")
        self.guild = Guild(
            members=[
                GuildMember(self._ids[p], p.name, p.display, (p.part,), p.locale) for p in people
            ],
            roles=[person.part for person in people],
            channels=(channel,),
        )
        # The bot registers it for administrators only, who then show it to whom they like.
        self.guild.commands.show(self._group)

    async def start(self, port: int = 0) -> None:
        """Start. Raises OSError for a port in use."""
        await self.guild.start(port)

    async def stop(self) -> None:
        """Stop."""
        await self.guild.stop()

    def settings(self) -> dict[str, Any]:
        """Return the settings of a bot in this guild, once it runs."""
        return {
            "bot_token": self.guild.bot_token,
            "channel": self.guild.channel_id(self._channel),
            "api_url": self.guild.api_url,
            "gateway_url": self.guild.gateway_url,
        }

    def id_of(self, person: Person) -> str:
        """Return a person's user id."""
        return self._ids[person]

    async def until_connected(self) -> None:
        """Return once a bot listens. Raises TimeoutError."""
        await self.guild.until_app_connected()

    def pinned(self) -> list[str]:
        """Return the ids of the messages that are pinned."""
        kept = [m for c in self.guild.store.channels.values() for m in c.messages.values()]
        return [message.id for message in kept if message.pinned is not None]

    @contextlib.asynccontextmanager
    async def hands(self, person: Person) -> AsyncIterator[GuildHands]:
        """Give a person's hands within the block."""
        async with self.guild.member(self._ids[person]) as client:
            yield GuildHands(client, self._group)

    def page_url(self, person: Person) -> str:
        """Return the page's address for a person."""
        return f"{self.guild.page_url}&as={self._ids[person]}"
