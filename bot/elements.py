"""What a chat can show, neutral of any chat: text, cards, buttons and forms.

Text is made of spans and is never markup: a chat's renderer turns each span into
that chat's own form and escapes it there. So nothing that a sender wrote can
become a mention, a link or formatting.
"""

import unicodedata
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from string import Formatter

from services.language import moment as written
from services.language import number, template, template_n, tr
from services.words import in_percent, short

# Short, so that a bar, its number and a name fit a phone's line.
_BAR = 8
_FULL, _EMPTY = "█", "░"


@dataclass(frozen=True, slots=True)
class Plain:
    """Text as it is. A line feed makes a new line in a Row, and is written out elsewhere."""

    text: str


@dataclass(frozen=True, slots=True)
class Bold:
    """Text that is looked at first."""

    text: str


@dataclass(frozen=True, slots=True)
class Code:
    """Text that may be copied: an address, an id."""

    text: str


@dataclass(frozen=True, slots=True)
class Link:
    """Our own text that leads to another of our messages; the chat itself gave its address."""

    text: str
    url: str


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment, shown in the reader's own time zone where the chat can. Aware, UTC."""

    at: datetime
    seconds: bool = False


Span = Plain | Bold | Code | Link | Moment
Text = tuple[Span, ...]


def say(*parts: Span | str) -> Text:
    """Return a text of these parts; a str is plain."""
    return tuple(Plain(part) if isinstance(part, str) else part for part in parts)


#: What may fill a {name} in a sentence: text of any look, or a number.
Filling = Span | Text | str | int


def rich(message: str, /, **values: Filling) -> Text:
    """Return a sentence in the present language, its {names} filled in, each with its look."""
    return _filled(template(message), values)


def richn(one: str, many: str, n: int, /, **values: Filling) -> Text:
    """Return a sentence on a number of things, ``{n}``, in the present language."""
    return _filled(template_n(one, many, n), {"n": n, **values})


def _filled(message: str, values: dict[str, Filling]) -> Text:
    parts: list[Span] = []
    for literal, name, _, _ in Formatter().parse(message):
        parts.append(Plain(literal))
        if name is None:
            continue
        value = values[name]
        if isinstance(value, int):
            value = number(value)
        if isinstance(value, str):
            value = Plain(value)
        parts += value if isinstance(value, tuple) else (value,)
    return _joined(parts)


def _joined(parts: list[Span]) -> Text:
    """Return the parts with neighbours that have no look made one, which is less to send."""
    joined: list[Span] = []
    for part in parts:
        if isinstance(part, Plain) and joined and isinstance(joined[-1], Plain):
            joined[-1] = Plain(joined[-1].text + part.text)
        elif part != Plain(""):
            joined.append(part)
    return tuple(joined)


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph."""

    text: Text


@dataclass(frozen=True, slots=True)
class Points:
    """A list of short points."""

    items: tuple[Text, ...]


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar. ``share`` is 0 to 1."""

    label: str
    value: int
    share: float

    @property
    def drawn(self) -> str:
        """The bar and its share, all of one width where letters are: "███░░░░░  40%"."""
        share = min(1.0, max(0.0, self.share))
        said = in_percent(share)
        filled = 0 if 0 < share < 0.01 else max(round(share * _BAR), 1 if self.value else 0)
        bar = _FULL * filled + _EMPTY * (_BAR - filled)
        return f"{bar} {said:>{len(in_percent(1.0))}}"


@dataclass(frozen=True, slots=True)
class Bars:
    """A small bar chart under a title."""

    title: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Pre:
    """Text with its line breaks and spaces kept."""

    text: str


@dataclass(frozen=True, slots=True)
class Small:
    """A line in small print."""

    text: Text


class Style(StrEnum):
    """How a button looks. At most one PRIMARY on a card."""

    PLAIN = "plain"
    PRIMARY = "primary"
    DANGER = "danger"


@dataclass(frozen=True, slots=True)
class Confirm:
    """A question asked before a button does anything. Plain text throughout."""

    title: str
    text: str
    yes: str
    no: str = field(default_factory=lambda: tr("Cancel"))


@dataclass(frozen=True, slots=True)
class Button:
    """A button. ``slot`` is what it is told by on its card; ``intent_id`` is all it holds.

    A slot names what the button does, never only where it stands: a press may reach a chat when
    the card has just been drawn anew, and then must not count as one of the button's opposite.
    """

    slot: str
    label: str
    intent_id: str
    style: Style = Style.PLAIN
    confirm: Confirm | None = None


@dataclass(frozen=True, slots=True)
class Option:
    """An entry of a menu or a field. In a menu its value is an intent id."""

    label: str
    value: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Menu:
    """A button that opens to a list of options."""

    slot: str
    label: str
    options: tuple[Option, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a table with a button at its end; its text may have line feeds of ours."""

    text: Text
    button: Button


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture. The chat was given it before (Chat.take), and knows it by ``handle``.

    ``words`` say what it shows, for who cannot see it.
    """

    handle: str
    words: str


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture that the chat was not given yet: PNG, and the same in words.

    A private answer may have one. Where the chat takes no picture, its words are shown.
    """

    png: bytes
    words: str


Section = Paragraph | Points | Bars | Pre | Small | Row | Picture | Figure


@dataclass(frozen=True, slots=True)
class Card:
    """A message. ``fallback`` is what a notification or a screen reader says of it.

    ``below`` stands under the buttons: what a phone need not show on its first screen.
    With another ``turn`` a chat forgets what was picked in the card's menus before. ``tone``
    is how bad what it tells of is, a word of Severity, for a chat whose cards have a colour.
    ``once`` is the intent whose secret the card shows: where it cannot be shown,
    Dispatch.not_shown() must hear of it, and it must be shown in no other way.
    """

    title: str
    sections: tuple[Section, ...] = ()
    buttons: tuple[Button | Menu, ...] = ()
    fallback: str = ""
    turn: int = 0
    tone: str = ""
    once: str = ""
    below: tuple[Section, ...] = ()

    @property
    def all_sections(self) -> tuple[Section, ...]:
        """Everything on it but its buttons, in order."""
        return self.sections + self.below


@dataclass(frozen=True, slots=True)
class Sheet:
    """A file for the person who asked, and what is said of it."""

    name: str
    data: bytes
    about: str


@dataclass(frozen=True, slots=True)
class Choose:
    """Choose one of a few."""

    name: str
    label: str
    options: tuple[Option, ...]
    initial: str


@dataclass(frozen=True, slots=True)
class Tick:
    """Tick any of a few."""

    name: str
    label: str
    options: tuple[Option, ...]
    initial: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Write:
    """Write a short text."""

    name: str
    label: str
    hint: str = ""
    initial: str = ""
    longest: int = 40


Field = Choose | Tick | Write


@dataclass(frozen=True, slots=True)
class Form:
    """A question with fields; submitting it uses the intent."""

    title: str
    sections: tuple[Section, ...]
    fields: tuple[Field, ...]
    submit: str
    intent_id: str


#: What was filled in: the field's name, and its value or values.
Values = dict[str, tuple[str, ...]]


def figure_of(card: Card) -> Figure | None:
    """Return the figure on a card, if it has one."""
    return next((section for section in card.sections if isinstance(section, Figure)), None)


def illustrated(card: Card, handle: str) -> Card:
    """Return a card with its figure as the picture that a chat was given for it."""
    return replace(
        card,
        sections=tuple(
            Picture(handle, section.words) if isinstance(section, Figure) else section
            for section in card.sections
        ),
    )


# Letters, marks and symbols that show nothing: joiners, fillers, vowels that are not written,
# variation selectors (all Unicode's Default_Ignorable_Code_Point) and the empty Braille cell.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0") | {
    chr(number) for span in ((0xFE00, 0xFE10), (0xE0100, 0xE01F0)) for number in range(*span)
}
# Asks for the colourful look of the symbol before it; our own signs have it too.
_EMOJI_LOOK = "\ufe0f"


def visible(text: str, *, lines: bool = False) -> str:
    """Return ``text`` with every character that cannot be seen written out as its number.

    Controls, bidirectional overrides and isolates, zero-width and other format
    characters, private use and surrogates (Unicode categories C*, Zl, Zp), and what
    else shows nothing. With ``lines`` line feeds and tabs stay.
    """
    if text.isprintable() and _BLANK.isdisjoint(text):
        return text  # almost always, and in no time; what has a look is looked at below
    shown: list[str] = []
    before = ""
    for char in text:
        if (lines and char in "\n\t") or _seen(char, before):
            before = char
            shown.append(char)
        else:
            before = ""
            shown.append(f"\N{LEFT ANGLE BRACKET}{ord(char):04X}\N{RIGHT ANGLE BRACKET}")
    return "".join(shown)


def cut(text: str, longest: int, *, lines: bool = False) -> str:
    """Return ``text`` as visible() does, in at most ``longest`` characters."""
    # Cut before it is made visible too, which only ever makes it longer.
    return short(visible(short(text, longest), lines=lines), longest)


def named(text: str) -> str:
    """Return an address or another name as a phone's line has room for it."""
    # Long enough for almost every address.
    return cut(text, 64) or "<>"


def _seen(char: str, before: str) -> bool:
    if char == _EMOJI_LOOK:
        return before != "" and unicodedata.category(before) in ("So", "Sm")
    category = unicodedata.category(char)
    return category[0] != "C" and category not in ("Zl", "Zp") and char not in _BLANK


def plain(text: Text) -> str:
    """Return a text without any of its looks; moments in UTC, with their day."""
    return "".join(_utc(span) if isinstance(span, Moment) else visible(span.text) for span in text)


def _utc(moment: Moment) -> str:
    return f"{written(moment.at.astimezone(UTC), seconds=moment.seconds)} UTC"
