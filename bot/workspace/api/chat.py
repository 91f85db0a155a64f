"""``chat.*``, by the methods' pages."""

from bot.workspace.api.method import (
    BOOLEAN,
    JSON,
    STRING,
    Argument,
    Arguments,
    Context,
    Method,
    required,
)
from bot.workspace.checks.messages import (
    check_blocks,
    check_metadata,
    check_new_text,
    check_text,
)
from bot.workspace.limits import (
    HUNDREDS,
    POSTING_PER_CHANNEL,
    POSTING_PER_WORKSPACE,
    TIER_3,
    TIER_4,
)
from bot.workspace.store import Channel, Message
from bot.workspace.values import ApiError, JsonObject


def _content(c: Context, a: Arguments) -> tuple[str, list[JsonObject]]:
    """Return a new message's text and blocks. Raises ApiError ``no_text`` when it has neither."""
    _refuse_unmodelled(a)
    text = check_text(a.text_or_none("text"))
    blocks = check_blocks(a.raw("blocks")) if a.has("blocks") else []
    if not text and not blocks:
        raise ApiError("no_text")
    c.store.check_pictures(blocks)
    return text, blocks


def _refuse_unmodelled(a: Arguments) -> None:
    # Secondary attachments are not modelled; an empty list, which removes them, is.
    if a.raw("attachments"):
        raise ApiError("invalid_attachments")


def _own_message(c: Context, channel: Channel, ts: str, refusal: str) -> Message:
    message = channel.messages.get(ts)
    if message is None:
        raise ApiError("message_not_found")
    if not message.bot:
        raise ApiError(refusal)
    return message


def post_message(c: Context, a: Arguments) -> JsonObject:
    """Serve chat.postMessage."""
    channel = c.store.posting_channel(a.text("channel"))
    if "chat:write.customize" not in c.scopes:
        for name in ("username", "icon_emoji", "icon_url"):
            if a.has(name):
                needed = {"needed": "chat:write.customize", "provided": ",".join(sorted(c.scopes))}
                raise ApiError("missing_scope", extra=needed)
    text, blocks = _content(c, a)
    metadata = check_metadata(a.raw("metadata")) if a.has("metadata") else None
    thread_ts = a.text_or_none("thread_ts")
    message = c.store.post(
        channel,
        user=c.store.identity.bot_user,
        bot=True,
        text=text,
        blocks=blocks,
        thread_ts=thread_ts,
        metadata=metadata,
    )
    form = c.store.slack_form(message, with_metadata=True)
    return {"ok": True, "channel": channel.id, "ts": message.ts, "message": form}


def update(c: Context, a: Arguments) -> JsonObject:
    """Serve chat.update. Blocks not given stay; an empty array removes them."""
    channel = c.store.bot_channel(a.text("channel"))
    message = _own_message(c, channel, a.text("ts"), "cant_update_message")
    _refuse_unmodelled(a)
    text = check_new_text(a.text_or_none("text")) if a.has("text") else None
    blocks = check_blocks(a.raw("blocks")) if a.has("blocks") else None
    c.store.check_pictures(blocks or ())
    if not text and not blocks and not a.has("metadata"):
        raise ApiError("no_text")
    metadata = check_metadata(a.raw("metadata")) if a.has("metadata") else None
    c.store.edit(message, text=text, blocks=blocks, metadata=metadata)
    return {
        "ok": True,
        "channel": channel.id,
        "ts": message.ts,
        "text": message.text,
        "message": c.store.slack_form(message, with_metadata=True),
    }


def delete(c: Context, a: Arguments) -> JsonObject:
    """Serve chat.delete."""
    channel = c.store.bot_channel(a.text("channel"))
    message = _own_message(c, channel, a.text("ts"), "cant_delete_message")
    c.store.delete(message)
    return {"ok": True, "channel": channel.id, "ts": message.ts}


def post_ephemeral(c: Context, a: Arguments) -> JsonObject:
    """Serve chat.postEphemeral."""
    channel = c.store.bot_channel(a.text("channel"))
    reader = a.text("user")
    if reader not in c.store.members:
        raise ApiError("user_not_found")
    if reader not in channel.members:
        raise ApiError("user_not_in_channel")
    text, blocks = _content(c, a)
    message = c.store.post_ephemeral(
        channel, reader, text=text, blocks=blocks, thread_ts=a.text_or_none("thread_ts")
    )
    return {"ok": True, "message_ts": message.ts}


def get_permalink(c: Context, a: Arguments) -> JsonObject:
    """Serve chat.getPermalink."""
    channel = c.store.bot_channel(a.text("channel"), must_be_in=False)
    ts = a.text("message_ts")
    message = channel.messages.get(ts)
    if message is None:
        raise ApiError("message_not_found")
    link = f"https://{c.store.identity.team_domain}.slack.com/archives/{channel.id}/p"
    link += ts.replace(".", "")
    if message.thread_ts is not None:
        link += f"?thread_ts={message.thread_ts}&cid={channel.id}"
    return {"ok": True, "channel": channel.id, "permalink": link}


_SHOWN: dict[str, Argument] = {
    "text": STRING,
    "blocks": JSON,
    "attachments": JSON,
    "as_user": BOOLEAN,
    "link_names": BOOLEAN,
    "parse": STRING,
}
_LOOK: dict[str, Argument] = {"username": STRING, "icon_emoji": STRING, "icon_url": STRING}

METHODS = (
    Method(
        "chat.postMessage",
        post_message,
        POSTING_PER_WORKSPACE,
        {
            "channel": required(STRING),
            **_SHOWN,
            **_LOOK,
            "thread_ts": STRING,
            "reply_broadcast": BOOLEAN,
            "unfurl_links": BOOLEAN,
            "unfurl_media": BOOLEAN,
            "mrkdwn": BOOLEAN,
            "metadata": JSON,
        },
        ("chat:write",),
        per_channel=POSTING_PER_CHANNEL,
    ),
    Method(
        "chat.update",
        update,
        TIER_3,
        {
            "channel": required(STRING),
            "ts": required(STRING),
            **_SHOWN,
            "reply_broadcast": BOOLEAN,
            "metadata": JSON,
        },
        ("chat:write",),
    ),
    Method(
        "chat.delete",
        delete,
        TIER_3,
        {"channel": required(STRING), "ts": required(STRING), "as_user": BOOLEAN},
        ("chat:write",),
    ),
    Method(
        "chat.postEphemeral",
        post_ephemeral,
        TIER_4,
        {
            "channel": required(STRING),
            "user": required(STRING),
            **_SHOWN,
            **_LOOK,
            "thread_ts": STRING,
        },
        ("chat:write",),
    ),
    Method(
        "chat.getPermalink",
        get_permalink,
        HUNDREDS,
        {"channel": required(STRING), "message_ts": required(STRING)},
    ),
)
