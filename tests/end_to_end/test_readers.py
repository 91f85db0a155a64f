"""Numbers are private answers' readers' own; what many read has them as the installation does."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bot.guild.room import GuildRoom
from bot.rooms import ROOMS
from bot.workspace.room import WorkspaceRoom
from bot.workspace.values import BOT_SCOPES

from ..filling import Mail, fill
from .playing import ACCOUNT, Play, playing

_MESSAGES = 1_234


@pytest.fixture(params=sorted(ROOMS))
async def play(
    request: pytest.FixtureRequest, tmp_path: Path, mailboxes: Path
) -> AsyncIterator[Play]:
    async with playing(tmp_path, mailboxes, chats=(request.param,)) as made:
        yield made


def read_german(play: Play, user: str) -> None:
    """Have a person use the chat in German from now on."""
    (room,) = play.stage.rooms
    if isinstance(room, GuildRoom):
        guild = room.guild.store.members
        guild[user] = replace(guild[user], locale="de")
    else:
        assert isinstance(room, WorkspaceRoom)
        members = room.workspace.store.members
        members[user] = replace(members[user], locale="de-DE")


async def spooled(play: Play) -> None:
    await play.app.stop()
    await asyncio.to_thread(fill, play.folder / "mail.db", (Mail(ACCOUNT, _MESSAGES),))
    await play.start_bot()
    await play.stage.rooms[0].until_connected()


async def test_a_reader_sees_numbers_as_theirs_and_the_channel_and_the_log_as_the_installation(
    play: Play,
) -> None:
    read_german(play, play.otto.user)
    await spooled(play)
    card = await play.otto.card_with(ACCOUNT, "1,234 messages in the last 5 min")
    asked = f"search sender:{ACCOUNT}"
    assert "1.234 messages match" in (await play.otto.type(asked)).text
    assert "1,234 messages match" in (await play.vera.type(asked)).text
    assert "1.234" in (await play.otto.type("dashboard")).text
    assert "1,234" in (await play.vera.type("dashboard")).text
    form = await play.otto.type_for_form(f"move sender:{ACCOUNT} folder:review")
    assert "1.234 messages" in form.text
    await play.otto.choose(form)
    line = await play.otto.line(card, "1,234 messages moved")
    assert "otto" in line.text
    assert "1.234" not in line.text
    card = await play.otto.card_with(ACCOUNT, "0 waiting")
    assert "1,234 messages" in card.text
    assert "1.234" not in card.text
    told = [json.loads(entry.detail) for entry in await play.audited("move")]
    assert any("1,234 messages" in json.dumps(detail) for detail in told)
    assert not any("1.234" in json.dumps(detail) for detail in told)


@pytest.mark.parametrize("play", ["slack"], indirect=True)
async def test_an_app_that_may_not_ask_slack_for_it_answers_as_the_installation_writes(
    play: Play,
) -> None:
    read_german(play, play.otto.user)
    context = play.workspace._web_api._context
    object.__setattr__(context, "scopes", BOT_SCOPES - {"users:read"})
    await spooled(play)
    await play.otto.card_with(ACCOUNT, "1,234 messages in the last 5 min")
    assert "1,234 messages match" in (await play.otto.type(f"search sender:{ACCOUNT}")).text
