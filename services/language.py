"""The language in which people are spoken to, and how numbers and days are written for them.

Every sentence stands in one catalogue (gettext), its key the English of the code. An installation
has one language, because what is said is also kept: in the audit log, in threads, in evidence.
Numbers and days in a private answer follow the reader's own locale where the chat tells it.

Both belong to the running task (a context variable): who builds the bot sets them for all that
it starts, and two bots in one process may speak two languages.
"""

import gettext
import io
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cache, wraps
from importlib.resources import files
from typing import Any, ParamSpec, TypeVar

from babel import Locale, UnknownLocaleError
from babel.dates import (
    format_date,
    format_datetime,
    format_skeleton,
    format_time,
    get_datetime_format,
)
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal

from services.errors import SpoolwardenError

#: The languages that there is a catalogue for. English is the code itself.
LANGUAGES = ("en", "de")

_P = ParamSpec("_P")
_T = TypeVar("_T")


class UnknownLanguage(SpoolwardenError):
    """There is no catalogue for it."""


@dataclass(frozen=True, slots=True)
class Voice:
    """A language's sentences, and the locale for numbers and days; None for the plainest way."""

    language: str
    sentences: gettext.NullTranslations
    locale: Locale | None = None
    home: Locale | None = None  # the installation's own, whoever reads


_ENGLISH = Voice("en", gettext.NullTranslations())
_voice: ContextVar[Voice] = ContextVar("voice", default=_ENGLISH)


@cache
def voice_of(language: str) -> Voice:
    """Return a language's voice. Raises UnknownLanguage."""
    if language == "en":
        return _ENGLISH
    if language not in LANGUAGES:
        raise UnknownLanguage(
            f"There is no language “{language}”; there are {', '.join(LANGUAGES)}."  # not shown
        )
    with (files("services") / "locale" / f"{language}.po").open("rb") as source:
        catalogue = read_po(source, locale=language)
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    home = Locale.parse(language)
    return Voice(language, gettext.GNUTranslations(compiled), home, home)


def speak(voice: Voice) -> None:
    """Speak like this in this task, and in all that it starts from now on."""
    _voice.set(voice)


@contextmanager
def speaking(voice: Voice) -> Iterator[None]:
    """Speak like this within the block."""
    token = _voice.set(voice)
    try:
        yield
    finally:
        _voice.reset(token)


@contextmanager
def reading(locale: str) -> Iterator[None]:
    """Write numbers and days as a reader's locale has it ("de", "pt-BR"), within the block.

    A locale that nobody knows changes nothing.
    """
    before = _voice.get()
    with speaking(replace(before, locale=_locale(locale) or before.locale)):
        yield


def for_everybody(
    act: Callable[_P, Coroutine[Any, Any, _T]],
) -> Callable[_P, Coroutine[Any, Any, _T]]:
    """Have a coroutine write numbers as the installation has them, not as its present reader.

    For whatever keeps what it says: a line of the log or of the channel has many readers.
    """

    @wraps(act)
    async def spoken(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        voice = _voice.get()
        with speaking(replace(voice, locale=voice.home)):
            return await act(*args, **kwargs)

    return spoken


def later(message: str) -> str:
    """Mark a sentence for the catalogue that is looked up where it is shown, by tr()."""
    return message


def later_n(one: str, many: str) -> tuple[str, str]:
    """Mark a sentence on ``{n}`` things for the catalogue; trn() looks it up."""
    return one, many


def tr(message: str, /, **values: object) -> str:
    """Return a sentence in the present language, its {names} filled in; a number as is usual."""
    return fill(template(message), values)


def trn(one: str, many: str, number: int, /, **values: object) -> str:
    """Return a sentence on a number of things, ``{n}``, in the present language."""
    return fill(template_n(one, many, number), {"n": number, **values})


def template(message: str) -> str:
    """Return a sentence in the present language, its {names} still in it."""
    # In a catalogue the empty sentence stands for what is said of the catalogue.
    return _voice.get().sentences.gettext(message) if message else ""


def template_n(one: str, many: str, number: int) -> str:
    """Return a sentence on so many things in the present language, its {names} still in it."""
    return _voice.get().sentences.ngettext(one, many, number)


def fill(message: str, values: Mapping[str, object]) -> str:
    """Return a sentence with its names filled in; a number as is usual."""
    if not values:
        return message
    return message.format_map(
        {name: number(value) if type(value) is int else value for name, value in values.items()}
    )


def number(value: int) -> str:
    """Return a number with its thousands apart."""
    locale = _voice.get().locale
    return f"{value:,}" if locale is None else str(format_decimal(value, locale=locale))


def decimal(value: float, digits: int = 1) -> str:
    """Return a number with so many digits behind the point."""
    locale = _voice.get().locale
    if locale is None:
        return f"{value:,.{digits}f}"
    shape = "#,##0" + ("." + "0" * digits if digits else "")
    return str(format_decimal(round(value, digits), format=shape, locale=locale))


def percent(value: float, digits: int = 0) -> str:
    """Return so many percent: 60 is "60%"."""
    return tr("{number}%", number=decimal(value, digits))


def day(on: date) -> str:
    """Return a day: "2026-11-27" in English, else as is usual."""
    locale = _voice.get().locale
    return on.isoformat() if locale is None else str(format_date(on, "medium", locale=locale))


def moment(at: datetime, *, seconds: bool = False) -> str:
    """Return a day with its time, in the time zone that it has and without naming it."""
    locale = _voice.get().locale
    if locale is None:
        return f"{at:%Y-%m-%d %H:%M:%S}" if seconds else f"{at:%Y-%m-%d %H:%M}"
    # The day as day() has it, with seconds or without.
    if seconds:
        return str(format_datetime(at, "medium", locale=locale))
    joined = str(get_datetime_format("medium", locale=locale)).replace("'", "")
    return joined.replace("{0}", clock(at)).replace("{1}", day(at.date()))


def short_day(on: date, *, weekday: bool = False) -> str:
    """Return a day without its year: "27 Nov", "Fri 27 Nov"."""
    locale = _voice.get().locale
    if locale is None:
        return f"{on:%a %d %b}" if weekday else f"{on:%d %b}"
    return str(format_skeleton("MMMEd" if weekday else "MMMd", on, locale=locale))


def clock(at: datetime, *, seconds: bool = False) -> str:
    """Return a time of day, in the time zone that it has and without naming it: "14:05"."""
    locale = _voice.get().locale
    if locale is None:
        return f"{at:%H:%M:%S}" if seconds else f"{at:%H:%M}"
    return str(format_time(at, "medium" if seconds else "short", locale=locale))


def country(code: str) -> str:
    """Return what a country is called, by its ISO 3166-1 code; the code where it is nobody's."""
    home = _voice.get().home or Locale("en")
    return str(home.territories.get(code, code))


@cache
def _locale(name: str) -> Locale | None:
    try:
        return Locale.parse(name, sep="-") if "-" in name else Locale.parse(name)
    except (ValueError, UnknownLocaleError):
        return None
