"""Automatic containment in each chat: told on the card with its reasons, and taken back there."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from bot.rooms import ROOMS
from services.audit import Phase
from services.mail.port import MessageResult, Tell, UserState, nobody
from services.settings import ContainmentSettings

from .playing import ACCOUNT, Play, playing, until


@pytest.fixture(params=sorted(ROOMS))
async def play(
    request: pytest.FixtureRequest, tmp_path: Path, mailboxes: Path
) -> AsyncIterator[Play]:
    async with playing(tmp_path, mailboxes, chats=(request.param,)) as made:
        yield made


async def test_the_bot_holds_by_itself_and_a_person_takes_it_back(play: Play) -> None:
    await play.app.stop()
    await play.start_bot(containment=ContainmentSettings(enabled=True, confidence=90))
    sent = await play.spam()
    card = await play.otto.card_with(
        ACCOUNT, "Spoolwarden itself holds what this account has waiting"
    )
    for said in ("confidence 9", "90% is set", "60 messages in 5 min"):
        await play.otto.card_with(ACCOUNT, said)
    await until(lambda: _is(play, sent))
    user = await play.stage.server.user(ACCOUNT)
    assert user is not None
    assert user.state is UserState.ACTIVE
    refused = await play.use(play.vera.press_privately, "Undo hold")
    assert "needs the role operator" in refused.text
    await play.otto.choose(await play.use(play.otto.press_for_form, "Undo hold"))
    await play.otto.line(card, f"{sent} messages released")
    assert await play.held() == 0
    assert (await play.app.audit.verify()).broken_at is None


async def _is(play: Play, held: int) -> bool:
    return await play.held() == held


async def test_what_the_bot_does_by_itself_is_ended_before_it_stops(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    await play.app.stop()
    server = play.stage.server
    begun, go_on, hold = asyncio.Event(), asyncio.Event(), server.hold

    async def slowly(queue_ids: Sequence[str], *, tell: Tell = nobody) -> list[MessageResult]:
        begun.set()
        await go_on.wait()
        return await hold(queue_ids, tell=tell)

    monkeypatch.setattr(server, "hold", slowly)
    await play.start_bot(containment=ContainmentSettings(enabled=True, confidence=90))
    await play.spam()
    await begun.wait()
    stopping = asyncio.create_task(play.app.stop())
    await until(lambda: not play.app.started)
    go_on.set()
    await stopping
    await play.start_bot()
    (told,) = [
        json.loads(entry.detail)
        for entry in await play.audited("contain")
        if entry.phase == Phase.RESULT
    ]
    assert told["ok"] is True
    assert told["messages"]["done"] == await play.held() > 0
