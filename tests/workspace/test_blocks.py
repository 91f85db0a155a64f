"""Block Kit's rules, one case a rule; and the same judged by the client library's classes."""

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.workspace import Call
from bot.workspace.checks.layout import message_faults, view_faults
from bot.workspace.checks.messages import check_blocks
from bot.workspace.checks.views import check_view
from bot.workspace.values import ApiError
from tests.judge import block_faults

Json = dict[str, Any]


def plain(text: str = "x") -> Json:
    return {"type": "plain_text", "text": text}


def marked(text: str = "x") -> Json:
    return {"type": "mrkdwn", "text": text}


def header(**over: Any) -> Json:
    return {"type": "header", "text": plain(), **over}


def section(**over: Any) -> Json:
    return {"type": "section", "text": marked(), **over}


def button(**over: Any) -> Json:
    return {"type": "button", "text": plain(), "action_id": "a", **over}


def actions(*elements: Json, **over: Any) -> Json:
    return {"type": "actions", "elements": list(elements), **over}


def context(*elements: Json) -> Json:
    return {"type": "context", "elements": list(elements)}


def option(value: str = "v", **over: Any) -> Json:
    return {"text": plain(), "value": value, **over}


def choice(kind: str, count: int = 1, **over: Any) -> Json:
    options = [option(str(i)) for i in range(count)]
    return {"type": kind, "action_id": "a", "options": options, **over}


def input_(element: Json, **over: Any) -> Json:
    return {"type": "input", "label": plain(), "element": element, **over}


def text_input(**over: Any) -> Json:
    return {"type": "plain_text_input", "action_id": "a", **over}


def confirm(**over: Any) -> Json:
    return {"title": plain(), "text": marked(), "confirm": plain(), "deny": plain(), **over}


def rich(*elements: Json) -> Json:
    return {"type": "rich_text", "elements": list(elements)}


def rich_section(*elements: Json, kind: str = "rich_text_section") -> Json:
    return {"type": kind, "elements": list(elements)}


def words(text: str = "x", **over: Any) -> Json:
    return {"type": "text", "text": text, **over}


def table(rows: int = 1, columns: int = 1, text: str = "x", **over: Any) -> Json:
    cell = {"type": "raw_text", "text": text}
    return {"type": "table", "rows": [[cell] * columns for _ in range(rows)], **over}


def image(**over: Any) -> Json:
    return {"type": "image", "image_url": "https://example.test/i.png", "alt_text": "i", **over}


FINE: list[list[Json]] = [
    [header(text=plain("x" * 150))],
    [section(text=marked("x" * 3000))],
    [section(fields=[marked("x" * 2000)] * 10)],
    [{"type": "section", "fields": [plain()]}],
    [section(accessory=image())],
    [section(accessory=choice("multi_static_select", 2, max_selected_items=1))],
    [context(*[marked()] * 9, image())],
    [actions(*[button(action_id=str(i)) for i in range(25)])],
    [actions(button(text=plain("x" * 75), value="v" * 2000, style="danger", confirm=confirm()))],
    [actions(button(confirm=confirm(text=plain("x" * 300), style="danger")))],
    [actions(choice("overflow", 1)), actions(choice("overflow", 5))],
    [actions(choice("static_select", 100, placeholder=plain("x" * 150)))],
    [actions(choice("checkboxes", 10), choice("radio_buttons", 10, action_id="b"))],
    [actions(button()), actions(button())],  # the same action_id in two blocks
    [{"type": "divider"}] * 50,
    [input_(text_input(max_length=3000), hint=plain("x" * 2000))],
    [image(title=plain("x" * 2000), alt_text="x" * 2000)],
    [table(100, 5)],
    [table(2, 20, column_settings=[{"align": "right", "is_wrapped": True}])],
    [{"type": "markdown", "text": "# x"}],
    [
        rich(
            rich_section(
                words(style={"bold": True, "code": True}),
                {"type": "user", "user_id": "U1"},
                {"type": "usergroup", "usergroup_id": "S1"},
                {"type": "channel", "channel_id": "C1"},
                {"type": "emoji", "name": "wave"},
                {"type": "date", "timestamp": 1700000000, "format": "{date_num}", "fallback": "x"},
                {"type": "broadcast", "range": "here"},
                {"type": "link", "url": "https://example.test", "text": "x"},
            ),
            {"type": "rich_text_list", "style": "ordered", "elements": [rich_section(words())]},
            rich_section(words(), kind="rich_text_preformatted"),
            rich_section(words(), kind="rich_text_quote"),
        )
    ],
]

BAD: list[tuple[str, list[Json], str]] = [
    (
        "51 blocks",
        [{"type": "divider"}] * 51,
        "no more than 50 items allowed [json-pointer:/blocks]",
    ),
    ("no type", [{}], "missing required field: type [json-pointer:/blocks/0]"),
    ("unknown block", [{"type": "x"}], "[json-pointer:/blocks/0/type]"),
    ("unknown field", [header(bold=True)], "invalid additional property: bold"),
    ("header too long", [header(text=plain("x" * 151))], "must be less than 151 characters"),
    ("header in mrkdwn", [header(text=marked())], "[json-pointer:/blocks/0/text/type]"),
    ("header empty", [header(text=plain(""))], "must be more than 0 characters"),
    ("section too long", [section(text=marked("x" * 3001))], "must be less than 3001 characters"),
    ("section empty", [section(text=marked(""))], "must be more than 0 characters"),
    ("section without", [{"type": "section"}], "missing required field: text"),
    ("eleven fields", [section(fields=[plain()] * 11)], "no more than 10 items"),
    (
        "field too long",
        [section(fields=[plain("x" * 2001)])],
        "[json-pointer:/blocks/0/fields/0/text]",
    ),
    ("text as string", [section(text="x")], "must provide an object"),
    ("emoji on mrkdwn", [section(text={**marked(), "emoji": True})], "additional property: emoji"),
    (
        "input as accessory",
        [section(accessory=text_input())],
        "[json-pointer:/blocks/0/accessory/type]",
    ),
    ("eleven in context", [context(*[marked()] * 11)], "no more than 10 items"),
    ("context empty", [context()], "no less than 1 items"),
    ("button in context", [context(button())], "unsupported type: button"),
    (
        "26 in actions",
        [actions(*[button(action_id=str(i)) for i in range(26)])],
        "no more than 25 items allowed [json-pointer:/blocks/0/elements]",
    ),
    ("multi in actions", [actions(choice("multi_static_select"))], "unsupported type"),
    ("image in actions", [actions(image())], "unsupported type: image"),
    ("text input in actions", [actions(text_input())], "unsupported type"),
    ("button text", [actions(button(text=plain("x" * 76)))], "must be less than 76 characters"),
    ("button in mrkdwn", [actions(button(text=marked()))], "unsupported type: mrkdwn"),
    ("button value", [actions(button(value="v" * 2001))], "must be less than 2001"),
    ("button style", [actions(button(style="green"))], "must be one of: primary, danger"),
    ("button url", [actions(button(url="https://" + "x" * 3000))], "must be less than 3001"),
    ("action_id", [actions(button(action_id="a" * 256))], "must be less than 256"),
    ("empty action_id", [actions(button(action_id=""))], "must be more than 0"),
    ("block_id", [section(block_id="b" * 256)], "must be less than 256"),
    ("twice action_id", [actions(button(), button())], "`action_id` a already exists"),
    (
        "twice block_id",
        [section(block_id="b"), section(block_id="b")],
        "`block_id` b already exists [json-pointer:/blocks/1/block_id]",
    ),
    ("six in overflow", [actions(choice("overflow", 6))], "no more than 5 items"),
    ("none in overflow", [actions(choice("overflow", 0))], "no less than 1 items"),
    ("101 options", [actions(choice("static_select", 101))], "no more than 100 items"),
    ("eleven boxes", [actions(choice("checkboxes", 11))], "no more than 10 items"),
    ("eleven radios", [actions(choice("radio_buttons", 11))], "no more than 10 items"),
    (
        "option text",
        [actions(choice("overflow", options=[option(text=plain("x" * 76))]))],
        "must be less than 76",
    ),
    ("option value", [actions(choice("overflow", options=[option("v" * 151)]))], "less than 151"),
    (
        "option in mrkdwn",
        [actions(choice("static_select", options=[option(text=marked())]))],
        "unsupported type: mrkdwn",
    ),
    (
        "url in a select",
        [actions(choice("static_select", options=[option(url="https://x.test")]))],
        "additional property: url",
    ),
    (
        "initial option",
        [actions(choice("static_select", 1, initial_option=option("other")))],
        "must exactly match one of the options",
    ),
    (
        "no options",
        [actions({"type": "static_select", "action_id": "a"})],
        "exactly one of: options",
    ),
    (
        "placeholder",
        [actions(choice("static_select", placeholder=plain("x" * 151)))],
        "less than 151",
    ),
    ("confirm title", [actions(button(confirm=confirm(title=plain("x" * 101))))], "less than 101"),
    ("confirm text", [actions(button(confirm=confirm(text=marked("x" * 301))))], "less than 301"),
    ("confirm button", [actions(button(confirm=confirm(confirm=plain("x" * 31))))], "less than 31"),
    ("confirm deny", [actions(button(confirm=confirm(deny=plain("x" * 31))))], "less than 31"),
    ("confirm in mrkdwn", [actions(button(confirm=confirm(title=marked())))], "unsupported type"),
    (
        "confirm short",
        [actions(button(confirm={"title": plain()}))],
        "missing required field: text",
    ),
    ("input label", [input_(text_input(), label=plain("x" * 2001))], "less than 2001"),
    ("input hint", [input_(text_input(), hint=plain("x" * 2001))], "less than 2001"),
    ("button in input", [input_(button())], "unsupported type: button"),
    ("email in a message", [input_({"type": "email_text_input"})], "unsupported type"),
    ("max_length", [input_(text_input(max_length=3001))], "must be less than 3001"),
    (
        "lengths",
        [input_(text_input(min_length=5, max_length=4))],
        "must not be more than max_length",
    ),
    (
        "two focused",
        [input_(text_input(focus_on_load=True)), input_(text_input(focus_on_load=True))],
        "only one element can have focus_on_load",
    ),
    ("alt_text", [image(alt_text="x" * 2001)], "less than 2001"),
    ("no alt_text", [{"type": "image", "image_url": "https://x.test"}], "missing required field"),
    ("image url", [image(image_url="https://" + "x" * 3000)], "less than 3001"),
    ("image scheme", [image(image_url="file:///etc/passwd")], "http or https URL"),
    ("image title", [image(title=plain("x" * 2001))], "less than 2001"),
    ("101 rows", [table(101)], "no more than 100 items"),
    ("21 columns", [table(1, 21)], "no more than 20 items"),
    ("two tables", [table(), table()], "only_one_table_allowed"),
    ("big table", [table(100, 1, "x" * 101)], "less than 10001 characters"),
    (
        "ragged table",
        [{**table(), "rows": [*table(1, 1)["rows"], *table(1, 2)["rows"]]}],
        "same number",
    ),
    ("empty cell", [table(text="")], "must be more than 0"),
    ("bad align", [table(column_settings=[{"align": "middle"}])], "must be one of: left"),
    ("date", [actions({"type": "datepicker", "initial_date": "2024-13-01"})], "YYYY-MM-DD"),
    ("rich text empty", [rich()], "no less than 1 items"),
    ("rich kind", [rich({"type": "text", "text": "x"})], "unsupported type: text"),
    ("rich inline", [rich(rich_section({"type": "marquee"}))], "unsupported type: marquee"),
    ("rich style", [rich(rich_section(words(style={"blink": True})))], "property: blink"),
    ("rich style type", [rich(rich_section(words(style={"bold": 1})))], "must provide a boolean"),
    ("rich empty text", [rich(rich_section(words("")))], "must be more than 0"),
    ("rich date", [rich(rich_section({"type": "date", "timestamp": "1"}))], "missing required"),
    (
        "user in code",
        [rich(rich_section({"type": "user", "user_id": "U1"}, kind="rich_text_preformatted"))],
        "unsupported type: user",
    ),
    (
        "list style",
        [rich({"type": "rich_text_list", "style": "roman", "elements": [rich_section(words())]})],
        "must be one of: bullet, ordered",
    ),
    (
        "list of text",
        [rich({"type": "rich_text_list", "style": "bullet", "elements": [words()]})],
        "unsupported type: text",
    ),
    (
        "list deep",
        [
            rich(
                {
                    "type": "rich_text_list",
                    "style": "bullet",
                    "indent": 9,
                    "elements": [rich_section(words())],
                }
            )
        ],
        "must be less than 9",
    ),
    ("markdown", [{"type": "markdown", "text": "x" * 12001}], "less than 12001"),
]


@pytest.mark.parametrize("blocks", FINE, ids=lambda b: b[0]["type"])
def test_what_the_documentation_allows_is_taken(blocks: list[Json]) -> None:
    assert message_faults(blocks) == []


@pytest.mark.parametrize("blocks", FINE, ids=lambda b: b[0]["type"])
def test_what_is_taken_satisfies_the_client_librarys_classes(blocks: list[Json]) -> None:
    call = Call("chat.postMessage", {"blocks": blocks}, 200, {"ok": True}, 0.0)
    assert list(block_faults(call)) == []


@pytest.mark.parametrize(("name", "blocks", "message"), BAD, ids=[b[0] for b in BAD])
def test_what_the_documentation_forbids_is_refused(
    name: str, blocks: list[Json], message: str
) -> None:
    faults = message_faults(blocks)
    assert any(message in fault for fault in faults), faults
    assert all("[json-pointer:/blocks" in fault for fault in faults)


def view(*blocks: Json, **over: Any) -> Json:
    return {"type": "modal", "title": plain("t"), "blocks": list(blocks), **over}


@pytest.mark.parametrize(
    "content",
    [
        view(section(), title=plain("x" * 24), close=plain("x" * 24)),
        view(input_(text_input()), submit=plain("x" * 24)),
        view(input_({"type": "email_text_input", "action_id": "a"}), submit=plain()),
        view(*[{"type": "divider"}] * 100),
        view(private_metadata="x" * 3000, callback_id="x" * 255, notify_on_close=True),
    ],
)
def test_a_view_within_the_limits_is_taken(content: Json) -> None:
    assert check_view(copy.deepcopy(content)) == content


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (view(title=plain("x" * 25)), "[json-pointer:/view/title/text]"),
        (view(submit=plain("x" * 25)), "[json-pointer:/view/submit/text]"),
        (view(close=plain("x" * 25)), "[json-pointer:/view/close/text]"),
        (view(title=marked()), "unsupported type: mrkdwn"),
        (view(private_metadata="x" * 3001), "less than 3001"),
        (view(callback_id="x" * 256), "less than 256"),
        (view(external_id="x" * 256), "less than 256"),
        (view(*[{"type": "divider"}] * 101), "no more than 100 items"),
        (view(input_(text_input())), "submit is required"),
        (view(table()), "unsupported type: table"),
        (view(colour="red"), "additional property: colour"),
        ({"type": "modal", "blocks": []}, "missing required field: title"),
        (view(type="home"), "must be one of: modal"),
        ("text", "must provide an object"),
    ],
)
def test_a_view_beyond_the_limits_is_refused(content: Any, message: str) -> None:
    with pytest.raises(ApiError) as refusal:
        check_view(content)
    assert refusal.value.code == "invalid_arguments"
    assert any(message in m for m in refusal.value.messages), refusal.value.messages


def test_a_view_above_250_kilobytes_is_too_large() -> None:
    with pytest.raises(ApiError, match="view_too_large"):
        check_view(view(*[section(text=marked("x" * 3000)) for _ in range(90)]))


@pytest.mark.parametrize("value", ["[", "{}", "12", 12, {"type": "divider"}, ["divider"]])
def test_blocks_that_are_no_array_of_objects_have_the_wrong_format(value: Any) -> None:
    with pytest.raises(ApiError, match="invalid_blocks_format"):
        check_blocks(value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)
KINDS = st.sampled_from(
    ["section", "header", "actions", "context", "input", "rich_text", "table", "image", "button"]
)
SOMEWHAT_LIKE_A_BLOCK = st.fixed_dictionaries(
    {"type": KINDS},
    optional=dict.fromkeys(
        ("text", "elements", "element", "label", "rows", "accessory", "fields"), JSON
    ),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(SOMEWHAT_LIKE_A_BLOCK | JSON, max_size=4))
def test_no_json_breaks_the_checks(blocks: list[Any]) -> None:
    for fault in (*message_faults(blocks), *view_faults(blocks)):
        assert "[json-pointer:/" in fault


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(FINE), st.data())
def test_an_unknown_field_anywhere_is_found(blocks: list[Json], data: st.DataObject) -> None:
    changed = copy.deepcopy(blocks)
    places: list[Json] = []

    def collect(value: Any) -> None:
        if isinstance(value, dict):
            places.append(value)
            for inner in value.values():
                collect(inner)
        elif isinstance(value, list):
            for inner in value:
                collect(inner)

    collect(changed)
    data.draw(st.sampled_from(places))["surprise"] = True
    assert any("surprise" in fault for fault in message_faults(changed))
