"""A workspace, an unmodified Bolt app connected to it, and members."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.local.client import PATIENCE
from bot.workspace import ManualClock, Member, MemberClient, SlashCommand, Workspace

VERA = Member("U0VERA", "vera", "Vera Viewer", "viewer")
OTTO = Member("U0OTTO", "otto", "Otto Operator", "operator")
COMMANDS = (SlashCommand("/spool", "Look at the spool", "search sender:…"),)

Connect = Callable[[AsyncApp], Awaitable[AsyncSocketModeHandler]]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def ws(clock: ManualClock) -> AsyncIterator[Workspace]:
    workspace = Workspace(
        members=(VERA, OTTO),
        channels=("mail-ops",),
        usergroups={"S0ADMINS": (OTTO.id,)},
        commands=COMMANDS,
        clock=clock,
    )
    await workspace.start()
    try:
        yield workspace
    finally:
        await workspace.stop()


@pytest.fixture
def web(ws: Workspace) -> AsyncWebClient:
    return AsyncWebClient(token=ws.bot_token, base_url=ws.base_url)


@pytest.fixture
def app(ws: Workspace, web: AsyncWebClient) -> AsyncApp:
    return AsyncApp(client=web, signing_secret=ws.signing_secret)


@pytest.fixture
async def connect(ws: Workspace) -> AsyncIterator[Connect]:
    handlers: list[AsyncSocketModeHandler] = []

    async def start(app: AsyncApp) -> AsyncSocketModeHandler:
        handler = AsyncSocketModeHandler(app, ws.app_token, ping_interval=0.2)
        handlers.append(handler)
        await handler.connect_async()  # type: ignore[no-untyped-call]
        async with asyncio.timeout(PATIENCE):
            await ws.until_app_connected()
        return handler

    yield start
    for handler in handlers:
        await handler.close_async()  # type: ignore[no-untyped-call]


@pytest.fixture
async def vera(ws: Workspace) -> AsyncIterator[MemberClient]:
    async with ws.member(VERA.id) as client:
        yield client


@pytest.fixture
async def otto(ws: Workspace) -> AsyncIterator[MemberClient]:
    async with ws.member(OTTO.id) as client:
        yield client
