"""Where a local server listens: on this machine's loopback, with its page and its guard."""

from collections.abc import Iterable

from aiohttp import web

from bot.local.page_guard import Page, guard


class Listening:
    """One port of 127.0.0.1, from start() to stop(). ``name`` says what listens, in errors."""

    def __init__(self, name: str, page: Page, page_token: str, largest_request: int) -> None:
        self._name = name
        self._page = page
        self._page_token = page_token
        self._largest_request = largest_request
        self._runner: web.AppRunner | None = None
        self._port = 0

    @property
    def port(self) -> int:
        """The port, 0 before the first start."""
        return self._port

    @property
    def origin(self) -> str:
        """The server's ``http://127.0.0.1:port``. Raises RuntimeError before start."""
        if self._runner is None:
            raise RuntimeError(f"the {self._name} is not started")
        return f"http://127.0.0.1:{self._port}"

    @property
    def page_url(self) -> str:
        """The page's address, token included."""
        return f"{self.origin}/?token={self._page_token}"

    async def start(self, port: int, routes: Iterable[web.AbstractRouteDef]) -> None:
        """Listen; port 0 takes a free one. Raises OSError for a port in use."""
        app = web.Application(
            client_max_size=self._largest_request, middlewares=[guard(self._page_token)]
        )
        app.on_response_prepare.append(self._page.add_headers)
        app.add_routes(
            [
                *routes,
                web.get("/", self._page.index),
                web.get("/static/{name:.+}", self._page.static),
            ]
        )
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", port)
        try:
            await site.start()
        except OSError:
            await runner.cleanup()
            raise
        self._port = runner.addresses[0][1]
        self._runner = runner

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
