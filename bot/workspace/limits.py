"""Rate limits per method, as the Web API's "Rate limits" page gives them.

That page says per method, app and workspace: Tier 1 "1+ per minute" with a small amount of
bursting, Tier 2 "20+", Tier 3 "50+", Tier 4 "100+" per minute, the higher tiers with more
generous bursts; and for posting messages one a second per channel, short bursts of more allowed,
with a workspace-wide limit of several hundred a minute. It gives no size for any burst.

Chosen here: a token bucket per method. A tier's bucket holds one minute's quota and refills
evenly, so a quiet app may use its minute at once and a busy one gets the documented rate.
Tier 1 holds ten, since an app may open ten Socket Mode connections. Posting holds five per
channel (the burst) and refills one a second; the workspace-wide bucket holds 300 a minute.
The limits can't be scaled or turned off: the app under test must live with them.
"""

import math
from dataclasses import dataclass

from bot.local.clock import Clock


@dataclass(frozen=True, slots=True)
class Tier:
    """A documented rate: ``per_minute`` calls, of which ``burst`` may come at once."""

    per_minute: float
    burst: int


TIER_1 = Tier(per_minute=1, burst=10)
TIER_2 = Tier(per_minute=20, burst=20)
TIER_3 = Tier(per_minute=50, burst=50)
TIER_4 = Tier(per_minute=100, burst=100)
POSTING_PER_CHANNEL = Tier(per_minute=60, burst=5)
POSTING_PER_WORKSPACE = Tier(per_minute=300, burst=300)
# "auth.test": its page calls its limit special, "hundreds of requests per minute";
# "chat.getPermalink" likewise has a special tier without a number.
HUNDREDS = Tier(per_minute=300, burst=300)


class Buckets:
    """Token buckets by key. Refusals take nothing."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._level: dict[tuple[str, ...], tuple[float, float]] = {}

    def take(self, *wanted: tuple[tuple[str, ...], Tier]) -> int | None:
        """Take one token from each bucket, or from none.

        Returns None when taken, else the whole seconds to wait, at least 1 (the Retry-After).
        """
        now = self._clock.monotonic()
        levels: list[tuple[tuple[str, ...], float]] = []
        wait = 0.0
        for key, tier in wanted:
            level, seen = self._level.get(key, (float(tier.burst), now))
            level = min(float(tier.burst), level + (now - seen) * tier.per_minute / 60)
            levels.append((key, level))
            # A hair of slack, else "one second later" can miss by a rounding error.
            if level < 1 - 1e-9:
                wait = max(wait, (1 - level) * 60 / tier.per_minute)
        if wait > 0:
            return max(1, math.ceil(wait - 1e-6))
        for key, level in levels:
            self._level[key] = (level - 1, now)
        return None
