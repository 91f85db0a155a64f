"""spoolwarden check against a running workspace: what is well, and what to do where it isn't."""

import sqlite3
from contextlib import closing
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from bot.demo.stage import OTTO, VERA
from bot.publisher import GONE, LINE, NOTHING
from bot.rooms import ROOMS
from bot.workspace import ChannelSpec, Member, Workspace
from bot.workspace.values import BOT_SCOPES
from services.models import Posted
from tests.end_to_end.playing import Play, command, config_file, ended, playing
from tests.mmdb import mmdb


async def _findings(play: Play, **slack: Any) -> tuple[int, dict[str, str]]:
    code, out, err = await ended("check", "--config", str(config_file(play, **slack)))
    assert err == ""
    return code, {line.partition(": ")[0]: line for line in out.splitlines()}


async def test_all_is_well_then_a_wrong_token_channel_and_app_token_are_named(play: Play) -> None:
    await play.app.stop()
    code, found = await _findings(play)
    assert code == 0, found
    assert {line[:4] for line in found.values()} == {"ok  "}
    assert found["ok   Slack channel"] == "ok   Slack channel: #mail-ops, the bot is in it"
    assert "opens Socket Mode connections" in found["ok   Slack app token"]
    assert "1 admins, 1 operators, 1 viewers" in found["ok   access"]
    code, found = await _findings(play, bot_token="xoxb-wrong")
    assert code == 1
    assert "Slack answers invalid_auth. Copy it (xoxb-…)" in found["FIX  Slack bot token"]
    code, found = await _findings(play, channel="C0NOWHERE", app_token="xapp-wrong")
    assert code == 1
    assert "Slack answers channel_not_found" in found["FIX  Slack channel"]
    assert "Make one with connections:write" in found["FIX  Slack app token"]


async def test_the_tables_of_an_earlier_release_are_left_to_its_bot(play: Play) -> None:
    await play.app.stop()
    with closing(sqlite3.connect(play.folder / "bot.db", isolation_level=None)) as database:
        database.execute("UPDATE alembic_version SET version_num = '0012'")
        code, found = await _findings(play)
        assert code == 0, found
        assert "the tables of an earlier release. Nothing was changed" in found["ok   database"]
        code, _, err = await ended("audit", "verify", "--config", str(config_file(play)))
        assert code == 1
        assert "the tables of an earlier release" in " ".join(err.split())
        assert database.execute("SELECT version_num FROM alembic_version").fetchall() == [("0012",)]


async def test_files_on_addresses_are_told_of_and_a_broken_one_is_named(play: Play) -> None:
    await play.app.stop()
    file = play.folder / "asn.mmdb"
    file.write_bytes(mmdb({ip_network("192.0.2.0/24"): {"asn": "AS64500"}}, kind="Networks"))
    places = {"asn_database": str(file), "country_database": str(play.folder / "none.mmdb")}
    code, out, _ = await ended("check", "--config", str(config_file(play, places)))
    assert code == 1
    lines = out.splitlines()
    assert f"ok   addresses: detection.asn_database: {file} is 'Networks' and is read" in lines
    (wrong,) = [line for line in lines if line.startswith("FIX")]
    assert wrong == (
        f"FIX  addresses: detection.country_database: {play.folder}/none.mmdb cannot be read: "
        "No such file or directory."
    )
    # The bot does not start with it either, and says the same.
    process = await command("run", "--config", str(config_file(play, places)))
    _, told = await process.communicate()
    assert process.returncode == 1
    assert "none.mmdb cannot be read: No such file" in " ".join(told.decode().split())


async def test_a_missing_scope_and_a_channel_without_the_bot_are_named(play: Play) -> None:
    await play.app.stop()
    async with Workspace(
        members=(Member("U0OTTO", "otto", "Otto Brandt"),),
        channels=(ChannelSpec("elsewhere", bot_is_member=False),),
        scopes=BOT_SCOPES,
    ) as other:
        code, found = await _findings(play, **_reach(other))
        assert code == 1
        told = found["FIX  Slack channel"]
        assert "The bot is not in #elsewhere: type /invite @Spoolwarden there." in told
    async with Workspace(
        members=(), channels=("mail-ops",), scopes=BOT_SCOPES - {"groups:history"}
    ) as other:
        code, found = await _findings(play, **_reach(other))
        assert code == 1
        told = found["FIX  Slack scopes"]
        assert "missing: groups:history (the same in a private channel)" in told
        assert "reinstall the app" in told


async def test_without_the_scope_for_pictures_it_says_what_is_missing_then_unless_none_is_wanted(
    play: Play,
) -> None:
    await play.app.stop()
    async with Workspace(
        members=(), channels=("mail-ops",), scopes=BOT_SCOPES - {"files:write"}
    ) as other:
        code, found = await _findings(play, **_reach(other))
        assert code == 1
        assert "so alerts come without a picture" in found["FIX  Slack scopes"]
        # It is the only thing that is missing, so all else is looked at, too.
        assert "ok   Slack channel" in found
        detection = play.app.settings.detection.model_copy(update={"picture": False})
        play.app.settings = play.app.settings.model_copy(update={"detection": detection})
        code, found = await _findings(play, **_reach(other))
        assert code == 0, found


async def test_what_a_chat_would_never_take_is_listed_and_what_was_deleted_there_is_not(
    play: Play,
) -> None:
    rows = [("It is too long.", 7), (GONE, 8), (NOTHING, 9), (None, 10)]
    async with play.app.store.session() as session:
        for error, ref in rows:
            session.add(Posted(chat="slack", kind=LINE, ref=ref, channel="C1", error=error))
    await play.app.stop()
    code, found = await _findings(play)
    assert code == 1
    assert [told for name, told in found.items() if "never shown" in name] == [
        "FIX  never shown: announcement 7 in slack: It is too long. It is in the log all the "
        "same: spoolwarden audit show."
    ]


@pytest.mark.parametrize("chat", sorted(ROOMS))
async def test_whose_role_is_for_some_domains_only_is_counted(
    chat: str, tmp_path: Path, mailboxes: Path
) -> None:
    limits = {OTTO: ("example.org", "example.com"), VERA: ("example.org",)}
    async with playing(tmp_path, mailboxes, chats=(chat,), limits=limits) as play:
        await play.app.stop()
        code, found = await _findings(play)
    assert code == 0, found
    assert found["ok   access"] == (
        "ok   access: 1 admins, 1 operators, 1 viewers listed; 2 of them for some domains only"
    )


def _reach(workspace: Workspace) -> dict[str, str]:
    (channel,) = (c.id for c in workspace.store.channels.values() if c.im_with is None)
    return {
        "api_url": workspace.base_url,
        "bot_token": workspace.bot_token,
        "app_token": workspace.app_token,
        "channel": channel,
    }
