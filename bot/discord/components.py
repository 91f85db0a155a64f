"""Cards and private questions as Discord's components (version 2).

A message is one container: text, rows with a button at their end, and the buttons.
Its limits are those of Discord's component reference: 40 components, nested ones
counted; 4,000 characters of text in all; 5 buttons or one menu a row; button label 80;
option label and description 100; 25 options; placeholder 150; custom id 100. No two
components of a message may have the same custom id.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import discord
from discord import ui

from bot.discord.text import Line, block, markdown, stack
from bot.elements import (
    Bar,
    Bars,
    Bold,
    Button,
    Card,
    Code,
    Figure,
    Form,
    Menu,
    Option,
    Paragraph,
    Picture,
    Points,
    Pre,
    Row,
    Section,
    Sheet,
    Small,
    Style,
    Text,
    cut,
    say,
)
from services.language import number, tr

MAX_COMPONENTS = 40
MAX_TEXT = 4000
MAX_OPTIONS = 25
MAX_WORDS = 1024  # that describe a picture
#: What a custom id begins with, and so what is done when it is pressed.
PRESS, ASK, SUBMIT, OPEN, PICK = "press", "ask", "submit", "open", "pick"
CANCEL = "cancel"

#: The colour at a card's edge: it burns, it is over, or neither.
ALARM, OVER, QUIET = (discord.Colour(rgb) for rgb in (0xD83C3E, 0x2E8B57, 0x80848E))
# An incident's state stands in its title as a mark, and nowhere else on a card.
_COLOURS = {"🚨": ALARM, "🛑": OVER, "✅": OVER}

#: How bad it is while it burns; each is told in words, too.
_TONES = {
    word: discord.Colour(rgb)
    for word, rgb in (
        ("critical", 0xB3001B),
        ("moderate", 0xE0A800),
        ("fading", 0x3E7CB1),
    )
}

_STYLES = {
    Style.PLAIN: discord.ButtonStyle.secondary,
    Style.PRIMARY: discord.ButtonStyle.primary,
    Style.DANGER: discord.ButtonStyle.danger,
}
_MAX_BUTTONS = 5
_TITLE = 300
# As much as buttons may take of the 40, so that there is always room for what they are about.
_MAX_CONTROLS = 24
_NOTHING = "–"

Controls = list["ui.ActionRow[Any]"]


@dataclass(frozen=True, slots=True)
class _Part:
    """A section, as text that can be made shorter, with its button."""

    line: Line
    button: "ui.Button[Any] | None" = None
    picture: Picture | None = None

    @property
    def components(self) -> int:
        return 3 if self.button else 1


def message(card: Card) -> ui.LayoutView:
    """Return a card's components for a message."""
    taken: set[str] = set()
    controls = _controls(card.buttons, card.turn, taken)
    # Without a content of its own, a message's first text is what a notification says.
    title = (
        card.title if card.title.strip() or card.all_sections else card.fallback or "Spoolwarden"
    )
    parts, below = _parts(card.sections, taken), _parts(card.below, taken)
    return _view(title, parts, controls, _colour(card), below)


def sheet(given: Sheet) -> ui.LayoutView:
    """Return what goes with a file: what it is, and the file itself, an attachment."""
    view = ui.LayoutView(timeout=None)
    view.add_item(ui.TextDisplay(markdown(say("📄 ", given.about), MAX_TEXT)))
    view.add_item(ui.File(f"attachment://{given.name}"))
    view.stop()
    return view


def question(form: Form) -> ui.LayoutView:
    """Return a form without fields, as a question that is answered with a button."""
    yes = _button(f"{SUBMIT}:{form.intent_id}", form.submit, Style.PRIMARY)
    no = _button(CANCEL, tr("Cancel"), Style.PLAIN)
    return _view(form.title, _parts(form.sections), [ui.ActionRow(yes, no)], QUIET)


def notice(form: Form, key: str) -> ui.LayoutView:
    """Return what stands for a form that came too late to open by itself."""
    fill = _button(f"{OPEN}:{key}", tr("Fill in…"), Style.PRIMARY)
    return _view(form.title, _parts(form.sections), [ui.ActionRow(fill)], QUIET)


def words(sections: Sequence[Section], longest: int) -> str:
    """Return sections as one text, without their buttons. Empty when they say nothing."""
    parts = _kept(_parts(sections), MAX_COMPONENTS)
    return "\n".join(text for text in _fit([part.line for part in parts], longest) if text.strip())


def options(given: Sequence[Option], most: int, needed: str = "") -> list[Option]:
    """Return the options that Discord can carry, at most so many; a needed one is among them."""
    known: dict[str, Option] = {}
    for option in given:
        if 0 < len(option.value) <= 100:
            known.setdefault(option.value, option)
    kept = list(known.values())[:most]
    if needed in known and known[needed] not in kept:
        kept[-1] = known[needed]
    return kept


def label(text: str, longest: int) -> str:
    """Return a text for a place that parses nothing and may not be empty."""
    shown = cut(text, longest)
    return shown if shown.strip() else _NOTHING


def hint(text: str) -> str | None:
    """Return a description for an option or a field; None where there is none."""
    return cut(text, 100) if text.strip() else None


def _view(
    title: str,
    parts: Sequence[_Part],
    controls: Controls,
    colour: discord.Colour,
    below: Sequence[_Part] = (),
) -> ui.LayoutView:
    heading = [f"## {markdown(say(title), _TITLE)}"] if title.strip() else []
    room = MAX_COMPONENTS - 1 - len(heading) - sum(1 + len(row.children) for row in controls)
    kept = _kept([*parts, *below], room)
    texts = _fit([part.line for part in kept], MAX_TEXT - sum(map(len, heading)))
    items: list[ui.Item[Any]] = [ui.TextDisplay(text) for text in heading]
    for place, (part, text) in enumerate(zip(kept, texts, strict=True)):
        if place == len(parts):
            items += controls
            controls = []
        if part.button:
            shown: ui.TextDisplay[Any] = ui.TextDisplay(text if text.strip() else _NOTHING)
            items.append(ui.Section(shown, accessory=part.button))
        elif part.picture:
            items.append(_gallery(part.picture))
        elif text.strip():
            items.append(ui.TextDisplay(text))
    if not items:
        items.append(ui.TextDisplay(_NOTHING))
    view = ui.LayoutView(timeout=None)
    view.add_item(ui.Container(*items, *controls, accent_colour=colour))
    # What is pressed is found by its custom id, after a restart as before. A view that
    # has not been stopped would be kept by the client for ever.
    view.stop()
    return view


def _gallery(picture: Picture) -> ui.Item[Any]:
    """Return a picture that is one of the message's attachments, or is sent with it."""
    shown = discord.MediaGalleryItem(
        f"attachment://{picture.handle}", description=label(picture.words, MAX_WORDS)
    )
    gallery: ui.MediaGallery[Any] = ui.MediaGallery(shown)
    return gallery


def _kept(parts: Sequence[_Part], room: int) -> list[_Part]:
    """Return as many parts as there is room for; the last says that there were more."""
    if sum(part.components for part in parts) <= room:
        return list(parts)
    kept: list[_Part] = []
    room -= 1
    for part in parts:
        room -= part.components
        if room < 0:
            break
        kept.append(part)
    return [*kept, _Part(lambda _: "…")]


def _fit(lines: Sequence[Line], longest: int) -> list[str]:
    """Return texts of so many characters in all; the longest ones are cut first."""
    longest -= len(lines)  # a line feed each, or what stands where nothing is said
    texts = [line(longest) for line in lines]
    share, left = longest, longest
    for place, size in enumerate(sorted(map(len, texts))):
        share = left // (len(texts) - place)
        if size > share:
            texts = [line(share) for line in lines]
            break
        left -= size
    return texts


def _colour(card: Card) -> discord.Colour:
    colour = _COLOURS.get(card.title[:1], QUIET)
    return _TONES.get(card.tone, colour) if colour is ALARM else colour


def _parts(sections: Sequence[Section], taken: set[str] | None = None) -> list[_Part]:
    """Return the parts of a card; of a form, whose rows have no buttons, without ``taken``."""
    parts: list[_Part] = []
    for section in sections:
        button = None
        if isinstance(section, Row) and taken is not None:
            button = _pressed(section.button, taken)
        picture = section if isinstance(section, Picture) else None
        parts.append(_Part(_line(section), button, picture))
    return parts


def _line(section: Section) -> Line:
    match section:
        case Paragraph(text):
            return lambda longest: markdown(text, longest)
        case Points(items):
            points = [_after("- ", item) for item in items if _says(item)]
            return lambda longest: stack(points, longest)
        case Bars(title, bars):
            rows = [_after("", say(Bold(title)))] if title.strip() else []
            rows += [_after("", _bar(bar)) for bar in bars]
            return lambda longest: stack(rows, longest)
        case Pre(kept):
            return lambda longest: block(kept, longest)
        case Small(text):
            return _after("-# ", text) if _says(text) else lambda _: ""
        case Row(text):
            return lambda longest: markdown(text, longest, lines=True)
        case Picture():
            return lambda _: ""
        case Figure(_, words):
            return _after("-# ", say(words))


def _after(mark: str, text: Text) -> Line:
    return lambda longest: f"{mark}{markdown(text, longest - len(mark))}"


def _says(text: Text) -> bool:
    return bool(markdown(text, MAX_TEXT).strip())


def _bar(bar: Bar) -> Text:
    return say(Code(bar.drawn), f"  {number(bar.value)}  {bar.label}")


def _controls(given: Sequence[Button | Menu], turn: int, taken: set[str]) -> Controls:
    """Return rows of buttons, and a row for each menu, in their order."""
    rows: Controls = []
    for item, wide in _items(given, turn, taken):
        last = rows[-1] if rows else None
        full = last is None or wide or len(last.children) >= _MAX_BUTTONS or _is_menu(last)
        if sum(1 + len(row.children) for row in rows) + (2 if full else 1) > _MAX_CONTROLS:
            break
        if full or last is None:
            rows.append(ui.ActionRow(item))
        else:
            last.add_item(item)
    return rows


def _items(
    given: Sequence[Button | Menu], turn: int, taken: set[str]
) -> Iterator[tuple["ui.Item[Any]", bool]]:
    """Yield each button and menu, and whether it fills its row."""
    for control in given:
        if isinstance(control, Button):
            if button := _pressed(control, taken):
                yield button, False
        elif menu := _menu(control, turn, taken):
            yield menu, True


def _is_menu(row: "ui.ActionRow[Any]") -> bool:
    return any(isinstance(item, ui.Select) for item in row.children)


def _pressed(shown: Button, taken: set[str]) -> "ui.Button[Any] | None":
    """Return a card's button; None for a second one that would do the same."""
    custom_id = f"{ASK if shown.confirm else PRESS}:{shown.intent_id}"
    if custom_id in taken:
        return None
    taken.add(custom_id)
    return _button(custom_id, shown.label, shown.style)


def _button(custom_id: str, text: str, style: Style) -> "ui.Button[Any]":
    return ui.Button(custom_id=custom_id, label=label(text, 80), style=_STYLES[style])


def _menu(shown: Menu, turn: int, taken: set[str]) -> "ui.Select[Any] | None":
    # Its id is another in another turn, as what was picked stays picked in the same menu.
    custom_id = f"{PICK}:{shown.slot}:{turn}"
    kept = options(shown.options, MAX_OPTIONS)
    if custom_id in taken or not kept:
        return None
    taken.add(custom_id)
    return ui.Select(
        custom_id=custom_id,
        placeholder=label(shown.label, 150),
        options=[
            discord.SelectOption(
                label=label(option.label, 100),
                value=option.value,
                description=hint(option.hint),
            )
            for option in kept
        ],
    )
