"""Which sentences of a language's catalogue a text has, and which it still has in English."""

import re
from collections.abc import Iterator
from functools import cache

from .sentences import catalogue

_NAME = re.compile(r"\{\w+\}")
_TWO_WORDS = re.compile(r"[^\W\d_]{2,}[,;:]? [^\W\d_]{2,}")


def translated_in(text: str, language: str) -> list[str]:
    """Return the English of each sentence that a text has in this language."""
    return [said for said, _, theirs in _known(language) if theirs.search(text)]


def english_in(text: str, language: str) -> list[str]:
    """Return each sentence that a text has in English though there is a translation."""
    return [said for said, ours, _ in _known(language) if ours.search(text)]


@cache
def _known(language: str) -> list[tuple[str, re.Pattern[str], re.Pattern[str]]]:
    return [
        (english, _pattern(english), _pattern(translated))
        for english, translated in _pairs(language)
        if _TWO_WORDS.search(_NAME.sub("0", english)) and english != translated
    ]


def _pairs(language: str) -> Iterator[tuple[str, str]]:
    for message in catalogue(language):
        if isinstance(message.id, str):
            yield message.id, str(message.string)
        elif isinstance(message.string, list | tuple):
            yield from zip(message.id, map(str, message.string), strict=True)


def _pattern(sentence: str) -> re.Pattern[str]:
    literal = (part.replace("{{", "{").replace("}}", "}") for part in _NAME.split(sentence))
    return re.compile(r"[^\n]{0,300}?".join(map(re.escape, literal)))
