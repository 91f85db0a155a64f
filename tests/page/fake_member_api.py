"""A small strict stand-in for the workspace's member API, to drive the page alone.

It refuses what the real one refuses: a missing token, unknown elements, options
that aren't offered. What people do is kept in ``acts`` for the tests to look at.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import WSMsgType, web

from bot.hands import PATIENCE
from bot.local.page_guard import Page

Json = dict[str, Any]

PAGE = Path(__file__).parents[2] / "bot" / "workspace" / "page"
TOKEN = "a-token"
PIXEL = (
    b"<svg xmlns='http://www.w3.org/2000/svg' width='300' height='120'>"
    b"<rect width='300' height='120' fill='#0b6f70'/></svg>"
)


def offered(node: Any) -> list[str]:
    """Return the option values anywhere inside an element."""
    if isinstance(node, dict):
        groups = [*node.get("options", []), *node.get("option_groups", [])]
        own = [node["value"]] if "value" in node and "text" in node else []
        return own + [value for group in groups for value in offered(group)]
    return []


def elements(blocks: list[Json]) -> dict[tuple[str, str], Json]:
    """Return a message's or view's elements by block_id and action_id."""
    found = {}
    for block in blocks:
        inside = [*block.get("elements", []), block.get("accessory"), block.get("element")]
        for element in inside:
            if element and "action_id" in element:
                found[block["block_id"], element["action_id"]] = element
    return found


@dataclass
class FakeMemberApi:
    """Serves the page, a state and events on a free port of 127.0.0.1."""

    state: Json
    acts: list[tuple[str, Json]] = field(default_factory=list)
    refuse: dict[str, Json] = field(default_factory=dict)
    hold: dict[str, asyncio.Event] = field(default_factory=dict)
    sockets: list[web.WebSocketResponse] = field(default_factory=list)
    on_act: Callable[[str, Json], Json | None] | None = None
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
        message: Json = event.get("message") or {}
        if event["type"] == "message":
            self.state["messages"].append(message)
        elif event["type"] == "message_changed":
            kept = self.state["messages"]
            kept[[m["ts"] for m in kept].index(message["ts"])] = message
        elif event["type"] == "view":
            self.state["view"] = event["view"]
        for socket in list(self.sockets):
            await socket.send_json(event)

    async def act(self, name: str, nth: int = 1) -> Json:
        """Wait until the ``nth`` act of this name was made, and return what it said."""
        async with asyncio.timeout(PATIENCE), self.changed:
            await self.changed.wait_for(lambda: len(self._made(name)) >= nth)
        return self._made(name)[nth - 1]

    async def connected(self) -> None:
        """Wait until a client listens to events."""
        async with asyncio.timeout(PATIENCE), self.changed:
            await self.changed.wait_for(lambda: bool(self.sockets))

    def _made(self, name: str) -> list[Json]:
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
        answer = self.on_act(name, body) if self.on_act else None
        return web.json_response(answer or self.refuse.get(name) or {"ok": True})

    def _wrong(self, name: str, body: Json) -> str | None:
        if body.get("as") not in {member["id"] for member in self.state["members"]}:
            return "no_such_member"
        if name == "press":
            return self._wrong_press(body)
        if name == "submit":
            known = elements(self.state["view"]["blocks"])
            given = {(b, a) for b, values in body["values"].items() for a in values}
            return None if given <= set(known) else "no_such_element"
        if name == "command":
            known_commands = {command["command"] for command in self.state["commands"]}
            word = body["text"].split()[0]
            return None if word in known_commands else "unknown_command"
        return None if name in {"say", "close"} else "no_such_act"

    def _wrong_press(self, body: Json) -> str | None:
        if "view" in body:
            blocks = self.state["view"]["blocks"]
        else:
            every = [*self.state["messages"], *self.state["ephemerals"]]
            found = [m for m in every if m["ts"] == body["message"]["ts"]]
            blocks = found[0]["blocks"] if found else []
        element = elements(blocks).get((body["block_id"], body["action_id"]))
        if element is None:
            return "no_such_element"
        value = body["value"] or {}
        chosen = [value["option"]] if "option" in value else value.get("options", [])
        return None if set(chosen) <= set(offered(element)) else "no_such_option"
