"""Cards and private questions as Discord's components: all are taken, and text stays text."""

import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from itertools import product
from typing import Any

import discord
import pytest
from discord import ui
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.discord.components import ALARM, OVER, QUIET, message, notice, question
from bot.elements import (
    Bar,
    Bars,
    Bold,
    Button,
    Card,
    Choose,
    Code,
    Confirm,
    Form,
    Menu,
    Moment,
    Option,
    Paragraph,
    Plain,
    Points,
    Pre,
    Row,
    Section,
    Small,
    Style,
    Text,
    Write,
    say,
    visible,
)
from tests.bot.discord_rules import (
    Json,
    Node,
    component_faults,
    described_faults,
    kinds,
    message_faults,
    parse,
    seen,
    texts,
    walk,
)
from tests.bot.hostile import ATTACKS, HUGE, POOLS
from tests.bot.samples import CARDS, FORMS, NOW, anna, words_of
from tests.bot.test_discord_text import MARKUP, MOMENTS
from tests.judge_discord import specification

# What a bot's own text may be; a sender's is "text" or stands in one of these.
_OURS = {"text", "bold", "code", "moment", "header", "small", "list", "block"}
# And a link, only to a message of ours.
_OUR_LINK = re.compile(
    r"\[incident \d{1,9}\]\(https://example\.slack\.com/archives/C0OPS/p\d{16}\)"
)
_FLAG = 1 << 15


def _links(nodes: list[Node]) -> Iterator[str]:
    for kind, held in nodes:
        if isinstance(held, list):
            yield from _links(held)
        elif kind == "link":
            yield held


def payload(view: ui.LayoutView) -> list[Json]:
    components: list[Json] = view.to_components()  # type: ignore[no-untyped-call]
    return components


def assert_taken(view: ui.LayoutView) -> None:
    """Assert that Discord takes it, and reads nothing in it that isn't ours."""
    components = payload(view)
    assert message_faults(components) == []
    assert view.timeout is None
    if specification() is not None:
        assert list(component_faults(components, "Message")) == []
    for number, text in enumerate(texts(components)):
        nodes = parse(text)
        assert set(kinds(nodes)) <= {*_OURS, "link"}
        assert all(_OUR_LINK.fullmatch(held) for held in _links(nodes))
        headers = [kind for kind in kinds(nodes) if kind == "header"]
        assert headers == [] or (number == 0 and len(nodes) == 1)
        assert visible(text, lines=True) == text


def read(view: ui.LayoutView) -> list[str]:
    """Return what a person reads, text by text."""
    return [seen(parse(text)) for text in texts(payload(view))]


def test_the_published_description_is_at_hand() -> None:
    if specification() is None:
        pytest.skip("Discord's description is not at hand; set SPOOLWARDEN_SPECS")
    empty: Json = {"type": 17, "components": []}
    assert described_faults("MessageCreateRequest", {"components": [empty]}) != []
    known: Json = {"type": 17, "components": [{"type": 10, "content": "x", "shade": 1}]}
    assert described_faults("MessageCreateRequest", {"components": [known]}) == [
        "TextDisplayComponentForMessageRequest has no shade"
    ]


@pytest.mark.parametrize(
    "inner",
    [
        [{"type": 10, "content": " "}],
        [{"type": 10, "content": "x" * 3000}, {"type": 10, "content": "x" * 1001}],
        [{"type": 10, "content": "x"}] * 40,
        [{"type": 1, "components": [{"type": 2, "style": 1, "label": "x", "custom_id": "x"}] * 2}],
        [{"type": 1, "components": [{"type": 2, "style": 1, "label": "x" * 81}]}],
        [{"type": 1, "components": [{"type": 2, "style": 1, "label": "x"}] * 6}],
        [{"type": 3, "custom_id": "x", "options": [{"label": "x", "value": "x"}]}],
        [{"type": 1, "components": [{"type": 3, "custom_id": "x", "options": []}]}],
    ],
)
def test_the_counter_of_these_tests_finds_what_it_is_for(inner: list[Json]) -> None:
    assert message_faults([{"type": 17, "components": inner}]) != []


# -- every card and form, with every text --------------------------------------------


@pytest.mark.parametrize("name", CARDS)
def test_a_card_with_each_attack_in_every_place_is_taken_and_harmless(name: str) -> None:
    for attack in ATTACKS:
        assert_taken(message(CARDS[name](words_of(attack))))


@pytest.mark.parametrize("text", ["anna@example.com", *ATTACKS[:2]])
def test_every_card_is_a_message_as_the_published_description_has_it(text: str) -> None:
    if specification() is None:
        pytest.skip("Discord's description is not at hand; set SPOOLWARDEN_SPECS")
    for card in CARDS.values():
        components = payload(message(card(words_of(text))))
        body = {"components": components, "flags": _FLAG, "allowed_mentions": {"parse": []}}
        assert described_faults("MessageCreateRequest", body) == []


@pytest.mark.parametrize("name", FORMS)
def test_a_question_with_each_attack_in_every_place_is_taken_and_harmless(name: str) -> None:
    for attack in ATTACKS:
        assert_taken(question(FORMS[name](words_of(attack))))


@pytest.mark.parametrize("text", HUGE, ids=["mentions", "overrides", "lines"])
def test_texts_of_twenty_kilobytes_are_cut_to_what_discord_takes(text: str) -> None:
    for card in CARDS.values():
        assert_taken(message(card(words_of(text))))
    for asked in FORMS.values():
        assert_taken(question(asked(words_of(text))))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(sorted(CARDS)), min_size=3, max_size=3), POOLS)
def test_a_card_with_anything_in_its_places_is_taken_and_harmless(
    names: list[str], pool: list[str]
) -> None:
    words = words_of(*pool)
    for name in names:
        assert_taken(message(CARDS[name](words)))


# A number for each text, so that a card full of them is made fast.
_CORPUS = [
    *(attack for attack in ATTACKS if len(attack) < 400),
    *("".join(pair) for pair in product(MARKUP, repeat=2)),
]
WORDS = st.integers(0, len(_CORPUS) - 1).map(lambda number: _CORPUS[number])
SAID = st.lists(
    st.one_of(st.builds(Plain, WORDS), st.builds(Bold, WORDS), st.builds(Code, WORDS), MOMENTS),
    max_size=4,
).map(tuple)
IDS = st.integers(0, 99).map("id-{}".format)
CONFIRMS = st.builds(Confirm, WORDS, WORDS, WORDS)
BUTTONS = st.builds(Button, IDS, WORDS, IDS, st.sampled_from(Style), st.none() | CONFIRMS)
VALUES = st.one_of(IDS, st.sampled_from(["", "x" * 101]))


@st.composite
def option_lists(draw: st.DrawFn) -> tuple[Option, ...]:
    some = draw(st.lists(st.builds(Option, WORDS, VALUES, WORDS), max_size=3))
    more = draw(st.builds(Option, WORDS, IDS, WORDS))
    count = draw(st.sampled_from([0, 1, 2, 9, 30]))
    return (*some, *(replace(more, value=f"{more.value}-{number}") for number in range(count)))


OPTIONS = option_lists()
MENUS = st.builds(Menu, IDS, WORDS, OPTIONS)
BARS = st.builds(Bar, WORDS, st.integers(), st.floats(allow_nan=False))
SECTIONS: st.SearchStrategy[Section] = st.one_of(
    st.builds(Paragraph, SAID),
    st.builds(Points, st.lists(SAID, max_size=4).map(tuple)),
    st.builds(Bars, WORDS, st.lists(BARS, max_size=4).map(tuple)),
    st.builds(Pre, WORDS),
    st.builds(Small, SAID),
    st.builds(Row, SAID, BUTTONS),
)
MANY_SECTIONS = st.lists(SECTIONS, max_size=6).map(tuple)
TIMES = st.sampled_from([1, 1, 1, 8, 60])
_IDS = {"slot", "intent_id", "value", "name"}


def stretched(shown: Any, times: int) -> Any:
    """Return a card or a form with each of its texts so many times as long."""
    if isinstance(shown, tuple):
        return tuple(stretched(one, times) for one in shown)
    if is_dataclass(shown) and not isinstance(shown, type):
        parts = {
            field.name: stretched(getattr(shown, field.name), times)
            for field in fields(shown)
            if field.name not in _IDS
        }
        return replace(shown, **parts)
    return shown * times if type(shown) is str else shown


@settings(max_examples=250, deadline=None)
@given(
    st.builds(
        Card,
        WORDS,
        MANY_SECTIONS,
        st.lists(st.one_of(BUTTONS, MENUS), max_size=6).map(tuple),
        WORDS,
        st.integers(0, 9),
    ),
    TIMES,
    TIMES,
)
def test_whatever_a_card_holds_it_is_taken_and_harmless(card: Card, long: int, many: int) -> None:
    card = stretched(card, long)
    more = tuple(
        replace(one, slot=f"{one.slot[:9]}-{n}") for n in range(many) for one in card.buttons
    )
    assert_taken(message(replace(card, sections=card.sections * many, buttons=more)))


@settings(max_examples=100, deadline=None)
@given(st.builds(Form, WORDS, MANY_SECTIONS, st.just(()), WORDS, IDS), TIMES, TIMES)
def test_whatever_a_question_holds_it_is_taken_and_harmless(
    asked: Form, long: int, many: int
) -> None:
    asked = stretched(replace(asked, sections=asked.sections * many), long)
    assert_taken(question(asked))
    assert_taken(notice(asked, "key"))


@pytest.mark.parametrize("name", CARDS)
@pytest.mark.parametrize("text", ["one\ntwo\tthree", "\n\n\r\n"])
def test_no_text_makes_lines_of_its_own(name: str, text: str) -> None:
    def lines(text: str) -> int:
        shown = texts(payload(message(CARDS[name](words_of(text)))))
        # What is set off as a text of several lines may have them.
        kept = "".join(one for one in shown if not one.startswith("```"))
        assert "\t" not in kept
        return kept.count("\n")

    assert lines(text) == lines("anna@example.com")


# -- single elements -----------------------------------------------------------------


def inside(card: Card) -> list[Json]:
    view = message(card)
    assert_taken(view)
    [container] = payload(view)
    held: list[Json] = container["components"]
    return held


def only_text(section: Section) -> str:
    [held] = inside(Card("", (section,)))
    assert held["type"] == 10
    return str(held["content"])


@pytest.mark.parametrize(
    "section",
    [
        Paragraph(()),
        Paragraph(say("", Bold(""), " ")),
        Points(()),
        Points(((),)),
        Bars("", ()),
        Pre(""),
        Pre("\n \n"),
        Small(()),
        Row((), Button("first", "", "id")),
    ],
)
def test_an_empty_section_is_still_taken(section: Section) -> None:
    assert len(inside(Card("", (section,)))) == 1


def test_an_empty_card_still_says_something() -> None:
    assert read(message(Card(""))) == ["Spoolwarden"]
    assert read(message(Card("", fallback="It's quiet."))) == ["It's quiet."]


def test_a_title_is_a_header_and_the_first_that_is_read() -> None:
    held = inside(Card("🚨 anna@example.com is sending spam", (Paragraph(say("x")),)))
    assert held[0] == {"type": 10, "content": "## 🚨 anna\\@example\\.com is sending spam"}


@pytest.mark.parametrize(
    ("name", "colour"),
    [
        ("alert, open", ALARM),
        ("alert, acknowledged", ALARM),
        ("alert, snoozed", ALARM),
        ("alert, remedied", OVER),
        ("alert, closed", OVER),
        ("alert, false alarm", QUIET),
        ("dashboard", QUIET),
        ("note", QUIET),
    ],
)
def test_a_cards_colour_says_whether_it_burns(name: str, colour: discord.Colour) -> None:
    [container] = payload(message(CARDS[name](anna)))
    assert container["accent_color"] == colour.value


def test_sections_have_their_forms() -> None:
    at = int(NOW.timestamp())
    assert only_text(Paragraph(say("a ", Bold("b"), Code("c")))) == "a **b**`c`"
    assert only_text(Points((say("a"), say(Bold("b"))))) == "- a\n- **b**"
    assert only_text(Small(say("until ", Moment(NOW)))) == f"-# until <t:{at}:d> <t:{at}:t>"
    assert only_text(Pre("a\n  ``` b")) == "```\na\n  ``〈0060〉 b\n```"


def test_bars_are_as_long_as_their_share() -> None:
    bars = (
        Bar("all", 1000, 1.0),
        Bar("half", 5, 0.5),
        Bar("few", 1, 0.001),
        Bar("none", 0, 0.0),
        Bar("more", 99, 7.0),
        Bar("less", -1, -1.0),
    )
    title, *lines = only_text(Bars("Top", bars)).split("\n")
    assert title == "**Top**"
    assert lines == [
        "`████████ 100%`  1,000  all",
        "`████░░░░  50%`  5  half",
        "`░░░░░░░░  <1%`  1  few",
        "`░░░░░░░░   0%`  0  none",
        "`████████ 100%`  99  more",
        "`█░░░░░░░   0%`  \\-1  less",
    ]


def test_a_row_has_its_button_at_its_end() -> None:
    [row] = inside(Card("", (Row(say("one\ntwo"), Button("preview-1", "Preview", "id")),)))
    assert row["type"] == 9
    assert row["components"] == [{"type": 10, "content": "one\ntwo"}]
    assert (row["accessory"]["label"], row["accessory"]["custom_id"]) == ("Preview", "press:id")


def test_buttons_say_what_they_do_and_a_menu_stands_below_them() -> None:
    confirm = Confirm("Sure?", "It will be done.", "Yes")
    rows = inside(
        Card(
            "",
            (Paragraph(say("x")),),
            (
                Button("first", "Stop", "a", Style.PRIMARY, confirm),
                Button("second", "Look", "b"),
                Button("third", "Delete", "c", Style.DANGER),
                Menu("more", "More…", (Option("Move…", "d", "to a folder"), Option("Block…", "e"))),
            ),
            turn=3,
        )
    )[1:]
    buttons, menus = rows
    assert [(one["custom_id"], one["style"]) for one in buttons["components"]] == [
        ("ask:a", 1),
        ("press:b", 2),
        ("press:c", 4),
    ]
    [menu] = menus["components"]
    assert (menu["custom_id"], menu["placeholder"]) == ("pick:more:3", "More…")
    assert [(one["label"], one["value"]) for one in menu["options"]] == [
        ("Move…", "d"),
        ("Block…", "e"),
    ]
    assert [one.get("description") for one in menu["options"]] == ["to a folder", None]


def test_a_card_drawn_anew_forgets_what_was_picked_in_its_menu() -> None:
    menu = Menu("more", "More…", (Option("Move…", "id"),))
    ids = [
        inside(Card("x", (), (menu,), turn=turn))[-1]["components"][0]["custom_id"]
        for turn in (1, 2)
    ]
    assert ids[0] != ids[1]


def test_more_buttons_than_a_row_takes_go_in_the_next() -> None:
    rows = inside(Card("x", (), tuple(Button(f"b{n}", str(n), f"id-{n}") for n in range(7))))[1:]
    assert [len(row["components"]) for row in rows] == [5, 2]


def test_a_second_button_that_would_do_the_same_is_left_out() -> None:
    """Discord refuses a message with two of the same custom id."""
    again = Button("second", "Again", "id")
    held = inside(Card("x", (Row(say("row"), again),), (Button("first", "Press", "id"), again)))
    assert [one["type"] for one in held] == [10, 10, 1]
    assert len(held[-1]["components"]) == 1


def test_a_menu_holds_as_many_options_as_discord_takes() -> None:
    options = tuple(Option(f"Option {n}", f"id-{n}") for n in range(50))
    held = inside(Card("x", (), (Menu("more", "More…", options),)))
    assert len(held[-1]["components"][0]["options"]) == 25


def test_a_long_card_keeps_its_title_its_first_sections_and_its_buttons() -> None:
    sections = tuple(Paragraph(say(str(n))) for n in range(120))
    view = message(Card("Long", sections, (Button("first", "Press", "id"),)))
    assert_taken(view)
    shown = read(view)
    assert shown[:3] == ["Long", "0", "1"]
    assert shown[-1] == "…"
    assert sum(1 for _ in walk(payload(view))) == 40
    assert payload(view)[0]["components"][-1]["components"][0]["custom_id"] == "press:id"


def test_what_stands_below_the_buttons_comes_after_them() -> None:
    below = tuple(Paragraph(say(str(n))) for n in range(120))
    card = Card("t", (Paragraph(say("above")),), (Button("first", "Press", "id"),), below=below)
    held = inside(card)
    assert [part["type"] for part in held[:4]] == [10, 10, 1, 10]
    assert [held[n]["content"] for n in (1, 3)] == ["above", "0"]
    assert held[-1]["content"] == "…"


def test_the_longest_section_is_cut_first() -> None:
    card = Card(
        "Message",
        (
            Points((say("From anna"), say("To otto"))),
            Pre("h" * 2500),
            Paragraph(say(Bold("Text"))),
            Pre("t" * 9000),
            Small(say("as of now")),
        ),
    )
    view = message(card)
    assert_taken(view)
    title, points, headers, name, text, small = texts(payload(view))
    assert (title, points, name) == ("## Message", "- From anna\n- To otto", "**Text**")
    assert small == "-# as of now"
    assert headers.count("h") == text.count("t")
    assert headers.endswith("h…\n```")
    assert text.endswith("t…\n```")
    assert 3950 <= view.content_length() <= 4000


def test_what_fits_is_not_cut() -> None:
    view = message(Card("Message", (Pre("h" * 2500), Paragraph(say("x")), Pre("t" * 1300))))
    assert "…" not in "".join(texts(payload(view)))


def test_a_long_list_is_cut_from_its_end() -> None:
    points = tuple(say(f"{n} ", "p" * 100) for n in range(60))
    [text] = [one["content"] for one in inside(Card("", (Points(points),)))]
    assert text.startswith("- 0 pppp")
    assert text.endswith("\n…")


# -- questions -----------------------------------------------------------------------


def controls(view: ui.LayoutView) -> list[tuple[str, str, int]]:
    return [
        (one["custom_id"], one["label"], one["style"])
        for one in walk(payload(view))
        if one["type"] == 2
    ]


def test_a_question_is_answered_with_a_button() -> None:
    view = question(Form("Put back?", (Paragraph(say("3 messages.")),), (), "Put back", "id"))
    assert_taken(view)
    assert texts(payload(view)) == ["## Put back?", "3 messages\\."]
    assert controls(view) == [("submit:id", "Put back", 1), ("cancel", "Cancel", 2)]


def test_a_form_that_came_too_late_is_opened_with_a_button() -> None:
    fields = (Write("new", "New"), Choose("how", "How", (Option("A", "a"),), "a"))
    view = notice(Form("Move?", (Paragraph(say("3 messages")),), fields, "Move", "id"), "k1")
    assert_taken(view)
    assert texts(payload(view)) == ["## Move?", "3 messages"]
    assert controls(view) == [("open:k1", "Fill in…", 1)]


def test_a_row_in_a_question_has_no_button() -> None:
    row = Row(say("one"), Button("preview-1", "Preview", "id"))
    assert [one[0] for one in controls(question(Form("x", (row,), (), "Yes", "id")))] == [
        "submit:id",
        "cancel",
    ]


async def test_the_client_keeps_no_view_for_itself() -> None:
    """With a view for every message it would grow for as long as the bot runs."""
    card: Any = message(CARDS["alert, open"](anna))
    assert card.is_finished()
    assert question(FORMS["undo"](anna)).is_finished()


def text_of(text: Text) -> str:
    return only_text(Paragraph(text))


def test_a_moment_is_the_readers_own() -> None:
    at = int(NOW.timestamp())
    assert text_of(say(Moment(NOW))) == f"<t:{at}:d> <t:{at}:t>"
