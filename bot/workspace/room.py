"""The workspace as a room: its people, its one channel, and how a bot reaches it."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any

from bot.hands import CommandHint, Person
from bot.workspace.hands import WorkspaceHands
from bot.workspace.server import Workspace
from bot.workspace.values import Bounds, Member, SlashCommand

CHAT = "slack"


class WorkspaceRoom:
    """Implements bot.hands.Room."""

    chat = CHAT

    def __init__(self, people: Sequence[Person], channel: str, command: CommandHint) -> None:
        self._channel = channel
        self._command = command.name
        self.workspace = Workspace(
            members=[Member(_id(p), p.name, p.display, p.part, p.locale) for p in people],
            channels=(channel,),
            commands=(SlashCommand(command.name, command.summary, command.usage),),
            bounds=Bounds(),
        )

    async def start(self, port: int = 0) -> None:
        """Start. Raises OSError for a port in use."""
        await self.workspace.start(port)

    async def stop(self) -> None:
        """Stop."""
        await self.workspace.stop()

    def settings(self) -> dict[str, Any]:
        """Return the settings of a bot in this workspace, once it runs."""
        return {
            "bot_token": self.workspace.bot_token,
            "app_token": self.workspace.app_token,
            "channel": self.workspace.channel_id(self._channel),
            "api_url": self.workspace.base_url,
        }

    def id_of(self, person: Person) -> str:
        """Return a person's user id."""
        return _id(person)

    async def until_connected(self) -> None:
        """Return once a bot listens. Raises TimeoutError."""
        await self.workspace.until_app_connected()

    def pinned(self) -> list[str]:
        """Return the ids of the messages that are pinned."""
        there = self.workspace.store.channels.values()
        return [m.ts for channel in there for m in channel.messages.values() if m.pinned]

    @contextlib.asynccontextmanager
    async def hands(self, person: Person) -> AsyncIterator[WorkspaceHands]:
        """Give a person's hands within the block."""
        async with self.workspace.member(_id(person)) as client:
            yield WorkspaceHands(client, self._command)

    def page_url(self, person: Person) -> str:
        """Return the page's address for a person."""
        return f"{self.workspace.page_url}&as={_id(person)}"


def _id(person: Person) -> str:
    return f"U0{person.name.upper()}"
