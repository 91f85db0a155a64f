"""discord.py's client, as this bot uses it."""

import asyncio
import logging
import random
import time
from typing import Any

import discord
from discord.backoff import ExponentialBackoff
from discord.gateway import DiscordWebSocket, KeepAliveHandler
from discord.http import Route
from yarl import URL

from bot.discord.listeners import Listeners
from bot.discord.modals import FORM
from services.settings import DiscordSettings

_log = logging.getLogger(__name__)
#: Longer than this many seconds the library does not wait by itself when Discord says to.
_LONGEST_WAIT = 60.0
#: Nor does it wait longer between two tries to reach the gateway again.
_LONGEST_PAUSE = 30.0
#: "Session Start Limit Object": one IDENTIFY in so many seconds, of all instances together.
_IDENTIFY_SECONDS = 5.0


class ShortPause(ExponentialBackoff[Any]):
    """The library's pauses, which grow to a quarter of an hour: too long to answer nobody."""

    def delay(self) -> Any:
        """Return the seconds until the next try."""
        return min(float(super().delay()), _LONGEST_PAUSE)


class Heartbeats(KeepAliveHandler):
    """The library's heartbeats, each timed from before it is sent.

    The library notes the time afterwards. What is answered meanwhile, as by a server on the
    same machine, it would take for the answer to the heartbeat before, 41 s late.
    """

    def get_payload(self) -> dict[str, Any]:
        """Return a heartbeat that is about to be sent."""
        self._last_send = time.perf_counter()
        return super().get_payload()


class Client(discord.Client):
    """discord.py's client, with our listeners and nothing that the bot does not need."""

    def __init__(self) -> None:
        # Nothing here speaks, so nobody needs to be told what is missing for that.
        discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False
        super().__init__(
            # No message contents, no members: only what the channel and its threads are.
            intents=discord.Intents(guilds=True),
            allowed_mentions=discord.AllowedMentions.none(),
            max_messages=None,
            max_ratelimit_timeout=_LONGEST_WAIT,
        )
        self.listeners: Listeners

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Wait, but for the first time: several instances must not ask at once, again and again."""
        if not initial:
            await asyncio.sleep(_IDENTIFY_SECONDS * random.uniform(1.0, 1.5))  # noqa: S311

    async def on_interaction(self, interaction: discord.Interaction[Any]) -> None:
        """Take forms: the library would forget them when the bot restarts."""
        data: Any = interaction.data or {}
        is_form = str(data.get("custom_id", "")).startswith(f"{FORM}:")
        if interaction.type is discord.InteractionType.modal_submit and is_form:
            intent_id = str(data["custom_id"]).removeprefix(f"{FORM}:")
            if await self.listeners.takes(interaction, intent_id):
                await self.listeners.submitted(interaction, intent_id)

    async def on_error(self, event_method: str, /, *args: Any, **kwargs: Any) -> None:
        """Log what nobody foresaw; the next event is answered all the same."""
        _log.exception("%s failed in a way nobody foresaw", event_method)


def _in_words(record: logging.LogRecord) -> bool:
    """Have the library log a lost gateway, which is nobody's mistake, without a traceback."""
    if record.exc_info and str(record.msg).startswith("Attempting a reconnect"):
        record.msg = f"The gateway was lost ({record.exc_info[1]!r}); trying again in %.2f s."
        record.exc_info = None
    return True


def make_client(settings: DiscordSettings) -> Client:
    """Return a client that is not connected yet.

    The library knows Discord's addresses as values of its classes: another address, that
    of a local server, holds for the whole process.
    """
    Route.BASE = settings.api_url.rstrip("/")
    DiscordWebSocket.DEFAULT_GATEWAY = URL(settings.gateway_url)
    logging.getLogger("discord.client").addFilter(_in_words)
    # These classes are named inside the library and can be given in no other way.
    discord.client.ExponentialBackoff = ShortPause  # type: ignore[attr-defined]
    discord.gateway.KeepAliveHandler = Heartbeats  # type: ignore[misc]
    return Client()
