"""What whoever runs the bot can ask it: is it alive, is it ready, what are its figures.

It is off unless [operations] says where to listen, and tells no secret; but it asks
nobody who they are, so it belongs on an address that only monitoring can reach.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, Generic, TypeVar

from aiohttp import web
from sqlmodel import select

from bot.app import App
from bot.backlog import standing
from bot.elements import cut
from bot.metrics import CONTENT_TYPE, ChatState
from bot.systemd import Systemd
from services.errors import ConfigError, StoreError

_T = TypeVar("_T")
#: Seconds after which a database that does not answer counts as one that cannot be used.
_PATIENCE = 3.0
_SLOW = f"The bot's database did not answer within {_PATIENCE:.0f} s."
_LONGEST = 500
#: Seconds that a stop takes at most beside operations.stop_seconds: for the chats, a database
#: that is locked, and some to spare. It is no reason for systemd to kill us.
_LAST = 25.0
_GRACE = 1.0


class Operations:
    """Answers /healthz, /readyz and /metrics."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._runner: web.AppRunner | None = None
        self._database = _OneAtATime(self._use_database)
        self._standing = _OneAtATime(lambda: standing(app.store, tuple(app.chats)))

    async def start(self) -> None:
        """Listen where the settings say, if they do. Raises ConfigError."""
        address = self._app.settings.operations.address
        if address is None:
            return
        served = web.Application()
        served.add_routes(
            [
                web.get("/healthz", self._healthz),
                web.get("/readyz", self._readyz),
                web.get("/metrics", self._metrics),
            ]
        )
        runner = web.AppRunner(served, access_log=None, shutdown_timeout=_GRACE)
        await runner.setup()
        try:
            await web.TCPSite(runner, *address).start()
        except OSError as error:
            await runner.cleanup()
            raise ConfigError(
                f"Cannot listen on {self._app.settings.operations.listen} (operations.listen): "
                f"{error.strerror}."
            ) from error
        self._runner = runner

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()
        await self._database.stop()
        await self._standing.stop()

    @property
    def port(self) -> int | None:
        """The port listened on."""
        return self._runner.addresses[0][1] if self._runner else None

    async def unready(self) -> list[str]:
        """Return a line for each thing that keeps the bot from doing its work."""
        app = self._app
        if not app.started:
            return ["The bot is starting or stopping."]
        lines = []
        try:
            await self._database.ask()
        except StoreError as error:
            lines.append(f"database: {error.sentence}")
        for chat, (connection, publisher) in app.chats.items():
            if not connection.connected:
                lines.append(f"chat {chat}: {connection.trouble or 'It is not connected.'}")
            elif publisher.trouble:
                lines.append(f"chat {chat}: {publisher.trouble}")
        for server in app.servers:
            if trouble := app.watch.trouble(server.name):
                lines.append(f"mail server {server.name}: {trouble}")
        return [cut(line, _LONGEST) for line in lines]

    async def _healthz(self, _request: web.Request) -> web.Response:
        # That this is answered is the whole proof: the event loop turns.
        return web.Response(text="ok\n")

    async def _readyz(self, _request: web.Request) -> web.Response:
        lines = await self.unready()
        if not lines:
            return web.Response(text="ok\n")
        return web.Response(status=503, text="".join(f"{line}\n" for line in lines))

    async def _metrics(self, _request: web.Request) -> web.Response:
        app = self._app
        now = None
        if app.started:
            with contextlib.suppress(StoreError):
                now = await self._standing.ask()
        chats = [
            ChatState(
                chat,
                connection.connected,
                bool(connection.trouble or publisher.trouble),
                connection.refused,
            )
            for chat, (connection, publisher) in app.chats.items()
        ]
        ages = {
            server.name: age.total_seconds()
            for server in app.servers
            if (age := app.watch.age(server.name)) is not None
        }
        body = app.metrics.shown(now, chats, ages, app.clock.now())
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE})

    async def _use_database(self) -> None:
        # As a writer: what can only be read is of no use to an act.
        async with self._app.store.session() as session:
            await session.exec(select(1))


class _OneAtATime(Generic[_T]):
    """Asks the database, and no second time while it has not answered: that would pile up."""

    def __init__(self, work: Callable[[], Coroutine[Any, Any, _T]]) -> None:
        self._work = work
        self._task: asyncio.Task[_T] | None = None

    async def ask(self) -> _T:
        """Return the answer. Raises StoreError, also where none comes in time."""
        task = self._task
        if task is None or task.done():
            task = self._task = asyncio.create_task(self._work())
            # Where nobody waits for it any more, nobody misses how it failed.
            task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        await asyncio.wait({task}, timeout=_PATIENCE)
        if not task.done():
            raise StoreError(_SLOW)
        return task.result()

    async def stop(self) -> None:
        """Ask no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})


@contextlib.asynccontextmanager
async def operating(app: App, systemd: Systemd | None = None) -> AsyncIterator[Operations]:
    """Run the bot within the block, and have monitoring and systemd told how it is.

    Raises what App.start() does, and ConfigError for a port in use.
    """
    systemd = systemd or Systemd()
    operations = Operations(app)
    logging.getLogger().addHandler(app.metrics.errors)
    try:
        # To the very end: a stop that waits for an act is no reason to be killed.
        async with systemd.alive():
            try:
                await operations.start()
                await app.start()
                systemd.tell("READY=1")
                yield operations
            finally:
                limit = app.settings.operations.stop_seconds + _LAST
                systemd.tell("STOPPING=1", f"EXTEND_TIMEOUT_USEC={int(limit * 1e6)}")
                await app.stop()
                await operations.stop()
    finally:
        logging.getLogger().removeHandler(app.metrics.errors)
