"""spoolwarden run and demo: they start, say one sentence where they can't, and stop when told."""

import asyncio
import shutil
import signal
from asyncio.subprocess import Process
from importlib.metadata import version
from pathlib import Path

import aiohttp
import pytest

from tests.end_to_end.playing import PATIENCE, STARTING, Play, command, config_file, ended


async def _ended(process: Process) -> tuple[int | None, str, str]:
    async with asyncio.timeout(2 * PATIENCE):
        out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("database = ", "is not valid TOML"),
        ('[[mail_server]]\nname = "mail"\nport = 99999\n', "mail_server.0.port"),
        ('[[mail_server]]\n[slack]\nbot_token = "xoxb-secret"\nchannel = "C1"\n', "app_token"),
        ('[[mail_server]]\nmisspelt = "x"\n', "mail_server.0.misspelt"),
    ],
)
async def test_a_bad_configuration_is_one_sentence_and_no_traceback(
    tmp_path: Path, text: str, says: str
) -> None:
    file = tmp_path / "spoolwarden.toml"
    file.write_text(text, "utf-8")
    code, out, err = await ended("run", "--config", str(file))
    assert (code, out) == (1, "")
    said = " ".join(err.split())
    assert says in said
    assert "Traceback" not in err
    assert "xoxb-secret" not in err


async def test_the_release_is_the_packages() -> None:
    assert await ended("--version") == (0, f"spoolwarden {version('spoolwarden')}\n", "")


async def test_run_serves_until_it_is_terminated(play: Play) -> None:
    await play.app.stop()
    bot = await command("run", "--config", str(config_file(play)))
    try:
        await play.until_heard()
        await play.vera.type("")
        bot.send_signal(signal.SIGTERM)
        code, _, err = await _ended(bot)
    finally:
        if bot.returncode is None:
            bot.kill()
            await bot.communicate()
    assert code == 0
    assert "Traceback" not in err


async def test_the_demo_prints_its_page_and_ends_with_ctrl_c(
    tmp_path: Path, mailboxes: Path
) -> None:
    # A folder with a mail server in it: playing a week of mail first would take half a minute.
    shutil.copy(mailboxes, tmp_path / "mail.db")
    demo = await command("demo", "--no-browser", "--port", "0", "--state", str(tmp_path))
    assert demo.stdout is not None
    try:
        url = ""
        async with asyncio.timeout(STARTING):
            while not url:
                line = (await demo.stdout.readline()).decode()
                assert line, "the demo ended"
                url = next((word for word in line.split() if word.startswith("http://")), "")
        async with aiohttp.ClientSession() as session, session.get(url) as page:
            assert page.status == 200
            assert "<title>" in await page.text()
        demo.send_signal(signal.SIGINT)
        code, out, err = await _ended(demo)
    finally:
        if demo.returncode is None:
            demo.kill()
            await demo.communicate()
    assert code == 0
    assert out.endswith("Stopped.\n")
    assert "Traceback" not in err
