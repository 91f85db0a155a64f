"""HTTP mode: signed requests are answered as over Socket Mode, all others refused."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import aiohttp
import pytest
from pydantic import SecretStr

from bot.demo.stage import CHANNEL, OTTO
from bot.hands import Hands
from bot.slack.connection import HTTP_PATH, SlackConnection
from bot.workspace.http_mode import SignedRequest, signed_request
from bot.workspace.reading import find_button, plain_text
from services.audit import Phase
from services.mail.port import UserState

from .playing import ACCOUNT, Play, in_workspace, playing, until


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


async def test_a_button_s_request_that_comes_again_acts_once_and_is_in_the_log(
    over_http: Play,
) -> None:
    play = over_http
    await play.spam()
    card = await play.otto.alert(ACCOUNT)
    await play.use(play.otto.press, "Stop sending")
    await play.otto.line(card, "60 messages held")
    pressed = _newest(play, "block_actions")
    assert await _status(play, pressed) == 200
    await _told(play.otto, "This was already done by otto; nothing was done twice.")
    assert await _phases(play, "stop") == [Phase.INTENT, Phase.RESULT, Phase.REPEATED]
    # Nor does it once the act was taken back: the button was used.
    form = await play.use(play.otto.press_for_form, "Undo stop")
    assert "60 messages released" in await play.otto.choose(form)
    assert [await _status(play, again) for again in (pressed, pressed)] == [200, 200]
    await until(lambda: _has(play, "stop", Phase.REPEATED, 3))
    assert (await play.waiting(), await play.held()) == (60, 0)
    assert await _phases(play, "undo stop") == [Phase.INTENT, Phase.RESULT]
    # The button that takes it back says so, too.
    undo = _newest(play, "block_actions")
    assert await _status(play, undo) == 200
    await _told(play.otto, "This was taken back already; nothing was done twice.")
    assert await _phases(play, "undo stop") == [Phase.INTENT, Phase.RESULT, Phase.REPEATED]


async def test_a_form_s_request_that_comes_again_acts_once_and_is_in_the_log(
    over_http: Play,
) -> None:
    play = over_http
    for command in ("disable", "enable"):
        await play.otto.choose(await play.otto.type_for_form(f"{command} {ACCOUNT}"))
    submitted, _ = _sent(play, "view_submission")
    status, answer = await _answer(play, submitted)
    assert status == 200
    assert "This was already done by otto; nothing was done twice." in answer
    assert await _phases(play, "disable") == [Phase.INTENT, Phase.RESULT, Phase.REPEATED]
    user = await play.stage.server.user(ACCOUNT)
    assert user is not None
    assert user.state is UserState.ACTIVE


async def test_a_command_s_request_that_comes_again_does_nothing_and_tells_only_who_typed_it(
    over_http: Play,
) -> None:
    play = over_http
    await play.otto.choose(await play.otto.type_for_form(f"disable {ACCOUNT}"))
    typed = _newest(play, "command")
    status, answer = await _answer(play, typed)
    assert (status, answer) == (200, "")
    await _told(play.otto, "The form could not be opened in time. Nothing was done;")
    assert await _phases(play, "disable") == [Phase.INTENT, Phase.RESULT]
    # What is only looked at is shown again, to the same person.
    await play.vera.type("audit")
    before = {hands: len(_private(hands)) for hands in (play.vera, play.otto)}
    status, answer = await _answer(play, _newest(play, "command"))
    assert (status, answer) == (200, "")
    await until(lambda: len(_private(play.vera)) == before[play.vera] + 1)
    assert len(_private(play.otto)) == before[play.otto]


async def test_a_decision_s_request_that_comes_again_decides_nothing(over_http: Play) -> None:
    play = over_http
    await play.otto.choose(await play.otto.type_for_form("block 203.0.112.0/20 for:1h"))
    asked = await play.otto.message("otto asks for blocking addresses: 203.0.112.0/20")
    await play.ada.press(asked, "Approve…")
    await play.otto.message("otto, approved by ada: SMTP from 203.0.112.0/20 is refused for 1 h")
    assert await _status(play, _newest(play, "block_actions")) == 200
    await _told(play.ada, "This was decided already; nothing was done now.")
    assert await _phases(play, "approve") == [Phase.REPEATED]
    assert (await _phases(play, "block")).count(Phase.RESULT) == 1
    assert len(await play.stage.server.blocks()) == 1


def _private(hands: Hands) -> list[str]:
    """Return what somebody was told in private, oldest first."""
    return [plain_text(said) for said in in_workspace(hands)._client.state().ephemerals]


async def _told(hands: Hands, text: str) -> None:
    await until(lambda: any(text in said for said in _private(hands)))


def _sent(play: Play, kind: str) -> list[SignedRequest]:
    """Return what Slack sent of a kind, oldest first."""
    found = []
    for request in play.workspace.sent_over_http():
        fields = _fields(request)
        payload = json.loads(fields["payload"]) if "payload" in fields else {"type": "command"}
        if payload["type"] == kind:
            found.append(request)
    return found


def _newest(play: Play, kind: str) -> SignedRequest:
    return _sent(play, kind)[-1]


def _fields(request: SignedRequest) -> dict[str, str]:
    return dict(parse_qsl(request.body.decode()))


async def _phases(play: Play, action: str) -> list[str]:
    return [entry.phase for entry in await play.audited(action)]


async def _has(play: Play, action: str, phase: Phase, times: int) -> bool:
    return (await _phases(play, action)).count(phase) == times


async def _answer(play: Play, request: SignedRequest) -> tuple[int, str]:
    async with (
        aiohttp.ClientSession() as session,
        session.post(_address(play), data=request.body, headers=request.headers) as answer,
    ):
        return answer.status, await answer.text()


async def _status(play: Play, request: SignedRequest) -> int:
    return (await _answer(play, request))[0]


def _address(play: Play) -> str:
    (slack,) = play.app.connections
    assert isinstance(slack, SlackConnection)
    return f"http://127.0.0.1:{slack.port}{HTTP_PATH}"
