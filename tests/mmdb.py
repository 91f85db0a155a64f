"""Writes files in the MaxMind DB format, for the tests: https://maxmind.github.io/MaxMind-DB/.

Sections named below are of that page. Each node of the tree has two records, for a 0 and a 1 in
the address; a record is another node's number, or ``node_count`` for nothing, or more for data.
"""

import os
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any

_MARKER = b"\xab\xcd\xefMaxMind.com"
_SEPARATOR = bytes(16)

Network = IPv4Network | IPv6Network


class _U16(int):
    """A number that is to be written as one of 16 bits, as "Database Metadata" has some."""


class _U64(int):
    """One of 64 bits."""


class _Node:
    def __init__(self) -> None:
        self.sides: list[_Node | int | None] = [None, None]  # a node, a place in the data, nothing
        self.number = 0


def mmdb(records: Mapping[Network, Any], *, version: int = 6, kind: str = "Test", bits: int = 28,
         damaged: bool = False) -> bytes:  # fmt: skip
    """Return a database of these networks; of two that overlap the narrower one counts.

    IPv4 networks lie below ::/96 in one of version 6, as "IPv4 addresses in an IPv6 tree" has it.
    """
    data, places = bytearray(), dict[bytes, int]()
    root = _Node()
    for network in sorted(records, key=lambda one: one.prefixlen + (96 if one.version == 4 else 0)):
        packed = encode(records[network])
        if packed not in places:
            places[packed] = len(data)
            data += packed
        _put(root, network, places[packed], version)
    nodes = _numbered(root)
    tree = b"".join(_packed(node, len(nodes), bits) for node in nodes)
    about = {
        "node_count": len(nodes), "record_size": _U16(bits), "ip_version": _U16(version),
        "database_type": kind, "languages": ["en"], "binary_format_major_version": _U16(2),
        "binary_format_minor_version": _U16(0), "build_epoch": _U64(1_767_571_200),
        "description": {"en": "made by a test"},
    }  # fmt: skip
    if damaged:
        data = bytearray(b"\xff" * len(data))
    return tree + _SEPARATOR + bytes(data) + _MARKER + encode(about)


def replace(path: Path, content: bytes) -> None:
    """Put a file where another may be, as an updater does: by renaming a new one over it."""
    beside = path.with_suffix(".new")
    beside.write_bytes(content)
    os.replace(beside, path)  # noqa: PTH105 - its name says what it does


def _put(root: _Node, network: Network, place: int, version: int) -> None:
    bits = f"{int(network.network_address):0{network.max_prefixlen}b}"[: network.prefixlen]
    if version == 6 and network.version == 4:
        bits = "0" * 96 + bits
    node = root
    for bit in bits[:-1]:
        side = node.sides[int(bit)]
        if not isinstance(side, _Node):
            # What was said of the wider network holds for both halves until one is said anew.
            inner = _Node()
            inner.sides = [side, side]
            node.sides[int(bit)] = side = inner
        node = side
    node.sides[int(bits[-1])] = place


def _numbered(root: _Node) -> list[_Node]:
    nodes, waiting = list[_Node](), [root]
    while waiting:
        node = waiting.pop()
        node.number = len(nodes)
        nodes.append(node)
        waiting += [side for side in node.sides if isinstance(side, _Node)]
    return nodes


def _packed(node: _Node, number: int, bits: int) -> bytes:
    """Return a node. "Node Layout" has how 28 bits twice are seven bytes."""
    left, right = [
        number if side is None else side.number if isinstance(side, _Node) else number + 16 + side
        for side in node.sides
    ]
    if bits == 28:
        middle = (left >> 24) << 4 | right >> 24
        return (
            (left & 0xFFFFFF).to_bytes(3, "big")
            + bytes([middle])
            + (right & 0xFFFFFF).to_bytes(3, "big")
        )
    return left.to_bytes(bits // 8, "big") + right.to_bytes(bits // 8, "big")


def encode(value: Any) -> bytes:
    """Return a value of the data section. "Output Data Section" has the types."""
    match value:
        case bool():
            return _control(14, int(value))
        case str():
            text = value.encode()
            return _control(2, len(text)) + text
        case bytes():  # text that may be no UTF-8
            return _control(2, len(value)) + value
        case int():
            number = value.to_bytes((value.bit_length() + 7) // 8, "big")
            kind = 5 if isinstance(value, _U16) else 9 if isinstance(value, _U64) else 6
            return _control(9 if value >= 1 << 32 else kind, len(number)) + number
        case dict():
            inner = b"".join(encode(key) + encode(one) for key, one in value.items())
            return _control(7, len(value)) + inner
        case list():
            return _control(11, len(value)) + b"".join(map(encode, value))
        case _:
            raise TypeError(type(value))


def _control(kind: int, size: int) -> bytes:
    """Return the control byte, and what follows it for an extended type or a large size."""
    extra = b""
    if size >= 65_821:
        size, extra = 31, (size - 65_821).to_bytes(3, "big")
    elif size >= 285:
        size, extra = 30, (size - 285).to_bytes(2, "big")
    elif size >= 29:
        size, extra = 29, (size - 29).to_bytes(1, "big")
    if kind > 7:
        return bytes([size, kind - 7]) + extra
    return bytes([kind << 5 | size]) + extra
