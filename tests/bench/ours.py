"""What is measured of ours, each in a process of its own. Prints one JSON object.

``python -m tests.bench.ours top ROOT`` - top senders of the queue of a private Postfix
``python -m tests.bench.ours first ROOT`` - the same, while nothing is known of who logged in
``python -m tests.bench.ours read ROOT`` - read the log of that Postfix, as the bot has by then
``python -m tests.bench.ours totals LOG`` - totals by user and by IP of a log
``python -m tests.bench.ours follow LOG`` - read a log as the bot does, index and all
"""

import asyncio
import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from services.clock import SystemClock
from services.mail.postfix import PostfixConfig, PostfixServer
from services.mail.postfix.lines import LineParser
from services.mail.postfix.log import SubmissionLog
from services.mail.postfix.state import State
from services.mail.postfix.totals import totals

# As many as the bot asks for at a time.
_PAGE = 5000
_ALL = timedelta(days=100_000)


def _server(root: Path) -> PostfixServer:
    config = PostfixConfig(
        name="mx",
        state_directory=root / "state",
        config_directory=root / "config",
        log=root / "log" / "mail.log",
        sasldb=root / "sasl" / "sasldb2",
    )
    return PostfixServer(config, SystemClock())


async def _top(root: Path) -> dict[str, Any]:
    server = _server(root)
    await server.start()
    try:
        begin = time.perf_counter()
        top = await server.top_queued(10)
        seconds = time.perf_counter() - begin
    finally:
        await server.stop()
    return {"seconds": seconds, "top": [[one.sender, one.messages] for one in top]}


async def _first(root: Path) -> dict[str, Any]:
    kept = root / "state" / "state.db"
    kept.unlink(missing_ok=True)
    found = await _top(root)
    kept.unlink()
    return found


async def _read(root: Path) -> dict[str, Any]:
    server = _server(root)
    await server.start()
    try:
        begin = time.perf_counter()
        cursor, number = None, 0
        while page := await server.submissions(cursor, _PAGE):
            cursor, number = page[-1].cursor, number + len(page)
        seconds = time.perf_counter() - begin
    finally:
        await server.stop()
    return {"seconds": seconds, "messages": number}


def _totals(log: Path) -> dict[str, Any]:
    begin = time.perf_counter()
    with log.open("rb", buffering=0) as stream:
        found = totals(stream, LineParser("postfix", UTC))
    seconds = time.perf_counter() - begin
    return {
        "seconds": seconds,
        "messages": found.messages,
        "users": len(found.users),
        "ips": len(found.ips),
    }


def _follow(log: Path) -> dict[str, Any]:
    with TemporaryDirectory() as folder:
        state = State("mx", Path(folder) / "state.db")
        state.open()
        parser = LineParser("postfix", UTC)
        reading = SubmissionLog("mx", log, parser, SystemClock(), _ALL, state.remember, state.seen)
        begin = time.perf_counter()
        cursor, number = None, 0
        while page := reading.after(cursor, _PAGE):
            cursor, number = page[-1].cursor, number + len(page)
        seconds = time.perf_counter() - begin
        state.close()
    return {"seconds": seconds, "messages": number}


def main() -> None:
    what, path = sys.argv[1], Path(sys.argv[2])
    works: dict[str, Callable[[Path], dict[str, Any]]] = {
        "top": lambda root: asyncio.run(_top(root)),
        "first": lambda root: asyncio.run(_first(root)),
        "read": lambda root: asyncio.run(_read(root)),
        "totals": _totals,
        "follow": _follow,
    }
    print(json.dumps(works[what](path)))  # noqa: T201


if __name__ == "__main__":
    main()
