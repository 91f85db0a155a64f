"""Discord away, slow, forgetful, or delivering everything twice: one alert, each act once."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from unittest.mock import Mock

import pytest
from discord.gateway import DiscordWebSocket

from bot.discord.chat import PERMISSIONS, PICTURES
from bot.discord.client import Heartbeats, ShortPause
from bot.guild.permissions import EVERY_PERMISSION, Permission
from bot.guild.reading import ShownMessage, buttons, find_button, plain_text
from bot.hands import Hands, Shown
from services.audit import Phase
from services.mail.port import UserState

from .playing import ACCOUNT, Play, command, config_file, in_guild, locked, playing, until

SECOND = "ben.osei@example.com"
POST = ("POST", "/channels/{channel_id}/messages")
EDIT = ("PATCH", "/channels/{channel_id}/messages/{message_id}")
HISTORY = ("GET", "/channels/{channel_id}/messages")
START_THREAD = ("POST", "/channels/{channel_id}/messages/{message_id}/threads")
CALLBACK = ("POST", "/interactions/{interaction_id}/{interaction_token}/callback")
ORIGINAL = ("PATCH", "/webhooks/{webhook_id}/{webhook_token}/messages/@original")


@pytest.fixture
async def play(tmp_path: Path, mailboxes: Path) -> AsyncIterator[Play]:
    async with playing(tmp_path, mailboxes, chats=("discord",)) as made:
        yield made


# -- the gateway ---------------------------------------------------------------------


async def test_a_gateway_cut_in_the_middle_of_an_act_resumes_and_the_act_is_done_once(
    play: Play,
) -> None:
    guild, otto = play.guild, in_guild(play.otto)
    await play.spam()
    card = await play.otto.alert(ACCOUNT)
    identified = guild.gateway.identifies
    async with locked(play.folder / "mail.db"):
        await play.use(play.otto.press, "Stop sending")
        await play.otto.line(card, "otto is stopping its sending")
        guild.faults.drop_gateway()
        # Pressed while nobody listens: it comes with what was missed.
        await play.use(play.otto.press, "Acknowledge")
        async with asyncio.timeout(15):
            await guild.until_app_connected()
    await play.otto.line(card, "60 messages held")
    await play.otto.line(card, "Acknowledged: somebody is on it")
    await otto.wait(lambda state: any("60 messages held" in _said(m) for m in state.ephemerals))
    assert guild.gateway.identifies == identified
    for action in ("stop", "acknowledge"):
        assert [entry.phase for entry in await play.audited(action)] == [
            Phase.INTENT,
            Phase.RESULT,
        ]
    assert (await play.waiting(), await play.held()) == (0, 60)
    assert len(play.otto.lines(card)) == 2


async def test_the_bot_comes_back_when_asked_to_reconnect_or_told_that_its_session_is_over(
    play: Play,
) -> None:
    guild = play.guild
    await play.spam()
    card = await play.otto.alert(ACCOUNT)
    guild.faults.ask_to_reconnect()
    await play.use(play.otto.press, "Acknowledge")
    await play.otto.card_with(ACCOUNT, "Acknowledged by otto")
    identified = guild.gateway.identifies
    guild.faults.invalidate_session()
    await until(lambda: guild.gateway.identifies > identified)
    async with asyncio.timeout(15):
        await guild.until_app_connected()
    await play.use(play.otto.press, "Stop sending")
    await play.otto.line(card, "60 messages held")
    assert len(await play.audited("stop")) == 2


async def test_a_gateway_that_refuses_for_a_while_is_tried_until_it_takes_the_bot(
    play: Play, caplog: pytest.LogCaptureFixture
) -> None:
    guild = play.guild
    guild.faults.refuse_gateway(2)
    guild.faults.drop_gateway()
    await until(lambda: guild.gateway.refusals < 2)
    # Alerts need no gateway.
    await play.spam()
    card = await play.otto.alert(ACCOUNT)
    async with asyncio.timeout(30):
        await guild.until_app_connected()
    await play.use(play.otto.press, "Stop sending")
    await play.otto.line(card, "60 messages held")
    assert "The gateway was lost" in caplog.text
    assert "Traceback" not in caplog.text


def test_the_gateway_is_tried_again_within_half_a_minute_however_long_it_was_away() -> None:
    pause = ShortPause()
    assert max(pause.delay() for _ in range(200)) == 30


def test_a_heartbeat_that_is_answered_before_its_sending_returns_is_not_late(
    caplog: pytest.LogCaptureFixture,
) -> None:
    socket = Mock(spec=DiscordWebSocket, thread_id=0, _max_heartbeat_timeout=60, sequence=1)
    beats = Heartbeats(ws=socket, interval=41.25)
    beats._last_send -= 41.25  # the one before
    beats.get_payload()
    beats.ack()
    assert beats.latency < 10
    assert not caplog.records


# -- the API -------------------------------------------------------------------------


async def test_an_outage_loses_nothing_and_leaves_one_alert_and_the_acts_in_order(
    play: Play,
) -> None:
    await play.spam()
    card = await play.otto.alert(ACCOUNT)
    guild = play.guild
    guild.faults.down = True
    # What asks first cannot be asked now; what acts at once is done.
    await play.use(play.otto.press, "Acknowledge")
    await until(partial(_has, play, "acknowledge", Phase.RESULT))
    sent = await play.spam(50, SECOND)
    await until(lambda: any(call.status == 503 for call in guild.journal.of(*POST)))
    assert [shown.id for shown in play.otto.cards()] == [card.id]
    guild.faults.down = False
    second = await play.otto.card_with(SECOND, f"{sent} messages in 5 min")
    await play.use(play.otto.press, "Stop sending")
    stopped = await play.otto.line(card, "60 messages held")
    acknowledged = await play.otto.line(card, "Acknowledged: somebody is on it")
    assert int(acknowledged.id) < int(stopped.id)
    await play.otto.card_with(ACCOUNT, "0 waiting, 60 held")
    assert [shown.id for shown in play.otto.cards()] == [card.id, second.id]
    await until(lambda: play.app.publishers[0].trouble is None)


async def test_a_post_whose_answer_is_lost_is_not_repeated(play: Play) -> None:
    guild = play.guild
    guild.faults.lose_answers(*POST)
    await play.spam()
    card = await play.otto.alert(ACCOUNT)
    await until(lambda: bool(guild.journal.of(*HISTORY)))
    guild.faults.lose_answers(*POST)
    await play.use(play.otto.press, "Acknowledge")
    await play.use(play.otto.press, "Undo acknowledge")
    await play.otto.line(card, "Taken back")
    lines = [line.text for line in play.otto.lines(card)]
    assert [("Acknowledged" in line, "Taken back" in line) for line in lines] == [
        (True, False),
        (False, True),
    ]
    assert len(play.otto.cards()) == 1


async def test_a_lost_alert_is_found_although_discord_has_forgotten_its_nonce(
    play: Play,
) -> None:
    guild = play.guild
    guild.faults.lose_answers(*POST)
    guild.faults.hold(*HISTORY)
    await play.spam()
    await play.otto.alert(ACCOUNT)
    await until(lambda: any(p.trouble for p in play.app.publishers))
    guild.faults.forget_nonces()
    guild.faults.release(*HISTORY)
    await play.use(play.otto.press, "Acknowledge")
    await play.otto.card_with(ACCOUNT, "Acknowledged by otto")
    assert len(play.otto.cards()) == 1
    posted = [call for call in guild.journal.of(*POST) if "is sending spam" in str(call.request)]
    assert len(posted) == 1


async def test_a_thread_that_could_not_be_started_at_first_is_started_later(play: Play) -> None:
    await play.spam()
    card = await play.otto.alert(ACCOUNT)
    play.guild.faults.fail(*START_THREAD, status=503)
    await play.use(play.otto.press, "Acknowledge")
    await play.otto.line(card, "Acknowledged: somebody is on it")
    assert len(play.otto.lines(card)) == 1


async def test_rate_limits_are_waited_out_by_the_library_and_long_ones_by_the_channel(
    play: Play,
) -> None:
    guild = play.guild
    guild.faults.rate_limit(*POST, retry_after=0.2, times=3)
    await play.spam()
    card = await play.otto.alert(ACCOUNT)
    statuses = [call.status for call in guild.journal.of(*POST)]
    assert statuses == [429, 429, 429, 200]
    await play.use(play.otto.press, "Acknowledge")
    await play.otto.line(card, "Acknowledged: somebody is on it")
    guild.faults.rate_limit(*POST, retry_after=3600, times=1)
    await play.use(play.otto.press, "Undo acknowledge")
    (publisher,) = play.app.publishers
    await until(lambda: publisher.trouble == "Discord asks to wait 3600 s.")
    assert len(play.otto.lines(card)) == 1
    # Meanwhile commands are answered all the same.
    assert "1 · " in (await play.vera.type("incidents")).text


async def test_a_storm_of_global_limits_delays_and_loses_nothing(play: Play) -> None:
    guild = play.guild
    await play.spam()
    card = await play.otto.alert(ACCOUNT)
    for route in (POST, EDIT, START_THREAD):
        guild.faults.rate_limit(*route, retry_after=0.3, times=4, is_global=True)
    await play.use(play.otto.press, "Stop sending")
    await play.otto.line(card, "60 messages held")
    await play.otto.card_with(ACCOUNT, "0 waiting, 60 held")
    assert len(play.otto.lines(card)) == 1


# -- interactions --------------------------------------------------------------------


async def test_presses_and_forms_that_arrive_twice_act_once(play: Play) -> None:
    await play.spam()
    card = await play.otto.alert(ACCOUNT)
    play.guild.faults.deliver_twice(True)
    await play.use(play.otto.press, "Acknowledge")
    await play.otto.line(card, "Acknowledged: somebody is on it")
    await play.use(play.otto.press, "Stop sending")
    await play.otto.line(card, "60 messages held")
    form = await play.use(play.otto.press_for_form, "Undo stop")
    await play.otto.choose(form)
    await play.otto.line(card, "60 messages released")
    form = await play.use(play.otto.pick_for_form, "Snooze…")
    await play.otto.choose(form)
    for action in ("acknowledge", "stop", "undo stop", "snooze"):
        for phase in (Phase.REPEATED, Phase.RESULT):
            await until(partial(_has, play, action, phase))
        phases = sorted(entry.phase for entry in await play.audited(action))
        assert phases == sorted([Phase.INTENT, Phase.REPEATED, Phase.RESULT]), action
    assert (await play.waiting(), await play.held()) == (60, 0)


async def test_an_answer_whose_arrival_is_unknown_is_filled_in_all_the_same(play: Play) -> None:
    otto = in_guild(play.otto)
    await play.spam()
    await play.otto.alert(ACCOUNT)
    form = await play.use(play.otto.press_for_form, "Stop sending")
    async with locked(play.folder / "mail.db"):
        play.guild.faults.lose_answers(*CALLBACK)
        done = asyncio.create_task(play.otto.choose(form))
        await otto.wait(lambda state: any("Working on it" in _said(m) for m in state.ephemerals))
    assert "60 messages held" in await done


async def test_a_slow_mail_server_is_announced_in_time_and_the_answer_filled_in(
    play: Play,
) -> None:
    otto = in_guild(play.otto)
    await play.spam()
    card = await play.otto.alert(ACCOUNT)
    asked = await play.use(play.otto.press_for_form, "Stop sending")
    async with locked(play.folder / "mail.db"):
        said = asyncio.create_task(play.otto.choose(asked))
        working = await otto.wait(lambda state: _holding(state.ephemerals, "Working on it"))
        await play.otto.line(card, "otto is stopping its sending")
        assert await play.waiting() == 60
    assert "60 messages held" in await said
    done = await otto.wait(lambda state: _holding(state.ephemerals, "60 messages held"))
    assert done.id == working.id
    await play.otto.line(card, "60 messages held")
    assert [entry.phase for entry in await play.audited("stop")] == [Phase.INTENT, Phase.RESULT]
    undo = await play.use(play.otto.press_for_form, "Undo stop")
    async with locked(play.folder / "mail.db"):
        said = asyncio.create_task(play.otto.choose(undo))
        await otto.wait(lambda state: _holding(state.ephemerals, "Working on it"))
    assert "60 messages released" in await said
    assert (await play.waiting(), await play.held()) == (60, 0)
    assert not otto.state().notices


async def test_a_form_that_comes_too_late_for_a_window_gets_a_button_that_opens_it(
    play: Play,
) -> None:
    otto = in_guild(play.otto)
    await play.spam()
    await play.otto.alert(ACCOUNT)
    async with locked(play.folder / "bot.db"):
        asking = asyncio.create_task(play.otto.type(f"disable {ACCOUNT}"))
        await otto.wait(lambda state: next((m for m in state.ephemerals if m.thinking), None))
    late = await asking
    assert late.labels == ("Fill in…",)
    form = await play.otto.press_for_form(late, "Fill in…")
    assert "mail to it is refused" in await play.otto.choose(form, state="is refused too")
    user = await play.stage.server.user(ACCOUNT)
    assert user is not None
    assert user.state is UserState.REFUSING
    # A busy machine makes any form come late: whoever plays presses that button by the way.
    async with locked(play.folder / "bot.db"):
        opening = asyncio.create_task(play.otto.type_for_form(f"enable {ACCOUNT}"))
        await otto.wait(lambda state: next((m for m in state.ephemerals if m.thinking), None))
    assert "can send and receive again" in await play.otto.choose(await opening)


async def test_bad_input_offers_the_form_again_and_uses_nothing_up(play: Play) -> None:
    await play.spam()
    await play.otto.alert(ACCOUNT)
    form = await play.use(play.otto.pick_for_form, "Move to a folder…")
    assert "folder" in await play.otto.choose(form, new="../etc")
    again = in_guild(play.otto).state().ephemerals[-1]
    form = await play.otto.press_for_form(_shown(again), "Fill in…")
    assert "60 messages moved" in await play.otto.choose(form, new="evidence")
    assert await play.stage.server.folders() == {"evidence": 60}


# -- the channel ---------------------------------------------------------------------


async def test_a_deleted_channel_is_told_in_words_and_commands_elsewhere_still_work(
    play: Play, caplog: pytest.LogCaptureFixture
) -> None:
    guild = play.guild
    guild.faults.delete_channel(guild.channel_id("mail-ops"))
    await play.spam()
    (publisher,) = play.app.publishers
    await until(lambda: publisher.trouble is not None)
    assert publisher.trouble == (
        "Discord refused: the channel in discord.channel is not known to Discord, or the bot "
        "cannot see it."
    )
    assert "Traceback" not in caplog.text


async def test_an_unknown_channel_is_told_in_words_and_tried_again(play: Play) -> None:
    await play.app.stop()
    told = play.app.settings.discord
    assert told is not None
    nowhere = told.model_copy(update={"channel": "1234567890123456789"})
    await play.start_bot(discord=nowhere)
    (connection,) = play.app.connections
    await until(lambda: connection.trouble is not None)
    assert "the channel in discord.channel is not known" in (connection.trouble or "")
    await play.app.stop()


@pytest.mark.parametrize(
    ("taken", "named"),
    [
        (Permission.VIEW_CHANNEL, "View Channel"),
        (Permission.SEND_MESSAGES, "Send Messages"),
    ],
)
async def test_a_permission_that_was_taken_away_is_named_and_its_return_is_enough(
    play: Play, taken: Permission, named: str
) -> None:
    guild = play.guild
    guild.faults.take_permissions(taken)
    await play.spam()
    (publisher,) = play.app.publishers
    await until(lambda: publisher.trouble is not None)
    assert publisher.trouble == (
        f"Discord refused: the bot lacks permissions in its channel: {named}."
    )
    guild.faults.give_permissions(taken)
    await play.app.stop()
    await play.start_bot()
    await play.otto.alert(ACCOUNT)


async def test_the_bot_does_all_it_does_with_exactly_the_permissions_of_its_invite_link(
    play: Play,
) -> None:
    guild = play.guild
    guild.faults.take_permissions(EVERY_PERMISSION & ~_wanted())
    guild.faults.lose_answers(*POST)
    await play.spam()
    card = await play.otto.alert(ACCOUNT)
    await play.use(play.otto.press, "Stop sending")
    await play.otto.line(card, "60 messages held")
    guild.faults.archive_thread(card.id)
    form = await play.use(play.otto.press_for_form, "Undo stop")
    await play.otto.choose(form)
    await play.otto.line(card, "60 messages released")
    assert len(play.otto.cards()) == 1
    refused = [call for call in guild.journal if call.status in (401, 403)]
    assert not refused


@pytest.mark.parametrize(
    "taken", [Permission.CREATE_PUBLIC_THREADS, Permission.SEND_MESSAGES_IN_THREADS]
)
async def test_without_the_permissions_for_threads_lines_answer_the_alert_in_the_channel(
    play: Play, taken: Permission
) -> None:
    play.guild.faults.take_permissions(taken)
    await play.spam()
    card = await play.otto.alert(ACCOUNT)
    await play.use(play.otto.press, "Acknowledge")
    line = await _answering(play.otto, card, "Acknowledged: somebody is on it")
    assert line.reply_to == card.id
    assert not play.otto.lines(card)


async def test_without_the_history_a_lost_alert_is_posted_again(play: Play) -> None:
    """This is what Read Message History is asked for."""
    guild = play.guild
    guild.faults.take_permissions(Permission.READ_MESSAGE_HISTORY)
    guild.faults.lose_answers(*POST)
    guild.faults.hold(*HISTORY)
    await play.spam()
    await play.otto.alert(ACCOUNT)
    await until(lambda: any(p.trouble for p in play.app.publishers))
    guild.faults.forget_nonces()
    guild.faults.release(*HISTORY)
    await until(lambda: len(play.otto.cards()) == 2)


async def test_lines_go_on_in_a_thread_that_was_archived(play: Play) -> None:
    await play.spam()
    card = await play.otto.alert(ACCOUNT)
    await play.use(play.otto.press, "Stop sending")
    line = await play.otto.line(card, "60 messages held")
    play.guild.faults.archive_thread(card.id)
    form = await play.use(play.otto.press_for_form, "Undo stop")
    await play.otto.choose(form)
    await play.otto.line(card, "60 messages released")
    # The line of the act is changed, too: it cannot be undone any more.
    await until(lambda: "Undo" not in _line(play.otto, card, line.id).labels)


async def test_a_line_in_an_archived_thread_is_changed_although_nothing_is_posted_there(
    play: Play,
) -> None:
    await play.spam()
    card = await play.otto.alert(ACCOUNT)
    async with locked(play.folder / "mail.db"):
        await play.use(play.otto.press, "Stop sending")
        line = await play.otto.line(card, "otto is stopping its sending")
        play.guild.faults.archive_thread(card.id)
    done = await play.otto.line(card, "60 messages held")
    assert done.id == line.id


@pytest.mark.parametrize("archived", [False, True])
async def test_where_the_thread_is_locked_lines_answer_the_alert_in_the_channel(
    play: Play, *, archived: bool
) -> None:
    guild = play.guild
    guild.faults.take_permissions(Permission.MANAGE_THREADS)
    await play.spam()
    card = await play.otto.alert(ACCOUNT)
    await play.use(play.otto.press, "Stop sending")
    await play.otto.line(card, "60 messages held")
    if archived:
        guild.faults.archive_thread(card.id, locked=True)
    else:
        guild.faults.lock_thread(card.id)
    form = await play.use(play.otto.press_for_form, "Undo stop")
    await play.otto.choose(form)
    line = await _answering(play.otto, card, "60 messages released")
    assert line.reply_to == card.id
    assert len(play.otto.lines(card)) == 1
    # The channel is not behind because of the line that stays as it was.
    await play.spam(50, SECOND)
    await play.otto.alert(SECOND)
    await until(lambda: play.app.publishers[0].trouble is None)


async def test_an_alert_whose_contents_discord_takes_for_harmful_can_be_acted_on(
    play: Play,
) -> None:
    play.guild.faults.filter_out("messages in 5 min")
    await play.spam()
    card = await play.otto.alert(ACCOUNT)
    assert "did not let the rest of this through" in card.text
    await play.use(play.otto.press, "Stop sending")
    await play.otto.line(card, "60 messages held")
    assert play.app.publishers[0].trouble is None
    assert (await play.waiting(), await play.held()) == (0, 60)


async def test_a_deleted_thread_is_started_again_or_its_lines_answer_the_alert(
    play: Play,
) -> None:
    await play.spam()
    card = await play.otto.alert(ACCOUNT)
    await play.use(play.otto.press, "Stop sending")
    await play.otto.line(card, "60 messages held")
    play.guild.faults.delete_channel(card.id)
    form = await play.use(play.otto.press_for_form, "Undo stop")
    await play.otto.choose(form)
    await until(lambda: any("60 messages released" in text for text in _everything(play.otto)))
    await play.spam(50, SECOND)
    await play.otto.alert(SECOND)
    await until(lambda: play.app.publishers[0].trouble is None)


async def test_an_alert_that_was_deleted_comes_back_while_it_matters_and_no_line_is_lost(
    play: Play,
) -> None:
    await play.spam()
    card = await play.otto.alert(ACCOUNT)
    channel = play.guild.channel_id("mail-ops")
    play.guild.faults.delete_message(channel, card.id)
    form = await play.otto.type_for_form(f"stop {ACCOUNT}")
    await play.otto.choose(form)
    back = await play.otto.card_with(ACCOUNT, "Stopped by otto")
    assert back.id != card.id
    await until(lambda: any("60 messages held" in text for text in _everything(play.otto)))
    await play.otto.choose(await play.use(play.otto.press_for_form, "Undo stop"))
    await play.otto.line(back, "60 messages released")
    assert len(play.otto.cards()) == 1


# -- restarts and registration -------------------------------------------------------


async def test_after_a_restart_old_buttons_menus_and_windows_work_or_say_so(play: Play) -> None:
    otto = in_guild(play.otto)
    await play.spam()
    before = await play.otto.card_with(ACCOUNT, "60 messages in 5 min")
    question = await play.otto.press_for_form(before, "Stop sending")
    listed = await play.use(play.otto.press_privately, "Review messages")
    await _restart(play)
    # A button of a private answer, a private question, and the alert's menu.
    assert "page 2 of" in (await play.otto.press_privately(listed, "Next ▶")).text
    assert "60 messages held" in await play.otto.choose(question)
    await play.otto.line(before, "60 messages held")
    form = await play.use(play.otto.pick_for_form, "Move to a folder…")
    await _restart(play)
    assert "60 messages moved" in await play.otto.choose(form, new="evidence")
    stopped = await play.otto.card_with(ACCOUNT, "Undo stop")
    form = await play.otto.press_for_form(stopped, "Undo stop")
    await _restart(play)
    assert "can send" in await play.otto.choose(form)
    # What was only remembered says that it is too old.
    async with locked(play.folder / "bot.db"):
        asking = asyncio.create_task(play.otto.type(f"disable {ACCOUNT}"))
        await otto.wait(lambda state: next((m for m in state.ephemerals if m.thinking), None))
    late = await asking
    await _restart(play)
    old = await play.otto.press_privately(late, "Fill in…")
    assert "This form is too old. Nothing was done; please ask for it again." in old.text
    assert [card.id for card in play.otto.cards()] == [before.id]
    assert (await play.app.audit.verify()).broken_at is None


async def test_a_bot_that_was_killed_in_the_middle_of_an_act_says_so_and_can_do_it_again(
    play: Play,
) -> None:
    await play.spam()
    card = await play.otto.alert(ACCOUNT)
    await play.app.stop()
    bot = await command("run", "--config", str(config_file(play)))
    try:
        await play.until_heard()
        async with locked(play.folder / "mail.db"):
            await play.use(play.otto.press, "Stop sending")
            await play.otto.line(card, "otto is stopping its sending")
            bot.kill()
            await bot.communicate()
    finally:
        if bot.returncode is None:
            bot.kill()
            await bot.communicate()
    await _restart(play)
    line = await play.otto.line(card, "was stopped in the middle of this")
    assert "It is safe to do it again" in line.text
    used = find_button(card.raw, "Stop sending").custom_id

    def other() -> bool:
        now = play.otto.cards()[-1]
        anew = "Stop sending" in now.labels
        return anew and find_button(now.raw, "Stop sending").custom_id != used

    await until(other)
    await play.use(play.otto.press, "Stop sending")
    await play.otto.line(card, "60 messages held")
    assert (await play.waiting(), await play.held()) == (0, 60)


async def test_the_command_is_registered_once_and_again_only_where_it_changed(play: Play) -> None:
    guild = play.guild
    path = "/applications/{application_id}/guilds/{guild_id}/commands"

    def registered() -> int:
        return len(guild.journal.of("PUT", path))

    assert registered() == 1
    await _restart(play)
    assert len(guild.journal.of("GET", path)) >= 2
    assert registered() == 1
    (there,) = guild.commands.all()
    guild.commands.edit(there["id"], {"description": "of another release"})
    await _restart(play)
    assert registered() == 2
    (there,) = guild.commands.all()
    assert there["description"] != "of another release"


async def _restart(play: Play) -> None:
    await play.app.stop()
    await play.start_bot()
    async with asyncio.timeout(15):
        await play.guild.until_app_connected()


async def _has(play: Play, action: str, phase: Phase) -> bool:
    return any(entry.phase == phase for entry in await play.audited(action))


def _wanted() -> Permission:
    return Permission((PERMISSIONS | PICTURES).value)


def _shown(message: ShownMessage) -> Shown:
    return Shown(message.id, plain_text(message), tuple(buttons(message)), None, message)


def _said(message: ShownMessage) -> str:
    return plain_text(message).replace("\\", "")


def _holding(messages: tuple[ShownMessage, ...], text: str) -> ShownMessage | None:
    return next((m for m in messages if text in _said(m)), None)


def _line(hands: Hands, card: Shown, line_id: str) -> Shown:
    return next(line for line in hands.lines(card) if line.id == line_id)


async def _answering(hands: Hands, card: Shown, text: str) -> ShownMessage:
    """Return the channel's message that holds a text and answers a card."""
    return await in_guild(hands).wait(
        lambda state: next(
            (m for m in state.in_channels() if m.reply_to == card.id and text in _said(m)),
            None,
        )
    )


def _everything(hands: Hands) -> list[str]:
    return [_said(message) for message in in_guild(hands).state().messages]
