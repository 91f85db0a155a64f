"""Socket Mode: connections, acknowledgements in time, redelivery."""

import asyncio
from typing import Any

import aiohttp
import pytest
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.workspace import ManualClock, MemberClient, NotAcknowledged, Workspace
from bot.workspace.member import Outcome

from .conftest import Connect


async def link(ws: Workspace, session: aiohttp.ClientSession) -> aiohttp.ClientWebSocketResponse:
    web = AsyncWebClient(base_url=ws.base_url)
    answer = await web.apps_connections_open(app_token=ws.app_token)
    return await session.ws_connect(answer["url"])


async def test_hello_says_how_many_connections_there_are(ws: Workspace) -> None:
    async with aiohttp.ClientSession() as session:
        sockets = [await link(ws, session) for _ in range(2)]
        hellos = [await s.receive_json() for s in sockets]
        assert [h["num_connections"] for h in hellos] == [1, 2]
        assert hellos[0]["type"] == "hello"
        assert hellos[0]["connection_info"] == {"app_id": ws.identity.app_id}
        assert hellos[0]["debug_info"]["approximate_connection_time"] > 0
        for socket in sockets:
            await socket.close()


async def test_an_eleventh_connection_is_sent_away(ws: Workspace, clock: ManualClock) -> None:
    async with aiohttp.ClientSession() as session:
        sockets = [await link(ws, session) for _ in range(10)]
        clock.advance(60)
        extra = await link(ws, session)
        assert await extra.receive_json() == {
            "type": "disconnect",
            "reason": "too_many_websockets",
        }
        for socket in (*sockets, extra):
            await socket.close()


async def test_a_ticket_is_good_once(ws: Workspace) -> None:
    web = AsyncWebClient(base_url=ws.base_url)
    url = (await web.apps_connections_open(app_token=ws.app_token))["url"]
    async with aiohttp.ClientSession() as session:
        first = await session.ws_connect(url)
        with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
            await session.ws_connect(url)
        assert refusal.value.status == 401
        await first.close()


async def test_an_envelope_not_acknowledged_is_redelivered_on_the_next_connection(
    ws: Workspace, vera: MemberClient
) -> None:
    async with aiohttp.ClientSession() as session:
        first = await link(ws, session)
        await first.receive_json()
        running = asyncio.ensure_future(vera.command("/spool look"))
        envelope = await first.receive_json()
        assert envelope["type"] == "slash_commands"
        assert envelope["accepts_response_payload"] is True
        await first.close()
        second = await link(ws, session)
        assert (await second.receive_json())["type"] == "hello"
        again = await second.receive_json()
        assert again == envelope
        await second.send_json({"envelope_id": again["envelope_id"], "payload": {"text": "hi"}})
        assert (await running).ok
        assert (await vera.wait_for(lambda s: s.last_ephemeral())).text == "hi"
        await second.close()


async def test_something_else_than_an_acknowledgement_closes_the_connection(
    ws: Workspace,
) -> None:
    async with aiohttp.ClientSession() as session:
        socket = await link(ws, session)
        await socket.receive_json()
        await socket.send_str("hello?")
        closing = await socket.receive()
        assert closing.type is aiohttp.WSMsgType.CLOSE
        assert closing.data == 1003


async def test_a_dropped_socket_does_not_lose_the_command(
    app: AsyncApp, connect: Connect, ws: Workspace, vera: MemberClient
) -> None:
    seen: list[str] = []

    @app.command("/spool")
    async def spool(ack: Any, command: dict[str, Any]) -> None:
        seen.append(command["text"])
        await ack(text="still here")

    await connect(app)
    ws.faults.drop_sockets()
    assert (await vera.command("/spool one")).ok  # sent while no connection was there
    assert seen == ["one"]
    await vera.wait_for(lambda s: s.app_connected)


async def test_the_app_reconnects_when_asked_to(
    app: AsyncApp, connect: Connect, ws: Workspace, vera: MemberClient
) -> None:
    @app.command("/spool")
    async def spool(ack: Any) -> None:
        await ack(text="new connection")

    await connect(app)
    opened = [c for c in ws.journal if c.method == "apps.connections.open"]
    await ws.faults.ask_to_reconnect("refresh_requested")
    assert (await vera.command("/spool")).ok
    again = [c for c in ws.journal if c.method == "apps.connections.open"]
    assert len(again) == len(opened) + 1


async def test_no_acknowledgement_within_three_seconds_is_told_to_the_member(
    app: AsyncApp, connect: Connect, clock: ManualClock, vera: MemberClient
) -> None:
    @app.command("/spool")
    async def spool() -> None:
        """Never acknowledges."""

    await connect(app)
    running = asyncio.ensure_future(vera.command("/spool"))
    await clock.until_asleep()
    clock.advance(2.9)
    clock.advance(0.2)
    assert await running == Outcome(ok=False, error="operation_timeout")
    await vera.wait_for(
        lambda s: s.notices == ('/spool failed with the error "operation_timeout"',)
    )


async def test_a_resent_envelope_is_the_same_and_says_so(ws: Workspace, vera: MemberClient) -> None:
    ws.faults.resend_envelopes(True)
    async with aiohttp.ClientSession() as session:
        socket = await link(ws, session)
        await socket.receive_json()
        running = asyncio.ensure_future(vera.command("/spool twice"))
        first, second = await socket.receive_json(), await socket.receive_json()
        assert second.pop("retry_attempt") == 1
        assert second.pop("retry_reason") == "timeout"
        assert first == second
        for text in ("one", "two"):
            ack = {"envelope_id": first["envelope_id"], "payload": {"text": text}}
            await socket.send_json(ack)
        assert (await running).ok
        shown = await vera.wait_for(lambda s: s.last_ephemeral())
        assert shown.text == "one"
        await socket.close()
    assert len(vera.state().ephemerals) == 1


async def test_an_answer_that_slack_would_refuse_is_refused(
    app: AsyncApp, connect: Connect, ws: Workspace, vera: MemberClient
) -> None:
    @app.command("/spool")
    async def spool(ack: Any) -> None:
        await ack(text="x", blocks=[{"type": "header", "text": {"type": "mrkdwn", "text": "x"}}])

    await connect(app)
    assert await vera.command("/spool") == Outcome(ok=False, error="invalid_blocks")
    call = ws.journal[-1]
    assert (call.method, call.answer["error"]) == ("ack:slash_commands", "invalid_blocks")


async def test_an_unknown_command_does_not_reach_the_app(vera: MemberClient) -> None:
    assert await vera.command("/spol search") == Outcome(ok=False, error="unknown_command")


async def test_events_are_retried_then_given_up(ws: Workspace, clock: ManualClock) -> None:
    async with aiohttp.ClientSession() as session:
        socket = await link(ws, session)
        await socket.receive_json()
        sending = asyncio.ensure_future(ws.send_event({"type": "app_home_opened"}))
        attempts: list[int | None] = []
        for pause in (0.0, 60.0, 300.0, None):
            frame = await socket.receive_json()
            attempts.append(frame.get("retry_attempt"))
            assert frame["payload"]["event"] == {"type": "app_home_opened"}
            await clock.until_asleep()
            clock.advance(3)
            if pause:
                await clock.until_asleep()
                clock.advance(pause)
        assert attempts == [None, 1, 2, 3]
        with pytest.raises(NotAcknowledged, match="http_timeout"):
            await sending
        await socket.close()
