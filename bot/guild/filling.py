"""Components as Discord gives them back: ids and defaults filled in, media resolved."""

from collections.abc import Callable
from typing import Any

from bot.guild.checks.components import walk
from bot.guild.checks.parts import SELECTS, Kind
from bot.local.values import JsonObject

Media = Callable[[str], JsonObject]


def filled(components: list[JsonObject], media: Media) -> list[JsonObject]:
    """Return a message's components complete. ``media`` gives the item for a URL."""
    made = numbered(components)
    for _, part in walk(made):
        _defaults(part, media)
    return made


def numbered(components: list[JsonObject]) -> list[JsonObject]:
    """Return components with an id each, and without fields that hold null."""
    made: list[JsonObject] = without_nulls(components)
    # "Anatomy of a Component": ids not given are generated, in order, beginning at 1.
    taken = {c["id"] for _, c in walk(made) if c.get("id")}
    free = 1
    for _, part in walk(made):
        if not part.get("id"):
            while free in taken:
                free += 1
            part["id"] = free
            taken.add(free)
    return made


def without_nulls(value: Any) -> Any:
    """Return a value without the fields that hold null."""
    if isinstance(value, dict):
        return {k: without_nulls(v) for k, v in value.items() if v is not None}
    if isinstance(value, list):
        return [without_nulls(v) for v in value]
    return value


def _defaults(part: JsonObject, media: Media) -> None:
    kind = part["type"]
    if kind in SELECTS:
        part.pop("required", None)
        part.setdefault("min_values", 1)
        part.setdefault("max_values", 1)
    elif kind == Kind.SEPARATOR:
        part.setdefault("spacing", 1)
        part.setdefault("divider", True)
    elif kind == Kind.CONTAINER:
        part.setdefault("accent_color", None)
        part.setdefault("spoiler", False)
    elif kind == Kind.THUMBNAIL:
        _shown(part, "media", media)
    elif kind == Kind.MEDIA_GALLERY:
        for item in part["items"]:
            _shown(item, "media", media)
    elif kind == Kind.FILE:
        part["file"] = media(part["file"]["url"])
        part.setdefault("spoiler", False)
        part["name"] = part["file"].pop("name", None)
        part["size"] = part["file"].pop("size", None)


def _shown(item: JsonObject, name: str, media: Media) -> None:
    found = media(item[name]["url"])
    found.pop("name", None)
    found.pop("size", None)
    item[name] = found
    item.setdefault("description", None)
    item.setdefault("spoiler", False)
