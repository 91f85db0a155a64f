"""What a person sees and can use: typed views of the member API's messages and modals."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bot.guild.checks.components import walk
from bot.guild.checks.parts import Kind
from bot.local.values import JsonObject


@dataclass(frozen=True, slots=True)
class ShownFile:
    """A file under a message. ``url`` is a path of the member API."""

    id: str
    filename: str
    url: str
    description: str | None


@dataclass(frozen=True, slots=True)
class ShownMessage:
    """A message as a member sees it; ``channel`` is the thread's id for one in a thread."""

    id: str
    channel: str
    author: str
    bot: bool
    content: str
    components: tuple[JsonObject, ...]
    flags: int
    edited: bool
    timestamp: str
    thread: str | None
    ephemeral: bool
    thinking: bool
    pinned: bool
    reply_to: str | None
    mentions: tuple[str, ...]
    interaction: Mapping[str, str] | None
    files: tuple[ShownFile, ...]

    @classmethod
    def of(cls, form: JsonObject) -> "ShownMessage":
        """Read the member API's MESSAGE."""
        return cls(
            id=form["id"],
            channel=form["channel_id"],
            author=form["author"]["name"],
            bot=form["author"]["bot"],
            content=form["content"],
            components=tuple(form["components"]),
            flags=form["flags"],
            edited=form["edited"],
            timestamp=form["timestamp"],
            thread=form["thread_id"],
            ephemeral=form["ephemeral"],
            thinking=form["thinking"],
            pinned=form["pinned"],
            reply_to=form["reply_to"],
            mentions=tuple(form["mentions"]),
            interaction=form["interaction"],
            files=tuple(
                ShownFile(a["id"], a["filename"], a["url"], a["description"])
                for a in form["attachments"]
            ),
        )


@dataclass(frozen=True, slots=True)
class ShownModal:
    """The modal a member sees."""

    id: str
    title: str
    components: tuple[JsonObject, ...]
    interaction: str

    @classmethod
    def of(cls, form: JsonObject) -> "ShownModal":
        """Read the member API's MODAL."""
        return cls(form["id"], form["title"], tuple(form["components"]), form["interaction"])


@dataclass(frozen=True, slots=True)
class ShownThread:
    """A thread a member sees; its id is that of the message it was started from."""

    id: str
    name: str
    parent: str
    archived: bool
    locked: bool

    @classmethod
    def of(cls, form: JsonObject) -> "ShownThread":
        """Read the member API's thread."""
        return cls(form["id"], form["name"], form["parent_id"], form["archived"], form["locked"])


Shown = ShownMessage | ShownModal


@dataclass(frozen=True, slots=True)
class Place:
    """A component that can be used. ``values`` are a select's choice."""

    custom_id: str
    component: JsonObject
    values: tuple[str, ...] | None = None


class NotShown(LookupError):
    """What was looked for isn't there; the message lists what is."""


def components_of(shown: Shown) -> Iterator[JsonObject]:
    """Yield every component, those within others after what holds them."""
    for _, part in walk(list(shown.components)):
        yield part


def buttons(shown: Shown) -> list[str]:
    """Return the labels of the buttons, in order."""
    return [c.get("label", "") for c in components_of(shown) if c["type"] == Kind.BUTTON]


def find_button(shown: Shown, label: str) -> Place:
    """Return the one button with this label. Raises NotShown for none or several."""
    found = [
        Place(c.get("custom_id", ""), c)
        for c in components_of(shown)
        if c["type"] == Kind.BUTTON and c.get("label") == label
    ]
    if len(found) != 1:
        raise NotShown(f"{len(found)} buttons «{label}» among {buttons(shown)}")
    return found[0]


def options(shown: Shown) -> list[str]:
    """Return the labels of everything that can be chosen, in order."""
    return [o["label"] for c in components_of(shown) for o in c.get("options") or []]


def find_option(shown: Shown, text: str) -> Place:
    """Return the component that offers this option, with the value that picks it.

    Raises NotShown for none or several.
    """
    found = [
        Place(c["custom_id"], c, (o["value"],))
        for c in components_of(shown)
        for o in c.get("options") or []
        if o["label"] == text
    ]
    if len(found) != 1:
        raise NotShown(f"{len(found)} options «{text}» among {options(shown)}")
    return found[0]


def find_input(modal: ShownModal, label: str) -> Place:
    """Return the one input under this label. Raises NotShown for none or several."""
    found: list[Place] = []
    labels: list[str] = []
    for part in components_of(modal):
        inner = part.get("component", part)
        if not part.get("label") or "custom_id" not in inner:
            continue
        labels.append(part["label"])
        if part["label"] == label:
            found.append(Place(inner["custom_id"], inner))
    if len(found) != 1:
        raise NotShown(f"{len(found)} inputs «{label}» among {labels}")
    return found[0]


def plain_text(shown: Shown) -> str:
    """Return everything there is to read, a line per piece, markup as written."""
    lines: list[str] = []
    if isinstance(shown, ShownModal):
        lines.append(shown.title)
    elif shown.content:
        lines.append(shown.content)
    for part in shown.components:
        lines += _lines(part)
    return "\n".join(lines)


def _lines(part: JsonObject) -> list[str]:
    kind = part["type"]
    if kind == Kind.TEXT_DISPLAY:
        content: str = part["content"]
        return [content]
    if kind == Kind.ACTION_ROW:
        return [" ".join(_used(c) for c in part["components"])]
    if kind == Kind.SECTION:
        texts = [line for c in part["components"] for line in _lines(c)]
        return [*texts, *_lines(part["accessory"])]
    if kind == Kind.CONTAINER:
        return [line for c in part["components"] for line in _lines(c)]
    if kind == Kind.LABEL:
        said = [part["label"], part.get("description"), _used(part["component"])]
        return [s for s in said if s]
    if kind == Kind.MEDIA_GALLERY:
        return [i["description"] for i in part["items"] if i.get("description")]
    if kind in (Kind.THUMBNAIL, Kind.FILE):
        return [s for s in (part.get("description"), part.get("name")) if s]
    return [s for s in (_used(part),) if s]


def _used(part: JsonObject) -> str:
    shown: list[Any] = [o["label"] for o in part.get("options") or []]
    if not shown:
        shown = [part.get("label") or part.get("placeholder") or part.get("value")]
    elif part.get("placeholder"):
        shown = [f"{part['placeholder']}: {' / '.join(shown)}"]
    text = " / ".join(str(s) for s in shown if s)
    return f"[{text}]" if text else ""
