"""HTTP around the calls: logins and tokens, rights, and every fault that is switched on."""

import asyncio
import json
import ssl
from pathlib import Path

from aiohttp import web

from .calls import DOMAIN, SYS, Answer, Body, Calls, Trouble, fields
from .state import SYSADMIN

_PAGE = "<!DOCTYPE html><html><body><h1>502 Bad Gateway</h1></body></html>"


class Web:
    """Serves the API on a loopback port, over TLS if it is given a certificate."""

    def __init__(self, calls: Calls, certificate: tuple[Path, Path] | None) -> None:
        self._calls = calls
        self._certificate = certificate
        self._runner: web.AppRunner | None = None
        self._leave = asyncio.Event()
        #: Every call that came, by name, in order.
        self.asked: list[str] = []
        #: Every body that came, as text: what must not travel must not be in it.
        self.bodies: list[tuple[str, str]] = []

    async def start(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/api/v1/{path:.*}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        context = None
        if self._certificate is not None:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(*self._certificate)
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=context).start()

    async def stop(self) -> None:
        self._leave.set()
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def url(self) -> str:
        assert self._runner is not None
        scheme = "http" if self._certificate is None else "https"
        return f"{scheme}://127.0.0.1:{self._runner.addresses[0][1]}"

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        path = request.match_info["path"]
        name, rest = self._split(path)
        self.asked.append(name)
        faults = self._calls.faults
        if faults.hung_up.get(name, 0) > 0:
            faults.hung_up[name] -= 1
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if name in faults.hanging:
            await self._leave.wait()
        if name in faults.held:
            await faults.held[name].wait()
        if name in faults.html:
            return web.Response(status=502, text=_PAGE, content_type="text/html")
        if name in faults.html_ok:
            return web.Response(text=_PAGE, content_type="text/html")
        if name in faults.redirected:
            return web.Response(status=302, headers={"Location": "/interface/root"})
        if name in faults.senseless:
            return web.json_response([1, 2])
        try:
            answer = await self._answer(request, name, rest)
        except Trouble as trouble:
            return web.json_response(
                {"success": False, "message": trouble.message}, status=trouble.status
            )
        text = json.dumps({"success": True, "message": "", **answer})
        if name in faults.then:
            await faults.then.pop(name)()
        if name in faults.truncated:
            return web.Response(text=text[: len(text) // 2], content_type="application/json")
        if name in faults.broken:
            response = web.StreamResponse(headers={"Content-Length": str(len(text))})
            await response.prepare(request)
            await response.write(text[: len(text) // 2].encode())
            assert request.transport is not None
            request.transport.close()
            return response
        return web.Response(text=text, content_type="application/json")

    def _split(self, path: str) -> tuple[str, str]:
        """Return a call's name and what follows it in the path."""
        parts = path.split("/")
        length = 2 if parts[0] == "auth" else 3
        return "/".join(parts[:length]), "/".join(parts[length:])

    async def _answer(self, request: web.Request, name: str, rest: str) -> Answer:
        body = await self._body(request, name)
        if name == "auth/authenticate-user":
            return self._log_in(body)
        if name == "auth/refresh-token":
            return self._refresh(body)
        state = self._calls.state
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        scope = state.access.get(token)
        if scope is None or name in self._calls.faults.unauthorized:
            raise Trouble(401, "TOKEN_INVALID")
        if (scope != SYSADMIN and name.startswith(SYS)) or (
            scope == SYSADMIN and name.startswith(DOMAIN)
        ):
            raise Trouble(403, "NOT_ALLOWED")
        call = self._calls.table().get(name)
        if name in self._calls.faults.missing:
            call = None
        counts = name.endswith("spool-message-counts")
        if call is None or (request.method == "GET") is not counts:
            raise Trouble(404 if call is None else 405, "NO_SUCH_CALL")
        refused = self._calls.faults.refused.get(name)
        if refused is not None:
            raise Trouble(200, refused)
        if name in self._calls.faults.ignored:
            return {}
        return await call(body, rest, scope)

    async def _body(self, request: web.Request, name: str) -> Body:
        raw = await request.text()
        self.bodies.append((name, raw))
        if not raw:
            return {}
        try:
            body = json.loads(raw)
        except ValueError:
            raise Trouble(400, "NO_JSON") from None
        if not isinstance(body, dict):
            raise Trouble(400, "NO_OBJECT")
        return body

    def _log_in(self, body: Body) -> Answer:
        fields(body, {"username": str, "password": str})
        state = self._calls.state
        state.logins += 1
        if (body["username"], body["password"]) != (state.admin, state.password):
            raise Trouble(401, f"The login {body['username']}/{body['password']} is wrong")
        return self._tokens()

    def _refresh(self, body: Body) -> Answer:
        fields(body, {"token": str})
        state = self._calls.state
        if body["token"] not in state.refresh:
            raise Trouble(401, "REFRESH_INVALID")
        state.refresh.discard(body["token"])
        return self._tokens()

    def _tokens(self) -> Answer:
        state = self._calls.state
        access, refresh = state.token(SYSADMIN), f"refresh-{len(state.access)}-{state.logins}"
        state.refresh.add(refresh)
        return {
            "accessToken": access,
            "refreshToken": refresh,
            "accessTokenExpiration": "2026-03-02T10:00:00Z",
            "isAdmin": self._calls.build.login_is_admin,
        }
