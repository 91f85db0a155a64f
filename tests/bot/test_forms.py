"""The forms that confirm an act: what they say will be done, and what comes of each choice."""

from datetime import timedelta
from ipaddress import ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot import forms
from bot.elements import Choose, Form, Paragraph, Small, Tick, Values, Write, plain
from services.errors import BadArgument
from services.mail.port import SpoolQuery, UserState
from services.remedies import REMEDIES
from services.targets import Target
from services.words import span
from tests.bot.samples import ASKED, FORMS, INTENT, anna, form, intent, words_of

MANY = tuple(ip_network(f"203.0.113.{number}") for number in range(200))


def said(asked: Form) -> str:
    """Return what a form says, a line for each of its sections."""
    texts = [section.text for section in asked.sections if isinstance(section, Paragraph | Small)]
    assert len(texts) == len(asked.sections)
    return "\n".join(plain(text) for text in texts)


def field_of(asked: Form, name: str) -> Choose | Tick | Write:
    return next(field for field in asked.fields if field.name == name)


def choice(asked: Form, name: str) -> Choose:
    field = field_of(asked, name)
    assert isinstance(field, Choose)
    return field


def labels(asked: Form, name: str) -> list[str]:
    field = field_of(asked, name)
    assert not isinstance(field, Write)
    return [option.label for option in field.options]


# -- what is asked -------------------------------------------------------------------


#: Asked about by their button, or changing nothing.
AT_ONCE = {"stop", "acknowledge", "contain", "respond", "look", "judge", "reported"}


def test_every_remedy_that_is_not_done_at_once_has_its_form() -> None:
    assert set(ASKED) == set(REMEDIES) - AT_ONCE


@pytest.mark.parametrize("name", FORMS)
def test_a_form_holds_the_intent_and_a_title_that_fits(name: str) -> None:
    asked = FORMS[name](anna)
    assert asked.intent_id.startswith(INTENT.format(""))
    assert len(asked.title) <= 24
    assert len(asked.submit) <= 24
    for field in asked.fields:
        if isinstance(field, Choose):
            assert field.initial in {option.value for option in field.options}
        if isinstance(field, Choose | Tick):
            values = [option.value for option in field.options]
            assert len(set(values)) == len(values)


@pytest.mark.parametrize(
    ("action", "verb"),
    [
        ("move", "will be moved out of the queue"),
        ("delete", "will be deleted"),
        ("restore", "will be put back in the queue they came from"),
        ("retry", "will be tried again now"),
    ],
)
@pytest.mark.parametrize(("number", "counted"), [(1, "1 message"), (1840, "1,840 messages")])
def test_a_form_states_the_frozen_count_and_what_matched(
    action: str, verb: str, number: int, counted: str
) -> None:
    asked = form(
        action,
        queue_ids=tuple(f"Q{n}" for n in range(number)),
        query=SpoolQuery(sender="anna@example.com"),
    )
    assert said(asked).partition("\n")[0] == (
        f"{counted} {verb}: those that match sender:anna@example.com on anna@example.com "
        "as of 2026-03-02 12:00:05 UTC. Later ones are not touched."
    )


@pytest.mark.parametrize("action", ["move", "delete", "restore", "retry"])
def test_a_form_for_no_message_is_refused_with_what_was_asked(action: str) -> None:
    with pytest.raises(BadArgument, match=r"matches sender:x@y\.example, so nothing to do"):
        form(action, queue_ids=(), query=SpoolQuery(sender="x@y.example"))
    with pytest.raises(BadArgument, match="No message in the spool matches that"):
        form(action, queue_ids=(), query=None)


@pytest.mark.parametrize("action", ["disable", "enable", "false_alarm"])
def test_a_form_about_an_account_names_it(action: str) -> None:
    assert "bob@example.org" in said(form(action, account="bob@example.org"))


def test_a_block_has_a_tick_for_each_address_all_ticked() -> None:
    asked = form("block", networks=MANY[:10])
    assert labels(asked, "networks") == [str(network.network_address) for network in MANY[:10]]
    ticks = field_of(asked, "networks")
    assert isinstance(ticks, Tick)
    assert ticks.initial == tuple(option.value for option in ticks.options)


def test_a_block_of_more_than_ten_counts_the_rest_in_the_last_tick() -> None:
    asked = form("block", networks=MANY[:11])
    assert len(labels(asked, "networks")) == 10
    assert labels(asked, "networks")[-1] == "All the other 2 addresses"
    assert labels(form("block", networks=MANY), "networks")[-1] == "All the other 191 addresses"


def test_a_block_says_what_the_rules_left_out() -> None:
    left_out = [line for line in said(form("block")).splitlines() if line.startswith("Left out: ")]
    assert left_out == ["Left out: anna@example.com"] * 5


@pytest.mark.parametrize(
    ("lasting", "initial", "first"),
    [
        (None, "24h", timedelta(hours=1)),
        (timedelta(hours=24), "24h", timedelta(hours=1)),
        (timedelta(days=30), "30d", timedelta(hours=1)),
        (timedelta(minutes=95), "asked", timedelta(minutes=95)),
    ],
)
def test_a_block_starts_with_the_length_that_was_asked(
    lasting: timedelta | None, initial: str, first: timedelta
) -> None:
    asked = form("block", lasting=lasting)
    assert choice(asked, "lasting").initial == initial
    assert labels(asked, "lasting")[0] == f"for {span(first)}"
    assert labels(asked, "lasting")[-1] == "until somebody lifts it"


def test_a_lift_names_each_network() -> None:
    assert said(form("unblock")) == "203.0.113.9, 2001:db8::/32 may use SMTP again."


def test_a_move_offers_the_folders_that_can_be_asked_for() -> None:
    asked = form("move", words_of("Junk Mail"), folder="review")
    assert labels(asked, "folder") == ["review", "spam"]
    assert choice(form("move", folder="spam"), "folder").initial == "spam"
    assert labels(form("move", folder="new-one"), "folder") == ["new-one", "review", "spam"]


@pytest.mark.parametrize("folder", ["deleted", "../etc"])
def test_a_move_to_where_nothing_can_be_moved_is_refused_before_it_is_asked(folder: str) -> None:
    with pytest.raises(BadArgument, match=f"“{folder}”"):
        form("move", folder=folder)


def test_a_deletion_says_how_long_it_can_be_brought_back() -> None:
    asked = form("delete")
    assert labels(asked, "how")[0] == "Can be brought back for 7 days"
    assert choice(asked, "how").initial == "kept"
    assert choice(form("delete", permanent=True), "how").initial == "permanent"


def test_an_undo_says_who_did_what() -> None:
    asked = forms.ask_undo(intent(), INTENT.format("undo"))
    assert said(asked).splitlines()[0] == f"anna@example.com did: {intent().summary}"
    assert asked.fields == ()
    assert asked.intent_id == INTENT.format("undo")


# -- what comes of the choices ---------------------------------------------------------


@pytest.mark.parametrize("action", ASKED)
def test_the_form_as_it_first_stands_does_what_was_asked(action: str) -> None:
    target = Target(
        account="anna@example.com",
        queue_ids=("Q1",),
        query=SpoolQuery(sender="anna@example.com"),
        networks=MANY[:20],
        folder="spam",
        user_state=UserState.REFUSING,
        lasting=timedelta(hours=1),
        permanent=True,
    )
    asked = form(action, **target.model_dump(exclude={"query"}))
    filled: Values = {}
    for field in asked.fields:
        if isinstance(field, Choose):
            filled[field.name] = (field.initial,)
        elif isinstance(field, Tick):
            filled[field.name] = field.initial
        elif field.name == "address":
            filled[field.name] = ("Anna@example.com ",)
    assert forms.amend(action, target, filled) == target


@pytest.mark.parametrize(
    ("values", "folder"),
    [
        ({"folder": ("spam",)}, "spam"),
        ({"folder": ("spam",), "new": ("Case-1",)}, "case-1"),
        ({}, "review"),
    ],
)
def test_a_move_goes_to_the_new_folder_else_the_chosen_one(values: Values, folder: str) -> None:
    assert forms.amend("move", Target(folder="old"), values).folder == folder


@pytest.mark.parametrize(
    "name", ["../etc", "a b", "-x", "x" * 41, "deleted", "DELETED", "ä", "x\n", ".", "a/b", " "]
)
def test_a_bad_folder_name_is_refused_with_a_sentence(name: str) -> None:
    with pytest.raises(BadArgument, match=r"^(I cannot use “|“deleted” is where deleted).*\.$"):
        forms.amend("move", Target(), {"new": (name,)})


@pytest.mark.parametrize(
    ("how", "permanent"), [("kept", False), ("permanent", True), ("anything", False)]
)
def test_only_the_plain_choice_deletes_for_good(how: str, permanent: bool) -> None:
    amended = forms.amend("delete", Target(permanent=True), {"how": (how,)})
    assert amended.permanent is permanent


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("refusing", UserState.REFUSING),
        ("no-sending", UserState.NO_SENDING),
        ("active", UserState.NO_SENDING),  # a forged choice enables nobody
    ],
)
def test_a_disabled_account_is_never_left_sending(state: str, expected: UserState) -> None:
    assert forms.amend("disable", Target(), {"state": (state,)}).user_state is expected


def test_only_ticked_addresses_are_blocked() -> None:
    target = Target(networks=MANY[:5])
    amended = forms.amend("block", target, {"networks": ("1", "3"), "lasting": ("1h",)})
    assert amended.networks == (MANY[1], MANY[3])
    assert amended.lasting == timedelta(hours=1)


def test_the_rest_stands_for_all_that_have_no_tick_of_their_own() -> None:
    target = Target(networks=MANY)
    assert forms.amend("block", target, {"networks": ("rest",)}).networks == MANY[9:]
    assert forms.amend("block", target, {"networks": ("0", "rest")}).networks == (
        MANY[0],
        *MANY[9:],
    )


@pytest.mark.parametrize("ticked", [(), ("77",), ("-1",), ("rest",)])
def test_a_block_of_nothing_is_refused(ticked: tuple[str, ...]) -> None:
    with pytest.raises(BadArgument, match=r"nothing would be blocked\. Tick at least one"):
        forms.amend("block", Target(networks=MANY[:5]), {"networks": ticked})


@pytest.mark.parametrize(
    ("lasting", "expected"),
    [
        ("24h", timedelta(hours=24)),
        ("7d", timedelta(days=7)),
        ("lifted", None),
        ("asked", timedelta(minutes=95)),
        ("forged", timedelta(minutes=95)),
    ],
)
def test_a_block_lasts_as_chosen(lasting: str, expected: timedelta | None) -> None:
    target = Target(networks=MANY[:1], lasting=timedelta(minutes=95))
    amended = forms.amend("block", target, {"networks": ("0",), "lasting": (lasting,)})
    assert amended.lasting == expected


@pytest.mark.parametrize(
    ("lasting", "expected"),
    [("30m", timedelta(minutes=30)), ("24h", timedelta(hours=24)), ("", timedelta(hours=1))],
)
def test_a_snooze_lasts_as_chosen(lasting: str, expected: timedelta) -> None:
    assert forms.amend("snooze", Target(), {"lasting": (lasting,)}).lasting == expected


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(sorted(REMEDIES)),
    st.dictionaries(
        st.sampled_from(["folder", "new", "how", "state", "networks", "lasting", "queue_ids"]),
        st.lists(st.text(max_size=8) | st.sampled_from(["0", "rest", "spam"])).map(tuple),
    ),
)
def test_no_form_however_filled_in_aims_at_anything_else(action: str, values: Values) -> None:
    target = Target(account="anna@example.com", queue_ids=("Q1", "Q2"), networks=MANY[:12])
    try:
        amended = forms.amend(action, target, values)
    except BadArgument:
        assert action in ("move", "block", "delete_account")
        return
    assert amended.account == target.account
    assert amended.queue_ids == target.queue_ids
    assert amended.query == target.query
    assert set(amended.networks) <= set(target.networks)


def test_addresses_become_networks_and_what_is_none_is_left_out() -> None:
    found = forms.networks_of(["203.0.113.9", "unknown", "", "2001:db8::1", "203.0.113.9 "])
    assert found == (ip_network("203.0.113.9/32"), ip_network("2001:db8::1/128"))
