"""Block elements: what each may hold, and where each may stand.

Each entry names its page of Slack's Block Kit reference. Not modelled, and so refused as
unsupported: external selects, file and rich text inputs, workflow, feedback and icon buttons.
"""

from collections.abc import Mapping
from typing import Any

from bot.workspace.checks.grammar import (
    Report,
    Rule,
    array,
    boolean,
    exactly_one,
    integer,
    one_of,
    record,
    string,
)
from bot.workspace.checks.objects import (
    CONFIRM,
    CONVERSATION_FILTER,
    DATE,
    DISPATCH_CONFIG,
    IDENTIFIER,
    MARKED_OPTION,
    OPTION_GROUP,
    OVERFLOW_OPTION,
    PLAIN_OPTION,
    SLACK_FILE,
    TIME,
    URL,
    image_url,
    initial_options_exist,
    matching,
    plain,
)

_PLACEHOLDER = plain(150)
_FOCUS: Mapping[str, Rule] = {"focus_on_load": boolean}
_ACTION: Mapping[str, Rule] = {"action_id": IDENTIFIER}
_ID = string(low=1)


def _element(
    name: str, required: Mapping[str, Rule], optional: Mapping[str, Rule], *also: Rule
) -> Rule:
    return record({"type": one_of(name), **required}, {**_ACTION, **optional}, *also)


def _lengths_fit(value: Any, pointer: str, report: Report) -> None:
    low, high = value.get("min_length"), value.get("max_length")
    if low is not None and high is not None and low > high:
        report.fault(f"{pointer}/min_length", "must not be more than max_length")


def _select(name: str, **optional: Rule) -> Rule:
    base: dict[str, Rule] = {"placeholder": _PLACEHOLDER, "confirm": CONFIRM, **_FOCUS}
    return _element(name, {}, {**base, **optional})


def _static(name: str, **optional: Rule) -> Rule:
    return _element(
        name,
        {},
        {
            "placeholder": _PLACEHOLDER,
            "confirm": CONFIRM,
            **_FOCUS,
            # "Select menu element": at most 100 options, or at most 100 groups, not both.
            "options": array(PLAIN_OPTION, low=1, high=100),
            "option_groups": array(OPTION_GROUP, low=1, high=100),
            **optional,
        },
        exactly_one("options", "option_groups"),
        initial_options_exist,
    )


def _typed_input(name: str) -> Rule:
    return _element(
        name,
        {},
        {
            "initial_value": string(),
            "dispatch_action_config": DISPATCH_CONFIG,
            "placeholder": _PLACEHOLDER,
            **_FOCUS,
        },
    )


_NUMBER_TEXT = matching(r"-?\d+(\.\d+)?", "a number written as text")
_MAX_ITEMS: Mapping[str, Rule] = {"max_selected_items": integer(low=1)}

# "Image element": alt_text is required; image_url at most 3000 characters.
IMAGE = record(
    {"type": one_of("image"), "alt_text": string(low=1, high=2000)},
    {"image_url": image_url, "slack_file": SLACK_FILE},
    exactly_one("image_url", "slack_file"),
)

ELEMENTS: dict[str, Rule] = {
    # "Button element"
    "button": _element(
        "button",
        {"text": plain(75)},
        {
            "url": URL,
            "value": string(high=2000),
            "style": one_of("primary", "danger"),
            "confirm": CONFIRM,
            "accessibility_label": string(low=1, high=75),
        },
    ),
    # "Overflow menu element": "up to five" options. An older edition of the page asked for two
    # at least; the present one does not.
    "overflow": _element(
        "overflow", {"options": array(OVERFLOW_OPTION, low=1, high=5)}, {"confirm": CONFIRM}
    ),
    # "Checkboxes element", "Radio button group element": at most ten options.
    "checkboxes": _element(
        "checkboxes",
        {"options": array(MARKED_OPTION, low=1, high=10)},
        {"initial_options": array(MARKED_OPTION, low=1, high=10), "confirm": CONFIRM, **_FOCUS},
        initial_options_exist,
    ),
    "radio_buttons": _element(
        "radio_buttons",
        {"options": array(MARKED_OPTION, low=1, high=10)},
        {"initial_option": MARKED_OPTION, "confirm": CONFIRM, **_FOCUS},
        initial_options_exist,
    ),
    # "Select menu element", "Multi-select menu element"
    "static_select": _static("static_select", initial_option=PLAIN_OPTION),
    "multi_static_select": _static(
        "multi_static_select", initial_options=array(PLAIN_OPTION, low=1, high=100), **_MAX_ITEMS
    ),
    "users_select": _select("users_select", initial_user=_ID),
    "multi_users_select": _select("multi_users_select", initial_users=array(_ID), **_MAX_ITEMS),
    "conversations_select": _select(
        "conversations_select",
        initial_conversation=_ID,
        default_to_current_conversation=boolean,
        response_url_enabled=boolean,
        filter=CONVERSATION_FILTER,
    ),
    "channels_select": _select(
        "channels_select", initial_channel=_ID, response_url_enabled=boolean
    ),
    # "Date picker element", "Time picker element", "Datetime picker element"
    "datepicker": _select("datepicker", initial_date=DATE),
    "timepicker": _select("timepicker", initial_time=TIME, timezone=string(low=1)),
    "datetimepicker": _element(
        "datetimepicker",
        {},
        {
            "initial_date_time": integer(low=1_000_000_000, high=9_999_999_999),
            "confirm": CONFIRM,
            **_FOCUS,
        },
    ),
    # "Plain-text input element": min_length at most 3000, max_length 1 to 3000.
    "plain_text_input": _element(
        "plain_text_input",
        {},
        {
            "initial_value": string(high=3000),
            "multiline": boolean,
            "min_length": integer(low=0, high=3000),
            "max_length": integer(low=1, high=3000),
            "dispatch_action_config": DISPATCH_CONFIG,
            "placeholder": _PLACEHOLDER,
            **_FOCUS,
        },
        _lengths_fit,
    ),
    # "Email input element", "URL input element", "Number input element"
    "email_text_input": _typed_input("email_text_input"),
    "url_text_input": _typed_input("url_text_input"),
    "number_input": _element(
        "number_input",
        {"is_decimal_allowed": boolean},
        {
            "initial_value": _NUMBER_TEXT,
            "min_value": _NUMBER_TEXT,
            "max_value": _NUMBER_TEXT,
            "dispatch_action_config": DISPATCH_CONFIG,
            "placeholder": _PLACEHOLDER,
            **_FOCUS,
        },
    ),
    "image": IMAGE,
}

# Where an element may stand: each element's page, under "works with block types".
_EVERYWHERE = {
    "button",
    "checkboxes",
    "datepicker",
    "overflow",
    "radio_buttons",
    "static_select",
    "users_select",
    "conversations_select",
    "channels_select",
    "timepicker",
}
_MULTI = {"multi_static_select", "multi_users_select"}
_TEXTUAL = {"plain_text_input"}
_MODAL_ONLY_INPUTS = {"email_text_input", "url_text_input", "number_input"}

IN_ACTIONS = frozenset(_EVERYWHERE | {"datetimepicker"})
IN_SECTION = frozenset(_EVERYWHERE | _MULTI | {"image"})
IN_INPUT_OF_MESSAGE = frozenset(
    (_EVERYWHERE - {"button", "overflow"}) | _MULTI | _TEXTUAL | {"datetimepicker"}
)
IN_INPUT_OF_MODAL = frozenset(IN_INPUT_OF_MESSAGE | _MODAL_ONLY_INPUTS)


def only(names: frozenset[str]) -> dict[str, Rule]:
    """Return the rules of the named elements."""
    return {name: ELEMENTS[name] for name in sorted(names)}
