"""Which instance of the bot polls and publishes, and which instances live.

Several instances may share a PostgreSQL database. Each holds, on a connection that it
keeps open for that, an advisory lock with its number, and one of them the lock to lead.
The server frees both when an instance dies or cannot be heard of. All answer what people
press and type. An SQLite file is one instance's: a second one is refused.
"""

import asyncio
import contextlib
import fcntl
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from io import BufferedWriter
from pathlib import Path
from typing import Any, Protocol

import psycopg
from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from services import postgres
from services.errors import SpoolwardenError, StoreError
from services.language import tr
from services.store import Store, unusable
from services.tasks import end

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pace:
    """How many seconds things take.

    What a leader sent to a chat in its last moment has arrived after ``settles``, and an
    instance that lost its connection to the database has it again, or is dead, after ``grace``.
    """

    tick: float = 1.0  # between two looks at who leads
    patience: float = 5.0  # for one look
    settles: float = 2.0
    grace: float = 5.0


_PACE = Pace()

Turn = Callable[[bool], Awaitable[None]]


class Lease(Protocol):
    """The right to poll and publish."""

    @property
    def leads(self) -> bool:
        """Whether this instance has it."""
        ...

    async def take(self) -> None:
        """Count as living, and lead if nobody does. Raises StoreError."""
        ...

    async def keep(
        self, turn: Turn, woken: Callable[[], None], look: Callable[[], Awaitable[None]]
    ) -> None:
        """Go on until cancelled.

        ``turn`` is called whenever this instance begins or ceases to lead, ``woken`` when
        another one has written something, and ``look`` each second while it leads.
        """
        ...

    def others(self) -> bool:
        """Tell whether another instance is there to lead when this one ceases to."""
        ...

    async def hand_over(self) -> None:
        """Cease to lead, and count as living still."""
        ...

    async def leave(self) -> None:
        """Let another one lead."""
        ...

    def living(self) -> frozenset[int] | None:
        """Return the numbers of the instances that may have acts under way, once that is sure."""
        ...

    async def check(self, session: AsyncSession) -> None:
        """Raise StoreError unless this instance leads still, as the database sees it."""
        ...


def lease_of(store: Store) -> Lease:
    """Return the lease on a database, not taken yet."""
    return ServerLease(store) if store.file is None else FileLease(store, store.file)


class FileLease:
    """The lease on an SQLite file: a lock on a file beside it, for as long as it is open."""

    def __init__(self, store: Store, file: Path) -> None:
        self._number = store.number
        self._database = file
        # Not on the database: closing a second handle of it would take off SQLite's own locks.
        self._path = file.with_name(f"{file.name}.lock")
        self._held: BufferedWriter | None = None

    @property
    def leads(self) -> bool:
        """Whether this instance has it."""
        return self._held is not None

    async def take(self) -> None:
        """Take it. Raises StoreError where another instance has it."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            held = self._path.open("ab")
        except OSError as error:
            raise StoreError(
                tr(
                    "The file {file} beside the bot's database cannot be made ({why}). Nothing "
                    "was done.",
                    file=self._path,
                    why=error.strerror,
                )
            ) from error
        if not _locked(held):
            held.close()
            raise StoreError(
                tr(
                    "Another Spoolwarden is running on the database {file}. Nothing was done; "
                    "stop that one first, or give several instances a PostgreSQL.",
                    file=self._database,
                )
            )
        self._held = held

    async def keep(
        self, turn: Turn, woken: Callable[[], None], look: Callable[[], Awaitable[None]]
    ) -> None:
        """Go on: nobody else can have it."""
        await asyncio.Event().wait()

    def others(self) -> bool:
        """Tell that there is no other."""
        return False

    async def hand_over(self) -> None:
        """Do nothing: there is nobody to."""

    async def leave(self) -> None:
        """Let another one lead."""
        held, self._held = self._held, None
        if held is not None:
            held.close()

    def living(self) -> frozenset[int] | None:
        """Return this instance's number."""
        return frozenset({self._number})

    async def check(self, session: AsyncSession) -> None:
        """Do nothing: the file is locked."""


class ServerLease:
    """The lease on a PostgreSQL database."""

    def __init__(self, store: Store, pace: Pace = _PACE) -> None:
        self._store = store
        self._pace = pace
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._connected_at = 0.0
        self._seen: dict[int, float] = {}
        self.leads = False

    async def take(self) -> None:
        """Count as living, and lead if nobody does. Raises StoreError."""
        try:
            async with asyncio.timeout(self._pace.patience * 2):
                await self._look()
        except (psycopg.Error, OSError, TimeoutError) as error:
            await self._lose()
            raise StoreError(unusable(error)) from error

    async def keep(
        self, turn: Turn, woken: Callable[[], None], look: Callable[[], Awaitable[None]]
    ) -> None:
        """Go on until cancelled."""
        led = self.leads
        looking: asyncio.Task[None] | None = None
        try:
            while True:
                if self.leads and led and (looking is None or looking.done()):
                    # Beside this: it may wait for a mail server.
                    looking = asyncio.create_task(_try(look))
                try:
                    led = await self._round(led, turn, woken)
                except Exception:  # noqa: BLE001 - who holds the lease and does nothing is worst
                    _log.exception("the lease is given up for a reason nobody foresaw")
                    await self._lose()
        finally:
            if looking is not None:
                await end([looking])

    async def _round(self, led: bool, turn: Turn, woken: Callable[[], None]) -> bool:
        """See once who leads, and act upon it; return whether this instance does."""
        try:
            if await self._news():
                woken()
            async with asyncio.timeout(self._pace.patience):
                await self._look()
        except (psycopg.Error, OSError, TimeoutError) as error:
            _log.warning("the connection that the lease is held on is gone: %s", error)
            await self._lose()
        if self.leads and not led:
            _log.warning("this instance watches the mail servers from now on")
            await asyncio.sleep(self._pace.settles)
        elif led and not self.leads:
            _log.warning("this instance no longer watches the mail servers")
        if self.leads is not led:
            led = self.leads
            await turn(led)
        if self._connection is None:
            await asyncio.sleep(self._pace.tick)
        return led

    def others(self) -> bool:
        """Tell whether another instance was seen lately."""
        return bool(self._seen.keys() - {self._store.number})

    async def hand_over(self) -> None:
        """Cease to lead, and count as living still."""
        self.leads = False
        await self._unlock(_FOLLOW, _LEADING)

    async def leave(self) -> None:
        """Let another one lead."""
        # When a connection is closed the server frees its locks a little later.
        await self._unlock("SELECT pg_advisory_unlock_all()")  # not shown
        await self._lose()

    async def _unlock(self, statement: str, values: Mapping[str, int] | None = None) -> None:
        if self._connection is not None:
            with contextlib.suppress(psycopg.Error, OSError, TimeoutError):
                async with asyncio.timeout(self._pace.patience):
                    await self._connection.execute(statement, values)

    def living(self) -> frozenset[int] | None:
        """Return who was seen lately; None until all that live can have been seen."""
        now = asyncio.get_running_loop().time()
        if self._connection is None or now - self._connected_at < self._pace.grace:
            return None
        alive = {number for number, at in self._seen.items() if now - at < self._pace.grace}
        return frozenset({self._store.number, *alive})

    async def check(self, session: AsyncSession) -> None:
        """Raise StoreError unless the server says that our connection holds the lock."""
        connection = self._connection
        if self.leads and connection is not None:
            values = {
                "locks": postgres.LOCKS,
                "leading": postgres.LEADING,
                "pid": connection.info.backend_pid,
            }
            found = await (await session.connection()).execute(_HOLDS, values)
            if found.first() is not None:
                return
        raise StoreError(
            tr(
                "Another instance of Spoolwarden tells the channel now. Nothing was posted by "
                "this one."
            )
        )

    async def _look(self) -> None:
        """See who lives, and lead if nobody does."""
        if self._connection is None:
            await self._connect()
        connection = self._connection
        assert connection is not None  # noqa: S101 - that is what _connect() does
        if not self.leads:
            row = await (await connection.execute(_LEAD, _LEADING)).fetchone()
            self.leads = row is not None and bool(row[0])
        now = asyncio.get_running_loop().time()
        rows = await (await connection.execute(_LIVING, {"space": postgres.INSTANCES})).fetchall()
        self._seen |= {int(number): now for (number,) in rows}
        fresh = self._pace.grace
        self._seen = {number: at for number, at in self._seen.items() if now - at < fresh}

    async def _connect(self) -> None:
        store = self._store
        self._connection = await postgres.connect(store.url, store.connect_args())
        self._connected_at = asyncio.get_running_loop().time()
        await self._connection.execute(f"LISTEN {postgres.CHANNEL}")
        me = {"space": postgres.INSTANCES, "number": store.number}
        await self._connection.execute(_LIVE, me)

    async def _news(self) -> bool:
        """Wait a moment; return whether another instance has written something meanwhile."""
        if self._connection is None:
            return False
        mine = str(self._store.number)
        heard = self._connection.notifies(timeout=self._pace.tick, stop_after=1)
        return any([notice.payload != mine async for notice in heard])

    async def _lose(self) -> None:
        connection, self._connection, self.leads = self._connection, None, False
        self._seen.clear()
        if connection is not None:
            with contextlib.suppress(psycopg.Error, OSError):
                await connection.close()


_LEADING = {"space": postgres.LOCKS, "number": postgres.LEADING}
_LEAD = "SELECT pg_try_advisory_lock(%(space)s::int, %(number)s::int)"  # not shown
_FOLLOW = "SELECT pg_advisory_unlock(%(space)s::int, %(number)s::int)"  # not shown
_LIVE = "SELECT pg_advisory_lock(%(space)s::int, %(number)s::int)"  # not shown
_LIVING = (
    "SELECT objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND granted "  # not shown
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
    "AND classid = %(space)s::int::oid"
)
_HOLDS = text(
    "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid = :pid "  # not shown
    "AND classid = CAST(CAST(:locks AS int) AS oid) AND objid = CAST(CAST(:leading AS int) AS oid)"
)


async def _try(look: Callable[[], Awaitable[None]]) -> None:
    try:
        await look()
    except SpoolwardenError as error:
        _log.warning("acts that were cut off are looked for again: %s", error.sentence)
    except Exception:  # noqa: BLE001 - the next look may work
        _log.exception("looking for acts that were cut off failed in a way nobody foresaw")


def _locked(file: BufferedWriter) -> bool:
    """Lock a file that is open, until it is closed; return whether that could be done."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
