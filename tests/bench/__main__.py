# ruff: noqa: S603, T201 - running programs and printing a table is what this is for
"""``make bench``: the Postfix module beside Postfix's own programs, as one table.

``python -m tests.bench detector`` measures the detector alone, and needs no Postfix;
``python -m tests.bench load`` the whole bot under load, on the built-in server.

Each program runs in a process of its own, in turns, and its best run counts.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench.load_table import load_table
from tests.bench.measure import ROUNDS, Program, Run, best, own_mib

_QUEUE = 100_000
_LINES = 1_000_000
_EVENTS = 1_000_000
_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_PACKAGES = {"postqueue": "postfix", "saslpasswd2": "sasl2-bin", "jq": "jq"}
_PACKAGES |= {"pflogsumm": "pflogsumm"}
_GROUP = "[inputs.sender] | group_by(.) | map([length, .[0]]) | sort | reverse | .[:10][]"


def main() -> None:
    os.environ["PATH"] = _PATH
    what, scale = _asked()
    if what == "detector":
        _print(_detector(scale))
        return
    if what == "load":
        for line in load_table(scale, _say):
            print(line, flush=True)
        return
    absent = sorted({_PACKAGES[name] for name in _PACKAGES if shutil.which(name) is None})
    if absent:
        sys.exit(f"Nothing was measured, for want of Debian packages: {' '.join(absent)}.")
    if os.geteuid() != 0:
        sys.exit("Nothing was measured: only root can start a private Postfix and fill its queue.")
    begin = time.monotonic()
    with TemporaryDirectory(dir=_roomy()) as folder:
        path = Path(folder)
        path.chmod(0o755)  # Postfix's own user goes through it
        rows = _logs(path, int(_LINES * scale)) + _queue(path, int(_QUEUE * scale))
    rows += _detector(scale)
    _print(rows)
    print(
        f"\nBest of {ROUNDS} runs, in turns, on {os.cpu_count()} cores; "
        f"{time.monotonic() - begin:.0f} s in all. Memory is the resident set of the largest of a "
        f"program's processes at its peak; less than {own_mib():.0f} MiB cannot be told apart.\n"
        "The seconds of ours are those of the work: the bot runs already when it is asked. "
        "Its memory is all of it."
    )


def _asked() -> tuple[str, float]:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("what", nargs="?", choices=("all", "detector", "load"), default="all")
    parser.add_argument("--scale", type=float, default=1.0, help="a part of the full size")
    asked = parser.parse_args()
    if not 0.001 <= asked.scale <= 10:
        parser.error("--scale is from 0.001 to 10")
    return asked.what, asked.scale


def _print(rows: list[str]) -> None:
    print("\n| | seconds | ratio | peak memory |\n|---|--:|--:|--:|")
    print("\n".join(rows))


def _detector(scale: float) -> list[str]:
    events = int(_EVENTS * scale)
    _say(f"The detector is fed {events:,} submissions of 10,000 senders ...")
    counter, engine, twice = "a counter with one fixed limit", "the detector", "twice as many"
    runs = best(
        [
            Program(counter, _ours("detector", "counter", events), ours=True),
            Program(engine, _ours("detector", "engine", events), ours=True),
            Program(twice, _ours("detector", "engine", events * 2), ours=True, once=True),
        ],
        _say,
    )
    poll = min(runs[engine].told["polls"][1:])
    return [
        f"| **Detector, {events:,} submissions of 10,000 senders in ten days** | | | |",
        _row(counter, runs[counter], ""),
        _row(engine, runs[engine], _slower(runs[counter], runs[engine])),
        _row(twice, runs[twice], _slower(runs[engine], runs[twice])),
        f"| a poll in which 10,000 senders sent | {poll:.3f} | "
        f"(the first of a day: {runs[engine].told['polls'][0]:.2f}) | |",
    ]


def _roomy() -> str | None:
    """Return a folder in memory where there is room: the queue is 100,000 small files."""
    shared = Path("/dev/shm")  # noqa: S108 - a folder below it with a name nobody can guess
    room = shutil.disk_usage(shared).free if shared.is_dir() else 0
    return str(shared) if room > 8 << 30 and os.access(shared, os.W_OK) else None


def _logs(folder: Path, lines: int) -> list[str]:
    log = folder / "bench.log"
    _say(f"A mail log of {lines:,} lines ...")
    subprocess.run(_ours("maillog", log, lines), check=True)
    theirs, totals, follow = "pflogsumm", "totals by user and IP", "the bot's reading, with index"
    runs = best(
        [
            Program(theirs, ["pflogsumm", "-h", "10", "-u", "10", str(log)]),
            Program(totals, _ours("ours", "totals", log), ours=True),
            Program(follow, _ours("ours", "follow", log), ours=True),
        ],
        _say,
    )
    log.unlink()
    received = re.search(r"^ *(\d+) +received", runs[theirs].said, re.MULTILINE)
    counted = runs[totals].told["messages"]
    if received is None or int(received[1]) != counted:
        sys.exit(f"The totals differ: pflogsumm has {received and received[1]}, ours {counted}.")
    title = f"Mail log, {lines:,} lines, {counted:,} messages (both count as many)"
    return [
        f"| **{title}** | | | |",
        _row(theirs, runs[theirs], ""),
        *(_row(name, runs[name], _faster(runs[theirs], runs[name])) for name in (totals, follow)),
    ]


def _queue(folder: Path, messages: int) -> list[str]:
    root = folder / "postfix"
    root.mkdir()
    listing = ["postqueue", "-c", str(root / "config"), "-j"]
    to_nothing = f"{' '.join(listing)} > /dev/null"
    grouped = f"{' '.join(listing)} | jq -c -n '{_GROUP}'"
    _say(f"A private Postfix is sent {messages:,} messages ...")
    try:
        subprocess.run(_ours("fill", root, messages), check=True, stdout=subprocess.DEVNULL)
        alone, jq, top = "`postqueue -j` alone", "`postqueue -j \\| jq`", "top senders"
        first = "the first time, nothing known yet"
        read = Program("reading its log", _ours("ours", "read", root), ours=True, once=True)
        runs = best([Program(first, _ours("ours", "first", root), ours=True)], _say)
        best([read], _say)
        runs |= best(
            [
                Program(alone, ["/bin/sh", "-c", to_nothing]),
                Program(jq, ["/bin/sh", "-c", grouped]),
                Program(top, _ours("ours", "top", root), ours=True),
            ],
            _say,
        )
    finally:
        stop = ["postfix", "-c", str(root / "config"), "stop"]
        subprocess.run(stop, check=False, capture_output=True)
    if runs[first].told["top"] != runs[top].told["top"]:
        sys.exit("The top senders differ by whether the log was read or the queue files.")
    title = f"Queue of a private Postfix, {messages:,} messages sent over SMTP with logins"
    most = ", ".join(f"{sender} {number}" for sender, number in runs[top].told["top"][:3])
    _say(f"  top senders: {most}")
    return [
        f"| **{title}** | | | |",
        _row(alone, runs[alone], ""),
        *(_row(name, runs[name], _slower(runs[alone], runs[name])) for name in (jq, top, first)),
    ]


def _ours(module: str, *arguments: object) -> list[str]:
    return [sys.executable, "-m", f"tests.bench.{module}", *map(str, arguments)]


def _row(name: str, run: Run, ratio: str) -> str:
    return f"| {name} | {run.seconds:.2f} | {ratio} | {run.mib:.0f} MiB |"


def _faster(reference: Run, run: Run) -> str:
    return f"{reference.seconds / run.seconds:.1f} times as fast"


def _slower(reference: Run, run: Run) -> str:
    return f"{run.seconds / reference.seconds:.2f} times the time"


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
