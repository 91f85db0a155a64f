"""The embedded mail server: real SMTP in, a durable spool, delivery, and the port."""

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_network

from sqlalchemy import func, select

from services.clock import Clock
from services.errors import BadArgument, ServerDown
from services.language import tr, trn
from services.mail.embedded import tables
from services.mail.embedded.accounts import Accounts
from services.mail.embedded.address import client_address
from services.mail.embedded.attempts import Attempts
from services.mail.embedded.blocks import BlockList
from services.mail.embedded.config import EmbeddedConfig
from services.mail.embedded.database import Database, from_stored
from services.mail.embedded.delivery import Delivery, DeliveryCounts
from services.mail.embedded.intake import Intake
from services.mail.embedded.log import Delivery as Delivered
from services.mail.embedded.log import Logs
from services.mail.embedded.preview import headers_of, text_and_attachments
from services.mail.embedded.smtp import Shared, factory
from services.mail.embedded.spool import Spool
from services.mail.port import (
    Block,
    Capabilities,
    MessageResult,
    Network,
    Page,
    Preview,
    Record,
    SenderQueued,
    SenderSpool,
    SpoolCounts,
    SpoolQuery,
    Tell,
    User,
    UserState,
    nobody,
)
from services.tasks import end

_log = logging.getLogger(__name__)

# Real seconds: due times are the clock's, which may be a compressed one.
_LOOK_SECONDS = 1.0
_PRUNE_EVERY = timedelta(hours=1)
_COPIED_AT_ONCE = 20  # messages of a mailbox


@dataclass(frozen=True, slots=True)
class Mail:
    """A message in a mailbox."""

    at: datetime
    envelope_sender: str
    raw: bytes


class EmbeddedServer:
    """A mail server in this process; serves :class:`~services.mail.port.MailServer`.

    Between :meth:`start` and :meth:`stop` it listens, and no other process may use its
    database: who may send is also kept in memory. At any other time each method raises
    ServerDown.
    """

    def __init__(self, config: EmbeddedConfig, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._database = Database(config)
        self._accounts = Accounts(self._database)
        self._blocks = BlockList(self._database, clock)
        self._logs = Logs(self._database, clock)
        self._attempts = Attempts()
        self._spool = Spool(self._database, clock, self._attempts)
        self._delivery = Delivery(config, clock, self._database, self._accounts, self._attempts)
        self._intake = Intake(self._database, self._wake)
        self._wakes = (asyncio.Event(), asyncio.Event())
        self._tasks: list[asyncio.Task[None]] = []
        self._listener: asyncio.Server | None = None
        self._shared: Shared | None = None
        self._pruned: datetime | None = None

    # -- life ------------------------------------------------------------------------

    async def start(self) -> None:
        """Open the spool, listen, and deliver. Raises ServerDown, with nothing left open."""
        if self._listener is not None:
            return
        try:
            tls = await asyncio.to_thread(self._tls)
            await self._database.open()
            await self._accounts.load()
            await self._blocks.load()
            await self._logs.load()
            await self._delivery.void_claims()
            await self._intake.start()
            self._shared = Shared(
                self._config,
                self._clock,
                self._accounts,
                self._blocks,
                self._intake,
                self._logs.login_failed,
                tls,
            )
            loop = asyncio.get_running_loop()
            self._listener = await loop.create_server(
                factory(self._shared), self._config.host, self._config.port, backlog=512
            )
        except OSError as error:  # ssl.SSLError is one
            await self.stop()
            raise ServerDown(
                tr(
                    "The embedded mail server {server} cannot listen on {place}: {why}.",
                    server=self.name,
                    place=f"{self._config.host}:{self._config.port}",
                    why=error,
                )
            ) from error
        except BaseException:
            await self.stop()
            raise
        if self._config.deliver_in_background:
            self._tasks = [
                asyncio.create_task(self._look_after(self._deliver_local_and_tidy, self._wakes[0])),
                asyncio.create_task(
                    self._look_after(self._delivery.deliver_remote, self._wakes[1])
                ),
            ]

    async def stop(self) -> None:
        """Hang up, finish nothing new, close the spool. What was accepted stays."""
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.close()
        if self._shared is not None:
            for session in list(self._shared.sessions):
                session.refuse_and_close("421 4.3.2 The server is stopping")  # not shown
        tasks, self._tasks = self._tasks, []
        await end(tasks)
        await self._intake.stop()
        if self._shared is not None:
            for session in list(self._shared.sessions):
                session.abort()
            self._shared = None
        if listener is not None:
            await listener.wait_closed()
        with contextlib.suppress(ServerDown):  # it is but a count
            await self._blocks.save()
        await self._database.close()

    @property
    def port(self) -> int:
        """The TCP port that is listened on. Raises ServerDown when none is."""
        return int(self._sockets()[0].getsockname()[1])

    async def add_user(self, address: str, password: str) -> None:
        """Make a mailbox. Raises BadArgument if there is one, or the address is none."""
        await self._accounts.add(address, password)

    def users(self) -> tuple[str, ...]:
        """Return the addresses of all mailboxes, sorted."""
        return self._accounts.addresses()

    async def mailbox(self, address: str, *, limit: int = 1000) -> Sequence[Mail]:
        """Return the newest ``limit`` messages of a mailbox, oldest of them first."""
        table = tables.mail
        newest = (
            select(table)
            .where(table.c.address == address.casefold())
            .order_by(table.c.id.desc())
            .limit(limit)
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(newest)).all()
        return [Mail(from_stored(row.at), row.sender, row.raw) for row in reversed(rows)]

    async def mailbox_count(self, address: str) -> int:
        """Return how many messages a mailbox holds."""
        statement = (
            select(func.count())
            .select_from(tables.mail)
            .where(tables.mail.c.address == address.casefold())
        )
        async with self._database.read() as connection:
            return await connection.scalar(statement) or 0

    async def deliveries(self, since: datetime, *, limit: int = 1000) -> Sequence[Delivered]:
        """Return up to ``limit`` entries of the delivery log from ``since`` on, oldest first."""
        return await self._logs.deliveries(since, limit)

    async def deliver_due(self) -> DeliveryCounts:
        """Deliver once what is due by the clock, and return what came of it."""
        return await self._delivery.deliver_local() + await self._delivery.deliver_remote()

    # -- the port --------------------------------------------------------------------

    @property
    def name(self) -> str:
        """The name from the configuration."""
        return self._config.name

    @property
    def capabilities(self) -> Capabilities:
        """All of them."""
        return Capabilities()

    async def own_networks(self) -> tuple[Network, ...]:
        """Return the addresses listened on; for a wildcard, those of this machine."""
        found: set[Network] = set()
        for listening in self._sockets():
            address = client_address(listening.getsockname()[0])
            if address.is_unspecified:
                found |= await asyncio.to_thread(_addresses_of_this_machine)
            else:
                found.add(ip_network(address))
        return tuple(sorted(found, key=lambda network: (network.version, network)))

    async def submissions(self, after: str | None, limit: int) -> Sequence[Record]:
        """Return accepted messages and news after the cursor, in the order they were committed."""
        return await self._logs.submissions(after, limit)

    async def counts(self) -> SpoolCounts:
        """Return how full the spool is."""
        return await self._spool.counts()

    async def top_queued(self, limit: int) -> Sequence[SenderQueued]:
        """Return the senders with most messages waiting; senders are case-folded."""
        return await self._spool.top_queued(limit)

    async def spool_of(self, senders: Collection[str]) -> Mapping[str, SenderSpool]:
        """Return what each of these has waiting and held."""
        return await self._spool.spool_of(senders)

    async def search(self, query: SpoolQuery, *, offset: int = 0, limit: int = 10) -> Page:
        """Return one page; ``arrived_after`` is included, ``arrived_before`` is not."""
        return await self._spool.search(query, offset, limit)

    async def matching_ids(self, query: SpoolQuery, *, limit: int) -> tuple[str, ...]:
        """Return the queue ids of matching messages, oldest first."""
        return await self._spool.matching_ids(query, limit)

    async def preview(self, queue_id: str) -> Preview | None:
        """Return the head of one message, parsed from its first MiB."""
        message = await self._spool.message(queue_id)
        raw = await self._spool.raw(queue_id)
        if message is None or raw is None:
            return None
        headers = await asyncio.to_thread(headers_of, raw)
        text, attachments = await asyncio.to_thread(text_and_attachments, raw)
        return Preview(message, headers, text, attachments)

    async def raw(self, queue_id: str) -> bytes | None:
        """Return one message as it was accepted, byte for byte."""
        return await self._spool.raw(queue_id)

    async def hold(self, queue_ids: Sequence[str], *, tell: Tell = nobody) -> list[MessageResult]:
        """Hold; each id is answered once, one held already is DONE."""
        return await self._spool.hold(queue_ids, tell=tell)

    async def release(
        self, queue_ids: Sequence[str], *, tell: Tell = nobody
    ) -> list[MessageResult]:
        """Deliver held ones again, from now on."""
        results = await self._spool.release(queue_ids, tell=tell)
        self._wake()
        return results

    async def move(
        self, queue_ids: Sequence[str], folder: str, *, tell: Tell = nobody
    ) -> list[MessageResult]:
        """Move; one in that folder already is DONE. Raises BadArgument for an unfit name."""
        return await self._spool.move(queue_ids, folder, tell=tell)

    async def restore(
        self, queue_ids: Sequence[str], *, tell: Tell = nobody
    ) -> list[MessageResult]:
        """Put quarantined ones back where they came from."""
        results = await self._spool.restore(queue_ids, tell=tell)
        self._wake()
        return results

    async def retry(self, queue_ids: Sequence[str], *, tell: Tell = nobody) -> list[MessageResult]:
        """Make these due, and have them delivered."""
        results = await self._spool.retry(queue_ids, tell=tell)
        self._wake()
        return results

    async def delete(self, queue_ids: Sequence[str], *, tell: Tell = nobody) -> list[MessageResult]:
        """Delete for good."""
        return await self._spool.delete(queue_ids, tell=tell)

    async def folders(self) -> dict[str, int]:
        """Return each quarantine folder that holds messages, and how many."""
        return await self._spool.folders()

    async def user(self, address: str) -> User | None:
        """Return one mailbox and its open sessions."""
        shared = self._running()
        mailbox = self._accounts.get(address)
        if mailbox is None:
            return None
        return User(mailbox.address, mailbox.state, shared.logged_in(mailbox.address))

    async def set_user_state(self, address: str, state: UserState) -> UserState:
        """Set what a mailbox may do. Once this returns, no more of its mail is accepted."""
        return await self._accounts.set_state(address, state)

    async def set_password(self, address: str, password: str) -> None:
        """Change a password. Sessions logged in with the old one can send nothing more."""
        await self._accounts.set_password(address, password)

    async def delete_user(self, address: str) -> None:
        """Delete a mailbox with its mail; what it has in the spool stays there."""
        await self._accounts.remove(address)

    async def end_sessions(self, address: str) -> int:
        """Hang up each open session that is logged in as this mailbox."""
        shared = self._running()
        mailbox = self._accounts.existing(address)
        return shared.hang_up(mailbox.address)

    async def mail_of(self, address: str) -> AsyncIterator[bytes]:
        """Yield each message of a mailbox, oldest first."""
        table, after = tables.mail, 0
        while True:
            batch = (
                select(table.c.id, table.c.raw)
                .where(table.c.address == address.casefold(), table.c.id > after)
                .order_by(table.c.id)
                .limit(_COPIED_AT_ONCE)
            )
            async with self._database.read() as connection:
                rows = (await connection.execute(batch)).all()
            if not rows:
                return
            for row in rows:
                yield row.raw
            after = rows[-1].id

    async def blocks(self) -> Sequence[Block]:
        """Return the block list as now in force."""
        self._running()
        return self._blocks.in_force()

    async def block(
        self, network: Network, *, reason: str, lasting: timedelta | None
    ) -> Block | None:
        """Refuse SMTP from a network. Raises BadArgument if it would end before it began."""
        if lasting is not None and lasting <= timedelta(0):
            raise BadArgument(tr("A block lasts a positive time."))
        return await self._blocks.add(network, reason, lasting)

    async def unblock(self, network: Network) -> Block | None:
        """Lift a block."""
        return await self._blocks.lift(network)

    async def refused(self) -> Mapping[Network, int]:
        """Return how often each block has refused somebody."""
        self._running()
        return self._blocks.refused()

    async def healthy(self) -> str:
        """Tell where the server listens and how much it holds."""
        host, port = self._sockets()[0].getsockname()[:2]
        counts = await self._spool.counts()
        held = counts.waiting + counts.held + counts.quarantine
        return trn(
            "embedded mail server {server} on {place}, spool {n} message",
            "embedded mail server {server} on {place}, spool {n} messages",
            held,
            server=self.name,
            place=f"{host}:{port}",
        )

    # -- inside ----------------------------------------------------------------------

    def _running(self) -> Shared:
        if self._shared is None:
            raise ServerDown(
                tr("The embedded mail server {server} is not running.", server=self.name)
            )
        return self._shared

    def _sockets(self) -> Sequence[socket.socket]:
        self._running()
        sockets = () if self._listener is None else self._listener.sockets
        if not sockets:
            raise ServerDown(
                tr("The embedded mail server {server} does not listen.", server=self.name)
            )
        return sockets

    def _tls(self) -> ssl.SSLContext | None:
        if self._config.tls_certificate is None:
            return None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self._config.tls_certificate, self._config.tls_key)
        return context

    def _wake(self) -> None:
        for event in self._wakes:
            event.set()

    async def _look_after(self, part: Callable[[], Awaitable[object]], wake: asyncio.Event) -> None:
        """Do a part of the work when there is some, and each second in case time went on."""
        while True:
            try:
                await part()
            except ServerDown as error:
                _log.warning("delivery: %s", error)
            try:
                async with asyncio.timeout(_LOOK_SECONDS):
                    await wake.wait()
            except TimeoutError:
                continue
            finally:
                wake.clear()

    async def _deliver_local_and_tidy(self) -> None:
        await self._delivery.deliver_local()
        now = self._clock.now()
        if self._pruned is None or now - self._pruned >= _PRUNE_EVERY:
            self._pruned = now
            await self._logs.prune(now - self._config.log_kept)
            await self._blocks.prune()
            await self._blocks.save()


def _addresses_of_this_machine() -> set[Network]:
    found: set[Network] = {ip_network("127.0.0.0/8"), ip_network("::1")}
    try:
        for *_, place in socket.getaddrinfo(socket.gethostname(), None):
            found.add(ip_network(client_address(str(place[0]))))
    except OSError as error:
        _log.info("this machine's name has no address: %s", error)
    # Connecting a UDP socket sends nothing; it tells which address would be used.
    for family, somewhere in (
        (socket.AF_INET, "192.0.2.1"),
        (socket.AF_INET6, "2001:db8::1"),
    ):
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect((somewhere, 9))
            except OSError:
                continue  # no route for this family, hence no address of it to find
            found.add(ip_network(client_address(probe.getsockname()[0])))
    return found
