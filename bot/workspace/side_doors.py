"""The app's two other ways in: response URLs and file uploads."""

import json
from typing import Any

from aiohttp import web

from bot.workspace.faults import Faults
from bot.workspace.journal import Journal
from bot.workspace.responses import Responses
from bot.workspace.store import Store
from bot.workspace.tickets import Hooks
from bot.workspace.values import ApiError, JsonObject

# What each refusal of a response URL answers with; the page gives the limits, not the codes. Of
# invalid_blocks somebody told (slackapi/java-slack-sdk, issue 1349): 404, and no word on the place.
_GONE = {"no_such_url": 404, "expired_url": 404, "used_url": 404, "invalid_blocks": 404}

#: What the journal and the faults call it: it is no method.
RESPONSE_URL = "response_url"


class SideDoors:
    """Serves response URLs and upload URLs."""

    def __init__(
        self, store: Store, hooks: Hooks, responses: Responses, faults: Faults, journal: Journal
    ) -> None:
        self._store = store
        self._hooks = hooks
        self._responses = responses
        self._faults = faults
        self._journal = journal

    async def respond(self, request: web.Request) -> web.Response:
        """Serve a POST to a response URL."""
        status = 200
        answer: JsonObject = {"ok": True}
        body: JsonObject = {}
        try:
            body = await _json(request)
            if self._faults.down:
                status, answer = 503, {"ok": False, "error": "service_unavailable"}
            elif self._faults.forced_limit(RESPONSE_URL) is not None:
                status, answer = 429, {"ok": False, "error": "rate_limited"}
            else:
                self._responses.respond(self._hooks.use(request.match_info["key"]), body)
        except ApiError as refusal:
            status, answer = _GONE.get(refusal.code, 400), refusal.answer()
            if refusal.code == "invalid_blocks":
                answer = {"ok": False, "error": refusal.code}
        self._journal.note(RESPONSE_URL, body, status, answer)
        if answer.get("ok"):
            return web.Response(text="ok")
        return web.json_response(answer, status=status)

    async def upload(self, request: web.Request) -> web.Response:
        """Serve a POST of a file's bytes, raw or as one multipart field."""
        file = self._store.files.get(request.match_info["file_id"])
        if file is None or file.data is not None:
            return web.Response(status=404, text="no such upload")
        if self._faults.down:
            return web.Response(status=503, text="service unavailable")
        if request.content_type == "multipart/form-data":
            fields = [f for f in (await request.post()).values() if isinstance(f, web.FileField)]
            data = fields[0].file.read() if len(fields) == 1 else b""
        else:
            data = await request.read()
        if len(data) != file.length:
            return web.Response(status=400, text="the length is not the announced one")
        file.data = data
        return web.Response(text=f"OK - {len(data)}")


async def _json(request: web.Request) -> JsonObject:
    try:
        value: Any = json.loads(await request.text())
    except ValueError:
        raise ApiError("invalid_payload") from None
    if not isinstance(value, dict):
        raise ApiError("invalid_payload")
    return value
