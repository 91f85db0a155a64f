"""The rich text block's grammar.

Sources, by page of Slack's Block Kit reference: "Rich text block", "Rich text section element",
"Rich text list element", "Rich text preformatted element", "Rich text quote element".
Element kinds that only Slack's own clients make (canvas, citation, file, list record, …) are
refused here as unsupported.
"""

from bot.workspace.checks.grammar import (
    Rule,
    array,
    boolean,
    by_type,
    integer,
    one_of,
    record,
    string,
)
from bot.workspace.checks.objects import IDENTIFIER, URL

_TEXT_STYLE = record(
    {},
    {"bold": boolean, "italic": boolean, "strike": boolean, "code": boolean, "underline": boolean},
)
_MENTION_STYLE = record(
    {},
    {
        "bold": boolean,
        "italic": boolean,
        "strike": boolean,
        "highlight": boolean,
        "client_highlight": boolean,
        "unlink": boolean,
    },
)


def _kind(name: str, required: dict[str, Rule], optional: dict[str, Rule]) -> Rule:
    return record({"type": one_of(name), **required}, optional)


TEXT = _kind("text", {"text": string(low=1)}, {"style": _TEXT_STYLE})
LINK = _kind(
    "link",
    {"url": URL},
    {"text": string(), "unsafe": boolean, "style": _TEXT_STYLE},
)

INLINE: dict[str, Rule] = {
    "text": TEXT,
    "link": LINK,
    "user": _kind("user", {"user_id": string(low=1)}, {"style": _MENTION_STYLE}),
    "usergroup": _kind("usergroup", {"usergroup_id": string(low=1)}, {"style": _MENTION_STYLE}),
    "channel": _kind("channel", {"channel_id": string(low=1)}, {"style": _MENTION_STYLE}),
    "emoji": _kind(
        "emoji",
        {"name": string(low=1)},
        {"unicode": string(), "skin_tone": integer(low=1, high=6), "style": _TEXT_STYLE},
    ),
    "date": _kind(
        "date",
        {"timestamp": integer(low=0), "format": string(low=1)},
        {"url": URL, "fallback": string(), "style": _TEXT_STYLE},
    ),
    "broadcast": _kind(
        "broadcast", {"range": one_of("here", "channel", "everyone")}, {"style": _TEXT_STYLE}
    ),
    "color": _kind("color", {"value": string(low=1)}, {"style": _TEXT_STYLE}),
}

_ANY_INLINE = by_type(INLINE, "in rich text")
_SECTION = _kind("rich_text_section", {"elements": array(_ANY_INLINE)}, {})
_BORDER = one_of(0, 1)

SUB_ELEMENTS: dict[str, Rule] = {
    "rich_text_section": _SECTION,
    "rich_text_list": _kind(
        "rich_text_list",
        {
            "style": one_of("bullet", "ordered"),
            "elements": array(by_type({"rich_text_section": _SECTION}, "in a list"), low=1),
        },
        {"indent": integer(low=0, high=8), "offset": integer(low=0), "border": _BORDER},
    ),
    # The preformatted element holds text and links only.
    "rich_text_preformatted": _kind(
        "rich_text_preformatted",
        {"elements": array(by_type({"text": TEXT, "link": LINK}, "in preformatted text"))},
        {"border": _BORDER, "language": string(low=1)},
    ),
    "rich_text_quote": _kind(
        "rich_text_quote", {"elements": array(_ANY_INLINE)}, {"border": _BORDER}
    ),
}

RICH_TEXT = record(
    {
        "type": one_of("rich_text"),
        "elements": array(by_type(SUB_ELEMENTS, "in a rich text block"), low=1),
    },
    {"block_id": IDENTIFIER},
)
