"""The queue as ``postqueue -j`` prints it, read line by line."""

import json
import logging
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

from services.errors import ServerDown
from services.mail.port import MAX_ADDRESS
from services.mail.postfix.commands import Runner
from services.mail.postfix.ids import arrival, is_id
from services.mail.postfix.programs import Programs

_log = logging.getLogger(__name__)

# A message has at most some tens of thousands of recipients, each with its error.
_MAX_LINE = 64 * 1024 * 1024
_MAX_ERROR = 500
_NULL_SENDER = "MAILER-DAEMON"


@dataclass(frozen=True, slots=True)
class Entry:
    """One message of the listing. ``arrived`` is in microseconds since 1970."""

    queue_id: str
    queue: str  # incoming, active, deferred, hold or maildrop
    arrived: int
    size: int
    sender: str
    recipients: tuple[str, ...]
    error: str | None


async def entries(
    server: str, runner: Runner, programs: Programs
) -> AsyncGenerator[list[Entry], None]:
    """Yield the queue in bundles. Close it when leaving early (contextlib.aclosing).

    The queue goes on changing while it is listed: a message that moves meanwhile is
    yielded once, or not at all. Raises ServerDown if it cannot be listed to its end.
    """
    known: set[str] = set()
    async with runner.stream(programs.queue()) as running:
        rest = b""
        async for chunk in running.chunks():
            *lines, rest = (rest + chunk).split(b"\n")
            if len(rest) > _MAX_LINE:
                raise ServerDown(
                    f"postqueue on the mail server {server} printed a line of more than "
                    f"{_MAX_LINE} bytes. The queue was not read."
                )
            bundle = []
            for line in lines:
                entry = parse(line)
                if entry is not None and entry.queue_id not in known:
                    known.add(entry.queue_id)
                    bundle.append(entry)
            if bundle:
                yield bundle
        end = await running.finished()
    if end.code != 0:
        raise ServerDown(
            f"The queue of the mail server {server} could not be listed: {end.complaint}. "
            "Nothing was changed; check that Postfix runs and that the bot may use postqueue."
        )


def parse(line: bytes) -> Entry | None:
    """Return the message on one line, None if the line is none. Bytes are replaced, not refused."""
    if not line.strip():
        return None
    try:
        found = json.loads(line.decode("utf-8", "replace"), strict=False)
        return _entry(found)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        _log.warning("a line of postqueue was left out: %s", type(error).__name__)
        return None


def _entry(found: dict[str, Any]) -> Entry:
    queue_id = found["queue_id"]
    if not is_id(queue_id):
        raise ValueError(queue_id)
    sender = found["sender"][:MAX_ADDRESS]
    recipients = found["recipients"]
    errors = (r["delay_reason"] for r in recipients if "delay_reason" in r)
    error = next(errors, None)
    return Entry(
        queue_id=queue_id,
        queue=found["queue_name"],
        arrived=arrival(queue_id, int(found["arrival_time"])),
        size=int(found["message_size"]),
        sender="" if sender == _NULL_SENDER else sender,
        recipients=tuple([r["address"][:MAX_ADDRESS] for r in recipients]),
        error=None if error is None else error[:_MAX_ERROR],
    )
