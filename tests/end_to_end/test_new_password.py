"""A new password that its chat does not take: nobody sees it, and everybody knows that."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from bot.demo.sender import Sender, SmtpRefused
from bot.demo.town import PASSWORD
from bot.workspace.reading import plain_text
from services.mail.embedded import EmbeddedServer

from .playing import ACCOUNT, Play, in_workspace, kept_or_told, playing

_NOT_SHOWN = "It could not be shown, so nobody knows it: set it again."
_CALLBACK = ("POST", "/interactions/{interaction_id}/{interaction_token}/callback")


def _slack_refuses(play: Play) -> None:
    # The library tries again, once.
    play.workspace.faults.rate_limit("views.update", 0, times=2)


def _slack_is_silent(play: Play) -> None:
    play.workspace.faults.lose_answers("views.update", times=2)


def _discord_refuses(play: Play) -> None:
    play.guild.faults.fail(*_CALLBACK, status=400)


def _discord_is_silent(play: Play) -> None:
    play.guild.faults.lose_answers(*_CALLBACK, times=10)


@pytest.fixture
async def play(
    request: pytest.FixtureRequest, tmp_path: Path, mailboxes: Path
) -> AsyncIterator[Play]:
    async with playing(tmp_path, mailboxes, chats=(request.param,)) as made:
        yield made


@pytest.fixture
def passwords(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every password that is set on the mail server from now on."""
    found: list[str] = []
    really = EmbeddedServer.set_password

    async def noting(server: EmbeddedServer, address: str, password: str) -> None:
        found.append(password)
        await really(server, address, password)

    monkeypatch.setattr(EmbeddedServer, "set_password", noting)
    return found


@pytest.mark.parametrize(
    ("play", "trouble"),
    [
        ("slack", _slack_refuses),
        ("slack", _slack_is_silent),
        ("discord", _discord_refuses),
        ("discord", _discord_is_silent),
    ],
    indirect=["play"],
)
async def test_one_that_could_not_be_shown_is_told_as_such_and_stands_nowhere(
    play: Play,
    trouble: Callable[[Play], None],
    passwords: list[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    shown = await play.otto.type(f"user {ACCOUNT}")
    form = await play.otto.press_for_form(shown, "New password…")
    trouble(play)
    # The form itself may say nothing at all then.
    submitting = asyncio.create_task(play.otto.choose(form))
    await play.ada.message(_NOT_SHOWN)
    submitting.cancel()
    await asyncio.wait({submitting})
    (password,) = passwords
    assert password not in await kept_or_told(play)
    assert password not in caplog.text
    assert [entry.phase for entry in await play.audited("password")] == [
        "intent",
        "result",
        "note",
    ]
    async with Sender("127.0.0.1", play.stage.server.port, client_ip="192.0.2.7") as client:
        with pytest.raises(SmtpRefused):
            await client.log_in(ACCOUNT, PASSWORD)


@pytest.mark.parametrize("play", ["slack"], indirect=True)
async def test_one_whose_call_overtakes_the_acknowledgement_before_it_is_shown(
    play: Play, passwords: list[str]
) -> None:
    shown = await play.otto.type(f"user {ACCOUNT}")
    form = await play.otto.press_for_form(shown, "New password…")
    play.workspace.faults.overtake("views.update")
    otto = in_workspace(play.otto)
    taken = await otto._client.submit(form.raw, {})
    assert taken.ok
    (password,) = passwords
    await otto.wait(lambda state: state.view and password in plain_text(state.view))
