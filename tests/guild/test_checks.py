"""What may be posted: every limit at its edge, one beyond it, and what may stand where."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.guild.checks.commands import COMMAND, check_all
from bot.guild.checks.components import check_modal, walk
from bot.guild.checks.grammar import Report, check
from bot.guild.checks.messages import CALLBACK, CREATE, EDIT, Draft, Flag, draft
from bot.guild.values import ApiError, Upload
from tests.judge_discord import SPEC_NAME, request_faults, specification

V2 = 1 << 15
Json = dict[str, Any]


def text(content: str = "x") -> Json:
    return {"type": 10, "content": content}


def button(number: int = 0, **changed: Any) -> Json:
    return {"type": 2, "style": 1, "label": "Go", "custom_id": f"press:{number}", **changed}


def row(*parts: Json) -> Json:
    return {"type": 1, "components": list(parts)}


def container(*parts: Json, **changed: Any) -> Json:
    return {"type": 17, "components": list(parts), **changed}


def section(*parts: Json, accessory: Json | None = None) -> Json:
    return {"type": 9, "components": list(parts), "accessory": accessory or button()}


def option(number: int = 0, **changed: Any) -> Json:
    return {"label": f"Option {number}", "value": f"{number}", **changed}


def select(count: int = 2, **changed: Any) -> Json:
    return {
        "type": 3,
        "custom_id": "pick",
        "options": [option(n) for n in range(count)],
        **changed,
    }


def message(*parts: Json, **changed: Any) -> Json:
    return {"components": list(parts), "flags": V2, **changed}


def faults(act: Callable[[], object]) -> list[str]:
    """Return the faults as ``path CODE``, nothing when it was taken."""
    try:
        act()
    except ApiError as refusal:
        if refusal.code != 50035:
            raise
        return sorted(_flat(refusal.errors or {}))
    return []


def _flat(tree: Json, path: str = "") -> list[str]:
    found = [f"{path} {e['code']}" for e in tree.get("_errors", ())]
    for name, inner in tree.items():
        if name != "_errors":
            found += _flat(inner, f"{path}.{name}" if path else name)
    return found


def posted(body: Json) -> list[str]:
    return faults(lambda: draft(CREATE, body, {}))


TAKEN = {
    "a card": message(
        container(
            text("# Alert"),
            section(text(), text(), text(), accessory=button(1)),
            {"type": 14, "divider": True, "spacing": 2},
            row(*(button(n) for n in range(2, 7))),
            row(select(25, placeholder="p" * 150, min_values=0, max_values=25)),
            accent_color=0xFFFFFF,
            spoiler=False,
        )
    ),
    "forty components": message(*(text() for _ in range(40))),
    "forty with those within": message(container(*(text() for _ in range(39)))),
    "4000 characters": message(text("x" * 2000), text("x" * 2000)),
    "longest label": message(row(button(label="x" * 80, custom_id="c" * 100))),
    "a link": message(row({"type": 2, "style": 5, "label": "x", "url": "https://a.example"})),
    "an emoji for a label": message(row(button(label=None, emoji={"name": "🔥"}))),
    "a picture": message(
        {"type": 12, "items": [{"media": {"url": "https://a.example/b.png"}} for _ in range(10)]}
    ),
    "old rows": {"content": "x", "components": [row(button(n)) for n in range(5)]},
    "2000 characters": {"content": "x" * 2000},
    "ten embeds": {"embeds": [{"title": "x"} for _ in range(10)]},
    "a full embed": {
        "embeds": [
            {
                "title": "x" * 256,
                "description": "x" * 4096,
                "fields": [{"name": "n", "value": "v"} for _ in range(25)],
                "footer": {"text": "f"},
                "author": {"name": "a" * 256},
                "color": 0xFFFFFF,
                "timestamp": "2026-07-01T10:00:00+00:00",
            }
        ]
    },
    "no mentions": {"content": "x", "allowed_mentions": {"parse": []}},
    "some mentions": {"content": "x", "allowed_mentions": {"parse": ["roles"], "users": ["1"]}},
    "a nonce": {"content": "x", "nonce": "n" * 25, "enforce_nonce": True},
    "same ids of zero": message({**text(), "id": 0}, {**text(), "id": 0}),
}


@pytest.mark.parametrize("name", TAKEN)
def test_what_stays_within_the_limits_is_taken(name: str) -> None:
    assert posted(TAKEN[name]) == []


@pytest.mark.skipif(specification() is None, reason=f"{SPEC_NAME} is not at hand")
@pytest.mark.parametrize("name", TAKEN)
def test_the_published_description_takes_it_too(name: str) -> None:
    assert request_faults("MessageCreateRequest", TAKEN[name]) == []


C = "components"
REFUSED: list[tuple[Json, str]] = [
    # How much
    (message(*(text() for _ in range(41))), f"{C} BASE_TYPE_BAD_LENGTH"),
    (
        message(container(*(text() for _ in range(40)))),
        f"{C} COMPONENT_MAX_TOTAL_COMPONENTS_EXCEEDED",
    ),
    (
        message(*(section(text(), accessory=button(n)) for n in range(14))),
        f"{C} COMPONENT_MAX_TOTAL_COMPONENTS_EXCEEDED",
    ),
    (
        message(text("x" * 2001), container(text("x" * 2000))),
        f"{C} COMPONENT_DISPLAYABLE_TEXT_SIZE_EXCEEDED",
    ),
    (message(text("x" * 4001)), f"{C}.0.content BASE_TYPE_MAX_LENGTH"),
    (message(text("")), f"{C}.0.content BASE_TYPE_REQUIRED"),
    (message(row(*(button(n) for n in range(6)))), f"{C}.0.components BASE_TYPE_BAD_LENGTH"),
    (message(row()), f"{C}.0.components BASE_TYPE_BAD_LENGTH"),
    (message(container()), f"{C}.0.components BASE_TYPE_BAD_LENGTH"),
    (message(row(select(26))), f"{C}.0.components.0.options BASE_TYPE_BAD_LENGTH"),
    (message(row(select(0))), f"{C}.0.components.0.options BASE_TYPE_BAD_LENGTH"),
    (message(row(button(label="x" * 81))), f"{C}.0.components.0.label BASE_TYPE_MAX_LENGTH"),
    (
        message(row(button(custom_id="x" * 101))),
        f"{C}.0.components.0.custom_id BASE_TYPE_MAX_LENGTH",
    ),
    (
        message(row(select(placeholder="x" * 151))),
        f"{C}.0.components.0.placeholder BASE_TYPE_MAX_LENGTH",
    ),
    (message(container(text(), accent_color=1 << 24)), f"{C}.0.accent_color NUMBER_TYPE_MAX"),
    (
        message(section(text(), text(), text(), text())),
        f"{C}.0.components BASE_TYPE_BAD_LENGTH",
    ),
    # Twice
    (
        message(row(button(1), button(1))),
        f"{C}.0.components.1.custom_id COMPONENT_CUSTOM_ID_DUPLICATED",
    ),
    (
        message(section(text(), accessory=button(1)), row(button(1))),
        f"{C}.1.components.0.custom_id COMPONENT_CUSTOM_ID_DUPLICATED",
    ),
    (message({**text(), "id": 7}, {**text(), "id": 7}), f"{C}.1.id COMPONENT_ID_DUPLICATED"),
    (
        message(row(select(options=[option(1), option(1)]))),
        f"{C}.0.components.0.options.1.value SELECT_COMPONENT_OPTION_VALUE_DUPLICATED",
    ),
    # What may stand where
    (message(button()), f"{C}.0.type UNION_TYPE_CHOICES"),
    (message(select()), f"{C}.0.type UNION_TYPE_CHOICES"),
    (message(container(container(text()))), f"{C}.0.components.0.type UNION_TYPE_CHOICES"),
    (message(container(button())), f"{C}.0.components.0.type UNION_TYPE_CHOICES"),
    (message(row(text())), f"{C}.0.components.0.type UNION_TYPE_CHOICES"),
    (message(row(row(button()))), f"{C}.0.components.0.type UNION_TYPE_CHOICES"),
    (message(section(button())), f"{C}.0.components.0.type UNION_TYPE_CHOICES"),
    (message(section(text(), accessory=select())), f"{C}.0.accessory.type UNION_TYPE_CHOICES"),
    (message({"type": 9, "components": [text()]}), f"{C}.0.accessory BASE_TYPE_REQUIRED"),
    (message(row(button(), select())), f"{C}.0.components COMPONENT_LAYOUT_WIDTH_EXCEEDED"),
    (message({"type": 18, "label": "x", "component": {}}), f"{C}.0.type UNION_TYPE_CHOICES"),
    (message({"type": True}), f"{C}.0.type UNION_TYPE_CHOICES"),
    (message({}), f"{C}.0.type BASE_TYPE_REQUIRED"),
    ({"components": [text()]}, f"{C}.0.type UNION_TYPE_CHOICES"),
    ({"components": [row(button(n)) for n in range(6)]}, f"{C} BASE_TYPE_BAD_LENGTH"),
    # Buttons
    (
        message(row(button(custom_id=None))),
        f"{C}.0.components.0.custom_id BUTTON_COMPONENT_CUSTOM_ID_REQUIRED",
    ),
    (
        message(row(button(style=5))),
        f"{C}.0.components.0.custom_id BUTTON_COMPONENT_INVALID_FIELD",
    ),
    (
        message(row(button(url="https://a.example"))),
        f"{C}.0.components.0.url BUTTON_COMPONENT_INVALID_FIELD",
    ),
    (
        message(row(button(label=None))),
        f"{C}.0.components.0.label BUTTON_COMPONENT_LABEL_OR_EMOJI_REQUIRED",
    ),
    (message(row(button(style=7))), f"{C}.0.components.0.style BASE_TYPE_CHOICES"),
    (
        message(row({"type": 2, "style": 5, "label": "x", "url": "javascript:x"})),
        f"{C}.0.components.0.url URL_TYPE_INVALID_SCHEME",
    ),
    # Selects
    (
        message(row(select(min_values=2, max_values=1))),
        f"{C}.0.components.0.min_values SELECT_COMPONENT_MIN_ABOVE_MAX",
    ),
    (
        message(row(select(2, max_values=3))),
        f"{C}.0.components.0.max_values SELECT_COMPONENT_TOO_FEW_OPTIONS",
    ),
    (
        message(row(select(options=[option(1, default=True), option(2, default=True)]))),
        f"{C}.0.components.0.options SELECT_COMPONENT_TOO_MANY_DEFAULTS",
    ),
    (
        message(row(select(options=[option(1, description="x" * 101)]))),
        f"{C}.0.components.0.options.0.description BASE_TYPE_MAX_LENGTH",
    ),
    # Media
    (
        message({"type": 13, "file": {"url": "https://a.example"}}),
        f"{C}.0.file.url URL_TYPE_INVALID_SCHEME",
    ),
    (
        message({"type": 13, "file": {"url": "attachment://x.txt"}}),
        f"{C}.0.file.url UNFURLED_MEDIA_ITEM_REFERENCED_ATTACHMENT_NOT_FOUND",
    ),
    # The message
    (
        message(text(), content="x"),
        "content MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2",
    ),
    (
        message(text(), embeds=[{"title": "x"}]),
        "embeds MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2",
    ),
    ({"content": "x" * 2001}, "content BASE_TYPE_MAX_LENGTH"),
    ({"content": 7}, "content STRING_TYPE_CONVERT"),
    ({"content": "x", "flags": 64}, "flags MESSAGE_FLAGS_INVALID"),
    ({"content": "x", "flags": "64"}, "flags NUMBER_TYPE_COERCE"),
    ({"content": "x", "nonce": "n" * 26}, "nonce BASE_TYPE_MAX_LENGTH"),
    ({"content": "x", "colour": 1}, "colour UNKNOWN_FIELD"),
    ({"content": "x", "attachments": [{"id": 0}]}, "attachments.0.id ATTACHMENT_NOT_FOUND"),
    (
        {"content": "x", "allowed_mentions": {"parse": ["users"], "users": ["1"]}},
        "allowed_mentions MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE",
    ),
    (
        {"content": "x", "allowed_mentions": {"parse": ["all"]}},
        "allowed_mentions.parse.0 BASE_TYPE_CHOICES",
    ),
    (
        {"content": "x", "allowed_mentions": {"users": ["me"]}},
        "allowed_mentions.users.0 NUMBER_TYPE_COERCE",
    ),
    # Embeds
    ({"embeds": [{"title": "x"}] * 11}, "embeds BASE_TYPE_BAD_LENGTH"),
    ({"embeds": [{"title": "x" * 257}]}, "embeds.0.title BASE_TYPE_MAX_LENGTH"),
    ({"embeds": [{"description": "x" * 4000}] * 2}, "embeds MAX_EMBED_SIZE_EXCEEDED"),
    (
        {"embeds": [{"fields": [{"name": "n", "value": "v"}] * 26}]},
        "embeds.0.fields BASE_TYPE_BAD_LENGTH",
    ),
    (
        {"embeds": [{"fields": [{"name": "n", "value": ""}]}]},
        "embeds.0.fields.0.value BASE_TYPE_REQUIRED",
    ),
    ({"embeds": [{"timestamp": "today"}]}, "embeds.0.timestamp DATE_TIME_TYPE_PARSE"),
]


@pytest.mark.parametrize(("body", "fault"), REFUSED, ids=[fault for _, fault in REFUSED])
def test_what_breaks_a_rule_is_refused_at_its_place(body: Json, fault: str) -> None:
    assert fault in posted(body)


@pytest.mark.parametrize("body", [{}, {"content": ""}, {"content": " \n"}, message()])
def test_an_empty_message_is_refused(body: Json) -> None:
    with pytest.raises(ApiError) as refusal:
        draft(CREATE, body, {})
    assert refusal.value.code == 50006


def test_an_edit_keeps_what_it_leaves_out_and_never_loses_the_v2_flag() -> None:
    before = draft(CREATE, message(text("one")), {})
    same = draft(EDIT, {"allowed_mentions": {"parse": []}}, {}, before)
    assert same == Draft("", [], [text("one")], Flag.IS_COMPONENTS_V2, (), ())
    assert faults(lambda: draft(EDIT, {"content": "x", "flags": 0}, {}, before))
    plain = draft(CREATE, {"content": "one"}, {})
    body = {"content": None, "components": [text()], "flags": V2}
    assert draft(EDIT, body, {}, plain).flags & Flag.IS_COMPONENTS_V2
    assert faults(lambda: draft(EDIT, {"components": [text()], "flags": V2}, {}, plain))


def test_files_come_with_what_is_said_of_them_and_may_be_kept() -> None:
    files = {0: Upload("a.txt", b"a", "text/plain"), 1: Upload("b.txt", b"b", "text/plain")}
    body = {"attachments": [{"id": 1, "filename": "c.txt", "description": "See"}]}
    made = draft(CREATE, body, files)
    assert [(i, said.get("filename")) for i, said in made.added] == [(1, "c.txt"), (0, None)]
    kept = Draft("", [], [], Flag(0), ("7", "8"), ())
    edited = draft(EDIT, {"attachments": [{"id": "7"}]}, {}, kept, {"7": "a", "8": "b"})
    assert edited.kept == ("7",)


def test_only_answers_can_be_ephemeral() -> None:
    assert draft(CALLBACK, {"content": "x", "flags": 64}, {}).flags == Flag.EPHEMERAL
    assert posted({"content": "x", "flags": 64})


# Modals


def label(component: Json, **changed: Any) -> Json:
    return {"type": 18, "label": "A label", "component": component, **changed}


def field(number: int = 0, **changed: Any) -> Json:
    return {"type": 4, "style": 1, "custom_id": f"field{number}", **changed}


def radio(count: int = 2, **changed: Any) -> Json:
    options = [option(n) for n in range(count)]
    return {"type": 21, "custom_id": "radio", "options": options, **changed}


def boxes(count: int = 2, **changed: Any) -> Json:
    options = [option(n) for n in range(count)]
    return {"type": 22, "custom_id": "boxes", "options": options, **changed}


def modal(*parts: Json, **changed: Any) -> Json:
    return {"custom_id": "form:1", "title": "A title", "components": list(parts), **changed}


def opened(body: Json) -> list[str]:
    def act() -> None:
        report = Report()
        check_modal(body, (), report)
        report.refuse()

    return faults(act)


MODALS_TAKEN = {
    "one of each": modal(
        text("Read this"),
        label(field(min_length=0, max_length=4000, placeholder="p" * 100, required=False)),
        label(radio(10, required=True), description="d" * 100),
        label(boxes(10, min_values=0, max_values=10, required=False)),
        label(select(25, min_values=1, max_values=25, required=True)),
        title="t" * 45,
    ),
    "an old row": modal(row(field(label="A label"))),
    "a tick": modal(label({"type": 23, "custom_id": "tick", "default": True})),
    "files": modal(label({"type": 19, "custom_id": "files", "max_values": 10})),
    "people": modal(label({"type": 5, "custom_id": "people", "max_values": 3})),
}


@pytest.mark.parametrize("name", MODALS_TAKEN)
def test_a_modal_within_the_limits_is_taken(name: str) -> None:
    assert opened(MODALS_TAKEN[name]) == []


@pytest.mark.skipif(specification() is None, reason=f"{SPEC_NAME} is not at hand")
@pytest.mark.parametrize("name", MODALS_TAKEN)
def test_the_published_description_takes_the_modal_too(name: str) -> None:
    assert request_faults("ModalInteractionCallbackRequestData", MODALS_TAKEN[name]) == []


MODALS_REFUSED: list[tuple[Json, str]] = [
    (modal(), f"{C} BASE_TYPE_BAD_LENGTH"),
    (modal(*(label(field(n)) for n in range(6))), f"{C} BASE_TYPE_BAD_LENGTH"),
    (modal(label(field()), title="t" * 46), "title BASE_TYPE_MAX_LENGTH"),
    (modal(label(field()), custom_id=None), "custom_id BASE_TYPE_REQUIRED"),
    (modal(label(field(), label="l" * 46)), f"{C}.0.label BASE_TYPE_MAX_LENGTH"),
    (modal(label(field(), description="d" * 101)), f"{C}.0.description BASE_TYPE_MAX_LENGTH"),
    (modal(label(field(label="Own"))), f"{C}.0.component.label UNKNOWN_FIELD"),
    (modal(row(field())), f"{C}.0.components.0.label BASE_TYPE_REQUIRED"),
    (modal(label(text())), f"{C}.0.component.type UNION_TYPE_CHOICES"),
    (modal(label(button())), f"{C}.0.component.type UNION_TYPE_CHOICES"),
    (modal(container(text())), f"{C}.0.type UNION_TYPE_CHOICES"),
    (modal(row(button())), f"{C}.0.components.0.type UNION_TYPE_CHOICES"),
    (modal(field()), f"{C}.0.type UNION_TYPE_CHOICES"),
    (modal(label(radio(1))), f"{C}.0.component.options BASE_TYPE_BAD_LENGTH"),
    (modal(label(radio(11))), f"{C}.0.component.options BASE_TYPE_BAD_LENGTH"),
    (modal(label(boxes(11))), f"{C}.0.component.options BASE_TYPE_BAD_LENGTH"),
    (
        modal(label(radio(options=[option(1, default=True), option(2, default=True)]))),
        f"{C}.0.component.options RADIO_GROUP_TOO_MANY_DEFAULTS",
    ),
    (
        modal(label(boxes(min_values=0))),
        f"{C}.0.component.min_values COMPONENT_REQUIRED_MIN_VALUES",
    ),
    (
        modal(label(select(min_values=0))),
        f"{C}.0.component.min_values COMPONENT_REQUIRED_MIN_VALUES",
    ),
    (
        modal(label(select(disabled=True))),
        f"{C}.0.component.disabled COMPONENT_DISABLED_IN_MODAL",
    ),
    (
        modal(label(field(min_length=5, max_length=4))),
        f"{C}.0.component.min_length TEXT_INPUT_MIN_ABOVE_MAX",
    ),
    (
        modal(label(field(max_length=3, value="long"))),
        f"{C}.0.component.value BASE_TYPE_BAD_LENGTH",
    ),
    (
        modal(label(field(1)), label(field(1))),
        f"{C}.1.component.custom_id COMPONENT_CUSTOM_ID_DUPLICATED",
    ),
    (modal(label(field(style=3))), f"{C}.0.component.style BASE_TYPE_CHOICES"),
]


@pytest.mark.parametrize(
    ("body", "fault"), MODALS_REFUSED, ids=[fault for _, fault in MODALS_REFUSED]
)
def test_a_modal_that_breaks_a_rule_is_refused_at_its_place(body: Json, fault: str) -> None:
    assert fault in opened(body)


# Commands


def command(*options: Json, **changed: Any) -> Json:
    return {"name": "spool", "description": "Look", "type": 1, "options": list(options), **changed}


def given_option(name: str = "sender", kind: int = 3, **changed: Any) -> Json:
    return {"type": kind, "name": name, "description": "d", **changed}


def sub(name: str, *options: Json) -> Json:
    return {"type": 1, "name": name, "description": "d", "options": list(options)}


def choices(count: int, value: Callable[[int], object] = str) -> list[Json]:
    return [{"name": f"{n}", "value": value(n)} for n in range(count)]


def registered(body: Json) -> list[str]:
    return faults(lambda: check(COMMAND, body))


COMMANDS_TAKEN = {
    "twenty-five subcommands": command(*(sub(f"s{n}") for n in range(25))),
    "twenty-five options": command(
        given_option("first", required=True), *(given_option(f"o{n}") for n in range(24))
    ),
    "twenty-five choices": command(given_option(choices=choices(25))),
    "numbers": command(given_option(kind=4, min_value=-5, max_value=5, choices=choices(3, int))),
    "suggestions": command(given_option(autocomplete=True, min_length=0, max_length=6000)),
    "other scripts": command(name="प्रेषक-1_'", description="d" * 100),
    "a group": command(
        {"type": 2, "name": "mail", "description": "d", "options": [sub("hold"), sub("free")]}
    ),
    "a menu": {"name": "Look At This", "type": 3},
}


@pytest.mark.parametrize("name", COMMANDS_TAKEN)
def test_a_command_within_the_limits_is_taken(name: str) -> None:
    assert registered(COMMANDS_TAKEN[name]) == []


@pytest.mark.skipif(specification() is None, reason=f"{SPEC_NAME} is not at hand")
@pytest.mark.parametrize("name", COMMANDS_TAKEN)
def test_the_published_description_takes_the_command_too(name: str) -> None:
    assert request_faults("ApplicationCommandUpdateRequest", COMMANDS_TAKEN[name]) == []


O = "options"  # noqa: E741
COMMANDS_REFUSED: list[tuple[Json, str]] = [
    (command(name="Spool"), "name APPLICATION_COMMAND_INVALID_NAME"),
    (command(name="spool it"), "name APPLICATION_COMMAND_INVALID_NAME"),
    (command(name="x" * 33), "name BASE_TYPE_MAX_LENGTH"),
    (command(description=""), "description BASE_TYPE_REQUIRED"),
    (command(description="d" * 101), "description BASE_TYPE_MAX_LENGTH"),
    (command(*(sub(f"s{n}") for n in range(26))), f"{O} BASE_TYPE_BAD_LENGTH"),
    (
        command(sub("a", *(given_option(f"o{n}") for n in range(26)))),
        f"{O}.0.options BASE_TYPE_BAD_LENGTH",
    ),
    (command(given_option(choices=choices(26))), f"{O}.0.choices BASE_TYPE_BAD_LENGTH"),
    (
        command(given_option(choices=choices(1), autocomplete=True)),
        f"{O}.0.choices APPLICATION_COMMAND_CHOICES_AND_AUTOCOMPLETE",
    ),
    (
        command(given_option(choices=choices(1, int))),
        f"{O}.0.choices.0.value STRING_TYPE_CONVERT",
    ),
    (
        command(given_option(kind=4, choices=choices(1))),
        f"{O}.0.choices.0.value NUMBER_TYPE_COERCE",
    ),
    (command(given_option(kind=5, choices=choices(1))), f"{O}.0.choices UNKNOWN_FIELD"),
    (
        command(given_option("a"), given_option("a")),
        f"{O}.1.name APPLICATION_COMMAND_OPTIONS_NAME_INVALID",
    ),
    (
        command(given_option("a"), given_option("b", required=True)),
        f"{O}.1 APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID",
    ),
    (
        command(sub("a", given_option("a"), given_option("b", required=True))),
        f"{O}.0.options.1 APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID",
    ),
    (command(sub("a"), given_option("b")), f"{O} APPLICATION_COMMAND_OPTIONS_TYPE_INVALID"),
    (command(sub("a", sub("b"))), f"{O}.0.options.0.type UNION_TYPE_CHOICES"),
    (command(given_option("a", kind=12)), f"{O}.0.type UNION_TYPE_CHOICES"),
    (
        command(given_option(kind=4, min_value=2, max_value=1)),
        f"{O}.0.min_value APPLICATION_COMMAND_OPTION_BOUNDS",
    ),
    (
        command(*(given_option(f"o{n}", choices=[
            {"name": str(c), "value": f"{c}" + "x" * 95} for c in range(9)
        ]) for n in range(10))),
        " APPLICATION_COMMAND_TOO_LARGE",
    ),
    ({"name": "x", "type": 2, "description": "d"}, " APPLICATION_COMMAND_MENU_FIELDS"),
    (command(default_member_permissions="all"), "default_member_permissions NUMBER_TYPE_COERCE"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "fault"), COMMANDS_REFUSED, ids=[fault for _, fault in COMMANDS_REFUSED]
)
def test_a_command_that_breaks_a_rule_is_refused_at_its_place(body: Json, fault: str) -> None:
    assert fault in registered(body)


def test_the_names_of_all_commands_differ_and_they_are_not_too_many() -> None:
    many = [command(name=f"c{n}") for n in range(101)]
    assert faults(lambda: check(check_all, many[:100])) == []
    assert faults(lambda: check(check_all, many)) == [" BASE_TYPE_BAD_LENGTH"]
    assert faults(lambda: check(check_all, [command(), command()])) == [
        "1.name APPLICATION_COMMANDS_DUPLICATE_NAME"
    ]


# What the guild takes, the published description takes

_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 30),
    st.text(max_size=3),
    st.sampled_from(["https://a.example", "press:1", "x" * 101, "x" * 4001, 1 << 24]),
)
_NAMES = st.sampled_from(
    ["id", "label", "custom_id", "style", "url", "emoji", "disabled", "content", "placeholder",
     "min_values", "max_values", "required", "options", "description", "default", "accent_color",
     "spoiler", "divider", "spacing", "media", "file", "items", "accessory", "components", "value"]
)  # fmt: skip
_PLAIN = st.one_of(st.builds(text, st.text(min_size=1, max_size=5)), st.just({"type": 14}))
_PLACES = st.one_of(
    _PLAIN,
    st.integers(1, 5).map(lambda n: row(*(button(i) for i in range(n)))),
    st.integers(1, 3).map(lambda n: row(select(n))),
    st.integers(1, 3).map(lambda n: section(*(text() for _ in range(n)))),
)
_BODIES = st.lists(
    st.one_of(_PLACES, st.lists(_PLACES, min_size=1, max_size=2).map(lambda p: container(*p))),
    min_size=1,
    max_size=2,
).map(lambda parts: message(*parts))
_CHANGES = st.lists(st.tuples(st.integers(0, 9), _NAMES, _SCALARS), max_size=2)


def changed(body: Json, changes: list[tuple[int, str, Any]]) -> Json:
    """Return a copy with fields of some of its components set to something else."""
    copied: Json = copy.deepcopy(body)
    parts = [part for _, part in walk(copied["components"])]
    for place, name, value in changes:
        parts[place % len(parts)][name] = value
    return copied


@pytest.mark.skipif(specification() is None, reason=f"{SPEC_NAME} is not at hand")
@settings(max_examples=100, deadline=None)
@given(st.builds(changed, _BODIES, _CHANGES))
def test_the_guild_is_at_least_as_strict_as_the_published_description(body: Json) -> None:
    try:
        draft(CREATE, body, {})
    except ApiError:
        return
    assert request_faults("MessageCreateRequest", body) == []
