"""Whether the bot may do what a call asks, and the thing the call's path names."""

from dataclasses import dataclass

from bot.guild import errors
from bot.guild.forms import Forms
from bot.guild.permissions import Permission
from bot.guild.store import Store
from bot.guild.things import Channel
from bot.guild.values import Request


@dataclass(frozen=True, slots=True)
class Access:
    """The store and its forms, as the bot may use them."""

    store: Store
    forms: Forms

    def channel(self, request: Request) -> Channel:
        """Return the channel of a call.

        Raises ApiError "Unknown Channel", or "Missing Access" for one the bot doesn't see.
        """
        channel = self.store.channels.get(request.parameters["channel_id"])
        if channel is None:
            raise errors.unknown_channel()
        if not self.may(channel, Permission.VIEW_CHANNEL):
            raise errors.missing_access()
        return channel

    def may(self, channel: Channel, needed: Permission) -> bool:
        """Tell whether the bot may do something in a channel."""
        return self.store.allows(self.store.identity.application_id, channel, needed)

    def require(self, channel: Channel, needed: Permission) -> None:
        """Raise ApiError "Missing Permissions" unless the bot may do something in a channel."""
        if not self.may(channel, needed):
            raise errors.missing_permissions()

    def refuse_locked(self, thread: Channel) -> None:
        """Raise ApiError for a thread that only those who manage threads may post in.

        "Threads": a locked thread can be un-archived, and since then also posted in, only with
        MANAGE_THREADS.
        """
        if thread.locked and not self.may(thread, Permission.MANAGE_THREADS):
            raise errors.thread_archived() if thread.archived else errors.thread_locked()

    def guild(self, request: Request) -> None:
        """Raise ApiError "Unknown Guild" for a guild that isn't this one."""
        if request.parameters["guild_id"] != self.store.identity.guild_id:
            raise errors.unknown_guild()
