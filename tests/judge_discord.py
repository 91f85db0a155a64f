"""An independent judge of what was said over the local guild's HTTP API.

It knows nothing of the guild's own checks. Every call's request and answer is held against
Discord's published OpenAPI 3.1 description (2026), and no field may be sent that the description
doesn't have. Where the description says less than the documentation pages, or otherwise than the
pages and the real service, the exception stands in a table below with its reason; everything else
it says is law.
"""

import copy
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any
from urllib.parse import quote

import jsonschema_rs
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, relevance
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from bot.guild import Call
from tests.published import published

SPEC_NAME = "discord-openapi.json"

# Fields that the description lacks: (schema, field) -> reason.
MORE_FIELDS: dict[tuple[str, str], str] = {
    ("MessageEditRequestPartial", "tts"): "sent by discord.py with every message body",
    ("IncomingWebhookUpdateRequestPartial", "tts"): "sent by discord.py with every message body",
    (
        "IncomingWebhookUpdateForInteractionCallbackRequestPartial",
        "tts",
    ): "sent by discord.py with every message body",
    ("ApplicationCommandUpdateRequest", "nsfw"): "on the page of the endpoint",
    ("ApplicationCommandCreateRequest", "nsfw"): "on the page of the endpoint",
    ("ApplicationCommandSubcommandGroupOption", "nsfw"): "sent by discord.py with every group",
    ("ComponentEmojiForRequest", "animated"): '"Emoji Object": part of a partial emoji',
    ("UserPIIResponse", "bio"): "given by the real service",
    ("MessageAttachmentRequest", "spoiler"): "sent by discord.py",
}
# Types that the description has otherwise: path within the schemas, what it becomes, reason.
OTHER_TYPES: tuple[tuple[tuple[str, ...], Any, str], ...] = (
    (
        ("MessageAttachmentRequest", "properties", "id"),
        {"type": ["string", "integer"]},
        '"Uploading Files" and discord.py number the files by integers',
    ),
    (
        ("InnerErrors", "properties", "_errors", "items"),
        {
            "type": "object",
            "properties": {"code": {"type": "string"}, "message": {"type": "string"}},
            "required": ["code", "message"],
        },
        'the codes of form errors are names ("Error Messages")',
    ),
    *(
        (
            ("MessageReferenceRequest", "properties", name),
            {"type": ["string", "integer"]},
            "discord.py sends these ids as numbers, which the real service takes",
        )
        for name in ("message_id", "channel_id", "guild_id")
    ),
    (
        ("ApplicationCommandUpdateRequest", "properties", "default_member_permissions"),
        {"type": ["integer", "string", "null"]},
        "a string of digits on the page of the endpoint",
    ),
)
# Answers that stand in no operation's list.
SERVER_FAULTS = range(500, 600)


def specification() -> dict[str, Any] | None:
    """Return Discord's published description, None when it isn't at hand."""
    return published(SPEC_NAME)


@cache
def _law() -> dict[str, Any]:
    """Return the description with the exceptions applied. Raises FileNotFoundError."""
    described = specification()
    if described is None:
        raise FileNotFoundError(f"{SPEC_NAME} is not at hand; set SPOOLWARDEN_SPECS")
    law = copy.deepcopy(described)
    schemas = law["components"]["schemas"]
    for (*way, last), changed, _reason in OTHER_TYPES:
        node = schemas
        for step in way:
            node = node[step]
        node[last] = changed
    for (name, added), _reason in MORE_FIELDS.items():
        schemas[name]["properties"][added] = {}
    combined = _combined(schemas)
    for name, schema in schemas.items():
        closed = "properties" in schema and "additionalProperties" not in schema
        if closed and name not in combined:
            schema["additionalProperties"] = False
    return law


def _combined(schemas: Mapping[str, Any]) -> set[str]:
    """Return the schemas that others extend: closing them would forbid the extension."""
    found: set[str] = set()
    waiting: list[Any] = list(schemas.values())
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            parts = node.get("allOf")
            if isinstance(parts, list):
                found |= {p["$ref"].rsplit("/", 1)[-1] for p in parts if "$ref" in p}
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node
    return found


def judge(journal: Iterable[Call], *, refused_too: bool = True) -> list[str]:
    """Return every fault found in the calls, each with the call's place and route.

    Without ``refused_too``, the requests that the guild refused are not held against the
    description, their answers still are. Raises FileNotFoundError when it isn't at hand.
    """
    law = _law()
    return [
        f"call {index} {call.method} {call.path}: {fault}"
        for index, call in enumerate(journal)
        for fault in _faults(call, law, refused_too)
    ]


def request_faults(schema: str, body: Any) -> list[str]:
    """Return what is wrong with a body by one schema of the description."""
    return list(_compare("request", body, ("components", "schemas", schema)))


def _faults(call: Call, law: Mapping[str, Any], refused_too: bool) -> Iterator[str]:
    operation = law["paths"].get(call.path, {}).get(call.method.lower())
    if operation is None:
        yield "the description knows no such operation"
        return
    if call.status < 400 or refused_too:
        yield from _query_faults(call, law, operation)
        yield from _request_faults(call, law, operation)
    yield from _answer_faults(call, law, operation)


def _query_faults(
    call: Call, law: Mapping[str, Any], operation: Mapping[str, Any]
) -> Iterator[str]:
    known = {
        parameter["name"]
        for parameter in (
            *operation.get("parameters", ()),
            *law["paths"][call.path].get("parameters", ()),
        )
        if parameter.get("in") == "query"
    }
    for name in call.query:
        if name not in known:
            yield f"unknown query parameter {name}"


def _request_faults(
    call: Call, law: Mapping[str, Any], operation: Mapping[str, Any]
) -> Iterator[str]:
    described = operation.get("requestBody")
    if described is None:
        if call.request is not None:
            yield "a body was sent where none is described"
        return
    if call.request is None:
        if described.get("required"):
            yield "the required body is missing"
        return
    way = (*_way(call), "requestBody", "content", "application/json", "schema")
    yield from _compare("request", call.request, way)


def _answer_faults(
    call: Call, law: Mapping[str, Any], operation: Mapping[str, Any]
) -> Iterator[str]:
    if call.status in SERVER_FAULTS:
        return
    responses = operation["responses"]
    status = str(call.status) if str(call.status) in responses else f"{call.status // 100}XX"
    described = responses.get(status)
    if described is None:
        yield f"the description knows no answer with status {call.status}"
        return
    way = (*_way(call), "responses", status)
    if "$ref" in described:
        name = described["$ref"].rsplit("/", 1)[-1]
        described = law["components"]["responses"][name]
        way = ("components", "responses", name)
    content = described.get("content")
    if content is None:
        if call.answer is not None:
            yield "an answer was given where none is described"
        return
    yield from _compare("answer", call.answer, (*way, "content", "application/json", "schema"))


def _way(call: Call) -> tuple[str, ...]:
    return ("paths", call.path, call.method.lower())


def _ref(way: tuple[str, ...]) -> dict[str, str]:
    steps = "/".join(quote(s.replace("~", "~0").replace("/", "~1"), safe="~") for s in way)
    return {"$ref": f"urn:discord#/{steps}"}


@cache
def _law_for_speed() -> jsonschema_rs.Registry:
    return jsonschema_rs.Registry([("urn:discord", _law())], draft=jsonschema_rs.Draft202012)


@cache
def _fast(way: tuple[str, ...]) -> jsonschema_rs.Validator:
    """Return what only tells whether all is well; nearly always it is."""
    return jsonschema_rs.Draft202012Validator(_ref(way), registry=_law_for_speed())


@cache
def _validator(way: tuple[str, ...]) -> Draft202012Validator:
    """Return the validator of one schema of the description, by the way to it."""
    resource = Resource.from_contents(_law(), default_specification=DRAFT202012)
    registry: Registry[Any] = Registry().with_resource("urn:discord", resource)
    return Draft202012Validator(_ref(way), registry=registry)


def _compare(side: str, value: Any, way: tuple[str, ...]) -> Iterator[str]:
    if _fast(way).is_valid(value):
        return
    for error in _validator(way).iter_errors(value):
        worst = _deepest(error)
        where = "/".join(map(str, worst.absolute_path))
        yield f"{side} at /{where}: {worst.message[:300]}"


def _deepest(error: ValidationError) -> ValidationError:
    """Return what is wrong within the branch of a union that came closest."""
    while error.context:
        error = max(error.context, key=lambda e: (len(e.absolute_path), relevance(e)))
    return error
