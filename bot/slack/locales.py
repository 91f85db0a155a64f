"""How each person in Slack reads numbers and days: users.info says it when asked to.

Slack says it with nothing that people do, so it is asked once an hour for each of them. Whoever
it cannot be known of reads them as the installation writes them.
"""

import asyncio
import logging
from collections.abc import Callable
from time import monotonic

import aiohttp
from slack_sdk.errors import SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.chat import answered

_log = logging.getLogger(__name__)
#: Seconds that somebody's locale is remembered, and how many people's are.
KEPT = 3600.0
MOST = 1000
#: Seconds that an answer waits for it.
PATIENCE = 0.5
#: Seconds until it is asked for again after Slack did not say.
_AGAIN = 60.0


class Locales:
    """Asks, and remembers. ``now`` is a clock in seconds that nobody sets."""

    def __init__(self, now: Callable[[], float] = monotonic) -> None:
        self._now = now
        self._known: dict[str, tuple[float, str]] = {}  # until when, and what
        self._unasked_until = 0.0  # the app may not ask
        self._asking: dict[str, asyncio.Task[str]] = {}

    async def of(self, client: AsyncWebClient, user: str) -> str:
        """Return a person's locale, such as "de-DE"; "" where Slack does not say in time."""
        now = self._now()
        until, locale = self._known.get(user, (0.0, ""))
        if now < until:
            return locale
        if now < self._unasked_until:
            return ""
        asking = self._asking.get(user)
        if asking is None:
            # Somebody who presses many buttons at once is asked about once.
            asking = self._asking[user] = asyncio.create_task(self._ask(client, user, locale))
            asking.add_done_callback(lambda _: self._asking.pop(user))
        return await asyncio.shield(asking)

    async def _ask(self, client: AsyncWebClient, user: str, locale: str) -> str:
        """Return what Slack says, ``locale`` where it does not; it is remembered."""
        now, kept = self._now(), KEPT
        try:
            async with asyncio.timeout(PATIENCE):
                locale = await _asked(client, user)
        except (SlackClientError, aiohttp.ClientError, OSError, TimeoutError) as error:
            # What was known before is better than nothing.
            kept = _AGAIN
            why = answered(error)
            if why == "missing_scope":
                # Installed before it was asked for; spoolwarden check says so.
                self._unasked_until = now + KEPT
            _log.info("the locale of %s is not known: %s", user, why)
        # Who was asked for longest ago goes first.
        self._known.pop(user, None)
        self._known[user] = (now + kept, locale)
        while len(self._known) > MOST:
            del self._known[next(iter(self._known))]
        return locale


async def _asked(client: AsyncWebClient, user: str) -> str:
    answer = await client.users_info(user=user, include_locale=True)
    found = (answer.get("user") or {}).get("locale")
    return found if isinstance(found, str) else ""
