"""A bot that stops, or is killed, and is started again on what it left."""

import asyncio
import contextlib
import sqlite3
from pathlib import Path

from bot.hands import Hands, Shown
from bot.workspace.reading import find_button
from services.audit import Phase
from services.mail.port import UserState
from services.sqlite import PromptConnection
from services.tasks import end

from .playing import ACCOUNT, Play, command, config_file, in_workspace, locked, until


async def test_after_a_restart_there_is_one_alert_and_its_old_buttons_work(play: Play) -> None:
    await play.spam()
    before = await play.otto.card_with(ACCOUNT, "60 messages in 5 min")
    await play.app.stop()
    await play.start_bot()
    await play.workspace.until_app_connected()
    await play.otto.press(before, "Stop sending")
    await play.otto.line(before, "60 messages held")
    stopped = await play.otto.card_with(ACCOUNT, "Undo stop")
    await play.app.stop()
    await play.start_bot()
    await play.workspace.until_app_connected()
    form = await play.otto.press_for_form(stopped, "Undo stop")
    assert "60 messages released" in await play.otto.choose(form)
    user = await play.stage.server.user(ACCOUNT)
    assert user is not None
    assert user.state is UserState.ACTIVE
    assert (await play.waiting(), await play.held()) == (60, 0)
    assert [card.id for card in play.otto.cards()] == [before.id]
    assert (await play.app.audit.verify()).broken_at is None


async def test_a_bot_that_was_killed_in_the_middle_of_an_act_says_so_and_can_do_it_again(
    play: Play,
) -> None:
    otto = in_workspace(play.otto)
    await play.spam()
    card = await play.otto.alert(ACCOUNT)
    await play.app.stop()
    bot = await command("run", "--config", str(config_file(play)))
    try:
        await play.until_heard()
        async with locked(play.folder / "mail.db"):
            await play.use(play.otto.press, "Stop sending")
            await play.otto.line(card, "otto is stopping its sending")
            # Nothing fills in this window any more.
            assert await otto.wait(lambda state: state.view)
            bot.kill()
            await bot.communicate()
    finally:
        if bot.returncode is None:
            bot.kill()
            await bot.communicate()
    await play.start_bot()
    await play.workspace.until_app_connected()
    line = await play.otto.line(card, "was stopped in the middle of this")
    assert "It is safe to do it again" in line.text
    assert [entry.phase for entry in await play.audited("stop")] == [Phase.INTENT, Phase.RESULT]
    await _other_button(play.otto, card)
    await otto.close_window()
    await play.use(play.otto.press, "Stop sending")
    await play.otto.line(card, "60 messages held")
    assert (await play.waiting(), await play.held()) == (0, 60)


async def _other_button(otto: Hands, card: Shown) -> None:
    """Return once the card's button is another than the one that is used up."""

    def value() -> object:
        return find_button(otto.cards()[-1].raw, "Stop sending").element["value"]

    used = find_button(card.raw, "Stop sending").element["value"]
    await until(lambda: "Stop sending" in otto.cards()[-1].labels and value() != used)


def test_a_closed_connection_locks_nobody_out_although_a_statement_is_unfinished(
    tmp_path: Path,
) -> None:
    file = tmp_path / "some.db"
    left = sqlite3.connect(file, isolation_level=None, factory=PromptConnection)
    left.execute("CREATE TABLE number (value INTEGER)")
    left.execute("INSERT INTO number VALUES (1), (2)")
    left.execute("BEGIN IMMEDIATE")
    unfinished = left.execute("SELECT value FROM number")
    assert unfinished.fetchone() == (1,)
    left.close()
    left.close()
    other = sqlite3.connect(file, isolation_level=None, timeout=0)
    other.execute("BEGIN IMMEDIATE")
    other.close()


async def test_a_task_that_a_library_makes_miss_its_cancellation_is_ended_all_the_same() -> None:
    begun = asyncio.Event()

    async def misses_the_first() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            begun.set()
            await asyncio.Event().wait()
        await asyncio.Event().wait()

    task = asyncio.create_task(misses_the_first())
    await begun.wait()
    await end([task])
    assert task.cancelled()
