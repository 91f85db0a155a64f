"""What systemd is told of a service of Type=notify: that it is ready, alive, stopping.

The protocol is one datagram a message, to the socket that systemd names (sd_notify(3)).
"""

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import AsyncIterator, Mapping

from services.tasks import end

_log = logging.getLogger(__name__)


class Systemd:
    """Speaks to systemd; says nothing where the bot was not started by it."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._socket = environment.get("NOTIFY_SOCKET", "")
        mine = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        told = environment.get("WATCHDOG_USEC", "")
        #: Seconds within which systemd wants to hear that we are alive; None for never.
        self.watchdog = int(told) / 1e6 if mine and told.isdecimal() and int(told) else None

    def tell(self, *said: str) -> None:
        """Send assignments such as READY=1. That it cannot is no reason to stop serving."""
        if not self._socket:
            return
        address = self._socket
        if address.startswith("@"):
            address = "\0" + address[1:]  # Linux's abstract sockets
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as to:
                to.setblocking(False)
                to.sendto("\n".join(said).encode(), address)
        except OSError as error:
            _log.warning("systemd could not be told %s: %s", said[0], error.strerror or error)

    @contextlib.asynccontextmanager
    async def alive(self) -> AsyncIterator[None]:
        """Say within the block that the event loop turns, twice as often as systemd wants."""
        task = asyncio.create_task(self._say_alive()) if self.watchdog else None
        try:
            yield
        finally:
            if task is not None:
                await end([task])

    async def _say_alive(self) -> None:
        while self.watchdog:
            self.tell("WATCHDOG=1")
            await asyncio.sleep(self.watchdog / 2)
