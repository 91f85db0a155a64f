"""The HTTP API's own answers: who may call, how often, and what is missing or not allowed."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import discord
import pytest

from bot.guild import Guild, GuildClient, GuildMember, ManualClock, Permission
from bot.guild.limits import READ, Window, Windows

from .conftest import AGENT, App, Raw

POST = "/channels/{channel_id}/messages"
EDIT = "/channels/{channel_id}/messages/{message_id}"


@pytest.fixture
def ops(guild: Guild) -> str:
    return f"/channels/{guild.channel_id('mail-ops')}"


async def code(raw: Raw, method: str, path: str, **kwargs: Any) -> tuple[int, int]:
    status, answer = await raw(method, path, **kwargs)
    assert isinstance(answer, dict)
    return status, answer["code"]


async def test_only_the_bots_token_and_a_named_agent_get_in(guild: Guild) -> None:
    async def status(token: str, agent: str) -> int:
        headers = {"Authorization": token, "User-Agent": agent}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.get(f"{guild.api_url}/users/@me") as answer,
        ):
            return answer.status

    assert await status(f"Bot {guild.bot_token}", AGENT) == 200
    assert await status(f"Bot {guild.bot_token}x", AGENT) == 401
    assert await status(guild.bot_token, AGENT) == 401
    assert await status(f"Bot {guild.bot_token}", "curl/8") == 403


async def test_a_foreign_host_or_page_is_refused(guild: Guild) -> None:
    async with aiohttp.ClientSession() as session:
        for headers in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}):
            async with session.get(f"{guild.api_url}/gateway", headers=headers) as answer:
                assert answer.status == 403
        async with session.get(f"{guild.origin}/member/state?as=1001") as answer:
            assert answer.status == 403


async def test_a_client_with_a_wrong_token_can_not_log_in(guild: Guild) -> None:
    client = App()
    async with client:
        with pytest.raises(discord.LoginFailure):
            await client.login("wrong")


async def test_unknown_things_are_named(guild: Guild, ops: str, raw: Raw) -> None:
    assert await code(raw, "GET", "/nothing") == (404, 0)
    assert await code(raw, "PUT", "/gateway") == (405, 0)
    assert await code(raw, "GET", "/channels/4711") == (404, 10003)
    assert await code(raw, "GET", f"{ops}/messages/4711") == (404, 10008)
    assert await code(raw, "GET", "/guilds/4711") == (404, 10004)
    commands = f"/applications/{guild.application_id}/guilds/{guild.id}/commands"
    assert await code(raw, "DELETE", f"{commands}/4711") == (404, 10063)
    assert await code(raw, "GET", "/applications/1/guilds/1/commands") == (403, 50001)


async def test_a_body_that_is_not_json_is_refused(ops: str, raw: Raw) -> None:
    headers = {"Content-Type": "application/json"}
    assert await code(raw, "POST", f"{ops}/messages", data=b"{", headers=headers) == (400, 50109)
    headers = {"Content-Type": "text/plain"}
    assert await code(raw, "POST", f"{ops}/messages", data=b"{}", headers=headers) == (400, 50035)
    assert await code(raw, "POST", f"{ops}/messages", json=[]) == (400, 50035)


async def test_commands_are_registered_changed_and_taken_away_one_by_one(
    guild: Guild, raw: Raw, otto: GuildClient
) -> None:
    commands = f"/applications/{guild.application_id}/guilds/{guild.id}/commands"
    body = {"name": "spool", "description": "Look", "description_localizations": {"de": "Schau"}}
    status, made = await raw("POST", commands, json=body)
    assert status == 201
    status, again = await raw("POST", commands, json=body)
    assert (status, again) == (200, made)
    one = f"{commands}/{made['id']}"  # type: ignore[index]
    status, changed = await raw("PATCH", one, json={"description": "Look closely"})
    assert status == 200
    assert changed["id"] == made["id"]  # type: ignore[index]
    assert changed["version"] != made["version"]  # type: ignore[index]
    await otto.wait_for(lambda s: s.commands and s.commands[0]["description"] == "Look closely")
    assert await raw("GET", one) == (200, changed)
    _, listed = await raw("GET", commands)
    assert "description_localizations" not in listed[0]  # type: ignore[index]
    assert (await raw("DELETE", one))[0] == 204
    assert await raw("GET", commands) == (200, [])
    await otto.wait_for(lambda s: not s.commands)


# Permissions


async def test_without_sight_of_a_channel_there_is_no_access(guild: Guild, raw: Raw) -> None:
    secret = f"/channels/{guild.channel_id('secret')}"
    assert await code(raw, "GET", secret) == (403, 50001)
    assert await code(raw, "POST", f"{secret}/messages", json={"content": "x"}) == (403, 50001)


async def test_permissions_taken_and_given_back(
    guild: Guild, app: App, channel: discord.TextChannel, otto: GuildClient
) -> None:
    sent = await channel.send("Alert")
    thread = await sent.create_thread(name="Incident")
    other = await channel.send("Another")
    guild.faults.take_permissions(
        Permission.SEND_MESSAGES
        | Permission.SEND_MESSAGES_IN_THREADS
        | Permission.CREATE_PUBLIC_THREADS
        | Permission.PIN_MESSAGES
    )
    for refused in (
        channel.send("x"),
        thread.send("x"),
        other.create_thread(name="x"),
        other.pin(),
    ):
        with pytest.raises(discord.Forbidden) as missing:
            await refused
        assert missing.value.code == 50013
    await other.edit(content="Editing one's own needs no permission")
    guild.faults.give_permissions(Permission.SEND_MESSAGES)
    await channel.send("Again")
    assert otto.state().app_connected


async def test_others_messages_can_not_be_changed(
    guild: Guild, ops: str, otto: GuildClient, raw: Raw
) -> None:
    await otto.say("Mine")
    shown = await otto.wait_for(lambda s: s.last())
    path = f"{ops}/messages/{shown.id}"
    assert await code(raw, "PATCH", path, json={"content": "Yours"}) == (403, 50005)
    assert await code(raw, "DELETE", path) == (403, 50013)


async def test_roles_given_and_taken_reach_the_next_interaction(
    guild: Guild, app: App, channel: discord.TextChannel, otto: GuildClient
) -> None:
    guild.faults.take_role(otto.user, "Operators")
    guild.faults.give_role(otto.user, "Viewers")
    member = await channel.guild.fetch_member(int(otto.user))
    assert [r.name for r in member.roles] == ["@everyone", "Viewers"]


# Threads


async def test_an_archived_thread_opens_when_something_is_posted(
    guild: Guild, app: App, channel: discord.TextChannel, otto: GuildClient
) -> None:
    thread = await (await channel.send("Alert")).create_thread(name="Incident")
    line = await thread.send("Line")
    guild.faults.archive_thread(str(thread.id))
    await otto.wait_for(lambda s: s.threads and s.threads[0].archived)
    with pytest.raises(discord.HTTPException) as archived:
        await line.edit(content="x")
    assert archived.value.code == 50083
    await thread.send("Another")
    await otto.wait_for(lambda s: not s.threads[0].archived)


async def test_a_locked_thread_takes_nothing_without_the_right_to_manage_it(
    guild: Guild, app: App, channel: discord.TextChannel
) -> None:
    thread = await (await channel.send("Alert")).create_thread(name="Incident")
    guild.faults.lock_thread(str(thread.id))
    line = await thread.send("With the right it may")
    guild.faults.take_permissions(Permission.MANAGE_THREADS)
    with pytest.raises(discord.HTTPException) as locked:
        await thread.send("x")
    assert locked.value.code == 160005
    with pytest.raises(discord.HTTPException) as fixed:
        await line.edit(content="y")
    assert fixed.value.code == 160005
    guild.faults.archive_thread(str(thread.id), locked=True)
    with pytest.raises(discord.HTTPException) as archived:
        await thread.send("x")
    assert archived.value.code == 50083


async def test_the_starter_of_a_thread_may_archive_but_not_lock_it(
    guild: Guild, app: App, channel: discord.TextChannel
) -> None:
    thread = await (await channel.send("Alert")).create_thread(name="Incident")
    guild.faults.take_permissions(Permission.MANAGE_THREADS)
    with pytest.raises(discord.Forbidden) as missing:
        await thread.edit(locked=True)
    assert missing.value.code == 50013
    await thread.edit(name="Incident 1", archived=True)
    fetched = await app.fetch_channel(thread.id)
    assert isinstance(fetched, discord.Thread)
    assert (fetched.name, fetched.archived) == ("Incident 1", True)


async def test_a_deleted_channel_is_gone_with_its_threads(
    guild: Guild, app: App, channel: discord.TextChannel, otto: GuildClient
) -> None:
    thread = await (await channel.send("Alert")).create_thread(name="Incident")
    guild.faults.delete_channel(str(channel.id))
    for place in (channel, thread):
        with pytest.raises(discord.NotFound) as gone:
            await place.send("x")
        assert gone.value.code == 10003
    await otto.wait_for(lambda s: not s.threads and not s.messages)


# The nonce


async def test_the_same_nonce_gives_the_same_message_for_some_minutes(
    guild: Guild, app: App, channel: discord.TextChannel, clock: ManualClock
) -> None:
    first = await channel.send("Once", nonce="alert-1")
    again = await channel.send("Once", nonce="alert-1")
    assert first.id == again.id
    assert (await channel.send("Other", nonce="alert-2")).id != first.id
    clock.advance(600)
    assert (await channel.send("Once", nonce="alert-1")).id != first.id


async def test_a_lost_answer_is_made_good_by_the_nonce(
    guild: Guild, app: App, channel: discord.TextChannel, otto: GuildClient
) -> None:
    guild.faults.lose_answers("POST", POST)
    with pytest.raises((aiohttp.ClientError, OSError)):
        await channel.send("Once", nonce="alert-1")
    await channel.send("Once", nonce="alert-1")
    assert [m.content for m in otto.state().in_channels()] == ["Once"]


# Limits and outages


async def test_more_posts_than_the_window_takes_are_refused_with_the_wait(
    guild: Guild, ops: str, raw: Raw
) -> None:
    headers: dict[str, str] = {}
    patient = Guild(members=(GuildMember("1", "one"),), channels=("a",))
    async with patient:
        agent = {"Authorization": f"Bot {patient.bot_token}", "User-Agent": AGENT}
        url = f"{patient.api_url}/channels/{patient.channel_id('a')}/messages"
        async with aiohttp.ClientSession(headers=agent) as session:
            left = []
            for number in range(6):
                async with session.post(url, json={"content": f"{number}"}) as answer:
                    headers, body = dict(answer.headers), await answer.json()
                    left.append(answer.headers["X-RateLimit-Remaining"])
    assert left == ["4", "3", "2", "1", "0", "0"]
    assert answer.status == 429
    assert body["message"] == "You are being rate limited."
    assert body["global"] is False
    assert 0 < body["retry_after"] <= 5
    assert headers["X-RateLimit-Limit"] == "5"
    assert headers["X-RateLimit-Scope"] == "user"
    assert int(headers["Retry-After"]) >= body["retry_after"]
    assert 0 < float(headers["X-RateLimit-Reset-After"]) <= 5
    assert len(headers["X-RateLimit-Bucket"]) == 32


async def test_the_whole_api_takes_fifty_calls_a_second_over_all_routes() -> None:
    clock = ManualClock()
    windows = Windows(clock, 1.0)

    def call(number: int) -> Window:
        return windows.take("GET /x", str(number), READ, counts_globally=True)

    assert all(call(n).refused_for is None for n in range(50))
    refused = call(50)
    assert refused.is_global
    assert refused.headers()["X-RateLimit-Global"] == "true"
    outside = windows.take("POST /webhook", "1", READ, counts_globally=False)
    assert outside.refused_for is None
    clock.advance(1)
    assert call(51).refused_for is None


async def test_the_client_waits_out_a_429_and_tries_again(
    guild: Guild, app: App, channel: discord.TextChannel, otto: GuildClient
) -> None:
    guild.faults.rate_limit("POST", POST, 0.01, times=2)
    await channel.send("Patience")
    await otto.wait_for(lambda s: s.last())
    assert [c.status for c in guild.journal.of("POST", POST)] == [429, 429, 200]
    guild.faults.rate_limit("PATCH", EDIT, 0.01, is_global=True)
    await channel.get_partial_message(int(otto.state().messages[-1].id)).edit(content="More")
    assert [c.status for c in guild.journal.of("PATCH", EDIT)] == [429, 200]


async def test_a_channel_takes_three_edits_of_old_messages_in_six_seconds(
    guild: Guild,
    app: App,
    channel: discord.TextChannel,
    clock: ManualClock,
    otto: GuildClient,
) -> None:
    sent = [await channel.send(f"Alert {n}") for n in range(4)]
    clock.advance(3601)
    fresh = await channel.send("Now")
    for message in sent:
        await message.edit(content=f"{message.content}, again")
    await fresh.edit(content="Now, again")
    calls = guild.journal.of("PATCH", EDIT)
    # The client waits out what it is told, and then the fourth is taken, too.
    assert [call.status for call in calls][:4] == [200, 200, 200, 429]
    assert calls[3].answer["code"] == 30046
    assert calls[3].answer["retry_after"] > 0
    await otto.wait_for(lambda s: all("again" in m.content for m in s.in_channels()) or None)


async def test_what_a_filter_looks_for_is_in_no_message(
    guild: Guild, app: App, channel: discord.TextChannel
) -> None:
    message = await channel.send("Cheap pills")
    guild.faults.filter_out("pills")
    for call in (channel.send("More pills"), message.edit(content="The pills")):
        with pytest.raises(discord.HTTPException) as refused:
            await call
        assert (refused.value.status, refused.value.code) == (400, 240000)


async def test_a_server_error_changes_nothing(
    guild: Guild, ops: str, otto: GuildClient, raw: Raw
) -> None:
    guild.faults.fail("POST", POST, status=502)
    assert await code(raw, "POST", f"{ops}/messages", json={"content": "x"}) == (502, 0)
    guild.faults.down = True
    assert await code(raw, "GET", "/users/@me") == (503, 0)
    guild.faults.down = False
    assert otto.state().messages == ()


async def test_a_held_call_waits_until_it_is_released(
    guild: Guild, ops: str, otto: GuildClient, raw: Raw
) -> None:
    guild.faults.hold("POST", POST)
    calling = asyncio.ensure_future(raw("POST", f"{ops}/messages", json={"content": "x"}))
    await raw("GET", "/users/@me")
    assert not calling.done()
    guild.faults.release("POST", POST)
    assert (await calling)[0] == 200


@pytest.fixture
async def page(guild: Guild) -> AsyncIterator[aiohttp.ClientSession]:
    headers = {"Authorization": f"Bearer {guild.credentials.page_token}"}
    async with aiohttp.ClientSession(guild.origin, headers=headers) as session:
        yield session


@pytest.mark.parametrize(
    ("act", "body", "status", "error"),
    [
        ("say", {}, 404, "There is no such member."),
        ("say", {"as": "9"}, 404, "There is no such member."),
        ("say", {"as": "1001"}, 200, "«channel» is needed."),
        ("say", {"as": "1001", "channel": "1", "text": "x"}, 200, "There is no such channel."),
        ("command", {"as": "1001", "channel": "x", "name": "y", "options": 1}, 200, "object"),
        ("dismiss", {"as": "1001", "message": "1"}, 200, "That message is gone."),
        ("close", {"as": "1001", "modal": "1"}, 200, "That modal is closed."),
    ],
)
async def test_the_member_api_says_what_is_wrong(
    page: aiohttp.ClientSession, act: str, body: dict[str, Any], status: int, error: str
) -> None:
    async with page.post(f"/member/{act}", json=body) as answer:
        assert answer.status == status
        said = await answer.json()
    assert said["ok"] is False
    assert error in said["error"]


async def test_the_member_api_takes_json_only_and_known_members(
    page: aiohttp.ClientSession,
) -> None:
    async with page.post("/member/say", data=b"{") as answer:
        assert answer.status == 400
    for path in ("/member/state?as=9", "/member/events?as=9", "/member/file/9"):
        async with page.get(path) as answer:
            assert answer.status == 404
