"""Which of several instances answers what has reached all of them.

Some chats give each click to every connection of the bot. The instance that is first to write
the click's id into the database answers it; to the others it is none of their business.
"""

import asyncio
from datetime import timedelta

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col

from services.clock import Clock
from services.errors import StoreError
from services.language import tr
from services.models import Claim
from services.store import Store

#: Longer than any click can be answered, or reach anybody again.
_KEPT = timedelta(hours=1)
_PATIENCE = 1.0  # seconds for one claim: who clicked waits for three


class Claims:
    """What was claimed is claimed for good; forgotten once nothing can ask for it again."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    @property
    def contested(self) -> bool:
        """Whether there may be another instance: an SQLite file is one instance's."""
        return not self._store.sqlite

    async def first(self, what: str) -> bool:
        """Claim something; return whether nobody had. Raises StoreError, with nothing claimed."""
        if not self.contested:
            return True
        row = insert(Claim).values(what=what, at=self._clock.now()).on_conflict_do_nothing()
        try:
            async with asyncio.timeout(_PATIENCE):
                return await self._store.run_apart(row) == 1
        except TimeoutError as error:
            raise StoreError(
                tr(
                    "The bot's database did not answer within {seconds} s. Nothing was done; "
                    "try again in a moment.",
                    seconds=f"{_PATIENCE:g}",
                )
            ) from error

    async def prune(self) -> None:
        """Forget what is old. Raises StoreError."""
        if self.contested:
            old = col(Claim.at) < self._clock.now() - _KEPT
            await self._store.run_apart(delete(Claim).where(old))
