# ruff: noqa: T201 - printing a table is what this is for
"""``make faults``: the bot is killed at every step of everything it does, and looked at after.

Exits with 1 if anything was found that must not be. With ``--json`` the report is one object;
``--table FILE ...`` joins such reports to one table in Markdown, and does nothing else.
"""

import argparse
import gc
import json
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from sqlalchemy.orm import configure_mappers

from ..mail.harness import cheap_passwords
from ..mail.postfix_instance import PostfixInstance, missing
from .cases import CASES
from .checks import DONE, INTERRUPTED, NEVER
from .forks import in_child, inherit_orphans, side_by_side
from .runs import Ran, Runner, Spec
from .telling import CHATS
from .world import EMBEDDED, POSTFIX, World

_RUNS = {EMBEDDED: 300, POSTFIX: 30}
_MESSAGES = (1, 2, 3)
_CAME = f"{NEVER} / {INTERRUPTED} / {DONE}"
Report = dict[str, Any]
_Job = tuple[list[Ran], dict[str, int], dict[str, str]]


def main() -> None:
    options = _options()
    if options.table:
        print("\n".join(table([json.loads(file.read_bytes()) for file in options.table])))
        return
    if options.server == POSTFIX and (why := missing()):
        sys.exit(f"Nothing was tried: {why}")
    begin = time.monotonic()
    inherit_orphans()
    cheap_passwords()
    configure_mappers()  # once, and not in each child
    gc.freeze()  # what is imported is never collected, so children need no copy of it
    workers = min(options.workers, len(options.only))
    jobs = side_by_side([partial(_work, options, number, workers) for number in range(workers)])
    ran = [one for runs, *_ in jobs for one in runs]
    steps = {name: number for _, counted, _ in jobs for name, number in counted.items()}
    report = _report(options.server, ran, steps)
    report["left out"] = {name: why for *_, lacked in jobs for name, why in lacked.items()}
    if options.json:
        print(json.dumps(report))
    else:
        print("\n".join(table([report])))
        print(f"\n{len(ran):,} runs, seed {options.seed}, {time.monotonic() - begin:.0f} s.")
        for name, why in report["left out"].items():
            print(f"Left out, {name}: {why}")
        for one in report["faulty"]:
            print(f"\n{one['spec']}: {one['came']}")
            print("\n".join(f"  {fault}" for fault in one["faults"]))
    sys.exit(1 if report["faulty"] else 0)


def _report(server: str, ran: Sequence[Ran], steps: Mapping[str, int]) -> Report:
    return {
        "server": server,
        "runs": len(ran),
        "steps": steps,
        "came": Counter(one.came for one in ran),
        "cases": {
            name: Counter(one.came for one in ran if one.spec.case == name) for name in steps
        },
        "faulty": [asdict(one) for one in ran if one.faults],
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--server", choices=(EMBEDDED, POSTFIX), default=EMBEDDED)
    parser.add_argument("--every", action="store_true", help="each step of each, and no others")
    parser.add_argument(
        "--on-mail",
        action="store_true",
        help="only steps at which the mail server's module is at work: the rest is the bot's "
        "alone, and the same whatever the mail server is",
    )
    parser.add_argument("--seed", type=int, default=1, help="which runs are drawn")
    parser.add_argument("--runs", type=int, help="how many are drawn")
    parser.add_argument("--only", action="append", help="one of: " + ", ".join(_names()))
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--table", nargs="+", type=Path, metavar="FILE", help="join reports")
    options = parser.parse_args()
    options.runs = options.runs or _RUNS[options.server]
    options.only = options.only or _names()
    if unknown := set(options.only) - set(_names()):
        parser.error(f"--only knows no {', '.join(sorted(unknown))}")
    return options


def _names() -> list[str]:
    return [*(case.name for case in CASES), *CHATS]


@contextmanager
def _world(server: str) -> Iterator[World]:
    if server == EMBEDDED:
        yield World()
        return
    # Postfix's own user must be able to walk to its queue.
    with tempfile.TemporaryDirectory(prefix="spoolwarden-postfix-") as folder:
        root = Path(folder)
        root.chmod(0o755)
        instance = PostfixInstance(root)
        # Making it needs a loop, and this process forks.
        in_child(instance.make)
        instance.start()
        try:
            yield World(instance)
        finally:
            instance.stop()


def _work(options: argparse.Namespace, number: int, workers: int) -> _Job:
    """Make one worker's share of the runs, on a mail server of its own."""
    inherit_orphans()
    done, steps, lacked = [], {}, {}
    with _world(options.server) as world:
        runner = Runner(world, _scratch())
        names = options.only[number::workers]
        for name in names:
            if why := runner.lacks(name):
                lacked[name] = why
        for spec in _specs(runner, options, [name for name in names if name not in lacked]):
            steps[spec.case] = runner.steps(spec.case, spec.messages)
            done.append(runner.run(spec))
            _say(f"\r{len(done)} of worker {number}: {spec.case:30}")
    return done, steps, lacked


def _specs(runner: Runner, options: argparse.Namespace, names: Sequence[str]) -> Iterator[Spec]:
    """Yield the share of one worker: whole cases, as making one ready costs most."""
    for name in names:
        # Each case draws its own, so that one alone can be tried again.
        random = Random(f"{options.seed} {name}")  # noqa: S311 - to be drawn again the same
        messages = random.choice(_MESSAGES)
        steps = runner.steps(name, messages)
        lasts: Sequence[int] = range(steps + 1)
        if options.on_mail:
            lasts = runner.on_mail(name, messages)
        if not options.every:
            share = max(1, round(options.runs / len(options.only)))
            lasts = sorted(random.sample(lasts, min(share, len(lasts))))
        for last in lasts:
            yield Spec(name, messages, last, random.random() < 0.5)


def _scratch() -> str | None:
    """Return a folder in memory where there is room: what a kill leaves is the same there."""
    shared = Path("/dev/shm")  # noqa: S108 - a folder below it with a name nobody can guess
    room = shutil.disk_usage(shared).free if shared.is_dir() else 0
    return str(shared) if room > 1 << 28 and os.access(shared, os.W_OK) else None


def table(reports: Sequence[Report]) -> Iterator[str]:
    """Yield a table in Markdown of what all these found: a row for each case, in our order."""
    cells = {server: dict(_cells(server, reports)) for server in (EMBEDDED, POSTFIX)}
    cells = {server: rows for server, rows in cells.items() if rows}
    heads = [f"{server}: steps | kills | {_CAME} | faults" for server in cells]
    yield f"| Killed in the middle of | {' | '.join(heads)} |"
    yield f"|---|{'--:|' * 4 * len(cells)}"
    nothing = " | | | "
    for name in [*_names(), "**all**"]:
        if any(name in rows for rows in cells.values()):
            yield f"| {name} | {' | '.join(rows.get(name, nothing) for rows in cells.values())} |"


def _cells(server: str, reports: Sequence[Report]) -> Iterator[tuple[str, str]]:
    steps: Counter[str] = Counter()
    came: dict[str, Counter[str]] = {}
    faults: Counter[str] = Counter()
    for report in reports:
        if report["server"] == server:
            steps.update(report["steps"])
            came |= {name: Counter(counted) for name, counted in report["cases"].items()}
            faults.update(one["spec"]["case"] for one in report["faulty"])
    if came:
        steps["**all**"], faults["**all**"] = steps.total(), faults.total()
        came["**all**"] = sum(came.values(), Counter())
    for name, counted in came.items():
        ends = " / ".join(f"{counted[end]:,}" for end in (NEVER, INTERRUPTED, DONE))
        yield name, f"{steps[name]:,} | {counted.total():,} | {ends} | {faults[name]}"


def _say(line: str) -> None:
    if sys.stderr.isatty():
        print(line, end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
