"""A Discord channel, as the publisher uses it.

An incident's alert is a message of the channel, and its lines stand in a thread made from
that message: a thread's id is its first message's ("Start Thread from Message"). Where
there can be no thread any more, lines answer the alert in the channel.
"""

import contextlib
import secrets
import zlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from io import BytesIO
from typing import Literal, TypeVar

import aiohttp
import discord

from bot.chat import ChatDown, ChatGone, ChatRefused, Drawing, NoPictures, PictureRefused
from bot.discord.client import Client
from bot.discord.components import MAX_WORDS, message
from bot.discord.listeners import DISCORD
from bot.elements import Card, Paragraph, Picture, cut, say
from services.language import later, tr
from services.people import Place

_T = TypeVar("_T")

#: What the bot does in its channel, and so must be allowed to; spoolwarden check names them.
PERMISSIONS = discord.Permissions(
    view_channel=True,
    send_messages=True,
    create_public_threads=True,
    send_messages_in_threads=True,
    read_message_history=True,
    pin_messages=True,
)
#: With this alerts have a picture; without it they come without one.
PICTURES = discord.Permissions(attach_files=True)
_NOBODY = discord.AllowedMentions.none()
_WEEK: Literal[10080] = 10_080  # minutes; the longest that a thread stays in the list by itself
_THREAD_NAME, _NAMES = 100, 2000
# Discord's "JSON Error Codes".
_UNKNOWN_CHANNEL, _UNKNOWN_MESSAGE = 10003, 10008
_MISSING_ACCESS, _MISSING_PERMISSIONS = 50001, 50013
_NO_HISTORY, _ARCHIVED, _LOCKED = 160002, 50083, 160005
# What says that a thread takes no line, or that a message can have no thread.
_CLOSED = frozenset({_MISSING_ACCESS, _MISSING_PERMISSIONS, _ARCHIVED, _LOCKED})
_NO_THREAD = _CLOSED | {160004, 160006, 160007, 50024, _UNKNOWN_CHANNEL, _UNKNOWN_MESSAGE}
_INVALID = 50035
_NEVER = frozenset({_INVALID, 50005, 50006})
# What is said of a spammer may hold what a filter looks for: the server's own (AutoMod), Discord's.
_FILTERED = frozenset({200000, 240000})
_STAYS = "The thread is locked, so its lines stay as they are."  # not shown
_UNSEEN = (
    "the channel in discord.channel is not known to Discord, "  # not shown
    "or the bot cannot see it"
)
# Pictures that wait for the message that shows them: more than are ever under way.
_PICTURES = 4
# What keeps a message from being pinned until a person mends it.
_NO_PIN = {
    _MISSING_PERMISSIONS: later(
        "Discord refused to pin it: the bot lacks Pin Messages in its channel."
    ),
    30003: later("Discord refused to pin it: the channel has as many pins as it can have."),
}


class DiscordChat:
    """One channel. Implements bot.chat.Chat.

    A message's id is "THREAD/MESSAGE" where it stands in a thread.
    """

    def __init__(self, client: Client, channel: str) -> None:
        self._client = client
        self._place = Place(DISCORD, channel)
        self._nonces: dict[str, int] = {}  # of what was tried to post and may have arrived
        self._taken: OrderedDict[str, Drawing] = OrderedDict()  # to be sent with a card
        # What a thread under a message would be called, of the newest ones.
        self._names: OrderedDict[str, str] = OrderedDict()

    @property
    def place(self) -> Place:
        """The channel."""
        return self._place

    async def post(self, card: Card, *, ref: str, thread: str | None) -> str:
        """Post a card. Tried again within minutes it gives the same message ("nonce")."""
        message_id = await self._posted(card, ref, thread)
        # What is posted once more, after it was deleted, is another message.
        self._nonces.pop(ref, None)
        return message_id

    async def _posted(self, card: Card, ref: str, thread: str | None) -> str:
        return await _let_through(lambda let: self._posted_as_it_is(let, ref, thread), card)

    async def _posted_as_it_is(self, card: Card, ref: str, thread: str | None) -> str:
        if thread is None:
            sent = await self._called(self._send(self._place.channel, card, ref))
            self._named(str(sent.id), card)
            return str(sent.id)
        try:
            sent = await self._called(self._in_thread(thread, card, ref))
        except _NoThread:
            sent = await self._called(self._send(self._place.channel, card, ref, under=thread))
            return str(sent.id)
        return f"{thread}/{sent.id}"

    async def update(self, message_id: str, card: Card) -> None:
        """Show another card in place of a message; a thread is opened again for that."""
        channel, _, number = message_id.rpartition("/")
        if not channel:
            self._named(message_id, card)
        await _let_through(lambda let: self._called(self._edit(channel, number, let)), card)

    async def take(self, drawing: Drawing) -> str:
        """Keep a picture for the message that shows it first: it is sent as a part of that."""
        if not self._may_attach():
            raise NoPictures("The bot lacks Attach Files in its channel.")
        # Another name for each, as a client may have kept what it was shown under one.
        name = f"sending-{secrets.token_hex(4)}.png"
        self._taken[name] = drawing
        while len(self._taken) > _PICTURES:
            self._taken.popitem(last=False)
        return name

    async def drop(self, handle: str) -> None:
        """Forget a picture. One that a message had is gone with the message's next picture."""
        self._taken.pop(handle, None)

    def _may_attach(self) -> bool:
        channel = self._client.get_channel(int(self._place.channel))
        if not isinstance(channel, discord.abc.GuildChannel):
            return True  # Discord itself will say
        return channel.permissions_for(channel.guild.me).attach_files

    async def pin(self, message_id: str) -> None:
        """Pin a message of the channel."""
        message = self._part(self._place.channel).get_partial_message(int(message_id))
        try:
            await self._called(message.pin())
        except ChatDown as error:
            cause = error.__cause__
            if isinstance(cause, discord.HTTPException) and cause.code in _NO_PIN:
                raise ChatRefused(tr(_NO_PIN[cause.code])) from error
            raise

    async def remove(self, message_id: str) -> None:
        """Delete a message of the channel, and its pin with it."""
        message = self._part(self._place.channel).get_partial_message(int(message_id))
        with contextlib.suppress(ChatGone):
            await self._called(message.delete())

    async def link(self, message_id: str) -> str | None:
        """Return where a message of the channel is read."""
        return self._part(self._place.channel).get_partial_message(int(message_id)).jump_url

    async def find(self, ref: str, *, thread: str | None, since: datetime) -> str | None:
        """Look through what the channel, and the thread, got since then for the reference."""
        after = since - timedelta(minutes=1)
        if thread is not None and (found := await self._found(thread, ref, after)):
            return f"{thread}/{found}"
        return await self._found(self._place.channel, ref, after)

    async def _found(self, channel: str, ref: str, after: datetime) -> str | None:
        async def look() -> str | None:
            try:
                async for seen in self._part(channel).history(after=after, limit=None):
                    if seen.author == self._client.user and _marked(seen, ref):
                        return str(seen.id)
            except discord.NotFound:
                # The thread is made at the first line, and whatever was in it may be deleted.
                if channel == self._place.channel:
                    raise
            return None

        return await self._called(look())

    def _part(self, channel: str) -> discord.PartialMessageable:
        return self._client.get_partial_messageable(
            int(channel), guild_id=self._client.listeners.guild_id
        )

    async def _send(
        self, channel: str, card: Card, ref: str, *, under: str | None = None
    ) -> discord.Message:
        view = message(card)
        # Not shown, and given back with the message: by this number it is found again.
        view.children[0].id = _mark(ref)
        place = self._part(channel)
        nonce = self._nonces.setdefault(ref, secrets.randbits(53))
        if under is None:
            return await place.send(view=view, allowed_mentions=_NOBODY, nonce=nonce)
        above = discord.MessageReference(
            message_id=int(under), channel_id=int(channel), fail_if_not_exists=False
        )
        return await place.send(view=view, allowed_mentions=_NOBODY, nonce=nonce, reference=above)

    async def _edit(self, thread: str, number: str, card: Card) -> None:
        place = self._part(thread or self._place.channel)
        edit = place.get_partial_message(int(number)).edit
        shown = next((s.handle for s in card.all_sections if isinstance(s, Picture)), "")
        if drawing := self._taken.get(shown):
            file = discord.File(
                BytesIO(drawing.png), shown, description=cut(drawing.words, MAX_WORDS)
            )
            # In place of the one before; without the list, what a message has stays.
            await edit(view=message(card), attachments=[file], allowed_mentions=_NOBODY)
            del self._taken[shown]
            return
        try:
            await edit(view=message(card), allowed_mentions=_NOBODY)
        except discord.HTTPException as error:
            if thread and error.code == _UNKNOWN_CHANNEL:
                raise ChatGone("The thread is no longer there.") from error
            if thread and error.code == _LOCKED:
                raise ChatGone(_STAYS) from error
            if not thread or error.code != _ARCHIVED:
                raise
        else:
            return
        try:
            await self._client.http.edit_channel(int(thread), archived=False)
        except discord.HTTPException as error:
            if error.code in _CLOSED:
                raise ChatGone(_STAYS) from error
            raise
        await edit(view=message(card), allowed_mentions=_NOBODY)

    async def _in_thread(self, thread: str, card: Card, ref: str) -> discord.Message:
        """Post into a message's thread, which is made at the first line."""
        try:
            return await self._send(thread, card, ref)
        except discord.HTTPException as error:
            if error.code in _CLOSED:
                raise _NoThread(error.text) from error
            if error.code != _UNKNOWN_CHANNEL:
                raise
        try:
            await self._start_thread(thread)
            return await self._send(thread, card, ref)
        except discord.HTTPException as error:
            if error.code in _NO_THREAD:
                raise _NoThread(error.text) from error
            raise

    async def _start_thread(self, thread: str) -> None:
        above = self._part(self._place.channel).get_partial_message(int(thread))
        await above.create_thread(
            name=self._names.get(thread, tr("What was done")), auto_archive_duration=_WEEK
        )

    def _named(self, message_id: str, card: Card) -> None:
        if card.title:
            self._names[message_id] = cut(card.title, _THREAD_NAME)
            self._names.move_to_end(message_id)
            if len(self._names) > _NAMES:
                self._names.popitem(last=False)

    async def _called(self, call: Awaitable[_T]) -> _T:
        """Await a call of the library and turn its failure into one of ours."""
        if not self._client.http.token or self._client.is_closed():
            if hasattr(call, "close"):
                call.close()
            raise ChatDown("The bot is not logged in to Discord.", retry_after=1)
        try:
            return await call
        except discord.HTTPException as error:
            raise self._ours(error) from error
        except discord.RateLimited as error:
            wait = error.retry_after
            raise ChatDown(f"Discord asks to wait {wait:.0f} s.", retry_after=wait) from error
        except aiohttp.ClientConnectorError as error:
            raise ChatDown("Discord cannot be reached.") from error
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise ChatDown("Discord did not answer.", unsure=True) from error

    def _ours(self, error: discord.HTTPException) -> Exception:
        if error.code == _UNKNOWN_MESSAGE:
            return ChatGone("The message is no longer in the channel.")
        if error.code == _INVALID and ".media.url: " in error.text:
            return PictureRefused("Discord does not show the picture.")
        if error.code in _FILTERED:
            return _Filtered(self._refused(error))
        if error.code in _NEVER:
            return ChatRefused(self._refused(error))
        if error.status == 429:
            return ChatDown("Discord asks to wait, again and again.", retry_after=30)
        if error.status >= 500:
            return ChatDown(f"Discord answered {error.status}.", unsure=True)
        why = f"{error.text or 'an error'} ({error.code or error.status})"  # not shown
        if error.code == _UNKNOWN_CHANNEL:
            why = _UNSEEN
        elif error.code in (_MISSING_ACCESS, _MISSING_PERMISSIONS, _NO_HISTORY):
            why = f"the bot lacks permissions in its channel: {self._missing()}"  # not shown
        elif error.status == 401:
            why = "Discord does not accept the bot token"  # not shown
        return ChatDown(f"Discord refused: {why}.", retry_after=30)

    def _refused(self, error: discord.HTTPException) -> str:
        return f"Discord refused the message: {error.text or error.code}."  # not shown

    def _missing(self) -> str:
        channel = self._client.get_channel(int(self._place.channel))
        if isinstance(channel, discord.abc.GuildChannel):
            missing = lacking(channel.permissions_for(channel.guild.me))
            if missing:
                return missing
        return "spoolwarden check says which"  # not shown


class _NoThread(Exception):
    """There can be no thread under this message."""


class _Filtered(ChatRefused):
    """A filter does not let the message through for what it holds."""


async def _let_through(told: Callable[[Card], Awaitable[_T]], card: Card) -> _T:
    """Tell of a card, or, where a filter keeps it back, of what no filter does."""
    try:
        return await told(card)
    except _Filtered:
        return await told(_without_contents(card))


def _without_contents(card: Card) -> Card:
    """Return a card that no filter keeps back: with its title and its buttons, as it must act."""
    said = tr("A filter for harmful messages in Discord did not let the rest of this through.")
    return replace(card, sections=(Paragraph(say("⚠️ ", said)),), below=())


def lacking(granted: discord.Permissions) -> str:
    """Return the permissions that the bot needs and was not granted, by Discord's names."""
    if not granted.view_channel:
        # Without it no other counts, so what else is missing cannot be told.
        return "View Channel"  # not shown
    missing = [
        name.replace("_", " ").title()
        for name, needed in PERMISSIONS
        if needed and not getattr(granted, name)
    ]
    return ", ".join(missing)


def _mark(ref: str) -> int:
    """Return a component id for a reference: a number of 31 bits that is not 0."""
    return (zlib.crc32(ref.encode()) & 0x7FFFFFFF) or 1


def _marked(seen: discord.Message, ref: str) -> bool:
    return any(getattr(component, "id", None) == _mark(ref) for component in seen.components)
