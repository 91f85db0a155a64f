"""Totals of a whole log: how many messages each user and each address handed over.

This is for large logs: a line that cannot be about a client is never looked at. What a
client line says after the queue id is the same for all messages of a user at one place,
so it is counted as it is, and read once.
"""

from collections import Counter
from dataclasses import dataclass, field
from io import RawIOBase

from services.mail.postfix.contents import client_ip
from services.mail.postfix.lines import LineParser, client

# Small enough to stay in the processor's cache, from one look at it to the next.
_BLOCK = 256 * 1024
_MAX_DISTINCT = 50_000


@dataclass(slots=True)
class Totals:
    """Messages taken from clients. Ones without a login count in ``ips`` only."""

    messages: int = 0
    users: Counter[str] = field(default_factory=Counter)
    ips: Counter[str] = field(default_factory=Counter)


def totals(stream: RawIOBase, parser: LineParser) -> Totals:
    """Read a log from here to its end. Raises OSError."""
    result = Totals()
    texts: dict[bytes, int] = {}
    rest = b""
    while block := stream.read(_BLOCK):
        # Only the line that lies across two blocks is copied.
        first = block.find(b"\n") + 1
        if not first:
            rest = (rest + block)[:_BLOCK]  # no log line is that long; its beginning stays
            continue
        last = block.rfind(b"\n") + 1
        parser.count_clients(rest + block[:first], texts)
        parser.count_clients(block, texts, first, last)
        rest = block[last:]
        if len(texts) > _MAX_DISTINCT:
            _add(result, texts)
            texts.clear()
    parser.count_clients(rest, texts)
    _add(result, texts)
    return result


def _add(result: Totals, texts: dict[bytes, int]) -> None:
    clients = ((client(text), number) for text, number in texts.items())
    counted = [(by, number) for by, number in clients if by is not None and not by.again]
    result.messages += sum(number for _, number in counted)
    addresses: Counter[bytes] = Counter()
    for by, number in counted:
        addresses[by.address] += number
        if by.user is not None:
            result.users[by.user] += number
    for address, number in addresses.items():
        ip = client_ip(address)
        if ip is not None:
            result.ips[ip] += number
