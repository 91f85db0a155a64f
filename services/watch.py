"""Tells the channel when a mail server cannot be watched, and when it can again: once each.

What counts is how long ago the last poll was that worked. So it does not matter why
there was none: the server is away, the poll hangs, or the timetable is dead.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.audit import AuditLog, Line, Phase
from services.clock import Clock
from services.language import later, tr
from services.models import Announcement
from services.people import BOT
from services.store import Store
from services.words import span

_NOTHING_CAME = later("No look at it has come to an end since.")


@dataclass(slots=True)
class _Watched:
    since: datetime  # the last poll that worked, or when watching began
    polled: bool = False  # whether one ever worked
    why: str | None = None  # how the last one failed
    told: bool = False  # whether the channel was told


class Watch:
    """Knows how long each server has not been seen. Its memory is not kept over a restart."""

    def __init__(self, store: Store, audit: AuditLog, clock: Clock, *, patience: timedelta) -> None:
        """Take ``patience``: how long a server may stay unseen before people are told."""
        self._store = store
        self._audit = audit
        self._clock = clock
        self._patience = patience
        self._servers: dict[str, _Watched] = {}
        self._telling = asyncio.Lock()

    def expect(self, server: str) -> None:
        """Begin to watch a server: from now on somebody should be looking at it."""
        self._servers.setdefault(server, _Watched(self._clock.now()))

    def forget(self, server: str) -> None:
        """Stop watching it: looking at it is another's turn."""
        self._servers.pop(server, None)

    async def failed(self, server: str, why: str) -> bool:
        """Note a failed poll; return whether the channel is told of it now."""
        self.expect(server)
        self._servers[server].why = why
        return await self.look()

    async def worked(self, server: str) -> bool:
        """Note a poll that worked; return whether the channel is told that it is back."""
        self.expect(server)
        async with self._telling:
            watched = self._servers[server]
            told = watched.told
            if told:
                back = tr(
                    "The mail server {server} is watched again, after {time}.",
                    server=server,
                    time=span(self._clock.now() - watched.since),
                )
                await self._tell(server, back)
            self._servers[server] = _Watched(self._clock.now(), polled=True)
        return told

    async def look(self) -> bool:
        """Tell of each server that was not seen for too long; return whether there was any."""
        any_told = False
        async with self._telling:
            for server, watched in list(self._servers.items()):
                if watched.told or not self._is_silent(watched):
                    continue
                await self._tell(server, f"⚠️ {_said(server, watched)}")
                # Only now: where this could not be written, the next look tells it.
                watched.told = any_told = True
        return any_told

    def age(self, server: str) -> timedelta | None:
        """Return how long ago it was seen, or watching began; None where nobody should look."""
        watched = self._servers.get(server)
        return None if watched is None else self._clock.now() - watched.since

    def trouble(self, server: str) -> str | None:
        """Return in a sentence why it is not being watched; None where all is well."""
        watched = self._servers.get(server)
        if watched is None:
            return None
        if self._is_silent(watched):
            return _said(server, watched)
        if watched.polled:
            return None
        return tr("The mail server {server} was not looked at yet.", server=server)

    def _is_silent(self, watched: _Watched) -> bool:
        return self._clock.now() - watched.since >= self._patience

    async def _tell(self, server: str, text: str) -> None:
        async with self._store.session() as session:
            session.add(Announcement(at=self._clock.now(), text=text))
            await self._audit.append(
                session, Line(Phase.NOTE, "watch", BOT, server, detail={"said": text})
            )


def _said(server: str, watched: _Watched) -> str:
    return tr(
        "The mail server {server} cannot be watched since {time} UTC: {why} There will be no "
        "alerts for it until it answers; nothing it logs is lost.",
        server=server,
        time=f"{watched.since:%H:%M:%S}",
        why=watched.why or tr(_NOTHING_CAME),
    )
