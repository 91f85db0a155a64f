"""Cards and forms as Block Kit: Slack takes them all, and a sender's text stays text."""

import html
import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.elements import (
    Bar,
    Bars,
    Bold,
    Button,
    Card,
    Choose,
    Code,
    Form,
    Menu,
    Moment,
    Option,
    Paragraph,
    Points,
    Pre,
    Row,
    Small,
    Tick,
    Write,
    say,
    visible,
)
from bot.slack.blocks import Carried, fallback, form, message, panel, values
from bot.workspace import Call
from bot.workspace.checks.messages import TEXT_LIMIT, check_blocks, check_new_text
from bot.workspace.checks.views import check_view
from services.language import reading
from tests.bot.hostile import ATTACKS, HUGE, POOLS, exposed, shown
from tests.bot.samples import CARDS, FORMS, INTENT, NOW, anna, words_of
from tests.judge import block_faults

CHANNEL = "C0OPS"

Json = dict[str, Any]


def assert_well_made(name: str, **arguments: Any) -> None:
    """Assert that the client library's own classes find nothing wrong."""
    assert list(block_faults(Call(name, arguments, 200, {"ok": True}, 0.0))) == []


def assert_harmless(rendered: Any) -> None:
    assert exposed(rendered) == []
    # The client sends it as JSON in UTF-8.
    json.dumps(rendered, ensure_ascii=False).encode("utf-8")


def assert_card_is_safe(card: Card) -> None:
    blocks, view = message(card), panel(card, CHANNEL)
    assert_harmless(blocks)
    assert_harmless(view)
    assert_harmless_text(fallback(card))
    assert check_new_text(fallback(card))
    assert check_blocks(blocks) == blocks
    assert check_view(view) == view
    assert_well_made("chat.postMessage", channel=CHANNEL, text=fallback(card), blocks=blocks)


def assert_harmless_text(text: str) -> None:
    """Assert that Slack finds nothing to parse in a message's text (its three characters)."""
    assert not re.search(r"[<>]|&(?!(amp|lt|gt);)", text)
    assert visible(html.unescape(text)) == html.unescape(text)
    assert 0 < len(text) <= TEXT_LIMIT


def test_a_message_is_cut_to_what_slack_takes_as_one_and_keeps_its_title_and_buttons() -> None:
    stop = Button("first", "Stop sending", INTENT)
    long = tuple(Paragraph(say("x" * 2900)) for _ in range(45))
    blocks = message(Card("Much", long, (stop,), fallback="Much", below=long))
    assert check_blocks(blocks) == blocks
    kinds = [block["type"] for block in blocks]
    assert (kinds[0], kinds.count("actions")) == ("header", 1)
    assert len(blocks) > 40
    # What a card usually has is not touched.
    some = tuple(Paragraph(say("x" * 2900)) for _ in range(3))
    assert message(Card("", some, fallback="Some")) == panel(Card("", some), CHANNEL)["blocks"]


def assert_form_is_safe(asked: Form) -> None:
    view = form(asked, CHANNEL)
    assert_harmless(view)
    assert check_view(view) == view
    assert_well_made("views.open", trigger_id="1.2.x", view=view)


# -- every card and form, with every text ----------------------------------------


@pytest.mark.parametrize("name", CARDS)
def test_a_card_with_each_attack_in_every_place_is_taken_and_harmless(name: str) -> None:
    for attack in ATTACKS:
        assert_card_is_safe(CARDS[name](words_of(attack)))


@pytest.mark.parametrize("name", FORMS)
def test_a_form_with_each_attack_in_every_place_is_taken_and_harmless(name: str) -> None:
    for attack in ATTACKS:
        assert_form_is_safe(FORMS[name](words_of(attack)))


@pytest.mark.parametrize("text", HUGE, ids=["mentions", "overrides", "lines"])
def test_texts_of_twenty_kilobytes_are_cut_to_what_slack_takes(text: str) -> None:
    for card in CARDS.values():
        assert_card_is_safe(card(words_of(text)))
    for asked in FORMS.values():
        assert_form_is_safe(asked(words_of(text)))


# Several of a kind, so that all texts of a pool get a place: 300 and 150 pools of 25.
@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(sorted(CARDS)), min_size=3, max_size=3), POOLS)
def test_a_card_with_anything_in_its_places_is_taken_and_harmless(
    names: list[str], pool: list[str]
) -> None:
    words = words_of(*pool)
    for name in names:
        assert_card_is_safe(CARDS[name](words))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(sorted(FORMS)), min_size=3, max_size=3), POOLS)
def test_a_form_with_anything_in_its_places_is_taken_and_harmless(
    names: list[str], pool: list[str]
) -> None:
    words = words_of(*pool)
    for name in names:
        assert_form_is_safe(FORMS[name](words))


@pytest.mark.parametrize("name", [*CARDS, *FORMS])
@pytest.mark.parametrize("text", ["one\ntwo\tthree", "\n\n\r\n"])
def test_no_text_makes_lines_of_its_own(name: str, text: str) -> None:
    def lines(text: str) -> int:
        words = words_of(text)
        if name in CARDS:
            rendered = message(CARDS[name](words))
        else:
            rendered = form(FORMS[name](words), CHANNEL)["blocks"]
        # What is set off as a text of several lines may have them.
        kept = [block for block in rendered if "preformatted" not in json.dumps(block)]
        assert "\t" not in shown(kept)
        return shown(kept).count("\n")

    assert lines(text) == lines("anna@example.com")


@pytest.mark.parametrize("name", CARDS)
def test_a_panel_is_well_made_by_the_client_librarys_classes(name: str) -> None:
    view = panel(CARDS[name](words_of(*ATTACKS)), CHANNEL)
    assert_well_made("views.open", trigger_id="1.2.x", view=view)


def test_the_judge_of_these_tests_finds_what_it_is_for() -> None:
    """A judge that never objects would let everything through."""
    marked = {"type": "section", "text": {"type": "mrkdwn", "text": "x"}}
    assert exposed([marked])
    for attack in ("<!channel>", "stolen\u202e"):
        assert exposed([{"type": "actions", "block_id": attack, "elements": []}])
        assert exposed([{"type": "button", "action_id": f"press:{attack}"}])
        assert exposed([{"type": "button", "value": attack}])
    assert exposed([{"type": "plain_text", "text": "x"}])
    assert exposed([{"type": "plain_text", "text": "x", "emoji": True}])
    assert exposed([{"type": "text", "text": "x\u200by"}])
    assert exposed([{"type": "text", "text": "x" * 3001}])
    assert exposed([{"type": "link", "url": "https://evil.example"}])
    assert not exposed([{"type": "text", "text": "<!channel>"}])


@pytest.mark.parametrize("name", [*CARDS, *FORMS])
def test_no_two_places_of_a_rendering_have_the_same_name(name: str) -> None:
    if name in CARDS:
        rendered = message(CARDS[name](anna))
    else:
        rendered = form(FORMS[name](anna), CHANNEL)["blocks"]
    ids = [block["block_id"] for block in rendered if "block_id" in block]
    pressed = [
        element["action_id"]
        for block in rendered
        for element in (*block.get("elements", ()), block.get("accessory", {}))
        if "action_id" in element
    ]
    assert len(set(ids)) == len(ids)
    assert len(set(pressed)) == len(pressed)
    assert all(len(text) <= 255 for text in (*ids, *pressed))


def test_a_hostile_queue_id_is_shown_and_names_nothing() -> None:
    blocks = message(CARDS["results"](words_of("Q<!channel>" + "x" * 300)))
    rows = [block for block in blocks if block.get("block_id", "").startswith("row-")]
    previews = [block["elements"][0] for block in rows]
    assert [one["action_id"] for one in previews] == [f"press:preview-{n}" for n in range(1, 6)]
    assert [one["value"] for one in previews] == [INTENT.format(n) for n in range(5)]
    assert "Q<!channel>xxx" in shown(blocks)


# -- single elements ---------------------------------------------------------------


def only_block(section: Any) -> Json:
    [block] = message(Card("", (section,)))
    assert_well_made("chat.postMessage", channel=CHANNEL, text="x", blocks=[block])
    assert check_blocks([block]) == [block]
    return block


@pytest.mark.parametrize(
    "section",
    [
        Paragraph(()),
        Paragraph(say("", Bold(""))),
        Points(()),
        Points(((),)),
        Bars("", ()),
        Pre(""),
        Small(()),
        Row((), Button("first", "", "id")),
    ],
)
def test_an_empty_section_is_still_taken(section: Any) -> None:
    only_block(section)


def test_an_empty_card_is_still_taken_as_a_view() -> None:
    view = panel(Card(""), CHANNEL)
    assert check_view(view) == view
    assert fallback(Card("", fallback=" ")) == "Spoolwarden"


@pytest.mark.parametrize("written", ["&" * 3000, "é<" * 3000, "😀" * 3000, "x" * 3000])
def test_a_message_is_told_of_in_few_enough_bytes_to_be_changed_later(written: str) -> None:
    text = fallback(Card("A card", fallback=written))
    assert check_new_text(text) == text
    assert html.unescape(text)[:600] == written[:600]


def test_words_keep_their_looks() -> None:
    block = only_block(Paragraph(say("a", Bold("b"), Code("c"), Moment(NOW))))
    [section] = block["elements"]
    assert section["elements"] == [
        {"type": "text", "text": "a"},
        {"type": "text", "text": "b", "style": {"bold": True}},
        {"type": "text", "text": "c", "style": {"code": True}},
        {
            "type": "date",
            "timestamp": int(NOW.timestamp()),
            "format": "{date_short_pretty} {time}",
            "fallback": "2026-03-02 12:00:05 UTC",
        },
    ]


def test_a_moment_with_seconds_still_says_its_day() -> None:
    [section] = only_block(Paragraph(say(Moment(NOW, seconds=True))))["elements"]
    assert section["elements"][0]["format"] == "{date_short_pretty} {time_secs}"


def test_small_print_holds_moments_between_words_that_nobody_parses() -> None:
    told = only_block(Small(say("*as* of ", Moment(NOW), " <!channel>")))["elements"]
    date = f"<!date^{int(NOW.timestamp())}^{{date_short_pretty}} {{time}}|2026-03-02 12:00:05 UTC>"
    assert [(one["type"], one["text"]) for one in told] == [
        ("plain_text", "*as* of"),
        ("mrkdwn", date),
        ("plain_text", "<!channel>"),
    ]


def test_a_row_that_tells_a_moment_has_its_button_below() -> None:
    row = Row(say(Bold("*a*"), "\nfirst ", Moment(NOW)), Button("row-1", "Why", "id"))
    blocks = message(Card("", (row,)))
    assert check_blocks(blocks) == blocks
    told, button = blocks
    assert [one.get("text", one["type"]) for one in told["elements"][0]["elements"]] == [
        "*a*",
        "\nfirst ",
        "date",
    ]
    assert button["elements"][0]["value"] == "id"


@pytest.mark.parametrize("name", CARDS)
def test_a_card_writes_every_moment_alike(name: str) -> None:
    with reading("en-US"):
        rendered = message(CARDS[name](anna))
    # A question before an act is plain text; what it tells is a time of day, said to be UTC.
    written = re.sub(r'"confirm": \{.*?\}\}', "", json.dumps(rendered, ensure_ascii=False))
    if "date_short_pretty" in written:
        assert not re.search(r"\d\s[AP]M", written)


def test_what_stands_below_the_buttons_comes_after_them() -> None:
    button = Button("first", "Press", "id")
    card = Card("t", (Paragraph(say("above")),), (button,), below=(Paragraph(say("below")),))
    for blocks in (message(card), panel(card, CHANNEL)["blocks"]):
        assert [shown(blocks[n]).strip() for n in (-3, -1)] == ["above", "below"]
        assert blocks[-2]["type"] == "actions"
    long = Card("t", (), (button,), below=tuple(Paragraph(say(str(n))) for n in range(120)))
    assert len(message(long)) == 50


def test_bars_are_as_long_as_their_share() -> None:
    bars = (Bar("all", 10, 1.0), Bar("half", 5, 0.5), Bar("few", 1, 0.001), Bar("none", 0, 0.0))
    [section] = only_block(Bars("Top", bars))["elements"]
    drawn = [one["text"] for one in section["elements"] if one.get("style") == {"code": True}]
    assert [text.count("█") for text in drawn] == [8, 4, 0, 0]
    assert {len(text) for text in drawn} == {13}
    assert [text[-4:] for text in drawn] == ["100%", " 50%", " <1%", "  0%"]


def test_a_share_beyond_the_whole_does_not_break_out_of_its_bar() -> None:
    bars = (Bar("more", 99, 7.0), Bar("less", -1, -1.0))
    [section] = only_block(Bars("Top", bars))["elements"]
    drawn = [one["text"] for one in section["elements"] if one.get("style") == {"code": True}]
    assert {len(text) for text in drawn} == {13}


def test_a_long_card_keeps_its_buttons() -> None:
    card = Card(
        "Long",
        tuple(Paragraph(say(str(n))) for n in range(120)),
        (Button("first", "Press", "id"),),
    )
    blocks = message(card)
    assert check_blocks(blocks) == blocks
    assert len(blocks) == 50
    assert blocks[-1]["block_id"] == "buttons-0"


def test_a_long_text_says_that_it_was_cut() -> None:
    button = Button("first", "x" * 100, "id")
    rendered = message(Card("t" * 200, (Paragraph(say("p" * 4000)),), (button,)))
    header, paragraph, buttons = rendered
    assert header["text"]["text"] == "t" * 149 + "…"
    assert shown(paragraph).endswith("p…")
    assert buttons["elements"][0]["text"]["text"] == "x" * 74 + "…"


def test_a_menu_holds_as_many_options_as_slack_takes() -> None:
    options = tuple(Option(f"Option {n}", f"id-{n}") for n in range(150))
    blocks = message(Card("", (), (Menu("more", "More…", options),)))
    assert check_blocks(blocks) == blocks
    assert len(blocks[0]["elements"][0]["options"]) == 100


def field_of(field: Any) -> Json:
    view = form(Form("Title", (), (field,), "Do it", "id"), CHANNEL)
    assert check_view(view) == view
    [block] = view["blocks"]
    assert isinstance(block, dict)
    return block


@pytest.mark.parametrize(
    ("count", "kind"), [(1, "radio_buttons"), (10, "radio_buttons"), (11, "static_select")]
)
def test_a_choice_is_a_list_of_radio_buttons_while_they_are_few(count: int, kind: str) -> None:
    options = tuple(Option(f"Option {n}", str(n)) for n in range(count))
    element = field_of(Choose("how", "How", options, str(count - 1)))["element"]
    assert element["type"] == kind
    assert element["initial_option"]["value"] == str(count - 1)


def test_a_choice_whose_first_is_unknown_starts_with_the_first() -> None:
    element = field_of(Choose("how", "How", (Option("A", "a"), Option("B", "b")), "z"))["element"]
    assert element["initial_option"]["value"] == "a"


def test_ticks_start_as_they_were_asked_for() -> None:
    options = tuple(Option(f"Option {n}", str(n)) for n in range(3))
    some = field_of(Tick("networks", "Addresses", options, ("0", "2")))["element"]
    none = field_of(Tick("networks", "Addresses", options))["element"]
    assert [one["value"] for one in some["initial_options"]] == ["0", "2"]
    assert "initial_options" not in none


def test_a_written_field_has_its_bounds() -> None:
    block = field_of(Write("new", "New", "a hint", "x" * 99, 40))
    assert block["element"]["max_length"] == 40
    assert block["element"]["initial_value"] == "x" * 40
    assert block["hint"]["text"] == "a hint"
    assert block["optional"] is True


# -- what comes back ---------------------------------------------------------------


def test_a_submitted_form_is_read_by_the_names_of_its_fields() -> None:
    chosen = {"text": {"type": "plain_text", "text": "x"}, "value": "24h"}
    state = {
        "values": {
            "lasting": {"value": {"type": "radio_buttons", "selected_option": chosen}},
            "networks": {
                "value": {
                    "type": "checkboxes",
                    "selected_options": [{"value": "0"}, {"value": "rest"}],
                }
            },
            "none": {"value": {"type": "checkboxes", "selected_options": []}},
            "new": {"value": {"type": "plain_text_input", "value": "spam"}},
            "empty": {"value": {"type": "plain_text_input", "value": None}},
        }
    }
    assert values(state) == {
        "lasting": ("24h",),
        "networks": ("0", "rest"),
        "none": (),
        "new": ("spam",),
    }
    assert values({}) == {}


@given(st.text(max_size=20), st.text(max_size=20))
def test_what_a_view_carries_comes_back(channel: str, intent_id: str) -> None:
    carried = Carried(channel, intent_id)
    assert Carried.loads(carried.dumps()) == carried


@pytest.mark.parametrize(
    "text",
    ["", "null", "5", '"ab"', "[]", '["a"]', '["a", "b", "c"]', '{"a": 1, "b": 2}', "[1, 2]"],
)
def test_what_is_not_ours_carries_nothing(text: str) -> None:
    assert Carried.loads(text) == Carried("")


@given(st.text(st.characters()) | st.just("[" * 100_000))
def test_nothing_that_is_carried_breaks_the_reading(text: str) -> None:
    assert isinstance(Carried.loads(text), Carried)


def test_a_card_drawn_anew_forgets_what_was_picked_in_its_menu() -> None:
    menu = Menu("more", "More…", (Option("Move…", "id"),))
    first, second = (message(Card("", (), (menu,), turn=turn))[-1] for turn in (1, 2))
    assert first["block_id"] != second["block_id"]
    assert first["elements"] == second["elements"]
