"""How an answer finds its reader in Slack where its first way there is closed."""

import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from slack_bolt.context.respond.async_respond import AsyncRespond
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot import line_cards
from bot.dispatch import Answer
from bot.elements import Card, Form, Paragraph, say
from bot.slack.blocks import form, panel
from bot.slack.files import Files, refuses_picture
from bot.slack.listeners import Listeners, _Origin
from bot.workspace import ManualClock, Member, Workspace
from bot.workspace.store import Message

OTTO = Member("U0OTTO", "otto", "Otto Operator", "operator")
TOLD = line_cards.failure("It was not done.")
FORM = Form("Sure?", (Paragraph(say("Really?")),), (), "Yes", "intent-1")


@pytest.fixture
async def ws() -> AsyncIterator[Workspace]:
    made = Workspace(members=(OTTO,), channels=("mail-ops",), clock=ManualClock())
    async with made:
        yield made


@pytest.fixture
def origin(ws: Workspace) -> _Origin:
    """What a slash command of Otto's comes with."""
    client = AsyncWebClient(token=ws.bot_token, base_url=ws.base_url, timeout=5)
    channel = ws.channel_id("mail-ops")
    hook = ws._doors._hooks.issue(OTTO.id, channel)
    respond = AsyncRespond(response_url=ws._hook_url(hook, "commands"))
    return _Origin(
        client, respond, ws._web_api._context.triggers.issue(OTTO.id), channel, OTTO.id, Files()
    )


def private(ws: Workspace) -> list[Message]:
    return list(ws.store.ephemerals.get(OTTO.id, ()))


async def answer(origin: _Origin, given: Answer, caplog: pytest.LogCaptureFixture) -> list[str]:
    """Have an answer shown as the listeners do; return the secrets said to be lost."""
    lost: list[str] = []

    async def not_shown(intent_id: str) -> Card:
        lost.append(intent_id)
        return TOLD

    async def work() -> Answer:
        return given

    dispatch: Any = SimpleNamespace(not_shown=not_shown)
    with caplog.at_level(logging.INFO):
        await Listeners(dispatch)._answer(origin, work())
    return lost


async def test_an_answer_that_its_address_refuses_is_told_in_the_channel(
    ws: Workspace, origin: _Origin, caplog: pytest.LogCaptureFixture
) -> None:
    ws.faults.rate_limit("response_url", 1)
    assert await answer(origin, Answer(TOLD, failed=True), caplog) == []
    [shown] = private(ws)
    assert "It was not done." in str(shown.blocks)
    assert [call.method for call in ws.journal] == ["response_url", "chat.postEphemeral"]
    assert "could not be shown: 429" in caplog.text


async def test_a_secret_that_its_address_refuses_is_not_taken_for_shown(
    ws: Workspace, origin: _Origin, caplog: pytest.LogCaptureFixture
) -> None:
    ws.faults.rate_limit("response_url", 1)
    secret = replace(line_cards.success("s3cret"), once="intent-7")
    assert await answer(origin, Answer(secret), caplog) == ["intent-7"]
    [shown] = private(ws)
    assert "s3cret" not in str(shown.blocks)


async def test_a_form_that_cannot_be_opened_is_told_where_the_bot_is_in_no_channel(
    ws: Workspace, origin: _Origin, caplog: pytest.LogCaptureFixture
) -> None:
    ws.store.channels[origin.channel].members.discard(ws.identity.bot_user)
    late = replace(origin, trigger_id="1.2.3")
    await answer(late, Answer(FORM, layer=True), caplog)
    [shown] = private(ws)
    assert "The form could not be opened in time." in str(shown.blocks)


async def test_what_is_pressed_in_a_thread_is_answered_there(
    ws: Workspace, origin: _Origin, caplog: pytest.LogCaptureFixture
) -> None:
    above = await origin.client.chat_postMessage(channel=origin.channel, text="an alert")
    pressed = replace(origin, thread=above["ts"])
    await answer(pressed, Answer(TOLD, failed=True), caplog)
    [shown] = private(ws)
    assert shown.thread_ts == above["ts"]


async def test_a_fourth_window_takes_the_place_of_the_third(
    ws: Workspace, origin: _Origin, caplog: pytest.LogCaptureFixture
) -> None:
    view = panel(Card("Below"), origin.channel)
    ws.modals.open(OTTO.id, view)
    for _ in range(2):
        top = ws.modals.push(OTTO.id, view)
    trigger = ws._web_api._context.triggers.issue(OTTO.id, top.id)
    deep = replace(origin, respond=None, trigger_id=trigger, view_id=top.id)
    await answer(deep, Answer(FORM, layer=True), caplog)
    assert len(ws.modals.stack(OTTO.id)) == 3
    shown = ws.modals.top(OTTO.id)
    assert shown is not None
    assert shown.content["title"] == form(FORM, origin.channel)["title"]
    assert "could not be shown" not in caplog.text


async def test_a_window_that_slack_does_not_open_for_its_picture_is_known(
    ws: Workspace, origin: _Origin
) -> None:
    sent = await origin.client.files_upload_v2(filename="x.png", title="X", content=b"\x89PNG")
    picture = {"type": "image", "alt_text": "x", "slack_file": {"id": sent["files"][0]["id"]}}
    view = {**panel(Card("Rate"), origin.channel), "blocks": [picture]}
    with pytest.raises(SlackApiError) as refused:
        await origin.client.views_open(trigger_id=origin.trigger_id, view=view)
    assert refused.value.response["error"] == "invalid_arguments"
    assert refuses_picture(refused.value.response)
