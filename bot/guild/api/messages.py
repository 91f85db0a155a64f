"""Messages and pins: the "Message" page's endpoints."""

import json

from bot.guild import errors
from bot.guild.api.access import Access
from bot.guild.checks.messages import CREATE, EDIT, draft
from bot.guild.forms import moment
from bot.guild.limits import EDIT_OLD_MESSAGE, OLD_SECONDS, Windows
from bot.guild.permissions import Permission
from bot.guild.snowflakes import is_snowflake
from bot.guild.things import PINNED, REPLY, Channel, Message
from bot.guild.values import Answer, Request
from bot.local.values import JsonObject

NONCE_SECONDS = 300.0  # "Create Message": the nonce is checked "in the past few minutes"
PINS = 250
PAGE = 100  # "Get Channel Messages": limit 1 to 100


class Messages:
    """Posts, reads, changes, deletes and pins."""

    def __init__(self, access: Access, windows: Windows) -> None:
        self._access = access
        self._windows = windows
        self._store = access.store
        self._forms = access.forms

    async def create(self, request: Request) -> Answer:
        """Serve "Create Message"."""
        store = self._store
        channel = self._access.channel(request)
        needed = (
            Permission.SEND_MESSAGES_IN_THREADS if channel.is_thread else Permission.SEND_MESSAGES
        )
        self._access.require(channel, needed)
        self._access.refuse_locked(channel)
        body = request.body
        made = draft(CREATE, body, request.files)
        self._filter(body)
        if made.added:
            self._access.require(channel, Permission.ATTACH_FILES)
        known = self._by_nonce(body)
        if known is not None:
            return Answer(200, self._forms.message(known))
        message = Message(
            store.ids.next(),
            channel.id,
            store.identity.application_id,
            store.clock.time(),
            tts=bool(body.get("tts")),
            nonce=body.get("nonce"),
        )
        self._refer(channel, message, body.get("message_reference"))
        store.fill(message, made, request.files, body.get("allowed_mentions"))
        if channel.archived:  # "Threads": sending a message into an archived thread opens it
            channel.archived, channel.archived_at = False, store.clock.time()
            store.on_change("thread_changed", channel)
        store.add(message)
        if body.get("enforce_nonce") and body.get("nonce") is not None:
            self._store.nonces[str(body["nonce"])] = (store.clock.monotonic(), message)
        return Answer(200, self._forms.message(message))

    def _by_nonce(self, body: JsonObject) -> Message | None:
        """Return the message made before with the same nonce, when that is asked for."""
        now = self._store.clock.monotonic()
        self._store.nonces = {
            n: (at, m) for n, (at, m) in self._store.nonces.items() if now - at < NONCE_SECONDS
        }
        if not body.get("enforce_nonce") or body.get("nonce") is None:
            return None
        known = self._store.nonces.get(str(body["nonce"]))
        return known[1] if known is not None else None

    def _refer(self, channel: Channel, message: Message, reference: JsonObject | None) -> None:
        if reference is None:
            return
        self._require_history(channel)
        target = str(reference["message_id"])
        if target in channel.messages:
            message.kind, message.replies_to = REPLY, target
        elif reference.get("fail_if_not_exists", True):
            tree = {"_errors": [{"code": "REPLIES_UNKNOWN_MESSAGE", "message": "Unknown message"}]}
            raise errors.invalid_form({"message_reference": tree})

    def _require_history(self, channel: Channel) -> None:
        if not self._access.may(channel, Permission.READ_MESSAGE_HISTORY):
            raise errors.cannot_reply()

    async def listed(self, request: Request) -> Answer:
        """Serve "Get Channel Messages"."""
        channel = self._access.channel(request)
        if not self._access.may(channel, Permission.READ_MESSAGE_HISTORY):
            return Answer(200, [])  # "... this endpoint will return no messages"
        query = request.query
        given = [n for n in ("around", "before", "after") if n in query]
        wanted = query.get("limit", "50")
        limit = int(wanted) if wanted.isascii() and wanted.isdigit() else 0
        if not 1 <= limit <= PAGE or len(given) > 1:
            message = f"int value should be between 1 and {PAGE}."
            tree = {"_errors": [{"code": "NUMBER_TYPE_MAX", "message": message}]}
            raise errors.invalid_form({"limit": tree})
        for name in given:
            if not is_snowflake(query[name]):
                raise errors.unknown_message()
        found = list(channel.messages.values())
        if "before" in query:
            found = [m for m in found if int(m.id) < int(query["before"])][-limit:]
        elif "after" in query:
            found = [m for m in found if int(m.id) > int(query["after"])][:limit]
        elif "around" in query:
            middle = int(query["around"])
            nearest = sorted(found, key=lambda m: abs(int(m.id) - middle))[:limit]
            found = sorted(nearest, key=lambda m: int(m.id))
        else:
            found = found[-limit:]
        return Answer(200, [self._forms.message(m) for m in reversed(found)])

    async def get(self, request: Request) -> Answer:
        """Serve "Get Channel Message"."""
        channel, message = self._target(request)
        self._access.require(channel, Permission.READ_MESSAGE_HISTORY)
        return Answer(200, self._forms.message(message))

    async def edit(self, request: Request) -> Answer:
        """Serve "Edit Message"."""
        channel, message = self._target(request)
        if message.author != self._store.identity.application_id:
            raise errors.not_the_author()
        if channel.archived:
            raise errors.thread_archived()
        # "Threads", on locked ones: without MANAGE_THREADS nobody updates messages there, either.
        self._access.refuse_locked(channel)
        self._slow_down(message)
        names = {f.id: f.filename for f in message.files}
        body = request.body
        made = draft(EDIT, body, request.files, message.as_draft(), names)
        self._filter(body)
        if made.added:
            self._access.require(channel, Permission.ATTACH_FILES)
        self._store.fill(message, made, request.files, body.get("allowed_mentions"))
        message.edited = self._store.clock.time()
        self._store.changed(message)
        return Answer(200, self._forms.message(message))

    def _filter(self, body: JsonObject) -> None:
        """Raise ApiError for a message that holds what a filter looks for."""
        if any(word in json.dumps(body, ensure_ascii=False) for word in self._store.filtered):
            raise errors.harmful()

    def _slow_down(self, message: Message) -> None:
        """Raise ApiError for one edit too many of a channel's old messages."""
        if self._store.clock.time() - message.timestamp <= OLD_SECONDS:
            return
        window = self._windows.take(
            "old edits", message.channel, EDIT_OLD_MESSAGE, counts_globally=False
        )
        if window.refused_for is not None:
            raise errors.too_many_old_edits(window.refused_for)

    async def delete(self, request: Request) -> Answer:
        """Serve "Delete Message"."""
        channel, message = self._target(request)
        if message.author != self._store.identity.application_id:
            self._access.require(channel, Permission.MANAGE_MESSAGES)
        if channel.archived:
            raise errors.thread_archived()
        self._store.delete(message)
        return Answer(204)

    # Pins

    async def pin(self, request: Request) -> Answer:
        """Serve "Pin Message"."""
        channel, message = self._target(request)
        self._access.require(channel, Permission.PIN_MESSAGES)
        if channel.archived:
            raise errors.thread_archived()
        if message.kind == PINNED:
            raise errors.cannot_act_on_system_message()
        if message.pinned is None:
            if sum(m.pinned is not None for m in channel.messages.values()) >= PINS:
                raise errors.too_many_pins()
            self._set_pin(channel, message, self._store.clock.time())
            # A system message tells of it ("Message Types": CHANNEL_PINNED_MESSAGE).
            store = self._store
            note = Message(
                store.ids.next(),
                channel.id,
                store.identity.application_id,
                store.clock.time(),
                PINNED,
                replies_to=message.id,
            )
            store.add(note)
        return Answer(204)

    async def unpin(self, request: Request) -> Answer:
        """Serve "Unpin Message"."""
        channel, message = self._target(request)
        self._access.require(channel, Permission.PIN_MESSAGES)
        if channel.archived:
            raise errors.thread_archived()
        if message.pinned is not None:
            self._set_pin(channel, message, None)
        return Answer(204)

    async def pins(self, request: Request) -> Answer:
        """Serve "Get Channel Pins"."""
        items = [{"pinned_at": moment(at), "message": m} for at, m in self._pinned(request)]
        return Answer(200, {"items": items, "has_more": False})

    async def old_pins(self, request: Request) -> Answer:
        """Serve the older "Get Pinned Messages"."""
        return Answer(200, [m for _, m in self._pinned(request)])

    def _pinned(self, request: Request) -> list[tuple[float, JsonObject]]:
        channel = self._access.channel(request)
        self._access.require(channel, Permission.READ_MESSAGE_HISTORY)
        found = [(m.pinned, m) for m in channel.messages.values() if m.pinned is not None]
        found.sort(key=lambda pair: pair[0], reverse=True)
        return [(at, self._forms.message(m)) for at, m in found]

    def _set_pin(self, channel: Channel, message: Message, at: float | None) -> None:
        message.pinned = at
        if at is not None:
            channel.last_pin = at
        self._store.on_change("pins", channel)
        self._store.changed(message)

    def _target(self, request: Request) -> tuple[Channel, Message]:
        channel = self._access.channel(request)
        return channel, self._store.message(channel, request.parameters["message_id"])
