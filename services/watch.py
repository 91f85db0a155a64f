"""Tells the channel when a mail server cannot be watched, and when it can again: once each."""

from datetime import datetime

from services.audit import AuditLog, Line, Phase
from services.clock import Clock
from services.models import Announcement
from services.people import BOT
from services.store import Store
from services.words import span

#: Polls that fail in a row before people are told; one may be a restart.
_PATIENCE = 3


class Watch:
    """Counts failed polls of each server. Its memory is only what the channel was told."""

    def __init__(self, store: Store, audit: AuditLog, clock: Clock) -> None:
        self._store = store
        self._audit = audit
        self._clock = clock
        self._failures: dict[str, tuple[int, datetime]] = {}
        self._told: set[str] = set()

    async def failed(self, server: str, why: str) -> bool:
        """Note a failed poll; return whether the channel is told of it now."""
        number, since = self._failures.get(server, (0, self._clock.now()))
        self._failures[server] = (number + 1, since)
        if number + 1 < _PATIENCE or server in self._told:
            return False
        await self._tell(
            server,
            f"⚠️ The mail server {server} cannot be watched since {since:%H:%M:%S} UTC: {why} "
            "There will be no alerts for it until it answers; nothing it logs is lost.",
        )
        # Only now: where this could not be written, the next failed poll tells it.
        self._told.add(server)
        return True

    async def worked(self, server: str) -> bool:
        """Note a poll that worked; return whether the channel is told that it is back."""
        told = server in self._told
        if told:
            gone = span(self._clock.now() - self._failures[server][1])
            await self._tell(server, f"The mail server {server} is watched again, after {gone}.")
            self._told.remove(server)
        self._failures.pop(server, None)
        return told

    async def _tell(self, server: str, text: str) -> None:
        async with self._store.session() as session:
            session.add(Announcement(at=self._clock.now(), text=text))
            await self._audit.append(
                session, Line(Phase.NOTE, "watch", BOT, server, detail={"said": text})
            )
