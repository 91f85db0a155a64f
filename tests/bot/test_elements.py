"""Text that is shown: nothing in it is unseen, and nothing in it moves what stands beside it."""

import unicodedata
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.elements import Bar, Bold, Code, Moment, plain, say, visible
from services.language import speaking, voice_of

# Everything that a mail sender can put into a subject, half surrogate pairs included; the
# characters that show nothing come up far oftener than they would by chance.
UNSEEN = (
    [chr(number) for number in (*range(32), *range(0x7F, 0xA0))]
    + list("\u00ad\u061c\u180e\u200b\u200c\u200d\u200e\u200f\u2028\u2029\u202a\u202b\u202c")
    + list("\u202d\u202e\u2060\u2061\u2066\u2067\u2068\u2069\ufeff\ufff9\ufffb\U000e0001")
    + list("\U000e0041\ue000\U000f0000\U0010fffd\ud800\udfff\uffff\U0001d173")
    + list("\u034f\u115f\u1160\u17b4\u17b5\u180b\u2800\u3164\uffa0\ufe00\ufe0e\U000e0100")
)
TEXTS = st.text(st.characters() | st.sampled_from([*UNSEEN, "\ufe0f", "⚠"]), max_size=60)


def is_unseen(char: str) -> bool:
    return unicodedata.category(char) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


@pytest.mark.parametrize("char", UNSEEN, ids=lambda char: f"{ord(char):04X}")
def test_a_character_that_cannot_be_seen_is_written_as_its_number(char: str) -> None:
    assert visible(f"anna{char}@example.com") == f"anna〈{ord(char):04X}〉@example.com"


@settings(max_examples=1500, deadline=None)
@given(TEXTS)
def test_nothing_unseen_survives(text: str) -> None:
    shown = visible(text)
    assert not any(is_unseen(char) or char in UNSEEN for char in shown)
    assert visible(shown) == shown
    shown.encode("utf-8")


@settings(max_examples=500, deadline=None)
@given(TEXTS)
def test_with_lines_only_line_feeds_and_tabs_stay(text: str) -> None:
    shown = visible(text, lines=True)
    assert {char for char in shown if is_unseen(char)} <= {"\n", "\t"}
    assert shown.count("\n") == text.count("\n")
    assert visible(shown, lines=True) == shown


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126)))
def test_plain_ascii_stays_as_it_is(text: str) -> None:
    assert visible(text) == text


@pytest.mark.parametrize(
    "text", ["Grüße, 日本語, עברית, हिन्दी", "🚨 ☑️ ✔️ ⚠️ ↩️ 🟢", "a\u0301", "½ € „x“"]
)
def test_what_people_write_stays_as_it_is(text: str) -> None:
    assert visible(text) == text


def test_a_variation_selector_is_taken_only_after_a_symbol() -> None:
    assert visible("⚠\ufe0f") == "⚠\ufe0f"
    assert visible("⚠\ufe0f\ufe0f") == "⚠\ufe0f〈FE0F〉"
    assert visible("ann\ufe0fa") == "ann〈FE0F〉a"
    assert visible("\ufe0f") == "〈FE0F〉"


def test_a_moment_in_plain_text_says_its_day_and_its_zone() -> None:
    at = datetime(2026, 3, 1, 23, 5, 9, tzinfo=timezone(timedelta(hours=-2)))
    said = say("until ", Moment(at), " and ", Moment(at.astimezone(UTC), seconds=True))
    assert plain(said) == "until 2026-03-02 01:05 UTC and 2026-03-02 01:05:09 UTC"


def test_plain_text_keeps_the_words_and_drops_the_looks() -> None:
    assert plain(say("a ", Bold("b\u202e"), Code(" c"))) == "a b〈202E〉 c"


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", ["<1%", "98%", "100%"]),
        ("de", ["<1\N{NO-BREAK SPACE}%", "98\N{NO-BREAK SPACE}%", "100\N{NO-BREAK SPACE}%"]),
    ],
)
def test_bars_are_as_wide_as_each_other_and_say_their_share_in_the_language(
    language: str, said: list[str]
) -> None:
    with speaking(voice_of(language)):
        drawn = [Bar("", 1, share).drawn for share in (0.004, 0.98, 1.0)]
    assert len({len(one) for one in drawn}) == 1
    assert [one.lstrip("█░ ") for one in drawn] == said
