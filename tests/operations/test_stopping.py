"""SIGTERM to a real process: acts end and are told, or are cut off and that is told."""

import asyncio
import contextlib
import json
import os
import signal
import socket
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.systemd import Systemd
from bot.underway import UnderWay
from services.audit import Phase
from tests.end_to_end.playing import (
    ACCOUNT,
    PATIENCE,
    SPOOLWARDEN,
    Play,
    config_file,
    locked,
    until,
)


@contextlib.asynccontextmanager
async def _bot(play: Play, operations: str, **environment: str) -> AsyncIterator[Process]:
    """Run the stage's bot as a process of its own within the block."""
    await play.app.stop()
    file = config_file(play)
    with file.open("a") as more:
        more.write(f"[operations]\n{operations}\n")
    clean = {name: value for name, value in os.environ.items() if "SPOOLWARDEN" not in name}
    process = await asyncio.create_subprocess_exec(
        SPOOLWARDEN,
        "run",
        "--config",
        str(file),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=clean | environment,
    )
    try:
        await play.until_heard()
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def _line_of(process: Process, logger: str) -> dict[str, Any]:
    """Read what a bot logs up to a line of this logger; return that line."""
    assert process.stderr is not None
    async with asyncio.timeout(2 * PATIENCE):
        while True:
            line: dict[str, Any] = json.loads(await process.stderr.readline())
            if line["logger"] == logger:
                return line


async def _said(process: Process) -> list[dict[str, Any]]:
    """Wait for the end of a bot that logs in JSON; return what it logged."""
    async with asyncio.timeout(3 * PATIENCE):
        _, err = await process.communicate()
    return [json.loads(line) for line in err.splitlines()]


async def test_an_act_under_way_is_ended_and_told_before_the_bot_stops(play: Play) -> None:
    await play.spam()
    card = await play.otto.alert(ACCOUNT)
    async with _bot(play, 'log = "json"') as bot:
        async with locked(play.folder / "mail.db"):
            await play.use(play.otto.press, "Stop sending")
            await play.otto.line(card, "otto is stopping its sending")
            bot.send_signal(signal.SIGTERM)
            # A click that comes now is answered, and so is one that waits for the same lock.
            assert "Top outbound senders" in (await play.vera.type("")).text
            assert bot.returncode is None
        log = await _said(bot)
        assert bot.returncode == 0
    await play.otto.line(card, "60 messages held")
    assert [line for line in log if line["level"] != "info" and line["logger"] == "bot.app"] == []
    await play.start_bot()
    assert [entry.phase for entry in await play.audited("stop")] == [Phase.INTENT, Phase.RESULT]
    assert (await play.waiting(), await play.held()) == (0, 60)


async def test_an_act_that_does_not_end_is_cut_off_and_that_is_said_twice(play: Play) -> None:
    await play.spam()
    card = await play.otto.alert(ACCOUNT)
    async with _bot(play, 'stop_seconds = 1\nlog = "json"') as bot:
        async with locked(play.folder / "mail.db"):
            await play.use(play.otto.press, "Stop sending")
            await play.otto.line(card, "otto is stopping its sending")
            bot.send_signal(signal.SIGTERM)
            told = await _line_of(bot, "bot.app")
        await _said(bot)
        assert bot.returncode == 0
    assert told["level"] == "warning"
    assert told["message"].startswith("1 act cut off, not having ended after 1 s; what became")
    await play.start_bot()
    line = await play.otto.line(card, "was stopped in the middle of this")
    assert "It is safe to do it again" in line.text


async def test_what_a_chat_that_is_away_was_not_told_waits_for_the_next_start(play: Play) -> None:
    await play.spam()
    card = await play.otto.alert(ACCOUNT)
    await play.otto.type("help")
    async with _bot(play, 'log = "json"') as bot:
        play.workspace.faults.down = True
        await play.use(play.otto.press, "Acknowledge")
        await until(lambda: any(call.http_status == 503 for call in play.workspace.journal))
        bot.send_signal(signal.SIGTERM)
        log = await _said(bot)
        assert bot.returncode == 0
    assert any("is told the rest at the next start" in line["message"] for line in log)
    play.workspace.faults.down = False
    await play.start_bot()
    await play.otto.line(card, "Acknowledged: somebody is on it")


async def test_systemd_is_told_that_the_bot_is_ready_alive_and_stopping(
    play: Play, tmp_path: Path
) -> None:
    # A path of a socket may be no longer than this many characters.
    path = "\0" + f"spoolwarden-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(path)
        systemd.setblocking(False)
        loop = asyncio.get_running_loop()

        async def told() -> bytes:
            async with asyncio.timeout(2 * PATIENCE):
                return await loop.sock_recv(systemd, 4096)

        environment = {"NOTIFY_SOCKET": path.replace("\0", "@"), "WATCHDOG_USEC": "400000"}
        async with _bot(play, "", **environment) as bot:
            heard = [await told()]
            while heard[-1] != b"READY=1":
                heard.append(await told())
            assert set(heard[:-1]) <= {b"WATCHDOG=1"}
            assert [await told(), await told()] == [b"WATCHDOG=1"] * 2
            bot.send_signal(signal.SIGTERM)
            while not heard[-1].startswith(b"STOPPING=1"):
                heard.append(await told())
            # sd_notify(3): a stop may take this long, whatever the unit says; the settings do.
            microseconds = int((play.app.settings.operations.stop_seconds + 25) * 1e6)
            assert heard[-1] == f"STOPPING=1\nEXTEND_TIMEOUT_USEC={microseconds}".encode()
            await bot.communicate()
            assert bot.returncode == 0


def test_systemd_is_spoken_to_by_path_and_a_socket_that_is_gone_stops_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = str(tmp_path / "notify")
    systemd = Systemd({"NOTIFY_SOCKET": path})
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as there:
        there.bind(path)
        systemd.tell("READY=1", "STATUS=well")
        assert there.recv(100) == b"READY=1\nSTATUS=well"
    assert caplog.messages == []
    systemd.tell("READY=1")
    assert "systemd could not be told READY=1" in caplog.text


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 30),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
    ],
)
def test_the_watchdog_is_fed_only_where_systemd_asks_this_process(
    environment: dict[str, str], seconds: float | None
) -> None:
    assert Systemd(environment).watchdog == seconds


async def test_what_arrives_while_others_are_waited_for_is_waited_for_too() -> None:
    under_way, gate, done = UnderWay(), asyncio.Event(), []

    async def second() -> None:
        done.append("second")

    async def first() -> None:
        await gate.wait()
        under_way.keep(second())
        done.append("first")

    under_way.keep(first())
    over = asyncio.create_task(under_way.over(PATIENCE))
    gate.set()
    assert await over == 0
    assert done == ["first", "second"]


async def test_answers_are_waited_for_and_work_that_is_cut_off_is_counted_once() -> None:
    under_way, begun = UnderWay(), asyncio.Event()

    async def answer() -> None:
        with under_way.answering(), under_way.answering():
            work = under_way.keep(asyncio.sleep(PATIENCE * 10))
            begun.set()
            await work

    answering = asyncio.create_task(answer())
    await begun.wait()
    assert await under_way.over(0.01) == 1
    assert answering.cancelled()
    assert await under_way.over(0) == 0
