"""HTTP mode: signed requests are answered as over Socket Mode, all others refused."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from pydantic import SecretStr

from bot.demo.stage import CHANNEL, OTTO
from bot.slack.connection import HTTP_PATH, SlackConnection
from bot.workspace.http_mode import SignedRequest, signed_request
from bot.workspace.reading import find_button

from .playing import ACCOUNT, Play, playing


@pytest.fixture
async def over_http(tmp_path: Path, mailboxes: Path) -> AsyncIterator[Play]:
    async with playing(tmp_path, mailboxes) as play:
        workspace, slack = play.workspace, play.app.settings.slack
        assert slack is not None
        http = {"mode": "http", "http_port": 0}
        secret = SecretStr(workspace.signing_secret)
        await play.app.stop()
        await play.start_bot(slack=slack.model_copy(update={**http, "signing_secret": secret}))
        workspace.deliver_over_http(_address(play))
        yield play


async def test_a_command_and_a_button_are_answered(over_http: Play) -> None:
    await over_http.spam()
    card = await over_http.otto.alert(ACCOUNT)
    assert "Top outbound senders" in (await over_http.vera.type("")).text
    await over_http.use(over_http.otto.press, "Stop sending")
    await over_http.otto.line(card, "60 messages held")


async def test_a_request_that_slack_did_not_sign_just_now_is_refused_and_does_nothing(
    over_http: Play,
) -> None:
    await over_http.spam()
    card = await over_http.otto.alert(ACCOUNT)
    workspace = over_http.workspace
    place = find_button(card.raw, "Stop sending")
    payload: dict[str, Any] = {
        "type": "block_actions",
        "user": {"id": "U0OTTO", "name": OTTO.name},
        "channel": {"id": workspace.channel_id(CHANNEL)},
        "team": {"id": workspace.identity.team_id},
        "container": {"type": "message", "message_ts": card.id},
        "trigger_id": "1.2.3",
        "response_url": f"{workspace.origin}/hooks/actions/T0/x",
        "actions": [
            {
                "type": "button",
                "action_id": place.action_id,
                "block_id": place.block_id,
                "value": place.element["value"],
            }
        ],
    }
    now = workspace.clock.time()
    good = signed_request(workspace.signing_secret, now, "interactive", payload)
    unsigned = {name: value for name, value in good.headers.items() if "Slack" not in name}
    other = signed_request("f" * 32, now, "interactive", payload)
    old = signed_request(workspace.signing_secret, now - 301, "interactive", payload)
    early = signed_request(workspace.signing_secret, now + 360, "interactive", payload)
    changed = good.body.replace(b"U0OTTO", b"U0ADA")
    refused = [
        SignedRequest(unsigned, good.body),
        other,
        old,
        early,
        SignedRequest(good.headers, changed),
        SignedRequest({**good.headers, "X-Slack-Signature": "v0="}, good.body),
        SignedRequest({**good.headers, "X-Slack-Request-Timestamp": "soon"}, good.body),
    ]
    entries = len(await over_http.app.audit.newest(100))
    assert [await _status(over_http, request) for request in refused] == [401] * len(refused)
    assert len(await over_http.app.audit.newest(100)) == entries
    assert await over_http.waiting() == 60
    # The same words, rightly signed, are what does it.
    assert await _status(over_http, good) == 200
    await over_http.otto.line(card, "60 messages held")


async def _status(play: Play, request: SignedRequest) -> int:
    async with (
        aiohttp.ClientSession() as session,
        session.post(_address(play), data=request.body, headers=request.headers) as answer,
    ):
        return answer.status


def _address(play: Play) -> str:
    (slack,) = play.app.connections
    assert isinstance(slack, SlackConnection)
    return f"http://127.0.0.1:{slack.port}{HTTP_PATH}"
