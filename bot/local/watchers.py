"""The sockets over which members' clients are told what happens."""

import asyncio

from aiohttp import WSMsgType, web

from bot.local.feed import Feed


class Watchers:
    """Passes the feed on to each client that follows it."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._clients: set[web.WebSocketResponse] = set()

    async def follow(self, request: web.Request, user: str) -> web.WebSocketResponse:
        """Serve one client of a member until it goes."""
        subscription = self._feed.subscribe(user)
        socket = web.WebSocketResponse(heartbeat=20)
        await socket.prepare(request)
        self._clients.add(socket)

        async def pump() -> None:
            while True:
                await socket.send_json(await subscription.get())

        sending = asyncio.ensure_future(pump())
        try:
            async for message in socket:
                if message.type is WSMsgType.ERROR:
                    break
        finally:
            self._clients.discard(socket)
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            self._feed.unsubscribe(subscription)
        return socket

    async def close(self) -> None:
        """Close every client's socket."""
        for socket in list(self._clients):
            await socket.close()
