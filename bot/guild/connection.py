"""One gateway connection: frames in and out, compressed as its URL asks, and its heartbeats.

Heartbeats and the limit on sending run on the machine's clock: the client's run on it too.
"""

import asyncio
import json
import zlib
from collections import deque
from typing import Any

from aiohttp import WSMsgType, web

from bot.guild.sessions import Session
from bot.local.clock import Clock
from bot.local.values import JsonObject

SENDS = 120  # "Rate Limiting": 120 gateway events per connection every 60 seconds
WINDOW_SECONDS = 60.0
PAYLOAD_BYTES = 4_096  # "Sending Events": events of 4096 bytes or less


class Closed(Exception):
    """The connection is to be closed with a code of "Gateway Close Event Codes"."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


UNKNOWN_OPCODE = (4001, "Unknown opcode.")
DECODE_ERROR = (4002, "Error while decoding payload.")
NOT_AUTHENTICATED = (4003, "Not authenticated.")
AUTHENTICATION_FAILED = (4004, "Authentication failed.")
ALREADY_AUTHENTICATED = (4005, "Already authenticated.")
RATE_LIMITED = (4008, "You are being rate limited.")
SESSION_TIMED_OUT = (4009, "Session timed out.")
INVALID_SHARD = (4010, "Invalid shard.")
INVALID_VERSION = (4012, "Invalid API version.")
INVALID_INTENTS = (4013, "Invalid intent(s).")
DISALLOWED_INTENTS = (4014, "Disallowed intent(s).")


class Connection:
    """Sends and receives frames of one socket."""

    def __init__(
        self, socket: web.WebSocketResponse, request: web.Request, clock: Clock, *, compressed: bool
    ) -> None:
        self.session: Session | None = None
        self.dropped = False
        self._socket = socket
        self._request = request
        self._clock = clock
        self._deflate = zlib.compressobj() if compressed else None
        self._out: asyncio.Queue[JsonObject] = asyncio.Queue()
        self._received: deque[float] = deque()
        self.last_beat = clock.monotonic()

    def put(self, frame: JsonObject) -> None:
        """Send a frame after all before it."""
        self._out.put_nowait(frame)

    async def pump(self) -> None:
        """Send what is put, until cancelled."""
        while True:
            frame = await self._out.get()
            text = json.dumps({"t": None, "s": None, **frame}, separators=(",", ":"))
            try:
                if self._deflate is None:
                    await self._socket.send_str(text)
                else:
                    # "Transport Compression": one zlib context a connection, flushed each time.
                    data = self._deflate.compress(text.encode())
                    await self._socket.send_bytes(data + self._deflate.flush(zlib.Z_SYNC_FLUSH))
            except ConnectionError:
                return
            finally:
                self._out.task_done()

    async def sent(self) -> None:
        """Return once all that was put is sent."""
        await self._out.join()

    async def receive(self) -> JsonObject | None:
        """Return the next frame, None when the client is gone. Raises Closed."""
        message = await self._socket.receive()
        if message.type in (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR):
            return None
        self._count()
        data: Any = message.data
        size = len(data.encode() if isinstance(data, str) else data)
        if size > PAYLOAD_BYTES:
            raise Closed(*DECODE_ERROR)
        try:
            frame = json.loads(data)
        except ValueError:
            raise Closed(*DECODE_ERROR) from None
        if not isinstance(frame, dict) or not isinstance(frame.get("op"), int):
            raise Closed(*DECODE_ERROR)
        return frame

    def _count(self) -> None:
        now = self._clock.monotonic()
        self._received.append(now)
        while self._received and self._received[0] <= now - WINDOW_SECONDS:
            self._received.popleft()
        if len(self._received) > SENDS:
            raise Closed(*RATE_LIMITED)

    @property
    def closed_by_client_with(self) -> int | None:
        """The code the client closed with, None when it just went."""
        return self._socket.close_code

    async def close(self, code: int, reason: str = "") -> None:
        """Close the socket with a code."""
        await self._socket.close(code=code, message=reason.encode())

    def abort(self) -> None:
        """Cut the connection without a closing handshake."""
        self.dropped = True
        if self._request.transport is not None:
            self._request.transport.abort()
