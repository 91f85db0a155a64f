"""The member API: what the page, the drill and the tests use to act as a person."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from bot.local.watchers import Watchers
from bot.workspace.interactions import Interactions, Parts, Refused
from bot.workspace.submissions import Submissions
from bot.workspace.values import JsonObject

# What may be shown in the page; anything else is downloaded.
_SHOWN = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif"}


class MemberApi:
    """Serves ``/member/...``."""

    def __init__(
        self,
        parts: Parts,
        interactions: Interactions,
        submissions: Submissions,
        connected: Callable[[], bool],
        app_name: str,
    ) -> None:
        self._parts = parts
        self._interactions = interactions
        self._submissions = submissions
        self._connected = connected
        self._app_name = app_name
        self._watchers = Watchers(parts.feed)

    async def close(self) -> None:
        """Close every client's event socket."""
        await self._watchers.close()

    def routes(self) -> list[web.RouteDef]:
        """Return the routes to add."""
        return [
            web.get("/member/state", self.state),
            web.get("/member/events", self.events),
            web.get("/member/file/{file_id}", self.file),
            web.post("/member/command", self._acting(self._command)),
            web.post("/member/press", self._acting(self._press)),
            web.post("/member/submit", self._acting(self._submit)),
            web.post("/member/close", self._acting(self._close)),
            web.post("/member/home", self._acting(self._home)),
            web.post("/member/say", self._acting(self._say)),
        ]

    def state_of(self, user: str) -> JsonObject:
        """Return everything a member sees."""
        store = self._parts.store
        identity = store.identity
        channels = store.channels_of(user)
        people = [
            {
                "id": m.id,
                "name": m.name,
                "real_name": m.real_name,
                "title": m.title,
                "is_bot": False,
            }
            for m in store.members.values()
        ]
        bot = {
            "id": identity.bot_user,
            "name": self._app_name.lower(),
            "real_name": self._app_name,
            "title": "",
            "is_bot": True,
        }
        messages = [m for channel in channels for m in channel.messages.values()]
        messages.sort(key=lambda m: tuple(map(int, m.ts.split("."))))
        return {
            "team": {"id": identity.team_id, "name": identity.team_name},
            "me": user,
            "members": [*people, bot],
            "channels": [
                {"id": c.id, "name": self._app_name if c.im_with else c.name} for c in channels
            ],
            "commands": [
                {
                    "command": c.command,
                    "description": c.description,
                    "usage_hint": c.usage_hint,
                }
                for c in store.commands.values()
            ],
            "messages": [store.member_form(m) for m in messages],
            "ephemerals": [store.member_form(m) for m in store.ephemerals.get(user, ())],
            "view": self._parts.modals.member_form(user),
            "home": self._parts.modals.home_form(user),
            "app": {
                "connected": self._connected(),
                "bot_user": identity.bot_user,
                "name": self._app_name,
            },
        }

    async def state(self, request: web.Request) -> web.Response:
        """Serve GET /member/state."""
        user = request.query.get("as", "")
        if user not in self._parts.store.members:
            return _no("no_such_member", 404)
        return web.json_response(self.state_of(user))

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Serve WS /member/events."""
        user = request.query.get("as", "")
        if user not in self._parts.store.members:
            return _no("no_such_member", 404)
        return await self._watchers.follow(request, user)

    async def file(self, request: web.Request) -> web.Response:
        """Serve GET /member/file/ID: images as such, anything else as a download."""
        file = self._parts.store.files.get(request.match_info["file_id"])
        if file is None or file.data is None:
            return _no("no_such_file", 404)
        kind = next((k for magic, k in _SHOWN.items() if file.data.startswith(magic)), None)
        headers = {} if kind else {"Content-Disposition": "attachment"}
        content_type = kind or "application/octet-stream"
        return web.Response(body=file.data, content_type=content_type, headers=headers)

    def _acting(
        self, act: Callable[[str, JsonObject], Awaitable[JsonObject | None]]
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handler(request: web.Request) -> web.Response:
            try:
                body: Any = json.loads(await request.text())
            except ValueError:
                return _no("invalid_json", 400)
            if not isinstance(body, dict):
                return _no("invalid_json", 400)
            user = body.get("as")
            if not isinstance(user, str) or user not in self._parts.store.members:
                return _no("no_such_member", 404)
            try:
                answer = await act(user, body)
            except Refused as refusal:
                return web.json_response({"ok": False, "error": refusal.args[0]})
            return web.json_response(answer or {"ok": True})

        return handler

    async def _command(self, user: str, body: JsonObject) -> None:
        await self._interactions.command(user, _str(body, "channel"), _str(body, "text"))

    async def _press(self, user: str, body: JsonObject) -> None:
        block_id, action_id = _str(body, "block_id"), _str(body, "action_id")
        value = body.get("value")
        message, view = body.get("message"), body.get("view")
        if isinstance(message, dict) and view is None:
            await self._interactions.press_in_message(
                user, _str(message, "channel"), _str(message, "ts"), block_id, action_id, value
            )
        elif isinstance(view, dict) and message is None:
            await self._interactions.press_in_view(
                user, _str(view, "id"), block_id, action_id, value
            )
        else:
            raise Refused("message_or_view_needed")

    async def _submit(self, user: str, body: JsonObject) -> JsonObject | None:
        values = body.get("values", {})
        errors = await self._submissions.submit(user, _str(body, "view_id"), values)
        return {"ok": False, "errors": errors} if errors else None

    async def _close(self, user: str, body: JsonObject) -> None:
        await self._submissions.close(user, _str(body, "view_id"))

    async def _home(self, user: str, _: JsonObject) -> None:
        await self._interactions.open_home(user)

    async def _say(self, user: str, body: JsonObject) -> None:
        thread_ts = _str(body, "thread_ts") if body.get("thread_ts") is not None else None
        self._interactions.say(user, _str(body, "channel"), _str(body, "text"), thread_ts)


def _str(body: JsonObject, name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str):
        raise Refused(f"{name}_needed")
    return value


def _no(error: str, status: int) -> web.Response:
    return web.json_response({"ok": False, "error": error}, status=status)
