"""Who a message mentions: what its text names, less what "Allowed Mentions" leaves out."""

import re
from collections.abc import Collection

from bot.guild.checks.components import walk
from bot.guild.checks.parts import Kind
from bot.guild.things import Message
from bot.local.values import JsonObject

_USER = re.compile(r"<@!?(\d+)>", re.ASCII)
_ROLE = re.compile(r"<@&(\d+)>", re.ASCII)
_EVERYONE = re.compile(r"@(?:everyone|here)")


def text_of(message: Message) -> str:
    """Return the text that can mention: the content, or all text displays."""
    shown = [c["content"] for _, c in walk(message.components) if c["type"] == Kind.TEXT_DISPLAY]
    return "\n".join([message.content, *shown])


def mentioned(
    message: Message,
    allowed: JsonObject | None,
    members: Collection[str],
    roles: Collection[str],
    *,
    users_only: bool,
    everyone: bool,
) -> tuple[tuple[str, ...], tuple[str, ...], bool]:
    """Return the members, the roles and whether everyone is mentioned.

    Without ``allowed``, a message may mention all, an answer to an interaction only users.
    """
    text = text_of(message)
    if allowed is None:
        allowed = {"parse": ["users"] if users_only else ["users", "roles", "everyone"]}
    parse = allowed.get("parse") or []
    named = {str(i) for i in [*(allowed.get("users") or []), *(allowed.get("roles") or [])]}
    users = dict.fromkeys(u for u in _USER.findall(text) if u in members)
    groups = dict.fromkeys(r for r in _ROLE.findall(text) if r in roles)
    return (
        tuple(u for u in users if "users" in parse or u in named),
        tuple(r for r in groups if "roles" in parse or r in named),
        everyone and "everyone" in parse and _EVERYONE.search(text) is not None,
    )
