"""Whether block lists have the servers' own addresses: looked at from time to time, and told.

What was last answered is in the database: lists are asked again only once it is old, whoever
leads, and the channel is told once when an address is listed, and once when it no longer is.
"""

import logging
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from ipaddress import ip_address

from sqlmodel import col, select

from services.audit import AuditLog, Line, Phase
from services.clock import Clock
from services.dnsbl import Address, Dnsbl, DnsblError, Entry
from services.errors import SpoolwardenError
from services.language import tr
from services.mail.port import MailServer
from services.models import Announcement, Listing
from services.people import BOT
from services.settings import DnsblSettings
from services.store import Store
from services.words import span

_log = logging.getLogger(__name__)


class Listings:
    """Asks about what is due, and says what has changed."""

    def __init__(
        self,
        store: Store,
        servers: Mapping[str, MailServer],
        audit: AuditLog,
        clock: Clock,
        settings: DnsblSettings,
    ) -> None:
        self._store = store
        self._servers = servers
        self._audit = audit
        self._clock = clock
        self._settings = settings
        self._every = timedelta(hours=settings.hours)

    @property
    def used(self) -> bool:
        """Whether any list is to be asked."""
        return bool(self._settings.zones)

    @property
    def zones(self) -> int:
        """How many lists are asked."""
        return len(self._settings.zones)

    async def look(self) -> bool:
        """Ask what is due; return whether the channel is told of anything. Raises StoreError."""
        if not self.used:
            return False
        known = {(row.server, row.address, row.zone): row for row in await self.known()}
        own = [pair async for pair in self._own(known)]
        asked, told = self._dnsbl(), False
        for zone in self._settings.zones:
            due = [
                (server, address)
                for server, address in own
                if self._is_due(known.get((server, str(address), zone)))
            ]
            if not due:
                continue
            why = await _failure(asked, zone)
            for server, address in due:
                row = known.get((server, str(address), zone)) or Listing(
                    server=server, address=str(address), zone=zone, checked_at=self._clock.now()
                )
                told |= await self._asked(asked, row, address, why)
        await self._forget({(server, str(address)) for server, address in own})
        return told

    async def known(self) -> Sequence[Listing]:
        """Return what was last answered of each address by each list."""
        query = select(Listing).order_by(col(Listing.server), col(Listing.address))
        async with self._store.reading() as session:
            return (await session.exec(query.order_by(col(Listing.zone)))).all()

    def _dnsbl(self) -> Dnsbl:
        return Dnsbl(self._settings.nameserver, self._settings.timeout)

    def _is_due(self, row: Listing | None) -> bool:
        # A minute's grace: what runs each hour must not skip every other time.
        now = self._clock.now()
        return row is None or now - row.checked_at >= self._every - timedelta(minutes=1)

    async def _own(
        self, known: Collection[tuple[str, str, str]]
    ) -> AsyncIterator[tuple[str, Address]]:
        """Yield each server with each of its addresses that others can see.

        Those of one that cannot say them now are those that are ``known``: they would be
        forgotten else, and told of anew.
        """
        for name, server in self._servers.items():
            found: set[Address] = set(self._settings.addresses.get(name, ()))
            try:
                networks = await server.own_networks()
            except SpoolwardenError as error:
                _log.warning("the addresses of %s are not known: %s", name, error.sentence)
                networks = ()
                found |= {ip_address(address) for of, address, _ in known if of == name}
            found |= {
                network.network_address
                for network in networks
                if network.prefixlen == network.max_prefixlen and network.is_global
            }
            for address in sorted(found, key=lambda one: (one.version, int(one))):
                yield name, address

    async def _asked(self, asked: Dnsbl, row: Listing, address: Address, why: str) -> bool:
        """Ask one list about one address, and write it down; return whether that is told."""
        now = self._clock.now()
        entry: Entry | None = None
        if not why:
            try:
                entry = await asked.ask(row.zone, address)
            except DnsblError as error:
                why = error.sentence
        row.checked_at, row.error = now, why
        text = ""
        if not why and entry is not None and row.since is None:
            row.since = now
            text = _listed(row, entry)
        elif not why and entry is None and row.since is not None:
            text = _delisted(row, now)
            row.since, row.said = None, ""
        if entry is not None:
            row.said = " ".join([*entry.codes, entry.reason]).strip()
        async with self._store.session() as session:
            await session.merge(row)
            if text:
                session.add(Announcement(at=now, text=text))
                line = Line(
                    Phase.NOTE, "listing", BOT, row.server, row.address, detail={"said": text}
                )
                await self._audit.append(session, line)
        return bool(text)

    async def _forget(self, own: set[tuple[str, str]]) -> None:
        """Forget what is no longer asked about."""
        zones = set(self._settings.zones)
        async with self._store.session() as session:
            for row in (await session.exec(select(Listing))).all():
                if (row.server, row.address) not in own or row.zone not in zones:
                    await session.delete(row)


async def _failure(asked: Dnsbl, zone: str) -> str:
    """Return why a zone is no list that works, "" where it is one."""
    try:
        await asked.try_zone(zone)
    except DnsblError as error:
        _log.warning("%s", error.sentence)
        return error.sentence
    return ""


def _listed(row: Listing, entry: Entry) -> str:
    return tr(
        "⚠️ {address}, an address of the mail server {server}, is on the block list {zone} "
        "({codes}){reason} Others may refuse its mail. Stop what is sent from it, then ask the "
        "list to take it off.",
        address=row.address,
        server=row.server,
        zone=row.zone,
        codes=", ".join(entry.codes),
        reason=tr(": “{reason}”.", reason=entry.reason) if entry.reason else ".",
    )


def _delisted(row: Listing, now: datetime) -> str:
    return tr(
        "✅ {address}, an address of the mail server {server}, is no longer on the block list "
        "{zone}, after {time}.",
        address=row.address,
        server=row.server,
        zone=row.zone,
        time=span(now - (row.since or now)),
    )
