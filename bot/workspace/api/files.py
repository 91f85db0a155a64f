"""Files: the two-step upload, and ``files.delete``."""

import re
from typing import Any

from bot.workspace.api.method import (
    INTEGER,
    JSON,
    STRING,
    Arguments,
    Context,
    Method,
    required,
)
from bot.workspace.checks.grammar import Report, Rule, array, record, string
from bot.workspace.checks.messages import check_blocks, check_text
from bot.workspace.limits import TIER_3, TIER_4
from bot.workspace.store import StoredFile
from bot.workspace.values import ApiError, JsonObject


def _or_null(rule: Rule) -> Rule:
    # Slack's own client sends what it was not told as null.
    def check(value: Any, pointer: str, report: Report) -> None:
        if value is not None:
            rule(value, pointer, report)

    return check


_FILES = array(
    record(
        {"id": string(low=1)},
        {"title": string(high=255), "highlight_type": _or_null(string())},
    ),
    low=1,
)
# Of channel_id, and not of channels (slackapi/python-slack-sdk, issue 1426).
_CHANNEL = re.compile(r"[CGDZ][A-Z0-9]{8,}")


def upload_url(c: Context, a: Arguments) -> JsonObject:
    """Serve files.getUploadURLExternal."""
    length = a.number("length", 0)
    if length < 1:
        raise ApiError("invalid_arguments", ("must be greater than 0 [json-pointer:/length]",))
    if length > c.store.bounds.file_bytes:
        raise ApiError("file_upload_size_restricted")
    alt = a.text_or_none("alt_txt")
    if alt is not None and len(alt) > 1_000:
        raise ApiError("alt_txt_too_large")
    file = c.store.new_file(a.text("filename"), length, alt)
    return {"ok": True, "upload_url": f"{c.origin()}/upload/v1/{file.id}", "file_id": file.id}


def complete(c: Context, a: Arguments) -> JsonObject:
    """Serve files.completeUploadExternal: share uploaded files, in a channel if one is named."""
    report = Report()
    _FILES(a.raw("files"), "/files", report)
    if report.faults:
        raise ApiError("invalid_arguments", tuple(report.faults))
    text = check_text(a.text_or_none("initial_comment"))
    blocks = check_blocks(a.raw("blocks")) if a.has("blocks") else []
    if text and blocks:
        raise ApiError("invalid_arguments", ("initial_comment and blocks exclude each other",))
    alone = a.text_or_none("channel_id")
    if alone and not _CHANNEL.fullmatch(alone):
        fault = f"input must match regex pattern: ^{_CHANNEL.pattern}$ [json-pointer:/channel_id]"
        raise ApiError("invalid_arguments", (fault,))
    target = alone or a.text_or_none("channels")
    # "files.completeUploadExternal": channels are ids of channels or users.
    channel = c.store.posting_channel(target) if target else None
    files: list[StoredFile] = []
    for entry in a.raw("files"):
        file = c.store.files.get(entry["id"])
        if file is None or file.data is None or file.shared:
            raise ApiError("file_not_found")
        file.title = entry.get("title") or file.name
        files.append(file)
    if channel is not None:
        c.store.post(
            channel,
            user=c.store.identity.bot_user,
            bot=True,
            text=text,
            blocks=blocks,
            thread_ts=a.text_or_none("thread_ts"),
            files=tuple(files),
        )
    for file in files:
        file.shared, file.ready_at = True, c.store.clock.time() + c.store.bounds.file_seconds
    return {"ok": True, "files": [c.store.file_form(file) for file in files]}


def delete(c: Context, a: Arguments) -> JsonObject:
    """Serve files.delete. What shows the file shows nothing in its place."""
    if c.store.files.pop(a.text("file"), None) is None:
        raise ApiError("file_not_found")
    return {"ok": True}


METHODS = (
    Method("files.delete", delete, TIER_3, {"file": required(STRING)}, ("files:write",)),
    Method(
        "files.getUploadURLExternal",
        upload_url,
        TIER_4,
        {
            "filename": required(STRING),
            "length": required(INTEGER),
            "alt_txt": STRING,
            "snippet_type": STRING,
        },
        ("files:write",),
    ),
    Method(
        "files.completeUploadExternal",
        complete,
        TIER_4,
        {
            "files": required(JSON),
            "channel_id": STRING,
            "channels": STRING,
            "initial_comment": STRING,
            "thread_ts": STRING,
            "blocks": JSON,
        },
        ("files:write",),
    ),
)
