"""When things happen: APScheduler runs the polls and the upkeep, never two of one at once."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from services.audit.keeper import AuditKeeper
from services.detection.detector import Detector
from services.errors import SpoolwardenError
from services.expiry import Expiry
from services.mail.build import HostedServer
from services.upkeep import Upkeep
from services.watch import Watch

_log = logging.getLogger(__name__)
_UPKEEP_SECONDS = 600
_EXPIRE_SECONDS = 15  # what was asked for, or done for a time, ends no later than this after it
#: Seconds for one poll. A server that hangs holds up nothing but its own next poll.
_PATIENCE = 60.0


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
        ready: Callable[[HostedServer], Awaitable[None]],
        poll_seconds: float,
        changed: Callable[[], None],
    ) -> None:
        self._detector = detector
        self._upkeep = upkeep
        self._expiry = expiry
        self._watch = watch
        self._keeper = keeper
        self._ready = ready
        self._changed = changed
        self._scheduler = AsyncIOScheduler(
            timezone="UTC",
            # A poll that is late or was missed runs once, and never beside itself.
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        for server in servers:
            self._scheduler.add_job(
                self.poll,
                IntervalTrigger(seconds=poll_seconds),
                args=[server],
                id=server.name,
                next_run_time=datetime.now(UTC),
            )
        self._scheduler.add_job(self.expire, IntervalTrigger(seconds=_EXPIRE_SECONDS), id="expire")
        self._scheduler.add_job(self.upkeep, IntervalTrigger(seconds=_UPKEEP_SECONDS), id="upkeep")

    def start(self) -> None:
        """Start the timetable."""
        logging.getLogger("apscheduler.executors.default").addFilter(_no_cut_off_job)
        self._scheduler.start()

    def stop(self) -> None:
        """Stop it; a job under way is cut off, and nothing is half-written by that."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    async def poll(self, server: HostedServer) -> None:
        """Look at one server; trouble is told to the channel, once."""
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._ready(server)
                poll = await self._detector.poll(server)
        except (SpoolwardenError, TimeoutError) as error:
            why = (
                error.sentence
                if isinstance(error, SpoolwardenError)
                else f"It did not answer within {_PATIENCE:.0f} s."
            )
            _log.warning("poll of %s failed: %s", server.name, why)
            told = await _try(lambda: self._watch.failed(server.name, why))
        else:
            told = await _try(lambda: self._watch.worked(server.name))
            if poll.changed:
                self._changed()
        if told:
            self._changed()

    async def expire(self) -> None:
        """End what was asked for, or done, for a time that is over."""
        await _try(self._upkeep.expire)
        await _try(self._expiry.run)

    async def upkeep(self) -> None:
        """Purge what was deleted long ago, forget what is too old, and keep the audit log."""
        await _try(self._upkeep.purge)
        await _try(self._detector.prune)
        await _try(self._keeper.anchor)
        await _try(self._keeper.archive)


async def _try(work: Callable[[], Awaitable[object]]) -> bool:
    """Do upkeep whose failure must not stop the rest; the next run tries again."""
    try:
        return bool(await work())
    except SpoolwardenError as error:
        _log.warning("upkeep failed and will be tried again: %s", error.sentence)
        return False
