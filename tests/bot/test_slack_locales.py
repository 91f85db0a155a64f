"""How a person in Slack reads numbers: asked of Slack, remembered, and never waited for long."""

import asyncio
from collections.abc import AsyncIterator
from time import monotonic

import pytest

from bot.slack import locales
from bot.slack.chat import make_client
from bot.slack.locales import KEPT, MOST, Locales
from bot.workspace import BOT_SCOPES, Member, Workspace

ANNA = Member("U0ANNA", "anna", "Anna Admin", locale="de-DE")
VERA = Member("U0VERA", "vera", "Vera Viewer")


#: As it is set; a busy machine answers later, so most tests here wait longer.
_SET = locales.PATIENCE


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locales, "PATIENCE", 15.0)


class Hand:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
async def ws() -> AsyncIterator[Workspace]:
    async with Workspace(members=(ANNA, VERA), channels=("mail-ops",)) as workspace:
        yield workspace


def asked(ws: Workspace) -> int:
    return len([call for call in ws.journal if call.method == "users.info"])


async def test_it_is_asked_for_once_an_hour(ws: Workspace) -> None:
    clock, client = Hand(), make_client(ws.bot_token, ws.base_url)
    known = Locales(clock)
    assert await known.of(client, ANNA.id) == "de-DE"
    assert await known.of(client, VERA.id) == "en-US"
    clock.at += KEPT - 1
    assert await known.of(client, ANNA.id) == "de-DE"
    assert asked(ws) == 2
    clock.at += 1
    assert await known.of(client, ANNA.id) == "de-DE"
    assert asked(ws) == 3


async def test_somebody_who_does_much_at_once_is_asked_about_once(ws: Workspace) -> None:
    client = make_client(ws.bot_token, ws.base_url)
    known = Locales()
    found = await asyncio.gather(*(known.of(client, ANNA.id) for _ in range(50)))
    assert set(found) == {"de-DE"}
    assert asked(ws) == 1


async def test_without_the_scope_nobody_is_asked_about_again_for_an_hour() -> None:
    async with Workspace(
        members=(ANNA, VERA), channels=("mail-ops",), scopes=BOT_SCOPES - {"users:read"}
    ) as ws:
        clock, client = Hand(), make_client(ws.bot_token, ws.base_url)
        known = Locales(clock)
        for who in (ANNA, VERA, ANNA):
            assert await known.of(client, who.id) == ""
        assert asked(ws) == 1
        clock.at += KEPT
        assert await known.of(client, VERA.id) == ""
        assert asked(ws) == 2


async def test_slack_that_says_to_wait_is_not_waited_for(
    ws: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, client = Hand(), make_client(ws.bot_token, ws.base_url)
    known = Locales(clock)
    monkeypatch.setattr(locales, "PATIENCE", _SET)
    ws.faults.rate_limit("users.info", retry_after=30)
    begun = monotonic()
    assert await known.of(client, ANNA.id) == ""
    assert await known.of(client, ANNA.id) == ""
    assert _SET <= monotonic() - begun < 30  # as long as Slack says
    assert asked(ws) == 1
    monkeypatch.setattr(locales, "PATIENCE", 15.0)
    clock.at += 60
    assert await known.of(client, ANNA.id) == "de-DE"


async def test_what_was_known_stays_while_slack_is_away(ws: Workspace) -> None:
    clock, client = Hand(), make_client(ws.bot_token, ws.base_url)
    known = Locales(clock)
    assert await known.of(client, ANNA.id) == "de-DE"
    ws.faults.down = True
    clock.at += KEPT
    assert await known.of(client, ANNA.id) == "de-DE"


async def test_so_many_people_are_remembered_and_no_more(ws: Workspace) -> None:
    client = make_client(ws.bot_token, ws.base_url)
    known = Locales(Hand())
    ws.faults.down = True
    for number in range(MOST + 5):
        # Not one by one: each is a call that fails.
        known._known[f"U{number}"] = (2000.0, "fr-FR")
    assert await known.of(client, ANNA.id) == ""
    assert len(known._known) == MOST
    assert "U0" not in known._known
    assert await known.of(client, f"U{MOST}") == "fr-FR"


async def test_somebody_who_is_not_there_has_none(ws: Workspace) -> None:
    client = make_client(ws.bot_token, ws.base_url)
    async with asyncio.timeout(10):
        assert await Locales().of(client, "U0NOBODY") == ""
