"""How what people do in Slack reaches us: Socket Mode, or signed HTTP requests."""

import asyncio
import contextlib
import logging

import aiohttp
from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.errors import SlackApiError
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest

from bot.dispatch import Dispatch
from bot.slack.chat import make_client
from bot.slack.listeners import Listeners
from bot.underway import UnderWay
from services.errors import ConfigError
from services.settings import SlackSettings

_log = logging.getLogger(__name__)
#: Where Slack must send interactions and commands in HTTP mode.
HTTP_PATH = "/slack/events"
# Slack's payloads carry the whole message; a view state is at most a few hundred kB.
_LARGEST = 2 * 1024 * 1024
_WAITS = (1.0, 2.0, 5.0, 15.0, 30.0)  # seconds between tries; the last one repeats
# A connection that was cut is noticed after this long, one that fell silent after four times it.
_PING_SECONDS = 5.0
_GRACE = 2.0  # seconds that HTTP connections get to close when all is answered
_REFUSED = (401, 403)


class SlackConnection:
    """Brings commands, clicks and forms to the dispatch, from start() to stop().

    Of several instances one gets each of them ("Using Socket Mode": an envelope goes to one of up
    to ten connections).
    """

    def __init__(self, settings: SlackSettings, dispatch: Dispatch) -> None:
        secret = settings.signing_secret
        token = settings.bot_token.get_secret_value()

        async def known(enterprise_id: str | None, team_id: str | None) -> AuthorizeResult:
            # The token is known to be ours: asking Slack for each first click would lose
            # that click while Slack's Web API is away.
            return AuthorizeResult(enterprise_id=enterprise_id, team_id=team_id, bot_token=token)

        # Bolt itself refuses what is unsigned, wrongly signed or older than five minutes.
        self._app = AsyncApp(
            client=make_client(None, settings.api_url),  # Bolt gives each answer the token
            authorize=known,
            signing_secret=secret.get_secret_value() if secret else "unused in Socket Mode",
        )
        self._listeners = Listeners(dispatch)
        self._listeners.register(self._app)
        self._settings = settings
        self._socket: AsyncSocketModeHandler | None = None
        self._runner: web.AppRunner | None = None
        self._connecting: asyncio.Task[None] | None = None
        self.trouble: str | None = None  # why nothing arrives, if so
        self.refused = 0  # requests that were not Slack's

    @property
    def connected(self) -> bool:
        """Whether what people do can arrive now."""
        if self._socket is None:
            return self._runner is not None
        client = self._socket.client
        session = client.current_session
        return not (client.closed or client.stale or session is None or session.closed)

    async def start(self) -> None:
        """Connect or listen. Slack being away is waited out; a port in use is a ConfigError."""
        if self._settings.mode == "http":
            await self._listen()
        else:
            self._connecting = asyncio.create_task(self._connect())

    async def drain(self, seconds: float) -> int:
        """Answer what has arrived, for so long at most, and hear nothing more."""
        if self._connecting is not None:
            self._connecting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._connecting
        if self._runner is not None:
            for site in list(self._runner.sites):
                await site.stop()
        cut = await self._listeners.under_way.over(seconds)
        await self._listeners.homes.stop()
        if self._socket is not None:
            await self._socket.close_async()  # type: ignore[no-untyped-call]
        return cut

    async def stop(self) -> None:
        """Let go of the port, where there is one."""
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def port(self) -> int | None:
        """The port listened on in HTTP mode."""
        return self._runner.addresses[0][1] if self._runner else None

    async def _connect(self) -> None:
        token = self._settings.app_token
        assert token is not None  # noqa: S101 - the settings see to it
        tries = 0
        while True:
            handler = _Handler(self._listeners.under_way, self._app, token.get_secret_value())
            try:
                await handler.connect_async()  # type: ignore[no-untyped-call]
            except asyncio.CancelledError:
                await handler.close_async()  # type: ignore[no-untyped-call]
                raise
            except (SlackApiError, aiohttp.ClientError, OSError, TimeoutError) as error:
                await handler.close_async()  # type: ignore[no-untyped-call]
                why = _why(error)
                if self.trouble != why:
                    _log.warning("no connection to Slack, trying on: %s", why)
                self.trouble = why
                await asyncio.sleep(_WAITS[min(tries, len(_WAITS) - 1)])
                tries += 1
            else:
                # From here on the client itself reconnects.
                self._socket, self.trouble = handler, None
                return

    async def _listen(self) -> None:
        app = web.Application(client_max_size=_LARGEST)
        app.add_routes([web.post(HTTP_PATH, self._handle)])
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=_GRACE)
        await runner.setup()
        host, port = self._settings.http_host, self._settings.http_port
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            await runner.cleanup()
            raise ConfigError(
                f"Cannot listen for Slack on {host}:{port} (slack.http_port): {error.strerror}."
            ) from error
        self._runner = runner

    async def _handle(self, request: web.Request) -> web.Response:
        # The client library fails on a time stamp that is no number, and logs that as our error.
        stamp = request.headers.get("X-Slack-Request-Timestamp", "")
        if not (stamp.isdecimal() and len(stamp) <= 12):
            self.refused += 1
            return web.Response(status=401)
        with self._listeners.under_way.answering():
            answer = await self._app.async_dispatch(await to_bolt_request(request))
        self.refused += answer.status in _REFUSED
        return await to_aiohttp_response(answer)


class _Handler(AsyncSocketModeHandler):
    """Counts each envelope as under way until it is acknowledged."""

    def __init__(self, under_way: UnderWay, app: AsyncApp, token: str) -> None:
        super().__init__(app, token, ping_interval=_PING_SECONDS)
        self._under_way = under_way

    async def handle(self, client: AsyncBaseSocketModeClient, req: SocketModeRequest) -> None:
        """Answer an envelope."""
        with self._under_way.answering():
            await super().handle(client, req)  # type: ignore[arg-type]


def _why(error: Exception) -> str:
    if isinstance(error, SlackApiError) and hasattr(error.response, "get"):
        return f"Slack answered {error.response.get('error')}"
    return f"{type(error).__name__}: {error}"
