"""The local guild: a strict, Discord-compatible server on a loopback socket.

An unmodified Discord client library connects to it with only another base URL and another
gateway URL.
"""

import secrets
from collections.abc import Iterable
from pathlib import Path

from aiohttp import web

from bot.guild.acts import Acts
from bot.guild.announcements import Announcements
from bot.guild.answers import Answers
from bot.guild.api.access import Access
from bot.guild.api.channels import Channels
from bot.guild.api.commands import CommandsApi
from bot.guild.api.guilds import Guilds
from bot.guild.api.http import PREFIX, HttpApi
from bot.guild.api.messages import Messages
from bot.guild.api.routes import routes
from bot.guild.commands import Commands
from bot.guild.faults import Faults
from bot.guild.forms import Forms
from bot.guild.gateway import IDENTIFY_SECONDS, Gateway
from bot.guild.interactions import Interaction, Interactions
from bot.guild.journal import Journal
from bot.guild.limits import Windows
from bot.guild.member import GuildClient
from bot.guild.member_api import MemberApi
from bot.guild.member_forms import MemberForms
from bot.guild.modals import Modal
from bot.guild.store import Store
from bot.guild.values import (
    Bounds,
    ChannelSpec,
    Credentials,
    GuildIdentity,
    GuildMember,
    Role,
)
from bot.local import page_guard
from bot.local.clock import Clock, RealClock
from bot.local.feed import Feed
from bot.local.listening import Listening
from bot.local.values import JsonObject

_PAGE = page_guard.Page(Path(__file__).parent / "page", ("/api/", "/gateway", "/attachments/"))
_FILES_A_MESSAGE = 10


class Guild:
    """One guild with one app in it. Everything is in memory and bounded.

    ``roles`` and ``channels`` are names, or Role and ChannelSpec for what differs from "no
    permissions of its own" and "everyone and the bot see it". ``clock`` drives the deadlines of
    interactions and every time shown; heartbeats and rate limits, that of IDENTIFY too, run on the
    machine's clock, as the client's do, the latter's windows shortened by ``pace``.
    """

    def __init__(
        self,
        *,
        members: Iterable[GuildMember],
        roles: Iterable[str | Role] = (),
        channels: Iterable[str | ChannelSpec] = ("general",),
        identity: GuildIdentity | None = None,
        credentials: Credentials | None = None,
        clock: Clock | None = None,
        bounds: Bounds | None = None,
        pace: float = 1.0,
    ) -> None:
        self.identity = identity or GuildIdentity()
        self.credentials = credentials or Credentials(
            bot_token=f"local.{secrets.token_urlsafe(8)}.{secrets.token_urlsafe(24)}",
            page_token=secrets.token_urlsafe(24),
        )
        self.clock: Clock = clock or RealClock()
        bounds = bounds or Bounds()
        wire_clock = RealClock()
        self._feed = Feed()
        self.store = Store(self.identity, members, roles, channels, self.clock, bounds)
        self.store.origin = lambda: self.origin
        self.journal = Journal(bounds.journal)
        forms = Forms(self.store)
        shown = MemberForms(self.store)
        self.gateway = Gateway(
            self.identity,
            self.credentials.bot_token,
            forms,
            wire_clock,
            bounds,
            IDENTIFY_SECONDS * pace,
            lambda: self.gateway_url,
            self._app_changed,
        )
        self.store.on_change = Announcements(
            self.store, forms, shown, self.gateway, self._feed
        ).tell
        self._interactions = Interactions(
            self.store, forms, self.gateway, self.clock, self._not_answered
        )
        self.faults = Faults(self.store, self.gateway, self._interactions)
        self.commands = Commands(self.store, self._commands_changed)
        modals: dict[str, Modal] = {}
        self._acts = Acts(
            self.store, forms, self.commands, self._interactions, self.gateway, self._feed, modals
        )
        self._member_api = MemberApi(
            self.store,
            shown,
            self.commands,
            self._acts,
            modals,
            self._feed,
            lambda: self.app_connected,
        )
        access = Access(self.store, forms)
        self.limits = Windows(wire_clock, pace)
        self._http_api = HttpApi(
            routes(
                Guilds(access, lambda: self.gateway_url, lambda: self.gateway.identifies),
                Channels(access),
                Messages(access, self.limits),
                CommandsApi(access, self.commands),
                Answers(self.store, forms, self._interactions, self._acts),
            ),
            self.credentials,
            self.limits,
            self.faults,
            self.journal,
            self.clock,
            bounds,
        )
        self._listening = Listening(
            "guild",
            _PAGE,
            self.credentials.page_token,
            _FILES_A_MESSAGE * bounds.file_bytes + 1024 * 1024,
        )

    # Addresses, secrets and ids

    @property
    def origin(self) -> str:
        """The server's ``http://127.0.0.1:port``. Raises RuntimeError before start."""
        return self._listening.origin

    @property
    def api_url(self) -> str:
        """The HTTP API's base URL, for discord.http.Route.BASE."""
        return f"{self.origin}{PREFIX}"

    @property
    def gateway_url(self) -> str:
        """The gateway's URL, for discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY."""
        return f"ws://127.0.0.1:{self._listening.port}/gateway"

    @property
    def page_url(self) -> str:
        """The page's address, token included."""
        return self._listening.page_url

    @property
    def bot_token(self) -> str:
        """The bot token."""
        return self.credentials.bot_token

    @property
    def id(self) -> str:
        """The guild's id."""
        return self.identity.guild_id

    @property
    def application_id(self) -> str:
        """The application's id, and its bot user's."""
        return self.identity.application_id

    @property
    def app_connected(self) -> bool:
        """Whether the app has identified over the gateway, and is there."""
        return self.gateway.connected

    @property
    def app_connections(self) -> int:
        """How many sessions of the app are there: several instances of it may run."""
        return self.gateway.connections

    def channel_id(self, name: str) -> str:
        """Return a channel's id. Raises KeyError for a name it doesn't have."""
        return self.store.channel_named(name).id

    def role_id(self, name: str) -> str:
        """Return a role's id. Raises KeyError for a name it doesn't have."""
        return self.store.role_named(name).id

    def member(self, user: str) -> GuildClient:
        """Return a client that acts as one member; use it as an async context."""
        return GuildClient(self.origin, self.credentials.page_token, user)

    def state_of(self, user: str) -> JsonObject:
        """Return what the member API's state shows a member now."""
        return self._member_api.state_of(user)

    async def until_app_connected(self) -> None:
        """Return once the app has identified over the gateway."""
        await self.gateway.until_connected()

    async def until_answered(self, interaction_id: str) -> int | None:
        """Return the type of the callback that an interaction got, None when it got none.

        Raises KeyError for an interaction that there isn't.
        """
        interaction = self._interactions.find(interaction_id)
        if interaction is None:
            raise KeyError(interaction_id)
        return await interaction.answered

    # Running

    async def start(self, port: int = 0) -> None:
        """Listen on 127.0.0.1; port 0 takes a free one. Raises OSError for a port in use."""
        await self._listening.start(
            port,
            [
                web.route("*", PREFIX + "/{path:.*}", self._http_api.handle),
                web.get("/gateway", self.gateway.handle),
                *self._member_api.routes(),
            ],
        )

    async def stop(self) -> None:
        """Close every connection and stop listening."""
        await self._interactions.close()
        await self._member_api.close()
        await self.gateway.close()
        await self._listening.stop()

    async def __aenter__(self) -> "Guild":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def _app_changed(self, connected: bool) -> None:
        self._feed.tell_all({"type": "app", "connected": connected})

    def _commands_changed(self) -> None:
        self._member_api.tell_commands()

    def _not_answered(self, interaction: Interaction) -> None:
        self._acts.not_answered(interaction)
