"""The SMTP block list: SmarterMail's IP blacklist, entries for SMTP.

Seen in public clients (A: two agree, B: one well kept, C: one):

- POST settings/sysadmin/ip-access/false {searchParams {skip, take, search, …},
  showHoneypot} → ipAccessList [{ip, description, smtp, pop, imap, xmpp, …}], totalCount (A)
- POST settings/sysadmin/ip-access {serviceList: ["Smtp"], dataType: 1, address, oldAddress,
  description, spam_bypass} (A)
- POST settings/sysadmin/ip-access-delete {address, dataType: 1} (A; the type: C)
- POST settings/sysadmin/connections {serviceTypes, search, ascending, startindex, count} (B)
- POST settings/sysadmin/drop-ip-connections/IP {} (B)

An entry has no times. Ours carry them at the end of their description, as
``[spoolwarden since=… until=…]``, and we lift each when its time has come: with any look at
the list or the log, so the bot must run then. An entry that also concerns other services
keeps those when SMTP is blocked or freed.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from urllib.parse import quote

from services.clock import Clock
from services.errors import BadArgument, ServerDown
from services.language import later, tr
from services.mail.embedded.headers import printable
from services.mail.port import Block, Network
from services.mail.smartermail import answers
from services.mail.smartermail.answers import Fields
from services.mail.smartermail.api import Api
from services.mail.smartermail.config import SmarterMailConfig
from services.mail.smartermail.ways import suppress_nothing_there

_SYSADMIN = "settings/sysadmin"
_READ = later("read the block list")
_BLACKLIST = 1
_MAX_REASON = 300
_MOST_PAGES = 1000
_MARK = re.compile(r" ?\[spoolwarden since=(\S{10,40})(?: until=(\S{10,40}))?\]\s*$")
#: When an entry was made that is not ours: nothing tells.
UNKNOWN_SINCE = datetime(1970, 1, 1, tzinfo=UTC)
# The fields of a listed entry, and what serviceList calls them.
_SERVICES = {"smtp": "Smtp", "imap": "Imap", "pop": "Pop", "xmpp": "Xmpp", "webMail": "WebMail"}
_ALL_CONNECTIONS = (0, 1, 2, 4, 7, 8, 9, 10, 12)


@dataclass(frozen=True, slots=True)
class _Entry:
    """One entry of the blacklist. ``address`` is as SmarterMail has it."""

    address: str
    block: Block
    services: frozenset[str]

    @property
    def for_smtp(self) -> bool:
        return _SERVICES["smtp"] in self.services


class BlockList:
    """The blacklist of one server."""

    def __init__(self, api: Api, config: SmarterMailConfig, clock: Clock) -> None:
        self._api = api
        self._page_size = config.page_size
        self._clock = clock
        # None: the list was not read yet, so an entry of ours may be overdue.
        self._next_end: datetime | None = None
        self._read = False

    async def in_force(self) -> Sequence[Block]:
        """Return the blocks of SMTP now in force, oldest first; overdue ones are lifted."""
        entries = await self._lift_overdue(await self._entries())
        blocks = [entry.block for entry in entries if entry.for_smtp]
        return sorted(blocks, key=lambda block: (block.since, str(block.network)))

    async def lift_overdue(self) -> None:
        """Lift what is overdue; asks the server only when something may be."""
        due = self._next_end is not None and self._clock.now() >= self._next_end
        if due or not self._read:
            await self._lift_overdue(await self._entries())

    async def add(self, network: Network, reason: str, lasting: timedelta | None) -> Block | None:
        """Block SMTP from a network and end what it has open; return the block it replaces."""
        if lasting is not None and lasting <= timedelta(0):
            raise BadArgument(tr("A block lasts a positive time."))
        now = self._clock.now()
        before = await self._standing(network)
        block = Block(network, reason, now, None if lasting is None else now + lasting)
        services = (before.services if before else frozenset()) | {_SERVICES["smtp"]}
        address = before.address if before else _written(network)
        await self._save(address, services, _described(block), before)
        if block.until is not None:
            self._next_end = min(filter(None, (self._next_end, block.until)))
        await self._end_connections(network)
        return before.block if before and before.for_smtp else None

    async def lift(self, network: Network) -> Block | None:
        """Free SMTP for exactly this network; return the block, None if there was none."""
        entry = await self._standing(network)
        if entry is None or not entry.for_smtp:
            return None
        await self._free(entry)
        return entry.block

    # -- inside ----------------------------------------------------------------------

    async def _standing(self, network: Network) -> _Entry | None:
        entries = await self._lift_overdue(await self._entries())
        return next((entry for entry in entries if entry.block.network == network), None)

    async def _lift_overdue(self, entries: Sequence[_Entry]) -> list[_Entry]:
        now = self._clock.now()
        stands: list[_Entry] = []
        for entry in entries:
            if entry.for_smtp and entry.block.until is not None and entry.block.until <= now:
                await self._free(entry)
            else:
                stands.append(entry)
        ends = [e.block.until for e in stands if e.for_smtp and e.block.until is not None]
        self._next_end, self._read = min(ends, default=None), True
        return stands

    async def _free(self, entry: _Entry) -> None:
        others = entry.services - {_SERVICES["smtp"]}
        if others:
            await self._save(entry.address, others, entry.block.reason, entry)
            return
        doing = tr("lift the block of {network}", network=entry.block.network)

        async def delete(extra: dict[str, int]) -> None:
            with suppress_nothing_there():  # somebody else has just lifted it
                await self._api.post(
                    f"{_SYSADMIN}/ip-access-delete",
                    {"address": entry.address, **extra},
                    doing=doing,
                    acting=True,
                )

        await self._api.ways.first(
            "lifting a block",  # not shown
            [
                ("address and dataType", lambda: delete({"dataType": _BLACKLIST})),  # not shown
                ("address", lambda: delete({})),
            ],
        )

    async def _save(
        self, address: str, services: frozenset[str], description: str, before: _Entry | None
    ) -> None:
        await self._api.post(
            f"{_SYSADMIN}/ip-access",
            {
                "serviceList": sorted(services),
                "dataType": _BLACKLIST,
                "address": address,
                "oldAddress": before.address if before else address,
                "description": description,
                "spam_bypass": False,
            },
            doing=tr("change the block list for {address}", address=address),
            acting=True,
        )

    async def _entries(self) -> list[_Entry]:
        found: dict[str, _Entry] = {}
        skip = 0
        for _ in range(_MOST_PAGES):
            page = await self._page(skip)
            fresh = [entry for entry in map(_entry, page) if entry is not None]
            new = {entry.address: entry for entry in fresh if entry.address not in found}
            found |= new
            skip += len(page)
            if not page or not new:
                break
        return list(found.values())

    async def _page(self, skip: int) -> list[Fields]:
        params = {
            "skip": skip,
            "take": self._page_size,
            "search": "",
            "sortField": "ip",
            "sortDescending": False,
        }
        few = {"Skip": skip, "Take": self._page_size, "Search": ""}

        async def ask(body: dict[str, object]) -> Fields:
            return await self._api.post(f"{_SYSADMIN}/ip-access/false", body, doing=tr(_READ))

        answer = await self._api.ways.first(
            "reading the block list",  # not shown
            [
                (
                    "searchParams and showHoneypot",  # not shown
                    lambda: ask({"searchParams": params, "showHoneypot": False}),
                ),
                ("searchParams", lambda: ask({"searchParams": few})),
            ],
        )
        found = answers.items(answer, "ipAccessList", "results")
        if found is None:
            raise self._api.failure(
                tr(_READ),
                tr("its answer holds no list"),
                tr("Nothing was done; look in SmarterMail."),
            )
        return found

    async def _end_connections(self, network: Network) -> None:
        """End what these addresses have open. They are refused anew in any case."""
        doing = tr("end the connections from {network}", network=network)
        try:
            for client in await self._connected(network, doing):
                call = f"{_SYSADMIN}/drop-ip-connections/{quote(client, safe='')}"
                with suppress_nothing_there():
                    await self._api.post(call, {}, doing=doing, acting=True)
        except ServerDown as error:
            raise ServerDown(
                tr(
                    "{network} is blocked, but what it has open goes on. {why} Do it again, or "
                    "drop that in SmarterMail, under Manage › Connections.",
                    network=network,
                    why=error,
                )
            ) from error

    async def _connected(self, network: Network, doing: str) -> list[str]:
        """Return which addresses of a network are connected, as far as the server tells."""
        if network.num_addresses == 1:
            return [str(network.network_address)]
        found: dict[str, None] = {}
        start = 0
        for _ in range(_MOST_PAGES):
            answer = await self._api.post(
                f"{_SYSADMIN}/connections",
                {
                    "serviceTypes": list(_ALL_CONNECTIONS),
                    "search": "",
                    "ascending": True,
                    "startindex": start,
                    "count": self._page_size,
                },
                doing=doing,
            )
            page = answers.items(answer, "connections", "results") or []
            start += len(page)
            clients = [answers.text(c, "ip", "ipAddress", "remoteIp", limit=60) for c in page]
            found |= dict.fromkeys(c for c in clients if c and _within(c, network))
            if not page:
                break
        return list(found)


def _entry(fields: Fields) -> _Entry | None:
    """Return an entry; None for one that is no address or network, such as a range."""
    address = answers.text(fields, "ip", "address", limit=100) or ""
    try:
        network = ip_network(address.strip(), strict=False)
    except ValueError:
        return None
    services = frozenset(
        name for name_in_list, name in _SERVICES.items() if answers.flag(fields, name_in_list)
    )
    description = answers.text(fields, "description", limit=2000) or ""
    mark = _MARK.search(description)
    since, until = (_moment(mark[1]), _moment(mark[2])) if mark else (None, None)
    reason = description[: mark.start()] if mark else description
    return _Entry(address, Block(network, reason, since or UNKNOWN_SINCE, until), services)


def _described(block: Block) -> str:
    until = "" if block.until is None else f" until={block.until.isoformat()}"
    # A reason that ends like a mark of ours would be read as one.
    reason = _MARK.sub("", printable(block.reason[:_MAX_REASON]))
    return f"{reason} [spoolwarden since={block.since.isoformat()}{until}]"  # not shown


def _moment(text: str | None) -> datetime | None:
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo else None


def _written(network: Network) -> str:
    """Return a network as SmarterMail's page takes it: a single address without a length."""
    return str(network.network_address) if network.num_addresses == 1 else str(network)


def _within(client: str, network: Network) -> bool:
    try:
        return ip_address(client) in network
    except ValueError:
        return False
