"""The table of commands: complete, consistent, and what is typed finds its row."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot import acts, respond
from bot.alert_card import MORE
from bot.app import App
from bot.arguments import Arguments, parse
from bot.commands import CARD_ACTIONS, COMMAND, COMMANDS, Command, misnamed
from bot.dispatch import Dispatch, understand
from bot.elements import Card, Points, plain
from services.errors import BadArgument, ConfigError
from services.intents import APPROVE, DECLINE, UNDO
from services.people import Actor, Place, Role
from services.remedies import REMEDIES
from services.settings import AccessSettings, EmbeddedServerSettings, Settings

VERA = Actor("slack", "U0VERA", "vera")
OTTO = Actor("slack", "U0OTTO", "otto")
PLACE = Place("slack", "C0OPS")
ROWS = list(COMMANDS.values())
TYPED = [row for row in ROWS if row.slash]

each = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
each_typed = pytest.mark.parametrize("row", TYPED, ids=lambda row: row.name)


def refused(text: str) -> str:
    with pytest.raises(BadArgument) as refusal:
        understand(text)
    return refusal.value.sentence


def understood(text: str) -> tuple[Command, Arguments] | str:
    """Return what was understood, or the sentence that refuses it; nothing else may come out."""
    try:
        return understand(text)
    except BadArgument as refusal:
        return refusal.sentence


@each
def test_every_row_is_typed_or_pressed_and_says_what_it_is_for(row: Command) -> None:
    assert row.slash or row.pressed is not None
    assert COMMANDS[row.name] is row
    assert re.fullmatch(r"[a-z_]+", row.name)
    assert row.summary
    assert not row.summary.endswith(".")
    assert row.role >= Role.VIEWER


def test_every_remedy_has_its_row_and_its_role() -> None:
    # Only the bot itself contains; the setting of that is an admin's.
    for name, remedy in ((n, r) for n, r in REMEDIES.items() if n != "contain"):
        assert COMMANDS[name].role is remedy.role
        assert COMMANDS[name].pressed in (
            acts.ask_pressed,
            acts.act_pressed,
            respond.look_pressed,
            respond.report_pressed,
        )
        assert COMMANDS[name].role >= Role.OPERATOR


def test_what_only_reads_needs_no_more_than_a_viewer() -> None:
    for row in ROWS:
        if row.name not in REMEDIES and row.name not in (UNDO, APPROVE, DECLINE, "pin"):
            assert row.role is Role.VIEWER


@each_typed
def test_a_typed_row_has_an_example_that_is_understood_as_it(row: Command) -> None:
    assert row.example.startswith(COMMAND)
    command, _ = understand(row.example.removeprefix(COMMAND))
    assert command is row


@each_typed
def test_no_two_arguments_of_a_row_are_confused(row: Command) -> None:
    assert len({argument.typed for argument in row.takes}) == len(row.takes)
    assert len({argument.into for argument in row.takes}) == len(row.takes)
    first = [argument for argument in row.takes if argument.first]
    if len(first) > 1:
        # Which of them a word is meant for is told by what it says.
        choices = [choice for argument in first for choice in argument.choices]
        assert all(argument.choices for argument in first)
        assert len(set(choices)) == len(choices)
    for argument in row.takes:
        assert argument.into in Arguments.__slots__
        assert argument.means
        # The parser reads letters before a colon as a name.
        assert re.fullmatch(r"[a-z]+", argument.typed)


@each_typed
def test_the_usage_line_names_every_argument_and_which_must_be_there(row: Command) -> None:
    words = row.usage.split()
    assert words[0] == COMMAND
    assert row.name == "dashboard" or words[1] == row.name
    shown = words[1:] if row.name == "dashboard" else words[2:]
    assert len(shown) == len(row.takes)
    for word, argument in zip(shown, row.takes, strict=True):
        name = argument.typed.upper() if argument.first else f"{argument.typed}:…"
        assert word == (name if argument.required else f"[{name}]")


def test_the_card_offers_what_the_table_can_press() -> None:
    first = ("stop", "search", "acknowledge", "respond")
    assert (*first, *(action for action, _, _ in MORE)) == CARD_ACTIONS
    for action in CARD_ACTIONS:
        assert COMMANDS[action].pressed is not None


@pytest.fixture
async def dispatch(tmp_path: Path) -> AsyncIterator[Dispatch]:
    """A dispatch with its database; its mail server is not started, as nothing here asks it."""
    app = App(
        Settings(
            database=f"sqlite:///{tmp_path}/bot.db",
            mail_server=(EmbeddedServerSettings(database=tmp_path / "mail.db"),),
            access=AccessSettings(viewers=(VERA.user_id,), operators=(OTTO.user_id,)),
        )
    )
    await app.store.open()
    yield app.dispatch
    await app.store.close()


async def card_for(dispatch: Dispatch, text: str) -> Card:
    answer = await dispatch.typed(VERA, PLACE, text)
    assert not answer.failed
    assert isinstance(answer.reply, Card)
    return answer.reply


def points(card: Card) -> list[list[str]]:
    """Return what a card's lists say."""
    return [
        [plain(item) for item in section.items]
        for section in card.sections
        if isinstance(section, Points)
    ]


async def test_help_lists_every_typed_command_and_no_other(dispatch: Dispatch) -> None:
    card = await card_for(dispatch, "help")
    assert points(card) == [[f"{row.usage}: {row.summary}" for row in TYPED]]


@pytest.mark.parametrize("about", ["search", "SEARCH", "command:search"])
async def test_help_of_a_command_tells_of_its_arguments(dispatch: Dispatch, about: str) -> None:
    row = COMMANDS["search"]
    assert points(await card_for(dispatch, f"help {about}")) == [
        [f"{row.usage}: {row.summary}"],
        [f"{argument.typed}: {argument.means}" for argument in row.takes],
    ]


@pytest.mark.parametrize("about", ["acknowledge", "serach", "undo"])
async def test_help_of_what_cannot_be_typed_says_so(dispatch: Dispatch, about: str) -> None:
    answer = await dispatch.typed(VERA, PLACE, f"help {about}")
    assert answer.sentence == f"⚠️ There is no command “{about}”. /spool help lists all."
    assert (answer.failed, answer.again) == (True, True)


async def test_a_stranger_is_told_nothing_not_even_the_help(dispatch: Dispatch) -> None:
    answer = await dispatch.typed(Actor("slack", "U0EVE", "eve"), PLACE, "help")
    assert answer.failed
    assert "search" not in answer.sentence


@pytest.mark.parametrize("text", ["move", "delete", "move folder:spam", "delete permanent:no"])
async def test_the_whole_spool_is_never_taken_by_saying_nothing(
    dispatch: Dispatch, text: str
) -> None:
    answer = await dispatch.typed(OTTO, PLACE, text)
    assert answer.sentence.startswith("⚠️ That would be the whole spool. Say which messages")
    assert (answer.failed, answer.again) == (True, True)


async def test_what_cannot_be_understood_can_be_typed_again(dispatch: Dispatch) -> None:
    answer = await dispatch.typed(VERA, PLACE, "search sendr:x@y.example")
    assert "“sendr:x@y.example”" in answer.sentence
    assert (answer.failed, answer.again) == (True, True)


@each_typed
def test_a_row_is_found_however_its_name_is_written(row: Command) -> None:
    rest = row.example.removeprefix(COMMAND).strip().removeprefix(row.name)
    for name in (row.name, row.name.upper(), f"  {row.name}"):
        command, _ = understand(f"{name}{rest}")
        assert command is row


@pytest.mark.parametrize("text", ["", " ", "\n", "\t "])
def test_nothing_typed_is_the_dashboard(text: str) -> None:
    assert understand(text) == (COMMANDS["dashboard"], Arguments())


@pytest.mark.parametrize(
    "word", ["serach", "preview", "acknowledge", "undo", "x" * 500, "__class__", "sender:a"]
)
def test_an_unknown_command_is_refused_with_those_there_are_and_an_example(word: str) -> None:
    sentence = refused(f"{word} anna@example.com")
    assert f"I know no command “{word[:40]}”." in sentence
    for row in TYPED:
        assert row.name in sentence
    assert sentence.endswith(f"Example: {COMMANDS['search'].example}")
    assert len(sentence) < 400


def test_a_fault_in_the_arguments_gives_the_commands_own_example() -> None:
    for row in TYPED:
        assert refused(f"{row.name} no:such:thing").endswith(f"Example: {row.example}")


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(["", *COMMANDS]),
    st.text(st.characters(), max_size=30) | st.sampled_from(["\u00a0", "\n", " ", "\ud800"]),
)
def test_whatever_is_typed_is_understood_or_refused_with_a_sentence(word: str, rest: str) -> None:
    found = understood(word + rest)
    if isinstance(found, str):
        assert "Example: /spool" in found
        return
    command, asked = found
    assert command.slash
    assert isinstance(asked, Arguments)


@each_typed
def test_each_required_argument_is_asked_for(row: Command) -> None:
    required = [argument for argument in row.takes if argument.required]
    if not required:
        assert parse("", row.takes, row.example) == Arguments()
    else:
        assert refused(row.name).startswith(f"{required[0].typed}: is missing.")


async def test_arguments_told_apart_by_the_chat_are_read_as_typed_ones_are(
    dispatch: Dispatch,
) -> None:
    chosen = await dispatch.chosen(VERA, PLACE, "search", {"sender": "anna@example.com"})
    typed = await dispatch.typed(VERA, PLACE, "search sender:anna@example.com")
    assert chosen == typed
    wrong = await dispatch.chosen(VERA, PLACE, "search", {"queue": "nowhere"})
    assert wrong == await dispatch.typed(VERA, PLACE, "search queue:nowhere")
    old = await dispatch.chosen(VERA, PLACE, "search", {"colour": "red"})
    assert "takes no colour" in old.sentence
    assert "I know no command" in (await dispatch.chosen(VERA, PLACE, "undo", {})).sentence


async def test_only_who_may_use_a_command_is_given_suggestions_for_it(dispatch: Dispatch) -> None:
    assert await dispatch.suggestions(VERA, "search", {}, "on") == ("mail",)
    assert await dispatch.suggestions(VERA, "search", {"on": "elsewhere"}, "sender") == ()
    assert await dispatch.suggestions(VERA, "move", {}, "on") == ()
    nobody = Actor("slack", "U0NOBODY", "nobody")
    assert await dispatch.suggestions(nobody, "search", {}, "on") == ()
    assert await dispatch.suggestions(VERA, "search", {}, "subject") == ()
    assert await dispatch.suggestions(VERA, "nothing", {}, "on") == ()


@pytest.mark.parametrize(
    ("table", "name", "wrong"),
    [
        ("approval", ["stop", "delete_account"], None),
        ("approval", ["stop", "delet_account"], "delet_account"),
        ("approval", ["search"], "search"),
        ("access", {"block": "admin", "search": "operator", "undo": "admin"}, None),
        ("access", {"blok": "admin"}, "blok"),
    ],
)
def test_a_rule_for_a_remedy_that_there_is_not_is_refused_and_not_passed_over(
    table: str, name: Any, wrong: str | None
) -> None:
    made = Settings.model_validate(
        {
            "mail_server": [{"kind": "embedded", "name": "mail"}],
            table: {"remedies": name},
        }
    )
    said = misnamed(made)
    if wrong is None:
        assert said is None
        return
    assert said is not None
    assert said.startswith(f"{table}.remedies names '{wrong}', which is no remedy. There are: ")
    with pytest.raises(ConfigError, match="Nothing was started"):
        App(made)
