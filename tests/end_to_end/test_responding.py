"""A first night: an alert, its Respond button, and from there nothing but the next button."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from time import monotonic

import pytest

from bot.demo.campaigns import LOUD, QUIET
from bot.hands import Shown
from bot.rooms import ROOMS
from services.mail.port import UserState
from services.responding import STEPS

from .playing import ACCOUNT, Play, password_in, playing, until

#: A person has to read, too; the bot's own share of two minutes is small.
_SECONDS = 60
OTHER = QUIET.account


@pytest.fixture(params=sorted(ROOMS))
async def play(
    request: pytest.FixtureRequest, tmp_path: Path, mailboxes: Path
) -> AsyncIterator[Play]:
    async with playing(tmp_path, mailboxes, chats=(request.param,)) as made:
        yield made


async def test_from_the_alert_to_the_summary_by_the_buttons_of_the_checklist(play: Play) -> None:
    await play.spam()
    # With what came from every address, as each of them is blocked.
    card = await play.otto.card_with(ACCOUNT, "60 messages in 5 min")
    began = monotonic()
    await play.use(play.otto.press, "Respond")
    guide = await _next(play, card, 1)
    await play.otto.press_privately(guide, "Evidence")
    guide = await _next(play, card, 2)
    await play.otto.press(await play.otto.press_privately(guide, "Samples"), "It is spam")
    guide = await _next(play, card, 3)
    assert (await play.waiting(), await play.held()) == (60, 0)
    await play.otto.press(guide, "Stop sending")
    guide = await _next(play, card, 4)
    assert (await play.waiting(), await play.held()) == (0, 60)
    assert "60 messages moved" in await _do(play, guide, "Move…")
    guide = await _next(play, card, 5)
    password_in(await _do(play, guide, "New password…"))
    guide = await _next(play, card, 6)
    assert "is refused for 24 h" in await _do(play, guide, "Block…")
    guide = await _next(play, card, 7)
    assert "60 messages deleted" in await _do(play, guide, "Delete…")
    guide = await _next(play, card, 8)
    told = (await play.otto.press_privately(guide, "Summary")).text
    assert monotonic() - began < _SECONDS
    for said in ("Incident 1", "60 messages held", "60 messages moved", "has a new password"):
        assert said in told
    guide = await play.otto.line(card, "All that can be done here is done.")
    assert guide.text.count("☑️") == len(STEPS)
    assert guide.text.count("otto") >= len(STEPS)
    assert len([line for line in play.otto.lines(card) if "1. See who" in line.text]) == 1
    user = await play.stage.server.user(ACCOUNT)
    assert user is not None
    assert user.state is UserState.NO_SENDING
    assert await play.stage.server.folders() == {"deleted": 60}
    assert len(await play.stage.server.blocks()) == 8


async def test_a_block_that_was_typed_ticks_its_step_where_the_spam_came_from_there(
    play: Play,
) -> None:
    await play.spam()
    card = await play.otto.alert(ACCOUNT)
    await play.use(play.otto.press, "Respond")
    await _next(play, card, 1)
    await play.otto.choose(await play.otto.type_for_form("block 192.0.2.250 for:1h"))
    await until(lambda: _blocked(play, 1))
    used = (await play.otto.card_with(ACCOUNT, "60 messages in 5 min")).text
    address = next(a for a in LOUD.addresses if a in used)
    await play.otto.choose(await play.otto.type_for_form(f"block {address} for:1h"))
    guide = await play.otto.line(card, "☑️ 6. Block the IP addresses")
    assert "☑️ 1." not in guide.text
    await play.otto.choose(await play.otto.type_for_form(f"unblock {address}"))
    await play.otto.line(card, "⬜ 6. Block the IP addresses")


async def test_a_campaigns_checklist_is_about_all_of_its_accounts(play: Play) -> None:
    await play.spam()
    await play.otto.alert(ACCOUNT)
    await play.traffic.attack(replace(LOUD, account=OTHER, pace=4000), limit=60)
    card = await play.otto.card_with(ACCOUNT, "2 accounts, one campaign")
    await play.use(play.otto.press, "Respond")
    guide = await _next(play, card, 1)
    assert "Response to " in guide.text
    for account in (ACCOUNT, OTHER):
        assert account in guide.text.partition("1. See")[0]
    looked = await play.otto.press_privately(guide, "Evidence")
    assert "2 accounts, one campaign." in looked.text
    guide = await _next(play, card, 2)
    samples = await play.otto.press_privately(guide, "Samples")
    assert samples.text.count("From: ") == 2
    for account in (ACCOUNT, OTHER):
        assert samples.text.partition("stranger")[2].count(account) == 1
    await play.otto.press(samples, "It is spam")
    guide = await _next(play, card, 3)
    await play.otto.press(guide, "Stop sending")
    await play.otto.line(card, "2 accounts can no longer send")
    for account in (ACCOUNT, OTHER):
        user = await play.stage.server.user(account)
        assert user is not None
        assert user.state is UserState.NO_SENDING
    guide = await _next(play, card, 4)
    assert "120 messages moved" in await _do(play, guide, "Move…")
    # A new password is each account's own: one after the other.
    guide = await play.otto.line(card, f"▶️ 5. {STEPS[4].what}: next for ")
    accounts = sorted((ACCOUNT, OTHER), key=lambda one: f"next for {one}" not in guide.text)
    for account in accounts:
        guide = await play.otto.line(card, f"next for {account}")
        password_in(await _do(play, guide, "New password…"))
        await play.otto.line(card, f"{account} has a new password")
    guide = await _next(play, card, 6)
    assert "is refused for 24 h" in await _do(play, guide, "Block…")
    guide = await _next(play, card, 7)
    assert "120 messages deleted" in await _do(play, guide, "Delete…")
    guide = await _next(play, card, 8)
    await play.otto.press_privately(guide, "Summary")
    await play.otto.line(card, "All that can be done here is done.")
    again = await play.otto.card_with(ACCOUNT, "Stopped by otto")
    assert "Respond" not in again.labels


async def _blocked(play: Play, number: int) -> bool:
    return len(await play.stage.server.blocks()) == number


async def _next(play: Play, card: Shown, number: int) -> Shown:
    """Return the checklist once this step is the next one."""
    return await play.otto.line(card, f"▶️ {number}. {STEPS[number - 1].what}")


async def _do(play: Play, guide: Shown, label: str) -> str:
    return await play.otto.choose(await play.otto.press_for_form(guide, label))
