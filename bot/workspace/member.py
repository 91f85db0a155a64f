"""A client of the member API: a person, for the drill and the tests."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bot.local.client import Client
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
    home: ShownView | None  # what the app published for this member
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


class MemberClient(Client[MemberState]):
    """Acts as one member of the workspace."""

    def __init__(self, origin: str, token: str, user: str) -> None:
        super().__init__(origin, token, user)
        self._messages: dict[tuple[str, str], ShownMessage] = {}
        self._ephemerals: dict[str, ShownMessage] = {}
        self._view: ShownView | None = None
        self._home: ShownView | None = None
        self._view_errors: Mapping[str, str] = {}

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
            home=self._home,
            view_errors=self._view_errors,
            notices=tuple(self._notices),
            app_connected=self._connected,
        )

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

    async def open_home(self) -> Outcome:
        """Open the app's Home."""
        return await self._act("home", {})

    async def close(self, view: ShownView) -> Outcome:
        """Close a modal."""
        return await self._act("close", {"view_id": view.id})

    # Within

    async def _act(self, act: str, body: JsonObject) -> Outcome:
        said = await self._post(act, body)
        return Outcome(said["ok"], said.get("error"), said.get("errors", {}))

    def _take(self, state: JsonObject) -> None:
        shown = [ShownMessage.of(m) for m in state["messages"]]
        self._messages = {(m.channel, m.ts): m for m in shown}
        self._ephemerals = {m["ts"]: ShownMessage.of(m) for m in state["ephemerals"]}
        self._view = ShownView.of(state["view"]) if state["view"] else None
        self._home = ShownView.of(state["home"]) if state["home"] else None

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
        elif kind == "home":
            self._home = ShownView.of(event["view"])
        elif kind == "view_errors":
            self._view_errors = event["errors"]

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
