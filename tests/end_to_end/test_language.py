"""A bot that speaks German: an attack from the alert to the report, in both chats."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bot.guild.room import GuildRoom
from bot.hands import Hands, Signs
from bot.rooms import ROOMS
from bot.workspace.room import WorkspaceRoom
from services.audit import Phase
from services.language import Voice, number, speaking, tr, voice_of
from tests.filling import Mail, fill
from tests.language.said import english_in, translated_in

from .playing import ACCOUNT, Play, playing

LANGUAGE = "de"
MESSAGES = 1_234


@pytest.fixture
def german() -> Voice:
    return voice_of(LANGUAGE)


@pytest.fixture(params=sorted(ROOMS))
async def play(
    request: pytest.FixtureRequest, tmp_path: Path, mailboxes: Path, german: Voice
) -> AsyncIterator[Play]:
    with speaking(german):  # and what speaks in here is forgotten at the end
        async with playing(tmp_path, mailboxes, chats=(request.param,), language=LANGUAGE) as made:
            for hands in (made.otto, made.vera, made.ada, made.nobu):
                hands.signs = Signs(
                    tr("Cancel"),
                    tr("Working on it … this fills in by itself."),
                    tr("This was taken back already; nothing was done twice."),
                )
                _has_it_in_german(made, hands)
            yield made


def _has_it_in_german(play: Play, hands: Hands) -> None:
    """Have a person use the chat itself in German, too: numbers are their own."""
    (room,) = play.stage.rooms
    if isinstance(room, GuildRoom):
        guild = room.guild.store.members
        guild[hands.user] = replace(guild[hands.user], locale="de")
    else:
        assert isinstance(room, WorkspaceRoom)
        members = room.workspace.store.members
        members[hands.user] = replace(members[hands.user], locale="de-DE")


async def test_an_attack_is_told_stopped_and_reported_in_german(play: Play, german: Voice) -> None:
    with speaking(german):
        stop, many = tr("Stop sending"), number(MESSAGES)
    assert (stop, many) == ("Senden stoppen", "1.234")

    await play.app.stop()
    await asyncio.to_thread(fill, play.folder / "mail.db", (Mail(ACCOUNT, MESSAGES),))
    await play.start_bot()
    await play.stage.rooms[0].until_connected()
    alert = await play.otto.card_with(ACCOUNT, many)
    _is_german(alert.text)
    assert stop in alert.labels

    await play.use(play.otto.press, stop)
    line = await play.otto.line(alert, many)
    _is_german(line.text)
    assert await play.held() == MESSAGES
    (done,) = [e for e in await play.audited("stop") if e.phase == Phase.RESULT]
    _is_german(" ".join(_texts(json.loads(done.detail))))
    assert many in done.detail

    report = await play.vera.type("report")
    _is_german(report.text)
    assert many in report.text
    assert f"{MESSAGES:,}" not in report.text
    refused = await play.nobu.type("report")
    _is_german(refused.text)


def _is_german(text: str) -> None:
    assert not english_in(text, LANGUAGE), text
    assert translated_in(text, LANGUAGE), text


def _texts(value: object) -> list[str]:
    if isinstance(value, dict):
        return [text for inner in value.values() for text in _texts(inner)]
    if isinstance(value, list):
        return [text for inner in value for text in _texts(inner)]
    return [value] if isinstance(value, str) else []
