"""Things as the HTTP API and the gateway give them."""

import copy
from datetime import UTC, datetime
from typing import Any

from bot.guild.checks.messages import Flag
from bot.guild.store import Store
from bot.guild.things import Channel, Message, Origin, StoredFile, StoredRole
from bot.local.values import JsonObject

LOCALE = "en-US"


def moment(at: float) -> str:
    """Return a time as ISO 8601."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds")


class Forms:
    """Writes users, members, roles, channels, threads and messages as JSON objects."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._joined = moment(store.clock.time())

    # People

    def bot(self) -> JsonObject:
        """Return the bot's user object."""
        identity = self._store.identity
        return {**_user(identity.application_id, identity.app_name, None), "bot": True}

    def user(self, user: str) -> JsonObject:
        """Return a "User Object"."""
        if user == self._store.identity.application_id:
            return self.bot()
        person = self._store.members[user]
        return _user(person.id, person.name, person.display or None)

    def member(self, user: str) -> JsonObject:
        """Return a "Guild Member Object"."""
        return {
            "user": self.user(user),
            "nick": None,
            "avatar": None,
            "banner": None,
            "roles": self._store.role_ids(user),
            "joined_at": self._joined,
            "premium_since": None,
            "communication_disabled_until": None,
            "flags": 0,
            "pending": False,
            "mute": False,
            "deaf": False,
        }

    def role(self, role: StoredRole) -> JsonObject:
        """Return a "Role Object"."""
        form: JsonObject = {
            "id": role.id,
            "name": role.name,
            "permissions": str(role.permissions.value),
            "position": role.position,
            "color": role.color,
            "colors": {
                "primary_color": role.color,
                "secondary_color": None,
                "tertiary_color": None,
            },
            "hoist": False,
            "managed": role.managed,
            "mentionable": False,
            "icon": None,
            "unicode_emoji": None,
            "flags": 0,
        }
        if role.managed:
            form["tags"] = {"bot_id": self._store.identity.application_id}
        return form

    # Places

    def channel(self, channel: Channel) -> JsonObject:
        """Return a "Channel Object" of a text channel or a thread."""
        common: JsonObject = {
            "id": channel.id,
            "type": channel.kind,
            "guild_id": self._store.identity.guild_id,
            "name": channel.name,
            "parent_id": channel.parent,
            "last_message_id": channel.last_message,
            "rate_limit_per_user": channel.slow,
            "flags": 0,
        }
        if channel.last_pin is not None:
            common["last_pin_timestamp"] = moment(channel.last_pin)
        if channel.is_thread:
            count = len(channel.messages)
            return common | {
                "owner_id": channel.owner,
                "thread_metadata": {
                    "archived": channel.archived,
                    "archive_timestamp": moment(channel.archived_at),
                    "auto_archive_duration": channel.auto_archive,
                    "locked": channel.locked,
                    "create_timestamp": moment(channel.created_at),
                },
                "message_count": count,
                "member_count": len(channel.members),
                "total_message_sent": channel.sent,
            }
        return common | {
            "topic": channel.topic or None,
            "position": channel.position,
            "nsfw": False,
            "permission_overwrites": [
                {
                    "id": o.id,
                    "type": int(o.is_member),
                    "allow": str(o.allow.value),
                    "deny": str(o.deny.value),
                }
                for o in channel.overwrites.values()
            ],
        }

    def thread_member(self, thread: Channel) -> JsonObject:
        """Return the bot's "Thread Member Object"."""
        return {
            "id": thread.id,
            "user_id": self._store.identity.application_id,
            "join_timestamp": moment(thread.created_at),
            "flags": 0,
        }

    def guild(self) -> JsonObject:
        """Return the "Guild Object"."""
        store = self._store
        nothing: JsonObject = dict.fromkeys(
            (
                "icon",
                "description",
                "home_header",
                "splash",
                "discovery_splash",
                "banner",
                "application_id",
                "afk_channel_id",
                "system_channel_id",
                "widget_channel_id",
                "max_presences",
                "vanity_url_code",
                "rules_channel_id",
                "safety_alerts_channel_id",
                "public_updates_channel_id",
                "incidents_data",
            )
        )
        return nothing | {
            "id": store.identity.guild_id,
            "name": store.identity.name,
            "owner_id": store.identity.owner_id,
            "features": [],
            "region": "deprecated",
            "afk_timeout": 300,
            "system_channel_flags": 0,
            "widget_enabled": False,
            "verification_level": 0,
            "roles": [self.role(r) for r in store.roles.values()],
            "default_message_notifications": 0,
            "mfa_level": 0,
            "explicit_content_filter": 0,
            "max_members": 500_000,
            "max_stage_video_channel_users": 50,
            "max_video_channel_users": 25,
            "premium_tier": 0,
            "premium_subscription_count": 0,
            "preferred_locale": LOCALE,
            "premium_progress_bar_enabled": False,
            "nsfw": False,
            "nsfw_level": 0,
            "emojis": [],
            "stickers": [],
        }

    def guild_create(self) -> JsonObject:
        """Return the "Guild Create" event's data for an app without the members intent."""
        store = self._store
        return self.guild() | {
            "joined_at": self._joined,
            "large": False,
            "unavailable": False,
            "member_count": len(store.members) + 1,
            "voice_states": [],
            "members": [self.member(store.identity.application_id)],
            "channels": [self.channel(c) for c in store.channels.values() if not c.is_thread],
            "threads": [
                self.channel(t) | {"member": self.thread_member(t)}
                for t in store.threads()
                if not t.archived
            ],
            "presences": [],
            "stage_instances": [],
            "guild_scheduled_events": [],
            "soundboard_sounds": [],
        }

    # Messages

    def message(self, message: Message) -> JsonObject:
        """Return a "Message Object"."""
        store = self._store
        form: JsonObject = {
            "id": message.id,
            "channel_id": message.channel,
            "type": message.kind,
            "author": self.user(message.author),
            "content": message.content,
            "timestamp": moment(message.timestamp),
            "edited_timestamp": moment(message.edited) if message.edited is not None else None,
            "tts": message.tts,
            "mention_everyone": message.mention_everyone,
            "mentions": [self.user(u) for u in message.mentions],
            "mention_roles": list(message.mention_roles),
            "attachments": [self._attachment(message, f) for f in message.files],
            "embeds": copy.deepcopy(message.embeds),
            "components": copy.deepcopy(message.components),
            "flags": int(message.flags),
            "pinned": message.pinned is not None,
        }
        if message.nonce is not None:
            form["nonce"] = message.nonce
        if message.author == store.identity.application_id:
            form["application_id"] = store.identity.application_id
        if message.origin is not None:
            form["webhook_id"] = store.identity.application_id
            form["interaction_metadata"] = self._metadata(message.origin)
            if message.origin.name:
                form["interaction"] = {
                    "id": message.origin.id,
                    "type": 2,
                    "name": message.origin.name,
                    "user": self.user(message.origin.user),
                }
        if message.replies_to is not None:
            form["message_reference"] = {
                "type": 0,
                "channel_id": message.channel,
                "message_id": message.replies_to,
                "guild_id": store.identity.guild_id,
            }
        thread = store.channels.get(message.id)
        if message.flags & Flag.HAS_THREAD and thread is not None:
            form["thread"] = self.channel(thread)
        return form

    def _metadata(self, origin: Origin) -> JsonObject:
        form: JsonObject = {
            "id": origin.id,
            "type": origin.kind,
            "user": self.user(origin.user),
            "authorizing_integration_owners": {"0": self._store.identity.guild_id},
        }
        if origin.kind == 3:
            form["interacted_message_id"] = origin.interacted
        if origin.trigger is not None:
            form["triggering_interaction_metadata"] = self._metadata(origin.trigger)
        return form

    def _attachment(self, message: Message, file: StoredFile) -> JsonObject:
        address = self._store.file_url(file)
        form: JsonObject = {
            "id": file.id,
            "filename": file.filename,
            "size": len(file.data),
            "url": address,
            "proxy_url": address,
            "content_type": file.content_type,
        }
        if file.description:
            form["description"] = file.description
        if message.only_for is not None:
            form["ephemeral"] = True
        return form


def _user(user: str, name: str, display: str | None) -> JsonObject:
    form: dict[str, Any] = {
        "id": user,
        "username": name.lower().replace(" ", "."),
        "global_name": display,
        "discriminator": "0",
        "avatar": None,
        "public_flags": 0,
        "flags": 0,
        "primary_guild": None,
    }
    return form
