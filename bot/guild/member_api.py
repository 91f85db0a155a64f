"""The member API: what the page, the drill and the tests use to act as a person."""

import json
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from bot.guild.acts import Acts
from bot.guild.commands import Commands
from bot.guild.member_forms import MemberForms
from bot.guild.modals import Modal
from bot.guild.permissions import Permission
from bot.guild.store import Store
from bot.guild.things import StoredFile
from bot.guild.values import Refused
from bot.local.feed import Feed
from bot.local.values import JsonObject
from bot.local.watchers import Watchers

# What may be shown in the page; anything else is downloaded.
_SHOWN = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif"}


class MemberApi:
    """Serves ``/member/...``, and the files under ``/attachments/...``."""

    def __init__(
        self,
        store: Store,
        shown: MemberForms,
        commands: Commands,
        acts: Acts,
        modals: dict[str, Modal],
        feed: Feed,
        connected: Callable[[], bool],
    ) -> None:
        self._store = store
        self._shown = shown
        self._commands = commands
        self._acts = acts
        self._modals = modals
        self._feed = feed
        self._connected = connected
        self._watchers = Watchers(feed)

    async def close(self) -> None:
        """Close every client's event socket."""
        await self._watchers.close()

    def routes(self) -> list[web.RouteDef]:
        """Return the routes to add."""
        return [
            web.get("/member/state", self.state),
            web.get("/member/events", self.events),
            web.get("/member/file/{file_id}", self.file),
            web.get("/attachments/{channel}/{file_id}/{name}", self.attachment),
            web.post("/member/command", self._acting(self._command)),
            web.post("/member/complete", self._acting(self._complete)),
            web.post("/member/press", self._acting(self._press)),
            web.post("/member/submit", self._acting(self._submit)),
            web.post("/member/close", self._acting(self._close)),
            web.post("/member/dismiss", self._acting(self._dismiss)),
            web.post("/member/say", self._acting(self._say)),
        ]

    def state_of(self, user: str) -> JsonObject:
        """Return everything a member sees."""
        store = self._store
        seen = [
            c for c in store.channels.values() if store.allows(user, c, Permission.VIEW_CHANNEL)
        ]
        messages = [m for c in seen for m in c.messages.values()]
        messages.sort(key=lambda m: int(m.id))
        modal = self._modals.get(user)
        identity = store.identity
        return {
            "me": user,
            "guild": {"id": identity.guild_id, "name": identity.name},
            "members": [
                {"id": m.id, "name": m.name, "display": m.shown, "roles": list(m.roles)}
                for m in store.members.values()
            ],
            "channels": [{"id": c.id, "name": c.name} for c in seen if not c.is_thread],
            "app": {
                "id": identity.application_id,
                "name": identity.app_name,
                "connected": self._connected(),
                "avatar": None,
            },
            "commands": self._commands.usable(user),
            "messages": [self._shown.message(m) for m in messages],
            "threads": [self._shown.thread(c) for c in seen if c.is_thread],
            "ephemerals": [self._shown.message(m) for m in store.ephemerals.get(user, {}).values()],
            "modal": modal.form() if modal is not None else None,
        }

    def tell_commands(self) -> None:
        """Tell every member's clients which commands they may use now."""
        for user in self._store.members:
            event = {"type": "commands", "commands": self._commands.usable(user)}
            self._feed.tell([user], event)

    async def state(self, request: web.Request) -> web.Response:
        """Serve GET /member/state."""
        user = request.query.get("as", "")
        if user not in self._store.members:
            return _no("There is no such member.", 404)
        return web.json_response(self.state_of(user))

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Serve WS /member/events."""
        user = request.query.get("as", "")
        if user not in self._store.members:
            return _no("There is no such member.", 404)
        return await self._watchers.follow(request, user)

    async def file(self, request: web.Request) -> web.Response:
        """Serve GET /member/file/ID: images as such, anything else as a download."""
        file = self._store.files.get(request.match_info["file_id"])
        return _no("There is no such file.", 404) if file is None else _file(file)

    async def attachment(self, request: web.Request) -> web.Response:
        """Serve an attachment at the address its message gives, as Discord's CDN does."""
        file = self._store.files.get(request.match_info["file_id"])
        given = request.query.get("hm", "")
        if file is None or not secrets.compare_digest(given.encode(), file.key.encode()):
            return web.Response(status=404, text="This content is no longer available.")
        return _file(file)

    def _acting(
        self, act: Callable[[str, JsonObject], Awaitable[JsonObject | None]]
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handler(request: web.Request) -> web.Response:
            try:
                body: Any = json.loads(await request.text())
            except ValueError:
                return _no("The body is not JSON.", 400)
            user = body.get("as") if isinstance(body, dict) else None
            if not isinstance(user, str) or user not in self._store.members:
                return _no("There is no such member.", 404)
            try:
                answer = await act(user, body)
            except Refused as refusal:
                return web.json_response({"ok": False, "error": refusal.args[0]})
            return web.json_response({"ok": True, **(answer or {})})

        return handler

    async def _command(self, user: str, body: JsonObject) -> JsonObject:
        made = self._acts.command(
            user, _str(body, "channel"), _str(body, "name"), body.get("sub") or "", _options(body)
        )
        return {"interaction": made.id}

    async def _complete(self, user: str, body: JsonObject) -> JsonObject:
        choices = await self._acts.complete(
            user,
            _str(body, "channel"),
            _str(body, "name"),
            body.get("sub") or "",
            _options(body),
            _str(body, "focused"),
        )
        return {"choices": choices}

    async def _press(self, user: str, body: JsonObject) -> JsonObject:
        made = self._acts.press(
            user,
            _str(body, "channel"),
            _str(body, "message"),
            _str(body, "custom_id"),
            body.get("values"),
        )
        return {"interaction": made.id}

    async def _submit(self, user: str, body: JsonObject) -> JsonObject:
        faults = self._acts.submit(user, _str(body, "modal"), body.get("values", {}))
        if not faults:
            return {}
        return {"ok": False, "error": "Some fields need another value.", "errors": faults}

    async def _close(self, user: str, body: JsonObject) -> None:
        self._acts.close(user, _str(body, "modal"))

    async def _dismiss(self, user: str, body: JsonObject) -> None:
        self._acts.dismiss(user, _str(body, "message"))

    async def _say(self, user: str, body: JsonObject) -> None:
        self._acts.say(user, _str(body, "channel"), _str(body, "text"))


def _str(body: JsonObject, name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str):
        raise Refused(f"«{name}» is needed.")
    return value


def _options(body: JsonObject) -> JsonObject:
    options = body.get("options") or {}
    if not isinstance(options, dict):
        raise Refused("«options» must be an object.")
    return options


def _file(file: StoredFile) -> web.Response:
    kind = next((k for magic, k in _SHOWN.items() if file.data.startswith(magic)), None)
    headers = {"X-Content-Type-Options": "nosniff"}
    if kind is None:
        headers["Content-Disposition"] = "attachment"
    content_type = kind or "application/octet-stream"
    return web.Response(body=file.data, content_type=content_type, headers=headers)


def _no(error: str, status: int) -> web.Response:
    return web.json_response({"ok": False, "error": error}, status=status)
