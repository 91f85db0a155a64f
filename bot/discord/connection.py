"""The connection to Discord: logs in, keeps the slash command registered, and listens."""

import asyncio
import contextlib
import logging

import aiohttp
import discord
from discord import app_commands
from discord.gateway import DiscordWebSocket

from bot.discord.client import Client
from bot.discord.commands import group, is_registered, payload
from bot.discord.items import Picked, Pressed
from bot.discord.listeners import Listeners
from bot.dispatch import Dispatch
from services.claims import Claims
from services.settings import DiscordSettings
from services.tasks import end

_log = logging.getLogger(__name__)
_WAITS = (1.0, 2.0, 5.0, 15.0, 30.0)  # seconds between tries; the last one repeats


class _Tree(app_commands.CommandTree[Client]):
    """The library's commands, answered by one instance."""

    async def interaction_check(self, interaction: discord.Interaction[Client]) -> bool:
        """Tell whether it is this instance that answers a command or a list of suggestions."""
        return await self.client.listeners.takes(interaction)


class DiscordConnection:
    """Brings commands, clicks and forms to the dispatch, from start() to stop()."""

    def __init__(
        self, settings: DiscordSettings, client: Client, dispatch: Dispatch, claims: Claims
    ) -> None:
        self._settings = settings
        self._client = client
        self._listeners = client.listeners = Listeners(dispatch, claims)
        self._tree = _Tree(client)
        self._group = group(self._listeners.chosen, self._listeners.suggested)
        client.add_dynamic_items(Pressed, Picked)
        self._task: asyncio.Task[None] | None = None
        self.trouble: str | None = None  # why nothing arrives, if so
        self.refused = 0  # nothing comes here but from Discord

    @property
    def connected(self) -> bool:
        """Whether what people do can arrive now."""
        client = self._client
        # Before the first connection the library has no socket, whatever its type says.
        socket: DiscordWebSocket | None = client.ws
        return client.is_ready() and not client.is_closed() and socket is not None and socket.open

    async def start(self) -> None:
        """Connect; Discord being away is waited out. It may have been stopped before."""
        if self._client.is_closed():
            await self._open_again()
        self._task = asyncio.create_task(self._run())

    async def drain(self, seconds: float) -> int:
        """Answer what has arrived, for so long at most, and hear nothing more."""
        if self._task is not None:
            await end([self._task])
        return await self._listeners.under_way.over(seconds)

    async def stop(self) -> None:
        """Log out, if it was started."""
        if self._task is None:
            return
        self._task = None
        self._client.http.token = None  # what is to be posted meanwhile waits for a new login
        with contextlib.suppress(aiohttp.ClientError, OSError):
            await self._client.close()

    async def _run(self) -> None:
        tries = 0
        while True:
            try:
                await self._log_in()
                self.trouble, tries = None, 0
                await self._client.connect(reconnect=True)
            except discord.LoginFailure:
                self._troubled("Discord does not accept the bot token (discord.bot_token).")
            except (discord.NotFound, discord.Forbidden):
                self._troubled(
                    "the channel in discord.channel is not known to Discord, or the bot cannot "
                    "see it: spoolwarden check says more. Trying on."
                )
            except (
                discord.DiscordException,
                aiohttp.ClientError,
                OSError,
                TimeoutError,
            ) as error:
                self._troubled(f"no connection to Discord, trying on: {error}")
            await asyncio.sleep(_WAITS[min(tries, len(_WAITS) - 1)])
            tries += 1
            if self._client.is_closed():
                # The library closes itself after a close code it takes for final.
                await self._open_again()

    async def _open_again(self) -> None:
        """Make a client usable that was closed."""
        # One that never logged in has nothing that could be cleared: this gives it that.
        await self._client.__aenter__()
        self._client.clear()
        # It forgot what buttons there are, and would take the connector that was closed with it.
        self._client.add_dynamic_items(Pressed, Picked)
        self._client.http.connector = discord.utils.MISSING

    async def _log_in(self) -> None:
        client = self._client
        await client.login(self._settings.bot_token.get_secret_value())
        channel = await client.fetch_channel(int(self._settings.channel))
        guild = getattr(channel, "guild", None)
        if guild is None:
            raise discord.ClientException("discord.channel is no channel of a Discord server")
        self._listeners.guild_id = guild.id
        await self._register(discord.Object(guild.id))

    async def _register(self, guild: discord.Object) -> None:
        """Register the slash command where it is not, or has changed."""
        if self._tree.get_command(self._group.name, guild=guild) is None:
            self._tree.add_command(self._group, guild=guild)
        there = await self._client.http.get_guild_commands(
            self._client.application_id or 0, guild.id
        )
        if is_registered([payload(self._group, self._tree)], list(there)):
            return
        await self._tree.sync(guild=guild)
        _log.info("the command /%s was registered with Discord", self._group.name)

    def _troubled(self, why: str) -> None:
        if self.trouble != why:
            _log.warning("%s", why)
        self.trouble = why
