"""An act over thousands of messages says in its one line how far it has come, in both chats."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from bot.demo.stage import OTTO
from bot.hands import Hands
from services.mail.build import Embedded
from services.mail.port import MessageResult, Tell, nobody
from services.settings import EmbeddedServerSettings

from ..filling import Mail, fill
from .playing import ACCOUNT, Play, playing

_OTHER = "ben.osei@example.com"
_MANY, _PART = 3000, 2000


class _Slow(Embedded):
    """The mail server, which stops for breath in the middle of what it moves."""

    go_on: asyncio.Event

    async def move(
        self, queue_ids: Sequence[str], folder: str, *, tell: Tell = nobody
    ) -> list[MessageResult]:
        first = await super().move(queue_ids[:_PART], folder, tell=tell)
        await self.go_on.wait()
        rest = await super().move(
            queue_ids[_PART:], folder, tell=lambda number: tell(_PART + number)
        )
        return first + rest


@pytest.fixture
async def play(tmp_path: Path, mailboxes: Path) -> AsyncIterator[Play]:
    async with playing(tmp_path, mailboxes, chats=("slack", "discord")) as play:
        await play.app.stop()
        mails = (Mail(ACCOUNT, _MANY), Mail(_OTHER, _MANY, "Letter"))
        await asyncio.to_thread(fill, play.folder / "mail.db", mails)
        (settings,) = play.app.settings.mail_server
        assert isinstance(settings, EmbeddedServerSettings)
        play.stage.server = slow = _Slow(settings, play.stage.clock)
        slow.go_on = asyncio.Event()
        await play.start_bot()
        play.app.pipeline.progress.every = 0.01
        for room in play.stage.rooms:
            await room.until_connected()
        yield play


@pytest.fixture
async def there(play: Play) -> AsyncIterator[Hands]:
    """Otto's hands in the other chat."""
    async with play.stage.rooms[1].hands(OTTO) as hands:
        yield hands


def _let(play: Play) -> None:
    assert isinstance(play.stage.server, _Slow)
    play.stage.server.go_on.set()


async def test_a_move_of_thousands_is_followed_in_the_thread_of_its_incident(
    play: Play, there: Hands
) -> None:
    card, other = await play.otto.alert(ACCOUNT), await there.alert(ACCOUNT)
    form = await play.use(play.otto.pick_for_form, "Move to a folder…")
    moving = asyncio.create_task(play.otto.choose(form, new="evidence"))
    for hands, shown in ((play.otto, card), (there, other)):
        line = await hands.line(shown, "otto is moving messages … 2,000 of 3,000")
        assert line.text.startswith("⏳")
    _let(play)
    assert "3,000 messages moved" in await moving
    for hands, shown in ((play.otto, card), (there, other)):
        done = await hands.line(shown, "To the folder evidence: 3,000 messages moved.")
        # The same line, with nothing of how far it had come.
        assert [each.id for each in hands.lines(shown)] == [done.id]
        assert "2,000" not in done.text
    assert await play.stage.server.folders() == {"evidence": _MANY}


async def test_what_was_typed_and_has_no_incident_is_followed_in_the_channel(
    play: Play, there: Hands
) -> None:
    form = await play.otto.type_for_form("delete queue:deferred")
    deleting = asyncio.create_task(play.otto.choose(form))
    for hands in (play.otto, there):
        line = await hands.message("otto is deleting messages … 2,000 of 6,000")
        assert line.text.startswith("⏳")
    _let(play)
    assert "6,000 messages deleted" in await deleting
    for hands in (play.otto, there):
        assert "2,000 of" not in (await hands.message("6,000 messages deleted")).text
