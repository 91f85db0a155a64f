"""Layout blocks and whole block lists: of a message, of a modal, of a home tab.

Each entry names its page of Slack's Block Kit reference. Not modelled, and so refused as
unsupported: call, card, carousel, alert, container, context actions, data table, file, plan,
task card and video blocks.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from bot.workspace.checks.elements import (
    IMAGE,
    IN_ACTIONS,
    IN_INPUT_OF_MESSAGE,
    IN_INPUT_OF_MODAL,
    IN_SECTION,
    only,
)
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
    unique,
)
from bot.workspace.checks.objects import IDENTIFIER, SLACK_FILE, any_text, image_url, plain
from bot.workspace.checks.rich_text import RICH_TEXT
from bot.workspace.values import JsonObject

MESSAGE_BLOCKS = 50  # "Blocks": up to 50 in each message
VIEW_BLOCKS = 100  # "Blocks": up to 100 in modals and home tabs


def _block(
    name: str, required: Mapping[str, Rule], optional: Mapping[str, Rule], *also: Rule
) -> Rule:
    return record({"type": one_of(name), **required}, {"block_id": IDENTIFIER, **optional}, *also)


def _text_or_fields(value: Any, pointer: str, report: Report) -> None:
    if value.get("text") is None and value.get("fields") is None:
        report.fault(pointer, "missing required field: text (or fields)")


def _rectangular(value: Any, pointer: str, report: Report) -> None:
    if len({len(row) for row in value["rows"]}) > 1:
        report.fault(f"{pointer}/rows", "all rows must have the same number of cells")


# "Table block": at most 100 rows of at most 20 cells, raw_text or rich_text; 20 column settings.
_CELL = by_type(
    {
        "raw_text": record({"type": one_of("raw_text"), "text": string(low=1)}, {}),
        "rich_text": RICH_TEXT,
    },
    "in a table",
)
_COLUMN = record({}, {"align": one_of("left", "center", "right"), "is_wrapped": boolean})


def _column(value: Any, pointer: str, report: Report) -> None:
    if value is not None:  # null keeps a column's default
        _COLUMN(value, pointer, report)


_TABLE = _block(
    "table",
    {"rows": array(array(_CELL, low=1, high=20), low=1, high=100)},
    {"column_settings": array(_column, high=20)},
    _rectangular,
)

_SHARED: dict[str, Rule] = {
    # "Header block": plain_text of at most 150 characters
    "header": _block("header", {"text": plain(150)}, {}),
    # "Section block": text of 1 to 3000 characters; at most 10 fields of at most 2000
    "section": _block(
        "section",
        {},
        {
            "text": any_text(3000),
            "fields": array(any_text(2000), low=1, high=10),
            "accessory": by_type(only(IN_SECTION), "as a section's accessory"),
            "expand": boolean,
        },
        _text_or_fields,
    ),
    "divider": _block("divider", {}, {}),
    # "Context block": at most 10 elements, text objects and images
    "context": _block(
        "context",
        {
            "elements": array(
                by_type(
                    {"plain_text": any_text(3000), "mrkdwn": any_text(3000), "image": IMAGE},
                    "in a context block",
                ),
                low=1,
                high=10,
            )
        },
        {},
    ),
    # "Actions block": at most 25 elements
    "actions": _block(
        "actions",
        {"elements": array(by_type(only(IN_ACTIONS), "in an actions block"), low=1, high=25)},
        {},
    ),
    # "Image block": alt_text and title at most 2000, image_url at most 3000 characters
    "image": _block(
        "image",
        {"alt_text": string(low=1, high=2000)},
        {"title": plain(2000), "image_url": image_url, "slack_file": SLACK_FILE},
        exactly_one("image_url", "slack_file"),
    ),
    "rich_text": RICH_TEXT,
}


def _input(names: frozenset[str]) -> Rule:
    # "Input block": label and hint at most 2000 characters; it may stand in messages too.
    return _block(
        "input",
        {"label": plain(2000), "element": by_type(only(names), "in an input block")},
        {"hint": plain(2000), "optional": boolean, "dispatch_action": boolean},
    )


_IN_MESSAGE = {
    **_SHARED,
    "input": _input(IN_INPUT_OF_MESSAGE),
    # "Markdown block": messages only, at most 12,000 characters in all
    "markdown": _block("markdown", {"text": string(low=1, high=12_000)}, {}),
    "table": _TABLE,
}
_IN_VIEW = {**_SHARED, "input": _input(IN_INPUT_OF_MODAL)}

_MESSAGE_LIST = array(by_type(_IN_MESSAGE, "in a message"), high=MESSAGE_BLOCKS)
_VIEW_LIST = array(by_type(_IN_VIEW, "in a view"), high=VIEW_BLOCKS)


def elements_of(block: JsonObject) -> Iterator[tuple[str, JsonObject]]:
    """Yield (pointer within the block, element) for each interactive place of a block."""
    if isinstance(block.get("accessory"), dict):
        yield "/accessory", block["accessory"]
    if isinstance(block.get("element"), dict):
        yield "/element", block["element"]
    if block.get("type") == "actions":
        for index, element in enumerate(block.get("elements") or []):
            yield f"/elements/{index}", element


def _as_a_whole(blocks: list[JsonObject], pointer: str, report: Report) -> None:
    """Check what one block alone can't show."""
    unique(
        [
            (f"{pointer}/{i}/block_id", b["block_id"])
            for i, b in enumerate(blocks)
            if "block_id" in b
        ],
        "block_id",
        report,
    )
    focused: list[str] = []
    for i, block in enumerate(blocks):
        found = [(f"{pointer}/{i}{where}", e) for where, e in elements_of(block)]
        # Each element's page: action_id "should be unique among all other action_ids in the
        # containing block". Other blocks may repeat it.
        unique(
            [(f"{where}/action_id", e["action_id"]) for where, e in found if "action_id" in e],
            "action_id",
            report,
        )
        focused += [where for where, e in found if e.get("focus_on_load") is True]
    for where in focused[1:]:
        report.fault(f"{where}/focus_on_load", "only one element can have focus_on_load")
    tables = [i for i, b in enumerate(blocks) if b.get("type") == "table"]
    for i in tables[1:]:
        report.fault(f"{pointer}/{i}", "only_one_table_allowed")
    for i in tables:
        # "Table block": 10,000 characters over all cells
        if _characters(blocks[i]["rows"]) > 10_000:
            report.fault(f"{pointer}/{i}/rows", "must be less than 10001 characters in all cells")


def _characters(value: Any) -> int:
    if isinstance(value, list):
        return sum(_characters(v) for v in value)
    if isinstance(value, dict):
        own = len(value["text"]) if isinstance(value.get("text"), str) else 0
        return own + _characters(value.get("elements") or [])
    return 0


def message_faults(blocks: Any, pointer: str = "/blocks") -> list[str]:
    """Return what is wrong with a message's blocks, nothing when they are right."""
    return _faults(_MESSAGE_LIST, blocks, pointer)


def view_faults(blocks: Any, pointer: str = "/view/blocks") -> list[str]:
    """Return what is wrong with a view's blocks, nothing when they are right."""
    return _faults(_VIEW_LIST, blocks, pointer)


def _faults(rule: Rule, blocks: Any, pointer: str) -> list[str]:
    report = Report()
    rule(blocks, pointer, report)
    if not report.faults:
        _as_a_whole(blocks, pointer, report)
    return report.faults
