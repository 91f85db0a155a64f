"""The components themselves, as the "Component Reference" describes each.

Which of them may stand where is in components.py.
"""

from enum import IntEnum
from typing import Any

from bot.guild.checks.grammar import (
    Path,
    Report,
    Rule,
    array,
    boolean,
    integer,
    nothing,
    one_of,
    record,
    required,
    snowflake,
    string,
    unique,
    url,
)


class Kind(IntEnum):
    """The component types."""

    ACTION_ROW = 1
    BUTTON = 2
    STRING_SELECT = 3
    TEXT_INPUT = 4
    USER_SELECT = 5
    ROLE_SELECT = 6
    MENTIONABLE_SELECT = 7
    CHANNEL_SELECT = 8
    SECTION = 9
    TEXT_DISPLAY = 10
    THUMBNAIL = 11
    MEDIA_GALLERY = 12
    FILE = 13
    SEPARATOR = 14
    CONTAINER = 17
    LABEL = 18
    FILE_UPLOAD = 19
    RADIO_GROUP = 21
    CHECKBOX_GROUP = 22
    CHECKBOX = 23


SELECTS = (
    Kind.STRING_SELECT,
    Kind.USER_SELECT,
    Kind.ROLE_SELECT,
    Kind.MENTIONABLE_SELECT,
    Kind.CHANNEL_SELECT,
)
# "Anatomy of a Component": an optional 32-bit id; custom_id of 1 to 100 characters.
_ID: dict[str, Rule] = {"id": integer(low=0, high=2**31 - 1)}
CUSTOM_ID = string(low=1, high=100)
_EMOJI = record({"name": string(high=32)}, {"id": snowflake, "animated": boolean})
# "Unfurled Media Item": http(s) or attachment:// URLs.
_MEDIA = record({"url": url("https?", "attachment")}, {})


def component(kind: Kind, needed: dict[str, Rule], optional: dict[str, Rule], *also: Rule) -> Rule:
    """Return the rule of one kind of component."""
    return record({"type": one_of(kind), **needed}, {**_ID, **optional}, *also)


def _button(value: Any, path: Path, report: Report) -> None:
    # "Button Styles": 1 to 4 need a custom_id, 5 a url, 6 a sku_id; a link or premium button has
    # no custom_id; all but premium buttons need a label or an emoji, which premium ones lack.
    style = value["style"]
    wanted = {5: "url", 6: "sku_id"}.get(style, "custom_id")
    if value.get(wanted) is None:
        code = {"url": "BUTTON_COMPONENT_LINK_URL_REQUIRED"}.get(
            wanted, f"BUTTON_COMPONENT_{wanted.upper()}_REQUIRED"
        )
        report.fault((*path, wanted), code, f"A {wanted} is required for this button")
    for other in {"url", "sku_id", "custom_id"} - {wanted}:
        if value.get(other) is not None:
            message = f"A {other} and this button's style can not go together"
            report.fault((*path, other), "BUTTON_COMPONENT_INVALID_FIELD", message)
    shown = value.get("label") or value.get("emoji")
    if style != 6 and not shown:
        message = "A button must have a label or an emoji"
        report.fault((*path, "label"), "BUTTON_COMPONENT_LABEL_OR_EMOJI_REQUIRED", message)
    if style == 6 and shown:
        message = "A premium button can not have a label or an emoji"
        report.fault((*path, "label"), "BUTTON_COMPONENT_INVALID_FIELD", message)


BUTTON = component(
    Kind.BUTTON,
    {"style": one_of(1, 2, 3, 4, 5, 6)},
    {
        "custom_id": CUSTOM_ID,
        "label": string(high=80),
        "emoji": _EMOJI,
        "url": url("https?", "discord", high=512),
        "sku_id": snowflake,
        "disabled": boolean,
    },
    _button,
)


def choice_count(value: Any, path: Path, report: Report) -> None:
    """Check min_values and max_values against each other, the options and ``required``."""
    low, high = value.get("min_values"), value.get("max_values")
    high = 1 if high is None and value["type"] in SELECTS else high
    if low is not None and high is not None and low > high:
        message = "min_values must be less than or equal to max_values"
        report.fault((*path, "min_values"), "SELECT_COMPONENT_MIN_ABOVE_MAX", message)
    options = value.get("options")
    if options is None:
        return
    # The reference gives no rule for more than there are options; the strict reading is taken.
    for name, bound in (("min_values", low), ("max_values", value.get("max_values"))):
        if bound is not None and bound > len(options):
            message = f"{name} must be less than or equal to the number of options"
            report.fault((*path, name), "SELECT_COMPONENT_TOO_FEW_OPTIONS", message)
    chosen = sum(o.get("default") is True for o in options)
    if high is not None and chosen > high:
        message = "More options are chosen by default than can be"
        report.fault((*path, "options"), "SELECT_COMPONENT_TOO_MANY_DEFAULTS", message)


def _values_unique(value: Any, path: Path, report: Report) -> None:
    unique(
        [((*path, "options", i, "value"), o["value"]) for i, o in enumerate(value["options"])],
        "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED",
        "The specified option value is already used",
        report,
    )


def needs_one(value: Any, path: Path, report: Report) -> None:
    """Check, in a modal, that what is required isn't allowed to stay empty.

    "String Select", "Checkbox Group": with min_values 0, required must be false.
    """
    if value.get("min_values") == 0 and value.get("required", True) is not False:
        message = "min_values must be 1 or more unless required is false"
        report.fault((*path, "min_values"), "COMPONENT_REQUIRED_MIN_VALUES", message)


def not_disabled(value: Any, path: Path, report: Report) -> None:
    """Check, in a modal, that nothing is disabled ("String Select": it results in an error)."""
    if value.get("disabled") is True:
        message = "A component in a modal can not be disabled"
        report.fault((*path, "disabled"), "COMPONENT_DISABLED_IN_MODAL", message)


_OPTION = record(
    {"label": string(low=1, high=100), "value": string(low=1, high=100)},
    {"description": string(high=100), "emoji": _EMOJI, "default": boolean},
)
_PLAIN_OPTION = record(
    {"label": string(low=1, high=100), "value": string(low=1, high=100)},
    {"description": string(high=100), "default": boolean},
)
_SELECT: dict[str, Rule] = {
    "placeholder": string(high=150),
    "min_values": integer(low=0, high=25),
    "max_values": integer(low=1, high=25),
    "disabled": boolean,
    "required": boolean,  # "ignored in messages"
}


def _default_values(*kinds: str) -> Rule:
    return array(record({"id": snowflake, "type": one_of(*kinds)}, {}), high=25)


def selects(*also: Rule) -> dict[int, Rule]:
    """Return the rules of the five select menus; ``also`` are those of the place."""
    custom: dict[str, Rule] = {"custom_id": CUSTOM_ID}
    automatic = {
        Kind.USER_SELECT: ("user",),
        Kind.ROLE_SELECT: ("role",),
        Kind.MENTIONABLE_SELECT: ("user", "role"),
        Kind.CHANNEL_SELECT: ("channel",),
    }
    rules: dict[int, Rule] = {
        Kind.STRING_SELECT: component(
            Kind.STRING_SELECT,
            {**custom, "options": array(_OPTION, low=1, high=25)},
            _SELECT,
            _values_unique,
            choice_count,
            *also,
        )
    }
    for kind, defaults in automatic.items():
        optional = {**_SELECT, "default_values": _default_values(*defaults)}
        if kind is Kind.CHANNEL_SELECT:
            optional["channel_types"] = array(integer(low=0, high=16))
        rules[kind] = component(kind, custom, optional, choice_count, *also)
    return rules


TEXT_DISPLAY = component(Kind.TEXT_DISPLAY, {"content": string(low=1, high=4000)}, {})
THUMBNAIL = component(
    Kind.THUMBNAIL, {"media": _MEDIA}, {"description": string(high=1024), "spoiler": boolean}
)
MEDIA_GALLERY = component(
    Kind.MEDIA_GALLERY,
    {
        "items": array(
            record({"media": _MEDIA}, {"description": string(high=1024), "spoiler": boolean}),
            low=1,
            high=10,
        )
    },
    {},
)
# "File": only attachment:// is taken.
FILE = component(Kind.FILE, {"file": record({"url": url("attachment")}, {})}, {"spoiler": boolean})
SEPARATOR = component(Kind.SEPARATOR, {}, {"divider": boolean, "spacing": one_of(1, 2)})


def _text_lengths(value: Any, path: Path, report: Report) -> None:
    low, high = value.get("min_length") or 0, value.get("max_length")
    if high is not None and low > high:
        message = "min_length must be less than or equal to max_length"
        report.fault((*path, "min_length"), "TEXT_INPUT_MIN_ABOVE_MAX", message)
    text = value.get("value")
    if text and not low <= len(text) <= (high or 4000):
        message = f"Must be between {low} and {high or 4000} in length."
        report.fault((*path, "value"), "BASE_TYPE_BAD_LENGTH", message)


def _own_label(value: Any, path: Path, report: Report) -> None:
    if not value.get("label"):
        required((*path, "label"), report)


def text_input(*, own_label: bool) -> Rule:
    """Return the rule of a text input; ``own_label`` in an action row, which has no Label."""
    # "Text Input": label is deprecated in favour of Label, and not allowed inside one.
    labelled: dict[str, Rule] = {"label": string(low=1, high=45) if own_label else nothing}
    return component(
        Kind.TEXT_INPUT,
        {"custom_id": CUSTOM_ID, "style": one_of(1, 2)},
        {
            **labelled,
            "min_length": integer(low=0, high=4000),
            "max_length": integer(low=1, high=4000),
            "required": boolean,
            "value": string(high=4000),
            "placeholder": string(high=100),
        },
        _text_lengths,
        *([_own_label] if own_label else []),
    )


def _one_default(value: Any, path: Path, report: Report) -> None:
    if sum(o.get("default") is True for o in value["options"]) > 1:
        message = "Only one option can be chosen by default"
        report.fault((*path, "options"), "RADIO_GROUP_TOO_MANY_DEFAULTS", message)


# "Radio Group": 2 to 10 options; "Checkbox Group": 1 to 10; "File Upload": 0 to 10 files.
RADIO_GROUP = component(
    Kind.RADIO_GROUP,
    {"custom_id": CUSTOM_ID, "options": array(_PLAIN_OPTION, low=2, high=10)},
    {"required": boolean},
    _values_unique,
    _one_default,
)
CHECKBOX_GROUP = component(
    Kind.CHECKBOX_GROUP,
    {"custom_id": CUSTOM_ID, "options": array(_PLAIN_OPTION, low=1, high=10)},
    {
        "min_values": integer(low=0, high=10),
        "max_values": integer(low=1, high=10),
        "required": boolean,
    },
    _values_unique,
    choice_count,
    needs_one,
)
CHECKBOX = component(Kind.CHECKBOX, {"custom_id": CUSTOM_ID}, {"default": boolean})
FILE_UPLOAD = component(
    Kind.FILE_UPLOAD,
    {"custom_id": CUSTOM_ID},
    {
        "min_values": integer(low=0, high=10),
        "max_values": integer(low=1, high=10),
        "required": boolean,
    },
    choice_count,
    needs_one,
)
