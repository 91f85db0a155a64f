"""The gateway: identify, resume with nothing lost or doubled, faults, close codes."""

import asyncio
import json
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import discord
import pytest
from discord import ui

from bot.guild import Guild, GuildClient
from bot.local.client import PATIENCE

from .conftest import App, Raw

Socket = aiohttp.ClientWebSocketResponse
Dial = Callable[[], Awaitable[Socket]]


@pytest.fixture
async def dial(guild: Guild) -> AsyncIterator[Dial]:
    """Open a gateway connection without a client library."""
    async with aiohttp.ClientSession() as session:

        async def connect() -> Socket:
            return await session.ws_connect(f"{guild.gateway_url}?v=10&encoding=json")

        yield connect


def identify(guild: Guild, **changed: Any) -> dict[str, Any]:
    return {
        "op": 2,
        "d": {"token": guild.bot_token, "intents": 1, "properties": {"os": "linux"}, **changed},
    }


async def frame(socket: Socket) -> dict[str, Any]:
    async with asyncio.timeout(PATIENCE):
        received: dict[str, Any] = await socket.receive_json()
    return received


async def closed_with(socket: Socket) -> int | None:
    async with asyncio.timeout(PATIENCE):
        while (message := await socket.receive()).type is aiohttp.WSMsgType.TEXT:
            pass
    assert message.type is aiohttp.WSMsgType.CLOSE
    return socket.close_code


async def test_identifying_brings_ready_then_the_guild(guild: Guild, dial: Dial) -> None:
    socket = await dial()
    hello = await frame(socket)
    assert (hello["op"], hello["d"]) == (10, {"heartbeat_interval": 41250})
    await socket.send_json(identify(guild))
    ready = await frame(socket)
    assert (ready["t"], ready["s"]) == ("READY", 1)
    assert ready["d"]["resume_gateway_url"] == guild.gateway_url
    created = await frame(socket)
    assert (created["t"], created["s"]) == ("GUILD_CREATE", 2)
    assert [c["name"] for c in created["d"]["channels"]] == ["mail-ops", "secret"]
    await socket.send_json({"op": 1, "d": 2})
    assert (await frame(socket))["op"] == 11


async def test_transport_compression_is_one_stream_a_connection(guild: Guild) -> None:
    inflate = zlib.decompressobj()
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(
            f"{guild.gateway_url}?v=10&encoding=json&compress=zlib-stream"
        ) as socket,
    ):
        seen = []
        for _ in range(3):
            data = await socket.receive_bytes()
            assert data.endswith(b"\x00\x00\xff\xff")
            seen.append(json.loads(inflate.decompress(data)))
            if len(seen) == 1:
                await socket.send_json(identify(guild))
        assert [(f["op"], f["t"]) for f in seen] == [
            (10, None),
            (0, "READY"),
            (0, "GUILD_CREATE"),
        ]


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ({"op": 2, "d": {"token": "wrong", "intents": 1, "properties": {}}}, 4004),
        ({"op": 99}, 4001),
        ({"op": 3, "d": {}}, 4003),
        ({"op": "two"}, 4002),
        ([], 4002),
        ({"op": 6, "d": {"token": "wrong", "session_id": "x", "seq": 1}}, 4004),
    ],
)
async def test_a_wrong_frame_closes_the_connection(
    guild: Guild, dial: Dial, sent: Any, code: int
) -> None:
    socket = await dial()
    await frame(socket)
    await socket.send_json(sent)
    assert await closed_with(socket) == code


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"intents": 1 << 15}, 4014),
        ({"intents": 1 << 1}, 4014),
        ({"intents": 1 << 40}, 4013),
        ({"intents": "all"}, 4013),
        ({"shard": [1, 2]}, 4010),
        ({"properties": None}, 4002),
    ],
)
async def test_a_wrong_identify_closes_the_connection(
    guild: Guild, dial: Dial, changed: dict[str, Any], code: int
) -> None:
    socket = await dial()
    await frame(socket)
    await socket.send_json(identify(guild, **changed))
    assert await closed_with(socket) == code
    assert not guild.app_connected


async def test_one_identify_a_connection(guild: Guild, dial: Dial) -> None:
    socket = await dial()
    for _ in range(2):
        await socket.send_json(identify(guild))
    assert await closed_with(socket) == 4005


async def test_too_many_frames_close_the_connection(guild: Guild, dial: Dial) -> None:
    socket = await dial()
    for _ in range(121):
        await socket.send_json({"op": 1, "d": None})
    assert await closed_with(socket) == 4008


async def test_a_connection_without_heartbeats_is_given_up(guild: Guild, dial: Dial) -> None:
    guild.gateway.heartbeat_seconds = 0.05
    socket = await dial()
    await socket.send_json(identify(guild))
    async with asyncio.timeout(PATIENCE):
        while (message := await socket.receive()).type is aiohttp.WSMsgType.TEXT:
            if json.loads(message.data)["t"] == "READY":
                session = json.loads(message.data)["d"]["session_id"]
    assert socket.close_code == 4009
    assert not guild.app_connected
    again = await dial()
    await frame(again)
    resume = {"token": guild.bot_token, "session_id": session, "seq": 2}
    await again.send_json({"op": 6, "d": resume})
    assert await frame(again) == {"op": 9, "d": False, "s": None, "t": None}


async def test_a_resumed_session_gets_what_it_missed_in_order(guild: Guild, dial: Dial) -> None:
    socket = await dial()
    await frame(socket)
    await socket.send_json(identify(guild))
    session = (await frame(socket))["d"]["session_id"]
    await frame(socket)
    await socket.close(code=4000)
    for number in range(3):
        guild.gateway.dispatch("GUILD_ROLE_DELETE", {"number": number}, 1)
    again = await dial()
    await frame(again)
    await again.send_json(
        {"op": 6, "d": {"token": guild.bot_token, "session_id": session, "seq": 2}}
    )
    got = [await frame(again) for _ in range(4)]
    assert [(f["s"], f["t"]) for f in got] == [
        (3, "GUILD_ROLE_DELETE"),
        (4, "GUILD_ROLE_DELETE"),
        (5, "GUILD_ROLE_DELETE"),
        (6, "RESUMED"),
    ]


@pytest.mark.parametrize("seq", [99, -1, None, "2"])
async def test_a_session_can_not_be_resumed_from_where_it_never_was(
    guild: Guild, dial: Dial, seq: object
) -> None:
    socket = await dial()
    await frame(socket)
    await socket.send_json(identify(guild))
    session = (await frame(socket))["d"]["session_id"]
    await socket.close(code=4000)
    again = await dial()
    await frame(again)
    await again.send_json(
        {"op": 6, "d": {"token": guild.bot_token, "session_id": session, "seq": seq}}
    )
    assert (await frame(again))["op"] == 9


async def test_closing_normally_ends_the_session(guild: Guild, dial: Dial) -> None:
    socket = await dial()
    await frame(socket)
    await socket.send_json(identify(guild))
    session = (await frame(socket))["d"]["session_id"]
    await socket.close(code=1000)
    again = await dial()
    await frame(again)
    await again.send_json(
        {"op": 6, "d": {"token": guild.bot_token, "session_id": session, "seq": 1}}
    )
    assert (await frame(again))["d"] is False


async def test_messages_come_without_content_unless_the_intent_is_granted(
    guild: Guild, dial: Dial, otto: GuildClient, raw: Raw
) -> None:
    socket = await dial()
    await frame(socket)
    await socket.send_json(identify(guild, intents=1 | 1 << 9))
    await frame(socket)
    await frame(socket)
    await otto.say("a secret")
    said = await frame(socket)
    assert (said["t"], said["d"]["content"]) == ("MESSAGE_CREATE", "")
    assert said["d"]["member"]["roles"] == [guild.role_id("Operators")]
    await otto.say(f"<@{guild.application_id}> help")
    assert (await frame(socket))["d"]["content"].endswith("help")
    await raw("POST", f"/channels/{guild.channel_id('mail-ops')}/messages", json={"content": "ok"})
    assert (await frame(socket))["d"]["content"] == "ok"


# With the real client


async def press(app: App, channel: discord.TextChannel, otto: GuildClient) -> str:
    """Have a button, press it, and return the interaction's id."""
    view = ui.LayoutView()
    view.add_item(ui.ActionRow(ui.Button(label="Go", custom_id="press:1")))
    await channel.send(view=view)
    shown = await otto.wait_for(lambda s: s.last())
    outcome = await otto.press(shown, "Go")
    assert outcome.interaction is not None
    return outcome.interaction


async def test_a_press_while_the_socket_is_cut_arrives_once_after_the_resume(
    guild: Guild, app: App, channel: discord.TextChannel, otto: GuildClient
) -> None:
    guild.faults.drop_gateway()
    pressed = await press(app, channel, otto)
    await app.until("resumed")
    interaction = await app.next_interaction()
    assert str(interaction.id) == pressed
    await interaction.response.send_message("Here", ephemeral=True)
    await otto.wait_for(lambda s: s.last_ephemeral())
    assert app.interactions.empty()
    assert guild.app_connected


async def test_a_client_asked_to_reconnect_resumes(
    guild: Guild, app: App, channel: discord.TextChannel, otto: GuildClient
) -> None:
    guild.faults.ask_to_reconnect()
    await app.until("resumed")
    pressed = await press(app, channel, otto)
    assert str((await app.next_interaction()).id) == pressed
    assert app.interactions.empty()
    assert guild.gateway.identifies == 1


async def test_an_invalidated_session_is_begun_anew(
    guild: Guild, app: App, channel: discord.TextChannel, otto: GuildClient
) -> None:
    guild.faults.invalidate_session()
    await app.until("ready")
    assert guild.gateway.identifies == 2
    pressed = await press(app, channel, otto)
    assert str((await app.next_interaction()).id) == pressed
    assert app.interactions.empty()


async def test_an_invalid_but_resumable_session_is_resumed(guild: Guild, app: App) -> None:
    guild.faults.invalidate_session(resumable=True)
    await app.until("resumed")
    assert guild.gateway.identifies == 1


async def test_a_refused_gateway_is_tried_again(guild: Guild, app: App, otto: GuildClient) -> None:
    guild.faults.refuse_gateway(1)
    guild.faults.drop_gateway()
    await otto.wait_for(lambda s: not s.app_connected)
    await app.until("resumed")
    await otto.wait_for(lambda s: s.app_connected)


async def test_an_interaction_may_come_twice_and_be_answered_once(
    guild: Guild, app: App, channel: discord.TextChannel, otto: GuildClient
) -> None:
    guild.faults.deliver_twice(True)
    await press(app, channel, otto)
    first, second = await app.next_interaction(), await app.next_interaction()
    assert first.id == second.id
    await first.response.send_message("Once", ephemeral=True)
    with pytest.raises(discord.HTTPException) as twice:
        await second.response.send_message("Twice", ephemeral=True)
    assert twice.value.code == 40060
    await otto.wait_for(lambda s: s.last_ephemeral())
    assert len(otto.state().ephemerals) == 1


async def test_without_the_app_a_member_is_told_at_once(guild: Guild, otto: GuildClient) -> None:
    assert not guild.app_connected
    outcome = await otto.command("spool", "totals")
    assert outcome.error == "There is no command /spool."


async def test_one_session_is_begun_in_five_seconds_and_several_may_be_there(
    guild: Guild, dial: Dial
) -> None:
    guild.gateway.identify_seconds = 60.0
    first, second = await dial(), await dial()
    for socket in (first, second):
        await frame(socket)
        await socket.send_json(identify(guild))
    assert (await frame(first))["t"] == "READY"
    refused = await frame(second)
    assert (refused["op"], refused["d"]) == (9, False)
    assert (guild.app_connections, guild.gateway.too_soon) == (1, 1)
    guild.gateway.identify_seconds = 0.0
    await second.send_json(identify(guild))
    assert (await frame(second))["t"] == "READY"
    assert guild.app_connections == 2


async def test_who_identifies_too_often_a_day_loses_every_session_and_the_token(
    guild: Guild, dial: Dial
) -> None:
    guild.gateway.identify_seconds = 0.0
    first, second = await dial(), await dial()
    for socket in (first, second):
        await frame(socket)
    await first.send_json(identify(guild))
    assert (await frame(first))["t"] == "READY"
    guild.gateway.identifies = 1000
    await second.send_json(identify(guild))
    assert await closed_with(second) == 4004
    assert guild.app_connections == 0
    third = await dial()
    await frame(third)
    await third.send_json(identify(guild))
    assert await closed_with(third) == 4004
