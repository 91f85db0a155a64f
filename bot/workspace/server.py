"""The local workspace: a strict, Slack-compatible workspace on a loopback socket.

An unmodified Slack client library connects to it with only another base URL.
"""

import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from aiohttp import web

from bot.local import page_guard
from bot.local.clock import Clock, RealClock
from bot.local.feed import Feed
from bot.local.listening import Listening
from bot.workspace.api.http import WebApi
from bot.workspace.api.method import Context
from bot.workspace.envelopes import Dispatcher
from bot.workspace.faults import Faults
from bot.workspace.http_mode import HttpMode, SignedRequest, signed_request
from bot.workspace.ids import new_id
from bot.workspace.interactions import Interactions, Parts
from bot.workspace.journal import Journal
from bot.workspace.limits import Buckets
from bot.workspace.member import MemberClient
from bot.workspace.member_api import MemberApi
from bot.workspace.modals import Modals
from bot.workspace.payloads import Payloads
from bot.workspace.responses import Responses
from bot.workspace.side_doors import SideDoors
from bot.workspace.socket_mode import SocketMode
from bot.workspace.store import Store
from bot.workspace.submissions import Submissions
from bot.workspace.tickets import Hook, Hooks, Triggers
from bot.workspace.values import (
    BOT_SCOPES,
    AppIdentity,
    Bounds,
    ChannelSpec,
    Credentials,
    JsonObject,
    Member,
    SlashCommand,
)

_PAGE = page_guard.Page(Path(__file__).parent / "page", ("/api/", "/hooks/", "/upload/", "/link/"))


def _credentials() -> Credentials:
    """Make random secrets, with the prefixes Slack's have."""
    return Credentials(
        bot_token=f"xoxb-{secrets.token_urlsafe(24)}",
        app_token=f"xapp-1-{secrets.token_urlsafe(24)}",
        signing_secret=secrets.token_hex(16),
        page_token=secrets.token_urlsafe(24),
    )


class Workspace:
    """One workspace with one installed app. Everything is in memory and bounded.

    ``channels`` are names, or ChannelSpec for what differs from "public, everyone and the bot
    in it". ``usergroups`` maps group ids to user ids. ``clock`` drives every expiry and limit.
    """

    def __init__(
        self,
        *,
        members: Iterable[Member],
        channels: Iterable[str | ChannelSpec],
        usergroups: Mapping[str, Iterable[str]] | None = None,
        commands: Iterable[SlashCommand] = (),
        scopes: frozenset[str] = BOT_SCOPES,
        identity: AppIdentity | None = None,
        credentials: Credentials | None = None,
        clock: Clock | None = None,
        bounds: Bounds | None = None,
    ) -> None:
        self.identity = identity or AppIdentity()
        self.credentials = credentials or _credentials()
        self.clock: Clock = clock or RealClock()
        bounds = bounds or Bounds()
        self._feed = Feed()
        self.store = Store(
            self.identity,
            members,
            channels,
            usergroups or {},
            commands,
            self.clock,
            self._feed,
            bounds,
        )
        self.journal = Journal(self.clock, bounds.journal)
        self.modals = Modals(self.identity, self.clock, self._feed)
        self._sockets = SocketMode(self.identity, self.clock, self._app_changed)
        self._http: HttpMode | None = None
        self._retired: list[HttpMode] = []
        self._dispatcher = Dispatcher(self._sockets, self.clock)
        self.faults = Faults(self._dispatcher, self._sockets.drop, self._sockets.ask_to_reconnect)
        triggers, hooks = Triggers(self.clock), Hooks(self.clock)
        responses = Responses(self.store)
        self._payloads = Payloads(
            self.store, self.modals, self.credentials.verification_token, self._hook_url
        )
        parts = Parts(
            self.store,
            self.modals,
            self._feed,
            triggers,
            hooks,
            self._payloads,
            self._dispatcher,
            responses,
            self.journal,
            self.clock,
        )
        interactions = Interactions(parts)
        self._member_api = MemberApi(
            parts,
            interactions,
            Submissions(parts, interactions, self.faults),
            lambda: self.app_connected,
            self.identity.name,
        )
        context = Context(
            self.store,
            self.modals,
            triggers,
            scopes,
            self.identity.name,
            lambda: self.origin,
            self._sockets.ticket,
        )
        self._web_api = WebApi(
            context, self.credentials, Buckets(self.clock), self.faults, self.journal
        )
        self._doors = SideDoors(self.store, hooks, responses, self.faults, self.journal)
        self._listening = Listening(
            "workspace", _PAGE, self.credentials.page_token, bounds.file_bytes + 64 * 1024
        )

    # Addresses and secrets

    @property
    def origin(self) -> str:
        """The server's ``http://127.0.0.1:port``. Raises RuntimeError before start."""
        return self._listening.origin

    @property
    def base_url(self) -> str:
        """The Web API's base URL, for a Slack client."""
        return f"{self.origin}/api/"

    @property
    def page_url(self) -> str:
        """The page's address, token included."""
        return self._listening.page_url

    @property
    def bot_token(self) -> str:
        """The bot token."""
        return self.credentials.bot_token

    @property
    def app_token(self) -> str:
        """The app-level token, for Socket Mode."""
        return self.credentials.app_token

    @property
    def signing_secret(self) -> str:
        """The secret that requests over HTTP are signed with."""
        return self.credentials.signing_secret

    @property
    def app_connected(self) -> bool:
        """Whether interactions reach the app: a socket is open, or a request URL is set."""
        return self._http is not None or self._sockets.connected

    @property
    def app_connections(self) -> int:
        """How many sockets of the app are open: several instances of it may run."""
        return self._sockets.connections

    def channel_id(self, name: str) -> str:
        """Return a channel's id. Raises KeyError for a name it doesn't have."""
        for channel in self.store.channels.values():
            if channel.name == name and channel.im_with is None:
                return channel.id
        raise KeyError(name)

    def member(self, user: str) -> MemberClient:
        """Return a client that acts as one member; use it as an async context."""
        return MemberClient(self.origin, self.credentials.page_token, user)

    def state_of(self, user: str) -> JsonObject:
        """Return what the member API's state shows a member now."""
        return self._member_api.state_of(user)

    # Running

    async def start(self, port: int = 0) -> None:
        """Listen on 127.0.0.1; port 0 takes a free one. Raises OSError for a port in use."""
        await self._listening.start(
            port,
            [
                web.route("*", "/api/{method}", self._web_api.handle),
                web.post("/hooks/{kind}/{team}/{key:.+}", self._doors.respond),
                web.post("/upload/v1/{file_id}", self._doors.upload),
                web.get("/link/", self._sockets.handle),
                *self._member_api.routes(),
            ],
        )

    async def stop(self) -> None:
        """Close every connection and stop listening."""
        await self._member_api.close()
        await self._sockets.close()
        if self._http is not None:
            self.deliver_over_http(None)
        while self._retired:
            await self._retired.pop().close()
        await self._listening.stop()

    async def __aenter__(self) -> "Workspace":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    # Delivery

    def deliver_over_http(self, url: str | None) -> None:
        """Deliver to a request URL by signed POST from now on; None goes back to Socket Mode."""
        if self._http is not None:
            self._retired.append(self._http)
        self._http = HttpMode(url, self.signing_secret, self.clock) if url is not None else None
        self._dispatcher.carrier = self._http or self._sockets
        self._app_changed(self.app_connected)

    def sent_over_http(self) -> list[SignedRequest]:
        """Return the newest requests to the request URL, oldest first, byte for byte."""
        return list(self._http.sent) if self._http is not None else []

    async def send_event(self, event: Mapping[str, Any]) -> None:
        """Deliver an Events API event. Raises NotAcknowledged after the last retry."""
        payload = self._payloads.event(dict(event), new_id("Ev"), self.clock.time())
        await self._dispatcher.deliver_event(payload)

    def signed(self, kind: str, payload: JsonObject) -> SignedRequest:
        """Build the signed HTTP request for a payload, as it would be sent now."""
        return signed_request(self.signing_secret, self.clock.time(), kind, payload)

    async def until_app_connected(self) -> None:
        """Return once the app has a Socket Mode connection."""
        await self._sockets.until_connected()

    def _app_changed(self, connected: bool) -> None:
        self._feed.tell_all({"type": "app", "connected": connected})

    def _hook_url(self, hook: Hook, kind: str) -> str:
        return f"{self.origin}/hooks/{kind}/{self.identity.team_id}/{hook.key}"
