"""When things happen: APScheduler runs the polls and the upkeep, never two of one at once."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import UTC, datetime
from time import perf_counter

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from bot.dashboards import EVERY as BOARD_SECONDS
from bot.underway import UnderWay
from services.audit.keeper import AuditKeeper
from services.claims import Claims
from services.containment import Containment
from services.detection.detector import Detector, Poll
from services.digest import Digests
from services.errors import SpoolwardenError
from services.expiry import Expiry
from services.ip_databases import IpDatabases
from services.language import tr
from services.listings import Listings
from services.mail.build import HostedServer
from services.tasks import end
from services.upkeep import Upkeep
from services.watch import Watch

_log = logging.getLogger(__name__)
_UPKEEP_SECONDS = 600
_LISTINGS_SECONDS = 60
_FILES_SECONDS = 30  # a file that was replaced is read no later than this
_DIGEST_SECONDS = 15  # a summary is no later than this
_EXPIRE_SECONDS = 15  # what was asked for, or done for a time, ends no later than this after it
#: Seconds for one poll. A server that hangs holds up nothing but its own next poll.
_PATIENCE = 60.0
#: Seconds between two looks at whether every server is still being polled.
_LOOK_SECONDS = 5.0

#: Is told of each poll: the server, how many seconds it took, what it found unless it failed.
Polled = Callable[[str, float, Poll | None], None]


def _no_cut_off_job(record: logging.LogRecord) -> bool:
    # APScheduler logs a job that stop() cut off as an error, with its traceback.
    return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))


class Jobs:
    """The bot's timetable."""

    def __init__(
        self,
        *,
        servers: Sequence[HostedServer],
        detector: Detector,
        upkeep: Upkeep,
        expiry: Expiry,
        watch: Watch,
        keeper: AuditKeeper,
        claims: Claims,
        containment: Containment,
        ready: Callable[[HostedServer], Awaitable[None]],
        under_way: Collection[str],
        poll_seconds: float,
        changed: Callable[[], None],
        polled: Polled,
        listings: Listings,
        digests: Digests,
        ip_databases: IpDatabases,
    ) -> None:
        """``under_way``, see Upkeep.recover_left()."""
        self._servers = servers
        self._detector = detector
        self._upkeep = upkeep
        self._expiry = expiry
        self._watch = watch
        self._keeper = keeper
        self._claims = claims
        self._containment = containment
        self._ready = ready
        self._under_way = under_way
        self._acts = UnderWay()
        self._changed = changed
        self._polled = polled
        self._listings = listings
        self._digests = digests
        self._ip_databases = ip_databases
        self._poll_seconds = poll_seconds
        self._looking: asyncio.Task[None] | None = None
        self._look_seconds = min(_LOOK_SECONDS, poll_seconds)
        self._scheduler: AsyncIOScheduler | None = None

    def start(self, *, leading: bool = True) -> None:
        """Start the timetable; it can be stopped and started again.

        An instance that does not lead only sees to it that the mail servers are open.
        """
        logging.getLogger("apscheduler.executors.default").addFilter(_no_cut_off_job)
        for server in self._servers:
            if leading:
                self._watch.expect(server.name)
            else:
                self._watch.forget(server.name)
        self._scheduler = AsyncIOScheduler(
            timezone="UTC",
            # A poll that is late or was missed runs once, and never beside itself.
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        for server in self._servers:
            self._scheduler.add_job(
                self.poll if leading else self.stand_by,
                IntervalTrigger(seconds=self._poll_seconds),
                args=[server],
                id=server.name,
                next_run_time=datetime.now(UTC),
            )
        if self._ip_databases.used:
            # On every instance: each answers looks, and may have to lead.
            files = IntervalTrigger(seconds=_FILES_SECONDS)
            self._scheduler.add_job(self.renew_files, files, id="files")
        # Each instance has its own.
        left = IntervalTrigger(seconds=_EXPIRE_SECONDS)
        self._scheduler.add_job(self.left, left, id="left")
        if leading:
            expire = IntervalTrigger(seconds=_EXPIRE_SECONDS)
            self._scheduler.add_job(self.expire, expire, id="expire")
            if self._listings.used:
                listings = IntervalTrigger(seconds=_LISTINGS_SECONDS)
                soon = datetime.now(UTC)
                self._scheduler.add_job(self.listings, listings, id="listings", next_run_time=soon)
            if self._digests.used:
                self._scheduler.add_job(
                    self.digests,
                    IntervalTrigger(seconds=_DIGEST_SECONDS),
                    id="digests",
                    next_run_time=datetime.now(UTC),
                )
            # What stands in a channel is drawn anew, whether or not anything else is new.
            boards = IntervalTrigger(seconds=BOARD_SECONDS)
            self._scheduler.add_job(self._renew, boards, id="boards")
            upkeep = IntervalTrigger(seconds=_UPKEEP_SECONDS)
            self._scheduler.add_job(self.upkeep, upkeep, id="upkeep")
        self._scheduler.start()
        self._looking = asyncio.create_task(self._look())

    async def stop(self) -> None:
        """Stop it; a job under way is cut off, and nothing is half-written by that.

        What the bot does by itself goes on; see drain().
        """
        looking, self._looking = self._looking, None
        if looking is not None:
            await end([looking])
        scheduler, self._scheduler = self._scheduler, None
        if scheduler is not None and scheduler.running:
            scheduler.shutdown(wait=False)

    async def drain(self, seconds: float) -> int:
        """Let acts of the bot itself end, for so long at most; return how many were cut off."""
        return await self._acts.over(seconds)

    async def poll(self, server: HostedServer) -> None:
        """Look at one server; trouble is told to the channel, once."""
        begun, poll, why = perf_counter(), None, ""
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._ready(server)
                poll = await self._detector.poll(server)
        except SpoolwardenError as error:
            why = error.sentence
        except TimeoutError:
            why = tr("It did not answer within {seconds} s.", seconds=round(_PATIENCE))
        except Exception:  # noqa: BLE001 - the next poll may work, and the channel is told
            _log.exception("the poll of %s failed in a way nobody foresaw", server.name)
            why = tr("Looking at it failed inside Spoolwarden, whose log has the details.")
        self._polled(server.name, perf_counter() - begun, poll)
        if poll is None:
            _log.warning("poll of %s failed: %s", server.name, why, extra={"server": server.name})
            told = await _try(lambda: self._watch.failed(server.name, why))
        else:
            told = await _try(lambda: self._watch.worked(server.name))
            # It may take long where much waits, so it is no part of the poll.
            told |= await self._whole(lambda: self._containment.run(server))
        if told or (poll is not None and poll.changed):
            self._changed()

    async def stand_by(self, server: HostedServer) -> None:
        """Open a server that could not be opened yet; the one that polls tells of trouble."""
        await _try(lambda: self._ready(server))

    async def expire(self) -> None:
        """End what was asked for, or done, for a time that is over."""
        await _try(self._upkeep.expire)
        await self._whole(self._expiry.run)

    async def left(self) -> None:
        """Tell of acts of this instance that have no end, and that nobody works on."""
        await _try(lambda: self._upkeep.recover_left(self._under_way))

    async def listings(self) -> None:
        """Ask block lists about the servers' own addresses, where that is due."""
        if await _try(self._listings.look):
            self._changed()

    async def digests(self) -> None:
        """Make the summaries whose time has come."""
        if await _try(self._digests.look):
            self._changed()

    async def renew_files(self) -> None:
        """Read the files on addresses that were replaced."""
        await self._ip_databases.renew()

    async def _whole(self, work: Callable[[], Awaitable[object]]) -> bool:
        """Do what acts: it is not cut off with the job that waits for it."""
        return await asyncio.shield(self._acts.keep(_try(work)))

    async def _renew(self) -> None:
        self._changed()

    async def _look(self) -> None:
        """See that every server is polled. No job of the timetable: that may be what has died."""
        while True:
            await asyncio.sleep(self._look_seconds)
            try:
                if await _try(self._watch.look):
                    self._changed()
            except Exception:  # noqa: BLE001 - nobody else would tell that the polls have ended
                _log.exception("whether the servers are polled could not be looked at")

    async def upkeep(self) -> None:
        """Purge what was deleted long ago, forget what is too old, and keep the audit log."""
        await _try(self._upkeep.purge)
        await _try(self._upkeep.forget)
        await _try(self._detector.prune)
        await _try(self._claims.prune)
        await _try(self._keeper.anchor)
        await _try(self._keeper.archive)


async def _try(work: Callable[[], Awaitable[object]]) -> bool:
    """Do upkeep whose failure must not stop the rest; the next run tries again."""
    try:
        return bool(await work())
    except SpoolwardenError as error:
        _log.warning("upkeep failed and will be tried again: %s", error.sentence)
        return False
