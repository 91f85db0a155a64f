"""What changed, told to the app as gateway events and to members' clients as theirs."""

from collections.abc import Callable
from typing import Any

from bot.guild.forms import Forms
from bot.guild.gateway import GUILD_MEMBERS, GUILDS, Gateway
from bot.guild.member_forms import MemberForms
from bot.guild.store import Store
from bot.guild.things import Channel, Message, StoredRole
from bot.local.feed import Feed
from bot.local.values import JsonObject


class Announcements:
    """Listens to the store ("Gateway Events" names the events and what they hold)."""

    def __init__(
        self, store: Store, forms: Forms, shown: MemberForms, gateway: Gateway, feed: Feed
    ) -> None:
        self._store = store
        self._forms = forms
        self._shown = shown
        self._gateway = gateway
        self._feed = feed
        self._by_kind: dict[str, Callable[[Any], None]] = {
            "message": lambda m: self._message(m, "MESSAGE_CREATE", "message"),
            "message_changed": lambda m: self._message(m, "MESSAGE_UPDATE", "message_changed"),
            "message_deleted": self._message_deleted,
            "ephemeral": self._ephemeral,
            "ephemeral_deleted": self._ephemeral_deleted,
            "pins": self._pins,
            "thread": lambda t: self._thread(t, "THREAD_CREATE", {"newly_created": True}),
            "thread_changed": lambda t: self._thread(t, "THREAD_UPDATE", {}),
            "thread_deleted": self._thread_deleted,
            "channel_changed": lambda c: self._channel(c, "CHANNEL_UPDATE"),
            "channel_deleted": lambda c: self._channel(c, "CHANNEL_DELETE"),
            "role_changed": self._role,
            "member_changed": self._member,
        }

    def tell(self, kind: str, thing: object) -> None:
        """Tell of one change."""
        self._by_kind[kind](thing)

    @property
    def _guild(self) -> JsonObject:
        return {"guild_id": self._store.identity.guild_id}

    def _message(self, message: Message, event: str, feed_event: str) -> None:
        form = self._forms.message(message) | self._guild
        if message.author != self._store.identity.application_id:
            person = self._forms.member(message.author)
            person.pop("user")
            form["member"] = person
        self._gateway.dispatch_message(event, form)
        people = self._store.seen_by(self._store.channels[message.channel])
        self._feed.tell(people, {"type": feed_event, "message": self._shown.message(message)})

    def _message_deleted(self, message: Message) -> None:
        gone = {"id": message.id, "channel_id": message.channel}
        self._gateway.dispatch("MESSAGE_DELETE", gone | self._guild, 1 << 9)
        self._feed.tell_all({"type": "message_deleted", **gone})

    def _ephemeral(self, message: Message) -> None:
        if message.only_for is not None:
            event = {"type": "ephemeral", "message": self._shown.message(message)}
            self._feed.tell([message.only_for], event)

    def _ephemeral_deleted(self, message: Message) -> None:
        if message.only_for is not None:
            self._feed.tell([message.only_for], {"type": "ephemeral_deleted", "id": message.id})

    def _pins(self, channel: Channel) -> None:
        form = self._forms.channel(channel)
        at = form.get("last_pin_timestamp")
        data = {"channel_id": channel.id, "last_pin_timestamp": at}
        self._gateway.dispatch("CHANNEL_PINS_UPDATE", data | self._guild, GUILDS)

    def _thread(self, thread: Channel, event: str, extra: JsonObject) -> None:
        self._gateway.dispatch(event, self._forms.channel(thread) | extra, GUILDS)
        people = self._store.seen_by(thread)
        self._feed.tell(people, {"type": "thread", "thread": self._shown.thread(thread)})

    def _thread_deleted(self, thread: Channel) -> None:
        gone = {"id": thread.id, "parent_id": thread.parent, "type": thread.kind}
        self._gateway.dispatch("THREAD_DELETE", gone | self._guild, GUILDS)
        self._feed.tell_all({"type": "thread_deleted", "id": thread.id})

    def _channel(self, channel: Channel, event: str) -> None:
        self._gateway.dispatch(event, self._forms.channel(channel), GUILDS)
        self._feed.tell_all({"type": "resync"})

    def _role(self, role: StoredRole) -> None:
        data = {"role": self._forms.role(role)} | self._guild
        self._gateway.dispatch("GUILD_ROLE_UPDATE", data, GUILDS)
        self._feed.tell_all({"type": "resync"})

    def _member(self, user: str) -> None:
        data = self._forms.member(user) | self._guild
        self._gateway.dispatch("GUILD_MEMBER_UPDATE", data, GUILD_MEMBERS)
        self._feed.tell_all({"type": "resync"})
