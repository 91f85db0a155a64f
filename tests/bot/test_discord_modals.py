"""Forms as Discord's modals: all of today's fit, and what is filled in is read back."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from discord import ui
from hypothesis import given, settings
from hypothesis import strategies as st

from bot import forms
from bot.discord.components import question
from bot.discord.modals import MAX_FIELDS, modal, values
from bot.elements import (
    Button,
    Choose,
    Field,
    Form,
    Option,
    Paragraph,
    Points,
    Row,
    Small,
    Tick,
    Values,
    Write,
    cut,
    say,
    visible,
)
from services.targets import Target
from tests.bot.discord_rules import (
    Json,
    component_faults,
    described_faults,
    kinds,
    modal_faults,
    parse,
    texts,
    walk,
)
from tests.bot.hostile import ATTACKS, HUGE, POOLS
from tests.bot.samples import FORMS, INTENT, anna, form, words_of
from tests.bot.test_discord_components import (
    IDS,
    MANY_SECTIONS,
    OPTIONS,
    TIMES,
    VALUES,
    WORDS,
    payload,
    stretched,
)
from tests.judge_discord import specification


def shown(asked: Form) -> Json:
    made: Json = modal(asked).to_dict()
    return made


def assert_taken(asked: Form) -> Json:
    """Assert that Discord takes the form, and reads nothing in it that isn't ours."""
    made = shown(asked)
    assert modal_faults(made) == []
    if specification() is not None:
        assert list(component_faults(made["components"], "Modal")) == []
    for text in texts(made["components"]):
        assert set(kinds(parse(text))) <= {
            "text",
            "bold",
            "code",
            "moment",
            "small",
            "list",
            "block",
        }
        assert visible(text, lines=True) == text
    return made


def fields_of(made: Json) -> dict[str, Json]:
    return {
        one["component"]["custom_id"]: one["component"]
        for one in made["components"]
        if one["type"] == 18
    }


def submitted(made: Json, filled: Mapping[str, Any] | None = None) -> list[Json]:
    """Return what a client sends for a modal: what it began with, unless filled in otherwise."""
    chosen = dict(filled or {})
    sent: list[Json] = []
    for number, one in enumerate(made["components"]):
        if one["type"] == 10:
            sent.append({"type": 10, "id": number})
            continue
        field = one["component"]
        begun = [option["value"] for option in field.get("options", ()) if option["default"]]
        answer: Json = {"type": field["type"], "custom_id": field["custom_id"], "id": number}
        value = chosen.pop(field["custom_id"], None)
        match field["type"]:
            case 3 | 22:
                answer["values"] = begun if value is None else value
            case 21:
                answer["value"] = next(iter(begun), None) if value is None else value
            case 4:
                answer["value"] = field.get("value", "") if value is None else value
        sent.append({"type": 18, "id": number, "component": answer})
    assert chosen == {}
    return sent


# -- every form ----------------------------------------------------------------------


@pytest.mark.parametrize("name", FORMS)
def test_every_form_of_the_bot_fits_with_each_attack_in_every_place(name: str) -> None:
    for attack in ATTACKS:
        asked = FORMS[name](words_of(attack))
        assert list(fields_of(assert_taken(asked))) == [field.name for field in asked.fields]


@pytest.mark.parametrize("name", FORMS)
def test_every_form_is_a_modal_as_the_published_description_has_it(name: str) -> None:
    if specification() is None:
        pytest.skip("Discord's description is not at hand; set SPOOLWARDEN_SPECS")
    made = shown(FORMS[name](anna))
    assert described_faults("ModalInteractionCallbackRequestData", made) == []


@pytest.mark.parametrize("text", HUGE, ids=["mentions", "overrides", "lines"])
def test_texts_of_twenty_kilobytes_are_cut_to_what_discord_takes(text: str) -> None:
    for asked in FORMS.values():
        assert_taken(asked(words_of(text)))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(sorted(FORMS)), min_size=3, max_size=3), POOLS)
def test_a_form_with_anything_in_its_places_is_taken_and_harmless(
    names: list[str], pool: list[str]
) -> None:
    words = words_of(*pool)
    for name in names:
        assert_taken(FORMS[name](words))


@pytest.mark.parametrize("name", FORMS)
def test_a_form_that_is_submitted_untouched_says_what_it_began_with(name: str) -> None:
    asked = FORMS[name](anna)
    read = values(submitted(shown(asked)))
    for field in asked.fields:
        match field:
            case Choose(name_, _, _, initial):
                assert read[name_] == (initial,)
            case Tick(name_, _, _, initial_ticks):
                assert read[name_] == initial_ticks
            case Write(name_):
                assert name_ not in read


FIELDS: st.SearchStrategy[Field] = st.one_of(
    st.builds(Choose, IDS, WORDS, OPTIONS, IDS),
    st.builds(Tick, IDS, WORDS, OPTIONS, st.lists(VALUES, max_size=3).map(tuple)),
    st.builds(Write, IDS, WORDS, WORDS, WORDS, st.integers(1, 5000)),
)
ANY_FORM = st.builds(
    Form,
    WORDS,
    MANY_SECTIONS,
    st.lists(FIELDS, max_size=MAX_FIELDS, unique_by=lambda field: field.name).map(tuple),
    WORDS,
    IDS,
)


@settings(max_examples=150, deadline=None)
@given(ANY_FORM, TIMES, TIMES)
def test_whatever_a_form_holds_it_is_taken_and_harmless(asked: Form, long: int, many: int) -> None:
    assert_taken(stretched(replace(asked, sections=asked.sections * many), long))


@settings(max_examples=150, deadline=None)
@given(ANY_FORM, st.data())
def test_what_is_filled_in_is_read_back(asked: Form, data: st.DataObject) -> None:
    made = shown(asked)
    filled: dict[str, Any] = {}
    wanted: Values = {}
    for name, field in fields_of(made).items():
        options = [option["value"] for option in field.get("options", ())]
        match field["type"]:
            case 22:
                ticked = data.draw(st.lists(st.sampled_from(options), unique=True))
                filled[name], wanted[name] = ticked, tuple(ticked)
            case 3:
                one = data.draw(st.sampled_from(options))
                filled[name], wanted[name] = [one], (one,)
            case 21:
                filled[name] = data.draw(st.sampled_from(options))
                wanted[name] = (filled[name],)
            case 4:
                filled[name] = data.draw(st.text(max_size=min(20, field["max_length"])))
                if filled[name]:
                    wanted[name] = (filled[name],)
    assert values(submitted(made, filled)) == wanted


# -- single fields -------------------------------------------------------------------


def field_of(field: Field) -> Json:
    [label] = assert_taken(Form("Title", (), (field,), "Do", "id"))["components"]
    assert isinstance(label, dict)
    return label


@pytest.mark.parametrize(("count", "kind"), [(1, 3), (2, 21), (10, 21), (11, 3), (25, 3), (50, 3)])
def test_a_choice_is_a_list_of_radio_buttons_while_they_are_few(count: int, kind: int) -> None:
    options = tuple(Option(f"Option {n}", str(n)) for n in range(count))
    component = field_of(Choose("how", "How", options, str(count - 1)))["component"]
    assert component["type"] == kind
    assert component["required"]
    assert len(component["options"]) == min(count, 25)
    assert [o["value"] for o in component["options"] if o["default"]] == [str(count - 1)]


def test_a_choice_whose_first_is_unknown_starts_with_the_first() -> None:
    options = (Option("A", "a"), Option("B", "b"))
    component = field_of(Choose("how", "How", options, "z"))["component"]
    assert [o["value"] for o in component["options"] if o["default"]] == ["a"]


def test_ticks_start_as_they_were_asked_for_and_none_may_be_left() -> None:
    options = tuple(Option(f"Option {n}", str(n)) for n in range(3))
    component = field_of(Tick("networks", "Addresses", options, ("0", "2")))["component"]
    assert [o["default"] for o in component["options"]] == [True, False, True]
    assert (component["required"], component["min_values"], component["max_values"]) == (
        False,
        0,
        3,
    )


def test_a_written_field_has_its_bounds() -> None:
    label = field_of(Write("new", "New", "a hint", "x" * 99, 40))
    assert label["description"] == "a hint"
    component = label["component"]
    assert component["max_length"] == 40
    assert component["value"] == cut("x" * 99, 40)
    assert component["required"] is False


def test_a_modal_is_known_by_its_intent_and_says_its_sections() -> None:
    asked = Form(
        "Move messages?",
        (
            Paragraph(say("a*")),
            Points((say("b"),)),
            Row(say("c"), Button("preview-1", "Preview", "id")),
            Small(say("d")),
        ),
        (Write("new", "New"),),
        "Move",
        INTENT.format("move"),
    )
    made = assert_taken(asked)
    assert (made["custom_id"], made["title"]) == ("form:iNtEnT-0_move", "Move messages?")
    assert texts(made["components"]) == ["a\\*\n- b\nc\n-# d"]


def test_more_fields_than_a_modal_holds_are_the_programs_fault() -> None:
    fields = tuple(Write(f"f{n}", "Field") for n in range(MAX_FIELDS + 1))
    assert_taken(Form("Title", (Paragraph(say("x")),), fields[:MAX_FIELDS], "Do", "id"))
    with pytest.raises(ValueError, match="a modal holds 4 fields, “Title” has more"):
        modal(Form("Title", (), fields, "Do", "id"))


def test_a_form_without_anything_is_still_taken() -> None:
    assert_taken(Form("", (), (), "Do", "id"))
    assert_taken(Form("", (), (Choose("how", "How", (), ""), Tick("t", "T", ())), "Do", "id"))


async def test_the_client_keeps_no_modal_for_itself() -> None:
    made: ui.Modal = modal(FORMS["move"](anna))
    assert made.is_finished()
    assert made.timeout is None


# -- what comes back -----------------------------------------------------------------


def test_a_submitted_modal_is_read_by_the_names_of_its_fields() -> None:
    sent: list[Json] = [
        {"type": 10, "id": 1},
        {"type": 18, "component": {"type": 21, "custom_id": "lasting", "value": "24h"}},
        {"type": 18, "component": {"type": 21, "custom_id": "unset", "value": None}},
        {"type": 18, "component": {"type": 22, "custom_id": "networks", "values": ["0", "rest"]}},
        {"type": 18, "component": {"type": 22, "custom_id": "none", "values": []}},
        {"type": 18, "component": {"type": 3, "custom_id": "folder", "values": ["spam"]}},
        {"type": 1, "components": [{"type": 4, "custom_id": "new", "value": "junk"}]},
        {"type": 18, "component": {"type": 4, "custom_id": "empty", "value": ""}},
    ]
    assert values(sent) == {
        "lasting": ("24h",),
        "networks": ("0", "rest"),
        "none": (),
        "folder": ("spam",),
        "new": ("junk",),
    }
    assert values([]) == {}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "custom_id", "component", "components", "value", "values"]),
            inner,
        )
    ),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(JSON, max_size=4))
def test_nothing_that_is_sent_breaks_the_reading(sent: list[Any]) -> None:
    read = values(sent)
    assert all(isinstance(value, str) for found in read.values() for value in found)


def test_what_is_filled_in_changes_what_is_done() -> None:
    many = tuple(ip_network(f"203.0.113.{number}") for number in range(200))
    made = shown(form("block", networks=many))
    read = values(submitted(made, {"networks": ["1", "rest"], "lasting": "1h"}))
    target = forms.amend("block", Target(networks=many), read)
    assert target.networks == (many[1], *many[9:])
    assert target.lasting == timedelta(hours=1)


@pytest.mark.parametrize("name", [name for name, make in FORMS.items() if not make(anna).fields])
def test_a_form_without_fields_is_also_a_question(name: str) -> None:
    asked = FORMS[name](anna)
    pressed = [one for one in walk(payload(question(asked))) if one["type"] == 2]
    assert [one["custom_id"] for one in pressed] == [f"submit:{asked.intent_id}", "cancel"]
    assert pressed[0]["label"] == asked.submit
