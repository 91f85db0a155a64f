"""The independent judge: what it finds, and that it is not fooled."""

import dataclasses

import discord
import pytest

from bot.guild import Call, Guild
from tests.judge_discord import SPEC_NAME, judge, specification

from .conftest import App

pytestmark = pytest.mark.skipif(
    specification() is None, reason=f"{SPEC_NAME} is not at hand; set SPOOLWARDEN_SPECS"
)
POST = "/channels/{channel_id}/messages"


async def posted(guild: Guild, channel: discord.TextChannel) -> Call:
    view = discord.ui.LayoutView()
    view.add_item(discord.ui.Container(discord.ui.TextDisplay("Hello"), accent_colour=0xFF0000))
    await channel.send(view=view)
    return guild.journal.of("POST", POST)[0]


async def test_it_finds_nothing_wrong_with_a_real_post(
    guild: Guild, app: App, channel: discord.TextChannel
) -> None:
    assert judge([await posted(guild, channel)]) == []


@pytest.mark.parametrize(
    ("request_change", "answer_change", "found"),
    [
        ({"flags": "many"}, {}, "request at /flags"),
        ({"colour": 1}, {}, "'colour' was unexpected"),
        ({"components": [{"type": 17, "components": []}]}, {}, "request at /components/0"),
        ({"components": [{"type": 99}]}, {}, "request at /components/0"),
        ({}, {"id": 7}, "answer at /id"),
        ({}, {"secret": "x"}, "'secret' was unexpected"),
        ({}, {"components": [{"type": 10, "content": "no id"}]}, "answer at /components/0"),
    ],
)
async def test_it_finds_what_is_wrong(
    guild: Guild,
    app: App,
    channel: discord.TextChannel,
    request_change: dict[str, object],
    answer_change: dict[str, object],
    found: str,
) -> None:
    call = await posted(guild, channel)
    wrong = dataclasses.replace(
        call, request={**call.request, **request_change}, answer={**call.answer, **answer_change}
    )
    faults = judge([wrong])
    assert any(found in fault for fault in faults), faults


async def test_it_finds_unknown_routes_statuses_and_parameters(
    guild: Guild, app: App, channel: discord.TextChannel
) -> None:
    call = await posted(guild, channel)
    for changed, found in (
        (dataclasses.replace(call, path="/channels/{channel_id}/nothing"), "no such operation"),
        (dataclasses.replace(call, status=302), "no answer with status 302"),
        (dataclasses.replace(call, query={"loud": "1"}), "unknown query parameter loud"),
    ):
        assert any(found in fault for fault in judge([changed]))
