"""What a person sees and can press: typed views of the member API's messages and views."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bot.workspace.checks.layout import elements_of
from bot.workspace.checks.objects import options_of
from bot.workspace.values import JsonObject


@dataclass(frozen=True, slots=True)
class ShownFile:
    """A file under a message. ``url`` is a path of the member API."""

    id: str
    title: str
    url: str
    alt_txt: str | None


@dataclass(frozen=True, slots=True)
class ShownMessage:
    """A message as a member sees it."""

    channel: str
    ts: str
    thread_ts: str | None
    user: str
    bot: bool
    text: str
    blocks: tuple[JsonObject, ...]
    edited: bool
    reply_count: int
    ephemeral: bool
    files: tuple[ShownFile, ...]
    pinned: bool = False

    @classmethod
    def of(cls, form: JsonObject) -> "ShownMessage":
        """Read the member API's MESSAGE."""
        return cls(
            channel=form["channel"],
            ts=form["ts"],
            thread_ts=form.get("thread_ts"),
            user=form["user"],
            bot=form["bot"],
            text=form["text"],
            blocks=tuple(form["blocks"]),
            edited=form["edited"],
            reply_count=form["reply_count"],
            ephemeral=form["ephemeral"],
            pinned=form["pinned"],
            files=tuple(
                ShownFile(f["id"], f["title"], f["url"], f.get("alt_txt")) for f in form["files"]
            ),
        )


@dataclass(frozen=True, slots=True)
class ShownView:
    """A modal that a member sees, or the app's Home.

    ``depth`` is its place in the stack, from 1; a Home has 0, and no title.
    """

    id: str
    title: str
    submit: str | None
    close: str | None
    blocks: tuple[JsonObject, ...]
    hash: str
    depth: int

    @classmethod
    def of(cls, form: JsonObject) -> "ShownView":
        """Read the member API's VIEW."""
        return cls(
            id=form["id"],
            title=(form.get("title") or {}).get("text", ""),
            submit=(form.get("submit") or {}).get("text"),
            close=(form.get("close") or {}).get("text"),
            blocks=tuple(form["blocks"]),
            hash=form["hash"],
            depth=form["depth"],
        )


Shown = ShownMessage | ShownView


@dataclass(frozen=True, slots=True)
class Place:
    """Where an element stands. ``value`` is what the member API wants when it is used."""

    block_id: str
    action_id: str
    element: JsonObject
    value: JsonObject | None = None


class NotShown(LookupError):
    """What was looked for isn't there; the message lists what is."""


def _elements(shown: Shown) -> Iterator[tuple[JsonObject, JsonObject]]:
    for block in shown.blocks:
        for _, element in elements_of(block):
            if "action_id" in element:
                yield block, element


def buttons(shown: Shown) -> list[str]:
    """Return the labels of the buttons, in order."""
    return [e["text"]["text"] for _, e in _elements(shown) if e["type"] == "button"]


def find_button(shown: Shown, label: str) -> Place:
    """Return the one button with this label. Raises NotShown for none or several."""
    found = [
        Place(block["block_id"], element["action_id"], element)
        for block, element in _elements(shown)
        if element["type"] == "button" and element["text"]["text"] == label
    ]
    if len(found) != 1:
        raise NotShown(f"{len(found)} buttons «{label}» among {buttons(shown)}")
    return found[0]


def find_option(shown: Shown, text: str) -> Place:
    """Return the element that offers this option, with the value that picks it.

    Raises NotShown for none or several.
    """
    found: list[Place] = []
    offered: list[str] = []
    for block, element in _elements(shown):
        for option in options_of(element):
            offered.append(option["text"]["text"])
            if option["text"]["text"] == text:
                several = element["type"] in {"checkboxes", "multi_static_select"}
                value: JsonObject = (
                    {"options": [option["value"]]} if several else {"option": option["value"]}
                )
                found.append(Place(block["block_id"], element["action_id"], element, value))
    if len(found) != 1:
        raise NotShown(f"{len(found)} options «{text}» among {offered}")
    return found[0]


def find_input(shown: Shown, label: str) -> Place:
    """Return the element of the one input block with this label. Raises NotShown."""
    inputs = [b for b in shown.blocks if b["type"] == "input"]
    found = [b for b in inputs if b["label"]["text"] == label]
    if len(found) != 1:
        labels = [b["label"]["text"] for b in inputs]
        raise NotShown(f"{len(found)} inputs «{label}» among {labels}")
    element = found[0]["element"]
    return Place(found[0]["block_id"], element["action_id"], element)


def plain_text(shown: Shown) -> str:
    """Return everything there is to read, a line per block or cell row, markup as written.

    A message without blocks reads as its text.
    """
    if isinstance(shown, ShownMessage) and not shown.blocks:
        return shown.text
    head = [shown.title] if isinstance(shown, ShownView) else []
    return "\n".join([*head, *(line for b in shown.blocks for line in _lines(b))])


def _lines(block: JsonObject) -> Iterator[str]:
    kind = block["type"]
    if kind == "table":
        for row in block["rows"]:
            yield " | ".join(_inline(cell) for cell in row)
    elif kind == "context":
        yield " ".join(_inline(e) for e in block["elements"])
    elif kind == "rich_text":
        for element in block["elements"]:
            yield _inline(element)
    else:
        for part in ("title", "label", "text", "hint"):
            if block.get(part) is not None:
                yield _inline(block[part])
        for field in block.get("fields") or []:
            yield _inline(field)
        if kind == "image":
            yield block["alt_text"]
    labels = [_label(e) for _, e in elements_of(block)]
    if any(labels):
        yield " ".join(f"[{label}]" for label in labels if label)


def _label(element: JsonObject) -> str:
    for part in ("text", "placeholder"):
        if isinstance(element.get(part), dict):
            text: str = element[part]["text"]
            return text
    return " / ".join(o["text"]["text"] for o in options_of(element))


def _inline(value: Any) -> str:
    if isinstance(value, str):
        return value
    if "elements" in value:
        glue = "\n" if value["type"] in {"rich_text_list", "rich_text"} else ""
        return glue.join(_inline(e) for e in value["elements"])
    for part in ("text", "alt_text", "url", "name", "user_id", "fallback"):
        if isinstance(value.get(part), str):
            text: str = value[part]
            return text
    return ""
