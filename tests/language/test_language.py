"""How sentences are looked up and filled in, and who speaks how."""

import asyncio
import gettext
import io
import re
from datetime import UTC, date, datetime

import pytest
from babel import Locale
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from hypothesis import given
from hypothesis import strategies as st

from bot.elements import Bold, Code, Moment, Plain, plain, rich, richn
from services.errors import SpoolwardenError
from services.language import (
    LANGUAGES,
    Voice,
    day,
    decimal,
    for_everybody,
    later,
    later_n,
    moment,
    number,
    reading,
    speak,
    speaking,
    tr,
    trn,
    voice_of,
)

WAITS, WAIT = later_n("{n} message of {who} waits.", "{n} messages of {who} wait.")
#: Whatever a sender may write where a sentence has a {name}.
HOSTILE = st.text(st.characters() | st.sampled_from("{}%\\⟦⟧"), max_size=40)
AT = datetime(2026, 11, 27, 14, 5, 9, tzinfo=UTC)


def voice(language: str, sentences: dict[str, str | tuple[str, str]]) -> Voice:
    """Return a voice that knows these sentences; one with a plural by its singular."""
    known = Catalog(locale=language)
    for one, said in sentences.items():
        known.add((one, WAIT) if isinstance(said, tuple) else one, said)
    compiled = io.BytesIO()
    write_mo(compiled, known)
    compiled.seek(0)
    home = Locale.parse(language)
    return Voice(language, gettext.GNUTranslations(compiled), home, home)


GERMAN = voice(
    "de",
    {
        "{who} sent {n} on {day}.": "Am {day} kamen {n} von {who}.",
        WAITS: ("{n} Nachricht von {who} wartet.", "{n} Nachrichten von {who} warten."),
    },
)


# -- looking up and filling in -------------------------------------------------------------


def test_values_are_filled_in_wherever_the_language_wants_them() -> None:
    values = {"who": "anna", "n": 1234, "day": "then"}
    assert tr("{who} sent {n} on {day}.", **values) == "anna sent 1,234 on then."
    with speaking(GERMAN):
        assert tr("{who} sent {n} on {day}.", **values) == "Am then kamen 1.234 von anna."


@pytest.mark.parametrize(
    ("n", "english", "german"),
    [
        (0, "0 messages of anna wait.", "0 Nachrichten von anna warten."),
        (1, "1 message of anna waits.", "1 Nachricht von anna wartet."),
        (1234, "1,234 messages of anna wait.", "1.234 Nachrichten von anna warten."),
    ],
)
def test_a_number_of_things_has_its_form(n: int, english: str, german: str) -> None:
    assert trn(WAITS, WAIT, n, who="anna") == english
    with speaking(GERMAN):
        assert trn(WAITS, WAIT, n, who="anna") == german
        assert plain(richn(WAITS, WAIT, n, who=Code("anna"))) == german


def test_values_keep_their_looks() -> None:
    with speaking(GERMAN):
        said = rich("{who} sent {n} on {day}.", who=Code("anna"), n=1234, day=Moment(AT))
    assert [span for span in said if not isinstance(span, Plain)] == [Moment(AT), Code("anna")]
    assert plain(said) == "Am 2026-11-27 14:05 UTC kamen 1.234 von anna."
    said = rich("{what}: {more}", what=Bold("a"), more=(Code("b"), Plain("c")))
    assert said == (Bold("a"), Plain(": "), Code("b"), Plain("c"))


def test_a_sentence_that_no_catalogue_has_is_said_in_english() -> None:
    with speaking(GERMAN):
        assert tr("Nobody knows {n} of these.", n=3) == "Nobody knows 3 of these."


@pytest.mark.parametrize("speaker", [voice("en", {}), GERMAN])
def test_nothing_said_is_nothing(speaker: Voice) -> None:
    """In a catalogue the empty sentence stands for what is said of the catalogue."""
    with speaking(speaker):
        assert tr(later("")) == ""
        assert rich("") == ()


@given(HOSTILE, HOSTILE)
def test_a_hostile_value_stays_as_it_is(who: str, then: str) -> None:
    with speaking(GERMAN):
        assert tr("{who} sent {n} on {day}.", who=who, n=1, day=then) == (
            f"Am {then} kamen 1 von {who}."
        )
        assert trn(WAITS, WAIT, 2, who=who) == f"2 Nachrichten von {who} warten."
        spans = rich("{who} sent {n} on {day}.", who=Code(who), n=1, day=then)
        assert Code(who) in spans
        assert "".join(s.text for s in spans if not isinstance(s, Moment)) == (
            f"Am {then} kamen 1 von {who}."
        )


@given(HOSTILE)
def test_a_sentence_without_values_stays_as_it_is(text: str) -> None:
    """What was stored for showing, a failure's own words, may hold anything."""
    assert tr(text) == text


# -- numbers and days ----------------------------------------------------------------------


def test_numbers_and_days_in_english_are_plain() -> None:
    assert (number(1234567), decimal(1234.56), decimal(99.9, 0)) == ("1,234,567", "1,234.6", "100")
    assert (day(date(2026, 11, 27)), moment(AT)) == ("2026-11-27", "2026-11-27 14:05")
    assert moment(AT, seconds=True) == "2026-11-27 14:05:09"


def test_numbers_and_days_are_those_of_the_language() -> None:
    with speaking(GERMAN):
        assert (number(1234567), decimal(1234.56)) == ("1.234.567", "1.234,6")
        assert decimal(99.9, 0) == "100"
        assert (day(date(2026, 11, 27)), moment(AT)) == ("27.11.2026", "27.11.2026, 14:05")
        assert moment(AT, seconds=True) == "27.11.2026, 14:05:09"


@pytest.mark.parametrize(
    ("locale", "many", "on"),
    [
        ("de", "1.234.567", "27.11.2026"),
        ("en-US", "1,234,567", "Nov 27, 2026"),
        ("en_GB", "1,234,567", "27 Nov 2026"),
        ("pt-BR", "1.234.567", "27 de nov. de 2026"),
        ("hi", "12,34,567", "27 नव॰ 2026"),
    ],
)
def test_a_reader_sees_numbers_and_days_as_they_write_them(locale: str, many: str, on: str) -> None:
    with reading(locale):
        assert (number(1234567), day(date(2026, 11, 27))) == (many, on)
        assert trn("{n} day", "{n} days", 1234567) == f"{many} days"
    assert number(1234567) == "1,234,567"


@pytest.mark.parametrize("locale", ["", "xx-YY", "qq", "de-", "-", "_", "../de", "de;DROP", "\0"])
def test_a_locale_that_nobody_knows_changes_nothing(locale: str) -> None:
    with reading(locale):
        assert number(1234567) == "1,234,567"
    with speaking(GERMAN), reading(locale):
        assert number(1234567) in ("1.234.567",)


@given(st.text(max_size=20) | st.from_regex(r"[a-z]{2,3}([-_][A-Za-z]{2,4}){0,3}", fullmatch=True))
def test_no_locale_is_an_error(locale: str) -> None:
    with reading(locale):
        assert re.sub(r"\D", "", number(1234567)).isdigit()
        assert day(date(2026, 11, 27))


def test_a_reader_of_another_country_is_still_spoken_to_in_the_bot_s_language() -> None:
    with speaking(GERMAN), reading("en-US"):
        assert trn(WAITS, WAIT, 1234, who="anna") == "1,234 Nachrichten von anna warten."


# -- who speaks how ------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_there_is_a_voice_for_every_language(language: str) -> None:
    assert voice_of(language).language == language


@pytest.mark.parametrize("language", ["xx", "", "../de", "DE"])
def test_there_is_none_for_another(language: str) -> None:
    with pytest.raises(SpoolwardenError, match="there are en, de"):
        voice_of(language)


async def test_two_bots_in_one_process_speak_two_languages() -> None:
    turn = asyncio.Barrier(2)

    async def bot(speaker: Voice) -> list[str]:
        speak(speaker)
        said = []
        for n in range(3):
            await turn.wait()
            said.append(trn(WAITS, WAIT, n, who="anna"))
            said.append(await asyncio.to_thread(trn, WAITS, WAIT, n, who="otto"))
        said.append(await asyncio.create_task(_says(1000)))
        return said

    german, english = await asyncio.gather(
        asyncio.create_task(bot(GERMAN)), asyncio.create_task(bot(voice_of("en")))
    )
    assert all("Nachricht" in said for said in german[:-1])
    assert all("message" in said for said in english[:-1])
    assert (german[-1], english[-1]) == ("1.000", "1,000")
    assert number(1000) == "1,000"  # and who started them as before


async def _says(n: int) -> str:
    return number(n)


async def test_what_is_kept_has_the_numbers_of_the_installation() -> None:
    @for_everybody
    async def kept(n: int) -> str:
        await asyncio.sleep(0)
        return number(n)

    with reading("de"):
        assert await kept(1234) == "1,234"
        assert number(1234) == "1.234"
    with speaking(GERMAN), reading("en-US"):
        assert (number(1234), await kept(1234)) == ("1,234", "1.234")
        assert number(1234) == "1,234"


async def test_a_failure_leaves_the_reader_s_numbers_as_they_were() -> None:
    @for_everybody
    async def kept() -> str:
        raise SpoolwardenError(number(1234))

    with reading("de"):
        with pytest.raises(SpoolwardenError, match="1,234"):
            await kept()
        assert number(1234) == "1.234"
