"""Discord's rules, told apart from the bot: its markdown, its description and its limits.

The markdown is a small model of the client's own parser. Where clients differ it takes
more for markup than any of them does.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from tests.judge_discord import specification

Json = dict[str, Any]
#: What a text was parsed to: ("text", what is shown) or a kind of markup and what it holds.
Node = tuple[str, Any]

_AT_LINE = (
    ("quote", re.compile(r"(?:>>>|>) +(.*)")),
    ("header", re.compile(r" *#{1,3} +(.*)")),
    ("small", re.compile(r" *-# +(.*)")),
    ("list", re.compile(r"[ \t]*(?:[*+-]|\d+[.)])[ \t]+(.*)")),
)
# In this order. A kind whose content is parsed again is in _NESTED.
_INLINE = (
    ("escape", re.compile(r"\\([^0-9A-Za-z\s])")),
    ("block", re.compile(r"```(?:[A-Za-z0-9_+\-.#]+?\n)?\n*([^\n][\s\S]*?)\n*```")),
    ("shrug", re.compile(r"(¯\\_\(ツ\)_/¯)")),
    ("moment", re.compile(r"<t:(-?\d+(?::[A-Za-z])?)>")),
    ("mention", re.compile(r"<(@!?\d+|@&\d+|#\d+|#[^\s>]+)>")),
    ("emoji", re.compile(r"<(a?:\w+:\d+)>")),
    ("emoji", re.compile(r":([^\s:]+?(?:::skin-tone-\d)?):")),
    ("command", re.compile(r"<(/[^>]+:\d+)>")),
    ("guide", re.compile(r"<((?:id|sound):[^>]+)>")),
    ("link", re.compile(r"<([^: >]+:[^ >]+)>")),
    ("link", re.compile(r"<([^\s@<>]+@[^\s<>]+|\+\d+)>")),
    ("link", re.compile(r"(\w+://[^\s<])")),
    ("link", re.compile(r"((?:discord(?:app)?\.(?:gg|com)|www\.)\S*)")),
    ("link", re.compile(r"(\[[\s\S]*?\]\([\s\S]+?\))")),
    ("everyone", re.compile(r"@(everyone|here)")),
    ("bold", re.compile(r"\*\*((?:\\[\s\S]|[^\\])+?)\*\*(?!\*)")),
    ("underline", re.compile(r"__((?:\\[\s\S]|[^\\])+?)__(?!_)")),
    ("italic", re.compile(r"\*(?=\S)((?:\*\*|\s+(?:[^*\s]|\*\*)|[^\s*])+?)\*(?!\*)")),
    ("italic", re.compile(r"_((?:__|\\[\s\S]|[^\\_])+?)_")),
    ("strike", re.compile(r"~~([\s\S]+?)~~(?!_)")),
    ("spoiler", re.compile(r"\|\|([\s\S]+?)\|\|")),
    ("code", re.compile(r"(`+)([\s\S]*?[^`])\1(?!`)")),
)
# Letters and blanks that no rule begins with or goes on from: passed over at once.
_DULL = re.compile(r"(?:(?!discord|www)[A-Za-z0-9])+(?![\w:])|[ ,;“”→·〈〉]+")
_NESTED = {"bold", "underline", "italic", "strike", "spoiler", "quote", "header", "small", "list"}


def parse(text: str) -> list[Node]:
    """Return what Discord makes of a message's text."""
    nodes: list[Node] = []
    for kind, held in _parse(text, at_line=True):
        if kind == "text" and nodes and nodes[-1][0] == "text":
            nodes[-1] = ("text", nodes[-1][1] + held)
        else:
            nodes.append((kind, held))
    return nodes


def kinds(nodes: list[Node]) -> Iterator[str]:
    """Yield every kind of markup in there, nested ones too."""
    for kind, held in nodes:
        yield kind
        if isinstance(held, list):
            yield from kinds(held)


def seen(nodes: list[Node]) -> str:
    """Return the text that a person reads."""
    return "".join(seen(held) if isinstance(held, list) else held for _, held in nodes)


def _parse(text: str, *, at_line: bool) -> Iterator[Node]:
    place = 0
    while place < len(text):
        if not at_line and (dull := _DULL.match(text, place)):
            yield "text", dull[0]
            place = dull.end()
            continue
        rules = (*_AT_LINE, *_INLINE) if at_line else _INLINE
        for kind, rule in rules:
            if found := rule.match(text, place):
                held = found[found.re.groups]
                if kind == "escape":
                    yield "text", held
                elif kind in _NESTED:
                    yield kind, parse_inline(held)
                else:
                    yield kind, held
                place = found.end()
                at_line = False
                break
        else:
            at_line = text[place] == "\n"
            yield "text", text[place]
            place += 1


def parse_inline(text: str) -> list[Node]:
    """Return what Discord makes of a text that doesn't stand at the beginning of a line."""
    # An unescaped letter in front, taken away again, keeps the line's beginning out of reach.
    whole = parse(f"x{text}")
    first = whole[0][1][1:]
    return [("text", first), *whole[1:]] if first else whole[1:]


# -- the published description -----------------------------------------------------


@cache
def _validator(name: str) -> Draft202012Validator:
    spec = specification()
    assert spec is not None
    return Draft202012Validator(
        {"$ref": f"#/components/schemas/{name}", "components": spec["components"]}
    )


def described_faults(name: str, body: Json) -> list[str]:
    """Return what the description's schema of this name finds wrong, unknown fields too."""
    faults = [
        f"{error.json_path}: {error.message:.300}" for error in _validator(name).iter_errors(body)
    ]
    where = "Modal" if "Modal" in name else "Message"
    return [*faults, *component_faults(body["components"], where)]


def component_faults(components: list[Json], where: str) -> Iterator[str]:
    """Yield what the description finds wrong in each component of a Message or a Modal.

    Each is held against the schema of its own kind, far faster than against all that it
    could be; what may be in what is left to the limits.
    """
    for one in walk(components):
        name = f"{_NAMES[one['type']]}ComponentFor{where}Request"
        alone, known = _alone(name)
        yield from (f"{name} has no {key}" for key in one if key not in known)
        yield from (f"{name}: {error.message:.300}" for error in alone.iter_errors(one))
        for option in one.get("options", ()):
            yield from (f"an option has no {key}" for key in option if key not in _OPTION)


@cache
def _alone(name: str) -> tuple[Draft202012Validator, frozenset[str]]:
    """Return the validator of a kind of component without what is in it, and its fields."""
    spec = specification()
    assert spec is not None
    schema = spec["components"]["schemas"][name]
    properties = {
        key: {rule: value for rule, value in described.items() if rule not in drop}
        for key, described in schema["properties"].items()
        # A type's other rule lists every type there is.
        for drop in [{"type": {"allOf"}, "components": {"items"}}.get(key, set())]
        if key not in ("accessory", "component")
    }
    validator = Draft202012Validator(
        {**schema, "properties": properties, "components": spec["components"]}
    )
    return validator, frozenset(schema["properties"])


_NAMES = {
    1: "ActionRow",
    2: "Button",
    3: "StringSelect",
    4: "TextInput",
    9: "Section",
    10: "TextDisplay",
    12: "MediaGallery",
    17: "Container",
    18: "Label",
    21: "RadioGroup",
    22: "CheckboxGroup",
}
_HOLDS = {1: (2, 3), 17: (1, 9, 10, 12), 18: (3, 4, 21, 22), 9: (10,)}
_OPTION = {"label", "value", "description", "default"}


# -- the limits of the pages -------------------------------------------------------


def _inner(component: Json) -> list[Json]:
    held = list(component.get("components", ()))
    return held + [component[key] for key in ("accessory", "component") if key in component]


def walk(components: list[Json]) -> Iterator[Json]:
    """Yield every component, nested ones after what they're in."""
    for component in components:
        yield component
        yield from walk(_inner(component))


def texts(components: list[Json]) -> list[str]:
    """Return the content of every text, in order."""
    return [one["content"] for one in walk(components) if one["type"] == 10]


def message_faults(components: list[Json]) -> list[str]:
    """Return each limit of a message that is not kept."""
    faults = list(_faults(components))
    if [one["type"] for one in components] != [17]:
        faults.append("a card is one container")
    if sum(1 for _ in walk(components)) > 40:
        faults.append("more than 40 components")
    return faults


def modal_faults(modal: Json) -> list[str]:
    """Return each limit of a modal that is not kept."""
    faults = list(_faults(modal["components"]))
    faults += _bounded("title", modal["title"], 1, 45)
    faults += _bounded("custom_id", modal["custom_id"], 1, 100)
    if not 1 <= len(modal["components"]) <= 5:
        faults.append("a modal holds 1 to 5 components")
    if any(one["type"] not in (10, 18) for one in modal["components"]):
        faults.append("a modal holds texts and labels")
    return faults


def _faults(components: list[Json]) -> Iterator[str]:
    ids = [one["custom_id"] for one in walk(components) if "custom_id" in one]
    if len(set(ids)) < len(ids):
        yield "a custom id is there twice"
    if sum(map(len, texts(components))) > 4000:
        yield "more than 4,000 characters of text"
    for one in walk(components):
        kind = one["type"]
        for inner in _inner(one):
            if inner["type"] not in (*_HOLDS[kind], *((2,) if kind == 9 else ())):
                yield f"a {_NAMES[kind]} holds a {_NAMES[inner['type']]}"
        match kind:
            case 1:
                held = [inner["type"] for inner in one["components"]]
                if held != [3] and not (set(held) == {2} and len(held) <= 5):
                    yield "an action row holds 1 to 5 buttons or one menu"
            case 2:
                yield from _bounded("button", one["label"], 1, 80)
            case 4:
                if not len(one.get("value") or "") <= one["max_length"] <= 4000:
                    yield "a text input begins with more than it takes"
            case 9:
                if not 1 <= len(one["components"]) <= 3:
                    yield "a section holds 1 to 3 texts"
            case 10:
                yield from _bounded("text", one["content"], 1, 4000)
            case 12:
                for item in one["items"]:
                    yield from _bounded("alternative text", item["description"], 1, 1024)
                    if not item["media"]["url"].startswith("attachment://"):
                        yield "a picture that is none of the message's own files"
            case 18:
                yield from _bounded("label", one["label"], 1, 45)
                if "description" in one:
                    yield from _bounded("description", one["description"], 1, 100)
        if "custom_id" in one:
            yield from _bounded("custom_id", one["custom_id"], 1, 100)
        if "placeholder" in one:
            yield from _bounded("placeholder", one["placeholder"], 1, 150)
        if kind in (3, 21, 22):
            yield from _options(one, {3: (1, 25), 21: (2, 10), 22: (1, 10)}[kind])


def _options(one: Json, bounds: tuple[int, int]) -> Iterator[str]:
    options = one.get("options", [])
    values = [option["value"] for option in options]
    if not bounds[0] <= len(options) <= bounds[1]:
        yield f"{len(options)} options"
    if len(set(values)) < len(values):
        yield "a value is there twice"
    ticked = [option for option in options if option.get("default")]
    if len(ticked) > one.get("max_values", 1):
        yield "more is chosen than can be"
    if one["type"] == 22 and one["min_values"] == 0 and one["required"]:
        yield "none may be ticked, and one must be"
    for option in options:
        yield from _bounded("option", option["label"], 1, 100)
        yield from _bounded("value", option["value"], 1, 100)
        if option.get("description") is not None:
            yield from _bounded("description", option["description"], 1, 100)


def _bounded(what: str, text: str, least: int, most: int) -> list[str]:
    # Discord takes the space from both ends before it counts.
    if len(text.strip()) < least or len(text) > most:
        return [f"{what} of {len(text)} characters: {text!r:.40}"]
    return []
