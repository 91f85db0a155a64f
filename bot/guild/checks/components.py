"""Which components may stand where, and what holds for a message or a modal as a whole.

From the "Component Reference" ("Component Types", and each component's page), "Using Message
Components" and "Using Modal Components".
"""

from collections.abc import Iterator
from typing import Any

from bot.guild.checks.grammar import (
    Path,
    Report,
    Rule,
    array,
    boolean,
    by_type,
    integer,
    record,
    string,
    unique,
)
from bot.guild.checks.parts import (
    BUTTON,
    CHECKBOX,
    CHECKBOX_GROUP,
    CUSTOM_ID,
    FILE,
    FILE_UPLOAD,
    MEDIA_GALLERY,
    RADIO_GROUP,
    SELECTS,
    SEPARATOR,
    TEXT_DISPLAY,
    THUMBNAIL,
    Kind,
    component,
    needs_one,
    not_disabled,
    selects,
    text_input,
)
from bot.local.values import JsonObject

COMPONENTS = 40  # "Using Message Components": up to 40 total components, nested ones counted
TEXT = 4_000  # "... 4000 characters across all text display components"
LEGACY_ROWS = 5  # "Legacy Message Component Behavior": up to 5 action rows
MODAL_COMPONENTS = 5  # "Modal": between 1 and 5 components


def _row(value: Any, path: Path, report: Report) -> None:
    # "Action Row": up to 5 buttons, or a single select.
    kinds = [c["type"] for c in value["components"]]
    if len(kinds) > 1 and any(k in SELECTS for k in kinds):
        message = "An action row can contain up to five buttons or a single select"
        report.fault((*path, "components"), "COMPONENT_LAYOUT_WIDTH_EXCEEDED", message)


_IN_ROW: dict[int, Rule] = {Kind.BUTTON: BUTTON, **selects()}
_ACTION_ROW = component(
    Kind.ACTION_ROW, {"components": array(by_type(_IN_ROW), low=1, high=5)}, {}, _row
)
_SECTION = component(
    Kind.SECTION,
    {
        "components": array(by_type({Kind.TEXT_DISPLAY: TEXT_DISPLAY}), low=1, high=3),
        "accessory": by_type({Kind.BUTTON: BUTTON, Kind.THUMBNAIL: THUMBNAIL}),
    },
    {},
)
_IN_CONTAINER: dict[int, Rule] = {
    Kind.ACTION_ROW: _ACTION_ROW,
    Kind.SECTION: _SECTION,
    Kind.TEXT_DISPLAY: TEXT_DISPLAY,
    Kind.MEDIA_GALLERY: MEDIA_GALLERY,
    Kind.FILE: FILE,
    Kind.SEPARATOR: SEPARATOR,
}
_CONTAINER = component(
    Kind.CONTAINER,
    {"components": array(by_type(_IN_CONTAINER), low=1, high=COMPONENTS)},
    {"accent_color": integer(low=0, high=0xFFFFFF), "spoiler": boolean},
)


_V2_LIST = array(by_type({**_IN_CONTAINER, Kind.CONTAINER: _CONTAINER}), high=COMPONENTS)
_LEGACY_LIST = array(by_type({Kind.ACTION_ROW: _ACTION_ROW}), high=LEGACY_ROWS)

# "Label": one of these; "Action Row": a text input in one is deprecated, yet taken.
_LABEL = component(
    Kind.LABEL,
    {
        "label": string(low=1, high=45),
        "component": by_type(
            {
                Kind.TEXT_INPUT: text_input(own_label=False),
                **selects(needs_one, not_disabled),
                Kind.FILE_UPLOAD: FILE_UPLOAD,
                Kind.RADIO_GROUP: RADIO_GROUP,
                Kind.CHECKBOX_GROUP: CHECKBOX_GROUP,
                Kind.CHECKBOX: CHECKBOX,
            }
        ),
    },
    {"description": string(low=1, high=100)},
)
_INPUT_ROW = component(
    Kind.ACTION_ROW,
    {"components": array(by_type({Kind.TEXT_INPUT: text_input(own_label=True)}), low=1, high=1)},
    {},
)
_MODAL = record(
    {
        "custom_id": CUSTOM_ID,
        "title": string(low=1, high=45),
        "components": array(
            by_type(
                {
                    Kind.LABEL: _LABEL,
                    Kind.TEXT_DISPLAY: TEXT_DISPLAY,
                    Kind.ACTION_ROW: _INPUT_ROW,
                }
            ),
            low=1,
            high=MODAL_COMPONENTS,
        ),
    },
    {},
)


def walk(components: list[JsonObject], path: Path = ()) -> Iterator[tuple[Path, JsonObject]]:
    """Yield every component with its path, those within others after what holds them."""
    for index, part in enumerate(components):
        yield from _within(part, (*path, index))


def _within(part: JsonObject, path: Path) -> Iterator[tuple[Path, JsonObject]]:
    yield path, part
    yield from walk(part.get("components") or [], (*path, "components"))
    for name in ("accessory", "component"):
        if isinstance(part.get(name), dict):
            yield from _within(part[name], (*path, name))


def _as_a_whole(components: list[JsonObject], path: Path, report: Report) -> None:
    found = list(walk(components, path))
    unique(
        [((*p, "custom_id"), c["custom_id"]) for p, c in found if c.get("custom_id") is not None],
        "COMPONENT_CUSTOM_ID_DUPLICATED",
        "Component custom id cannot be duplicated",
        report,
    )
    unique(
        [((*p, "id"), c["id"]) for p, c in found if c.get("id")],  # 0 counts as none
        "COMPONENT_ID_DUPLICATED",
        "Component id cannot be duplicated",
        report,
    )
    if len(found) > COMPONENTS:
        message = f"The total number of components must not be more than {COMPONENTS}"
        report.fault(path, "COMPONENT_MAX_TOTAL_COMPONENTS_EXCEEDED", message)


def check_components(components: Any, path: Path, report: Report, *, v2: bool) -> None:
    """Check a message's components; ``v2`` when IS_COMPONENTS_V2 is set."""
    before = len(report.faults)
    (_V2_LIST if v2 else _LEGACY_LIST)(components, path, report)
    if len(report.faults) > before:
        return
    _as_a_whole(components, path, report)
    text = sum(len(c["content"]) for _, c in walk(components) if c["type"] == Kind.TEXT_DISPLAY)
    if text > TEXT:
        message = f"The total displayable text size exceeds the maximum of {TEXT}"
        report.fault(path, "COMPONENT_DISPLAYABLE_TEXT_SIZE_EXCEEDED", message)


def check_modal(modal: Any, path: Path, report: Report) -> None:
    """Check a modal."""
    before = len(report.faults)
    _MODAL(modal, path, report)
    if len(report.faults) == before:
        _as_a_whole(modal["components"], (*path, "components"), report)


def attachment_names(components: list[JsonObject]) -> Iterator[tuple[Path, str]]:
    """Yield each file name that components refer to by attachment://, with its path."""
    for path, part in walk(components):
        media: list[tuple[Path, Any]] = [((*path, n), part.get(n)) for n in ("media", "file")]
        media += [
            ((*path, "items", i, "media"), item.get("media"))
            for i, item in enumerate(part.get("items") or [])
        ]
        for where, item in media:
            if isinstance(item, dict) and item["url"].startswith("attachment://"):
                yield (*where, "url"), item["url"].removeprefix("attachment://")
