"""``conversations.*``, by the methods' pages and "Pagination"."""

import base64
import binascii
import re
from collections.abc import Sequence
from typing import TypeVar

from bot.workspace.api.method import (
    BOOLEAN,
    INTEGER,
    STRING,
    Argument,
    Arguments,
    Context,
    Method,
    required,
)
from bot.workspace.limits import TIER_2, TIER_3, TIER_4
from bot.workspace.store import Channel, Message
from bot.workspace.values import ApiError, JsonObject

_T = TypeVar("_T")
_TS = re.compile(r"\d{1,12}(\.\d{1,6})?", re.ASCII)
_TYPES = {"public_channel", "private_channel", "mpim", "im"}
_READ = ("channels:read", "groups:read", "im:read", "mpim:read")
_HISTORY = ("channels:history", "groups:history", "im:history", "mpim:history")


def _cursor(place: str) -> str:
    return base64.urlsafe_b64encode(f"next:{place}".encode()).decode()


def _place(cursor: str) -> str:
    try:
        text = base64.urlsafe_b64decode(cursor.encode()).decode()
    except (binascii.Error, ValueError):
        raise ApiError("invalid_cursor") from None
    if not text.startswith("next:"):
        raise ApiError("invalid_cursor")
    return text.removeprefix("next:")


def _limit(a: Arguments, default: int) -> int:
    if not a.has("limit"):
        return default
    limit = a.number("limit", default)
    if not 1 <= limit <= 999:  # the methods' pages: at most 999
        raise ApiError("invalid_limit")
    return limit


def _page(items: Sequence[_T], a: Arguments, default: int) -> tuple[Sequence[_T], str]:
    """Return one page of a list by offset, and the next cursor, "" at the end."""
    limit = _limit(a, default)
    start = 0
    if a.text_or_none("cursor"):
        place = _place(a.text("cursor"))
        if not place.isdigit():
            raise ApiError("invalid_cursor")
        start = int(place)
    following = _cursor(str(start + limit)) if start + limit < len(items) else ""
    return items[start : start + limit], following


def _form(c: Context, channel: Channel) -> JsonObject:
    if channel.im_with is not None:
        return {
            "id": channel.id,
            "created": channel.created,
            "is_im": True,
            "is_org_shared": False,
            "user": channel.im_with,
            "is_user_deleted": False,
            "priority": 0,
        }
    return {
        "id": channel.id,
        "name": channel.name,
        "name_normalized": channel.name,
        "created": channel.created,
        "creator": next(iter(c.store.members), c.store.identity.bot_user),
        "is_archived": False,
        "is_channel": not channel.private,
        "is_group": channel.private,
        "is_im": False,
        "is_mpim": False,
        "is_private": channel.private,
        "is_general": False,
        "is_member": c.store.identity.bot_user in channel.members,
        "is_shared": False,
        "is_ext_shared": False,
        "is_org_shared": False,
        "unlinked": 0,
        "topic": {"value": "", "creator": "", "last_set": 0},
        "purpose": {"value": "", "creator": "", "last_set": 0},
    }


def info(c: Context, a: Arguments) -> JsonObject:
    """Serve conversations.info."""
    channel = c.store.bot_channel(a.text("channel"), must_be_in=False)
    form = _form(c, channel)
    if a.flag("include_num_members"):
        form["num_members"] = len(channel.members)
    return {"ok": True, "channel": form}


def list_(c: Context, a: Arguments) -> JsonObject:
    """Serve conversations.list: channels the bot can see, of the types asked for."""
    types = set((a.text_or_none("types") or "public_channel").replace(" ", "").split(","))
    if not types <= _TYPES:
        raise ApiError("invalid_types")
    bot = c.store.identity.bot_user
    seen = []
    for channel in c.store.channels.values():
        kind = "im" if channel.im_with else "private_channel" if channel.private else None
        if (kind or "public_channel") in types and (kind is None or bot in channel.members):
            seen.append(channel)
    page, following = _page(seen, a, 100)
    return {
        "ok": True,
        "channels": [_form(c, channel) | _counted(channel) for channel in page],
        "response_metadata": {"next_cursor": following},
    }


def _counted(channel: Channel) -> JsonObject:
    return {} if channel.im_with else {"num_members": len(channel.members)}


def members(c: Context, a: Arguments) -> JsonObject:
    """Serve conversations.members."""
    channel = c.store.bot_channel(a.text("channel"), must_be_in=False)
    page, following = _page(sorted(channel.members), a, 100)
    return {
        "ok": True,
        "members": list(page),
        "response_metadata": {"next_cursor": following},
    }


def join(c: Context, a: Arguments) -> JsonObject:
    """Serve conversations.join; public channels only."""
    channel = c.store.bot_channel(a.text("channel"), must_be_in=False)
    if channel.im_with is not None or channel.private:
        raise ApiError("method_not_supported_for_channel_type")
    answer: JsonObject = {"ok": True}
    if c.store.identity.bot_user in channel.members:
        answer["warning"] = "already_in_channel"
        answer["response_metadata"] = {"warnings": ["already_in_channel"]}
    channel.members.add(c.store.identity.bot_user)
    answer["channel"] = _form(c, channel)
    return answer


def _within(a: Arguments, messages: Sequence[Message]) -> list[Message]:
    """Keep the messages between oldest and latest; ``inclusive`` keeps those at the ends."""
    for name in ("oldest", "latest"):
        value = a.text_or_none(name)
        if value is not None and not _TS.fullmatch(value):
            raise ApiError(f"invalid_ts_{name}")
    oldest, latest = a.text_or_none("oldest"), a.text_or_none("latest")
    low = _micros(oldest) if oldest is not None else None
    high = _micros(latest) if latest is not None else None
    inclusive = a.flag("inclusive")
    kept = []
    for message in messages:
        at = _micros(message.ts)
        if low is not None and (at < low or (at == low and not inclusive)):
            continue
        if high is not None and (at > high or (at == high and not inclusive)):
            continue
        kept.append(message)
    return kept


def _micros(ts: str) -> int:
    seconds, _, rest = ts.partition(".")
    return int(seconds) * 1_000_000 + int(rest.ljust(6, "0") or 0)


def history(c: Context, a: Arguments) -> JsonObject:
    """Serve conversations.history: newest first, thread replies left out."""
    channel = c.store.bot_channel(a.text("channel"))
    limit = _limit(a, 100)
    chosen = _within(a, [m for m in channel.messages.values() if m.thread_ts is None])
    if a.text_or_none("cursor"):
        before = _place(a.text("cursor"))
        if not _TS.fullmatch(before):
            raise ApiError("invalid_cursor")
        chosen = [m for m in chosen if _micros(m.ts) < _micros(before)]
    newest_first = chosen[::-1]
    page = newest_first[:limit]
    more = len(newest_first) > limit
    answer: JsonObject = {
        "ok": True,
        "messages": _forms(c, a, page),
        "has_more": more,
        "pin_count": 0,
        "channel_actions_ts": None,
        "channel_actions_count": 0,
    }
    if more:
        answer["response_metadata"] = {"next_cursor": _cursor(page[-1].ts)}
    return answer


def replies(c: Context, a: Arguments) -> JsonObject:
    """Serve conversations.replies: the thread's first message, then replies, oldest first."""
    channel = c.store.bot_channel(a.text("channel"))
    asked = channel.messages.get(a.text("ts"))
    if asked is None:
        raise ApiError("thread_not_found")
    parent = channel.messages.get(asked.thread_ts or asked.ts, asked)
    limit = _limit(a, 1_000)
    found = _within(a, c.store.replies(channel, parent.ts))
    if a.text_or_none("cursor"):
        after = _place(a.text("cursor"))
        if not _TS.fullmatch(after):
            raise ApiError("invalid_cursor")
        found = [m for m in found if _micros(m.ts) > _micros(after)]
    else:
        found = [parent, *found]
    page = found[:limit]
    more = len(found) > limit
    answer: JsonObject = {"ok": True, "messages": _forms(c, a, page), "has_more": more}
    if more:
        answer["response_metadata"] = {"next_cursor": _cursor(page[-1].ts)}
    return answer


def _forms(c: Context, a: Arguments, page: Sequence[Message]) -> list[JsonObject]:
    wanted = a.flag("include_all_metadata")
    return [c.store.slack_form(m, with_metadata=wanted) for m in page]


_PAGED: dict[str, Argument] = {"cursor": STRING, "limit": INTEGER}
_RANGE: dict[str, Argument] = {
    **_PAGED,
    "oldest": STRING,
    "latest": STRING,
    "inclusive": BOOLEAN,
    "include_all_metadata": BOOLEAN,
}
_CHANNEL: dict[str, Argument] = {"channel": required(STRING)}

METHODS = (
    Method(
        "conversations.info",
        info,
        TIER_3,
        {**_CHANNEL, "include_locale": BOOLEAN, "include_num_members": BOOLEAN},
        _READ,
    ),
    Method(
        "conversations.list",
        list_,
        TIER_2,
        {**_PAGED, "types": STRING, "exclude_archived": BOOLEAN},
        _READ,
    ),
    Method("conversations.members", members, TIER_4, {**_CHANNEL, **_PAGED}, _READ),
    Method("conversations.join", join, TIER_3, _CHANNEL, ("channels:join",)),
    Method("conversations.history", history, TIER_3, {**_CHANNEL, **_RANGE}, _HISTORY),
    Method(
        "conversations.replies",
        replies,
        TIER_3,
        {**_CHANNEL, "ts": required(STRING), **_RANGE},
        _HISTORY,
    ),
)
