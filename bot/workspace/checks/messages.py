"""What a message may hold ("chat.postMessage", "Message metadata", "Truncating content")."""

import json
from typing import Any

from bot.workspace.checks.grammar import Report, record, string
from bot.workspace.checks.layout import message_faults
from bot.workspace.values import ApiError, JsonObject

TEXT_LIMIT = 40_000  # "chat.postMessage": msg_too_long above 40,000 characters
# "chat.update": msg_too_long above 4,000. Who has measured it (gitlab-org/gitlab, merge request
# 258898) found that these are bytes of UTF-8, counted with "&", "<" and ">" escaped.
UPDATE_BYTES = 4_000
# No number is published for "msg_blocks_too_long". Who has measured it (slackapi/bolt-js, issue
# 2509) found about 13,200 characters in a message's blocks, and 125 of them for each block.
BLOCKS_LIMIT, BLOCK_WEIGHT = 13_200, 125
METADATA_BYTES = 16_000  # "Message metadata": metadata_too_large above 16 kB


def check_blocks(value: Any) -> list[JsonObject]:
    """Return a message's blocks if Slack would take them.

    Raises ApiError ``invalid_blocks_format`` when it isn't an array of objects, else
    ``invalid_blocks`` with a message per fault, or ``msg_blocks_too_long``.
    """
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            raise ApiError("invalid_blocks_format") from None
    if not isinstance(value, list) or not all(isinstance(b, dict) for b in value):
        raise ApiError("invalid_blocks_format")
    faults = message_faults(value)
    if faults:
        raise ApiError("invalid_blocks", tuple(faults), {"errors": faults})
    if BLOCK_WEIGHT * len(value) + _characters(value) > BLOCKS_LIMIT:
        raise ApiError("msg_blocks_too_long")
    return value


def _characters(value: Any) -> int:
    if isinstance(value, list):
        return sum(map(_characters, value))
    if not isinstance(value, dict):
        return 0
    return sum(
        len(one) if name in ("text", "alt_text") and isinstance(one, str) else _characters(one)
        for name, one in value.items()
    )


def check_text(value: str | None) -> str:
    """Return the text, "" for none. Raises ApiError ``msg_too_long``."""
    if value is not None and len(value) > TEXT_LIMIT:
        raise ApiError("msg_too_long")
    return value if value is not None and value.strip() else ""


def check_new_text(value: str | None) -> str:
    """Return the text that takes another's place, "" for none. Raises ApiError ``msg_too_long``."""
    text = check_text(value)
    if len(text.encode("utf-8", "replace")) > UPDATE_BYTES:
        raise ApiError("msg_too_long")
    return text


def _payload(value: Any, pointer: str, report: Report) -> None:
    if not isinstance(value, dict):
        report.fault(pointer, "must provide an object")


_METADATA = record({"event_type": string(low=1, high=255), "event_payload": _payload}, {})


def check_metadata(value: Any) -> JsonObject:
    """Return message metadata if Slack would take it.

    Raises ApiError ``invalid_metadata_format`` or ``metadata_too_large``.
    """
    report = Report()
    _METADATA(value, "/metadata", report)
    if report.faults:
        raise ApiError("invalid_metadata_format", tuple(report.faults))
    if len(json.dumps(value).encode()) > METADATA_BYTES:
        raise ApiError("metadata_too_large")
    checked: JsonObject = value
    return checked
