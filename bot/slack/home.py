"""The app's Home in Slack: the dashboards, kept new while somebody looks.

Slack says when a person opens it ("app_home_opened"), and never when they leave. So it is
kept new for some minutes after each opening, and says until when.
"""

import asyncio
import logging
from datetime import timedelta
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.dashboards import EVERY
from bot.dispatch import Dispatch
from bot.slack.blocks import home
from bot.slack.chat import SLACK
from bot.slack.locales import Locales
from services.language import reading
from services.people import Actor
from services.tasks import end

_log = logging.getLogger(__name__)
#: For how long after an opening it is kept new.
LOOKING = timedelta(minutes=10)
#: How many people's Home is kept new at once: views.publish takes 100 calls a minute ("Tier 4").
MOST = 25

Body = dict[str, Any]


class Homes:
    """Draws each person's Home when they open it, and again while they look."""

    def __init__(self, dispatch: Dispatch, locales: Locales) -> None:
        self._dispatch = dispatch
        self._locales = locales
        self._looking: dict[str, float] = {}  # who, and until when by the loop's clock
        self._next: dict[str, float] = {}  # when each of them is drawn again
        self._client: AsyncWebClient | None = None
        self._keeping: asyncio.Task[None] | None = None

    async def opened(self, event: Body, client: AsyncWebClient) -> None:
        """Answer an app_home_opened event; its other tab, for messages, is nobody's business."""
        if event.get("tab") != "home":
            return
        self._client = client
        user, loop = str(event["user"]), asyncio.get_running_loop()
        # Who turns to another tab and back sees what was drawn a moment ago.
        if self._looking.pop(user, 0.0) <= loop.time() and not await self._draw(user, client):
            self._next.pop(user, None)
            return
        while len(self._looking) >= MOST:
            self._forget(next(iter(self._looking)))
        self._looking[user] = loop.time() + LOOKING.total_seconds()
        if self._keeping is None or self._keeping.done():
            self._keeping = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """Draw nothing any more."""
        self._looking.clear()
        keeping, self._keeping = self._keeping, None
        if keeping is not None:
            await end([keeping])

    async def _keep(self) -> None:
        loop = asyncio.get_running_loop()
        while self._looking:
            user = min(self._looking, key=lambda one: self._next.get(one, 0.0))
            await asyncio.sleep(self._next.get(user, 0.0) - loop.time())
            until, client = self._looking.get(user), self._client
            if until is None:
                continue  # somebody else looks now
            if loop.time() >= until or client is None or not await self._draw(user, client):
                self._forget(user)

    def _forget(self, user: str) -> None:
        self._looking.pop(user, None)
        self._next.pop(user, None)

    async def _draw(self, user: str, client: AsyncWebClient) -> bool:
        """Show somebody's Home; return whether it is one to be kept new."""
        self._next[user] = asyncio.get_running_loop().time() + EVERY
        actor = Actor(SLACK, user, user, locale=await self._locales.of(client, user))
        cards, keep = await self._dispatch.home(actor, LOOKING)
        with reading(actor.locale):
            view = home(cards)
        try:
            await client.views_publish(user_id=user, view=view)
        except SlackApiError as error:
            _log.warning("the Home of %s could not be shown: %s", user, error.response.get("error"))
            return False
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            # Slack is away; the next look may find it again.
            _log.warning("the Home of %s could not be shown: %s", user, type(error).__name__)
        return keep
