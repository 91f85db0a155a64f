"""Takes back by itself what was done for a time: each is a row, so a restart loses none."""

import logging
from datetime import timedelta

from sqlmodel import col, select

from services.clock import Clock
from services.errors import SpoolwardenError
from services.intents import Intents
from services.models import Intent, IntentState
from services.people import BOT, Place
from services.pipeline import Pipeline
from services.store import Store

_log = logging.getLogger(__name__)
#: How long after a failure it is tried again, at least and at most: it tells of each try.
_AGAIN, _AT_LAST = timedelta(minutes=10), timedelta(days=1)


class Expiry:
    """Ends what is over, through the pipeline as anybody would."""

    def __init__(self, store: Store, intents: Intents, pipeline: Pipeline, clock: Clock) -> None:
        self._store = store
        self._intents = intents
        self._pipeline = pipeline
        self._clock = clock
        self._waits: dict[str, timedelta] = {}  # of what failed, until the next try but one

    async def run(self) -> int:
        """Take back what is due; return how many. What fails is tried again later."""
        now = self._clock.now()
        async with self._store.reading() as session:
            due = (
                await session.exec(
                    select(Intent).where(
                        Intent.state == IntentState.DONE,
                        col(Intent.undone).is_(False),
                        col(Intent.until) <= now,
                    )
                )
            ).all()
        ended = 0
        for intent in due:
            place = Place(intent.chat, intent.channel)
            await self._keep_undoable(intent)
            undo_id = await self._intents.offer_undo(place, intent.id)
            try:
                ok = undo_id and (await self._pipeline.execute(BOT, place, undo_id)).ok
            except SpoolwardenError as error:
                _log.warning("%s could not be taken back in time: %s", intent.id, error.sentence)
                ok = False
            ended += bool(ok)
            if ok:
                self._waits.pop(intent.id, None)
            else:
                await self._put_off(intent.id)
        return ended

    async def _keep_undoable(self, intent: Intent) -> None:
        """See to it that what people could no longer take back is taken back in the end."""
        until = self._clock.now() + _AT_LAST
        if intent.undo_until is None or intent.undo_until < until:
            async with self._store.session() as session:
                row = await session.get(Intent, intent.id)
                if row is not None:
                    row.undo_until = until
                    session.add(row)

    async def _put_off(self, intent_id: str) -> None:
        wait = self._waits.get(intent_id, _AGAIN)
        self._waits[intent_id] = min(wait * 2, _AT_LAST)
        async with self._store.session() as session:
            row = await session.get(Intent, intent_id)
            if row is not None:
                row.until = self._clock.now() + wait
                session.add(row)
