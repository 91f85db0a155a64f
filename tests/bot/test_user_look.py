"""/spool user, through the dispatch, with a real database and mail server."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from bot.elements import Button, Form
from services.mail.port import Capabilities, Capability, UserState
from tests.bot.test_cards import said
from tests.bot.test_looks import CEO, HERE, OTTO, PLACE, Looking, buttons, looking, mail
from tests.mail.harness import ANN, BOB

__all__ = ["looking", "mail"]

ALL = ("disable", "refuse", "password", "sessions", "delete")


def offered(shown: dict[str, Button]) -> set[str]:
    return set(shown) - {"why", "search", "again"}


async def test_it_tells_state_logins_history_and_what_was_done(looking: Looking) -> None:
    await looking.sent(ANN, 3)
    await looking.sent(ANN, 2, "203.0.113.10")
    card = await looking.asked(f"user {ANN.upper()}", OTTO)
    text = said(card)
    assert f"{ANN}: active. 0 open SMTP sessions." in text
    assert f"{HERE}\n3 messages" in text
    assert "203.0.113.10\n2 messages" in text
    assert "5 messages in the last 24 h" in text
    assert "Messages a day, last 7 days (UTC)\nMon 02 Mar 5 100%" in text
    assert "No open incident." in text
    assert "Nothing was done to it through Spoolwarden." in text
    assert offered(buttons(card)) == {*ALL, "address-0", "address-1"}
    await looking.done(card, "disable")
    text = said(await looking.asked(f"user {ANN}"))
    assert "disabled for sending; it still receives" in text
    assert "otto · disable" in text


@pytest.mark.parametrize(
    ("state", "there"),
    [
        (UserState.ACTIVE, ALL),
        (UserState.NO_SENDING, ("refuse", "enable", "password", "sessions", "delete")),
        (UserState.REFUSING, ("disable", "enable", "password", "sessions", "delete")),
    ],
)
async def test_its_buttons_are_those_that_change_something(
    looking: Looking, state: UserState, there: Sequence[str]
) -> None:
    await looking.mail.server.set_user_state(BOB, state)
    shown = buttons(await looking.asked(f"user {BOB}"))
    assert offered(shown) == set(there)


async def test_a_protected_account_is_said_to_be_one_and_can_still_be_enabled(
    looking: Looking,
) -> None:
    await looking.mail.server.set_user_state(CEO, UserState.NO_SENDING)
    card = await looking.asked(f"user {CEO}")
    assert "is a protected account" in said(card)
    assert offered(buttons(card)) == {"enable", "sessions"}


async def test_what_the_server_cannot_do_has_no_button_and_is_said_once(
    looking: Looking, monkeypatch: pytest.MonkeyPatch
) -> None:
    no = Capability(able=False, why="Not with this server.")
    unable = replace(Capabilities(), set_password=no, end_sessions=no, delete_user=no)
    monkeypatch.setattr(type(looking.mail.server), "capabilities", unable)
    card = await looking.asked(f"user {BOB}", OTTO)
    assert offered(buttons(card)) == {"disable", "refuse"}
    assert said(card).count("Not with this server.") == 1


async def test_one_that_nobody_ever_heard_of_is_a_sentence(looking: Looking) -> None:
    text = said(await looking.asked("user nobody@example.test"))
    assert "There is no mailbox nobody@example.test on mail" in text


async def test_one_deleted_meanwhile_keeps_its_history_and_its_old_buttons_say_so(
    looking: Looking,
) -> None:
    await looking.sent(ANN, 3)
    before = await looking.asked(f"user {ANN}", OTTO)
    await looking.mail.server.delete_user(ANN)
    card = await looking.asked(f"user {ANN}", OTTO)
    assert f"{ANN}: no mailbox of that name is on mail." in said(card)
    assert offered(buttons(card)) == {"address-0"}
    for slot in ("disable", "refuse", "password", "sessions"):
        answer = await looking.press(before, slot, OTTO)
        assert answer.failed
        assert f"{ANN} is no mailbox on mail. Nothing was done." in answer.sentence


@pytest.mark.parametrize(
    ("typed", "also"),
    [
        ("ann@bücher.example", "ann@xn--bcher-kva.example"),
        ("ann@xn--bcher-kva.example", "ann@bücher.example"),
    ],
)
async def test_a_domain_with_other_letters_is_shown_both_ways(
    looking: Looking, typed: str, also: str
) -> None:
    await looking.mail.add_user("ann@xn--bcher-kva.example")
    await looking.sent("ann@xn--bcher-kva.example", 1)
    text = said(await looking.asked(f"user {typed}"))
    assert typed in text
    assert also in text
    assert "1 message in the last 24 h" in text


async def test_an_address_that_nobody_has_in_either_form_is_told_as_it_was_typed(
    looking: Looking,
) -> None:
    text = said(await looking.asked("user zoe@bücher.example"))
    assert "There is no mailbox zoe@bücher.example on mail" in text


async def test_a_form_that_deletes_says_what_of_its_mail_is_kept(looking: Looking) -> None:
    card = await looking.asked(f"user {BOB}", OTTO)
    answer = await looking.press(card, "delete", OTTO)
    assert answer.failed
    assert "needs the role admin" in answer.sentence
    form = (await looking.press(card, "password", OTTO)).reply
    assert isinstance(form, Form)
    done = await looking.app.dispatch.submitted(OTTO, PLACE, form.intent_id, {})
    assert done.sentence == "A new password was set."
