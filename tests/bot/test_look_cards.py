"""The cards of the looks: what they state, what they offer, and that all of it is shown."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest

from bot import block_card
from bot.discord.components import MAX_COMPONENTS
from bot.discord.components import message as discord_message
from bot.elements import Button, Card, Row
from bot.look_cards import PER_PAGE, never_sent
from services.detection.evidence import Habit
from services.mail.port import User, UserState
from services.models import IncidentState, Listing
from services.tables import Kind
from tests.bot.discord_rules import walk
from tests.bot.samples import NOW, ip_card, top_card, user_card_, why_card
from tests.bot.test_cards import labels, said
from tests.bot.test_discord_components import payload

FULLEST: dict[str, Callable[[], Card]] = {
    "why": why_card,
    "top": partial(top_card, known=False),
    "ip": ip_card,
    "user": user_card_,
}


@pytest.mark.parametrize("name", FULLEST)
def test_the_fullest_card_is_shown_whole_in_discord(name: str) -> None:
    card = FULLEST[name]()
    parts = list(walk(payload(discord_message(card))))
    assert len(parts) <= MAX_COMPONENTS
    ids = [part["custom_id"] for part in parts if "custom_id" in part]
    rows = [section.button for section in card.sections if isinstance(section, Row)]
    below = [button for button in card.buttons if isinstance(button, Button)]
    assert sorted(ids) == sorted(f"press:{button.intent_id}" for button in [*rows, *below])


def test_what_is_unusual_is_told_with_its_points_and_what_is_usual() -> None:
    text = said(why_card())
    assert "score 54; an incident opens at 60. Each reason with its points" in text
    for reason in ("anna@example.com (+45)", "anna@example.com (+12)", "anna@example.com (-3)"):
        assert reason in text
    assert "it usually sends 3 messages in five minutes, at most 8" in text
    assert "1,840 messages in the last 24 h. Now 1,234 waiting, 5 held." in text
    assert "an incident opens at" not in said(why_card(points=(90.0,)))


def test_when_nothing_is_unusual_it_says_so_with_the_usual_figures() -> None:
    text = said(why_card(points=(0.0, -3.0)))
    assert "Nothing is unusual about it. When it last sent: anna@example.com; anna" in text
    assert "it usually sends 3 messages in five minutes, at most 8" in text
    assert "score" not in text
    ended = said(why_card(points=()))
    assert "what it sent before its last incident ended is not counted again" in ended


@pytest.mark.parametrize(
    ("habit", "sentence"),
    [
        (Habit(), "not sent for long enough to say what is usual"),
        (Habit(windows=1, usual=1, high=1), "usually sends 1 message in five minutes, at most 1."),
        (Habit(windows=5, usual=2, high=4, taught=90), "up to 90 are ordinary"),
    ],
)
def test_what_is_usual_is_told_as_far_as_it_is_known(habit: Habit, sentence: str) -> None:
    assert sentence in said(why_card(habit=habit))


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (UserState.ACTIVE, "active."),
        (UserState.NO_SENDING, "disabled for sending; it still receives."),
        (UserState.REFUSING, "disabled; mail to it is refused too."),
        (None, "no mailbox of that name is on anna@example.com."),
    ],
)
def test_an_accounts_state_is_told(state: UserState | None, words: str) -> None:
    assert f"anna@example.com: {words}" in said(why_card(state=state))


def test_an_account_without_incidents_is_said_to_have_none() -> None:
    assert "never had an incident" in said(why_card(incidents=()))
    assert "7 · anna@example.com on anna" in said(why_card(incidents=(IncidentState.CLOSED,)))


def test_an_account_that_never_sent_gets_a_sentence() -> None:
    gone = never_sent("x@example.com", "mail", None)
    assert gone.endswith(
        "x@example.com send anything through mail, and there is no such mailbox there."
    )
    there = never_sent("x@example.com", "mail", User("x@example.com", UserState.NO_SENDING))
    assert there.endswith("The mailbox is disabled for sending; it still receives.")


@pytest.mark.parametrize(
    ("now", "before", "change"),
    [
        (440, 100, "+340%"),
        (100, 100, "+0%"),
        (50, 100, "-50%"),
        (5000, 1, "+499,900%"),
        (3, 0, "new"),
    ],
)
def test_each_row_is_told_against_the_window_before(now: int, before: int, change: str) -> None:
    text = said(top_card(ranks=((now, before),)))
    assert text.splitlines()[2].endswith(f"of all · {change}")


def test_a_row_has_its_place_its_count_and_its_share_of_all() -> None:
    text = said(top_card(ranks=((640, 640), (64, 0))))
    assert f"{PER_PAGE + 1}. anna@example.com\n640 messages · 10% of all · +0%" in text
    assert "6,400 messages (+0%) · 9 to 10 of 31 users" in text


def test_nothing_is_compared_with_what_the_bot_did_not_see() -> None:
    text = said(top_card(ranks=((640, 0),), known=False))
    assert "640 messages · 10% of all" in text
    assert "not seen the 1 h before" in text
    assert "new" not in text
    assert " %" not in text


@pytest.mark.parametrize("kind", Kind)
def test_only_users_and_addresses_open_from_their_row(kind: Kind) -> None:
    card = top_card(kind=kind)
    rows = [section for section in card.sections if isinstance(section, Row)]
    assert len(rows) == (0 if kind is Kind.DOMAINS else PER_PAGE)


def test_an_empty_table_is_a_sentence_with_its_buttons() -> None:
    card = top_card(ranks=())
    assert "Nothing was sent in the last 1 h." in said(card)
    assert set(labels(card)) >= {"5m", "24h", "ips", "domains", "again"}


def test_an_address_is_told_with_its_blocks_and_its_accounts() -> None:
    text = said(ip_card())
    assert "203.0.113.0 is blocked since 2026-03-02 12:00 UTC until 2026-03-02 13:00 UTC" in text
    assert "203.0.113.1 is blocked since 2026-03-02 12:00 UTC until somebody lifts it: anna" in text
    assert "4 more blocks in it" in text
    assert "20 accounts sent 9,600 messages from it in the last 2 days" in text
    first = f"{NOW - timedelta(hours=5):%Y-%m-%d %H:%M} UTC"
    assert f"1,200 messages, first {first}, last {NOW:%Y-%m-%d %H:%M} UTC" in text
    assert "And 12 more accounts." in text
    assert "8 logins failed just before" in text


def test_an_address_that_nobody_used_is_a_sentence() -> None:
    text = said(ip_card(uses=0, blocks=0))
    assert "203.0.113.0/24 is not blocked." in text
    assert "No account sent from it in the last 2 days." in text
    assert "failed" not in text


def test_a_block_list_that_failed_is_not_one_that_has_none_of_our_addresses() -> None:
    def card(*errors: str) -> str:
        rows = [
            Listing(server="mail", address="203.0.113.7", zone=f"z{n}", checked_at=NOW, error=error)
            for n, error in enumerate(errors)
        ]
        shown = block_card.Blocks("mail", [], 0, 0, rows, len(rows), NOW, (), {})
        return said(block_card.blocks(shown))

    assert "None of our own addresses is on the 2 block lists asked" in card("", "")
    half = card("", "z1 could not be asked: no answer in time from the name server")
    assert "None of our own addresses is on the 1 block list asked" in half
    assert "z1 could not be asked" in half
    none = card("z0 could not be asked: no answer in time from the name server")
    assert "None of our own" not in none
    assert "z0 could not be asked" in none
