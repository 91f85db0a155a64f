"""spoolwarden check against a running guild: what is well, and what to do where it isn't."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from bot.discord.chat import PERMISSIONS, PICTURES
from bot.guild.permissions import EVERY_PERMISSION, Permission
from services.settings import AccessSettings
from tests.end_to_end.playing import Play, config_file, ended, playing

_NEEDED = Permission((PERMISSIONS | PICTURES).value)


@pytest.fixture
async def play(tmp_path: Path, mailboxes: Path) -> AsyncIterator[Play]:
    async with playing(tmp_path, mailboxes, chats=("discord",)) as made:
        await made.app.stop()
        yield made


async def _findings(play: Play, **discord: Any) -> tuple[int, dict[str, str]]:
    code, out, err = await ended("check", "--config", str(config_file(play, **discord)))
    assert err == ""
    return code, {line.partition(": ")[0]: line for line in out.splitlines()}


async def test_all_is_well_with_no_more_than_the_invite_link_asks_for(play: Play) -> None:
    role = play.guild.role_id("operator")
    # Settings of the file that check reads.
    play.app.settings = play.app.settings.model_copy(
        update={"access": AccessSettings(admins=("1003",), operators=(f"group:{role}",))}
    )
    play.guild.faults.take_permissions(EVERY_PERMISSION & ~_NEEDED)
    code, found = await _findings(play)
    assert code == 0, found
    assert {line[:4] for line in found.values()} == {"ok  "}
    assert found["ok   Discord bot token"] == "ok   Discord bot token: is spoolwarden"
    told = found["ok   Discord channel"]
    assert told == "ok   Discord channel: #mail-ops of Local guild, with all that the bot needs"
    assert found[f"ok   Discord role {role}"].endswith(": is operator")
    link = urlsplit(found["ok   Discord invite link"].split(": ", 1)[1])
    asked = parse_qs(link.query)
    assert (link.scheme, link.netloc, link.path) == ("https", "discord.com", "/oauth2/authorize")
    assert asked["client_id"] == [play.guild.application_id]
    assert asked["scope"] == ["bot applications.commands"]
    assert Permission(int(asked["permissions"][0])) == (
        Permission.VIEW_CHANNEL
        | Permission.SEND_MESSAGES
        | Permission.ATTACH_FILES
        | Permission.READ_MESSAGE_HISTORY
        | Permission.CREATE_PUBLIC_THREADS
        | Permission.SEND_MESSAGES_IN_THREADS
        | Permission.PIN_MESSAGES
    )


async def test_without_the_permission_for_pictures_that_alone_is_missing(play: Play) -> None:
    play.guild.faults.take_permissions(Permission.ATTACH_FILES)
    code, found = await _findings(play)
    assert code == 1
    assert "so alerts come without a picture" in found["FIX  Discord pictures"]
    assert "ok   Discord channel" in found


async def test_a_wrong_token_and_a_wrong_channel_are_named(play: Play) -> None:
    code, found = await _findings(play, bot_token="wrong.wrong.wrong")
    assert code == 1
    assert "Discord does not accept it. Copy it" in found["FIX  Discord bot token"]
    code, found = await _findings(play, channel="1234567890123456789")
    assert code == 1
    told = found["FIX  Discord channel"]
    assert "1234567890123456789 is not known to Discord. Take the id" in told


async def test_what_each_lacking_permission_is_is_named(play: Play) -> None:
    faults = play.guild.faults
    for taken, named in (
        (Permission.VIEW_CHANNEL, "View Channel"),
        (Permission.READ_MESSAGE_HISTORY, "Read Message History"),
        (
            Permission.CREATE_PUBLIC_THREADS | Permission.SEND_MESSAGES_IN_THREADS,
            "Create Public Threads, Send Messages In Threads",
        ),
    ):
        faults.take_permissions(taken)
        code, found = await _findings(play)
        assert code == 1
        assert f"the bot lacks {named}." in found["FIX  Discord channel"]
        faults.give_permissions(taken)


async def test_a_role_that_is_not_there_and_an_endpoint_that_takes_all_away_are_named(
    play: Play,
) -> None:
    play.app.settings = play.app.settings.model_copy(
        update={"access": AccessSettings(operators=("group:1234567890123456789",))}
    )
    play.guild.faults.send_interactions_to("https://elsewhere.example/interactions")
    code, found = await _findings(play)
    assert code == 1
    told = found["FIX  Discord role 1234567890123456789"]
    assert "Local guild has no such role; it gives nobody a role." in told
    assert "go to an Interactions Endpoint URL" in found["FIX  Discord interactions"]
    assert "Empty that field" in found["FIX  Discord interactions"]


async def test_an_outage_is_one_sentence(play: Play) -> None:
    play.guild.faults.fail("GET", "/guilds/{guild_id}", 503)
    code, found = await _findings(play)
    assert code == 1
    assert "does not answer as it should" in found["FIX  Discord"]
    play.guild.faults.down = True
    code, found = await _findings(play)
    assert code == 1
    assert "does not answer as it should" in found["FIX  Discord"]
