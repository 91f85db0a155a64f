"""Bodies that make or change a message: "Create Message", "Edit Message", and the interactions'.

What a body may hold differs by the way it comes; what the message must be in the end doesn't.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntFlag
from typing import Any

from bot.guild.checks.components import attachment_names, check_components
from bot.guild.checks.embeds import check_embeds
from bot.guild.checks.grammar import (
    Path,
    Report,
    Rule,
    anything,
    array,
    boolean,
    integer,
    one_of,
    record,
    snowflake,
    string,
)
from bot.guild.errors import empty_message
from bot.guild.values import Upload
from bot.local.values import JsonObject


class Flag(IntFlag):
    """The message flags ("Message Flags")."""

    SUPPRESS_EMBEDS = 1 << 2
    HAS_THREAD = 1 << 5
    EPHEMERAL = 1 << 6
    LOADING = 1 << 7
    SUPPRESS_NOTIFICATIONS = 1 << 12
    IS_COMPONENTS_V2 = 1 << 15


CONTENT = 2_000  # "Create Message": up to 2000 characters
# "Create Message", "Interaction Callback Data", "Edit Message": the flags that can be set.
_SENDING = Flag.SUPPRESS_EMBEDS | Flag.SUPPRESS_NOTIFICATIONS | Flag.IS_COMPONENTS_V2
_ANSWERING = _SENDING | Flag.EPHEMERAL
_EDITING = Flag.SUPPRESS_EMBEDS | Flag.IS_COMPONENTS_V2


def _flags(allowed: Flag) -> Rule:
    def rule(value: Any, path: Path, report: Report) -> None:
        before = len(report.faults)
        integer(low=0)(value, path, report)
        if len(report.faults) == before and value & ~allowed:
            message = f"Only these flags can be set here: {int(allowed)}"
            report.fault(path, "MESSAGE_FLAGS_INVALID", message)

    return rule


def _mentions_as_a_whole(value: Any, path: Path, report: Report) -> None:
    # "Allowed Mentions Object": parse and a list of the same kind exclude each other.
    for kind in ("users", "roles"):
        if kind in (value.get("parse") or []) and value.get(kind):
            message = f'parse:["{kind}"] and {kind}: [ids...] are mutually exclusive.'
            report.fault(path, "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE", message)


_MENTIONS = record(
    {},
    {
        "parse": array(one_of("roles", "users", "everyone"), high=3),
        "roles": array(snowflake, high=100),
        "users": array(snowflake, high=100),
        "replied_user": boolean,
    },
    _mentions_as_a_whole,
)
# "Attachment Object": id, and on upload a filename and a description of up to 1024 characters.
# discord.py gives back the other fields of one that is kept.
_ATTACHMENT = record(
    {"id": snowflake},
    {
        "filename": string(low=1, high=1024),
        "description": string(high=1024),
        "title": string(high=1024),
        "is_spoiler": boolean,
        "spoiler": boolean,
    },
    tolerated=("url", "proxy_url", "size", "content_type", "height", "width", "flags"),
)
_REFERENCE = record(
    {"message_id": snowflake},
    {
        "channel_id": snowflake,
        "guild_id": snowflake,
        "type": one_of(0),
        "fail_if_not_exists": boolean,
    },
)


def _nonce(value: Any, path: Path, report: Report) -> None:
    # "Create Message": nonce, integer or string of up to 25 characters.
    if isinstance(value, int):
        integer()(value, path, report)
    else:
        string(high=25)(value, path, report)


_SHARED: dict[str, Rule] = {
    "content": string(high=CONTENT),
    "embeds": anything,
    "components": anything,
    "allowed_mentions": _MENTIONS,
    "attachments": array(_ATTACHMENT, high=10),
}
CREATE = record(
    {},
    {
        **_SHARED,
        "tts": boolean,
        "flags": _flags(_SENDING),
        "nonce": _nonce,
        "enforce_nonce": boolean,
        "message_reference": _REFERENCE,
    },
)
# tts isn't among an edit's fields; discord.py sends it with every message body.
EDIT = record({}, {**_SHARED, "flags": _flags(_EDITING)}, tolerated=("tts",))
CALLBACK = record({}, {**_SHARED, "tts": boolean, "flags": _flags(_ANSWERING)})
UPDATE = record({}, {**_SHARED, "flags": _flags(_EDITING)}, tolerated=("tts",))
FOLLOW_UP = record({}, {**_SHARED, "tts": boolean, "flags": _flags(_ANSWERING)})
# "Deferred": of the data, only the ephemeral flag means something.
DEFER = record({}, {"flags": _flags(Flag.EPHEMERAL)})


@dataclass(frozen=True, slots=True)
class Draft:
    """What a message will be."""

    content: str
    embeds: list[JsonObject]
    components: list[JsonObject]
    flags: Flag
    kept: tuple[str, ...]
    """Ids of the attachments that stay."""
    added: tuple[tuple[int, JsonObject], ...]
    """New attachments: the index of the upload, and what the body says of it."""


def draft(
    rule: Rule,
    body: JsonObject,
    files: Mapping[int, Upload],
    before: Draft | None = None,
    names: Mapping[str, str] | None = None,
    *,
    path: Path = (),
) -> Draft:
    """Return what the message becomes by a body; ``before`` is what an edit starts from.

    ``names`` are the file names of the attachments it has, by id. Raises ApiError "Invalid Form
    Body" or "Cannot send an empty message".
    """
    report = Report()
    rule(body, path, report)
    report.refuse()
    # A field that an edit leaves out stays as it was; one that holds null is emptied.
    content = body.get("content") or "" if "content" in body or not before else before.content
    embeds = body.get("embeds") or [] if "embeds" in body or not before else before.embeds
    components = (
        body.get("components") or [] if "components" in body or not before else before.components
    )
    flags = Flag(body.get("flags") or 0)
    if before is not None:
        kept = before.flags & ~Flag.SUPPRESS_EMBEDS if "flags" in body else before.flags
        # "Edit Message": IS_COMPONENTS_V2 can be added, never taken away.
        flags |= kept
    if "components" in body:
        check_components(components, (*path, "components"), report, v2=_is_v2(flags))
    if "embeds" in body:
        check_embeds(embeds, (*path, "embeds"), report)
    stay, added = _attachments(body, files, before, names or {}, path, report)
    report.refuse()
    made = Draft(content, embeds, components, flags, stay, added)
    _as_a_whole(made, body, files, names or {}, path, report)
    report.refuse()
    if not (content.strip() or embeds or components or stay or added):
        raise empty_message()
    return made


def _is_v2(flags: Flag) -> bool:
    return bool(flags & Flag.IS_COMPONENTS_V2)


def _attachments(
    body: JsonObject,
    files: Mapping[int, Upload],
    before: Draft | None,
    names: Mapping[str, str],
    path: Path,
    report: Report,
) -> tuple[tuple[str, ...], tuple[tuple[int, JsonObject], ...]]:
    """Return the attachments that stay and those that come ("Uploading Files")."""
    listed = body.get("attachments")
    if listed is None:
        stay = before.kept if before is not None else ()
        return stay, tuple((index, {}) for index in sorted(files))
    kept: list[str] = []
    added: list[tuple[int, JsonObject]] = []
    for place, entry in enumerate(listed):
        number = str(entry["id"])
        if before is not None and number in names:
            kept.append(number)
        elif number.isascii() and number.isdigit() and int(number) in files:
            added.append((int(number), entry))
        else:
            message = "No file was sent with this id, and the message has none"
            where = (*path, "attachments", place, "id")
            report.fault(where, "ATTACHMENT_NOT_FOUND", message)
    for index in sorted(set(files) - {i for i, _ in added}):
        added.append((index, {}))
    return tuple(kept), tuple(added)


def _as_a_whole(
    made: Draft,
    body: JsonObject,
    files: Mapping[int, Upload],
    names: Mapping[str, str],
    path: Path,
    report: Report,
) -> None:
    if _is_v2(made.flags):
        # "Using Message Components": content, embeds, stickers and polls don't work with the flag.
        for name in ("content", "embeds"):
            if getattr(made, name):
                message = "The 'content' and 'embeds' fields cannot be used with IS_COMPONENTS_V2"
                code = "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2"
                report.fault((*path, name), code, message)
    have = {names[k] for k in made.kept if k in names}
    have |= {str(said.get("filename") or files[i].filename) for i, said in made.added}
    if "components" in body:
        for where, name in attachment_names(made.components):
            if name not in have:
                message = "The referenced attachment was not found"
                place = (*path, "components", *where)
                report.fault(place, "UNFURLED_MEDIA_ITEM_REFERENCED_ATTACHMENT_NOT_FOUND", message)
