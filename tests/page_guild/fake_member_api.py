"""A small strict stand-in for the local server's member API, to drive the page alone.

It refuses what the real one refuses: a missing token, unknown or disabled controls, options
that aren't offered, fields that aren't there. What people do is kept in ``acts``.
"""

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import WSMsgType, web

from bot.hands import PATIENCE
from bot.local.page_guard import Page

Json = dict[str, Any]

PAGE = Path(__file__).parents[2] / "bot" / "guild" / "page"
TOKEN = "a-token"
PIXEL = (
    b"<svg xmlns='http://www.w3.org/2000/svg' width='300' height='120'>"
    b"<rect width='300' height='120' fill='#5865f2'/></svg>"
)
KINDS = {3: str, 4: int, 5: bool, 10: float}


def controls(components: list[Json]) -> Iterator[Json]:
    """Yield everything with a custom_id, however deep."""
    for one in components:
        if "custom_id" in one:
            yield one
        inner = [*one.get("components", []), one.get("accessory"), one.get("component")]
        yield from controls([part for part in inner if part])


def find(components: list[Json], custom_id: str) -> Json | None:
    return next((one for one in controls(components) if one["custom_id"] == custom_id), None)


@dataclass
class FakeMemberApi:
    """Serves the page, a state and events on a free port of 127.0.0.1."""

    state: Json
    acts: list[tuple[str, Json]] = field(default_factory=list)
    answers: dict[str, Json] = field(default_factory=dict)
    hold: dict[str, asyncio.Event] = field(default_factory=dict)
    sockets: list[web.WebSocketResponse] = field(default_factory=list)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    origin: str = ""
    _runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"{self.origin}/?token={TOKEN}"

    async def start(self) -> None:
        app = web.Application()
        page = Page(PAGE, ())
        app.on_response_prepare.append(page.add_headers)
        app.router.add_get("/", page.index)
        app.router.add_get("/static/{name}", page.static)
        app.router.add_get("/member/state", self._state)
        app.router.add_get("/member/events", self._events)
        app.router.add_get("/member/file/{id}", self._file)
        app.router.add_post("/member/{act}", self._act)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.origin = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        await self.drop_sockets()
        if self._runner:
            await self._runner.cleanup()

    async def drop_sockets(self) -> None:
        for socket in list(self.sockets):
            await socket.close()

    async def push(self, event: Json) -> None:
        """Send an event to every client, and keep the state in step with it."""
        said: Json = event.get("message") or {}
        for kind, kept in (("message", "messages"), ("ephemeral", "ephemerals")):
            if event["type"] in {kind, f"{kind}_changed"}:
                others = [one for one in self.state[kept] if one["id"] != said["id"]]
                self.state[kept] = [*others, said]
        if event["type"] == "modal":
            self.state["modal"] = event["modal"]
        for socket in list(self.sockets):
            await socket.send_json(event)

    async def act(self, name: str, nth: int = 1) -> Json:
        """Wait until the ``nth`` act of this name was made, and return what it said."""
        async with asyncio.timeout(PATIENCE), self.changed:
            await self.changed.wait_for(lambda: len(self.made(name)) >= nth)
        return self.made(name)[nth - 1]

    async def connected(self) -> None:
        """Wait until a client listens to events."""
        async with asyncio.timeout(PATIENCE), self.changed:
            await self.changed.wait_for(lambda: bool(self.sockets))

    def made(self, name: str) -> list[Json]:
        return [body for act, body in self.acts if act == name]

    def _check(self, request: web.Request) -> None:
        bearer = f"Bearer {request.query.get('token')}"
        if request.headers.get("Authorization", bearer) != f"Bearer {TOKEN}":
            raise web.HTTPForbidden

    async def _file(self, request: web.Request) -> web.Response:
        self._check(request)
        return web.Response(body=PIXEL, content_type="image/svg+xml")

    async def _state(self, request: web.Request) -> web.Response:
        self._check(request)
        me = request.query.get("as") or self.state["me"]
        if me not in {member["id"] for member in self.state["members"]}:
            raise web.HTTPNotFound
        return web.json_response({**self.state, "me": me})

    async def _events(self, request: web.Request) -> web.WebSocketResponse:
        self._check(request)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await self._note(lambda: self.sockets.append(socket))
        async for message in socket:
            if message.type is WSMsgType.ERROR:
                break
        await self._note(lambda: self.sockets.remove(socket))
        return socket

    async def _note(self, change: Callable[[], None]) -> None:
        async with self.changed:
            change()
            self.changed.notify_all()

    async def _act(self, request: web.Request) -> web.Response:
        self._check(request)
        name = request.match_info["act"]
        body = json.loads(await request.text())
        await self._note(lambda: self.acts.append((name, body)))
        if held := self.hold.get(name):
            await held.wait()
        if wrong := self._wrong(name, body):
            return web.json_response({"ok": False, "error": wrong})
        return web.json_response(self.answers.get(name) or {"ok": True})

    def _wrong(self, name: str, body: Json) -> str | None:
        if body.get("as") not in {member["id"] for member in self.state["members"]}:
            return "There is no such member."
        if name == "press":
            return self._wrong_press(body)
        if name == "submit":
            known = {one["custom_id"] for one in controls(self.state["modal"]["components"])}
            return None if set(body["values"]) <= known else "There is no such field."
        if name in {"command", "complete"}:
            return self._wrong_options(body)
        return None if name in {"say", "close", "dismiss"} else "There is no such act."

    def _wrong_press(self, body: Json) -> str | None:
        every = [*self.state["messages"], *self.state["ephemerals"]]
        found = [m for m in every if m["id"] == body["message"]]
        control = find(found[0]["components"], body["custom_id"]) if found else None
        if control is None or control.get("disabled"):
            return "There is no such control."
        if found[0]["channel_id"] != body["channel"]:
            return "That message is in another channel."
        offered = {one["value"] for one in control.get("options", [])}
        given = body.get("values", [])
        return None if set(given) <= offered and bool(given) == bool(offered) else "No such option."

    def _wrong_options(self, body: Json) -> str | None:
        subs = {
            (command["name"], sub["name"]): sub["options"]
            for command in self.state["commands"]
            for sub in command["options"]
        }
        options = subs.get((body["name"], body.get("sub")))
        if options is None:
            return "There is no such command."
        kinds = {option["name"]: KINDS[option["type"]] for option in options}
        for name, value in body["options"].items():
            if name not in kinds or not isinstance(value, kinds[name]):
                return f"There is no such option: {name}."
        return None
