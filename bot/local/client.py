"""What a client of a member API does whatever it shows: it connects, follows events, and acts."""

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Generic, Self, TypeVar

import aiohttp

from bot.local.values import JsonObject

#: Seconds to wait for what is to be seen, unless told otherwise.
PATIENCE = 15.0

_T = TypeVar("_T")
_State = TypeVar("_State")


class Client(ABC, Generic[_State]):
    """Acts as one member. Use it as an async context: within it the state follows events.

    ``origin`` is the server's ``http://host:port``, ``token`` the page token.
    Raises aiohttp.ClientError when the server can't be reached or refuses the token.
    """

    #: Bytes that one event may have; 0 for any number.
    largest_event = 4 * 1024 * 1024

    def __init__(self, origin: str, token: str, user: str) -> None:
        self.user = user
        self._origin = origin
        self._token = token
        self._session: aiohttp.ClientSession | None = None
        self._listening: asyncio.Task[None] | None = None
        self._changed = asyncio.Condition()
        self._static: JsonObject = {}  # the state as it was last loaded
        self._notices: list[str] = []
        self._connected = False

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            self._origin, headers={"Authorization": f"Bearer {self._token}"}
        )
        try:
            socket = await self._session.ws_connect(
                "/member/events", params={"as": self.user}, max_msg_size=self.largest_event
            )
            await self._load()
        except BaseException:
            await self._session.close()
            raise
        self._listening = asyncio.ensure_future(self._listen(socket))
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    @abstractmethod
    def state(self) -> _State:
        """Return the latest state."""

    async def wait_for(
        self, predicate: Callable[[_State], _T | None], timeout: float = PATIENCE
    ) -> _T:
        """Return the predicate's first value that isn't None or False, as the state changes.

        Raises TimeoutError after ``timeout`` seconds, naming what the member sees then.
        """
        found: list[_T] = []

        def holds() -> bool:
            value = predicate(self.state())
            if value is None or value is False:
                return False
            found.append(value)
            return True

        try:
            async with asyncio.timeout(timeout), self._changed:
                await self._changed.wait_for(holds)
        except TimeoutError:
            raise TimeoutError(f"not seen within {timeout} s; {self._summary()}") from None
        return found[0]

    async def file(self, url: str) -> bytes:
        """Return a shown file's bytes."""
        async with self._http().get(url) as answer:
            answer.raise_for_status()
            return await answer.read()

    # For those that know what is shown

    @abstractmethod
    def _take(self, state: JsonObject) -> None:
        """Take in the member API's whole state."""

    @abstractmethod
    async def _apply(self, event: JsonObject) -> None:
        """Take in one event, but for those that all have."""

    @abstractmethod
    def _summary(self) -> str:
        """Return what the member sees, for somebody who waited in vain."""

    def _first_channel(self) -> str:
        channel: str = self._static["channels"][0]["id"]
        return channel

    async def _post(self, act: str, body: JsonObject) -> JsonObject:
        async with self._http().post(f"/member/{act}", json={"as": self.user, **body}) as answer:
            if answer.status == 403:
                answer.raise_for_status()
            said: JsonObject = await answer.json()
        return said

    # Within

    def _http(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("use the client as an async context")
        return self._session

    async def _load(self) -> None:
        async with self._http().get("/member/state", params={"as": self.user}) as answer:
            answer.raise_for_status()
            state: JsonObject = await answer.json()
        self._static = state
        self._connected = state["app"]["connected"]
        self._take(state)

    async def _listen(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            event = json.loads(message.data)
            match event["type"]:
                case "resync":
                    await self._load()
                case "notice":
                    self._notices.append(event["text"])
                case "app":
                    self._connected = event["connected"]
                case _:
                    await self._apply(event)
            async with self._changed:
                self._changed.notify_all()
