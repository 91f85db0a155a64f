"""Cards and forms as Block Kit.

What a sender wrote goes only where Slack shows text as it is and parses
nothing: rich_text's text elements and plain_text objects. mrkdwn holds a moment of ours
and never anything else, and a link is to a message of ours and nowhere else. A moment is
Slack's own date everywhere, so that a card writes all of them alike. The limits are those of
Slack's Block Kit reference: header 150, button text 75, option text 75, confirm title
100 and text 300, view title 24,
50 blocks a message, 100 a view, plain_text in a section 3000. A message as a whole has a limit,
too, which Slack does not publish: see _MOST.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from bot.elements import (
    Bars,
    Bold,
    Button,
    Card,
    Choose,
    Code,
    Confirm,
    Field,
    Figure,
    Form,
    Link,
    Menu,
    Moment,
    Option,
    Paragraph,
    Picture,
    Plain,
    Points,
    Pre,
    Row,
    Section,
    Small,
    Span,
    Style,
    Text,
    Tick,
    Values,
    Write,
    cut,
    plain,
    visible,
)
from services.language import number, tr

Block = dict[str, Any]

MAX_BLOCKS = 50
MAX_VIEW_BLOCKS = 100
#: Action ids of everything that holds an intent id start with this.
PRESS = "press"
PICK = "pick"
# Rich text has no limit of its own in the reference; this is a section's.
_LONGEST = 3000
_MAX_SMALL = 10  # elements of a context block
# "msg_blocks_too_long" of chat.postMessage has no number in the reference. Who has measured it
# (slackapi/bolt-js, issue 2509) found about 13,200 characters, of which each block takes 125.
_MOST, _EACH = 12_000, 125
# chat.update takes less text than chat.postMessage ("msg_too_long": 4,000), and counts its bytes as
# they are sent, so after the escaping (gitlab-org/gitlab, merge request 258898).
_MOST_TEXT = 4000
_SHOWN = ("text", "alt_text")
_SHORTEST = 40


@dataclass(frozen=True, slots=True)
class Carried:
    """What a view carries in private_metadata: where it was opened, and its form's intent."""

    channel: str
    intent_id: str = ""

    def dumps(self) -> str:
        """Return it as Slack keeps it."""
        return json.dumps([self.channel, self.intent_id])

    @classmethod
    def loads(cls, text: str) -> "Carried":
        """Read it back; what is not ours gives an empty one."""
        try:
            kept = json.loads(text)
        except (ValueError, RecursionError):
            return cls("")
        match kept:
            case [str(channel), str(intent_id)]:
                return cls(channel, intent_id)
            case _:
                return cls("")


def message(card: Card) -> list[Block]:
    """Return a card's blocks for a message: cut to what Slack takes as one."""
    return _fitting(_blocks(card))


def _blocks(card: Card) -> list[Block]:
    blocks: list[Block] = []
    if card.title:
        blocks.append({"type": "header", "text": _plain(card.title, 150)})
    blocks += _sections(card.sections)
    blocks = blocks[: MAX_BLOCKS - 1]
    if card.buttons:
        blocks.append(
            {
                "type": "actions",
                # A select keeps what was picked, and says nothing when it is picked again,
                # as long as its block has the same id.
                "block_id": f"buttons-{card.turn}",
                "elements": [_element(button) for button in card.buttons],
            }
        )
    blocks += _sections(card.below, len(card.sections))
    return blocks[:MAX_BLOCKS]


def _fitting(blocks: list[Block]) -> list[Block]:
    """Return blocks whose texts are cut as far as it takes; then the last ones are left out."""
    longest = _LONGEST
    while _weight(blocks) > _MOST and longest > _SHORTEST:
        longest //= 2
        blocks = [_cut_to(longest, block) for block in blocks]
    while _weight(blocks) > _MOST:
        place = max(n for n, block in enumerate(blocks) if block["type"] != "actions")
        del blocks[place]
    return blocks


def _weight(blocks: list[Block]) -> int:
    return sum(_EACH + sum(map(len, _texts(block))) for block in blocks)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for one in value:
            yield from _texts(one)
    elif isinstance(value, dict):
        for name, one in value.items():
            if name in _SHOWN and isinstance(one, str):
                yield one
            else:
                yield from _texts(one)


def _cut_to(longest: int, value: Any) -> Any:
    if isinstance(value, list):
        return [_cut_to(longest, one) for one in value]
    if not isinstance(value, dict) or value.get("type") == "mrkdwn":
        return value
    return {
        name: (one if len(one) <= longest else cut(one, longest, lines=True))
        if name in _SHOWN and isinstance(one, str)
        else _cut_to(longest, one)
        for name, one in value.items()
    }


def fallback(card: Card) -> str:
    """Return the text of a notification. Slack parses it, so its three characters are escaped."""
    text, longest = card.fallback.strip() or card.title or "Spoolwarden", 1000
    while len((shown := escape(cut(text, longest))).encode()) > _MOST_TEXT:
        longest -= 100  # five bytes a character at most, so it ends
    return shown


def escape(text: str) -> str:
    """Escape what Slack would parse (Formatting text: "Escaping text")."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def panel(card: Card, channel: str) -> dict[str, Any]:
    """Return a card as a view."""
    untitled = replace(card, title="", turn=0)
    return {
        "type": "modal",
        "title": _plain(card.title or "Spoolwarden", 24),
        "close": _plain(tr("Close"), 24),
        "private_metadata": Carried(channel).dumps(),
        "blocks": _blocks(untitled) or [_paragraph(())],
    }


def home(cards: Sequence[Card]) -> dict[str, Any]:
    """Return cards, one below the other, as a Home; none of them has anything to press."""
    blocks: list[Block] = []
    for card in cards:
        blocks += _blocks(card)
    return {"type": "home", "blocks": blocks[:MAX_VIEW_BLOCKS]}


def form(shown: Form, channel: str) -> dict[str, Any]:
    """Return a form as a view that can be submitted."""
    blocks = _sections(shown.sections)
    return {
        "type": "modal",
        "callback_id": "form",
        "title": _plain(shown.title, 24),
        "submit": _plain(shown.submit, 24),
        "close": _plain(tr("Cancel"), 24),
        "private_metadata": Carried(channel, shown.intent_id).dumps(),
        "blocks": [*blocks, *(_field(field) for field in shown.fields)],
    }


def values(state: dict[str, Any]) -> Values:
    """Parse a view's state into what was filled in, by the field's name."""
    filled: Values = {}
    for name, elements in state.get("values", {}).items():
        for element in elements.values():
            if element.get("selected_option"):
                filled[name] = (element["selected_option"]["value"],)
            elif "selected_options" in element:
                filled[name] = tuple(o["value"] for o in element["selected_options"])
            elif element.get("value"):
                filled[name] = (element["value"],)
    return filled


def _sections(sections: Sequence[Section], before: int = 0) -> list[Block]:
    """Return sections as blocks; ``before`` is how many others the message has."""
    return [
        block
        for place, section in enumerate(sections, before)
        for block in (_row(section, place) if isinstance(section, Row) else [_section(section)])
    ]


def _section(section: Paragraph | Points | Bars | Pre | Small | Picture | Figure) -> Block:
    match section:
        case Paragraph(text):
            return _paragraph(text)
        case Points(items):
            # Slack refuses a list without an entry, and with it the whole message.
            points = [
                {"type": "rich_text_section", "elements": _spans(item)} for item in items or ((),)
            ]
            return _rich({"type": "rich_text_list", "style": "bullet", "elements": points})
        case Bars():
            return _bars(section)
        case Pre(text):
            shown = cut(text, 2900, lines=True) or " "
            return _rich(
                {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": shown}]}
            )
        case Small(text):
            return {"type": "context", "elements": _small(text)}
        case Picture(handle, words):
            # A file of the bot's own, which its channel's members see with the message alone.
            shown = cut(words, 2000) or " "
            return {"type": "image", "slack_file": {"id": handle}, "alt_text": shown}
        case Figure(_, words):
            return {"type": "context", "elements": [_plain(words, 2000)]}


def _row(row: Row, place: int) -> list[Block]:
    """Return a row with its button at its end; below it where the row tells a moment.

    Beside a button Slack shows either text as it is, with no date, or what it parses.
    """
    block_id, button = f"row-{place}", _element(row.button)
    words = [visible(span.text, lines=True) for span in row.text if not isinstance(span, Moment)]
    if len(words) < len(row.text):
        told = {"type": "rich_text_section", "elements": _spans(row.text, lines=True)}
        return [_rich(told), {"type": "actions", "block_id": block_id, "elements": [button]}]
    text = _plain("".join(words), 3000, lines=True)
    return [{"type": "section", "text": text, "block_id": block_id, "accessory": button}]


def _small(text: Text) -> list[Block]:
    """Return small print: words as they are, and between them each moment as Slack's date."""
    elements: list[Block] = []
    for kind, spans in groupby(text, lambda span: isinstance(span, Moment)):
        run = tuple(spans)
        if kind:
            elements += [{"type": "mrkdwn", "text": _date(s)} for s in run if isinstance(s, Moment)]
        elif words := plain(run).strip():
            elements.append(_plain(words, 2000))
    return elements[:_MAX_SMALL] or [_plain("", 2000)]


def _date(moment: Moment) -> str:
    """Return a moment as text that Slack parses ("Formatting text": date formatting)."""
    at = int(moment.at.timestamp())
    return f"<!date^{at}^{_shape(moment)}|{_fallback(moment)}>"


def _paragraph(text: Text) -> Block:
    return _rich({"type": "rich_text_section", "elements": _spans(text)})


def _rich(*elements: Block) -> Block:
    return {"type": "rich_text", "elements": list(elements)}


def _spans(text: Text, *, lines: bool = False) -> list[Block]:
    """Return spans; with ``lines`` the line feeds of plain ones stay."""
    spans = [_span(span, lines=lines) for span in text if isinstance(span, Moment) or span.text]
    return spans or [{"type": "text", "text": " "}]


def _span(span: Span, *, lines: bool = False) -> Block:
    match span:
        case Plain(words):
            return {"type": "text", "text": cut(words, _LONGEST, lines=lines)}
        case Bold(words):
            return {"type": "text", "text": cut(words, _LONGEST), "style": {"bold": True}}
        case Code(words):
            return {"type": "text", "text": cut(words, _LONGEST), "style": {"code": True}}
        case Link(words, url):
            return {"type": "link", "url": url, "text": cut(words, _LONGEST)}
        case Moment(at):
            # Slack puts it in the reader's own time zone ("date" element of rich text).
            return {
                "type": "date",
                "timestamp": int(at.timestamp()),
                "format": _shape(span),
                "fallback": _fallback(span),
            }


def _shape(moment: Moment) -> str:
    return f"{{date_short_pretty}} {{{'time_secs' if moment.seconds else 'time'}}}"


def _fallback(moment: Moment) -> str:
    return f"{moment.at:%Y-%m-%d %H:%M:%S} UTC"


def _bars(bars: Bars) -> Block:
    elements: list[Block] = [
        {"type": "text", "text": f"{cut(bars.title, _LONGEST)}\n", "style": {"bold": True}}
    ]
    for place, bar in enumerate(bars.bars):
        end = "\n" if place < len(bars.bars) - 1 else ""
        elements += [
            {"type": "text", "text": bar.drawn, "style": {"code": True}},
            {"type": "text", "text": f"  {number(bar.value)}  "},
            {"type": "text", "text": f"{cut(bar.label, _LONGEST)}{end}"},
        ]
    return _rich({"type": "rich_text_section", "elements": elements})


def _element(shown: Button | Menu) -> Block:
    if isinstance(shown, Menu):
        return {
            "type": "static_select",
            "action_id": f"{PICK}:{shown.slot}",
            "placeholder": _plain(shown.label, 150),
            "options": _options(shown.options),
        }
    element: Block = {
        "type": "button",
        "action_id": f"{PRESS}:{shown.slot}",
        "text": _plain(shown.label, 75),
        "value": shown.intent_id,
    }
    if shown.style is not Style.PLAIN:
        element["style"] = shown.style.value
    if shown.confirm:
        element["confirm"] = _confirm(shown.confirm)
    return element


def _confirm(confirm: Confirm) -> Block:
    return {
        "title": _plain(confirm.title, 100),
        "text": _plain(confirm.text, 300),
        "confirm": _plain(confirm.yes, 30),
        "deny": _plain(confirm.no, 30),
    }


def _options(options: Sequence[Option]) -> list[Block]:
    return [{"text": _plain(o.label, 75), "value": o.value} for o in options[:100]]


def _field(field: Field) -> Block:
    block: Block = {"type": "input", "block_id": field.name, "label": _plain(field.label, 2000)}
    match field:
        case Choose(_, _, options, initial):
            shown = _options(options)
            first = next((o for o in shown if o["value"] == initial), shown[0])
            kind = "radio_buttons" if len(shown) <= 10 else "static_select"
            block["element"] = {
                "type": kind,
                "action_id": "value",
                "options": shown,
                "initial_option": first,
            }
        case Tick(_, _, options, ticked):
            shown = _options(options)[:10]
            block["optional"] = True
            element: Block = {"type": "checkboxes", "action_id": "value", "options": shown}
            if first_ticked := [o for o in shown if o["value"] in ticked]:
                element["initial_options"] = first_ticked
            block["element"] = element
        case Write(_, _, hint, initial, longest):
            block["optional"] = True
            block["element"] = {
                "type": "plain_text_input",
                "action_id": "value",
                "max_length": longest,
            }
            if initial:
                block["element"]["initial_value"] = initial[:longest]
            if hint:
                block["hint"] = _plain(hint, 2000)
    return block


def _plain(text: str, longest: int, *, lines: bool = False) -> Block:
    # emoji off: ":smile:" in a subject stays what it is.
    shown = cut(text, longest, lines=lines) or " "
    return {"type": "plain_text", "text": shown, "emoji": False}
