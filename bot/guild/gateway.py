"""The gateway: identify, resume, heartbeats and events, as the "Gateway" page describes them."""

import asyncio
import math
import secrets
from collections.abc import Callable
from typing import Any

from aiohttp import web

from bot.guild.connection import (
    ALREADY_AUTHENTICATED,
    AUTHENTICATION_FAILED,
    DECODE_ERROR,
    DISALLOWED_INTENTS,
    INVALID_INTENTS,
    INVALID_SHARD,
    INVALID_VERSION,
    NOT_AUTHENTICATED,
    SESSION_TIMED_OUT,
    UNKNOWN_OPCODE,
    Closed,
    Connection,
)
from bot.guild.forms import Forms
from bot.guild.sessions import Session, Sessions
from bot.guild.values import Bounds, GuildIdentity
from bot.local.clock import Clock
from bot.local.values import JsonObject

HEARTBEAT, IDENTIFY, PRESENCE, VOICE, RESUME, MEMBERS = 1, 2, 3, 4, 6, 8
RECONNECT, INVALID_SESSION, HELLO, HEARTBEAT_ACK = 7, 9, 10, 11
GUILDS, GUILD_MEMBERS, GUILD_PRESENCES = 1 << 0, 1 << 1, 1 << 8
GUILD_MESSAGES, MESSAGE_CONTENT = 1 << 9, 1 << 15
ALWAYS = 0
PRIVILEGED = GUILD_MEMBERS | GUILD_PRESENCES | MESSAGE_CONTENT
ALL_INTENTS = (1 << 26) - 1
HEARTBEAT_SECONDS = 41.25
IDENTIFY_SECONDS = 5.0  # "Session Start Limit Object": one IDENTIFY in five seconds
SESSIONS_A_DAY = 1_000
# A connection whose client sent no heartbeat for one and a half intervals is given up.
GRACE = 1.5


class Gateway:
    """Holds the app's connections and hands events to its sessions."""

    def __init__(
        self,
        identity: GuildIdentity,
        bot_token: str,
        forms: Forms,
        clock: Clock,
        bounds: Bounds,
        identify_seconds: float,
        resume_url: Callable[[], str],
        on_change: Callable[[bool], None],
    ) -> None:
        self.heartbeat_seconds = HEARTBEAT_SECONDS
        self.refusals = 0
        self.identifies = 0
        self.too_soon = 0  # IDENTIFYs that were refused because another had come just before
        self.identify_seconds = identify_seconds
        self._identified_at = -math.inf
        self._identity = identity
        self._token = bot_token
        self._forms = forms
        self._clock = clock
        self._resume_url = resume_url
        self._on_change = on_change
        self._sessions = Sessions(clock, bounds)
        self._connections: list[Connection] = []
        self._ready = asyncio.Event()

    # Towards the app

    @property
    def connected(self) -> bool:
        """Whether a session has its client at the other end."""
        return any(s.link is not None for s in self._sessions.alive())

    @property
    def connections(self) -> int:
        """How many sessions have their client at the other end."""
        return sum(s.link is not None for s in self._sessions.alive())

    @property
    def reachable(self) -> bool:
        """Whether events reach the app: now, or once it resumes."""
        return bool(self._sessions.alive())

    async def until_connected(self) -> None:
        """Return once the app has identified."""
        await self._ready.wait()

    def dispatch(self, event: str, data: Any, intents: int) -> None:
        """Send an event to the sessions that asked for one of ``intents``; 0 sends it to all."""
        for session in self._sessions.alive():
            if not intents or session.intents & intents:
                session.dispatch(event, data)

    def dispatch_message(self, event: str, form: JsonObject) -> None:
        """Send a message event, without its content to those who may not read it.

        "Message Content Intent": empty without the intent, but for the bot's own messages and
        those that mention it.
        """
        bot = self._identity.application_id
        readable = form["author"]["id"] == bot or any(u["id"] == bot for u in form["mentions"])
        empty: JsonObject = {"content": "", "embeds": [], "attachments": [], "components": []}
        for session in self._sessions.alive():
            if session.intents & GUILD_MESSAGES:
                whole = readable or session.intents & MESSAGE_CONTENT
                session.dispatch(event, form if whole else form | empty)

    # Faults

    def drop(self) -> None:
        """Cut every connection without a closing handshake."""
        for connection in list(self._connections):
            self._leave(connection, resumable=True)
            connection.abort()

    def ask_to_reconnect(self) -> None:
        """Send RECONNECT to every connection."""
        for connection in list(self._connections):
            connection.put({"op": RECONNECT, "d": None})

    def invalidate(self, *, resumable: bool) -> None:
        """Send INVALID SESSION to every connection; a session not resumable is forgotten."""
        for connection in list(self._connections):
            connection.put({"op": INVALID_SESSION, "d": resumable})
            if not resumable:
                self._leave(connection, resumable=False)

    async def close(self) -> None:
        """Close every connection."""
        for connection in list(self._connections):
            await connection.close(1001, "going away")

    # One connection

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one connection, from its URL to its end."""
        if self.refusals > 0:
            self.refusals -= 1
            return web.Response(status=503, text="the gateway is not available")
        compress = request.query.get("compress")
        if compress not in (None, "zlib-stream") or request.query.get("encoding") != "json":
            return web.Response(status=400, text="only encoding=json and zlib-stream are spoken")
        socket = web.WebSocketResponse(max_msg_size=64 * 1024)
        await socket.prepare(request)
        connection = Connection(socket, request, self._clock, compressed=compress is not None)
        self._connections.append(connection)
        tasks = [asyncio.ensure_future(connection.pump())]
        try:
            if request.query.get("v") != "10":
                raise Closed(*INVALID_VERSION)
            interval = int(self.heartbeat_seconds * 1000)
            connection.put({"op": HELLO, "d": {"heartbeat_interval": interval}})
            tasks.append(asyncio.ensure_future(self._watch(connection)))
            while (frame := await connection.receive()) is not None:
                self._take(connection, frame)
            # "Disconnecting": closing with 1000 or 1001 ends the session.
            ended = connection.closed_by_client_with in (1000, 1001) and not connection.dropped
            self._leave(connection, resumable=not ended)
        except Closed as closing:
            # After these the session is gone ("Gateway Close Event Codes": reconnect false, or
            # "start a new session").
            resumable = closing.code in (4001, 4002, 4003, 4005, 4008)
            self._leave(connection, resumable=resumable)
            await connection.sent()
            await connection.close(closing.code, closing.reason)
        finally:
            self._leave(connection, resumable=True)
            self._connections.remove(connection)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return socket

    async def _watch(self, connection: Connection) -> None:
        """Close a connection whose client stopped sending heartbeats."""
        while True:
            await self._clock.sleep(self.heartbeat_seconds / 2)
            silent = self._clock.monotonic() - connection.last_beat
            if silent > self.heartbeat_seconds * GRACE:
                self._leave(connection, resumable=False)
                await connection.close(*SESSION_TIMED_OUT)
                return

    def _leave(self, connection: Connection, *, resumable: bool) -> None:
        session, connection.session = connection.session, None
        if session is None or session.link is not connection:
            return
        self._sessions.leave(session, resumable=resumable)
        if not self.connected:
            self._ready.clear()
        self._on_change(self.connected)

    def _take(self, connection: Connection, frame: JsonObject) -> None:
        op, data = frame["op"], frame.get("d")
        if op == HEARTBEAT:
            connection.last_beat = self._clock.monotonic()
            connection.put({"op": HEARTBEAT_ACK, "d": None})
        elif op in (IDENTIFY, RESUME):
            if connection.session is not None:
                raise Closed(*ALREADY_AUTHENTICATED)
            if not isinstance(data, dict):
                raise Closed(*DECODE_ERROR)
            token = str(data.get("token", "")).removeprefix("Bot ")
            if not secrets.compare_digest(token.encode(), self._token.encode()):
                raise Closed(*AUTHENTICATION_FAILED)
            (self._identify if op == IDENTIFY else self._resume)(connection, data)
        elif op not in (PRESENCE, VOICE, MEMBERS):
            raise Closed(*UNKNOWN_OPCODE)
        elif connection.session is None:
            raise Closed(*NOT_AUTHENTICATED)

    def _identify(self, connection: Connection, data: JsonObject) -> None:
        # "Identify Structure": token, properties and intents are required.
        intents, properties = data.get("intents"), data.get("properties")
        if not isinstance(properties, dict):
            raise Closed(*DECODE_ERROR)
        if not isinstance(intents, int) or isinstance(intents, bool) or intents & ~ALL_INTENTS:
            raise Closed(*INVALID_INTENTS)
        if intents & PRIVILEGED & ~self._identity.privileged_intents:
            raise Closed(*DISALLOWED_INTENTS)
        if data.get("shard", [0, 1]) != [0, 1]:
            raise Closed(*INVALID_SHARD)
        self.identifies += 1
        if self.identifies > SESSIONS_A_DAY:
            self._reset()
            raise Closed(*AUTHENTICATION_FAILED)
        now = self._clock.monotonic()
        if now - self._identified_at < self.identify_seconds:
            # "Identifying": max_concurrency is one, whichever instance of the app it is.
            self.too_soon += 1
            connection.put({"op": INVALID_SESSION, "d": False})
            return
        self._identified_at = now
        session = self._sessions.begin(intents, connection)
        connection.session = session
        session.dispatch("READY", self._ready_event(session))
        if intents & GUILDS:
            session.dispatch("GUILD_CREATE", self._forms.guild_create())
        self._arrived()

    def _reset(self) -> None:
        """End every session, and the token: "Identifying" says so of too many IDENTIFYs a day."""
        self._token = secrets.token_urlsafe(24)
        for connection in [each for each in self._connections if each.session is not None]:
            self._leave(connection, resumable=False)
            connection.abort()

    def _ready_event(self, session: Session) -> JsonObject:
        return {
            "v": 10,
            "user": {
                **self._forms.bot(),
                "verified": True,
                "mfa_enabled": False,
                "email": None,
                "bio": "",
            },
            "guilds": [{"id": self._identity.guild_id, "unavailable": True}],
            "session_id": session.id,
            "resume_gateway_url": self._resume_url(),
            "session_type": "normal",
            "private_channels": [],
            "relationships": [],
            "presences": [],
            "application": {"id": self._identity.application_id, "flags": 0},
        }

    def _resume(self, connection: Connection, data: JsonObject) -> None:
        session = self._sessions.find(str(data.get("session_id")))
        seq = data.get("seq")
        missed = session.missed(seq) if session and isinstance(seq, int) else None
        if session is None or missed is None:
            connection.put({"op": INVALID_SESSION, "d": False})
            return
        if isinstance(session.link, Connection):  # the client came back before it was missed
            session.link.session = None
            session.link.abort()
        session.link = connection
        connection.session = session
        for frame in missed:
            connection.put(frame)
        session.dispatch("RESUMED", {"_trace": []})
        self._arrived()

    def _arrived(self) -> None:
        self._ready.set()
        self._on_change(True)
