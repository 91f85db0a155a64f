"""Queue files, as ``postcat`` prints them: who sent a message, and the message itself."""

import re
from functools import lru_cache
from ipaddress import ip_address

from services.errors import ServerDown
from services.language import tr
from services.mail.embedded.headers import subject_of
from services.mail.port import MAX_ADDRESS
from services.mail.postfix.commands import Finished, Runner
from services.mail.postfix.programs import Programs
from services.mail.postfix.state import Seen

# Messages asked for with one command: long command lines are cheap, failed ones are not.
_BATCH = 200
_MAX_HEADERS = 64 * 1024 * 1024
#: The longest message handed out whole.
MAX_RAW = 256 * 1024 * 1024

# No header can look like this: a field's name holds no space, what folds begins with one.
_START = re.compile(rb"^\*\*\* ENVELOPE RECORDS \S*?([0-9A-Za-z]+) \*\*\*\n", re.MULTILINE)
_CONTENTS = re.compile(rb"^\*\*\* MESSAGE CONTENTS [^\n]*\n", re.MULTILINE)
_AFTER = re.compile(rb"^\*\*\* HEADER EXTRACTED [^\n]*\n", re.MULTILINE)
_USER = re.compile(rb"^named_attribute: sasl_username=([^\n]*)\n", re.MULTILINE)
_CLIENT = re.compile(rb"^named_attribute: log_client_address=([^\n]*)\n", re.MULTILINE)
_GONE = ("No such file or directory",)  # not shown


class Contents:
    """Reads queue files."""

    def __init__(self, server: str, runner: Runner, programs: Programs) -> None:
        self._server = server
        self._runner = runner
        self._programs = programs

    async def seen(self, arrivals: dict[str, int]) -> list[Seen]:
        """Tell who sent these; ``arrivals`` has the second of each. Ones gone are left out."""
        found: list[Seen] = []
        waiting = list(arrivals)
        while waiting:
            batch, waiting = waiting[:_BATCH], waiting[_BATCH:]
            end = await self._runner.run(self._programs.envelopes(batch), limit=_MAX_HEADERS)
            printed = parse_envelopes(end.out, arrivals)
            found += printed
            if end.code != 0:
                # It stops at the first that is gone; those after it are still to be asked for.
                if not self._gone(end):
                    raise self._refused(end)
                told = {one.queue_id for one in printed}
                at = next((i for i, id_ in enumerate(batch) if id_ not in told), len(batch))
                waiting = batch[at + 1 :] + waiting
        return found

    async def whole(self, queue_id: str) -> bytes | None:
        """Return a message with CRLF line ends, None if it is gone. Raises ServerDown."""
        raw = await self.head(queue_id, MAX_RAW)
        if raw is not None and len(raw) >= MAX_RAW:
            raise ServerDown(
                tr(
                    "The message {queue_id} on the mail server {server} is too large to be "
                    "fetched: it has more than {n} bytes. Nothing was changed.",
                    queue_id=queue_id,
                    server=self._server,
                    n=MAX_RAW,
                )
            )
        return raw

    async def head(self, queue_id: str, limit: int) -> bytes | None:
        """Return up to about ``limit`` bytes of a message, with CRLF line ends; None if gone."""
        parts: list[bytes] = []
        size = 0
        async with self._runner.stream(self._programs.content(queue_id)) as running:
            async for chunk in running.chunks():
                parts.append(chunk)
                size += len(chunk)
                if size >= limit:
                    break
            else:
                end = await running.finished()
                if end.code != 0:
                    if self._gone(end):
                        return None
                    raise self._refused(end)
        return b"".join(parts).replace(b"\n", b"\r\n")

    def _gone(self, end: Finished) -> bool:
        if "open queue file" not in end.errors:  # not shown
            return False
        return any(word in end.errors for word in _GONE)

    def _refused(self, end: Finished) -> ServerDown:
        return ServerDown(
            tr(
                "postcat could not read the queue of the mail server {server}: {why}. Nothing was "
                "changed; check the bot's rights there.",
                server=self._server,
                why=end.complaint,
            )
        )


def parse_envelopes(printed: bytes, arrivals: dict[str, int]) -> list[Seen]:
    """Return what ``postcat -q -e -h`` printed of the messages that were asked for."""
    found = []
    starts = list(_START.finditer(printed))
    for number, start in enumerate(starts):
        queue_id = start[1].decode("ascii")
        end = starts[number + 1].start() if number + 1 < len(starts) else len(printed)
        contents = _CONTENTS.search(printed, start.end(), end)
        if queue_id not in arrivals or contents is None:
            continue
        envelope = printed[start.end() : contents.start()]
        after = _AFTER.search(printed, contents.end(), end)
        headers = printed[contents.end() : end if after is None else after.start()]
        user = _USER.search(envelope)
        client = _CLIENT.search(envelope)
        found.append(
            Seen(
                queue_id=queue_id,
                at=arrivals[queue_id],
                user=None if user is None else user[1].decode("utf-8", "replace")[:MAX_ADDRESS],
                ip=None if client is None else client_ip(client[1]),
                subject=subject_of(headers),
            )
        )
    return found


@lru_cache(maxsize=4096)
def client_ip(text: bytes) -> str | None:
    """Return a client's address as Postfix writes it, None if it is none."""
    try:
        address = ip_address(text.decode("ascii").removeprefix("IPv6:").partition("%")[0])
    except ValueError:
        return None
    return str(getattr(address, "ipv4_mapped", None) or address)
