"""Channels and threads: the "Channel" page's endpoints."""

from typing import Any

from bot.guild import errors
from bot.guild.api.access import Access
from bot.guild.checks.grammar import (
    boolean,
    check,
    integer,
    one_of,
    record,
    string,
)
from bot.guild.checks.messages import Flag
from bot.guild.permissions import Permission
from bot.guild.things import Channel
from bot.guild.values import Answer, Request

_AUTO_ARCHIVE = one_of(60, 1440, 4320, 10080)
_SLOW = integer(low=0, high=21_600)
_START = record(
    {"name": string(low=1, high=100)},
    {"auto_archive_duration": _AUTO_ARCHIVE, "rate_limit_per_user": _SLOW},
)
_THREAD = record(
    {},
    {
        "name": string(low=1, high=100),
        "archived": boolean,
        "locked": boolean,
        "auto_archive_duration": _AUTO_ARCHIVE,
        "rate_limit_per_user": _SLOW,
    },
    tolerated=("invitable", "applied_tags", "flags"),
)
_CHANNEL = record(
    {}, {"name": string(low=1, high=100), "topic": string(high=1024), "rate_limit_per_user": _SLOW}
)
# "Modify Channel": what a thread's starter may change without MANAGE_THREADS.
_OWNERS = {"name", "archived", "auto_archive_duration"}


class Channels:
    """Reads, changes and deletes channels and threads, and starts threads."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._store = access.store
        self._forms = access.forms

    async def get(self, request: Request) -> Answer:
        """Serve "Get Channel"."""
        return Answer(200, self._forms.channel(self._access.channel(request)))

    async def edit(self, request: Request) -> Answer:
        """Serve "Modify Channel"."""
        channel = self._access.channel(request)
        body = request.body
        if channel.is_thread:
            self._edit_thread(channel, body)
        else:
            self._access.require(channel, Permission.MANAGE_CHANNELS)
            check(_CHANNEL, body)
            channel.name = body.get("name") or channel.name
            channel.topic = (body["topic"] or "") if "topic" in body else channel.topic
            channel.slow = body.get("rate_limit_per_user") or 0
            self._store.on_change("channel_changed", channel)
        return Answer(200, self._forms.channel(channel))

    def _edit_thread(self, thread: Channel, body: Any) -> None:
        check(_THREAD, body)
        wanted = {k for k, v in body.items() if v is not None}
        is_owner = thread.owner == self._store.identity.application_id
        opens = wanted == {"archived"} and body["archived"] is False and not thread.locked
        allowed = (is_owner and wanted <= _OWNERS and not thread.locked) or opens
        if not allowed:
            self._access.require(thread, Permission.MANAGE_THREADS)
        if thread.archived and body.get("archived") is not False:
            raise errors.thread_archived()
        now = self._store.clock.time()
        if "archived" in wanted and body["archived"] != thread.archived:
            thread.archived, thread.archived_at = body["archived"], now
        thread.name = body.get("name") or thread.name
        if "locked" in wanted:
            thread.locked = body["locked"]
        thread.auto_archive = body.get("auto_archive_duration") or thread.auto_archive
        if "rate_limit_per_user" in wanted:
            thread.slow = body["rate_limit_per_user"]
        self._store.on_change("thread_changed", thread)

    async def delete(self, request: Request) -> Answer:
        """Serve "Delete/Close Channel"."""
        channel = self._access.channel(request)
        needed = Permission.MANAGE_THREADS if channel.is_thread else Permission.MANAGE_CHANNELS
        self._access.require(channel, needed)
        form = self._forms.channel(channel)
        self._store.delete_channel(channel)
        return Answer(200, form)

    async def start_thread(self, request: Request) -> Answer:
        """Serve "Start Thread from Message"."""
        channel = self._access.channel(request)
        message = self._store.message(channel, request.parameters["message_id"])
        if channel.is_thread:
            raise errors.wrong_channel_type()
        self._access.require(channel, Permission.CREATE_PUBLIC_THREADS)
        check(_START, request.body)
        if message.flags & Flag.HAS_THREAD or message.id in self._store.channels:
            raise errors.thread_exists()
        thread = self._store.start_thread(channel, message, request.body)
        message.flags |= Flag.HAS_THREAD
        self._store.changed(message)
        member = {"member": self._forms.thread_member(thread)}
        return Answer(201, self._forms.channel(thread) | member)

    async def typing(self, request: Request) -> Answer:
        """Serve "Trigger Typing Indicator"."""
        channel = self._access.channel(request)
        self._access.require(channel, Permission.SEND_MESSAGES)
        return Answer(204)

    async def join_thread(self, request: Request) -> Answer:
        """Serve "Join Thread"."""
        thread = self._access.channel(request)
        if not thread.is_thread:
            raise errors.wrong_channel_type()
        if thread.archived:
            raise errors.thread_archived()
        thread.members.add(self._store.identity.application_id)
        return Answer(204)
