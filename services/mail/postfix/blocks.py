"""The SMTP block list: a text file that is the truth, and what Postfix asks, made from it.

As ``postmap`` makes a table from a text, each change makes the rules of
:mod:`~services.mail.postfix.access` from the whole file; those are in force for the next
connection, and for the next MAIL of an open one, without a reload.

Another process may change the list in the same instant: a change is made only to the text
that it was made from, else it is made again from what the text is now.
"""

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from ipaddress import IPv6Network, ip_network

from services.clock import Clock
from services.errors import ServerDown
from services.language import tr
from services.mail.port import Block, Network
from services.mail.postfix.access import Rule, in_force
from services.mail.postfix.blockfile import Parts, action, parse, render, rules
from services.mail.postfix.folder import Folder, Statement, Swap

_log = logging.getLogger(__name__)

#: The name of the text in the folder.
BLOCK_FILE = "blocked.cidr"
_MAX_REASON = 500
# Each failed try is a change that another process made in an instant.
_TRIES = 50


class BlockList:
    """Networks that may not speak SMTP with this server."""

    def __init__(self, server: str, folder: Folder, clock: Clock) -> None:
        self._server = server
        self._folder = folder
        self._path = folder.path / BLOCK_FILE
        self._clock = clock
        self._lock = asyncio.Lock()
        self._compiled: bytes | None = None  # the text that the rules in force were made from

    async def in_force(self) -> list[Block]:
        """Return our entries, oldest first. What expired is taken out on the way."""
        async with self._lock:
            for _ in range(_TRIES):
                text = await self._read()
                parts = parse(text)
                standing = [block for block in parts.blocks if self._stands(block)]
                if len(standing) < len(parts.blocks):
                    done = await self._write(text, parts, standing)
                else:  # changed by hand, or we just started
                    done = self._compiled == text or await self._compile(text, parts)
                if done:
                    return sorted(standing, key=lambda block: (block.since, str(block.network)))
        raise self._busy()

    async def add(self, network: Network, reason: str, lasting: timedelta | None) -> Block | None:
        """Put an entry in force; return the one for exactly this network it replaces, if any."""
        now = self._clock.now()
        until = None if lasting is None else now + lasting
        network = _plain(network)
        return await self._change(network, Block(network, reason[:_MAX_REASON], now, until))

    async def lift(self, network: Network) -> Block | None:
        """Take the entry for exactly this network out; return it, None if there was none."""
        return await self._change(_plain(network), None)

    async def _change(self, network: Network, entry: Block | None) -> Block | None:
        async with self._lock:
            for _ in range(_TRIES):
                text = await self._read()
                parts = parse(text)
                standing = [block for block in parts.blocks if self._stands(block)]
                before = next((block for block in standing if block.network == network), None)
                others = [block for block in standing if block.network != network]
                if entry is not None:
                    others.append(entry)
                elif before is None and len(standing) == len(parts.blocks):
                    return None
                if await self._write(text, parts, others):
                    return before
        raise self._busy()

    def _stands(self, block: Block) -> bool:
        return block.until is None or self._clock.now() < block.until

    async def _read(self) -> bytes:
        with self._sentences():
            return await self._folder.read(BLOCK_FILE)

    async def _write(self, text: bytes, old: Parts, blocks: list[Block]) -> bool:
        new = replace(old, blocks=tuple(blocks))
        content = render(new)
        # What the administrator had is kept once, before the bot ever touched it.
        keep = not old.ours and bool(old.before)
        rules_before, rules_now = _statements(old), _statements(new)
        swap = Swap(BLOCK_FILE, text, content, rules_now, undo=rules_before, keep=keep)
        return await self._swap(swap, content)

    async def _compile(self, text: bytes, parts: Parts) -> bool:
        strange = rules(parts.before)[1] + rules(parts.after)[1]
        if strange:
            _log.warning("%s: %d lines are not in force here", self._path, strange)
        return await self._swap(Swap(BLOCK_FILE, text, None, _statements(parts), ()), text)

    async def _swap(self, swap: Swap, content: bytes) -> bool:
        self._compiled = None
        with self._sentences():
            done = await self._folder.swap(swap)
        if done:
            self._compiled = content
        return done

    def _busy(self) -> ServerDown:
        return ServerDown(
            tr(
                "The block list {path} of the mail server {server} is changed by others all the "
                "time, and so was not changed. Try again.",
                path=self._path,
                server=self._server,
            )
        )

    @contextlib.contextmanager
    def _sentences(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            raise ServerDown(
                tr(
                    "The block list {path} of the mail server {server} could not be changed "
                    "({why}). The list that was in force still is.",
                    path=self._path,
                    server=self._server,
                    why=str(error)[:120],
                )
            ) from error


def _statements(parts: Parts) -> list[Statement]:
    """Return what puts in force all that a text says, others' lines in their places."""
    ours = [
        Rule(b.network, action(), None if b.until is None else int(b.until.timestamp()))
        for b in parts.blocks
    ]
    before, after = (
        [Rule(ip_network(network), act) for network, act in rules(foreign)[0]]
        for foreign in (parts.before, parts.after)
    )
    return in_force([*before, *ours, *after])


def _plain(network: Network) -> Network:
    """Return a network of IPv4-mapped addresses as the IPv4 one: Postfix looks them up so."""
    if isinstance(network, IPv6Network) and network.prefixlen >= 96:
        mapped = network.network_address.ipv4_mapped
        if mapped is not None:
            return ip_network((mapped, network.prefixlen - 96))
    return network
