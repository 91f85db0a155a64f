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
#: How long after a failure it is tried again.
_AGAIN = timedelta(minutes=10)


class Expiry:
    """Ends what is over, through the pipeline as anybody would."""

    def __init__(self, store: Store, intents: Intents, pipeline: Pipeline, clock: Clock) -> None:
        self._store = store
        self._intents = intents
        self._pipeline = pipeline
        self._clock = clock

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
            undo_id = await self._intents.offer_undo(place, intent.id)
            try:
                ok = undo_id and (await self._pipeline.execute(BOT, place, undo_id)).ok
            except SpoolwardenError as error:
                _log.warning("%s could not be taken back in time: %s", intent.id, error.sentence)
                ok = False
            ended += bool(ok)
            if not ok:
                await self._put_off(intent.id)
        return ended

    async def _put_off(self, intent_id: str) -> None:
        async with self._store.session() as session:
            row = await session.get(Intent, intent_id)
            if row is not None:
                row.until = self._clock.now() + _AGAIN
                session.add(row)
