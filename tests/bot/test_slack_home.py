"""How often somebody's Home in Slack is drawn: at most once in each stretch of EVERY."""

import asyncio
from collections import defaultdict
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from bot.elements import Card
from bot.slack import home
from bot.slack.home import Homes
from services.people import Actor

_EVERY = 0.3
_OPENED = {"tab": "home"}


class _Slack:
    async def views_publish(self, *, user_id: str, view: Any) -> None:
        pass


class _Dispatch:
    """Notes for whom a Home is drawn, and when that begins."""

    def __init__(self) -> None:
        self.drawn: dict[str, list[float]] = defaultdict(list)
        self.changed = asyncio.Event()

    async def home(self, actor: Actor, lasting: timedelta) -> tuple[list[Card], bool]:
        self.drawn[actor.user_id].append(asyncio.get_running_loop().time())
        self.changed.set()
        return [Card("Spool of mail", ())], True

    async def until(self, user: str, number: int) -> None:
        async with asyncio.timeout(20):
            while len(self.drawn[user]) < number:
                await self.changed.wait()
                self.changed.clear()


class _Locales:
    async def of(self, client: Any, user: str) -> str:
        return ""


async def _opened(homes: Homes, slack: _Slack, user: str) -> None:
    await homes.opened({**_OPENED, "user": user}, slack)  # type: ignore[arg-type]


async def test_nobodys_home_is_drawn_more_often_than_it_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(home, "EVERY", _EVERY)
    dispatch, slack = _Dispatch(), _Slack()
    homes = Homes(dispatch, _Locales())  # type: ignore[arg-type]
    await _opened(homes, slack, "U1")
    # Shortly before the first one's is drawn again.
    other = asyncio.create_task(_later(homes, slack))
    await dispatch.until("U2", 3)
    # To turn to another tab and back is no reason to look again at once.
    for _ in range(5):
        await _opened(homes, slack, "U2")
    await dispatch.until("U2", 4)
    await dispatch.until("U1", 4)
    await other
    await homes.stop()
    for times in dispatch.drawn.values():
        assert min(after - before for before, after in pairwise(times)) > _EVERY * 0.9


async def _later(homes: Homes, slack: _Slack) -> None:
    loop = asyncio.get_running_loop()
    soon = loop.create_future()
    loop.call_later(_EVERY * 0.7, soon.set_result, None)
    await soon
    await _opened(homes, slack, "U2")
