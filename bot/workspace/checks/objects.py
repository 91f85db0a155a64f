"""Composition objects: text, option, option group, confirmation dialog and what selects share.

Sources, by page of Slack's Block Kit reference: "Text object", "Option object",
"Option group object", "Confirmation dialog object", "Dispatch action configuration object",
"Slack file object", "Conversation filter object".
"""

import re
from typing import Any

from bot.workspace.checks.grammar import (
    Report,
    Rule,
    array,
    boolean,
    by_type,
    exactly_one,
    one_of,
    record,
    string,
)

IDENTIFIER = string(low=1, high=255)  # action_id, block_id, callback_id: at most 255
URL = string(low=1, high=3000)


def image_url(value: Any, pointer: str, report: Report) -> None:
    """Accept an http or https URL of at most 3000 characters ("Image block")."""
    URL(value, pointer, report)
    if isinstance(value, str) and not value.startswith(("https://", "http://")):
        report.fault(pointer, "must be a public http or https URL")


def plain(high: int) -> Rule:
    """Accept a plain_text object of 1 to ``high`` characters ("Text object")."""
    return by_type(
        {
            "plain_text": record(
                {"type": one_of("plain_text"), "text": string(low=1, high=high)},
                {"emoji": boolean},
            )
        },
        "only plain_text here",
    )


def any_text(high: int) -> Rule:
    """Accept a plain_text or mrkdwn object of 1 to ``high`` characters ("Text object")."""
    return by_type(
        {
            "plain_text": record(
                {"type": one_of("plain_text"), "text": string(low=1, high=high)},
                {"emoji": boolean},
            ),
            "mrkdwn": record(
                {"type": one_of("mrkdwn"), "text": string(low=1, high=high)},
                {"verbatim": boolean},
            ),
        },
        "a text object",
    )


def option(text: Rule, *, url: bool = False) -> Rule:
    """Accept an option: text and description at most 75, value at most 150 ("Option object")."""
    optional: dict[str, Rule] = {"description": text}
    if url:
        optional["url"] = URL  # only in overflow menus
    return record({"text": text, "value": string(low=0, high=150)}, optional)


PLAIN_OPTION = option(plain(75))
# "Option object": overflow, select and multi-select take plain_text only; radio buttons and
# checkboxes may use mrkdwn.
MARKED_OPTION = option(any_text(75))
OVERFLOW_OPTION = option(plain(75), url=True)
OPTION_GROUP = record(
    {"label": plain(75), "options": array(PLAIN_OPTION, low=1, high=100)},
    {},
)

# "Confirmation dialog object": title 100, text 300, confirm and deny 30 characters.
CONFIRM = record(
    {"title": plain(100), "text": any_text(300), "confirm": plain(30), "deny": plain(30)},
    {"style": one_of("primary", "danger")},
)

DISPATCH_CONFIG = record(
    {
        "trigger_actions_on": array(
            one_of("on_enter_pressed", "on_character_entered"), low=1, high=2
        )
    },
    {},
)

SLACK_FILE = record({}, {"id": string(low=1), "url": URL}, exactly_one("id", "url"))

CONVERSATION_FILTER = record(
    {},
    {
        "include": array(one_of("im", "mpim", "private", "public"), low=1),
        "exclude_external_shared_channels": boolean,
        "exclude_bot_users": boolean,
    },
)


def matching(pattern: str, what: str) -> Rule:
    """Accept a string that matches ``pattern`` whole."""
    compiled = re.compile(pattern, re.ASCII)

    def check(value: Any, pointer: str, report: Report) -> None:
        if not isinstance(value, str) or not compiled.fullmatch(value):
            report.fault(pointer, f"must be {what}")

    return check


DATE = matching(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])", "a date as YYYY-MM-DD")
TIME = matching(r"([01]\d|2[0-3]):[0-5]\d", "a time as HH:mm")


def options_of(element: dict[str, Any]) -> list[dict[str, Any]]:
    """Return every option of an element, those in groups included."""
    found = list(element.get("options") or [])
    for group in element.get("option_groups") or []:
        found.extend(group["options"])
    return found


def initial_options_exist(value: Any, pointer: str, report: Report) -> None:
    """Require initial options to match options of the element exactly."""
    offered = options_of(value)
    for name in ("initial_option", "initial_options"):
        initial = value.get(name)
        for one in [initial] if isinstance(initial, dict) else initial or []:
            if one not in offered:
                report.fault(f"{pointer}/{name}", "must exactly match one of the options")
