"""The guild's state: who is in it, its channels, threads and messages.

Every change is told to the members' clients (the feed) and to the app (gateway events).
"""

import dataclasses
import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import quote

from bot.guild import errors
from bot.guild.checks.messages import Draft
from bot.guild.filling import filled
from bot.guild.mentions import mentioned
from bot.guild.permissions import (
    EVERY_PERMISSION,
    EVERYONE_MAY,
    NO_PERMISSION,
    Permission,
)
from bot.guild.snowflakes import Snowflakes
from bot.guild.things import TEXT, THREAD, Channel, Message, Overwrite, StoredFile, StoredRole
from bot.guild.values import (
    Bounds,
    ChannelSpec,
    GuildIdentity,
    GuildMember,
    Role,
    Upload,
)
from bot.local.clock import Clock
from bot.local.values import JsonObject

Told = Callable[[str, object], None]
_FIRST_CHANNEL = 1_200_000_000_000_000_001
_FIRST_ROLE = 1_150_000_000_000_000_001


class Store:
    """Holds everything, bounded. ``on_change`` is told what happened, by name and thing."""

    def __init__(
        self,
        identity: GuildIdentity,
        members: Iterable[GuildMember],
        roles: Iterable[str | Role],
        channels: Iterable[str | ChannelSpec],
        clock: Clock,
        bounds: Bounds,
    ) -> None:
        self.identity = identity
        self.clock = clock
        self.bounds = bounds
        self.ids = Snowflakes(clock)
        self.origin: Callable[[], str] = lambda: ""
        self.on_change: Told = lambda kind, thing: None
        self.members: dict[str, GuildMember] = {m.id: m for m in members}
        self.roles: dict[str, StoredRole] = {}
        self.channels: dict[str, Channel] = {}
        self.ephemerals: dict[str, OrderedDict[str, Message]] = {}
        self.files: OrderedDict[str, StoredFile] = OrderedDict()
        self.nonces: dict[str, tuple[float, Message]] = {}
        self.filtered: set[str] = set()  # what no message may hold
        self.interactions_url: str | None = None  # where the app has them sent instead
        self._set_up_roles(roles)
        self._set_up_channels(channels)

    def _set_up_roles(self, roles: Iterable[str | Role]) -> None:
        identity = self.identity
        everyone = StoredRole(identity.guild_id, "@everyone", EVERYONE_MAY, 0)
        self.roles[everyone.id] = everyone
        named = [Role(r) if isinstance(r, str) else r for r in roles]
        known = {r.name for r in named}
        named += [
            Role(name)
            for name in dict.fromkeys(r for m in self.members.values() for r in m.roles)
            if name not in known
        ]
        for place, role in enumerate(named):
            made = StoredRole(
                str(_FIRST_ROLE + place), role.name, role.permissions, place + 1, role.color
            )
            self.roles[made.id] = made
        self.roles[identity.bot_role_id] = StoredRole(
            identity.bot_role_id,
            identity.app_name,
            identity.bot_permissions,
            len(named) + 1,
            managed=True,
        )

    def _set_up_channels(self, channels: Iterable[str | ChannelSpec]) -> None:
        guild, bot = self.identity.guild_id, self.identity.application_id
        for place, given in enumerate(channels):
            spec = ChannelSpec(given) if isinstance(given, str) else given
            channel = Channel(str(_FIRST_CHANNEL + place), spec.name, TEXT, place, topic=spec.topic)
            view = Permission.VIEW_CHANNEL
            if spec.roles is not None:
                channel.overwrites[guild] = Overwrite(guild, False, deny=view)
                for name in spec.roles:
                    role = self.role_named(name)
                    channel.overwrites[role.id] = Overwrite(role.id, False, allow=view)
                if spec.bot_sees:
                    channel.overwrites[bot] = Overwrite(bot, True, allow=view)
            if not spec.bot_sees:
                channel.overwrites[bot] = Overwrite(bot, True, deny=view)
            self.channels[channel.id] = channel

    # Looking things up

    def role_named(self, name: str) -> StoredRole:
        """Return a role by its name. Raises KeyError."""
        for role in self.roles.values():
            if role.name == name:
                return role
        raise KeyError(name)

    def channel_named(self, name: str) -> Channel:
        """Return a text channel by its name. Raises KeyError."""
        for channel in self.channels.values():
            if channel.name == name and not channel.is_thread:
                return channel
        raise KeyError(name)

    def threads(self) -> list[Channel]:
        """Return the threads, oldest first."""
        return [c for c in self.channels.values() if c.is_thread]

    def message(self, channel: Channel, message_id: str) -> Message:
        """Return a message of a channel. Raises ApiError "Unknown Message"."""
        found = channel.messages.get(message_id)
        if found is None:
            raise errors.unknown_message()
        return found

    def ephemeral(self, user: str, message_id: str) -> Message | None:
        """Return a message that only this member sees, None when there is none."""
        return self.ephemerals.get(user, OrderedDict()).get(message_id)

    def seen_by(self, channel: Channel) -> list[str]:
        """Return the people who see a channel."""
        return [m for m in self.members if self.allows(m, channel, Permission.VIEW_CHANNEL)]

    # What somebody may do: "Permission Hierarchy" and "Permission Overwrites"

    def role_ids(self, user: str) -> list[str]:
        """Return the ids of a member's roles, that of everyone left out."""
        if user == self.identity.application_id:
            return [self.identity.bot_role_id]
        names = self.members[user].roles
        return [r.id for r in self.roles.values() if r.name in names]

    def permissions(self, user: str, channel: Channel | None = None) -> Permission:
        """Return what a member, or the bot by the application's id, may do."""
        roles = self.role_ids(user)
        may = self.roles[self.identity.guild_id].permissions
        for role in roles:
            may |= self.roles[role].permissions
        if may & Permission.ADMINISTRATOR:
            return EVERY_PERMISSION
        if channel is None:
            return may
        if channel.parent is not None:  # "Threads": permissions are the parent channel's
            channel = self.channels[channel.parent]
        everyone = channel.overwrites.get(self.identity.guild_id)
        if everyone is not None:
            may = (may & ~everyone.deny) | everyone.allow
        deny, allow = NO_PERMISSION, NO_PERMISSION
        for role in roles:
            if (overwrite := channel.overwrites.get(role)) is not None:
                deny |= overwrite.deny
                allow |= overwrite.allow
        may = (may & ~deny) | allow
        own = channel.overwrites.get(user)
        if own is not None:
            may = (may & ~own.deny) | own.allow
        # "Implicit Permissions": who doesn't see a channel may do nothing in it.
        return may if may & Permission.VIEW_CHANNEL else NO_PERMISSION

    def allows(self, user: str, channel: Channel, needed: Permission) -> bool:
        """Tell whether a member, or the bot, may do all of ``needed`` in a channel."""
        return self.permissions(user, channel) & needed == needed

    def set_roles(self, user: str, roles: tuple[str, ...]) -> None:
        """Set a member's roles, by their names."""
        self.members[user] = dataclasses.replace(self.members[user], roles=roles)
        self.on_change("member_changed", user)

    # Messages

    def add(self, message: Message) -> None:
        """Put a message where it belongs and tell of it."""
        if message.only_for is not None:
            kept = self.ephemerals.setdefault(message.only_for, OrderedDict())
            kept[message.id] = message
            while len(kept) > self.bounds.ephemerals_per_member:
                kept.popitem(last=False)
            self.on_change("ephemeral", message)
            return
        channel = self.channels[message.channel]
        channel.messages[message.id] = message
        channel.last_message = message.id
        channel.sent += channel.is_thread
        while len(channel.messages) > self.bounds.messages_per_channel:
            channel.messages.popitem(last=False)
        self.on_change("message", message)

    def changed(self, message: Message) -> None:
        """Tell that a message changed."""
        self.on_change("ephemeral" if message.only_for else "message_changed", message)

    def fill(
        self,
        message: Message,
        made: Draft,
        uploads: Mapping[int, Upload],
        allowed_mentions: JsonObject | None,
        *,
        users_only: bool = False,
    ) -> None:
        """Make a message what a draft says; ``users_only`` as mentions of answers default to."""
        kept = [f for f in message.files if f.id in made.kept]
        for index, said in made.added:
            kept.append(self._file(message.channel, uploads[index], said))
        message.files = kept
        message.content, message.flags = made.content, made.flags
        message.embeds = [{**e, "type": "rich"} for e in made.embeds]
        message.components = filled(made.components, lambda url: self._media(message, url))
        self.note_mentions(message, allowed_mentions, users_only=users_only)

    def note_mentions(
        self, message: Message, allowed: JsonObject | None, *, users_only: bool = False
    ) -> None:
        """Note whom a message mentions."""
        channel = self.channels[message.channel]
        message.mentions, message.mention_roles, message.mention_everyone = mentioned(
            message,
            allowed,
            {*self.members, self.identity.application_id},
            self.roles,
            users_only=users_only,
            everyone=self.allows(message.author, channel, Permission.MENTION_EVERYONE),
        )

    def delete(self, message: Message) -> None:
        """Take a message away."""
        if message.only_for is not None:
            self.ephemerals.get(message.only_for, OrderedDict()).pop(message.id, None)
            self.on_change("ephemeral_deleted", message)
            return
        channel = self.channels.get(message.channel)
        if channel is not None and channel.messages.pop(message.id, None) is not None:
            self.on_change("message_deleted", message)

    # Files

    def _file(self, channel: str, upload: Upload, said: JsonObject) -> StoredFile:
        file = StoredFile(
            self.ids.next(),
            said.get("filename") or upload.filename,
            upload.data,
            upload.content_type,
            channel,
            secrets.token_urlsafe(12),
            said.get("description"),
        )
        self.files[file.id] = file
        while len(self.files) > self.bounds.files:
            self.files.popitem(last=False)
        return file

    def file_url(self, file: StoredFile) -> str:
        """Return the address a file is downloaded from."""
        name = quote(file.filename, safe="")
        return f"{self.origin()}/attachments/{file.channel}/{file.id}/{name}?hm={file.key}"

    def _media(self, message: Message, url: str) -> JsonObject:
        """Return an "Unfurled Media Item"."""
        name = url.removeprefix("attachment://")
        if name == url:
            return {"id": self.ids.next(), "url": url, "proxy_url": url}
        file = next(f for f in reversed(message.files) if f.filename == name)
        address = self.file_url(file)
        return {
            "id": self.ids.next(),
            "url": address,
            "proxy_url": address,
            "content_type": file.content_type,
            "attachment_id": file.id,
            "name": file.filename,
            "size": len(file.data),
        }

    # Channels and threads

    def start_thread(self, channel: Channel, message: Message, body: JsonObject) -> Channel:
        """Start a thread from a message; its id is the message's ("Start Thread from Message")."""
        now = self.clock.time()
        thread = Channel(
            message.id,
            body["name"],
            THREAD,
            parent=channel.id,
            owner=self.identity.application_id,
            created_at=now,
            archived_at=now,
            auto_archive=body.get("auto_archive_duration") or 1440,
            slow=body.get("rate_limit_per_user") or 0,
            members={self.identity.application_id},
        )
        self.channels[thread.id] = thread
        held = self.threads()
        for old in held[: max(0, len(held) - self.bounds.threads)]:
            self.delete_channel(old)
        self.on_change("thread", thread)
        return thread

    def delete_channel(self, channel: Channel) -> None:
        """Delete a channel with its threads, or a thread."""
        if self.channels.pop(channel.id, None) is None:
            return
        for thread in self.threads():
            if thread.parent == channel.id:
                self.delete_channel(thread)
        self.on_change("thread_deleted" if channel.is_thread else "channel_deleted", channel)
