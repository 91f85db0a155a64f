"""Has the bot put under load, each part in a process of its own, and says how it did."""

import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

from tests.bench.measure import Program, best

_PRESSES, _MESSAGES, _FEW, _MANY = 200, 50_000, 10, 1000
_DAYS, _SENDERS = 30, 3000
Say = Callable[[str], None]


def load_table(scale: float, say: Say) -> Iterator[str]:
    """Yield the tables, line by line, as each part is done."""
    yield from _presses(int(_PRESSES * scale), say)
    yield from _move(int(_MESSAGES * scale), say)
    yield from _incidents(int(_MANY * scale), say)
    yield from _month(int(_SENDERS * scale), say)
    yield f"\nOn {os.cpu_count()} cores."


def _measured(what: str, *arguments: object) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.bench.load", what, *map(str, arguments)]
    program = Program(what, command, ours=True, once=True)
    return best([program], lambda _: None)[what].told


def _presses(number: int, say: Say) -> Iterator[str]:
    yield f"\n| {number} presses of **Stop sending** at once, by four members | Slack | Discord |"
    yield "|---|--:|--:|"
    say(f"{number} presses at once in each chat ...")
    both = [_measured("presses", chat, number) for chat in ("slack", "discord")]
    for name, key in (("answered after: half of them", "p50"), ("99%", "p99"), ("all", "max")):
        yield f"| {name} | {both[0][key]:.2f} s | {both[1][key]:.2f} s |"
    for name, key in (
        ("not answered within the chat's 3 s", "unanswered"),
        ("presses, those that answer a question included", "presses"),
        ("acts done", "done"),
    ):
        yield f"| {name} | {both[0][key]} | {both[1][key]} |"
    for phase in ("repeated", "refused"):
        yield f"| in the log as {phase} | {both[0]['logged'][phase]} | {both[1]['logged'][phase]} |"


def _move(number: int, say: Say) -> Iterator[str]:
    say(f"{number:,} messages are moved in one act ...")
    told = _measured("move", number)
    yield f"\n| {number:,} messages in one act, built-in server | |"
    yield "|---|--:|"
    yield f"| finding and freezing them | {told['asking']:.2f} s |"
    yield f"| moving them to a folder | {told['seconds']:.2f} s |"
    yield f"| taking that back | {told['undo']:.2f} s |"
    yield f"| a poll meanwhile | {told['poll']:.2f} s |"
    early = max(len(lines) for lines in told["early"])
    yield f"| times its line told how far it had come (every 3 s) | {early} |"
    for chat, lines in zip(("Slack", "Discord"), told["told"], strict=True):
        shown = ", ".join(lines) or "never"
        yield f"| told each 0.1 s instead, {chat} showed | {shown} |"


def _incidents(number: int, say: Say) -> Iterator[str]:
    say(f"{number:,} incidents are open ...")
    few, many = _measured("incidents", _FEW), _measured("incidents", number)
    yield f"\n| incidents open | {_FEW} | {number:,} | ratio |"
    yield "|---|--:|--:|--:|"
    names = {
        "poll": "a poll, each sender has just sent 5 messages",
        "quiet poll": "a poll, none sent anything lately",
        "publish new": "their cards made, without the chat's part",
        "publish changed": "all cards drawn anew",
        "publish nothing": "a look whether there is anything to show",
        "/spool incidents": "`/spool incidents`",
        "/spool": "`/spool`",
        "/spool audit": "`/spool audit`",
    }
    for key, name in names.items():
        a, b = few["took"][key], many["took"][key]
        yield f"| {name} | {a * 1000:,.1f} ms | {b * 1000:,.1f} ms | {b / a:.1f} |"


def _month(senders: int, say: Say) -> Iterator[str]:
    say(f"A month of {senders:,} senders ...")
    days = _measured("month", _DAYS, senders)["days"]
    yield f"\n| after day | {' | '.join(str(day['day']) for day in days)} |"
    yield f"|---|{'--:|' * len(days)}"
    rows: dict[str, Callable[[dict[str, Any]], str]] = {
        "memory (RSS), built-in mail server included": lambda day: f"{day['mib']:.0f} MiB",
        "of it, what SQLite keeps of both databases": lambda day: f"{day['sqlite']:.0f} MiB",
        "messages so far": lambda day: f"{day['messages']:,}",
        "incidents so far": lambda day: f"{day['incidents']:,}",
        "entries in the audit log": lambda day: f"{day['entries']:,}",
        "database": lambda day: f"{day['database']:.0f} MiB",
        "a poll, median of that day": lambda day: f"{day['poll'] * 1000:.0f} ms",
        "the longest of that day": lambda day: f"{day['worst poll'] * 1000:.0f} ms",
        "a look whether there is anything to show": lambda day: f"{day['publish'] * 1000:.1f} ms",
        "`/spool audit`": lambda day: f"{day['audit'] * 1000:.1f} ms",
    }
    for name, shown in rows.items():
        yield f"| {name} | {' | '.join(shown(day) for day in days)} |"
