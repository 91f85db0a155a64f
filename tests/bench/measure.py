# ruff: noqa: S603 - running programs is what this is for
"""Runs programs one at a time, and tells how long each took and how much memory it needed.

The process that measures stays small: what a program inherits from it until it starts
would be counted as its own.
"""

import json
import os
import resource
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Program:
    """What is run. One that is ours prints, as JSON, the seconds of the work itself."""

    name: str
    argv: Sequence[str]
    ours: bool = False
    once: bool = False  # too slow, or not the same the second time


@dataclass(frozen=True, slots=True)
class Run:
    """One run. ``mib`` is the memory of the largest of its processes.

    ``seconds`` is the whole of a program, but of ours only the work: the bot is running
    already when it is asked. ``whole`` has Python's start as well.
    """

    seconds: float
    whole: float
    mib: float
    said: str

    @property
    def told(self) -> dict[str, Any]:
        """What one of ours printed."""
        told: dict[str, Any] = json.loads(self.said)
        return told


def best(programs: Sequence[Program], say: Callable[[str], None]) -> dict[str, Run]:
    """Run them in turns, and return the fastest run of each."""
    runs: dict[str, Run] = {}
    for number in range(1, ROUNDS + 1):
        for program in programs:
            if program.once and number > 1:
                continue
            run = _run(program)
            say(f"  {program.name}: {run.seconds:.2f} s")
            if program.name not in runs or run.seconds < runs[program.name].seconds:
                runs[program.name] = run
    return runs


def _run(program: Program) -> Run:
    begin = time.perf_counter()
    process = subprocess.Popen(program.argv, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    assert process.stdout is not None
    said = process.stdout.read().decode("utf-8", "replace")
    _, status, used = os.wait4(process.pid, 0)
    whole = time.perf_counter() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stdout.close()
    if process.returncode != 0:
        raise SystemExit(f"{program.name} failed with exit status {process.returncode}.")
    seconds = float(json.loads(said)["seconds"]) if program.ours else whole
    return Run(seconds, whole, used.ru_maxrss / 1024, said)


def own_mib() -> float:
    """Return how much memory this process needed: programs that need less seem to need this."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
