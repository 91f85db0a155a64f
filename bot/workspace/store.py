"""The workspace's people, channels, messages and files, in memory and bounded."""

import copy
from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from bot.local.clock import Clock
from bot.local.feed import Feed
from bot.workspace.checks.layout import elements_of
from bot.workspace.ids import Timestamps, new_id, short_id
from bot.workspace.values import (
    ApiError,
    AppIdentity,
    Bounds,
    ChannelSpec,
    JsonObject,
    Member,
    SlashCommand,
)


@dataclass(slots=True)
class StoredFile:
    """An uploaded file. ``data`` is None until its bytes were posted to the upload URL."""

    id: str
    name: str
    length: int
    alt_txt: str | None
    created: int
    title: str = ""
    data: bytes | None = None
    shared: bool = False  # completed, be it in a channel or for the app alone
    ready_at: float = 0.0


@dataclass(slots=True)
class Message:
    """A message as posted, block ids filled in. ``only_for`` names an ephemeral's reader."""

    channel: str
    ts: str
    user: str
    bot: bool
    text: str
    blocks: list[JsonObject]
    thread_ts: str | None = None
    metadata: JsonObject | None = None
    files: tuple[StoredFile, ...] = ()
    only_for: str | None = None
    edited: str | None = None
    subtype: str | None = None
    pinned: bool = False


@dataclass(slots=True)
class Channel:
    """A channel, or a direct message when ``im_with`` names the person."""

    id: str
    name: str
    private: bool
    members: set[str]
    created: int
    im_with: str | None = None
    messages: "OrderedDict[str, Message]" = field(default_factory=OrderedDict)
    threads: dict[str, list[Message]] = field(default_factory=dict)

    def keep(self, message: Message, limit: int) -> None:
        """Add a message; beyond ``limit`` the oldest goes."""
        self.messages[message.ts] = message
        if message.thread_ts is not None:
            self.threads.setdefault(message.thread_ts, []).append(message)
        while len(self.messages) > limit:
            self.forget(next(iter(self.messages.values())))

    def forget(self, message: Message) -> None:
        """Take a message out."""
        del self.messages[message.ts]
        if message.thread_ts is not None:
            self.threads[message.thread_ts].remove(message)
            if not self.threads[message.thread_ts]:
                del self.threads[message.thread_ts]


def with_ids(blocks: Iterable[JsonObject]) -> list[JsonObject]:
    """Return a copy of ``blocks`` with missing block_ids and action_ids filled in."""
    filled: list[JsonObject] = []
    for block in copy.deepcopy(list(blocks)):
        block.setdefault("block_id", short_id())
        for _, element in elements_of(block):
            if element.get("type") != "image":
                element.setdefault("action_id", short_id())
        filled.append(block)
    return filled


# "Slack file object": png, jpg and gif
_IMAGES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8")


def _pictures_in(part: object, where: str) -> Iterable[tuple[str, str]]:
    """Yield the place and id of each Slack file in a block."""
    if isinstance(part, dict):
        for name, value in part.items():
            if name == "slack_file" and isinstance(value, dict):
                yield f"{where}/slack_file", str(value.get("id", ""))
            else:
                yield from _pictures_in(value, f"{where}/{name}")
    elif isinstance(part, list):
        for number, value in enumerate(part):
            yield from _pictures_in(value, f"{where}/{number}")


class Store:
    """Holds the workspace and tells members' clients of each change."""

    def __init__(
        self,
        identity: AppIdentity,
        members: Iterable[Member],
        channels: Iterable[str | ChannelSpec],
        usergroups: Mapping[str, Iterable[str]],
        commands: Iterable[SlashCommand],
        clock: Clock,
        feed: Feed,
        bounds: Bounds,
    ) -> None:
        self.identity = identity
        self.clock = clock
        self.feed = feed
        self.bounds = bounds
        self.stamps = Timestamps(clock)
        self.members = {m.id: m for m in members}
        self.usergroups = {g: tuple(users) for g, users in usergroups.items()}
        self.commands = {c.command: c for c in commands}
        self.channels: dict[str, Channel] = {}
        self.ephemerals: dict[str, deque[Message]] = {}
        self.files: OrderedDict[str, StoredFile] = OrderedDict()
        for spec in channels:
            self._add(spec if isinstance(spec, ChannelSpec) else ChannelSpec(spec))

    def _add(self, spec: ChannelSpec) -> None:
        people = set(self.members) if spec.members is None else set(spec.members)
        if spec.bot_is_member:
            people.add(self.identity.bot_user)
        channel = Channel(
            id=new_id("C"),
            name=spec.name,
            private=spec.private,
            members=people,
            created=int(self.clock.time()),
        )
        self.channels[channel.id] = channel

    # Who and where

    def bot_channel(self, channel_id: str, *, must_be_in: bool = True) -> Channel:
        """Return the channel as the bot sees it.

        Raises ApiError ``channel_not_found`` or, with ``must_be_in``, ``not_in_channel``.
        """
        channel = self.channels.get(channel_id)
        inside = channel is not None and self.identity.bot_user in channel.members
        if channel is None or (channel.private and not inside):
            raise ApiError("channel_not_found")
        if must_be_in and not inside:
            raise ApiError("not_in_channel")
        return channel

    def resolve(self, target: str) -> str:
        """Return the id that ``target`` means to chat.postMessage, "" for none.

        Its page takes a channel id, a channel's name, or a user id for a direct message.
        """
        if target in self.members or target in self.channels:
            return target
        name = target.removeprefix("#")
        named = [c for c in self.channels.values() if c.name == name and c.im_with is None]
        return named[0].id if named else ""

    def posting_channel(self, target: str) -> Channel:
        """Return the channel that ``target`` means to chat.postMessage, as the bot sees it.

        Raises ApiError ``channel_not_found`` or ``not_in_channel``.
        """
        if target in self.members:
            return self._direct_message(target)
        return self.bot_channel(self.resolve(target))

    def _direct_message(self, user: str) -> Channel:
        for channel in self.channels.values():
            if channel.im_with == user:
                return channel
        channel = Channel(
            id=new_id("D"),
            name="directmessage",
            private=True,
            members={user, self.identity.bot_user},
            created=int(self.clock.time()),
            im_with=user,
        )
        self.channels[channel.id] = channel
        return channel

    def channels_of(self, user: str) -> list[Channel]:
        """Return the channels a person is in."""
        return [c for c in self.channels.values() if user in c.members]

    # Messages

    def post(
        self,
        channel: Channel,
        *,
        user: str,
        bot: bool,
        text: str,
        blocks: Iterable[JsonObject] = (),
        thread_ts: str | None = None,
        metadata: JsonObject | None = None,
        files: tuple[StoredFile, ...] = (),
        subtype: str | None = None,
    ) -> Message:
        """Post a message. Raises ApiError ``thread_not_found`` for a thread that doesn't exist."""
        if thread_ts is not None:
            parent = channel.messages.get(thread_ts)
            if parent is None:
                raise ApiError("thread_not_found")
            thread_ts = parent.thread_ts or parent.ts
        message = Message(
            channel=channel.id,
            ts=self.stamps.next(),
            user=user,
            bot=bot,
            text=text,
            blocks=with_ids(blocks),
            thread_ts=thread_ts,
            metadata=metadata,
            files=files,
            subtype=subtype,
        )
        channel.keep(message, self.bounds.messages_per_channel)
        self.feed.tell(channel.members, {"type": "message", "message": self.member_form(message)})
        if thread_ts is not None and thread_ts in channel.messages:
            self._tell_changed(channel, channel.messages[thread_ts])  # its reply count grew
        return message

    def edit(
        self,
        message: Message,
        *,
        text: str | None = None,
        blocks: Iterable[JsonObject] | None = None,
        metadata: JsonObject | None = None,
    ) -> None:
        """Change a channel message in place; what is None stays as it was."""
        if text is not None:
            message.text = text
        if blocks is not None:
            message.blocks = with_ids(blocks)
        if metadata is not None:
            message.metadata = metadata
        message.edited = self.stamps.next()
        self._tell_changed(self.channels[message.channel], message)

    def pin(self, message: Message, *, pinned: bool) -> None:
        """Pin a channel message, or take its pin away."""
        message.pinned = pinned
        self._tell_changed(self.channels[message.channel], message)

    def delete(self, message: Message) -> None:
        """Remove a channel message."""
        channel = self.channels[message.channel]
        channel.forget(message)
        self.feed.tell(
            channel.members,
            {"type": "message_deleted", "channel": channel.id, "ts": message.ts},
        )
        if message.thread_ts is not None and message.thread_ts in channel.messages:
            self._tell_changed(channel, channel.messages[message.thread_ts])

    def _tell_changed(self, channel: Channel, message: Message) -> None:
        event = {"type": "message_changed", "message": self.member_form(message)}
        self.feed.tell(channel.members, event)

    def post_ephemeral(
        self,
        channel: Channel,
        reader: str,
        *,
        text: str,
        blocks: Iterable[JsonObject] = (),
        thread_ts: str | None = None,
    ) -> Message:
        """Show a message to one member only."""
        message = Message(
            channel=channel.id,
            ts=self.stamps.next(),
            user=self.identity.bot_user,
            bot=True,
            text=text,
            blocks=with_ids(blocks),
            thread_ts=thread_ts,
            only_for=reader,
        )
        kept = self.ephemerals.setdefault(reader, deque(maxlen=self.bounds.ephemerals_per_member))
        kept.append(message)
        self.feed.tell([reader], {"type": "ephemeral", "message": self.member_form(message)})
        return message

    def ephemeral(self, reader: str, ts: str) -> Message | None:
        """Return a member's ephemeral message that is still shown."""
        return next((m for m in self.ephemerals.get(reader, ()) if m.ts == ts), None)

    def replace_ephemeral(
        self, message: Message, *, text: str, blocks: Iterable[JsonObject]
    ) -> None:
        """Put new content into an ephemeral message."""
        message.text, message.blocks = text, with_ids(blocks)
        self._tell_replaced(message, self.member_form(message))

    def delete_ephemeral(self, message: Message) -> None:
        """Take an ephemeral message away."""
        if message.only_for is not None and message in self.ephemerals.get(message.only_for, ()):
            self.ephemerals[message.only_for].remove(message)
            self._tell_replaced(message, None)

    def _tell_replaced(self, message: Message, now: JsonObject | None) -> None:
        if message.only_for is not None:
            event = {"type": "ephemeral_replaced", "old_ts": message.ts, "message": now}
            self.feed.tell([message.only_for], event)

    def replies(self, channel: Channel, thread_ts: str) -> list[Message]:
        """Return a thread's replies, oldest first."""
        return list(channel.threads.get(thread_ts, ()))

    # Forms

    def member_form(self, message: Message) -> JsonObject:
        """Return a message as the member API gives it."""
        channel = self.channels[message.channel]
        form: JsonObject = {
            "channel": message.channel,
            "ts": message.ts,
            "user": message.user,
            "bot": message.bot,
            "text": message.text,
            "blocks": copy.deepcopy(message.blocks),
            "edited": message.edited is not None,
            "pinned": message.pinned,
            "reply_count": len(self.replies(channel, message.ts)),
            "ephemeral": message.only_for is not None,
            "files": [
                {
                    "id": f.id,
                    "title": f.title or f.name,
                    "url": f"/member/file/{f.id}",
                    **({"alt_txt": f.alt_txt} if f.alt_txt else {}),
                }
                for f in message.files
            ],
        }
        if message.thread_ts is not None:
            form["thread_ts"] = message.thread_ts
        return form

    def slack_form(self, message: Message, *, with_metadata: bool = False) -> JsonObject:
        """Return a message as the Web API and the interaction payloads give it."""
        channel = self.channels[message.channel]
        form: JsonObject = {
            "type": "message",
            "user": message.user,
            "ts": message.ts,
            "text": message.text,
            "team": self.identity.team_id,
        }
        if message.bot:
            form["bot_id"] = self.identity.bot_id
            form["app_id"] = self.identity.app_id
        if message.subtype is not None:
            form["subtype"] = message.subtype
        if message.blocks:
            form["blocks"] = copy.deepcopy(message.blocks)
        if message.pinned:
            form["pinned_to"] = [message.channel]
        if message.edited is not None:
            form["edited"] = {"user": message.user, "ts": message.edited}
        if message.files:
            form["files"] = [self.file_form(f) for f in message.files]
        if with_metadata and message.metadata is not None:
            form["metadata"] = copy.deepcopy(message.metadata)
        replies = self.replies(channel, message.ts)
        if message.thread_ts is not None:
            form["thread_ts"] = message.thread_ts
            parent = channel.messages.get(message.thread_ts)
            if parent is not None:
                form["parent_user_id"] = parent.user
        elif replies:
            people = list(dict.fromkeys(m.user for m in replies))
            form |= {
                "thread_ts": message.ts,
                "reply_count": len(replies),
                "reply_users_count": len(people),
                "reply_users": people[:5],
                "latest_reply": replies[-1].ts,
                "subscribed": False,
            }
        return form

    def file_form(self, file: StoredFile) -> JsonObject:
        """Return a file as the Web API gives it."""
        form: JsonObject = {
            "id": file.id,
            "created": file.created,
            "timestamp": file.created,
            "name": file.name,
            "title": file.title or file.name,
            "user": self.identity.bot_user,
            "size": file.length,
            "mode": "hosted",
            "is_external": False,
        }
        if file.alt_txt:
            form["alt_txt"] = file.alt_txt
        return form

    # Files

    def check_pictures(self, blocks: Iterable[JsonObject], *, view: bool = False) -> None:
        """Check that the bot may show the files in its blocks.

        Raises ApiError ``invalid_blocks``; of a view ``invalid_arguments``, which is all that the
        ``views.*`` pages have for a fault in its blocks.

        "Slack file object": an image that who posts has access to, png, jpg or gif. Until it is
        processed ("files.completeUploadExternal": asynchronously) it is not taken.
        """
        place = "/view/blocks" if view else "/blocks"
        faults = [
            f"invalid slack file [json-pointer:{place}/{where}]"
            for number, block in enumerate(blocks)
            for where, file_id in _pictures_in(block, f"{number}")
            if not self._shows(file_id)
        ]
        if faults and view:
            raise ApiError("invalid_arguments", tuple(faults))
        if faults:
            raise ApiError("invalid_blocks", tuple(faults), {"errors": faults})

    def _shows(self, file_id: str) -> bool:
        file = self.files.get(file_id)
        return (
            file is not None
            and file.shared
            and (file.data or b"").startswith(_IMAGES)
            and file.ready_at <= self.clock.time()
        )

    def new_file(self, name: str, length: int, alt_txt: str | None) -> StoredFile:
        """Make room for a file and return it, its bytes still to come."""
        file = StoredFile(new_id("F"), name, length, alt_txt, int(self.clock.time()))
        self.files[file.id] = file
        while len(self.files) > self.bounds.files:
            self.files.popitem(last=False)
        return file
