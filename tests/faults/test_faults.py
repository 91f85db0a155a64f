"""The bot is killed at steps drawn at random of everything it does: nothing false is left."""

import asyncio
import json
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from services.remedies import REMEDIES

from ..mail.harness import must_not_miss
from ..mail.postfix_instance import missing
from .cases import CASES, untried
from .telling import CHATS

#: What a Postfix does otherwise; the rest goes on in the bot alone.
_ON_POSTFIX = (
    "stop", "disable, refusing", "move", "restore", "retry", "delete", "delete for good", "block",
    "unblock", "new password", "delete account", "undo move", "undo restore",
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


def _must_be_good(report: Any, names: Iterable[str]) -> None:
    assert report["faulty"] == []
    assert report["left out"] == {}
    assert set(report["steps"]) == set(report["cases"]) == set(names)
    assert all(sum(came.values()) for came in report["cases"].values())


def test_every_remedy_and_each_undo_is_among_what_is_killed() -> None:
    assert list(untried(REMEDIES, CASES)) == []
    later = {"later": replace(REMEDIES["stop"], name="later")}
    assert list(untried(REMEDIES | later, CASES)) == ["later", "undo later"]


async def test_no_kill_leaves_anything_undone_untold_or_done_twice() -> None:
    names = [*(case.name for case in CASES), *CHATS]
    report = await _report("--runs", str(len(names)))
    _must_be_good(report, names)
    assert set(report["came"]) == {"never started", "interrupted", "done"}


async def test_nor_does_one_on_postfix() -> None:
    must_not_miss(missing())
    only = (option for name in _ON_POSTFIX for option in ("--only", name))
    report = await _report("--server", "postfix", "--on-mail", "--runs", "12", *only)
    _must_be_good(report, _ON_POSTFIX)
    assert "interrupted" in report["came"]
