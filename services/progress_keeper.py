"""Writes down how far acts under way have come, so that the chats can show it."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from sqlalchemy import func, update
from sqlmodel import col

from services.errors import StoreError
from services.intents import touch
from services.models import Intent, IntentState
from services.progress import Progress
from services.store import Store
from services.tasks import end

_log = logging.getLogger(__name__)

#: Seconds between two tellings. An act that is done sooner is told when it is done.
_EVERY = 3.0


class ProgressKeeper:
    """Writes down, while acts are under way, how far they have come.

    ``every`` is in seconds, for one act: several at once share the chats' rate limits, and
    are told so much more seldom.
    """

    def __init__(self, store: Store, changed: Callable[[], None]) -> None:
        """Take ``changed``, which is called when the chats have something new to show."""
        self.every = _EVERY
        self._store = store
        self._changed = changed
        self._under_way = 0

    @asynccontextmanager
    async def kept(self, intent_id: str) -> AsyncIterator[Progress]:
        """Keep a claimed act's progress within the block, and nothing of it after."""
        progress = Progress()
        self._under_way += 1
        keeping: list[asyncio.Task[None]] = []

        def begin() -> None:
            keeping.append(asyncio.create_task(self._go_on(intent_id, progress)))

        # Most acts are done before there is anything to keep, and need no task.
        timer = asyncio.get_running_loop().call_later(self._pause, begin)
        try:
            yield progress
        finally:
            self._under_way -= 1
            timer.cancel()
            await end(keeping)

    @property
    def _pause(self) -> float:
        return self.every * self._under_way

    async def _go_on(self, intent_id: str, progress: Progress) -> None:
        told = 0
        while True:
            settled = progress.settled
            if settled != told:
                try:
                    if await self.keep(intent_id, settled, progress.total):
                        self._changed()
                    told = settled
                except StoreError as error:
                    _log.warning("how far %s has come was not kept: %s", intent_id, error.sentence)
            await asyncio.sleep(self._pause)

    async def keep(self, intent_id: str, settled: int, total: int) -> bool:
        """Write down how far it has come; return whether that is news, and it is under way."""
        async with self._store.session() as session:
            kept = await session.exec(
                update(Intent)
                .where(
                    col(Intent.id) == intent_id,
                    col(Intent.state) == IntentState.CLAIMED,
                    func.coalesce(Intent.progress, 0) < settled,
                )
                .values(progress=settled, progress_of=total)
            )
            if kept.rowcount != 1:
                return False
            await touch(session, intent_id)
        return True
