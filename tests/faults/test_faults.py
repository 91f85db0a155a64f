"""The bot is killed at steps drawn at random of everything it does: nothing false is left."""

import asyncio
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..mail.harness import must_not_miss
from ..mail.postfix_instance import missing
from .cases import CASES
from .telling import CHATS

#: What a Postfix does otherwise; the rest goes on in the bot alone.
_ON_POSTFIX = (
    "stop", "disable, refusing", "move", "restore", "delete", "delete for good", "block", "unblock",
    "undo move", "undo restore",
)  # fmt: skip


async def _report(*options: str) -> Any:
    """Run the program: it forks, which this process, with its threads, must not."""
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.faults", "--json", *options),
        cwd=Path(__file__).parents[2],
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, errors = await program.communicate()
    assert out, errors.decode()
    return json.loads(out)


def _must_be_good(report: Any, names: Iterable[str], runs: int) -> None:
    assert report["faulty"] == []
    assert set(report["steps"]) == set(names)
    assert report["runs"] >= runs
    assert set(report["came"]) == {"never started", "interrupted", "done"}


async def test_no_kill_leaves_anything_undone_untold_or_done_twice() -> None:
    report = await _report("--runs", "196")
    _must_be_good(report, [*(case.name for case in CASES), *CHATS], 196)


async def test_nor_does_one_on_postfix() -> None:
    must_not_miss(missing())
    only = (option for name in _ON_POSTFIX for option in ("--only", name))
    report = await _report("--server", "postfix", "--runs", "30", *only)
    _must_be_good(report, _ON_POSTFIX, 30)
