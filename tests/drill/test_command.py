"""spoolwarden drill --server: what it refuses to begin, what it leaves alone, and being stopped."""

import asyncio
import json
import os
import signal
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from typing import Any

import pytest

from services.mail.port import SpoolQuery, UserState
from tests.end_to_end.playing import PATIENCE, SPOOLWARDEN, ended
from tests.mail.postfix_harness import PASSWORD, PostfixHarness

from .servers import ANN, BOB, ELSEWHERE, config_file, postfix_table, standing

_EMBEDDED = [{"name": "mail"}, {"name": "spare"}]


async def drill(*arguments: str, password: str | None = None) -> Process:
    """Start the drill as a process, with nothing of ours in its environment but a password."""
    clean = {name: value for name, value in os.environ.items() if "SPOOLWARDEN" not in name}
    if password is not None:
        clean["SPOOLWARDEN_TEST_PASSWORD"] = password
    return await asyncio.create_subprocess_exec(
        SPOOLWARDEN, "drill", *arguments, stdout=PIPE, stderr=PIPE, env=clean
    )


async def end_of(process: Process) -> tuple[int | None, str, str]:
    async with asyncio.timeout(4 * PATIENCE):
        out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    ("arguments", "password", "says"),
    [
        (
            ["--server", "mx9"],
            None,
            "There is no mail server 'mx9' in the configuration. Known: mail, spare.",
        ),
        (
            ["--server", "mail", "--test-account", ANN, "--smtp", "127.0.0.1:25"],
            None,
            "--test-account needs the account's password in SPOOLWARDEN_TEST_PASSWORD.",
        ),
        (
            ["--server", "mail", "--test-account", ANN],
            PASSWORD,
            "--test-account needs --smtp HOST:PORT: where the account submits its mail.",
        ),
        (
            ["--server", "mail", "--test-account", ANN, "--smtp", "127.0.0.1"],
            PASSWORD,
            "--test-account needs --smtp HOST:PORT: where the account submits its mail.",
        ),
        (
            ["--server", "mail", "--test-account", "BOSS@example.test", "--smtp", "127.0.0.1:25"],
            PASSWORD,
            "BOSS@example.test is a protected account (setting safety.protected_accounts). "
            "Nothing was done.",
        ),
        (
            ["--server", "mail", "--smtp", "127.0.0.1:25"],
            None,
            "--smtp, --test-recipient and --announce say how --test-account USER sends; name one.",
        ),
        (
            [],
            None,
            "Without --server NAME the drill plays on a mail server of its own, and takes "
            "neither a configuration nor a test account.",
        ),
    ],
)
async def test_what_cannot_be_begun_is_one_sentence(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    password: str | None,
    says: str,
) -> None:
    safety = {"protected_accounts": ["boss@example.test"]}
    file = config_file(tmp_path, *_EMBEDDED, safety=safety)
    if password is not None:
        monkeypatch.setenv("SPOOLWARDEN_TEST_PASSWORD", password)
    code, out, err = await ended("drill", "--config", str(file), *arguments)
    assert (code, out) == (1, "")
    assert " ".join(err.split()) == says
    assert names_in(tmp_path) == [file.name]


async def test_the_configured_chat_and_database_are_left_alone(
    postfix: PostfixHarness, tmp_path: Path
) -> None:
    called: list[asyncio.StreamWriter] = []

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        called.append(writer)
        writer.close()

    chat = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with chat:
        port = chat.sockets[0].getsockname()[1]
        slack = {
            "bot_token": "xoxb-1",
            "app_token": "xapp-1",
            "channel": "C0REAL",
            "api_url": f"http://127.0.0.1:{port}/",
        }
        file = config_file(tmp_path, postfix_table(postfix), slack=slack)
        report = tmp_path / "report.json"
        process = await drill("--server", "mx", "-c", str(file), "--json", str(report))
        code, out, err = await end_of(process)
    assert (code, out) == (0, ""), err
    found: dict[str, Any] = json.loads(report.read_text("utf-8"))
    assert (found["ok"], found["server"], found["account"]) == (True, "mx", None)
    assert called == []
    assert names_in(tmp_path) == ["report.json", file.name]


async def test_a_drill_that_is_terminated_puts_the_account_back_first(
    postfix: PostfixHarness, tmp_path: Path
) -> None:
    for user in (ANN, BOB):
        await postfix.add_user(user)
    await postfix.submit(ANN, [ELSEWHERE], "Late", times=3)
    await postfix.settle()
    before = await standing(postfix.server, ANN, BOB)
    file = config_file(tmp_path, postfix_table(postfix))
    smtp = f"127.0.0.1:{postfix.instance.port}"
    process = await drill(
        *("--server", "mx", "-c", str(file), "--test-account", ANN, "--smtp", smtp),
        *("--test-recipient", ELSEWHERE, "--announce", "198.51.100.20"),
        password=PASSWORD,
    )
    assert process.stderr is not None
    async with asyncio.timeout(4 * PATIENCE):
        # Whatever it is at: its own messages wait, and the account is still to be acted on.
        while not (await process.stderr.readline()).startswith(b"ok   sends"):
            assert process.returncode is None
        while (await _state(postfix)) is UserState.ACTIVE:
            assert process.returncode is None
    process.send_signal(signal.SIGTERM)
    code, out, err = await end_of(process)
    assert (code, out) == (1, "")
    assert "ok   put_account_back" in err
    assert "drill's own deleted" in err
    assert "Traceback" not in err
    assert await standing(postfix.server, ANN, BOB) == before
    drills = SpoolQuery(sender=ANN, subject="Spoolwarden drill")
    assert await postfix.server.matching_ids(drills, limit=10) == ()


async def _state(postfix: PostfixHarness) -> UserState | None:
    user = await postfix.server.user(ANN)
    return None if user is None else user.state
