"""Text in Discord's markdown: whatever it is, it's shown as it is."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.discord.text import block, escape, markdown, stack
from bot.elements import Bold, Code, Moment, Plain, Span, Text, say, visible
from tests.bot.discord_rules import Node, kinds, parse, seen
from tests.bot.hostile import ATTACKS, HUGE

NOW = datetime(2026, 3, 2, 12, 0, 5, tzinfo=UTC)
MARKUP = (
    *("~~a~~", "||a||", "__a__", "*a*", "[a](b)"),
    *(
        "\\",
        "\\\\",
        "*",
        "**",
        "***",
        "_",
        "__",
        "~~",
        "||",
        "`",
        "``",
        "```",
        "```py\n",
        ">",
        "> ",
    ),
    *(">>> ", "# ", "## ", "### ", "-# ", "- ", "* ", "+ ", "1. ", "12) ", " ", "  ", "\n", "a"),
    *("<@1234>", "<@!1>", "<@&1>", "<#1>", "<:wave:1>", "<a:wave:1>", ":wave:", "@everyone"),
    *("@here", "<t:0>", "<t:0:R>", "</spool help:1>", "<id:customize>", "<id:1>", "<sound:1:2>"),
    *("http://a.b/", "https://a.b", "<https://a.b>", "[x](https://a.b)", "[x](<https://a.b> 'y')"),
    *("discord.gg/abc", "<mailto:a@b.c>", "<a@b.c>", "<+4930123>", "¯\\_(ツ)_/¯", "b", "1", "."),
    *(
        "[",
        "]",
        "(",
        ")",
        "<",
        "@",
        ":",
        "//",
        "#",
        "-",
        "é",
        "日",
        "🚨",
        "⚠\ufe0f",
        "\u202e",
        "\ud800",
    ),
)
HOSTILE = st.one_of(
    st.lists(st.sampled_from(MARKUP), max_size=12).map("".join),
    # By its number, as some are too long for Hypothesis to show.
    st.integers(0, len(ATTACKS) - 1).map(lambda number: ATTACKS[number]),
    st.text(st.characters(), max_size=30),
    st.text("\\*_~|`<>:@#[]()+-.! \n1a", max_size=30),
)
MOMENTS = st.builds(Moment, st.just(NOW), st.booleans())
SPANS: st.SearchStrategy[Span] = st.one_of(
    st.builds(Plain, HOSTILE), st.builds(Bold, HOSTILE), st.builds(Code, HOSTILE), MOMENTS
)
TEXT = st.lists(SPANS, max_size=6).map(tuple)


def text_nodes(text: str) -> list[Node]:
    return [("text", text)] if text else []


# -- the model of these tests --------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("**a**", "bold"),
        ("*a*", "italic"),
        ("_a_", "italic"),
        ("__a__", "underline"),
        ("~~a~~", "strike"),
        ("||a||", "spoiler"),
        ("`a`", "code"),
        ("``a`b``", "code"),
        ("```\na\n```", "block"),
        ("```py\na```", "block"),
        ("> a", "quote"),
        (">>> a", "quote"),
        ("x\n# a", "header"),
        ("-# a", "small"),
        ("- a", "list"),
        ("x\n1. a", "list"),
        ("https://a.b", "link"),
        ("<https://a.b>", "link"),
        ("<a@b.c>", "link"),
        ("[x](https://a.b)", "link"),
        ("discord.gg/abc", "link"),
        ("<@1>", "mention"),
        ("<@&1>", "mention"),
        ("<#1>", "mention"),
        ("<:a:1>", "emoji"),
        (":wave:", "emoji"),
        ("@everyone", "everyone"),
        ("@here", "everyone"),
        ("<t:0:R>", "moment"),
        ("</spool help:1>", "command"),
        ("<id:customize>", "guide"),
        ("¯\\_(ツ)_/¯", "shrug"),
        ("\\\\**a**", "bold"),
        ("**a [x](https://a.b)**", "link"),
    ],
)
def test_the_model_of_these_tests_finds_what_it_is_for(text: str, kind: str) -> None:
    """A model that finds nothing would let everything through."""
    assert kind in kinds(parse(text))
    assert parse(escape(text)) == text_nodes(visible(text))


@pytest.mark.parametrize("text", ["a", "a b\nc", "5 > 3", "2 * 3", "a_b", "\\*a\\*", "1.5", "a: b"])
def test_the_model_of_these_tests_takes_text_for_text(text: str) -> None:
    assert parse(text) == text_nodes(text.replace("\\", ""))


# -- escaping ------------------------------------------------------------------------


@pytest.mark.parametrize("text", [*ATTACKS, *MARKUP])
def test_each_attack_is_shown_as_it_is(text: str) -> None:
    assert parse(escape(text)) == text_nodes(visible(text))


@settings(max_examples=2500, deadline=None)
@given(HOSTILE)
def test_whatever_is_escaped_is_shown_as_it_is(text: str) -> None:
    written = escape(text)
    assert parse(written) == text_nodes(visible(text))
    written.encode("utf-8")


@settings(max_examples=1000, deadline=None)
@given(st.lists(HOSTILE, max_size=4))
def test_what_is_escaped_in_parts_is_escaped_as_a_whole(parts: list[str]) -> None:
    written = "".join(map(escape, parts))
    assert parse(written) == text_nodes("".join(map(visible, parts)))
    assert parse(f"x\n{written}") == text_nodes("x\n" + "".join(map(visible, parts)))


@settings(max_examples=500, deadline=None)
@given(HOSTILE)
def test_no_mention_or_address_is_there_before_it_is_parsed(text: str) -> None:
    """Discord looks for these in the raw text too: whom to notify, what to fetch.

    That @everyone notifies nobody is said with each message (allowed_mentions).
    """
    for raw in ("<@", "<#", "http:", "https:", "discord.gg", "<:", "<t:"):
        assert raw not in escape(text)


def test_letters_and_digits_stay_as_they_are() -> None:
    assert escape("Grüße, 日本語 & 1 000 € “x”!") == "Grüße, 日本語 & 1 000 € “x”!"


# -- spans ---------------------------------------------------------------------------


def looks(text: Text) -> Iterator[Node]:
    """Yield what each span is to be: its look, and what is read there."""
    for span in text:
        match span:
            case Moment(at, seconds):
                stamps = (":d", ":T" if seconds else ":t")
                yield "moment", [f"{int(at.timestamp())}{style}" for style in stamps]
            case Code(words) if "`" not in words:
                yield "code", visible(words)
            case Bold(words):
                yield "bold", visible(words)
            case Plain(words) | Code(words):
                yield "text", visible(words)


def as_read(nodes: list[Node]) -> list[Node]:
    """Return nodes with what they hold as it is read, like ones together."""
    read: list[Node] = []
    for kind, held in nodes:
        words = seen(held) if isinstance(held, list) else held
        if read and read[-1][0] == kind and kind != "moment":
            read[-1] = (kind, read[-1][1] + words)
        else:
            read.append((kind, words))
    return read


def wanted(text: Text) -> list[Node]:
    nodes: list[Node] = []
    for kind, words in looks(text):
        if kind == "moment":
            nodes += [node for word in words for node in (("moment", word), ("text", " "))][:-1]
        elif words:
            nodes.append((kind, words))
    return as_read(nodes)


@settings(max_examples=700, deadline=None)
@given(TEXT)
def test_every_span_has_its_look_and_no_other(text: Text) -> None:
    read = as_read(parse(markdown(text, 100_000)))
    # One text that holds a backtick takes the look from the code beside it.
    if any(isinstance(span, Code) and "`" in span.text for span in text):
        assert "".join(words for _, words in read) == "".join(words for _, words in wanted(text))
        assert {kind for kind, _ in read} <= {"text", "bold", "code", "moment"}
    else:
        assert read == wanted(text)


@settings(max_examples=700, deadline=None)
@given(TEXT, st.integers(1, 120))
def test_a_text_is_cut_between_its_characters(text: Text, longest: int) -> None:
    whole, cut = markdown(text, 100_000), markdown(text, longest)
    assert len(cut) <= longest
    if len(whole) <= longest:
        assert cut == whole
        return
    nodes = parse(cut)
    assert set(kinds(nodes)) <= {"text", "bold", "code", "moment"}
    assert seen(nodes).endswith("…")
    assert seen(parse(whole)).startswith(seen(nodes)[:-1])


@pytest.mark.parametrize("text", HUGE, ids=["mentions", "overrides", "lines"])
def test_a_text_of_twenty_kilobytes_is_cut(text: str) -> None:
    for span in (Plain(text), Bold(text), Code(text)):
        assert 3990 <= len(markdown((span,), 4000)) <= 4000
    assert 3990 <= len(block(text, 4000)) <= 4000


def test_words_keep_their_looks() -> None:
    at = int(NOW.timestamp())
    text = say("a ", Bold("b*"), " ", Code("c_d@e.f"), " ", Moment(NOW))
    assert markdown(text, 100) == f"a **b\\*** `c_d@e.f` <t:{at}:d> <t:{at}:t>"


def test_a_moment_with_seconds_says_its_day_and_its_seconds() -> None:
    at = int(NOW.timestamp())
    assert markdown(say(Moment(NOW, seconds=True)), 100) == f"<t:{at}:d> <t:{at}:T>"


def test_two_bold_words_side_by_side_are_one() -> None:
    assert markdown(say(Bold("a"), "", Bold("b"), Code("c"), Code("d")), 100) == "**ab**`cd`"


def test_code_that_holds_its_own_mark_is_shown_without_the_look() -> None:
    assert markdown(say(Code("a`b@c.d")), 100) == "a\\`b\\@c\\.d"


def test_a_line_feed_stays_only_where_lines_are_ours() -> None:
    text = say("a\n# b", Bold("\n"))
    assert markdown(text, 100, lines=True) == "a\n\\# b**〈000A〉**"
    assert markdown(text, 100) == "a〈000A〉\\# b**〈000A〉**"


# -- blocks and lists ----------------------------------------------------------------


@settings(max_examples=1000, deadline=None)
@given(HOSTILE, st.integers(20, 120))
def test_nothing_closes_a_block(text: str, longest: int) -> None:
    written = block(text, longest)
    assert len(written) <= longest
    [(kind, held)] = parse(written)
    assert kind == "block"
    shown = visible(text, lines=True).replace("```", "``〈0060〉")
    if shown.strip() and len(shown) <= longest - 8 and len(text) <= longest:
        assert held.strip("\n") == shown.strip("\n")


def test_a_block_says_that_it_was_cut() -> None:
    assert block("x" * 50, 20) == f"```\n{'x' * 11}…\n```"


def test_lists_are_cut_from_the_end() -> None:
    lines = [lambda longest, n=n: markdown(say(str(n) * 30), longest) for n in range(4)]
    assert stack(lines, 200) == "\n".join(str(n) * 30 for n in range(4))
    assert stack(lines, 70) == f"{'0' * 30}\n{'1' * 30}\n…"
    assert stack(lines[:2], 25) == f"{'0' * 22}…\n…"
    assert stack(lines[:1], 25) == f"{'0' * 24}…"
    assert stack([], 25) == ""
