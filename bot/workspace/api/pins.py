"""``pins.*``, by the methods' pages."""

from bot.workspace.api.method import STRING, Arguments, Context, Method, required
from bot.workspace.limits import TIER_2
from bot.workspace.store import Message
from bot.workspace.values import ApiError, JsonObject


def _message(c: Context, a: Arguments) -> Message:
    channel = c.store.bot_channel(a.text("channel"))
    ts = a.text_or_none("timestamp")
    if not ts:
        raise ApiError("no_item_specified")
    message = channel.messages.get(ts)
    if message is None:
        raise ApiError("message_not_found")
    return message


def add(c: Context, a: Arguments) -> JsonObject:
    """Serve pins.add."""
    message = _message(c, a)
    if message.subtype is not None:
        raise ApiError("not_pinnable")  # "Some objects cannot be pinned"
    if message.pinned:
        raise ApiError("already_pinned")
    c.store.pin(message, pinned=True)
    return {"ok": True}


def remove(c: Context, a: Arguments) -> JsonObject:
    """Serve pins.remove."""
    message = _message(c, a)
    if not message.pinned:
        raise ApiError("no_pin")
    c.store.pin(message, pinned=False)
    return {"ok": True}


_WHERE = {"channel": required(STRING), "timestamp": STRING}

METHODS = (
    Method("pins.add", add, TIER_2, _WHERE, ("pins:write",)),
    Method("pins.remove", remove, TIER_2, _WHERE, ("pins:write",)),
)
