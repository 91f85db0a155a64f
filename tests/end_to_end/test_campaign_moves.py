"""Two alerts that turn out to be one campaign, in each chat: the younger says where it went."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bot.demo.campaigns import LOUD, QUIET
from bot.rooms import ROOMS

from .playing import ACCOUNT, Play, playing

OTHER = QUIET.account


@pytest.fixture(params=sorted(ROOMS))
async def play(
    request: pytest.FixtureRequest, tmp_path: Path, mailboxes: Path
) -> AsyncIterator[Play]:
    async with playing(tmp_path, mailboxes, chats=(request.param,)) as made:
        yield made


async def test_the_younger_alert_goes_to_the_older_and_has_nothing_left_to_press(
    play: Play,
) -> None:
    await play.spam()
    older = await play.otto.card_with(ACCOUNT, "60 messages in 5 min")
    await play.spam(account=OTHER)
    younger = await play.otto.card_with(OTHER, "60 messages in 5 min")
    assert younger.id != older.id
    await play.traffic.attack(replace(LOUD, account=OTHER, pace=4000), limit=80)
    await play.otto.card_with(OTHER, "140 messages in 5 min")
    # What it shares is looked for again 30 s after it was looked for last, or after a restart;
    # and only of one that sends.
    play.app.detector.begin()
    await play.traffic.attack(replace(LOUD, account=OTHER, pace=4000), limit=5)
    await play.otto.line(older, f"{OTHER} joins, sharing")
    moved = await play.otto.card_with(OTHER, "Its card and thread tell how it goes on")
    assert moved.id == younger.id
    assert moved.labels == ()
    await play.otto.card_with(ACCOUNT, "2 accounts, one campaign")
