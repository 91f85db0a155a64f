"""Killed while a chat is told: after the next start each incident and each act is there once.

The chats are real, in a process of their own that goes on; the bot talks to them over HTTP.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any, NamedTuple, cast

from sqlmodel import select

from bot.chat import Chat
from bot.demo.stage import OTTO, make_rooms
from bot.discord.chat import DiscordChat
from bot.discord.client import make_client as discord_client
from bot.discord.listeners import Listeners
from bot.guild.hands import GuildHands, _read_text
from bot.hands import Hands
from bot.publisher import INCIDENT, LINE, Publisher
from bot.slack.chat import SlackChat, make_client
from bot.workspace.hands import WorkspaceHands
from bot.workspace.reading import plain_text
from services.lease import lease_of
from services.mail.port import SpoolQuery
from services.models import Announcement, Incident, Intent, IntentState, Posted
from services.settings import DiscordSettings
from services.targets import Target

from ..mail.harness import ANN, BOB
from ..services.bench import CHANNEL, OPERATOR, Bench
from .kinds import FREE, furnish
from .stepping import Steps, die

CHATS = {"tell Slack": "slack", "tell Discord": "discord"}


class Message(NamedTuple):
    """A message of the bot's, as somebody in the chat reads it."""

    id: str
    thread: str  # the id of the alert that it stands under, "" in the channel itself
    text: str


class Wanted(NamedTuple):
    """What a chat must show of something: where, and what it must say."""

    posted: str | None  # the message's id, as the bot has written it down
    under: str
    says: str


@dataclass(frozen=True)
class Told:
    """How it stood in the database after the kill, and what is to be seen after the start."""

    left: int  # messages that the start had to post or change
    more: int  # and that a second look had to
    behind: int  # rows that say less than there is to say
    wanted: tuple[Wanted, ...]


async def prepare(bench: Bench) -> None:
    """Have two incidents, an act on each and one on none: nothing is told yet."""
    of_bob = await bench.alert(1, user=BOB)
    of_ann = await furnish(bench, 1)
    await bench.act("stop", Target(account=ANN), incident_id=of_ann)
    await bench.act("move", Target(query=SpoolQuery(sender=BOB)), incident_id=of_bob)
    await bench.act("block", Target(networks=(FREE,)))


async def tell(bench: Bench, chat: str, settings: Any, last: int | None) -> int:
    """Tell it all, then take an act back and tell that; return in how many steps."""
    steps = Steps(last)
    async with reached(chat, settings) as there:
        publisher = publisher_of(bench, there)
        await steps.through(publisher.catch_up())
        await _take_back(bench)
        await steps.through(publisher.catch_up())
        if last is not None:
            die()
    return steps.passed


async def _take_back(bench: Bench) -> None:
    async with bench.store.reading() as session:
        query = select(Intent.id).where(Intent.action == "stop", Intent.state == IntentState.DONE)
        done = (await session.exec(query)).one()
    undo_id = await bench.intents.offer_undo(CHANNEL, done)
    assert undo_id is not None
    assert (await bench.pipeline.execute(OPERATOR, CHANNEL, undo_id)).ok


async def look(bench: Bench, chat: str, settings: Any) -> Told:
    """Start anew on what was left, tell what is missing, and say what must be seen now."""
    async with reached(chat, settings) as there:
        publisher = publisher_of(bench, there)
        left = await publisher.catch_up()
        more = await publisher.catch_up()
    async with bench.store.reading() as session:
        posted = (await session.exec(select(Posted))).all()
        incidents = (await session.exec(select(Incident))).all()
        lines = (await session.exec(select(Announcement))).all()
        acts = {row.id: row for row in (await session.exec(select(Intent))).all()}
    ids = {(row.kind, row.ref): row.message_id for row in posted}
    newest = {(INCIDENT, row.id): row.version for row in incidents}
    newest |= {(LINE, row.id): row.version for row in lines}
    wanted = [Wanted(ids.get((INCIDENT, row.id or 0)), "", row.sender) for row in incidents]
    for line in lines:
        above = ids.get((INCIDENT, line.incident_id or 0)) or ""
        summary = acts[line.intent_id].summary if line.intent_id else line.text
        wanted.append(Wanted(ids.get((LINE, line.id or 0)), above, summary))
    behind = sum(row.version < newest[row.kind, row.ref] for row in posted)
    return Told(left, more, behind, tuple(wanted))


def faults_of(told: Told, shown: list[Message]) -> Iterator[str]:
    """Yield what is wrong with what the chat shows."""
    if told.more:
        yield f"a second look found {told.more} messages more to tell"
    if told.behind:
        yield f"{told.behind} messages are written down as older than they are"
    if len(shown) != len(told.wanted):
        yield f"{len(shown)} messages are shown, and should be {len(told.wanted)}: {shown}"
    for wanted in told.wanted:
        number = (wanted.posted or "").rpartition("/")[2]
        mine = [message for message in shown if message.id == number]
        if len(mine) != 1:
            yield f"“{wanted.says}” is shown {len(mine)} times under the id that is written down"
        elif wanted.says not in mine[0].text:
            yield f"the message does not say “{wanted.says}”: {mine[0].text}"
        elif mine[0].thread != wanted.under:
            yield f"“{wanted.says}” stands under {mine[0].thread}, not {wanted.under}"


def publisher_of(bench: Bench, chat: Chat) -> Publisher:
    return Publisher(
        chat,
        bench.store,
        bench.intents,
        {"mail": bench.server},
        bench.clock,
        lease_of(bench.store),
    )


@asynccontextmanager
async def reached(chat: str, settings: Any) -> AsyncIterator[Chat]:
    """Reach a chat as the bot does."""
    if chat == "slack":
        yield SlackChat(
            make_client(settings["bot_token"], settings["api_url"]), settings["channel"]
        )
        return
    there = discord_client(DiscordSettings(**settings))
    there.listeners = Listeners(cast(Any, None), cast(Any, None))  # nobody presses anything here
    await there.login(settings["bot_token"])
    connected = asyncio.create_task(there.connect(reconnect=False))
    try:
        channel: Any = await there.fetch_channel(int(settings["channel"]))
        there.listeners.guild_id = channel.guild.id
        async with asyncio.timeout(10):
            # The library makes threads only in a server that the gateway has told it of.
            while there.get_guild(channel.guild.id) is None:  # noqa: ASYNC110 - no event tells
                await asyncio.sleep(0.01)
        yield DiscordChat(there, settings["channel"])
    finally:
        await there.close()
        await connected


class Served:
    """A chat that runs in a process of its own."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.settings: Any = connection.recv()

    def shown(self) -> list[Message]:
        """Return what somebody reads there now."""
        self._connection.send("shown")
        return [Message(*one) for one in self._connection.recv()]


@contextmanager
def serving(chat: str) -> Iterator[Served]:
    """Have a chat, with nothing said in it, within the block."""
    ours, theirs = Pipe()
    pid = os.fork()
    if pid == 0:
        ours.close()
        try:
            asyncio.run(_serve(chat, theirs))
        finally:
            os._exit(0)
    theirs.close()
    try:
        yield Served(ours)
    finally:
        ours.close()
        os.waitpid(pid, 0)


async def _serve(chat: str, asked: Connection) -> None:
    (room,) = make_rooms((chat,))
    await room.start()
    asked.send(room.settings())
    try:
        while await asyncio.to_thread(asked.recv):
            # Somebody who comes in now has missed nothing.
            async with room.hands(OTTO) as hands:
                asked.send([tuple(message) for message in _read(hands)])
    except EOFError:
        await room.stop()


def _read(hands: Hands) -> Iterator[Message]:
    if isinstance(hands, WorkspaceHands):
        for message in hands._client.state().messages:
            yield Message(message.ts, message.thread_ts or "", plain_text(message))
        return
    assert isinstance(hands, GuildHands)
    state = hands._client.state()
    for shown in state.messages:
        if shown.components:
            thread = "" if shown.channel in state.channels else shown.channel
            yield Message(shown.id, thread, _read_text(shown))
