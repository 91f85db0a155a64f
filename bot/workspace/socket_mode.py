"""The Socket Mode side: tickets, connections, envelopes and their acknowledgements.

The messages are those of the "Using Socket Mode" and "apps.connections.open" pages.
"""

import asyncio
import json
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import WSMsgType, web

from bot.local.clock import Clock
from bot.workspace.envelopes import Envelope
from bot.workspace.values import AppIdentity, JsonObject

CONNECTIONS = 10  # "Using Socket Mode": up to 10 connections at a time
TICKET_SECONDS = 30.0
CONNECTION_SECONDS = 3_600
REDELIVERY_SECONDS = 60.0
PING_SECONDS = 10.0


@dataclass(slots=True)
class _Connection:
    number: int
    socket: web.WebSocketResponse
    request: web.Request
    leaving: bool = False


class SocketMode:
    """Holds the app's connections and brings envelopes to one of them, in turn.

    An envelope without an acknowledgement when its connection goes, or sent while there is
    none, is delivered on the next connection, for a minute.
    """

    def __init__(
        self, identity: AppIdentity, clock: Clock, on_change: Callable[[bool], None]
    ) -> None:
        self._identity = identity
        self._clock = clock
        self._on_change = on_change
        self._tickets: dict[str, float] = {}
        self._connections: list[_Connection] = []
        self._count = 0
        self._turn = 0
        self._ready = asyncio.Event()
        self._open: OrderedDict[str, tuple[Envelope, float, _Connection | None]] = OrderedDict()

    @property
    def connected(self) -> bool:
        """Whether the app has a connection that takes envelopes."""
        return any(not c.leaving for c in self._connections)

    @property
    def connections(self) -> int:
        """How many connections the app has that take envelopes."""
        return sum(not c.leaving for c in self._connections)

    def ticket(self) -> str:
        """Return a single-use ticket for one connection."""
        now = self._clock.monotonic()
        self._tickets = {t: due for t, due in self._tickets.items() if due >= now}
        ticket = secrets.token_urlsafe(24)
        self._tickets[ticket] = now + TICKET_SECONDS
        return ticket

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one connection, from its ticket to its end."""
        due = self._tickets.pop(request.query.get("ticket", ""), None)
        if due is None or due < self._clock.monotonic():
            return web.Response(status=401, text="invalid ticket")
        socket = web.WebSocketResponse(heartbeat=PING_SECONDS)
        await socket.prepare(request)
        if len(self._connections) >= CONNECTIONS:
            await socket.send_json({"type": "disconnect", "reason": "too_many_websockets"})
            await socket.close()
            return socket
        self._count += 1
        connection = _Connection(self._count, socket, request)
        self._connections.append(connection)
        try:
            await socket.send_json(self._hello(connection))
            self._ready.set()
            self._on_change(self.connected)
            await self._redeliver()
            await self._listen(connection)
        finally:
            self._connections.remove(connection)
            if not self.connected:
                self._ready.clear()
            self._on_change(self.connected)
            await self._redeliver()
        return socket

    async def until_connected(self) -> None:
        """Return once the app has a connection."""
        await self._ready.wait()

    async def carry(self, envelope: Envelope) -> None:
        """Send an envelope now, or keep it for the next connection."""
        connection = self._next()
        self._forget_old()
        self._open[envelope.id] = (envelope, self._clock.monotonic(), connection)
        if connection is not None:
            await self._send(connection, envelope.frame())

    def drop(self) -> None:
        """Cut every connection without a closing handshake."""
        for connection in list(self._connections):
            connection.leaving = True
            self._ready.clear()
            if connection.request.transport is not None:
                connection.request.transport.abort()

    async def ask_to_reconnect(self, reason: str) -> None:
        """Tell every connection that it ends soon; on ``refresh_requested`` it gets no more."""
        for connection in list(self._connections):
            if reason == "refresh_requested":
                connection.leaving = True
                self._ready.clear()
            message = {"type": "disconnect", "reason": reason, "debug_info": {"host": "local"}}
            await self._send(connection, message)

    async def close(self) -> None:
        """Close every connection."""
        for connection in list(self._connections):
            await connection.socket.close()

    def _hello(self, connection: _Connection) -> JsonObject:
        return {
            "type": "hello",
            "num_connections": len(self._connections),
            "debug_info": {
                "host": "local",
                "build_number": 1,
                "approximate_connection_time": CONNECTION_SECONDS,
            },
            "connection_info": {"app_id": self._identity.app_id},
        }

    async def _listen(self, connection: _Connection) -> None:
        async for message in connection.socket:
            if message.type is not WSMsgType.TEXT:
                continue
            try:
                ack = json.loads(message.data)
            except ValueError:
                ack = None
            if not isinstance(ack, dict) or not isinstance(ack.get("envelope_id"), str):
                await connection.socket.close(code=1003, message=b"not an acknowledgement")
                return
            entry = self._open.pop(ack["envelope_id"], None)
            if entry is not None:
                payload = ack.get("payload")
                entry[0].acknowledge(payload if isinstance(payload, dict) else {})

    def _next(self) -> _Connection | None:
        usable = [c for c in self._connections if not c.leaving and not c.socket.closed]
        if not usable:
            return None
        self._turn += 1
        return usable[self._turn % len(usable)]

    async def _redeliver(self) -> None:
        self._forget_old()
        for envelope_id, (envelope, since, carrier) in list(self._open.items()):
            if carrier is not None and carrier in self._connections and not carrier.leaving:
                continue
            connection = self._next()
            if connection is None:
                return
            self._open[envelope_id] = (envelope, since, connection)
            await self._send(connection, envelope.frame())

    def _forget_old(self) -> None:
        now = self._clock.monotonic()
        for envelope_id, (_, since, _carrier) in list(self._open.items()):
            if now - since > REDELIVERY_SECONDS:
                del self._open[envelope_id]

    async def _send(self, connection: _Connection, message: JsonObject) -> None:
        try:
            await connection.socket.send_json(message)
        except ConnectionError:
            connection.leaving = True  # its handler ends and redelivers
