"""A mail server that is slow, or away: people are told, and nothing is lost or done twice."""

import asyncio
import logging

import pytest

from bot.workspace.member import MemberState
from bot.workspace.reading import plain_text
from services.audit import Phase
from services.mail.build import Embedded
from services.settings import EmbeddedServerSettings

from .playing import ACCOUNT, Play, in_workspace, locked, until


async def test_an_act_on_a_slow_mail_server_opens_a_window_in_time_and_fills_it(
    play: Play,
) -> None:
    otto = in_workspace(play.otto)
    await play.spam()
    card = await play.otto.alert(ACCOUNT)
    async with locked(play.folder / "mail.db"):
        # The workspace refuses a window that is opened more than 3 s after the click.
        await play.use(play.otto.press, "Stop sending")
        working = await otto.wait(lambda state: state.view)
        assert "Working on it" in plain_text(working)
        await play.otto.line(card, "otto is stopping its sending")
        assert await play.waiting() == 60
    done = await otto.wait(
        lambda state: state.view if state.view and "Done" in plain_text(state.view) else None
    )
    assert done.id == working.id
    await play.otto.line(card, "60 messages held")
    phases = [entry.phase for entry in await play.audited("stop")]
    assert phases == [Phase.INTENT, Phase.RESULT]
    await otto.close_window()
    undo = await play.use(play.otto.press_for_form, "Undo stop")
    async with locked(play.folder / "mail.db"):
        said = asyncio.create_task(play.otto.choose(undo))
        await otto.wait(lambda state: state.view and "Working on it" in plain_text(state.view))
    assert "60 messages released" in await said
    assert len(await play.audited("undo stop")) == 2
    assert (await play.waiting(), await play.held()) == (60, 0)


async def test_a_mail_server_that_is_away_is_told_once_and_its_mail_is_not_lost(
    play: Play, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "bot.jobs")
    otto = in_workspace(play.otto)
    server = play.stage.server
    detection = play.app.settings.detection.model_copy(update={"silent_minutes": 0.05})
    await play.app.stop()
    await play.start_bot(detection=detection)
    await play.workspace.until_app_connected()
    await server.stop()
    # After three seconds it is told; of the polls that fail then, none is.
    await until(lambda: sum("poll of mail failed" in line for line in caplog.messages) >= 6)
    gone = await otto.wait(lambda state: next(iter(_saying(state, "cannot be watched")), None))
    failed = len(caplog.messages)
    await until(lambda: len(caplog.messages) > failed + 1)
    assert "⚠️ The mail server mail cannot be watched since" in gone
    assert "nothing it logs is lost" in gone
    # Meanwhile the mail server takes mail, where the bot cannot see it.
    settings = play.app.settings.mail_server[0]
    assert isinstance(settings, EmbeddedServerSettings)
    play.stage.server = Embedded(settings, play.stage.clock)
    await play.stage.server.start()
    sent = await play.spam(50)
    await play.stage.server.stop()
    play.stage.server = server
    await server.start()
    await play.otto.card_with(ACCOUNT, f"{sent} messages in 5 min")
    await otto.wait(lambda state: _saying(state, "watched again") or None)
    lines = await otto.wait(lambda state: _saying(state, "watched"))
    assert ["is watched again, after" in line for line in lines] == [False, True]
    assert len(play.otto.cards()) == 1
    assert len(await play.audited("watch")) == 2


def _saying(state: MemberState, text: str) -> list[str]:
    """Return what the channel's messages say that hold a text."""
    return [said for m in state.messages if text in (said := plain_text(m))]
