"""Who may reach the server, and the headers that keep the page to itself."""

import secrets
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
PAGE_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_CONTENT_TYPES = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
}
# What the pages of all local chats share. It lies under the same address as a page's own files,
# so that a module imports another by its bare name, wherever that one lies.
SHARED_FOLDER = Path(__file__).parents[1] / "page"
_OUR_HOSTS = {"127.0.0.1", "localhost"}


def _host(authority: str) -> str | None:
    try:
        return urlsplit(f"//{authority}").hostname
    except ValueError:
        return None


def _is_ours(request: web.Request) -> bool:
    """Refuse foreign Host headers (DNS rebinding) and foreign origins (other pages)."""
    if _host(request.headers.get("Host", "")) not in _OUR_HOSTS:
        return False
    origin = request.headers.get("Origin")
    return origin is None or origin == f"http://{request.headers['Host']}"


def guard(page_token: str) -> Middleware:
    """Return the middleware: local callers only, and the page token for people's ways in."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not _is_ours(request):
            return _refuse("this server answers only its own page and local clients")
        if request.path == "/" or request.path.startswith("/member/"):
            given = request.query.get("token") or _bearer(request)
            if not secrets.compare_digest(given.encode(), page_token.encode()):
                return _refuse("the page token is missing or wrong")
        return await handler(request)

    return middleware


def _bearer(request: web.Request) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" else ""


def _refuse(reason: str) -> web.Response:
    return web.json_response({"ok": False, "error": reason}, status=403, headers=PAGE_HEADERS)


class Page:
    """A page's files, and its headers on everything but the app's own ways in.

    ``app_ways`` are the beginnings of the paths that the app uses.
    """

    def __init__(self, folder: Path, app_ways: Iterable[str]) -> None:
        self._folder = folder
        self._app_ways = tuple(app_ways)

    async def add_headers(self, request: web.Request, response: web.StreamResponse) -> None:
        """Put the page's headers on a response, unless it is for the app."""
        if not request.path.startswith(self._app_ways):
            for name, value in PAGE_HEADERS.items():
                response.headers.setdefault(name, value)

    async def index(self, request: web.Request) -> web.StreamResponse:
        """Serve the page."""
        return self._file("index.html")

    async def static(self, request: web.Request) -> web.StreamResponse:
        """Serve one of the page's files, or of those all pages share; known kinds only."""
        return self._file(request.match_info["name"])

    def _file(self, name: str) -> web.StreamResponse:
        content_type = _CONTENT_TYPES.get(Path(name).suffix)
        for folder in (self._folder, SHARED_FOLDER) if content_type else ():
            path = folder / name
            if path.resolve().is_relative_to(folder.resolve()) and path.is_file():
                return web.FileResponse(path, headers={"Content-Type": str(content_type)})
        raise web.HTTPNotFound
