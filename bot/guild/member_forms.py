"""Things as the member API gives them to the page and to GuildClient."""

import copy

from bot.guild.checks.messages import Flag
from bot.guild.forms import moment
from bot.guild.store import Store
from bot.guild.things import Channel, Message
from bot.local.values import JsonObject


class MemberForms:
    """Writes messages and threads as a person sees them."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def message(self, message: Message) -> JsonObject:
        """Return a MESSAGE."""
        store = self._store
        is_bot = message.author == store.identity.application_id
        name = store.identity.app_name if is_bot else store.members[message.author].shown
        origin = message.origin
        has_thread = message.flags & Flag.HAS_THREAD and message.id in store.channels
        return {
            "id": message.id,
            "channel_id": message.channel,
            "author": {"id": message.author, "name": name, "bot": is_bot},
            "content": message.content,
            "embeds": copy.deepcopy(message.embeds),
            "components": copy.deepcopy(message.components),
            "flags": int(message.flags),
            "edited": message.edited is not None,
            "timestamp": moment(message.timestamp),
            "thread_id": message.id if has_thread else None,
            "ephemeral": message.only_for is not None,
            "thinking": message.loading,
            "pinned": message.pinned is not None,
            "reply_to": message.replies_to,
            "mentions": list(message.mentions),
            "interaction": (
                {"user": origin.user, "name": origin.name} if origin and origin.name else None
            ),
            "attachments": [
                {
                    "id": f.id,
                    "filename": f.filename,
                    "url": f"/member/file/{f.id}",
                    "description": f.description,
                }
                for f in message.files
            ],
        }

    def thread(self, thread: Channel) -> JsonObject:
        """Return a thread."""
        return {
            "id": thread.id,
            "name": thread.name,
            "parent_id": thread.parent,
            "message_id": thread.id,
            "archived": thread.archived,
            "locked": thread.locked,
        }
