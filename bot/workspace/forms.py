"""What a person enters: from the member API's values to Slack's state and action fields.

The shapes are those of the "block_actions payload" and "view_submission payload" pages.
"""

import copy
import re
from collections.abc import Iterable
from typing import Any

from bot.workspace.checks.layout import elements_of
from bot.workspace.checks.objects import options_of
from bot.workspace.values import JsonObject

_TEXT = {"plain_text_input", "email_text_input", "url_text_input", "number_input"}
# The field of a stateful element's state, and the element's field with its first value.
_FIELDS: dict[str, tuple[str, str]] = {
    "static_select": ("selected_option", "initial_option"),
    "radio_buttons": ("selected_option", "initial_option"),
    "checkboxes": ("selected_options", "initial_options"),
    "multi_static_select": ("selected_options", "initial_options"),
    "users_select": ("selected_user", "initial_user"),
    "multi_users_select": ("selected_users", "initial_users"),
    "conversations_select": ("selected_conversation", "initial_conversation"),
    "channels_select": ("selected_channel", "initial_channel"),
    "datepicker": ("selected_date", "initial_date"),
    "timepicker": ("selected_time", "initial_time"),
    "datetimepicker": ("selected_date_time", "initial_date_time"),
    **dict.fromkeys(_TEXT, ("value", "initial_value")),
}
_LISTS = {"selected_options", "selected_users"}
# The member API's key for elements whose value stands as it is.
_PLAIN_KEYS = {
    "users_select": ("user", str),
    "multi_users_select": ("users", list),
    "conversations_select": ("conversation", str),
    "channels_select": ("channel", str),
    "datepicker": ("date", str),
    "timepicker": ("time", str),
    "datetimepicker": ("date_time", int),
    **dict.fromkeys(_TEXT, ("text", str)),
}
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_TIME = re.compile(r"\d{2}:\d{2}", re.ASCII)
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_NUMBER = re.compile(r"-?\d+(\.\d+)?", re.ASCII)


class BadValue(Exception):
    """The value can't be entered there. ``args[0]`` is the member API's error code."""


def is_stateful(element: JsonObject) -> bool:
    """Tell whether an element keeps a value, as all but buttons and overflow menus do."""
    return element["type"] in _FIELDS


def _option(element: JsonObject, value: Any) -> JsonObject:
    for offered in options_of(element):
        if offered["value"] == value:
            return copy.deepcopy(offered)
    raise BadValue("no_such_option")


def entered(element: JsonObject, value: Any, people: Iterable[str]) -> JsonObject:
    """Return the fields that ``value`` gives to the element's state or action.

    ``value`` is as the member API has it, null for "nothing chosen". Raises BadValue.
    """
    kind = element["type"]
    if kind == "overflow":
        return {"selected_option": _option(element, _key(value, "option", str))}
    if kind not in _FIELDS:
        raise BadValue("invalid_value")
    name = _FIELDS[kind][0]
    if value is None:
        return {name: [] if name in _LISTS else None}
    if name == "selected_option":
        chosen = _key(value, "option", str, none=True)
        return {name: None if chosen is None else _option(element, chosen)}
    if name == "selected_options":
        several = _key(value, "options", list)
        if len(set(map(str, several))) != len(several):
            raise BadValue("invalid_value")
        return {name: [_option(element, v) for v in several]}
    key, of_type = _PLAIN_KEYS[kind]
    plain = _key(value, key, of_type, none=True)
    if plain is not None:
        _refuse_malformed(kind, plain, set(people))
    if name == "value" and plain == "":
        plain = None  # Slack's state has null for an empty text input
    return {name: plain}


def _key(value: Any, key: str, of_type: type, *, none: bool = False) -> Any:
    if not isinstance(value, dict) or set(value) != {key}:
        raise BadValue("invalid_value")
    found = value[key]
    if found is None and none:
        return None
    if not isinstance(found, of_type) or isinstance(found, bool):
        raise BadValue("invalid_value")
    return found


def _refuse_malformed(kind: str, plain: Any, people: set[str]) -> None:
    if kind == "datepicker" and not _DATE.fullmatch(plain):
        raise BadValue("invalid_value")
    if kind == "timepicker" and not _TIME.fullmatch(plain):
        raise BadValue("invalid_value")
    named = plain if kind == "multi_users_select" else [plain] if kind == "users_select" else []
    if any(user not in people for user in named):
        raise BadValue("no_such_option")


class FormState:
    """The values of a surface's stateful elements, by block_id and action_id."""

    def __init__(self) -> None:
        self._values: dict[str, dict[str, JsonObject]] = {}

    @classmethod
    def of(cls, blocks: Iterable[JsonObject], kept: "FormState | None" = None) -> "FormState":
        """Return the first state of ``blocks``; values in ``kept`` of the same element stay."""
        state = cls()
        for block in blocks:
            for _, element in elements_of(block):
                if not is_stateful(element):
                    continue
                name, initial = _FIELDS[element["type"]]
                first = copy.deepcopy(element.get(initial))
                if first is None and name in _LISTS:
                    first = []
                value: JsonObject = {"type": element["type"], name: first}
                if kept is not None:
                    before = kept._values.get(block["block_id"], {}).get(element["action_id"])
                    if before is not None and before["type"] == element["type"]:
                        value = before
                state._values.setdefault(block["block_id"], {})[element["action_id"]] = value
        return state

    def set(self, block_id: str, element: JsonObject, fields: JsonObject) -> None:
        """Enter a value."""
        place = self._values.setdefault(block_id, {})
        place[element["action_id"]] = {"type": element["type"], **fields}

    def get(self, block_id: str, element: JsonObject) -> Any:
        """Return an element's present value: text, option, list, or None."""
        name = _FIELDS[element["type"]][0]
        return self._values.get(block_id, {}).get(element["action_id"], {}).get(name)

    def values(self) -> JsonObject:
        """Return the state as payloads carry it under ``state.values``."""
        return copy.deepcopy(self._values)

    def copy(self) -> "FormState":
        """Return an independent copy."""
        twin = FormState()
        twin._values = copy.deepcopy(self._values)
        return twin


def complaint(block: JsonObject, value: Any) -> str | None:
    """Return what Slack's client would say about an input block's value, None when it is fine."""
    element = block["element"]
    if value is None or value == "" or value == []:
        return None if block.get("optional") else "This field is required."
    if element["type"] in _TEXT:
        return _text_complaint(element, value)
    most = element.get("max_selected_items")
    if most is not None and len(value) > most:
        return f"Choose at most {most}."
    return None


def _text_complaint(element: JsonObject, value: str) -> str | None:
    kind = element["type"]
    if kind == "plain_text_input":
        low, high = element.get("min_length", 0), element.get("max_length", 3000)
        if len(value) < low:
            return f"Enter at least {low} characters."
        if len(value) > high:
            return f"Enter at most {high} characters."
        if not element.get("multiline") and "\n" in value:
            return "Enter one line."
    if kind == "email_text_input" and not _EMAIL.fullmatch(value):
        return "Enter an email address."
    if kind == "url_text_input" and not value.startswith(("http://", "https://")):
        return "Enter a URL."
    if kind == "number_input":
        return _number_complaint(element, value)
    return None


def _number_complaint(element: JsonObject, value: str) -> str | None:
    if not _NUMBER.fullmatch(value) or ("." in value and not element["is_decimal_allowed"]):
        return "Enter a number."
    if "min_value" in element and float(value) < float(element["min_value"]):
        return f"Enter {element['min_value']} or more."
    if "max_value" in element and float(value) > float(element["max_value"]):
        return f"Enter {element['max_value']} or less."
    return None
