"""The composition root: builds every part of the bot once, and starts and stops them."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

from bot.chats import Chats, Connection
from bot.commands import misnamed
from bot.desk import Desk
from bot.dispatch import Dispatch
from bot.jobs import Jobs
from bot.metrics import CountedAudit, Metrics
from bot.pictures import Pictures
from bot.publisher import Publisher
from services.access import Access
from services.audit import keyring
from services.audit.keeper import AuditKeeper
from services.claims import Claims
from services.clock import Clock, SystemClock
from services.containment import Containment
from services.detection.detector import Detector
from services.digest import Digests
from services.errors import ConfigError, ServerDown, SpoolwardenError
from services.expiry import Expiry
from services.intents import Intents
from services.ip_databases import IpDatabases
from services.language import for_everybody, speak, trn, voice_of
from services.lease import lease_of
from services.listings import Listings
from services.mail.build import HostedServer, build
from services.passwords import Passwords
from services.people import BOT, Place
from services.pipeline import Pipeline
from services.rules import Rules
from services.settings import Settings
from services.store import Store
from services.tasks import end
from services.upkeep import Upkeep
from services.watch import Watch

_log = logging.getLogger(__name__)
#: Seconds in which a chat may still take what is left to say when the bot stops.
_LAST_WORDS = 5.0
#: Seconds for opening a mail server at the start: one that hangs must not keep all others unseen.
_PATIENCE = 20.0


class App:
    """The bot. Everything that is shared is made here and passed on; nothing is global."""

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock | None = None,
        servers: Sequence[HostedServer] | None = None,
    ) -> None:
        """Build, without opening anything. ``servers`` replace the configured ones.

        Raises ConfigError.
        """
        if (why := misnamed(settings)) is not None:
            raise ConfigError(f"{why} Nothing was started.")
        self.settings = settings
        self.clock = clock or SystemClock()
        self.servers = (
            tuple(servers)
            if servers is not None
            else tuple(build(server, self.clock) for server in settings.mail_server)
        )
        self.store = Store(settings.database)
        self.lease = lease_of(self.store)
        self.metrics = Metrics(server.name for server in self.servers)
        self.audit = CountedAudit(self.store, self.clock, keyring(settings.audit))
        self.audit.metrics = self.metrics
        chats = Chats(settings)
        groups = {m.chat.place.chat: m.groups for m in chats.made if m.groups is not None}
        claims = Claims(self.store, self.clock)
        self.intents = Intents(self.store, self.clock)
        by_name = {server.name: server for server in self.servers}
        self.pipeline = Pipeline(
            store=self.store,
            intents=self.intents,
            servers=by_name,
            access=(access := Access(settings.access, groups, self.clock)),
            audit=self.audit,
            rules=(rules := Rules(settings.safety)),
            clock=self.clock,
            safety=settings.safety,
            approval=settings.approval,
            changed=self._changed,
            passwords=Passwords(settings.passwords.command, settings.passwords.timeout),
        )
        detection = settings.detection
        self.ip_databases = IpDatabases(detection.asn_database, detection.country_database)
        origin_of = self.ip_databases.of if self.ip_databases.used else None
        self.upkeep = Upkeep(self.store, by_name, self.audit, self.clock, self._changed)
        self.detector = Detector(
            self.store,
            self.audit,
            self.clock,
            settings.detection,
            rules=rules,
            trusted=settings.safety.trusted_networks,
            origin_of=origin_of,
        )
        self.publishers = tuple(
            Publisher(made.chat, self.store, self.intents, by_name, self.clock, self.lease)
            for made in chats.made
        )
        self.pictures = tuple(
            Pictures(made.chat, self.store, publisher, self.clock)
            for made, publisher in zip(chats.made, self.publishers, strict=True)
            if settings.detection.picture
        )
        self.watch = Watch(
            self.store,
            self.audit,
            self.clock,
            patience=timedelta(minutes=settings.detection.silent_minutes),
        )
        self.containment = Containment(
            store=self.store,
            intents=self.intents,
            pipeline=self.pipeline,
            detector=self.detector,
            audit=self.audit,
            rules=rules,
            clock=self.clock,
            settings=settings.containment,
            place=next((m.chat.place for m in chats.made), Place(BOT.chat, "")),
        )
        self.listings = Listings(self.store, by_name, self.audit, self.clock, settings.dnsbl)
        self.jobs = Jobs(
            containment=self.containment,
            servers=self.servers,
            detector=self.detector,
            upkeep=self.upkeep,
            expiry=Expiry(self.store, self.intents, self.pipeline, self.clock),
            watch=self.watch,
            keeper=AuditKeeper(self.store, self.audit, self.clock, settings.audit, self._changed),
            ready=self._ready,
            under_way=self.pipeline.under_way,
            poll_seconds=settings.detection.poll_seconds,
            claims=claims,
            changed=self._changed,
            polled=self.metrics.polled,
            listings=self.listings,
            digests=Digests(self.store, by_name, self.clock, settings.digest),
            ip_databases=self.ip_databases,
        )
        self.dispatch = Dispatch(
            Desk(
                pipeline=self.pipeline,
                intents=self.intents,
                store=self.store,
                access=access,
                audit=self.audit,
                rules=rules,
                clock=self.clock,
                servers=tuple(server.name for server in self.servers),
                kept=timedelta(days=settings.safety.deleted_kept_days),
                listings=self.listings,
                refresh=self._refresh,
                why=self.detector.why,
                origin_of=self.ip_databases.of,
                changed=self._changed,
            )
        )
        self.connections = chats.connections(self.dispatch, claims)
        #: How each chat is heard, and how it is told, by its name.
        self.chats: dict[str, tuple[Connection, Publisher]] = {
            made.chat.place.chat: (connection, publisher)
            for made, connection, publisher in zip(
                chats.made, self.connections, self.publishers, strict=True
            )
        }
        self.started = False
        self._publishing: list[asyncio.Task[None]] = []
        self._keeping: asyncio.Task[None] | None = None
        self._closed: set[str] = set()  # names of servers that could not be opened yet

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run within the block. Raises StoreError, ServerDown, ConfigError, BadArgument."""
        try:
            await self.start()
            yield
        finally:
            await self.stop()

    async def start(self) -> None:
        """Open the database and the servers, mend what a crash left, then watch and answer."""
        speak(voice_of(self.settings.language))
        await self.ip_databases.open()
        await self.lease.take()
        await self.store.open()
        await self.audit.use_key()
        if not self.lease.leads and any(server.ours for server in self.servers):
            raise ConfigError(
                "Another Spoolwarden runs on this database, and the built-in mail server is in "
                "one process only. Nothing was started; stop the other one first."
            )
        for server in self.servers:
            await self._open(server)
        await self._mend()
        for connection in self.connections:
            await connection.start()
        await self._take_turn(self.lease.leads)
        self._keeping = asyncio.create_task(
            self.lease.keep(self._take_turn, self._changed, self._mend)
        )
        self.started = True

    async def stop(self) -> None:
        """Stop in the reverse order; acts under way end first. May be called at any point."""
        self.started = False
        keeping, self._keeping = self._keeping, None
        if keeping is not None:
            await end([keeping])
        await self.jobs.stop()
        if self.lease.others():
            # Another one leads at once, and tells what becomes of the acts under way here.
            publishing, self._publishing = self._publishing, []
            await end(publishing)
            await self.lease.hand_over()
        limit = self.settings.operations.stop_seconds
        cut = await asyncio.gather(
            self.jobs.drain(limit), *(each.drain(limit) for each in self.connections)
        )
        if sum(cut):
            _log.warning(
                "%s cut off, not having ended after %g s; what became of each is said in "
                "its thread at the next start",
                trn("{n} act", "{n} acts", sum(cut)),
                limit,
            )
        if self._publishing:
            await asyncio.gather(*(each.finish(_LAST_WORDS) for each in self.publishers))
        publishing, self._publishing = self._publishing, []
        await end(publishing)
        for connection in self.connections:
            await connection.stop()
        for server in reversed(self.servers):
            await server.stop()
        self.ip_databases.close()
        await self.lease.leave()
        await self.store.close()

    async def _take_turn(self, leads: bool) -> None:
        """Begin or cease to poll and publish; of several instances one does."""
        await self.jobs.stop()
        await self.jobs.drain(0)  # whoever leads now begins at once
        publishing, self._publishing = self._publishing, []
        await end(publishing)
        if leads:
            self.detector.begin()
            self._publishing = [asyncio.create_task(p.run()) for p in self.publishers]
            self._publishing += [asyncio.create_task(p.run()) for p in self.pictures]
        self.jobs.start(leading=leads)

    async def _mend(self) -> None:
        """Find the acts that an instance's end cut off, once it is sure which live."""
        living = self.lease.living()
        if living is not None and (cut := await self.upkeep.recover(living)):
            _log.warning("%d acts were cut off when the bot, or an instance of it, ended", cut)

    async def _open(self, server: HostedServer) -> None:
        """Open a mail server. One that is down now, or hangs, is tried again at each poll."""
        if server.ours:
            await server.start()
            return
        try:
            async with asyncio.timeout(_PATIENCE):
                await server.start()
        except ServerDown as error:
            why = error.sentence
        except TimeoutError:
            why = f"{server.name} could not be opened within {_PATIENCE:g} s."  # not shown
        else:
            return
        _log.warning("%s", why)
        self._closed.add(server.name)

    async def _ready(self, server: HostedServer) -> None:
        """See to it that a server is open. Raises ServerDown."""
        if server.name in self._closed:
            await server.start()
            self._closed.discard(server.name)

    def _changed(self) -> None:
        for publisher in self.publishers:
            publisher.wake()

    @for_everybody
    async def _refresh(self, server: str, incident_id: int) -> None:
        """Bring an incident's card up to date after an act; the next poll does it otherwise."""
        try:
            await self.detector.refresh(self.pipeline.server(server), incident_id)
        except SpoolwardenError as error:
            _log.warning(
                "the card of incident %d is brought up to date later: %s",
                incident_id,
                error.sentence,
            )
        self._changed()
