"""How often a block has refused somebody: counted in Postfix's log, which tells each time.

    NOQUEUE: reject: CONNECT from name[192.0.2.7]: 554 5.7.1 <name[192.0.2.7]>: Client host
    rejected: Your network may not send mail to this server; proto=SMTP

The client's address stands before anything that a client may choose but its name, which has
no bracket in it.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address, ip_address

from services.errors import ServerDown
from services.language import tr
from services.mail.port import Block, Network
from services.mail.postfix.blockfile import action
from services.mail.postfix.lines import LineParser
from services.mail.postfix.logfiles import UNREADABLE, LogFile, LogFiles

_SAID = action().partition(" ")[2].partition(" ")[2].encode()  # without its codes
_REPEATED = re.compile(rb": message repeated ([0-9]{1,9}) times: \[")
_REJECT = re.compile(rb": reject: [A-Z]+ from [^\[\s]*\[(?P<ip>[0-9A-Fa-f.:]+)\](?::\d+)?: ")

Address = IPv4Address | IPv6Address


class Rejects:
    """Reads the live log and the rotated ones."""

    def __init__(self, server: str, files: LogFiles, lines: LineParser) -> None:
        self._server = server
        self._files = files
        self._lines = lines

    def count(self, blocks: Sequence[Block]) -> Mapping[Network, int]:
        """Return how often each block has refused somebody. Blocks the thread; raises ServerDown.

        What a wider or an earlier one refused counts for each that covers the address now.
        """
        found: Counter[Network] = Counter({block.network: 0 for block in blocks})
        if not blocks:
            return found
        since = min(block.since for block in blocks)
        try:
            for file in self._files.all():
                if file.written >= since:
                    self._read(file, blocks, found)
        except UNREADABLE as error:
            raise ServerDown(
                tr(
                    "The log of the mail server {server} could not be read ({why}), so what was "
                    "refused is not known.",
                    server=self._server,
                    why=error,
                )
            ) from error
        return found

    def _read(self, file: LogFile, blocks: Sequence[Block], found: Counter[Network]) -> None:
        with file.open() as stream:
            for line in stream:
                if _SAID not in line:
                    continue
                reject = _REJECT.search(line)
                at = self._lines.moment_of(line, file.written)
                if reject is not None and at is not None:
                    repeated = _REPEATED.search(line, 0, reject.start())
                    times = 1 if repeated is None else int(repeated[1])
                    _count(_address(reject["ip"]), at, times, blocks, found)


def _count(
    address: Address | None,
    at: datetime,
    times: int,
    blocks: Sequence[Block],
    found: Counter[Network],
) -> None:
    for block in blocks:
        # A log's times may be whole seconds.
        if (
            address is not None
            and address.version == block.network.version
            and address in block.network
            and at >= block.since.replace(microsecond=0)
        ):
            found[block.network] += times


def _address(text: bytes) -> Address | None:
    try:
        return ip_address(text.decode("ascii"))
    except ValueError:
        return None
