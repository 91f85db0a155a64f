"""Slack away, slow, forgetful, or delivering everything twice: one alert, each act once."""

import asyncio
import logging
from functools import partial
from itertools import pairwise

import pytest

from services.audit import Phase
from services.mail.port import UserState

from .playing import ACCOUNT, Play, in_workspace, locked, until

SECOND = "ben.osei@example.com"


async def test_an_outage_loses_nothing_and_leaves_one_alert_and_the_acts_in_order(
    play: Play,
) -> None:
    await play.spam()
    card = await play.otto.alert(ACCOUNT)
    # The client library looks up whose token it has at the first click.
    await play.otto.type("help")
    faults, journal = play.workspace.faults, play.workspace.journal
    faults.down = True
    await play.use(play.otto.press, "Acknowledge")
    await until(lambda: _results(play, "acknowledge"))
    await play.use(play.otto.press, "Stop sending")
    await until(lambda: _results(play, "stop"))
    sent = await play.spam(50, SECOND)
    await until(lambda: any(call.http_status == 503 for call in journal))
    assert [shown.id for shown in play.otto.cards()] == [card.id]
    faults.down = False
    second = await play.otto.card_with(SECOND, f"{sent} messages in 5 min")
    assert f"{sent} waiting (100% of the spool), 0 held" in second.text
    stopped = await play.otto.line(card, "60 messages held")
    acknowledged = await play.otto.line(card, "Acknowledged: somebody is on it")
    assert acknowledged.id < stopped.id
    await play.otto.card_with(ACCOUNT, "0 waiting, 60 held")
    assert [shown.id for shown in play.otto.cards()] == [
        card.id,
        second.id,
    ]


async def test_a_post_whose_answer_is_lost_is_found_again_and_not_repeated(play: Play) -> None:
    faults, journal = play.workspace.faults, play.workspace.journal
    faults.lose_answers("chat.postMessage")
    await play.spam()
    card = await play.otto.alert(ACCOUNT)
    await until(lambda: any(call.method == "conversations.history" for call in journal))
    faults.lose_answers("chat.postMessage")
    await play.use(play.otto.press, "Acknowledge")
    await until(lambda: any(call.method == "conversations.replies" for call in journal))
    await play.use(play.otto.press, "Undo acknowledge")
    await play.otto.line(card, "Taken back")
    thread = play.otto.lines(card)
    lines = [line.text for line in thread]
    assert [("Acknowledged" in line, "Taken back" in line) for line in lines] == [
        (True, False),
        (False, True),
    ]
    assert len(play.otto.cards()) == 1


async def test_a_post_that_slack_says_failed_and_yet_shows_is_not_repeated(play: Play) -> None:
    play.workspace.faults.stumble("chat.postMessage")
    await play.spam()
    card = await play.otto.alert(ACCOUNT)
    await play.use(play.otto.press, "Acknowledge")
    await play.otto.line(card, "Acknowledged: somebody is on it")
    assert len(play.otto.cards()) == 1


async def test_a_rate_limit_is_waited_out_and_the_alert_posted_once(play: Play) -> None:
    faults, journal = play.workspace.faults, play.workspace.journal
    faults.rate_limit("chat.postMessage", retry_after=1, times=3)
    await play.spam()
    await play.otto.alert(ACCOUNT)
    posts = [call for call in journal if call.method == "chat.postMessage"]
    assert [call.http_status for call in posts] == [429, 429, 429, 200]
    waits = [after.at - before.at for before, after in pairwise(posts)]
    # Sleeping may end a hair early by another clock.
    assert min(waits) > 0.99


async def test_an_answer_that_slack_does_not_take_in_any_way_is_a_line_in_the_log(
    play: Play, caplog: pytest.LogCaptureFixture
) -> None:
    await play.spam()
    await play.otto.alert(ACCOUNT)
    for method in ("views.open", "response_url", "chat.postEphemeral"):
        play.workspace.faults.rate_limit(method, 0, times=2)  # the library tries again, once
    outcome = await in_workspace(play.otto)._client.command(f"/spool stop {ACCOUNT}")
    assert outcome.ok
    await until(lambda: any("nor could it be said" in line for line in caplog.messages))
    said = [
        r.getMessage()
        for r in caplog.records
        # A busy machine may poll late, and the scheduler says so.
        if r.levelno >= logging.WARNING and not r.name.startswith("apscheduler")
    ]
    assert said == [
        "an answer could not be shown: ratelimited",
        "nor could it be said in another way: ratelimited",
    ]
    assert await play.audited("stop") == []


async def test_clicks_and_forms_that_arrive_twice_act_once(play: Play) -> None:
    await play.spam()
    card = await play.otto.alert(ACCOUNT)
    play.workspace.faults.resend_envelopes(True)
    await play.use(play.otto.press, "Acknowledge")
    await play.otto.line(card, "Acknowledged: somebody is on it")
    await play.use(play.otto.press, "Stop sending")
    await play.otto.line(card, "60 messages held")
    form = await play.use(play.otto.press_for_form, "Undo stop")
    await play.otto.choose(form)
    await play.otto.line(card, "60 messages released")
    for action in ("acknowledge", "stop", "undo stop"):
        await until(partial(_repeated, play, action))
        phases = sorted(entry.phase for entry in await play.audited(action))
        assert phases == sorted([Phase.INTENT, Phase.REPEATED, Phase.RESULT]), action
    assert (await play.waiting(), await play.held()) == (60, 0)


async def test_the_bot_comes_back_when_its_sockets_are_cut_or_refreshed(play: Play) -> None:
    workspace = play.workspace
    await play.spam()
    card = await play.otto.alert(ACCOUNT)
    workspace.faults.drop_sockets()
    await workspace.until_app_connected()
    await play.use(play.otto.press, "Acknowledge")
    card = await play.otto.card_with(ACCOUNT, "Acknowledged by otto")
    await workspace.faults.ask_to_reconnect("refresh_requested")
    await workspace.until_app_connected()
    await play.use(play.otto.press, "Stop sending")
    await play.otto.line(card, "60 messages held")
    user = await play.stage.server.user(ACCOUNT)
    assert user is not None
    assert user.state is UserState.NO_SENDING
    assert len(await play.audited("stop")) == 2


async def _results(play: Play, action: str) -> bool:
    return any(entry.phase == Phase.RESULT for entry in await play.audited(action))


async def _repeated(play: Play, action: str) -> bool:
    return any(entry.phase == Phase.REPEATED for entry in await play.audited(action))


async def test_an_alert_that_was_deleted_comes_back_while_it_matters_and_no_line_is_lost(
    play: Play,
) -> None:
    await play.spam()
    card = await play.otto.alert(ACCOUNT)
    await play.app.publishers[0]._chat.remove(card.id)
    form = await play.otto.type_for_form(f"stop {ACCOUNT}")
    await play.otto.choose(form)
    # The line that says it is under way may come when there is no alert to hang it under.
    await play.otto.message("60 messages held")
    back = await play.otto.card_with(ACCOUNT, "Stopped by otto")
    assert back.id != card.id
    await play.otto.choose(await play.use(play.otto.press_for_form, "Undo stop"))
    await play.otto.line(back, "60 messages released")
    assert [shown.id for shown in play.otto.cards()] == [back.id]
    await until(lambda: play.app.publishers[0].trouble is None)


async def test_what_comes_late_is_in_a_window_whose_buttons_work_and_the_next_closes_it(
    play: Play,
) -> None:
    """A busy machine makes any answer come late, so whoever plays must go on from a window."""
    otto = in_workspace(play.otto)
    async with locked(play.folder / "bot.db"):
        asking = asyncio.create_task(otto.type(f"user {SECOND}"))
        await otto.wait(lambda state: state.view)
    shown = await asking
    assert f"{SECOND}: active" in shown.text
    form = await otto.press_for_form(shown, "Disable and refuse…")
    assert "mail to it is refused" in await otto.choose(form)
    assert "The audit log is whole" in (await otto.type("audit")).text
    assert otto._client.state().view is None
    # Pressed with both hands, as the drill does.
    await play.spam()
    async with locked(play.folder / "bot.db"):
        asking = asyncio.create_task(otto.type(f"user {ACCOUNT}"))
        await otto.wait(lambda state: state.view)
    await asking
    card = await otto.offering(await otto.alert(ACCOUNT), "Acknowledge")
    await asyncio.gather(*(otto.press(card, "Acknowledge") for _ in range(2)))
    await otto.line(card, "Acknowledged: somebody is on it")


async def test_more_late_answers_than_slack_stacks_windows_are_all_shown(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    await play.spam()
    await play.otto.alert(ACCOUNT)
    monkeypatch.setattr("bot.slack.listeners._PATIENCE", 0.0)
    listed = await play.otto.type(f"search sender:{ACCOUNT}")
    for page in range(2, 6):
        listed = await play.otto.press_privately(listed, "Next ▶")
        assert f"page {page} of 12" in listed.text
    form = await play.otto.press_for_form(listed, "Preview")
    assert f"Authenticated as {ACCOUNT}" in form.text
