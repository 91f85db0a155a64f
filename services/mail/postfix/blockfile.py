"""The block list as a text file in the form of cidr_table(5), others' lines kept as they are.

Ours stand between two marks, each below a comment that says since when, until when and
why. The first line that fits an address decides, so what an administrator writes above
ours goes before them.
"""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_network

from services.mail.port import Block

_BEGIN = b"# Spoolwarden begins: written by the bot, do not change.\n"
_END = b"# Spoolwarden ends.\n"
_ACTION = "554 5.7.1 Your network may not send mail to this server"  # not shown
_RULE = re.compile(r"([0-9A-Fa-f.:]+(?:/\d{1,3})?)[ \t]+(\S.*)\Z")


@dataclass(frozen=True, slots=True)
class Parts:
    """A block file: our blocks, and the bytes of others before and after them."""

    before: bytes
    blocks: tuple[Block, ...]
    after: bytes
    ours: bool  # whether our marks were there


def parse(content: bytes) -> Parts:
    """Take a file apart. Lines of others between our marks are moved before them."""
    begin = content.find(_BEGIN)
    end = content.find(_END, begin)
    if begin < 0 or end < 0 or (begin and content[begin - 1 : begin] != b"\n"):
        return Parts(content, (), b"", ours=False)
    blocks: list[Block] = []
    strange: list[bytes] = []
    lines = content[begin + len(_BEGIN) : end].splitlines(keepends=True)
    while lines:
        block = _block(lines[:2])
        if block is None:
            strange.append(lines.pop(0))
        else:
            blocks.append(block)
            del lines[:2]
    before = content[:begin] + b"".join(strange)
    return Parts(before, tuple(blocks), content[end + len(_END) :], ours=True)


def render(parts: Parts) -> bytes:
    """Put a file together."""
    before = parts.before
    if before and not before.endswith(b"\n"):
        before += b"\n"  # our mark must begin a line
    ours = b"".join(_lines(block) for block in parts.blocks)
    return before + _BEGIN + ours + _END + parts.after


def rules(content: bytes) -> tuple[list[tuple[str, str]], int]:
    """Return the network and action of each line of others, and how many cannot be told so.

    Those are conditions (``if``, ``!``) and networks that cidr_table(5) would not take either.
    """
    found: list[tuple[str, str]] = []
    strange = 0
    text = re.sub(r"\n[ \t]+", " ", content.decode("utf-8", "replace"))
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        rule = _RULE.match(line.rstrip())
        try:
            if rule is None:
                raise ValueError(line)
            found.append((str(ip_network(rule[1])), rule[2]))
        except ValueError:
            strange += 1
    return found, strange


def action() -> str:
    """Return what a blocked client is told."""
    return _ACTION


def _lines(block: Block) -> bytes:
    about = {
        "since": block.since.isoformat(),
        "until": None if block.until is None else block.until.isoformat(),
        "reason": block.reason,
    }
    return f"# {json.dumps(about)}\n{block.network} {_ACTION}\n".encode("ascii")


def _block(lines: list[bytes]) -> Block | None:
    if len(lines) < 2 or not lines[0].startswith(b"# {"):
        return None
    try:
        about = json.loads(lines[0][2:])
        until = about["until"]
        return Block(
            network=ip_network(lines[1].split()[0].decode("ascii")),
            reason=str(about["reason"]),
            since=datetime.fromisoformat(about["since"]).astimezone(UTC),
            until=None if until is None else datetime.fromisoformat(until).astimezone(UTC),
        )
    except (ValueError, KeyError, TypeError, IndexError):
        return None
