"""Canaries in every secret, a bot that everything goes wrong for, and none of them found after."""

import asyncio
import contextlib
import json
import logging
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from services.mail.embedded import EmbeddedServer
from services.secrets import secret_values
from services.settings import load
from tests.end_to_end.playing import (
    ACCOUNT,
    PATIENCE,
    SPOOLWARDEN,
    Play,
    config_file,
    kept_or_told,
    locked,
    password_in,
)
from tests.mail.harness import EmbeddedHarness

_SIGNING = "canary-of-signing-1bd2"
_DISCORD = "canary-of-discord-77ab"
_SMARTERMAIL = "canary-of-smartermail-c0de"
_LOGINS = "canary-of-logins-5e1f"
_MAILBOX = "canary-of-mailbox-90dd"
_DATABASE = "canary-of-a-database-b10c"
_WRONG = "xoxb-canary-of-a-wrong-token-42ee"
_NEW = "canary-of-a-new-password-3b3b"
_CANARIES = (_SIGNING, _DISCORD, _SMARTERMAIL, _LOGINS, _MAILBOX, _DATABASE, _WRONG, _NEW)

#: Nothing listens there: every one of these fails, and says so.
_MORE = """
[discord]
bot_token = "@DISCORD@"
channel = "1"
api_url = "http://127.0.0.1:9/api/v10"
gateway_url = "ws://127.0.0.1:9/"

[[mail_server]]
kind = "smartermail"
name = "sm1"
url = "http://127.0.0.1:9"
username = "bot"
password = "@SMARTERMAIL@"

[[mail_server]]
kind = "postfix"
name = "mx1"
state_directory = "@FOLDER@/mx1"
config_directory = "@FOLDER@/mx1"
command_directory = "@FOLDER@/bin"
log = "@FOLDER@/mail.log"

[mail_server.logins]
url = "postgresql://bot:@LOGINS@@127.0.0.1:9/mail"
find = "SELECT username FROM mailbox WHERE username = :user"
set_password = "UPDATE mailbox SET password = :password WHERE username = :user"
scheme = "plain"

[operations]
log = "@KIND@"
log_level = "debug"
"""
#: In place of Postfix's programs: each writes down how it was called, and with what around it.
_PROGRAM = """#!/bin/sh
{ tr '\\0' ' ' </proc/$$/cmdline; tr '\\0' ' ' </proc/$$/environ; echo; } >>"@FOLDER@/called"
"""


def _set_up(play: Play, kind: str, **slack: Any) -> Path:
    """Write a configuration with every secret there is, and what its servers need."""
    folder = play.folder
    for part in ("mx1", "bin"):
        (folder / part).mkdir(exist_ok=True)
    (folder / "mail.log").touch()
    for name in ("postqueue", "postsuper", "postcat", "postconf", "postmap", "postfix"):
        program = folder / "bin" / name
        program.write_text(_PROGRAM.replace("@FOLDER@", str(folder)))
        program.chmod(0o755)
    file = config_file(play, signing_secret=_SIGNING, **slack)
    text = file.read_text("utf-8").replace(
        "proxy_protocol = true",
        "proxy_protocol = true\n"
        f'users = [{{ address = "new@example.com", password = "{_MAILBOX}" }}]',
    )
    more = _MORE
    for name, value in {
        "FOLDER": str(folder),
        "KIND": kind,
        "DISCORD": _DISCORD,
        "SMARTERMAIL": _SMARTERMAIL,
        "LOGINS": _LOGINS,
    }.items():
        more = more.replace(f"@{name}@", value)
    file.write_text(text + more, "utf-8")
    file.chmod(0o600)
    return file


@contextlib.asynccontextmanager
async def _command(
    *arguments: str, **environment: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    clean = {name: value for name, value in os.environ.items() if "SPOOLWARDEN" not in name}
    process = await asyncio.create_subprocess_exec(
        SPOOLWARDEN,
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=clean | environment,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def _output(process: asyncio.subprocess.Process) -> str:
    async with asyncio.timeout(4 * PATIENCE):
        out, _ = await process.communicate()
    return out.decode()


def _cmdline(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().decode()


def _has_none(text: str, *more: str) -> None:
    for canary in (*_CANARIES, *more):
        assert canary not in text


def _files(folder: Path) -> Iterator[bytes]:
    """Yield what stands in every file but the configuration."""
    for file in folder.rglob("*"):
        if file.is_file() and file.suffix != ".toml":
            yield file.read_bytes()


async def test_no_secret_gets_out_of_a_bot_that_everything_goes_wrong_for(play: Play) -> None:
    await play.spam()
    card = await play.otto.alert(ACCOUNT)
    await play.app.stop()
    file = _set_up(play, "json")
    tokens = (play.workspace.bot_token, play.workspace.app_token)
    assert {_SIGNING, _DISCORD, _SMARTERMAIL, _LOGINS, _MAILBOX, *tokens} <= secret_values(
        load(file)
    )
    async with _command("run", "--config", str(file)) as bot:
        await play.until_heard()
        cmdline = _cmdline(bot.pid)
        await play.use(play.otto.press, "Stop sending")
        await play.otto.line(card, "60 messages held")
        for words in ("on:sm1", "on:mx1", "search on:sm1", "disable ann@example.com on:mx1"):
            await play.otto.type(words)
        await play.nobu.type("search on:sm1")
        async with locked(play.folder / "bot.db"):
            waiting = asyncio.create_task(play.otto.type("audit"))
            bot.send_signal(signal.SIGTERM)
            await asyncio.wait({waiting}, timeout=PATIENCE)
        waiting.cancel()
        await asyncio.wait({waiting})
        log = await _output(bot)
    assert "poll of sm1 failed" in log
    (play.folder / "log").write_text(log)
    assert not [line for line in log.splitlines() if "Traceback" in line]
    called = (play.folder / "called").read_text("utf-8")
    assert "/bin/postqueue -c " in called
    _has_none(log + cmdline, *tokens)
    calls = [(call.method, call.answer, call.arguments) for call in play.workspace.journal]
    _has_none(json.dumps(calls, default=str), *tokens)
    _has_none(str(play.otto.cards()) + str(play.otto.lines(card)), *tokens)
    for content in _files(play.folder):
        _has_none(content.decode("latin-1"), *tokens)


async def test_no_secret_is_in_what_check_and_a_wrong_token_and_database_say(play: Play) -> None:
    await play.app.stop()
    app_token = play.workspace.app_token
    file = _set_up(play, "text", bot_token=_WRONG)
    async with _command("check", "--config", str(file)) as check:
        found = await _output(check)
    for problem in ("invalid_auth", "mail server sm1", "mail server mx1"):
        assert problem in found
    _has_none(found, app_token)
    down = f"postgresql+psycopg://bot:{_DATABASE}@127.0.0.1:9/spoolwarden"
    for command in ("run", "check"):
        async with _command(command, "--config", str(file), SPOOLWARDEN_DATABASE=down) as without:
            said = await _output(without)
        assert without.returncode == 1
        assert "database" in said
        _has_none(said, app_token)


async def test_a_wrong_token_in_a_running_bot_is_told_without_it(play: Play) -> None:
    await play.spam()
    await play.otto.alert(ACCOUNT)
    await play.app.stop()
    file = _set_up(play, "json", bot_token=_WRONG)
    async with _command("run", "--config", str(file)) as bot:
        assert bot.stdout is not None
        lines: list[str] = []
        await play.until_heard()
        await play.use(play.otto.press, "Acknowledge")
        async with asyncio.timeout(3 * PATIENCE):
            while not any("does not accept the bot token" in line for line in lines):
                lines.append((await bot.stdout.readline()).decode())
        bot.send_signal(signal.SIGTERM)
        lines.append(await _output(bot))
    _has_none("".join(lines), play.workspace.app_token)


async def test_a_password_that_was_made_and_shown_is_in_no_log_file_or_channel(
    play: Play,
) -> None:
    await play.app.stop()
    file = _set_up(play, "json")
    async with _command("run", "--config", str(file)) as bot:
        await play.until_heard()
        shown = await play.otto.type(f"user {ACCOUNT}")
        form = await play.otto.press_for_form(shown, "New password…")
        made = password_in(await play.otto.choose(form))
        await play.otto.message(f"{ACCOUNT} has a new password")
        play.workspace.faults.rate_limit("views.update", 0, times=2)
        form = await play.otto.press_for_form(shown, "New password…")
        submitting = asyncio.create_task(play.otto.choose(form))
        await play.otto.message("It could not be shown")
        submitting.cancel()
        await asyncio.wait({submitting})
        bot.send_signal(signal.SIGTERM)
        log = await _output(bot)
    views = [call for call in play.workspace.journal if call.method == "views.update"]
    hidden = [password_in(json.dumps(call.arguments)) for call in views if "New pass" in repr(call)]
    assert hidden[0] == made
    assert len(set(hidden)) == 2
    for password in hidden:
        assert password not in log
        assert password not in await kept_or_told(play)


async def test_a_new_password_is_in_no_log_and_no_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    mail = EmbeddedHarness(tmp_path)
    await mail.start()
    try:
        await mail.add_user("ann@example.test")
        server: EmbeddedServer = mail.server
        await server.set_password("ann@example.test", _NEW)
    finally:
        await mail.stop()
    assert "executing" in caplog.text
    _has_none(caplog.text)
    for content in _files(tmp_path):
        _has_none(content.decode("latin-1"))
