"""Rate limits: the documented tiers, Retry-After, and a client that honours it."""

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient

from bot.workspace import ManualClock, Workspace
from bot.workspace.limits import TIER_2, TIER_3, Buckets, Tier


async def limited(ws: Workspace, channel: str) -> int | None:
    """Post once; return the Retry-After of a refusal."""
    url, headers = ws.base_url + "chat.postMessage", {"Authorization": f"Bearer {ws.bot_token}"}
    body = {"channel": channel, "text": "x"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, headers=headers, json=body) as answer,
    ):
        if answer.status == 200:
            return None
        assert answer.status == 429
        assert await answer.json() == {"ok": False, "error": "ratelimited"}
        return int(answer.headers["Retry-After"])


async def test_posting_allows_a_short_burst_then_one_a_second(
    clock: ManualClock, ws: Workspace
) -> None:
    channel = ws.channel_id("mail-ops")
    assert [await limited(ws, channel) for _ in range(6)] == [None] * 5 + [1]
    assert await limited(ws, "#mail-ops") == 1  # by name it is the same channel
    clock.advance(1)
    assert await limited(ws, channel) is None
    assert await limited(ws, channel) == 1
    clock.advance(60)
    assert [await limited(ws, channel) for _ in range(6)] == [None] * 5 + [1]


async def test_updates_have_their_own_limit_of_fifty_a_minute(
    clock: ManualClock, web: AsyncWebClient, ws: Workspace
) -> None:
    channel = ws.channel_id("mail-ops")
    ts = (await web.chat_postMessage(channel=channel, text="x"))["ts"]
    for number in range(50):
        await web.chat_update(channel=channel, ts=ts, text=str(number))
    with pytest.raises(SlackApiError) as refusal:
        await web.chat_update(channel=channel, ts=ts, text="one more")
    assert refusal.value.response.headers["Retry-After"] == "2"
    clock.advance(2)
    await web.chat_update(channel=channel, ts=ts, text="one more")


async def test_the_clients_retry_handler_waits_and_gets_through(
    web: AsyncWebClient, ws: Workspace
) -> None:
    web.retry_handlers.append(AsyncRateLimitErrorRetryHandler(max_retry_count=2))
    ws.faults.rate_limit("chat.postMessage", retry_after=1, times=1)
    answer = await web.chat_postMessage(channel=ws.channel_id("mail-ops"), text="x")
    assert answer["ok"]
    assert [c.http_status for c in ws.journal if c.method == "chat.postMessage"] == [429, 200]


async def test_a_forced_limit_ends_after_its_times(web: AsyncWebClient, ws: Workspace) -> None:
    ws.faults.rate_limit("auth.test", retry_after=7, times=2)
    for _ in range(2):
        with pytest.raises(SlackApiError) as refusal:
            await web.auth_test()
        assert refusal.value.response.headers["Retry-After"] == "7"
    assert (await web.auth_test())["ok"]


TIERS = st.sampled_from([TIER_2, TIER_3, Tier(60, 5)])


@given(TIERS, st.lists(st.floats(0, 30), max_size=60))
def test_no_pattern_of_calls_exceeds_the_tier(tier: Tier, pauses: list[float]) -> None:
    clock = ManualClock()
    buckets = Buckets(clock)
    taken = 0
    for pause in pauses:
        clock.advance(pause)
        taken += buckets.take((("m",), tier)) is None
    assert taken <= tier.burst + clock.monotonic() * tier.per_minute / 60 + 1e-6


@given(TIERS, st.lists(st.floats(0, 3), max_size=60))
def test_waiting_as_told_is_always_enough(tier: Tier, pauses: list[float]) -> None:
    clock = ManualClock()
    buckets = Buckets(clock)
    for pause in pauses:
        clock.advance(pause)
        wait = buckets.take((("m",), tier))
        if wait is not None:
            clock.advance(wait)
            assert buckets.take((("m",), tier)) is None


def test_a_refusal_takes_nothing_from_the_other_bucket() -> None:
    buckets = Buckets(ManualClock())
    small, large = Tier(60, 1), Tier(60, 2)
    assert buckets.take((("a",), small), (("b",), large)) is None
    assert buckets.take((("a",), small), (("b",), large)) == 1
    assert buckets.take((("b",), large)) is None
    assert buckets.take((("b",), large)) == 1
