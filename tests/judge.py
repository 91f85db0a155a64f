"""An independent judge of what was said over the local workspace's Web API.

It knows nothing of the workspace's own checks. Calls and answers are held against Slack's
published OpenAPI 2 description of the Web API (2021), blocks against the classes of
``slack_sdk.models``. Where the description is out of date, the exception stands in a table
below with its reason; everything else it says is law.
"""

import json
import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self

from jsonschema import Draft4Validator
from slack_sdk.errors import SlackObjectFormationError
from slack_sdk.models.blocks import Block
from slack_sdk.models.views import View

from bot.workspace import Call
from tests.published import published

SPEC_NAME = "slack-web-openapi-v2.json"

# Methods made after 2021, or not part of the published description.
NOT_DESCRIBED = {
    "apps.connections.open": "Socket Mode's method is not in the description",
    "files.getUploadURLExternal": "made in 2022",
    "files.completeUploadExternal": "made in 2022",
    "response_url": "not a Web API method",
    "ack:slash_commands": "not a Web API method",
    "ack:view_submission": "not a Web API method",
}
# Arguments that the description lacks: (method or *, argument).
NEWER_ARGUMENTS = {
    ("*", "team_id"): "sent by the client library with every call; on newer pages",
    ("chat.postMessage", "metadata"): "message metadata came in 2022",
    ("chat.update", "metadata"): "message metadata came in 2022",
    ("chat.update", "reply_broadcast"): "on the newer page",
    ("conversations.history", "include_all_metadata"): "message metadata came in 2022",
    ("conversations.replies", "include_all_metadata"): "message metadata came in 2022",
}
# Arguments whose described type isn't what the pages say: (method or *, argument) -> type.
OTHER_TYPES = {
    ("*", "blocks"): "json",  # described as a string: JSON text; JSON bodies carry the array
    ("*", "attachments"): "json",  # likewise
    ("*", "view"): "json",  # likewise
    ("*", "as_user"): "boolean",  # described as a string in places
    ("*", "link_names"): "boolean",  # likewise
    ("*", "ts"): "string",  # described as a number in places; a timestamp is a string
    ("*", "thread_ts"): "string",  # likewise
    ("*", "oldest"): "string",  # likewise
    ("*", "latest"): "string",  # likewise
}
# Error codes that came after the description, from the pages of the methods and of the Web API.
NEWER_ERRORS = {
    "invalid_arguments",
    "invalid_blocks",
    "invalid_blocks_format",
    "invalid_metadata_format",
    "metadata_too_large",
    "missing_scope",
    "msg_blocks_too_long",
    "not_allowed_token_type",
    "ratelimited",
    "thread_not_found",
    "unknown_method",
}
# Parts of answers the description forbids or shapes otherwise: method, regular expression over
# the whole fault, reason.
_UNEXPECTED = r"Additional properties are not allowed \(('({})'(, )?)+ (was|were) unexpected\)$"
_MESSAGE = _UNEXPECTED.format("app_id|edited|metadata")
OTHER_ANSWERS: tuple[tuple[str, str, str], ...] = (
    ("chat.postMessage", "^answer at /message: " + _MESSAGE, "on the newer page"),
    ("chat.update", "^answer at /message: " + _MESSAGE, "on the newer page"),
    ("chat.update", r"^answer at /message/blocks: .* is not of type 'object'$", "it is an array"),
    ("conversations.history", r"^answer at /messages/\d+: " + _MESSAGE, "on the newer page"),
    ("conversations.replies", r"^answer at /messages/\d+: " + _MESSAGE, "on the newer page"),
    (
        "conversations.history",
        r"^answer at /messages/\d+/files/\d+: " + _UNEXPECTED.format("alt_txt"),
        "alternative texts came in 2022",
    ),
    (
        "conversations.replies",
        r"^answer at /messages/\d+/files/\d+: " + _UNEXPECTED.format("alt_txt"),
        "alternative texts came in 2022",
    ),
)


def specification() -> dict[str, Any] | None:
    """Return Slack's published description, None when it isn't at hand."""
    return published(SPEC_NAME)


def judge(journal: Iterable[Call], spec: Mapping[str, Any] | None = None) -> list[str]:
    """Return every fault found in the calls, each with the call's place and method.

    Raises FileNotFoundError when no description is given or found.
    """
    described = spec if spec is not None else specification()
    if described is None:
        raise FileNotFoundError(f"{SPEC_NAME} is not at hand; set SPOOLWARDEN_SPECS")
    return [
        f"call {index} {call.method}: {fault}"
        for index, call in enumerate(journal)
        for fault in (*_call_faults(call, described), *block_faults(call))
    ]


def _call_faults(call: Call, spec: Mapping[str, Any]) -> Iterator[str]:
    if call.method in NOT_DESCRIBED:
        if not isinstance(call.answer.get("ok"), bool):
            yield "the answer has no ok"
        return
    operations = spec["paths"].get(f"/{call.method}")
    if operations is None:
        yield "the description knows no such method"
        return
    operation = next(iter(operations.values()))
    yield from _argument_faults(call, operation["parameters"])
    if call.http_status == 200:
        yield from _answer_faults(call, operation["responses"], spec["definitions"])


def _listed(table: Iterable[tuple[str, str]], method: str, name: str) -> tuple[str, str] | None:
    return next((key for key in ((method, name), ("*", name)) if key in table), None)


def _argument_faults(call: Call, parameters: list[dict[str, Any]]) -> Iterator[str]:
    known = {p["name"]: p for p in parameters if p["name"] != "token"}
    if call.method == "api.test":
        return  # takes any argument
    for name, value in call.arguments.items():
        parameter = known.get(name)
        if parameter is None:
            if _listed(NEWER_ARGUMENTS, call.method, name) is None:
                yield f"unknown argument {name}"
            continue
        changed = _listed(OTHER_TYPES, call.method, name)
        kind = OTHER_TYPES[changed] if changed else parameter["type"]
        if not _fits(kind, value):
            yield f"argument {name} is not a {kind}: {value!r:.80}"
    for name, parameter in known.items():
        if parameter.get("required") and call.arguments.get(name) in (None, ""):
            yield f"required argument {name} is missing"


def _fits(kind: str, value: Any) -> bool:
    if kind == "json":
        return isinstance(value, dict | list) or _is_json(value)
    if kind == "boolean":
        return isinstance(value, bool) or value in {"0", "1", "true", "false"}
    if kind in {"integer", "number"}:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return number or (isinstance(value, str) and bool(re.fullmatch(r"-?\d+(\.\d+)?", value)))
    return isinstance(value, str)


def _is_json(value: Any) -> bool:
    try:
        json.loads(value)
    except (TypeError, ValueError):
        return False
    return True


def _answer_faults(
    call: Call, responses: Mapping[str, Any], definitions: Mapping[str, Any]
) -> Iterator[str]:
    ok = call.answer.get("ok")
    if not isinstance(ok, bool):
        yield "the answer has no ok"
        return
    if ok:
        schema = responses["200"]["schema"]
        validator = Draft4Validator({**schema, "definitions": definitions})
        for error in validator.iter_errors(call.answer):
            fault = f"answer at /{'/'.join(map(str, error.absolute_path))}: {error.message}"
            if not any(
                method == call.method and re.search(pattern, fault)
                for method, pattern, _reason in OTHER_ANSWERS
            ):
                yield fault
        return
    allowed = responses["default"]["schema"]["properties"].get("error", {}).get("enum")
    code = call.answer.get("error")
    if allowed is not None and code not in allowed and code not in NEWER_ERRORS:
        yield f"the description knows no error {code}"


# Blocks


class _Warnings(logging.Handler):
    """Collects what the client library's model classes warn about, such as unknown fields."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.messages: list[str] = []
        self._library = logging.getLogger("slack_sdk")
        self._level = self._library.level

    def __enter__(self) -> Self:
        self._library.addHandler(self)
        self._library.setLevel(logging.DEBUG)
        return self

    def __exit__(self, *_: object) -> None:
        self._library.removeHandler(self)
        self._library.setLevel(self._level)

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


def block_faults(call: Call) -> Iterator[str]:
    """Yield what the client library's model classes find wrong in a call's blocks and views."""
    with _Warnings() as warnings:
        yield from _faults(call)
    yield from warnings.messages


def _faults(call: Call) -> Iterator[str]:
    arguments = {name: _loaded(value) for name, value in call.arguments.items()}
    if arguments.get("blocks") is not None:
        yield from _blocks(arguments["blocks"], 50)
    view = arguments.get("view")
    if isinstance(view, dict):
        yield from _view(view)
    elif view is not None:
        yield "view is not an object"


def _loaded(value: Any) -> Any:
    if isinstance(value, str) and value[:1] in "[{":
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _blocks(blocks: Any, limit: int) -> Iterator[str]:
    if not isinstance(blocks, list) or not all(isinstance(b, dict) for b in blocks):
        yield "blocks is not an array of objects"
        return
    if len(blocks) > limit:
        yield f"{len(blocks)} blocks, {limit} allowed"
    for index, block in enumerate(blocks):
        for fault in _block(block):
            yield f"block {index} ({block.get('type')}): {fault}"


def _block(block: dict[str, Any]) -> Iterator[str]:
    try:
        parsed = Block.parse(json.loads(json.dumps(block)))
        if parsed is None:
            yield "the client library knows no such block"
            return
        parsed.validate_json()
        yield from _lost(block, parsed.to_dict(), "")
    except (SlackObjectFormationError, TypeError, AttributeError, KeyError) as refusal:
        yield f"{type(refusal).__name__}: {refusal}"


def _view(view: dict[str, Any]) -> Iterator[str]:
    try:
        View(**json.loads(json.dumps(view))).validate_json()
    except (SlackObjectFormationError, TypeError) as refusal:
        yield f"view: {type(refusal).__name__}: {refusal}"
    yield from _blocks(view.get("blocks"), 100)


def _lost(sent: Any, kept: Any, path: str) -> Iterator[str]:
    """Yield what the model classes dropped or changed: fields they don't know."""
    if isinstance(sent, dict):
        if not isinstance(kept, dict):
            yield f"{path or '/'} did not survive parsing"
            return
        for name, value in sent.items():
            if name not in kept:
                yield f"{path}/{name} is not known"
            else:
                yield from _lost(value, kept[name], f"{path}/{name}")
    elif isinstance(sent, list):
        if not isinstance(kept, list) or len(kept) != len(sent):
            yield f"{path} lost items"
            return
        for index, value in enumerate(sent):
            yield from _lost(value, kept[index], f"{path}/{index}")
    elif sent != kept:
        yield f"{path} changed from {sent!r:.60} to {kept!r:.60}"
