"""What members' clients are told as it happens."""

import asyncio
from collections.abc import Iterable

from bot.local.values import JsonObject

QUEUE_LIMIT = 1_000


class Subscription:
    """One client's events, in order. When it lags too far behind it is told to reload instead."""

    def __init__(self, user: str) -> None:
        self.user = user
        self._queue: asyncio.Queue[JsonObject] = asyncio.Queue()

    def put(self, event: JsonObject) -> None:
        """Add an event, or ``resync`` in place of all when there are too many."""
        if self._queue.qsize() >= QUEUE_LIMIT:
            while not self._queue.empty():
                self._queue.get_nowait()
            event = {"type": "resync"}
        self._queue.put_nowait(event)

    async def get(self) -> JsonObject:
        """Return the next event."""
        return await self._queue.get()


class Feed:
    """Hands events to the clients of the members they concern."""

    def __init__(self) -> None:
        self._subscriptions: list[Subscription] = []

    def subscribe(self, user: str) -> Subscription:
        """Start a client's subscription."""
        subscription = Subscription(user)
        self._subscriptions.append(subscription)
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """End a client's subscription."""
        self._subscriptions.remove(subscription)

    def tell(self, users: Iterable[str], event: JsonObject) -> None:
        """Send ``event`` to every client of ``users``."""
        wanted = set(users)
        for subscription in self._subscriptions:
            if subscription.user in wanted:
                subscription.put(event)

    def tell_all(self, event: JsonObject) -> None:
        """Send ``event`` to every client."""
        for subscription in self._subscriptions:
            subscription.put(event)
