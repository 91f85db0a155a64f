"""Modals: the one each member may have open, what is entered, and what of it is sent.

The shapes are those of "Modal Submit Data Structure" and of each component's "Interaction
Response Structure". What a client checks before it submits is checked here.
"""

from dataclasses import dataclass
from typing import Any

from bot.guild.checks.components import walk
from bot.guild.checks.parts import SELECTS, Kind
from bot.guild.things import Message, Origin
from bot.local.values import JsonObject

_LISTS = (*SELECTS, Kind.CHECKBOX_GROUP, Kind.FILE_UPLOAD)
_INPUTS = (*_LISTS, Kind.TEXT_INPUT, Kind.RADIO_GROUP, Kind.CHECKBOX)


@dataclass(frozen=True, slots=True)
class Modal:
    """An open modal. ``origin`` is the interaction that it answered."""

    id: str
    user: str
    channel: str
    custom_id: str
    title: str
    components: list[JsonObject]
    origin: Origin
    source: Message | None

    def form(self) -> JsonObject:
        """Return it as the member API gives it."""
        return {
            "id": self.id,
            "title": self.title,
            "components": self.components,
            "interaction": self.origin.id,
        }

    def inputs(self) -> dict[str, JsonObject]:
        """Return what can be filled in, by custom_id."""
        return {c["custom_id"]: c for _, c in walk(self.components) if c["type"] in _INPUTS}


def entered(modal: Modal, given: JsonObject) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the values and, where one won't do, why, both by custom_id.

    An input that isn't given keeps what it was opened with.
    """
    values: dict[str, Any] = {}
    faults: dict[str, str] = {}
    inputs = modal.inputs()
    for custom_id in set(given) - set(inputs):
        faults[custom_id] = "There is no such field."
    for custom_id, part in inputs.items():
        value = given.get(custom_id, _first(part))
        fault = _fault(part, value)
        if fault:
            faults[custom_id] = fault
        values[custom_id] = value
    return values, faults


def _first(part: JsonObject) -> Any:
    kind = part["type"]
    if kind == Kind.TEXT_INPUT:
        return part.get("value") or ""
    if kind == Kind.CHECKBOX:
        return bool(part.get("default"))
    chosen = [o["value"] for o in part.get("options") or [] if o.get("default")]
    chosen += [d["id"] for d in part.get("default_values") or []]
    if kind == Kind.RADIO_GROUP:
        return chosen[0] if chosen else None
    return chosen


def _fault(part: JsonObject, value: Any) -> str | None:
    kind, required = part["type"], part.get("required", True) is not False
    if kind == Kind.TEXT_INPUT:
        return _text_fault(part, value, required)
    if kind == Kind.CHECKBOX:
        return None if isinstance(value, bool) else "Tick it or leave it."
    offered = {o["value"] for o in part.get("options") or []}
    if kind == Kind.RADIO_GROUP:
        if value is None:
            return "Choose one." if required else None
        return None if isinstance(value, str) and value in offered else "Choose one of the options."
    if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
        return "Choose from the options."
    if len(set(value)) != len(value) or ("options" in part and not set(value) <= offered):
        return "Choose from the options."
    if kind == Kind.FILE_UPLOAD and value:
        return "Files can't be sent here."
    return count_fault(part, len(value), required)


def count_fault(part: JsonObject, count: int, required: bool) -> str | None:
    """Return what is wrong with choosing so many."""
    low = part.get("min_values", 1 if required else 0)
    high = part.get("max_values")
    if high is None:
        high = len(part["options"]) if part["type"] == Kind.CHECKBOX_GROUP else 1
    if count == 0 and not required:
        return None
    if count < low:
        return f"Choose at least {low}."
    return f"Choose at most {high}." if count > high else None


def _text_fault(part: JsonObject, value: Any, required: bool) -> str | None:
    if not isinstance(value, str):
        return "Enter a text."
    if not value:
        return "This field is required." if required else None
    low, high = part.get("min_length") or 0, part.get("max_length") or 4000
    if len(value) < low:
        return f"Must be {low} or more in length."
    return f"Must be {high} or fewer in length." if len(value) > high else None


def submitted(modal: Modal, values: dict[str, Any]) -> JsonObject:
    """Return the data of a modal submit interaction."""

    def part(component: JsonObject) -> JsonObject:
        kind = component["type"]
        said: JsonObject = {"type": kind, "id": component["id"]}
        if kind == Kind.LABEL:
            return said | {"component": part(component["component"])}
        if kind == Kind.ACTION_ROW:
            return said | {"components": [part(c) for c in component["components"]]}
        if kind not in _INPUTS:
            return said
        value = values[component["custom_id"]]
        name = "values" if kind in _LISTS else "value"
        return said | {"custom_id": component["custom_id"], name: value}

    return {"custom_id": modal.custom_id, "components": [part(c) for c in modal.components]}
