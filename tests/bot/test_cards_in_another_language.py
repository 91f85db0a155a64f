"""Cards and forms say nothing that another language could not say otherwise."""

import gettext
import re
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass

import pytest

from bot.elements import Bold, Card, Code, Form, Link, Moment, Plain
from services.language import Voice, speaking

from .samples import CARDS, FORMS, Words, anna, evidence, intent

# Not shown, or a value: it is the same in every language.
_NOT_WORDS = {
    "slot",
    "intent_id",
    "style",
    "value",
    "handle",
    "name",
    "initial",
    "png",
    "once",
    "tone",
}
# What a sender, a mail server or the sample itself says; units, days and what is typed.
_SAME = re.compile(
    r"anna@example\.com|2001:db8::/32|/spool\b.*|AS64500|Switzerland"
    r"|\breview\b|\bspam\b|UTC|[kM]B|(Mon|Tue|Wed|Thu|Fri|Sat|Sun) \d\d [A-Z][a-z]{2}"
    r"|Press|Undo|Extend…|Trend|Domains|◀ Previous|Next ▶|Move these…|Delete these…"
)
# Their sentences are not made by the cards.
_OTHERS = ("help", "tuning")
_SPANS = (Plain, Bold, Code, Link, Moment)


class _Marked(gettext.NullTranslations):
    """A language in which every sentence stands in brackets."""

    def gettext(self, message: str) -> str:
        return f"⟦{message}⟧"

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return f"⟦{msgid1 if n == 1 else msgid2}⟧"


def _outside(text: str) -> str:
    """Return what stands in no brackets."""
    depth, left = 0, ""
    for char in text:
        depth += (char == "⟦") - (char == "⟧")
        left += "" if depth or char == "⟧" else char
    return left


def _texts(part: object) -> Iterator[str]:
    """Yield all that a card or a form shows, a text of several looks as one."""
    if isinstance(part, tuple) and all(isinstance(span, _SPANS) for span in part):
        yield "".join("" if isinstance(span, Moment) else span.text for span in part)
    elif isinstance(part, tuple):
        for one in part:
            yield from _texts(one)
    elif isinstance(part, str):
        yield part
    elif is_dataclass(part):
        for field in fields(part):
            if field.name not in _NOT_WORDS:
                yield from _texts(getattr(part, field.name))


def _made() -> Iterator[tuple[str, Callable[[Words], Card | Form]]]:
    yield from ((name, make) for name, make in CARDS.items() if not name.startswith(_OTHERS))
    yield from FORMS.items()


@pytest.mark.parametrize("make", [make for _, make in _made()], ids=[name for name, _ in _made()])
def test_all_that_is_said_is_in_the_catalogue(make: Callable[[Words], Card | Form]) -> None:
    with speaking(Voice("xx", _Marked())):
        shown = make(anna)
    data = [*evidence().reasons, intent().summary]
    for text in _texts(shown):
        left = _outside(text)
        for same in data:
            left = left.replace(same, "")
        assert not re.search(r"[^\W\d_]{2}", _SAME.sub("", left)), text
