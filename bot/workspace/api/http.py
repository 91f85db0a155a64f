"""The HTTP face of the Web API: bodies, tokens, scopes, rate limits, answers.

Sources: the "Web API" page (methods, bodies, tokens, errors), "Rate limits", "Scopes".
"""

import json
from typing import Any

from aiohttp import web

from bot.workspace.api import chat, conversations, files, people, pins, views
from bot.workspace.api.method import Arguments, Context, Method
from bot.workspace.faults import Faults
from bot.workspace.journal import Journal
from bot.workspace.limits import Buckets, Tier
from bot.workspace.values import ApiError, Credentials, JsonObject

METHODS: dict[str, Method] = {
    method.name: method
    for family in (chat, conversations, files, people, pins, views)
    for method in family.METHODS
}


class Limited(Exception):
    """The call is over its rate. ``args[0]`` is Retry-After in seconds."""


class WebApi:
    """Serves ``/api/<method>``."""

    def __init__(
        self,
        context: Context,
        credentials: Credentials,
        buckets: Buckets,
        faults: Faults,
        journal: Journal,
    ) -> None:
        self._context = context
        self._credentials = credentials
        self._buckets = buckets
        self._faults = faults
        self._journal = journal

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one call."""
        name = request.match_info["method"]
        arguments: JsonObject = {}
        headers: dict[str, str] = {}
        status = 200
        try:
            arguments, as_text = await _body(request)
            token = _token(request, arguments)
            if self._faults.down:
                status, answer = 503, {"ok": False, "error": "service_unavailable"}
            else:
                answer = self._call(name, arguments, token, as_text, headers)
                if code := self._faults.stumbled(name):
                    answer = {"ok": False, "error": code}
        except ApiError as refusal:
            answer = refusal.answer()
        except Limited as limited:
            status, answer = 429, {"ok": False, "error": "ratelimited"}
            headers["Retry-After"] = str(limited.args[0])
        self._journal.note(name, arguments, status, answer)
        self._faults.answered(name)
        carried_out = status == 200 and answer["ok"]
        if carried_out and self._faults.answer_is_lost(name) and request.transport is not None:
            request.transport.abort()  # the answer below goes nowhere
        return web.json_response(answer, status=status, headers=headers)

    def _call(
        self,
        name: str,
        given: JsonObject,
        token: str | None,
        as_text: bool,
        headers: dict[str, str],
    ) -> JsonObject:
        method = METHODS.get(name)
        if method is None:
            raise ApiError("unknown_method", extra={"req_method": name})
        self._authorise(method, token, headers)
        forced = self._faults.forced_limit(name)
        if forced is not None:
            raise Limited(forced)
        arguments = method.check(given, as_text=as_text)
        self._keep_to_rate(method, arguments)
        if code := self._faults.refused(name):
            raise ApiError(code)
        answer = method.handler(self._context, arguments)
        if name == "api.test" and given:
            answer["args"] = given
        return answer

    def _authorise(self, method: Method, token: str | None, headers: dict[str, str]) -> None:
        if method.token == "none":  # noqa: S105 - a kind of token, not one
            return
        if token is None:
            raise ApiError("not_authed")
        bot = token == self._credentials.bot_token
        app = token == self._credentials.app_token
        if not bot and not app:
            raise ApiError("invalid_auth")
        if bot:
            headers["x-oauth-scopes"] = ",".join(sorted(self._context.scopes))
            if method.scopes:
                headers["x-accepted-oauth-scopes"] = ",".join(method.scopes)
        else:
            headers["x-oauth-scopes"] = "connections:write"
        if (method.token == "app") != app:  # noqa: S105 - a kind of token, not one
            raise ApiError("not_allowed_token_type")
        if method.scopes and not self._context.scopes & set(method.scopes):
            provided = ",".join(sorted(self._context.scopes))
            extra = {"needed": ",".join(method.scopes), "provided": provided}
            raise ApiError("missing_scope", extra=extra)

    def _keep_to_rate(self, method: Method, arguments: Arguments) -> None:
        wanted: list[tuple[tuple[str, ...], Tier]] = [((method.name,), method.tier)]
        if method.per_channel is not None:
            channel = self._context.store.resolve(arguments.text("channel"))
            wanted.append(((method.name, channel), method.per_channel))
        wait = self._buckets.take(*wanted)
        if wait is not None:
            raise Limited(wait)


async def _body(request: web.Request) -> tuple[JsonObject, bool]:
    """Return the arguments, and whether they came as text (query or form)."""
    arguments: JsonObject = dict(request.query)
    if request.method != "POST":
        return arguments, True
    if request.content_type == "application/json":
        text = await request.text()
        try:
            value: Any = json.loads(text) if text else {}
        except ValueError:
            raise ApiError("invalid_json") from None
        if not isinstance(value, dict):
            raise ApiError("json_not_object")
        return arguments | value, False
    if request.content_type in ("application/x-www-form-urlencoded", "multipart/form-data"):
        form = await request.post()
        for name, field in form.items():
            if not isinstance(field, str):
                raise ApiError("invalid_form_data")
            arguments[name] = field
    elif request.can_read_body:
        raise ApiError("invalid_post_type")
    return arguments, True


def _token(request: web.Request, arguments: JsonObject) -> str | None:
    """Take the token out of the header or, for want of it, of the arguments."""
    given = arguments.pop("token", None)
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token:
        return token
    return given if isinstance(given, str) and given else None
