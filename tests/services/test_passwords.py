"""New passwords: what they are like, and the command that they are handed to."""

import asyncio
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr

from services.errors import BadArgument
from services.passwords import NotHandedOn, Passwords

PASSWORD = SecretStr("canary-of-a-handed-on-one")
ANN = "ann@example.test"


def test_no_two_are_alike_and_each_has_every_kind_of_character() -> None:
    made = [Passwords().new().get_secret_value() for _ in range(500)]
    assert len(set(made)) == 500
    for password in made:
        assert len(password) == 23
        assert password.count("-") == 3
        assert any(c.islower() for c in password)
        assert any(c.isupper() for c in password)
        assert any(c.isdigit() for c in password)
        assert not set(password) & set("l1IO0o")


def test_it_does_not_show_itself() -> None:
    password = Passwords().new()
    assert password.get_secret_value() not in f"{password} {password!r}"


async def test_the_command_gets_two_lines_no_shell_and_nothing_of_the_bots_surroundings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPOOLWARDEN_SLACK__BOT_TOKEN", "xoxb-canary")
    got, around = tmp_path / "got", tmp_path / "around"
    program = (
        "import os, pathlib, sys;"
        "pathlib.Path(sys.argv[1]).write_text(sys.stdin.read());"
        "pathlib.Path(sys.argv[2]).write_text(repr(dict(os.environ)) + repr(sys.argv))"
    )
    odd = "$(touch never); `id`"
    command = (sys.executable, "-c", program, str(got), str(around), odd)
    await Passwords(command).hand_on(ANN, PASSWORD)
    assert got.read_text() == f"{ANN}\n{PASSWORD.get_secret_value()}\n"
    told = around.read_text()
    assert "canary" not in told
    assert odd in told


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("/nowhere/at/all",), "cannot be started (No such file or directory)"),
        ((sys.executable, "-c", "import sys; print(sys.stdin.read()); sys.exit(3)"), "status 3"),
        ((sys.executable, "-c", "import time; time.sleep(60)"), "longer than 0.5 s"),
        ((sys.executable, "-c", "import os; os.close(0); os._exit(1)"), "status 1"),
    ],
)
async def test_a_command_that_does_not_take_it_is_told_without_it(
    command: tuple[str, ...], said: str
) -> None:
    with pytest.raises(NotHandedOn) as failed:
        await Passwords(command, timeout=0.5 if "sleep" in command[-1] else 30).hand_on(
            ANN, PASSWORD
        )
    assert said in failed.value.sentence
    assert PASSWORD.get_secret_value() not in str(failed.value)


async def test_what_a_command_started_ends_with_it(tmp_path: Path) -> None:
    child = tmp_path / "child"
    program = (
        "import os, pathlib, subprocess, sys, time;"
        "held = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
        "pathlib.Path(sys.argv[1]).write_text(str(held.pid));"
        "time.sleep(60)"
    )
    with pytest.raises(NotHandedOn):
        await Passwords((sys.executable, "-c", program, str(child)), timeout=3).hand_on(
            ANN, PASSWORD
        )
    pid = int(child.read_text())
    async with asyncio.timeout(15):  # killed, but the kernel may take a moment on a busy machine
        while _state(pid) not in ("", "Z"):  # noqa: ASYNC110 - nothing else tells
            await asyncio.sleep(0.01)


def _state(pid: int) -> str:
    """Return what state a process is in, "" where there is none of that number."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return ""


@pytest.mark.parametrize("account", ["ann@example.test\nroot@example.test", "ann\0", "a\tb"])
async def test_an_account_of_more_than_a_line_is_handed_to_nobody(
    account: str, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    command = (sys.executable, "-c", f"open({str(mark)!r}, 'w')")
    with pytest.raises(BadArgument):
        await Passwords(command).hand_on(account, PASSWORD)
    assert not mark.exists()
