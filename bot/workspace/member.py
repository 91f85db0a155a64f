"""A client of the member API: a person, for the drill and the tests."""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import aiohttp

from bot.workspace.reading import (
    Place,
    Shown,
    ShownMessage,
    ShownView,
    find_button,
    find_option,
    plain_text,
)
from bot.workspace.values import JsonObject

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an act. ``errors`` are a submit's, by block_id."""

    ok: bool
    error: str | None = None
    errors: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MemberState:
    """What a member sees, oldest message first; ``notices`` since the client connected."""

    me: str
    team: str
    channels: Mapping[str, str]  # name by id
    commands: tuple[str, ...]
    messages: tuple[ShownMessage, ...]
    ephemerals: tuple[ShownMessage, ...]
    view: ShownView | None
    view_errors: Mapping[str, str]
    notices: tuple[str, ...]
    app_connected: bool

    def last(self) -> ShownMessage | None:
        """Return the newest channel message."""
        return self.messages[-1] if self.messages else None

    def last_ephemeral(self) -> ShownMessage | None:
        """Return the newest message shown only to this member."""
        return self.ephemerals[-1] if self.ephemerals else None

    def thread(self, ts: str) -> tuple[ShownMessage, ...]:
        """Return a thread's replies."""
        return tuple(m for m in self.messages if m.thread_ts == ts)


class MemberClient:
    """Acts as one member. Use it as an async context: within it the state follows events.

    ``origin`` is the server's ``http://host:port``, ``token`` the page token.
    Raises aiohttp.ClientError when the server can't be reached or refuses the token.
    """

    def __init__(self, origin: str, token: str, user: str) -> None:
        self.user = user
        self._origin = origin
        self._token = token
        self._session: aiohttp.ClientSession | None = None
        self._listening: asyncio.Task[None] | None = None
        self._changed = asyncio.Condition()
        self._messages: dict[tuple[str, str], ShownMessage] = {}
        self._ephemerals: dict[str, ShownMessage] = {}
        self._static: JsonObject = {}
        self._view: ShownView | None = None
        self._view_errors: Mapping[str, str] = {}
        self._notices: list[str] = []
        self._connected = False

    async def __aenter__(self) -> "MemberClient":
        self._session = aiohttp.ClientSession(
            self._origin, headers={"Authorization": f"Bearer {self._token}"}
        )
        try:
            socket = await self._session.ws_connect("/member/events", params={"as": self.user})
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

    # What the member sees

    def state(self) -> MemberState:
        """Return the latest state."""
        return MemberState(
            me=self.user,
            team=self._static["team"]["name"],
            channels={c["id"]: c["name"] for c in self._static["channels"]},
            commands=tuple(c["command"] for c in self._static["commands"]),
            messages=tuple(sorted(self._messages.values(), key=lambda m: _order(m.ts))),
            ephemerals=tuple(sorted(self._ephemerals.values(), key=lambda m: _order(m.ts))),
            view=self._view,
            view_errors=self._view_errors,
            notices=tuple(self._notices),
            app_connected=self._connected,
        )

    async def wait_for(
        self, predicate: Callable[[MemberState], _T | None], timeout: float = 5.0
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

    # What the member does

    async def command(self, text: str, *, channel: str | None = None) -> Outcome:
        """Type a slash command, in the first channel unless one is given by id."""
        where = channel or self._first_channel()
        return await self._act("command", {"channel": where, "text": text})

    async def say(
        self, text: str, *, channel: str | None = None, thread_ts: str | None = None
    ) -> Outcome:
        """Post a plain message."""
        where = channel or self._first_channel()
        return await self._act("say", {"channel": where, "text": text, "thread_ts": thread_ts})

    async def press(
        self,
        shown: Shown,
        element: str | Place,
        value: Mapping[str, Any] | None = None,
    ) -> Outcome:
        """Use an element: a button by its label, or any element by its place.

        ``value`` is as the member API has it; None takes the place's own.
        Raises NotShown when no such button is there.
        """
        place = find_button(shown, element) if isinstance(element, str) else element
        target: JsonObject = (
            {"message": {"channel": shown.channel, "ts": shown.ts}}
            if isinstance(shown, ShownMessage)
            else {"view": {"id": shown.id}}
        )
        return await self._act(
            "press",
            {
                **target,
                "block_id": place.block_id,
                "action_id": place.action_id,
                "value": dict(value) if value is not None else place.value,
            },
        )

    async def pick(self, shown: Shown, option: str) -> Outcome:
        """Pick the one option with this text. Raises NotShown when it isn't offered."""
        return await self.press(shown, find_option(shown, option))

    async def submit(
        self, view: ShownView, values: Mapping[str, Mapping[str, Any]] | None = None
    ) -> Outcome:
        """Submit a modal with values by block_id and action_id."""
        given = {block_id: dict(by_action) for block_id, by_action in (values or {}).items()}
        return await self._act("submit", {"view_id": view.id, "values": given})

    async def close(self, view: ShownView) -> Outcome:
        """Close a modal."""
        return await self._act("close", {"view_id": view.id})

    async def file(self, url: str) -> bytes:
        """Return a shown file's bytes."""
        async with self._http().get(url) as answer:
            answer.raise_for_status()
            return await answer.read()

    # Within

    def _http(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("use the client as an async context")
        return self._session

    def _first_channel(self) -> str:
        channel: str = self._static["channels"][0]["id"]
        return channel

    async def _act(self, act: str, body: JsonObject) -> Outcome:
        async with self._http().post(f"/member/{act}", json={"as": self.user, **body}) as answer:
            if answer.status == 403:
                answer.raise_for_status()
            said = await answer.json()
        return Outcome(said["ok"], said.get("error"), said.get("errors", {}))

    async def _load(self) -> None:
        async with self._http().get("/member/state", params={"as": self.user}) as answer:
            answer.raise_for_status()
            state: JsonObject = await answer.json()
        self._static = state
        shown = [ShownMessage.of(m) for m in state["messages"]]
        self._messages = {(m.channel, m.ts): m for m in shown}
        self._ephemerals = {m["ts"]: ShownMessage.of(m) for m in state["ephemerals"]}
        self._view = ShownView.of(state["view"]) if state["view"] else None
        self._connected = state["app"]["connected"]

    async def _listen(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            event = json.loads(message.data)
            if event["type"] == "resync":
                await self._load()
            else:
                await self._apply(event)
            async with self._changed:
                self._changed.notify_all()

    async def _apply(self, event: JsonObject) -> None:
        kind = event["type"]
        if kind in {"message", "message_changed"}:
            message = ShownMessage.of(event["message"])
            self._messages[message.channel, message.ts] = message
            if message.channel not in {c["id"] for c in self._static["channels"]}:
                await self._load()  # a direct message opened a new conversation
        elif kind == "message_deleted":
            self._messages.pop((event["channel"], event["ts"]), None)
        elif kind == "ephemeral":
            message = ShownMessage.of(event["message"])
            self._ephemerals[message.ts] = message
        elif kind == "ephemeral_replaced":
            self._ephemerals.pop(event["old_ts"], None)
            if event["message"] is not None:
                message = ShownMessage.of(event["message"])
                self._ephemerals[message.ts] = message
        elif kind == "view":
            self._view = ShownView.of(event["view"]) if event["view"] else None
            self._view_errors = {}
        elif kind == "view_errors":
            self._view_errors = event["errors"]
        elif kind == "notice":
            self._notices.append(event["text"])
        elif kind == "app":
            self._connected = event["connected"]

    def _summary(self) -> str:
        state = self.state()
        parts = [f"{len(state.messages)} messages", f"notices {state.notices}"]
        for name, shown in (
            ("last message", state.last()),
            ("last ephemeral", state.last_ephemeral()),
            ("view", state.view),
        ):
            if shown is not None:
                parts.append(f"{name}: {plain_text(shown)[:300]!r}")
        return "; ".join(parts)


def _order(ts: str) -> tuple[int, ...]:
    return tuple(int(part) for part in ts.split("."))
