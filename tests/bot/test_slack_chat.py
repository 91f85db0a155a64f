"""What Slack's refusals mean for the channel: to be tried again, looked for, or given up."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from bot import line_cards
from bot.chat import ChatDown, ChatRefused
from bot.slack.chat import SlackChat, make_client
from bot.workspace import ManualClock, Workspace

CARD = line_cards.note("A line.")


@pytest.fixture
async def ws() -> AsyncIterator[Workspace]:
    async with Workspace(members=(), channels=("mail-ops",), clock=ManualClock()) as made:
        yield made


@pytest.fixture
def chat(ws: Workspace) -> SlackChat:
    return SlackChat(make_client(ws.bot_token, ws.base_url), ws.channel_id("mail-ops"))


@pytest.mark.parametrize("code", ["internal_error", "fatal_error"])
async def test_a_post_that_slack_says_failed_may_stand_and_is_found(
    ws: Workspace, chat: SlackChat, code: str
) -> None:
    ws.faults.stumble("chat.postMessage", code)
    with pytest.raises(ChatDown) as failed:
        await chat.post(CARD, ref="announcement:1", thread=None)
    assert failed.value.unsure
    since = datetime.fromtimestamp(ws.clock.time(), UTC) - timedelta(seconds=5)
    [ts] = ws.store.channels[chat.place.channel].messages
    assert await chat.find("announcement:1", thread=None, since=since) == ts


async def test_a_post_that_slack_surely_did_not_take_is_not_looked_for(
    ws: Workspace, chat: SlackChat
) -> None:
    ws.faults.refuse("chat.postMessage", "is_archived")
    with pytest.raises(ChatDown, match="the channel is archived") as failed:
        await chat.post(CARD, ref="announcement:1", thread=None)
    assert not failed.value.unsure


async def test_what_a_workspace_keeps_from_being_deleted_or_pinned_is_not_tried_for_ever(
    ws: Workspace, chat: SlackChat
) -> None:
    posted = await chat.post(CARD, ref="board:1", thread=None)
    ws.faults.refuse("chat.delete", "compliance_exports_prevent_deletion")
    with pytest.raises(ChatRefused, match="compliance_exports_prevent_deletion"):
        await chat.remove(posted)
    ws.faults.refuse("pins.add", "no_permission")
    with pytest.raises(ChatRefused, match="does not let the app pin"):
        await chat.pin(posted)
    await chat.pin(posted)
    await chat.remove(posted)
