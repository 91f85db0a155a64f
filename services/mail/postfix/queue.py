"""The queue as ``postqueue -j`` prints it, read line by line."""

import json
import logging
from collections.abc import AsyncGenerator
from typing import Any, NamedTuple

import orjson

from services.errors import ServerDown
from services.language import tr
from services.mail.port import MAX_ADDRESS
from services.mail.postfix.commands import Runner
from services.mail.postfix.ids import arrival, is_id
from services.mail.postfix.programs import Programs

_log = logging.getLogger(__name__)

# A message has at most some tens of thousands of recipients, each with its error.
_MAX_LINE = 64 * 1024 * 1024
# postqueue writes a few messages at a time; who reads them asks a database about each bundle.
_BUNDLE = 1000
_MAX_ERROR = 500
_NULL_SENDER = "MAILER-DAEMON"
_DECODER = json.JSONDecoder(strict=False)  # made once: json.loads would make one a line


class Entry(NamedTuple):
    """One message of the listing. ``second`` is when it arrived, since 1970."""

    queue_id: str
    queue: str  # incoming, active, deferred, hold or maildrop
    second: int
    size: int
    sender: str
    recipients: tuple[str, ...]
    error: str | None

    @property
    def arrived(self) -> int:
        """When it arrived, in microseconds since 1970: told by its id, so asked for only here."""
        return arrival(self.queue_id, self.second)


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
        bundle: list[Entry] = []
        async for chunk in running.chunks():
            *lines, rest = (rest + chunk).split(b"\n")
            if len(rest) > _MAX_LINE:
                raise ServerDown(
                    tr(
                        "postqueue on the mail server {server} printed a line of more than {n} "
                        "bytes. The queue was not read.",
                        server=server,
                        n=_MAX_LINE,
                    )
                )
            for line in lines:
                entry = parse(line)
                if entry is not None and entry.queue_id not in known:
                    known.add(entry.queue_id)
                    bundle.append(entry)
            if len(bundle) >= _BUNDLE:
                yield bundle
                bundle = []
        if bundle:
            yield bundle
        end = await running.finished()
    if end.code != 0:
        raise ServerDown(
            tr(
                "The queue of the mail server {server} could not be listed: {why}. Nothing was "
                "changed; check that Postfix runs and that the bot may use postqueue.",
                server=server,
                why=end.complaint,
            )
        )


def parse(line: bytes) -> Entry | None:
    """Return the message on one line, None if the line is none. Bytes are replaced, not refused."""
    if not line or line.isspace():
        return None
    try:
        return _entry(decode(line))
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError) as error:
        _log.warning("a line of postqueue was left out: %s", type(error).__name__)
        return None


def decode(line: bytes) -> Any:
    """Decode one line of JSON. Raises ValueError or RecursionError."""
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return decode_leniently(line)


def decode_leniently(line: bytes) -> Any:
    """Decode one line, slowly, also where it has bytes or characters that JSON does not allow.

    Where orjson decodes a line, this does it alike: but for integers of more than 64 bits,
    which Postfix has none of.
    """
    text = line.decode("utf-8", "replace").strip()
    found, end = _DECODER.raw_decode(text)
    if end != len(text):
        raise ValueError(text[end:])
    return found


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
        second=int(found["arrival_time"]),
        size=int(found["message_size"]),
        sender="" if sender == _NULL_SENDER else sender,
        recipients=tuple([r["address"][:MAX_ADDRESS] for r in recipients]),
        error=None if error is None else error[:_MAX_ERROR],
    )
