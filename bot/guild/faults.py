"""Faults a test or the drill can switch on: outages, limits, lost answers, lost rights."""

import asyncio
from dataclasses import dataclass

from bot.guild.gateway import Gateway
from bot.guild.interactions import Interactions
from bot.guild.permissions import Permission
from bot.guild.store import Store
from bot.guild.things import Channel, Overwrite
from bot.guild.values import ApiError


@dataclass(slots=True)
class ForcedLimit:
    """A 429 to be answered."""

    retry_after: float
    times: int
    is_global: bool


class Faults:
    """The guild's fault switches. Routes are named by method and path template.

    ``down`` makes every call of the HTTP API answer 503.
    """

    def __init__(self, store: Store, gateway: Gateway, interactions: Interactions) -> None:
        self.down = False
        self._store = store
        self._gateway = gateway
        self._interactions = interactions
        self._limits: dict[tuple[str, str], ForcedLimit] = {}
        self._errors: dict[tuple[str, str], tuple[int, int]] = {}
        self._losses: dict[tuple[str, str], int] = {}
        self._held: dict[tuple[str, str], asyncio.Event] = {}

    # The HTTP API

    def rate_limit(
        self, method: str, path: str, retry_after: float, times: int = 1, *, is_global: bool = False
    ) -> None:
        """Answer the next ``times`` calls of a route with 429."""
        self._limits[method, path] = ForcedLimit(retry_after, times, is_global)

    def fail(self, method: str, path: str, status: int = 500, times: int = 1) -> None:
        """Answer the next ``times`` calls of a route with a server error, doing nothing."""
        self._errors[method, path] = (status, times)

    def lose_answers(self, method: str, path: str, times: int = 1) -> None:
        """Carry out the next ``times`` calls of a route, then hang up without answering."""
        self._losses[method, path] = times

    def hold(self, method: str, path: str) -> None:
        """Let calls of a route wait, before anything is done, until ``release``."""
        self._held.setdefault((method, path), asyncio.Event())

    def release(self, method: str, path: str) -> None:
        """Let the waiting calls of a route go on."""
        held = self._held.pop((method, path), None)
        if held is not None:
            held.set()

    def forget_nonces(self) -> None:
        """Forget the nonces of messages, as after the minutes for which they are known."""
        self._store.nonces.clear()

    # The gateway

    def drop_gateway(self) -> None:
        """Cut every gateway connection without a closing handshake."""
        self._gateway.drop()

    def ask_to_reconnect(self) -> None:
        """Send opcode 7, Reconnect."""
        self._gateway.ask_to_reconnect()

    def invalidate_session(self, *, resumable: bool = False) -> None:
        """Send opcode 9, Invalid Session."""
        self._gateway.invalidate(resumable=resumable)

    def refuse_gateway(self, times: int) -> None:
        """Refuse the next ``times`` gateway connections with 503."""
        self._gateway.refusals = times

    def deliver_twice(self, on: bool) -> None:
        """Deliver each interaction twice."""
        self._interactions.delivered_twice = on

    def deliver_as_of(self, guild_id: str | None) -> None:
        """Deliver each interaction as one of another guild; None as of this one again."""
        self._interactions.guild_told = guild_id

    def forge(self, custom_id: str | None) -> None:
        """Deliver each use of a component as one with this custom id; None with its own again."""
        self._interactions.forged = custom_id

    # The guild

    def filter_out(self, words: str) -> None:
        """Take no message any more that holds these words, as a filter for harmful links does."""
        self._store.filtered.add(words)

    def delete_channel(self, channel_id: str) -> None:
        """Delete a channel or a thread."""
        self._store.delete_channel(self._store.channels[channel_id])

    def delete_message(self, channel_id: str, message_id: str) -> None:
        """Delete a message, as a moderator does."""
        self._store.delete(self._store.channels[channel_id].messages[message_id])

    def send_interactions_to(self, url: str | None) -> None:
        """Say that interactions go to an endpoint; the gateway gets them all the same."""
        self._store.interactions_url = url

    def archive_thread(self, thread_id: str, *, locked: bool = False) -> None:
        """Archive a thread, and lock it when asked."""
        thread = self._store.channels[thread_id]
        thread.archived, thread.archived_at = True, self._store.clock.time()
        thread.locked = locked
        self._store.on_change("thread_changed", thread)

    def lock_thread(self, thread_id: str, *, locked: bool = True) -> None:
        """Lock a thread, or unlock it, without archiving it."""
        thread = self._store.channels[thread_id]
        thread.locked = locked
        self._store.on_change("thread_changed", thread)

    def take_permissions(self, permissions: Permission, channel_id: str | None = None) -> None:
        """Take permissions from the bot, in one channel or in all."""
        for channel in self._channels(channel_id):
            overwrite = self._overwrite(channel)
            overwrite.deny |= permissions
            overwrite.allow &= ~permissions
            self._store.on_change("channel_changed", channel)

    def give_permissions(self, permissions: Permission, channel_id: str | None = None) -> None:
        """Give permissions to the bot, in one channel or in all."""
        for channel in self._channels(channel_id):
            overwrite = self._overwrite(channel)
            overwrite.deny &= ~permissions
            overwrite.allow |= permissions
            self._store.on_change("channel_changed", channel)

    def give_role(self, user: str, role: str) -> None:
        """Give a member a role, by its name. Raises KeyError for none of that name."""
        self._store.role_named(role)
        self._store.set_roles(user, (*self._store.members[user].roles, role))

    def take_role(self, user: str, role: str) -> None:
        """Take a role from a member, by its name."""
        kept = tuple(r for r in self._store.members[user].roles if r != role)
        self._store.set_roles(user, kept)

    # What the HTTP API asks

    async def before(self, method: str, path: str) -> None:
        """Wait while a route is held; raise ApiError for a failure that was asked for."""
        held = self._held.get((method, path))
        if held is not None:
            await held.wait()
        if self.down:
            raise ApiError(503, 0, "503: Service Unavailable")
        status, times = self._errors.pop((method, path), (0, 0))
        if times > 1:
            self._errors[method, path] = (status, times - 1)
        if times:
            raise ApiError(status, 0, f"{status}: a fault was asked for")

    def forced_limit(self, method: str, path: str) -> ForcedLimit | None:
        """Return the 429 asked for this call, and count it."""
        limit = self._limits.get((method, path))
        if limit is None:
            return None
        limit.times -= 1
        if limit.times <= 0:
            del self._limits[method, path]
        return limit

    def answer_is_lost(self, method: str, path: str) -> bool:
        """Tell whether this call, now carried out, gets no answer; count it."""
        left = self._losses.pop((method, path), 0)
        if left > 1:
            self._losses[method, path] = left - 1
        return left > 0

    def _channels(self, channel_id: str | None) -> list[Channel]:
        if channel_id is not None:
            return [self._store.channels[channel_id]]
        return [c for c in self._store.channels.values() if not c.is_thread]

    def _overwrite(self, channel: Channel) -> Overwrite:
        bot = self._store.identity.application_id
        return channel.overwrites.setdefault(bot, Overwrite(bot, True))
