"""A guild, an unmodified discord.py client connected to it, and members."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import discord
import pytest
import yarl
from discord import app_commands
from discord.gateway import DiscordWebSocket
from discord.http import Route

from bot.guild import ChannelSpec, Guild, GuildClient, GuildMember, ManualClock
from bot.local.client import PATIENCE
from tests.judge_discord import judge, specification

VERA = GuildMember("1001", "vera", "Vera Viewer", ("Viewers",))
OTTO = GuildMember("1002", "otto", "Otto Brandt", ("Operators",))
AGENT = "DiscordBot (https://example.invalid/tests, 1.0)"


class App(discord.Client):
    """A plain client with a command tree; ``interactions`` are those that came, in order."""

    def __init__(self) -> None:
        super().__init__(
            intents=discord.Intents(guilds=True),
            allowed_mentions=discord.AllowedMentions.none(),
            guild_ready_timeout=0.05,  # how long it waits for more guilds
        )
        self.tree = app_commands.CommandTree(self)
        self.interactions: asyncio.Queue[discord.Interaction] = asyncio.Queue()
        self.events: asyncio.Queue[str] = asyncio.Queue()

    async def on_interaction(self, interaction: discord.Interaction) -> None:
        self.interactions.put_nowait(interaction)

    async def on_resumed(self) -> None:
        self.events.put_nowait("resumed")

    async def on_ready(self) -> None:
        self.events.put_nowait("ready")

    async def next_interaction(self) -> discord.Interaction:
        async with asyncio.timeout(PATIENCE):
            return await self.interactions.get()

    async def until(self, event: str) -> None:
        async with asyncio.timeout(PATIENCE):
            while await self.events.get() != event:
                pass


Raw = Callable[..., Awaitable[tuple[int, object]]]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def guild(clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Guild]:
    made = Guild(
        members=(VERA, OTTO),
        roles=("Viewers", "Operators"),
        channels=("mail-ops", ChannelSpec("secret", bot_sees=False)),
        clock=clock,
        pace=0.01,
    )
    await made.start()
    monkeypatch.setattr(Route, "BASE", made.api_url)
    monkeypatch.setattr(DiscordWebSocket, "DEFAULT_GATEWAY", yarl.URL(made.gateway_url))
    try:
        yield made
        if specification() is not None:  # test_judge.py says so when it is missing
            assert judge(made.journal, refused_too=False) == []
    finally:
        await made.stop()


@pytest.fixture
async def app(guild: Guild) -> AsyncIterator[App]:
    client = App()
    async with client:
        running = asyncio.ensure_future(client.start(guild.bot_token))
        await client.until("ready")
        yield client
        await client.close()
        await asyncio.gather(running, return_exceptions=True)


@pytest.fixture
def channel(guild: Guild, app: App) -> discord.TextChannel:
    found = app.get_channel(int(guild.channel_id("mail-ops")))
    assert isinstance(found, discord.TextChannel)
    return found


@pytest.fixture
async def otto(guild: Guild) -> AsyncIterator[GuildClient]:
    async with guild.member(OTTO.id) as client:
        yield client


@pytest.fixture
async def vera(guild: Guild) -> AsyncIterator[GuildClient]:
    async with guild.member(VERA.id) as client:
        yield client


@pytest.fixture
async def raw(guild: Guild) -> AsyncIterator[Raw]:
    """Call the HTTP API without a client library."""
    headers = {"Authorization": f"Bot {guild.bot_token}", "User-Agent": AGENT}
    async with aiohttp.ClientSession(headers=headers) as session:

        async def call(method: str, path: str, **kwargs: object) -> tuple[int, object]:
            async with session.request(method, guild.api_url + path, **kwargs) as answer:  # type: ignore[arg-type]
                return answer.status, (await answer.json() if answer.content_length else None)

        yield call
