"""What a person types as a slash command: checked as a client does, and made interaction data.

The shape is that of "Application Command Interaction Data Option".
"""

from collections.abc import Mapping
from typing import Any

from bot.guild.checks.commands import (
    BOOLEAN,
    CHANNEL,
    INTEGER,
    MENTIONABLE,
    NUMBER,
    ROLE,
    STRING,
    SUB_COMMAND,
    SUB_COMMAND_GROUP,
    USER,
)
from bot.guild.store import Store
from bot.guild.values import Refused
from bot.local.values import JsonObject

_EXACT = 2**53
_TYPES: dict[int, tuple[type, ...]] = {
    STRING: (str,),
    INTEGER: (int,),
    NUMBER: (int, float),
    BOOLEAN: (bool,),
    USER: (str,),
    CHANNEL: (str,),
    ROLE: (str,),
    MENTIONABLE: (str,),
}


def options_of(command: JsonObject, sub: str) -> tuple[list[JsonObject], list[JsonObject]]:
    """Return the options of a (sub)command, and the way to it, outermost first.

    ``sub`` is "" for none, "name", or "group name". Raises Refused.
    """
    options: list[JsonObject] = command.get("options") or []
    way: list[JsonObject] = []
    for word in sub.split():
        found = [
            o
            for o in options
            if o["name"] == word and o["type"] in (SUB_COMMAND, SUB_COMMAND_GROUP)
        ]
        if not found:
            raise Refused(f"/{command['name']} has no «{sub}».")
        way.append(found[0])
        options = found[0].get("options") or []
    if any(o["type"] in (SUB_COMMAND, SUB_COMMAND_GROUP) for o in options):
        names = ", ".join(o["name"] for o in options)
        raise Refused(f"/{command['name']} needs one of: {names}.")
    return options, way


def command_data(
    command: JsonObject,
    sub: str,
    given: Mapping[str, Any],
    store: Store,
    focused: str | None = None,
) -> JsonObject:
    """Return the data of a command, or of an autocomplete when an option is ``focused``.

    Raises Refused for what a client wouldn't let one send.
    """
    options, way = options_of(command, sub)
    by_name = {o["name"]: o for o in options}
    for name in given:
        if name not in by_name:
            raise Refused(f"There is no option «{name}».")
    resolved: JsonObject = {}
    values = []
    for name, option in by_name.items():
        if name == focused:
            if not option.get("autocomplete"):
                raise Refused(f"«{name}» makes no suggestions.")
            # While it is typed the value of a number option comes as text.
            said = {"type": option["type"], "name": name, "value": str(given.get(name, ""))}
            values.append(said | {"focused": True})
        elif given.get(name) is not None:
            if focused is None:
                _check(option, given[name])
            values.append({"type": option["type"], "name": name, "value": given[name]})
            _resolve(option, given[name], store, resolved)
        elif option.get("required") and focused is None:
            raise Refused(f"«{name}» is required.")
    if focused is not None and focused not in by_name:
        raise Refused(f"There is no option «{focused}».")
    for step in reversed(way):
        values = [{"type": step["type"], "name": step["name"], "options": values}]
    data: JsonObject = {
        "id": command["id"],
        "name": command["name"],
        "type": 1,
        "guild_id": store.identity.guild_id,
    }
    if values:
        data["options"] = values
    return data | ({"resolved": resolved} if resolved else {})


def _check(option: JsonObject, value: Any) -> None:
    name, kind = option["name"], option["type"]
    allowed = _TYPES.get(kind)
    if allowed is None:
        raise Refused(f"«{name}» can't be given here.")
    if not isinstance(value, allowed) or (isinstance(value, bool) and kind != BOOLEAN):
        raise Refused(f"«{name}» isn't of the right kind.")
    choices = option.get("choices")
    if choices and value not in [c["value"] for c in choices]:
        raise Refused(f"«{name}» must be one of its choices.")
    if isinstance(value, str) and kind == STRING:
        low, high = option.get("min_length") or 0, option.get("max_length") or 6000
        if not low <= len(value) <= high or not value:
            raise Refused(f"«{name}» must have {max(low, 1)} to {high} characters.")
    elif isinstance(value, int | float) and kind in (INTEGER, NUMBER):
        low, high = option.get("min_value", -_EXACT), option.get("max_value", _EXACT)
        if not low <= value <= high:
            raise Refused(f"«{name}» must be between {low} and {high}.")


def _resolve(option: JsonObject, value: Any, store: Store, resolved: JsonObject) -> None:
    """Add what an id names ("Resolved Data Structure")."""
    kind = option["type"]
    if kind in (USER, MENTIONABLE) and value in store.members:
        resolved.setdefault("people", []).append(value)
    elif kind in (ROLE, MENTIONABLE) and value in store.roles:
        resolved.setdefault("roles", []).append(value)
    elif kind == CHANNEL and value in store.channels:
        resolved.setdefault("channels", []).append(value)
    elif kind in (USER, ROLE, MENTIONABLE, CHANNEL):
        raise Refused(f"«{option['name']}» names nobody and nothing.")
