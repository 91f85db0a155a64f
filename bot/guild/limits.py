"""Rate limits, as the "Rate Limits" page describes them.

That page gives the headers, the shape of a 429, and one number: 50 requests a second over the
whole API, interaction endpoints not counted. It says the limits of single routes are to be read
from the headers, never hard coded; so those chosen here are small enough that a client which
doesn't read them is caught: windows per route and major parameter (channel, guild, webhook).

The windows run on the machine's clock, whatever drives the guild's other deadlines, because a
client waits them out in real time. ``pace`` shortens the windows (never the counts), for tests
that would otherwise wait.
"""

import hashlib
import math
from dataclasses import dataclass

from bot.local.clock import Clock


@dataclass(frozen=True, slots=True)
class Limit:
    """So many calls in a window of so many seconds."""

    calls: int
    seconds: float


POST_MESSAGE = Limit(5, 5.0)
EDIT_MESSAGE = Limit(5, 5.0)
# Discord's page has the error (30046) and no number; that a channel takes three edits of messages
# older than an hour in six seconds is on the page "Message" of discord-userdoccers.
EDIT_OLD_MESSAGE, OLD_SECONDS = Limit(3, 6.0), 3600.0
DELETE_MESSAGE = Limit(5, 1.0)
WEBHOOK = Limit(5, 2.0)
PIN = Limit(5, 5.0)
EDIT_CHANNEL = Limit(5, 5.0)
READ = Limit(10, 1.0)
COMMANDS = Limit(5, 20.0)
GLOBAL = Limit(50, 1.0)
_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class Window:
    """What the headers say after a call. ``refused_for`` is the wait, None when it was taken."""

    bucket: str
    limit: int
    remaining: int
    reset: float
    reset_after: float
    refused_for: float | None = None
    is_global: bool = False

    def headers(self) -> dict[str, str]:
        """Return the headers of "Header Format"."""
        headers = {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": f"{self.reset:.3f}",
            "X-RateLimit-Reset-After": f"{self.reset_after:.3f}",
            "X-RateLimit-Bucket": self.bucket,
        }
        if self.refused_for is not None:
            headers["Retry-After"] = str(max(1, math.ceil(self.refused_for)))
            headers["X-RateLimit-Scope"] = "global" if self.is_global else "user"
            if self.is_global:
                headers["X-RateLimit-Global"] = "true"
        return headers


class Windows:
    """Counts calls in fixed windows by key."""

    def __init__(self, clock: Clock, pace: float) -> None:
        self._clock = clock
        self.pace = pace
        self._open: dict[tuple[str, ...], tuple[float, int]] = {}

    def take(self, route: str, major: str, limit: Limit, *, counts_globally: bool) -> Window:
        """Count a call, or refuse it."""
        if counts_globally:
            used, ends = self._look(("",), GLOBAL)
            if used >= GLOBAL.calls:
                return self._window(route, GLOBAL, used, ends, refused=True, is_global=True)
        key = (route, major)
        used, ends = self._look(key, limit)
        if used >= limit.calls:
            return self._window(route, limit, used, ends, refused=True)
        self._count(key, limit)
        if counts_globally:
            self._count(("",), GLOBAL)
        used, ends = self._look(key, limit)
        return self._window(route, limit, used, ends)

    def forced(self, route: str, retry_after: float, *, is_global: bool) -> Window:
        """Return a refusal that a fault asked for."""
        now = self._clock.time()
        return Window(_bucket(route), 1, 0, now + retry_after, retry_after, retry_after, is_global)

    def _look(self, key: tuple[str, ...], limit: Limit) -> tuple[int, float]:
        now = self._clock.monotonic()
        started, used = self._open.get(key, (now, 0))
        ends = started + limit.seconds * self.pace
        return (used, ends - now) if ends > now else (0, limit.seconds * self.pace)

    def _count(self, key: tuple[str, ...], limit: Limit) -> None:
        used, _ = self._look(key, limit)
        started = self._open[key][0] if used else self._clock.monotonic()
        self._open.pop(key, None)
        self._open[key] = (started, used + 1)
        while len(self._open) > _KEPT:
            del self._open[next(iter(self._open))]

    def _window(
        self,
        route: str,
        limit: Limit,
        used: int,
        ends: float,
        *,
        refused: bool = False,
        is_global: bool = False,
    ) -> Window:
        left = max(0, limit.calls - used)
        at = self._clock.time() + ends
        wait = ends if refused else None
        return Window(_bucket(route), limit.calls, left, at, ends, wait, is_global)


def _bucket(route: str) -> str:
    """Return an opaque name for a route, as X-RateLimit-Bucket holds one."""
    return hashlib.sha256(route.encode()).hexdigest()[:32]
