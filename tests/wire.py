"""A wire between the bot and its database that can go dead, as when a machine vanishes.

Nothing is closed then: each end only hears nothing any more, no acknowledgement either. A socket
filter does that (SO_ATTACH_FILTER, socket(7)): the kernel drops all that arrives at a socket
before TCP sees it, so what the server's keepalive makes of it is the real thing.
"""

import asyncio
import contextlib
import ctypes
import socket
import struct
from collections.abc import AsyncIterator
from typing import Self

_SO_ATTACH_FILTER = 26  # asm-generic/socket.h
_RET_NOTHING = struct.pack("HBBI", 0x06, 0, 0, 0)  # BPF_RET | BPF_K: of each packet no byte


class Wire:
    """Listens on ``port`` and passes all on to another port of this machine, while it lives."""

    def __init__(self, to_port: int) -> None:
        self.port = 0
        self._to_port = to_port
        self._server: asyncio.Server | None = None
        self._ends: list[asyncio.StreamWriter] = []
        self._pumps: set[asyncio.Task[None]] = set()

    async def open(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def vanish(self) -> None:
        """Go dead: connections, and whoever tries to make one."""
        assert self._server is not None
        for listening in self._server.sockets:
            _deafen(listening)
        for end in self._ends:
            _deafen(end.get_extra_info("socket"))
        for pump in self._pumps:
            pump.cancel()

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        for pump in list(self._pumps):
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)
        for end in self._ends:
            end.transport.abort()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, to_server = await asyncio.open_connection("127.0.0.1", self._to_port)
        self._ends += [writer, to_server]
        for source, sink in ((reader, to_server), (there, writer)):
            pump = asyncio.create_task(_pump(source, sink))
            self._pumps.add(pump)
            pump.add_done_callback(self._pumps.discard)


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await source.read(1 << 16):
            sink.write(data)
            await sink.drain()
        sink.close()


def _deafen(end: socket.socket) -> None:
    program = ctypes.create_string_buffer(_RET_NOTHING, len(_RET_NOTHING))
    fprog = struct.pack("HP", 1, ctypes.addressof(program))
    end.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, fprog)


@contextlib.asynccontextmanager
async def wire_to(url: str) -> AsyncIterator[tuple[Wire, str]]:
    """Give a wire to a database within the block, and the URL that goes over it."""
    before, _, rest = url.rpartition(":")
    port, _, name = rest.partition("/")
    wire = await Wire(int(port)).open()
    try:
        yield wire, f"{before}:{wire.port}/{name}"
    finally:
        await wire.close()
