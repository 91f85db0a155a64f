"""The SMTP block list. Kept in memory as well, so that a session asks at no cost."""

from collections import Counter
from datetime import timedelta
from ipaddress import IPv4Address, IPv6Address, ip_network

from sqlalchemy import delete, insert, select, update

from services.clock import Clock
from services.mail.embedded import tables
from services.mail.embedded.address import client_address
from services.mail.embedded.database import Database, from_stored, to_stored
from services.mail.port import Block, Network

_MAX_REASON = 500


class BlockList:
    """Networks that may not speak SMTP with this server, until they expire or are lifted."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._blocks: dict[Network, Block] = {}
        # Version, prefix length and the first bits find an address without a scan.
        self._by_bits: dict[tuple[int, int], dict[int, Block]] = {}
        self._refused: Counter[Network] = Counter()
        self._counted: dict[Network, int] = {}  # as the database has it

    async def load(self) -> None:
        """Read the list. Raises ServerDown."""
        async with self._database.read() as connection:
            rows = (await connection.execute(select(tables.block))).all()
        for row in rows:
            self._counted[ip_network(row.network)] = row.refused
            self._refused[ip_network(row.network)] = row.refused
            self._put(
                Block(
                    network=ip_network(row.network),
                    reason=row.reason,
                    since=from_stored(row.since),
                    until=None if row.until is None else from_stored(row.until),
                )
            )

    def refuses(self, address: IPv4Address | IPv6Address) -> bool:
        """Tell whether an entry in force covers this address, which it then has refused."""
        number, bits = int(address), address.max_prefixlen
        for (version, length), entries in self._by_bits.items():
            if version == address.version:
                entry = entries.get(number >> (bits - length))
                if entry is not None and self._in_force(entry):
                    self._refused[entry.network] += 1
                    return True
        return False

    def in_force(self) -> list[Block]:
        """Return the entries in force, oldest first."""
        entries = (entry for entry in self._blocks.values() if self._in_force(entry))
        return sorted(entries, key=lambda entry: (entry.since, str(entry.network)))

    def refused(self) -> dict[Network, int]:
        """Return how often each entry in force has refused somebody."""
        return {entry.network: self._refused[entry.network] for entry in self.in_force()}

    async def save(self) -> None:
        """Write down how often each has refused somebody, where that has changed."""
        changed = {n: self._refused[n] for n in self._blocks if self._is_new(n)}
        if not changed:
            return
        async with self._database.write() as connection:
            for network, number in changed.items():
                await connection.execute(
                    update(tables.block)
                    .where(tables.block.c.network == str(network))
                    .values(refused=number)
                )
            await connection.commit()
        self._counted.update(changed)

    def _is_new(self, network: Network) -> bool:
        return self._refused[network] != self._counted.get(network, 0)

    async def add(self, network: Network, reason: str, lasting: timedelta | None) -> Block | None:
        """Put an entry in force; return the one for exactly this network it replaces, if any."""
        network = _plain(network)
        now = self._clock.now()
        entry = Block(
            network=network,
            reason=reason[:_MAX_REASON],
            since=now,
            until=None if lasting is None else now + lasting,
        )
        async with self._database.write() as connection:
            before = self._standing(network)
            await connection.execute(
                delete(tables.block).where(tables.block.c.network == str(network))
            )
            await connection.execute(
                insert(tables.block).values(
                    network=str(network),
                    reason=entry.reason,
                    since=to_stored(entry.since),
                    until=None if entry.until is None else to_stored(entry.until),
                )
            )
            await connection.commit()
            self._forget(network)
            self._put(entry)
        return before

    async def lift(self, network: Network) -> Block | None:
        """Take the entry for exactly this network out; return it, None if there was none."""
        network = _plain(network)
        async with self._database.write() as connection:
            before = self._standing(network)
            await connection.execute(
                delete(tables.block).where(tables.block.c.network == str(network))
            )
            await connection.commit()
            self._drop(network)
        return before

    async def prune(self) -> None:
        """Forget the entries that have expired."""
        if all(self._in_force(entry) for entry in self._blocks.values()):
            return
        async with self._database.write() as connection:
            expired = [n for n, entry in self._blocks.items() if not self._in_force(entry)]
            await connection.execute(
                delete(tables.block).where(tables.block.c.network.in_(map(str, expired)))
            )
            await connection.commit()
            for network in expired:
                self._drop(network)

    def _standing(self, network: Network) -> Block | None:
        entry = self._blocks.get(network)
        return entry if entry is not None and self._in_force(entry) else None

    def _in_force(self, entry: Block) -> bool:
        return entry.until is None or self._clock.now() < entry.until

    def _forget(self, network: Network) -> None:
        self._refused.pop(network, None)
        self._counted.pop(network, None)

    def _put(self, entry: Block) -> None:
        self._blocks[entry.network] = entry
        kind, first = _bits(entry.network)
        self._by_bits.setdefault(kind, {})[first] = entry

    def _drop(self, network: Network) -> None:
        self._forget(network)
        if self._blocks.pop(network, None) is not None:
            kind, first = _bits(network)
            del self._by_bits[kind][first]
            if not self._by_bits[kind]:
                del self._by_bits[kind]


def _bits(network: Network) -> tuple[tuple[int, int], int]:
    shift = network.max_prefixlen - network.prefixlen
    return (network.version, network.prefixlen), int(network.network_address) >> shift


def _plain(network: Network) -> Network:
    """Return a network of IPv4-mapped addresses as the IPv4 one: clients are looked up so."""
    if network.version == 6 and network.prefixlen >= 96:
        first = client_address(str(network.network_address))
        if isinstance(first, IPv4Address):
            return ip_network((first, network.prefixlen - 96))
    return network
