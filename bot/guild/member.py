"""A client of the member API: a person, for the drill and the tests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bot.guild.reading import (
    Place,
    ShownMessage,
    ShownModal,
    ShownThread,
    find_button,
    find_option,
    plain_text,
)
from bot.local.client import Client
from bot.local.values import JsonObject


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an act. ``errors`` are a submit's, by custom_id."""

    ok: bool
    error: str | None = None
    errors: Mapping[str, str] = field(default_factory=dict)
    interaction: str | None = None


@dataclass(frozen=True, slots=True)
class GuildState:
    """What a member sees, oldest message first; ``notices`` since the client connected.

    ``messages`` are those of channels and of threads alike.
    """

    me: str
    guild: str
    channels: Mapping[str, str]  # name by id
    commands: tuple[JsonObject, ...]
    messages: tuple[ShownMessage, ...]
    threads: tuple[ShownThread, ...]
    ephemerals: tuple[ShownMessage, ...]
    modal: ShownModal | None
    modal_failed: str | None
    notices: tuple[str, ...]
    app_connected: bool

    def in_channels(self) -> tuple[ShownMessage, ...]:
        """Return the messages that stand in channels, not in threads."""
        return tuple(m for m in self.messages if m.channel in self.channels)

    def last(self) -> ShownMessage | None:
        """Return the newest message of a channel."""
        found = self.in_channels()
        return found[-1] if found else None

    def last_ephemeral(self) -> ShownMessage | None:
        """Return the newest message shown only to this member."""
        return self.ephemerals[-1] if self.ephemerals else None

    def thread(self, thread_id: str) -> tuple[ShownMessage, ...]:
        """Return a thread's messages."""
        return tuple(m for m in self.messages if m.channel == thread_id)

    def message(self, message_id: str) -> ShownMessage | None:
        """Return a message by its id, ephemeral ones too."""
        everything = (*self.messages, *self.ephemerals)
        return next((m for m in everything if m.id == message_id), None)


class GuildClient(Client[GuildState]):
    """Acts as one member of the guild."""

    largest_event = 0  # a message may show as much as the app may send

    def __init__(self, origin: str, token: str, user: str) -> None:
        super().__init__(origin, token, user)
        self._commands: list[JsonObject] = []
        self._messages: dict[str, ShownMessage] = {}
        self._threads: dict[str, ShownThread] = {}
        self._ephemerals: dict[str, ShownMessage] = {}
        self._modal: ShownModal | None = None
        self._modal_failed: str | None = None

    # What the member sees

    def state(self) -> GuildState:
        """Return the latest state."""
        return GuildState(
            me=self.user,
            guild=self._static["guild"]["name"],
            channels={c["id"]: c["name"] for c in self._static["channels"]},
            commands=tuple(self._commands),
            messages=tuple(sorted(self._messages.values(), key=lambda m: int(m.id))),
            threads=tuple(sorted(self._threads.values(), key=lambda t: int(t.id))),
            ephemerals=tuple(sorted(self._ephemerals.values(), key=lambda m: int(m.id))),
            modal=self._modal,
            modal_failed=self._modal_failed,
            notices=tuple(self._notices),
            app_connected=self._connected,
        )

    # What the member does

    async def command(
        self,
        name: str,
        sub: str = "",
        options: Mapping[str, Any] | None = None,
        *,
        channel: str | None = None,
    ) -> Outcome:
        """Use a slash command, in the first channel unless one is given by id."""
        body = {"name": name, "sub": sub, "options": dict(options or {})}
        return await self._act("command", body | {"channel": channel or self._first_channel()})

    async def complete(
        self,
        name: str,
        sub: str,
        focused: str,
        options: Mapping[str, Any] | None = None,
        *,
        channel: str | None = None,
    ) -> tuple[tuple[str, Any], ...]:
        """Return the (name, value) suggested for an option being typed; none when it fails."""
        body = {"name": name, "sub": sub, "options": dict(options or {}), "focused": focused}
        said = await self._post("complete", body | {"channel": channel or self._first_channel()})
        return tuple((c["name"], c["value"]) for c in said.get("choices", ()))

    async def press(
        self,
        shown: ShownMessage,
        place: str | Place,
        values: Sequence[str] | None = None,
    ) -> Outcome:
        """Use a component: a button by its label, or any by its place.

        ``values`` are a select's; None takes the place's own. Raises NotShown when no such
        button is there.
        """
        found = find_button(shown, place) if isinstance(place, str) else place
        chosen = values if values is not None else found.values
        return await self._act(
            "press",
            {
                "channel": shown.channel,
                "message": shown.id,
                "custom_id": found.custom_id,
                "values": list(chosen) if chosen is not None else None,
            },
        )

    async def pick(self, shown: ShownMessage, option: str) -> Outcome:
        """Pick the one option with this label. Raises NotShown when it isn't offered."""
        return await self.press(shown, find_option(shown, option))

    async def submit(self, modal: ShownModal, values: Mapping[str, Any] | None = None) -> Outcome:
        """Submit a modal with values by custom_id; what isn't given stays as it was opened."""
        return await self._act("submit", {"modal": modal.id, "values": dict(values or {})})

    async def close(self, modal: ShownModal) -> Outcome:
        """Close a modal."""
        return await self._act("close", {"modal": modal.id})

    async def dismiss(self, message: ShownMessage) -> Outcome:
        """Dismiss a message that only this member sees."""
        return await self._act("dismiss", {"message": message.id})

    async def say(self, text: str, *, channel: str | None = None) -> Outcome:
        """Post a plain message, in a channel or a thread."""
        return await self._act("say", {"channel": channel or self._first_channel(), "text": text})

    # Within

    async def _act(self, act: str, body: JsonObject) -> Outcome:
        said = await self._post(act, body)
        return Outcome(
            said["ok"], said.get("error"), said.get("errors", {}), said.get("interaction")
        )

    def _take(self, state: JsonObject) -> None:
        self._commands = state["commands"]
        self._messages = {m["id"]: ShownMessage.of(m) for m in state["messages"]}
        self._threads = {t["id"]: ShownThread.of(t) for t in state["threads"]}
        self._ephemerals = {m["id"]: ShownMessage.of(m) for m in state["ephemerals"]}
        self._modal = ShownModal.of(state["modal"]) if state["modal"] else None

    async def _apply(self, event: JsonObject) -> None:
        kind = event["type"]
        if kind in {"message", "message_changed"}:
            self._messages[event["message"]["id"]] = ShownMessage.of(event["message"])
        elif kind == "message_deleted":
            self._messages.pop(event["id"], None)
        elif kind == "thread":
            self._threads[event["thread"]["id"]] = ShownThread.of(event["thread"])
        elif kind == "thread_deleted":
            self._threads.pop(event["id"], None)
            gone = [m.id for m in self._messages.values() if m.channel == event["id"]]
            for message in gone:
                del self._messages[message]
        elif kind == "ephemeral":
            self._ephemerals[event["message"]["id"]] = ShownMessage.of(event["message"])
        elif kind == "ephemeral_deleted":
            self._ephemerals.pop(event["id"], None)
        elif kind == "modal":
            self._modal = ShownModal.of(event["modal"]) if event["modal"] else None
            self._modal_failed = None
        elif kind == "modal_failed":
            self._modal_failed = event["text"]
        elif kind == "commands":
            self._commands = event["commands"]

    def _summary(self) -> str:
        state = self.state()
        parts = [f"{len(state.messages)} messages", f"notices {state.notices}"]
        for name, shown in (
            ("last message", state.last()),
            ("last ephemeral", state.last_ephemeral()),
            ("modal", state.modal),
        ):
            if shown is not None:
                parts.append(f"{name}: {plain_text(shown)[:300]!r}")
        return "; ".join(parts)
