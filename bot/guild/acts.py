"""What members do: commands, presses, choices, modals, plain messages."""

from collections.abc import Mapping
from typing import Any

from bot.guild.checks.components import walk
from bot.guild.checks.parts import SELECTS, Kind
from bot.guild.command_data import command_data
from bot.guild.commands import Commands
from bot.guild.forms import Forms
from bot.guild.gateway import Gateway
from bot.guild.interactions import (
    AUTOCOMPLETE,
    COMMAND,
    COMPONENT,
    MODAL_SUBMIT,
    Interaction,
    Interactions,
)
from bot.guild.modals import Modal, count_fault, entered, submitted
from bot.guild.permissions import Permission
from bot.guild.store import Store
from bot.guild.things import Channel, Message
from bot.guild.values import NO_SUCH_COMPONENT, Refused
from bot.local.feed import Feed
from bot.local.values import JsonObject

NO_ANSWER = "The application did not respond"
FAILED = "This interaction failed"
MODAL_FAILED = "Something went wrong. Try again."
LINK, PREMIUM = 5, 6


class Acts:
    """Does what members' clients ask for. Each method raises Refused with a sentence."""

    def __init__(
        self,
        store: Store,
        forms: Forms,
        commands: Commands,
        interactions: Interactions,
        gateway: Gateway,
        feed: Feed,
        modals: dict[str, Modal],
    ) -> None:
        self._store = store
        self._forms = forms
        self._commands = commands
        self._interactions = interactions
        self._gateway = gateway
        self._feed = feed
        self._modals = modals
        self._submits: dict[str, str] = {}  # the modal that each submit was of, by interaction

    # Commands

    def command(
        self, user: str, channel_id: str, name: str, sub: str, options: Mapping[str, Any]
    ) -> Interaction:
        """Use a slash command."""
        channel = self.channel_for(user, channel_id)
        command = self._commands.for_member(user, channel, name)
        data = command_data(command, sub, options, self._store)
        data = self._with_resolved(data)
        self._reach_app(user, NO_ANSWER)
        whole = f"{name} {sub}".strip()
        return self._interactions.send(COMMAND, user, channel, data, name=whole)

    async def complete(
        self,
        user: str,
        channel_id: str,
        name: str,
        sub: str,
        options: Mapping[str, Any],
        focused: str,
    ) -> list[JsonObject]:
        """Return what the app suggests for an option being typed."""
        channel = self.channel_for(user, channel_id)
        command = self._commands.for_member(user, channel, name)
        data = command_data(command, sub, options, self._store, focused)
        data = self._with_resolved(data)
        self._reach_app(user, "Loading options failed")
        interaction = self._interactions.send(AUTOCOMPLETE, user, channel, data)
        if await interaction.answered is None:
            raise Refused("Loading options failed")
        return interaction.choices

    # Components

    def press(
        self, user: str, channel_id: str, message_id: str, custom_id: str, values: Any
    ) -> Interaction:
        """Press a button, or choose in a select."""
        channel = self.channel_for(user, channel_id)
        message = self._store.ephemeral(user, message_id) or channel.messages.get(message_id)
        if message is None or message.channel != channel.id:
            raise Refused("That message is gone.")
        if message.author != self._store.identity.application_id:
            raise Refused("That message has no components of the app.")
        part = next(
            (c for _, c in walk(message.components) if c.get("custom_id") == custom_id), None
        )
        if part is None:
            raise Refused(NO_SUCH_COMPONENT)
        if part.get("disabled"):
            raise Refused("That component is disabled.")
        data: JsonObject = {
            "custom_id": custom_id,
            "component_type": part["type"],
            "id": part["id"],
        }
        if part["type"] in SELECTS:
            data |= self._chosen(part, values)
        elif values is not None:
            raise Refused("A button takes no values.")
        self._reach_app(user, FAILED)
        return self._interactions.send(COMPONENT, user, channel, data, source=message)

    def _chosen(self, part: JsonObject, values: Any) -> JsonObject:
        if not isinstance(values, list) or not all(isinstance(v, str) for v in values):
            raise Refused("Choose from the options.")
        if len(set(values)) != len(values):
            raise Refused("Choose each option once.")
        offered = [o["value"] for o in part.get("options") or []]
        if part["type"] == Kind.STRING_SELECT and not set(values) <= set(offered):
            raise Refused("There is no such option.")
        fault = count_fault(part, len(values), part["min_values"] > 0)
        if fault:
            raise Refused(fault)
        data: JsonObject = {"values": values}
        if part["type"] != Kind.STRING_SELECT:
            data["resolved"] = self.resolved(part["type"], values)
        return data

    def resolved(self, kind: int, ids: list[str]) -> JsonObject:
        """Return the "Resolved Data Structure" of what a select's ids name. Raises Refused."""
        store = self._store
        people: list[str] = []
        roles: list[str] = []
        channels: list[str] = []
        for chosen in ids:
            if kind in (Kind.USER_SELECT, Kind.MENTIONABLE_SELECT) and chosen in store.members:
                people.append(chosen)
            elif kind in (Kind.ROLE_SELECT, Kind.MENTIONABLE_SELECT) and chosen in store.roles:
                roles.append(chosen)
            elif kind == Kind.CHANNEL_SELECT and chosen in store.channels:
                channels.append(chosen)
            else:
                raise Refused("There is no such option.")
        return self._resolved(people, roles, channels)

    def _resolved(self, people: list[str], roles: list[str], channels: list[str]) -> JsonObject:
        store, forms = self._store, self._forms
        made: JsonObject = {}
        if people:
            made["users"] = {p: forms.user(p) for p in people}
            made["members"] = {
                p: {k: v for k, v in forms.member(p).items() if k not in ("user", "mute", "deaf")}
                | {"permissions": str(store.permissions(p).value)}
                for p in people
            }
        if roles:
            made["roles"] = {r: forms.role(store.roles[r]) for r in roles}
        if channels:
            made["channels"] = {c: forms.channel(store.channels[c]) for c in channels}
        return made

    def _with_resolved(self, data: JsonObject) -> JsonObject:
        named = data.get("resolved")
        if named is None:
            return data
        made = self._resolved(
            named.get("people", []), named.get("roles", []), named.get("channels", [])
        )
        return data | {"resolved": made}

    # Modals

    def submit(self, user: str, modal_id: str, values: Any) -> dict[str, str]:
        """Submit a modal; return what is wrong with it by custom_id, nothing when it went."""
        modal = self._modal(user, modal_id)
        if modal_id in self._submits.values():
            raise Refused("It is being submitted.")
        if not isinstance(values, dict):
            raise Refused("Fill in the fields.")
        filled, faults = entered(modal, values)
        if faults:
            return faults
        channel = self.channel_for(user, modal.channel)
        data = submitted(modal, filled)
        chosen = [
            self.resolved(part["type"], filled[custom_id])
            for custom_id, part in modal.inputs().items()
            if part["type"] in SELECTS and part["type"] != Kind.STRING_SELECT
        ]
        for some in chosen:
            for kind, things in some.items():
                data.setdefault("resolved", {}).setdefault(kind, {}).update(things)
        if not self._gateway.reachable:
            self._feed.tell([user], {"type": "modal_failed", "text": MODAL_FAILED})
            raise Refused(MODAL_FAILED)
        interaction = self._interactions.send(
            MODAL_SUBMIT, user, channel, data, source=modal.source, trigger=modal.origin
        )
        self._submits[interaction.id] = modal.id
        return {}

    def close(self, user: str, modal_id: str) -> None:
        """Close a modal; the app isn't told."""
        self._modal(user, modal_id)
        self.show_modal(user, None)

    def show_modal(self, user: str, modal: Modal | None) -> None:
        """Show a member a modal, or none."""
        if modal is None:
            self._modals.pop(user, None)
        else:
            self._modals[user] = modal
        self._feed.tell([user], {"type": "modal", "modal": modal.form() if modal else None})

    def answered(self, interaction: Interaction) -> None:
        """Close the modal whose submit was just answered."""
        modal_id = self._submits.pop(interaction.id, None)
        shown = self._modals.get(interaction.user)
        if shown is not None and shown.id == modal_id:
            self.show_modal(interaction.user, None)

    def not_answered(self, interaction: Interaction) -> None:
        """Tell the member that the app didn't answer in time."""
        if interaction.kind == MODAL_SUBMIT:
            self._submits.pop(interaction.id, None)
            event = {"type": "modal_failed", "text": MODAL_FAILED}
            self._feed.tell([interaction.user], event)
        elif interaction.kind in (COMMAND, COMPONENT):
            text = NO_ANSWER if interaction.kind == COMMAND else FAILED
            self.notice(interaction.user, text, interaction.id)

    # The rest

    def dismiss(self, user: str, message_id: str) -> None:
        """Take away a message that only this member sees."""
        message = self._store.ephemeral(user, message_id)
        if message is None:
            raise Refused("That message is gone.")
        self._store.delete(message)

    def say(self, user: str, channel_id: str, text: str) -> None:
        """Post a member's own message."""
        channel = self.channel_for(user, channel_id)
        needed = (
            Permission.SEND_MESSAGES_IN_THREADS if channel.is_thread else Permission.SEND_MESSAGES
        )
        if not self._store.allows(user, channel, needed) or channel.locked:
            raise Refused("You can't send messages here.")
        if not text.strip() or len(text) > 2000:
            raise Refused("A message has 1 to 2000 characters.")
        store = self._store
        if channel.archived:
            channel.archived = False
            store.on_change("thread_changed", channel)
        message = Message(store.ids.next(), channel.id, user, store.clock.time(), content=text)
        store.note_mentions(message, None)
        store.add(message)

    def channel_for(self, user: str, channel_id: str) -> Channel:
        """Return a channel that the member sees."""
        channel = self._store.channels.get(channel_id)
        if channel is None or not self._store.allows(user, channel, Permission.VIEW_CHANNEL):
            raise Refused("There is no such channel.")
        return channel

    def notice(self, user: str, text: str, interaction: str | None = None) -> None:
        """Tell a member something privately, as the client itself does."""
        self._feed.tell([user], {"type": "notice", "text": text, "interaction": interaction})

    def _modal(self, user: str, modal_id: str) -> Modal:
        modal = self._modals.get(user)
        if modal is None or modal.id != modal_id:
            raise Refused("That modal is closed.")
        return modal

    def _reach_app(self, user: str, text: str) -> None:
        """Refuse at once when no session of the app is there to deliver to."""
        if not self._gateway.reachable:
            self.notice(user, text)
            raise Refused(text)
