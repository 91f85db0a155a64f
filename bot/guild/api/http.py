"""The HTTP API as a whole: who calls, what a request holds, how often, and what is noted of it."""

import json
import re
import secrets
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import BodyPartReader, web

from bot.guild import errors
from bot.guild.api.routes import Route
from bot.guild.faults import Faults
from bot.guild.journal import Journal
from bot.guild.limits import Window, Windows
from bot.guild.values import Answer, ApiError, Bounds, Call, Credentials, Request, Upload
from bot.local.clock import Clock

PREFIX = "/api/v10"
# "User Agent": DiscordBot ($url, $versionNumber); what lacks it Cloudflare may block (40333).
_AGENT = re.compile(r"DiscordBot \(\S+,? \S+\)")
_FILE = re.compile(r"files\[(\d)\]")
_SECRET = {"interaction_token", "webhook_token"}
_MAJOR = ("channel_id", "guild_id", "webhook_id")


class HttpApi:
    """Serves ``/api/v10/...``."""

    def __init__(
        self,
        routes: list[Route],
        credentials: Credentials,
        windows: Windows,
        faults: Faults,
        journal: Journal,
        clock: Clock,
        bounds: Bounds,
    ) -> None:
        self._routes = [(route.pattern(), route) for route in routes]
        self._token = f"Bot {credentials.bot_token}"
        self._windows = windows
        self._faults = faults
        self._journal = journal
        self._clock = clock
        self._bounds = bounds

    async def handle(self, http: web.Request) -> web.StreamResponse:
        """Serve one call."""
        path = "/" + http.match_info["path"]
        try:
            route, parameters = self._route(http.method, path)
        except ApiError as refusal:
            return _response(Answer(refusal.status, refusal.answer()), None)
        request = Request(http.method, route.path, parameters, dict(http.query))
        window: Window | None = None
        try:
            self._authorize(http, route)
            # Read in any case, so that the journal has what was refused, too.
            request.body, request.files = await self._read(http)
            await self._faults.before(http.method, route.path)
            window = self._limit(route, parameters)
            if window is not None and window.refused_for is not None:
                answer = _limited(window)
            else:
                answer = await route.handler(request)
        except ApiError as refusal:
            answer = Answer(refusal.status, refusal.answer())
        self._note(request, answer)
        if self._faults.answer_is_lost(http.method, route.path) and http.transport is not None:
            http.transport.abort()
        return _response(answer, window)

    def _route(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        known = False
        for pattern, route in self._routes:
            found = pattern.fullmatch(path)
            if found is not None:
                if route.method == method:
                    return route, found.groupdict()
                known = True
        raise errors.method_not_allowed() if known else errors.no_such_route()

    def _authorize(self, http: web.Request, route: Route) -> None:
        if not route.needs_token:  # the token is in the path; discord.py names no agent there
            return
        if not _AGENT.match(http.headers.get("User-Agent", "")):
            raise ApiError(403, 40333, "internal network error")
        given = http.headers.get("Authorization", "")
        if not secrets.compare_digest(given.encode(), self._token.encode()):
            raise errors.unauthorized()

    def _limit(self, route: Route, parameters: dict[str, str]) -> Window | None:
        name = f"{route.method} {route.path}"
        forced = self._faults.forced_limit(route.method, route.path)
        if forced is not None:
            return self._windows.forced(name, forced.retry_after, is_global=forced.is_global)
        if route.limit is None:
            return None
        # "Rate Limits": counted per channel_id, guild_id, or webhook_id with its token.
        major = ":".join(parameters[m] for m in _MAJOR if m in parameters)
        major += parameters.get("webhook_token", "")
        counted = route.needs_token  # "Interaction endpoints are not bound to ..." the global one
        return self._windows.take(name, major, route.limit, counts_globally=counted)

    # Bodies

    async def _read(self, http: web.Request) -> tuple[Any, dict[int, Upload]]:
        if http.method in ("GET", "DELETE"):
            return None, {}
        kind = http.content_type
        if kind == "multipart/form-data":
            return await self._multipart(http)
        text = await http.text()
        if kind == "application/x-www-form-urlencoded":
            return dict(parse_qsl(text)), {}
        if not text:  # some calls have nothing to say; those that must are refused later
            return None, {}
        if kind != "application/json":
            message = 'Expected "Content-Type" header to be one of {"application/json"}.'
            tree = {"_errors": [{"code": "CONTENT_TYPE_INVALID", "message": message}]}
            raise errors.invalid_form(tree)
        return _json(text), {}

    async def _multipart(self, http: web.Request) -> tuple[Any, dict[int, Upload]]:
        """Read payload_json and files[n] ("Uploading Files")."""
        body: Any = {}
        files: dict[int, Upload] = {}
        async for part in await http.multipart():
            if not isinstance(part, BodyPartReader):
                raise errors.invalid_json()
            if part.name == "payload_json":
                body = _json((await part.read()).decode("utf-8", "replace"))
                continue
            index = _FILE.fullmatch(part.name or "")
            if index is None or not part.filename:
                where = part.name or "?"
                message = "Only payload_json and files[0] to files[9] are known."
                tree = {"_errors": [{"code": "UNKNOWN_FIELD", "message": message}]}
                raise errors.invalid_form({where: tree})
            data = bytes(await part.read())
            if len(data) > self._bounds.file_bytes:
                raise errors.too_large()
            kind = part.headers.get("Content-Type", "application/octet-stream")
            files[int(index[1])] = Upload(part.filename, data, kind)
        return body, files

    def _note(self, request: Request, answer: Answer) -> None:
        shown = {k: v for k, v in request.parameters.items() if k not in _SECRET}
        self._journal.note(
            Call(
                request.method,
                request.path,
                shown,
                request.query,
                _copy(request.body),
                tuple(f.filename for f in request.files.values()),
                answer.status,
                _copy(answer.body),
                self._clock.time(),
            )
        )


def _copy(value: Any) -> Any:
    return json.loads(json.dumps(value))


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise errors.invalid_json() from None


def _limited(window: Window) -> Answer:
    body = {
        "message": "You are being rate limited.",
        "retry_after": window.refused_for,
        "global": window.is_global,
        "code": 0,
    }
    return Answer(429, body)


def _response(answer: Answer, window: Window | None) -> web.Response:
    headers = {"Via": "1.1 local"}  # the client takes a 429 without it for a ban by Cloudflare
    if window is not None:
        headers |= window.headers()
    if answer.body is None:
        return web.Response(status=answer.status, headers=headers)
    # The client looks for exactly this content type, without a charset.
    headers["Content-Type"] = "application/json"
    data = json.dumps(answer.body, separators=(",", ":")).encode()
    return web.Response(status=answer.status, body=data, headers=headers)
