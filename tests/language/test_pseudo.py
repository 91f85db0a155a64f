"""A language that puts each sentence in ⟦brackets⟧: what stands outside them is no translator's.

Every card and form is made in it, as both chats show them. Outside there may be data alone:
addresses, numbers, ids, what was typed, and signs. Days, months and countries are written as
in Japan, so that those that are not looked up at all are found as well.
"""

import gettext
import re
from collections.abc import Iterator
from typing import Any

import pytest
from babel import Locale
from discord import ui

from bot.commands import COMMANDS
from bot.discord import components, modals
from bot.elements import Button, Card, Code, Paragraph, Plain
from bot.slack import blocks
from services.language import Voice, speaking, tr
from tests.bot.samples import CARDS, FORMS, INTENT, anna

#: Under these keys a chat is given what it shows.
_SHOWN = {"text", "alt_text", "content", "description", "label", "placeholder", "title"}
#: Slack's pieces of one text, which a sentence may go through.
_RUNS = {"rich_text_section", "rich_text_preformatted", "rich_text_quote"}
#: What stays as it is in every language: names of ours and of others, acts as the log has them
#: and as they are typed, units, roles, folders, and the names of the samples.
_DATA = re.compile(
    r"""
    <!date[^>]*>|<t:[^>]*>                         # a moment, which the chat itself writes
    |https?://\S+
    |[\w.+-]+@[\w-]+(\.[\w-]+)*                    # an address
    |\b[0-9a-f]*(:[0-9a-f]*){2,}(/\d+)?            # an IPv6 network
    |\b[\w-]+(\.[\w-]+)+\b                         # a host, a setting, a file
    |/spool(\s[\w:./"-]+)*
    |\b(Spoolwarden|Slack|Discord|UTC|SMTP|IPv[46]|kB|MB|GB|\d+[hd]|CSV|SHA-256)\b
    |\bAS\d+\b
    |\b(anna|otto|mail|spam|deleted|review|viewer|operator|admin|slack|discord|intent|aB3de-fgh9K)\b
    """,
    re.VERBOSE,
)
_ACTS = re.compile(rf"\b(undo )?({'|'.join(map(re.escape, COMMANDS))})\b(?! ?…)")
#: How a command is typed, as the help has it.
_TYPED = sorted({row.usage for row in COMMANDS.values() if row.takes}, key=len, reverse=True) + [
    f"{argument.typed}:" for row in COMMANDS.values() for argument in row.takes
]


class _Brackets(gettext.NullTranslations):
    def gettext(self, message: str) -> str:
        return f"⟦{message}⟧"

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return self.gettext(msgid1 if n == 1 else msgid2)


_JAPAN = Locale.parse("ja")
PSEUDO = Voice("ja", _Brackets(), _JAPAN, _JAPAN)


@pytest.mark.parametrize("name", CARDS)
def test_a_card_has_no_words_outside_the_catalogue(name: str) -> None:
    with speaking(PSEUDO):
        card = CARDS[name](anna)
        slack: list[Any] = [blocks.message(card), blocks.panel(card, "C1"), blocks.home([card])]
        slack.append({"text": blocks.fallback(card)})
        discord = _built(components.message(card))
    assert not _outside(slack, "slack")
    assert not _outside(discord, "discord")


@pytest.mark.parametrize("name", FORMS)
def test_a_form_has_no_words_outside_the_catalogue(name: str) -> None:
    with speaking(PSEUDO):
        form = FORMS[name](anna)
        slack = blocks.form(form, "C1")
        discord: list[Any] = [modals.modal(form).to_dict()]
        discord += _built(components.question(form))
        discord += _built(components.notice(form, "key"))
    assert not _outside(slack, "slack")
    assert not _outside(discord, "discord")


@pytest.mark.parametrize(
    ("shown", "found"),
    [
        ("Stop sending", ["Stop sending"]),
        ("⟦Since {}: ⟧12 messages", ["messages"]),
        ("⟦a ⟦b⟧ c⟧ · anna@example.com · 12,345 · 97 % · 2001:db8::/32", []),
        ("⟦A long one that was cut off he…", []),
        ("◀ ⟦Previous⟧", []),
        ("Next ▶", ["Next"]),
        ("undo stop · /spool why anna", []),
    ],
)
def test_words_outside_are_found(shown: str, found: list[str]) -> None:
    card = Card("⟦A⟧", (Paragraph((Plain(shown),)),))
    assert _outside(blocks.message(card), "slack") == found
    assert _outside(_built(components.message(card)), "discord") == found


def test_a_sentence_may_go_through_texts_of_several_looks() -> None:
    with speaking(PSEUDO):
        said = (Plain("⟦of "), Code("x"), Plain(" it⟧ was"))
        card = Card(tr("A"), (Paragraph(said),), (Button("a", "Go", INTENT.format(1)),))
    assert _outside(blocks.message(card), "slack") == ["was", "Go"]
    assert _outside(_built(components.message(card)), "discord") == ["was", "Go"]


def _built(view: ui.LayoutView) -> list[Any]:
    return view.to_components()  # type: ignore[no-untyped-call, no-any-return]


def _outside(payload: Any, chat: str) -> list[str]:
    """Return the Latin words of what a chat is given that stand outside the brackets, once."""
    found: dict[str, None] = {}
    for text in _texts(payload):
        plain = re.sub(r"\\(\W)", r"\1", text) if chat == "discord" else text
        for typed in _TYPED:
            plain = plain.replace(typed, " ")
        left = _ACTS.sub(" ", _DATA.sub(" ", _unbracketed(plain)))
        found |= dict.fromkeys(re.findall(r"[A-Za-z]{2,}(?: [A-Za-z]{2,})*", left))
    return list(found)


def _texts(node: Any, key: str = "") -> Iterator[str]:
    """Yield each text of a payload; one that is in pieces as a whole."""
    if isinstance(node, dict):
        if node.get("type") in _RUNS:
            yield "".join(piece for part in node["elements"] for piece in _texts(part))
            return
        if node.get("type") == "date":
            yield "…"  # the chat itself writes it
            return
        for name, value in node.items():
            yield from _texts(value, name)
    elif isinstance(node, list | tuple):
        for value in node:
            yield from _texts(value, key)
    elif isinstance(node, str) and key in _SHOWN:
        yield node


def _unbracketed(text: str) -> str:
    """Return what stands outside the brackets. One that was cut off goes on to the end."""
    kept: list[str] = []
    depth = 0
    for char in text:
        depth += char == "⟦"
        if depth == 0:
            kept.append(char)
        elif char == "⟧":
            depth -= 1
            kept.append(" ")
    return "".join(kept)
