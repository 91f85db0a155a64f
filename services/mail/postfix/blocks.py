"""The SMTP block list: a text file that is the truth, and what Postfix asks, made from it.

As ``postmap`` makes a table from a text, each change makes the rules in
:class:`~services.mail.postfix.access.AccessTables` from the whole file; those are in force
for the next connection, and for the next MAIL of an open one, without a reload.
"""

import contextlib
import logging
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from ipaddress import IPv6Network, ip_network
from pathlib import Path

from services.clock import Clock
from services.errors import ServerDown
from services.mail.port import Block, Network
from services.mail.postfix.access import AccessTables, Rule
from services.mail.postfix.blockfile import Parts, action, parse, render, rules

_log = logging.getLogger(__name__)

_MAX_REASON = 500


class BlockList:
    """Networks that may not speak SMTP with this server. Every method blocks."""

    def __init__(self, server: str, path: Path, tables: AccessTables, clock: Clock) -> None:
        self._server = server
        self._path = path
        self._tables = tables
        self._clock = clock
        self._lock = threading.Lock()
        self._compiled: tuple[int, int, int] | None = None

    def in_force(self) -> list[Block]:
        """Return our entries, oldest first. What expired is taken out on the way."""
        with self._lock:
            parts = self._read()
            standing = [block for block in parts.blocks if self._stands(block)]
            if len(standing) < len(parts.blocks):
                self._write(parts, standing)
            elif self._compiled != _stamp(self._path):  # changed by hand, or we just started
                self._compile(parts)
        return sorted(standing, key=lambda block: (block.since, str(block.network)))

    def add(self, network: Network, reason: str, lasting: timedelta | None) -> Block | None:
        """Put an entry in force; return the one for exactly this network it replaces, if any."""
        now = self._clock.now()
        until = None if lasting is None else now + lasting
        network = _plain(network)
        return self._change(network, Block(network, reason[:_MAX_REASON], now, until))

    def lift(self, network: Network) -> Block | None:
        """Take the entry for exactly this network out; return it, None if there was none."""
        return self._change(_plain(network), None)

    def _change(self, network: Network, entry: Block | None) -> Block | None:
        with self._lock:
            parts = self._read()
            standing = [block for block in parts.blocks if self._stands(block)]
            before = next((block for block in standing if block.network == network), None)
            others = [block for block in standing if block.network != network]
            if entry is not None:
                others.append(entry)
            elif before is None and len(standing) == len(parts.blocks):
                return None
            self._write(parts, others)
        return before

    def _stands(self, block: Block) -> bool:
        return block.until is None or self._clock.now() < block.until

    def _read(self) -> Parts:
        with self._sentences():
            try:
                return parse(self._path.read_bytes())
            except FileNotFoundError:
                return parse(b"")

    def _write(self, old: Parts, blocks: list[Block]) -> None:
        new = replace(old, blocks=tuple(blocks))
        fresh = self._path.with_name(self._path.name + ".new")
        with self._sentences():
            try:
                if not old.ours and old.before:
                    # What the administrator had, before the bot ever touched it.
                    _whole(self._path.with_name(self._path.name + ".orig"), old.before)
                _whole(fresh, render(new))
                self._compile(new)
                try:
                    fresh.replace(self._path)
                    _sync(self._path.parent)
                except OSError:
                    self._compile(old)
                    raise
            except (OSError, ServerDown):
                fresh.unlink(missing_ok=True)
                raise
            self._compiled = _stamp(self._path)

    def _compile(self, parts: Parts) -> None:
        compiled: list[Rule] = []
        before, strange = rules(parts.before)
        after, more = rules(parts.after)
        compiled += [Rule(ip_network(network), act) for network, act in before]
        compiled += [
            Rule(b.network, action(), None if b.until is None else int(b.until.timestamp()))
            for b in parts.blocks
        ]
        compiled += [Rule(ip_network(network), act) for network, act in after]
        self._tables.set_clients(compiled)
        self._compiled = _stamp(self._path)
        if strange + more:
            _log.warning("%s: %d lines are not in force here", self._path, strange + more)

    @contextlib.contextmanager
    def _sentences(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ServerDown(
                f"The block list {self._path} of the mail server {self._server} could not be "
                f"changed ({error.strerror or error}). The list that was in force still is."
            ) from error


def _whole(path: Path, content: bytes) -> None:
    """Write a file so that it is all on the disk when this returns."""
    with path.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    path.chmod(0o644)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _stamp(path: Path) -> tuple[int, int, int]:
    try:
        about = path.stat()
    except FileNotFoundError:
        return (0, 0, 0)
    return (about.st_ino, about.st_mtime_ns, about.st_size)


def _plain(network: Network) -> Network:
    """Return a network of IPv4-mapped addresses as the IPv4 one: Postfix looks them up so."""
    if isinstance(network, IPv6Network) and network.prefixlen >= 96:
        mapped = network.network_address.ipv4_mapped
        if mapped is not None:
            return ip_network((mapped, network.prefixlen - 96))
    return network
