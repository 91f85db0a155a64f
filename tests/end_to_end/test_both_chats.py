"""Slack and Discord at once: an incident is one thing, shown and acted on in both."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.demo.stage import OTTO
from bot.hands import Hands, NotThere, Shown
from services.audit import Phase

from .playing import ACCOUNT, Play, playing, until


@pytest.fixture
async def play(tmp_path: Path, mailboxes: Path) -> AsyncIterator[Play]:
    async with playing(tmp_path, mailboxes, chats=("slack", "discord")) as made:
        yield made


@pytest.fixture
async def there(play: Play) -> AsyncIterator[Hands]:
    """Otto's hands in the other chat."""
    async with play.stage.rooms[1].hands(OTTO) as hands:
        yield hands


async def _card(hands: Hands, text: str) -> Shown:
    return await hands.card_with(ACCOUNT, text)


async def test_an_act_in_one_chat_stands_in_the_others_card_and_thread(
    play: Play, there: Hands
) -> None:
    await play.spam()
    here = play.otto
    card, other = await here.alert(ACCOUNT), await there.alert(ACCOUNT)
    await play.use(here.press, "Acknowledge")
    await there.line(other, "Acknowledged: somebody is on it")
    await _card(there, "Acknowledged by otto")
    await play.use(there.press, "Stop sending")
    await here.line(card, "60 messages held")
    await _card(here, "Stopped by otto")
    # What was done in one is taken back in the other.
    await here.choose(await play.use(here.press_for_form, "Undo stop"))
    await there.line(other, "60 messages released")
    assert [len(hands.cards()) for hands in (here, there)] == [1, 1]
    actors = [e.actor for e in await play.audited("stop")]
    assert {actor.partition(":")[0] for actor in actors} == {"discord"}
    actors = [e.actor for e in await play.audited("undo stop")]
    assert {actor.partition(":")[0] for actor in actors} == {"slack"}


@pytest.mark.parametrize("label", ["Acknowledge", "Stop sending"])
async def test_pressed_in_both_at_the_same_moment_it_is_done_once(
    play: Play, there: Hands, label: str
) -> None:
    await play.spam()
    here = play.otto
    card, other = await here.offering(await here.alert(ACCOUNT), label), await there.alert(ACCOUNT)
    await asyncio.gather(here.press(card, label), there.press(other, label))
    action = "stop" if label == "Stop sending" else "acknowledge"

    async def both_known() -> bool:
        return len(await play.audited(action)) == 3

    await until(both_known)
    entries = await play.audited(action)
    assert sorted(e.phase for e in entries) == sorted([Phase.INTENT, Phase.REPEATED, Phase.RESULT])
    (repeated,) = (e for e in entries if e.phase == Phase.REPEATED)
    (done,) = (e for e in entries if e.phase == Phase.INTENT)
    assert repeated.actor != done.actor
    text = "60 messages held" if label == "Stop sending" else "Acknowledged: somebody is on it"
    for hands, shown in ((here, card), (there, other)):
        await hands.line(shown, text)
        assert len(hands.lines(shown)) == 1
    if label == "Stop sending":
        assert (await play.waiting(), await play.held()) == (0, 60)


async def test_one_chat_away_does_not_hold_up_the_other(play: Play, there: Hands) -> None:
    play.guild.faults.down = True
    await play.spam()
    here = play.otto
    card = await here.alert(ACCOUNT)
    await play.use(here.press, "Stop sending")
    await here.line(card, "60 messages held")
    assert not there.cards()
    play.guild.faults.down = False
    other = await _card(there, "Stopped by otto")
    await there.line(other, "60 messages held")
    assert len(there.cards()) == 1


async def test_a_press_on_a_card_that_was_drawn_anew_is_told_from_a_refusal(
    play: Play, there: Hands
) -> None:
    await play.spam()
    here = play.otto
    cards = [(hands, await hands.alert(ACCOUNT)) for hands in (here, there)]
    await play.use(here.press, "Stop sending")
    for hands, old in cards:
        await _card(hands, "Stopped by otto")
        with pytest.raises(NotThere):  # tests that press again rely on this
            await hands.press(old, "Stop sending")
