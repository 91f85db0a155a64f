# ruff: noqa: S603 - this is about running the machine's own Python
"""What reads commands works with the machine's own Python: Debian 12 has an early 3.11."""

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_PLENTY = 3_000_000

_READING = f"""
import asyncio, sys
from services.mail.postfix.commands import LocalRunner

async def main():
    words = [sys.executable, "-c", "import sys; sys.stdout.write('x' * {_PLENTY})"]
    async with LocalRunner("mx", 20).stream(words) as running:
        length = 0
        async for chunk in running.chunks():
            length += len(chunk)
        end = await running.finished()
    print(end.code, length)

asyncio.run(main())
"""


def test_output_is_read_whole_by_the_python_of_the_machine() -> None:
    python = shutil.which("python3", path="/usr/bin")
    if python is None:
        pytest.skip("This machine has no Python of its own.")
    asked = [python, "-c", "import sys; print(*sys.version_info[:2])"]
    version = subprocess.run(asked, capture_output=True, check=True, text=True, timeout=30).stdout
    if tuple(map(int, version.split())) != sys.version_info[:2]:
        pytest.skip("The Python of this machine is another one, for which nothing is installed.")
    done = subprocess.run(
        [python, "-W", "error", "-c", _READING],
        cwd=_ROOT,
        env={"PYTHONPATH": f"{_ROOT}:{sysconfig.get_path('purelib')}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.strip() == f"0 {_PLENTY}", done.stderr
