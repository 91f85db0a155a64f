"""A local server's clock: every expiry, rate limit and acknowledgement deadline reads it."""

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """Tells the time, and waits."""

    def time(self) -> float:
        """Return seconds since the Unix epoch."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return once ``seconds`` have passed."""
        ...


class RealClock:
    """The machine's clock."""

    def time(self) -> float:
        """Return seconds since the Unix epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Return once ``seconds`` have passed."""
        await asyncio.sleep(seconds)


class ManualClock:
    """A clock that stands still until it is moved; those who sleep on it wake when it passes."""

    def __init__(self, at: float = 1_700_000_000.0) -> None:
        self._start = at
        self._passed = 0.0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []
        self._fell_asleep = asyncio.Condition()

    def time(self) -> float:
        """Return seconds since the Unix epoch, as moved."""
        return self._start + self._passed

    def monotonic(self) -> float:
        """Return the seconds it was moved since it was made."""
        return self._passed

    async def sleep(self, seconds: float) -> None:
        """Return once the clock was moved ``seconds`` further."""
        if seconds <= 0:
            return
        entry = (self._passed + seconds, asyncio.get_running_loop().create_future())
        self._sleepers.append(entry)
        async with self._fell_asleep:
            self._fell_asleep.notify_all()
        try:
            await entry[1]
        finally:
            self._sleepers.remove(entry)

    def advance(self, seconds: float) -> None:
        """Move the clock ``seconds`` forward and wake those whose time has come."""
        self._passed += seconds
        for due, sleeper in self._sleepers:
            if due <= self._passed and not sleeper.done():
                sleeper.set_result(None)

    async def until_asleep(self, count: int = 1) -> None:
        """Return once at least ``count`` tasks sleep on this clock."""
        async with self._fell_asleep:
            await self._fell_asleep.wait_for(lambda: self._asleep() >= count)

    def _asleep(self) -> int:
        # One that was woken but has not run yet no longer sleeps.
        return sum(not sleeper.done() for _, sleeper in self._sleepers)
