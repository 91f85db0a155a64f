"""Discord tells every instance of each click: one answers it, whichever of them is there."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest

from bot.guild import Guild
from bot.guild.hands import _shown
from bot.guild.member import Outcome
from bot.guild.room import GuildRoom
from tests.databases import PostgresDatabases, postgres

from .instances import STOPPING, Fleet, another
from .instances import fleet as open_fleet
from .playing import ACCOUNT, Play, in_guild, playing, until

__all__ = ["postgres"]
_ANSWER = ("POST", "/interactions/{interaction_id}/{interaction_token}/callback")
_COUNT = "SELECT count(*) FROM auditentry WHERE action = '{}' AND phase = '{}'"


@pytest.fixture
async def fleet(tmp_path: Path, postgres: PostgresDatabases) -> AsyncIterator[Fleet]:
    async with open_fleet(tmp_path, postgres, "discord") as made:
        yield made


@pytest.fixture
async def play(tmp_path: Path, mailboxes: Path, postgres: PostgresDatabases) -> AsyncIterator[Play]:
    with postgres.lent() as url:
        async with playing(tmp_path, mailboxes, chats=("discord",), database=url) as made:
            yield made


def _guild(of: Fleet | Play) -> Guild:
    room = of.room if isinstance(of, Fleet) else of.stage.rooms[0]
    assert isinstance(room, GuildRoom)
    return room.guild


async def _answered(guild: Guild, outcomes: Iterable[Outcome]) -> None:
    """See that each click was taken, and answered in time, by one."""
    for outcome in outcomes:
        assert outcome.ok, outcome
        assert outcome.interaction is not None
        assert await guild.until_answered(outcome.interaction) is not None
    taken = Counter(
        call.parameters["interaction_id"]
        for call in guild.journal.of(*_ANSWER)
        if call.status < 300
    )
    assert set(taken.values()) == {1}


async def test_each_click_is_answered_by_one_of_three_instances_and_acts_once(
    fleet: Fleet,
) -> None:
    guild = _guild(fleet)
    for _ in range(3):
        await fleet.begin()
    # Those that asked too soon after another came all the same.
    assert guild.app_connections == 3
    await fleet.spam(60)
    card = await fleet.otto.card_with(ACCOUNT, "60 messages in 5 min")
    ada = in_guild(fleet.ada)._client
    clicks = [ada.press(card.raw, "Acknowledge") for _ in range(4)]
    looks = [ada.command("spool", "help") for _ in range(4)]
    await _answered(guild, await asyncio.gather(*clicks, *looks))
    await fleet.otto.card_with(ACCOUNT, "Acknowledged by")
    assert fleet.asked(_COUNT.format("acknowledge", "intent")) == [(1,)]
    assert fleet.asked(_COUNT.format("acknowledge", "result")) == [(1,)]
    await until(
        lambda: fleet.asked(_COUNT.format("acknowledge", "repeated")) == [(len(clicks) - 1,)]
    )
    await fleet.otto.press(card, "Stop sending")
    await fleet.otto.line(card, "can no longer send")
    assert fleet.mail.web.asked.count(STOPPING) == 1
    # Each was claimed once: those, and a button with its question.
    assert fleet.asked("SELECT count(*) FROM claim") == [(len(clicks) + len(looks) + 2,)]


async def test_when_the_leader_is_killed_clicks_are_answered_before_another_leads(
    fleet: Fleet,
) -> None:
    guild = _guild(fleet)
    for _ in range(2):
        await fleet.begin()
    await fleet.spam(60)
    card = await fleet.otto.card_with(ACCOUNT, "60 messages in 5 min")
    leader = fleet.leader()
    assert leader is not None
    otto = in_guild(fleet.otto)._client
    during = [asyncio.create_task(otto.command("spool", "help")) for _ in range(5)]
    await fleet.kill(leader)
    after = [await otto.command("spool", "help") for _ in range(5)]
    await _answered(guild, after)
    # What the dead one had claimed and not answered fails where the person sees it.
    for outcome in await asyncio.gather(*during):
        assert outcome.interaction is not None
        if await guild.until_answered(outcome.interaction) is None:
            await otto.wait_for(lambda state: "did not respond" in " ".join(state.notices))
    await fleet.ada.press(card, "Stop sending")
    await until(lambda: fleet.mail.web.asked.count(STOPPING) == 1)
    await fleet.otto.line(card, "can no longer send")
    assert fleet.leader() in fleet.processes


async def test_a_form_that_is_filled_in_again_is_opened_by_the_instance_that_has_it(
    play: Play,
) -> None:
    other = another(play)
    async with other.running():
        await until(lambda: _guild(play).app_connections == 2)
        await play.spam()
        await play.otto.alert(ACCOUNT)
        form = await play.use(play.otto.pick_for_form, "Move to a folder…")
        for _ in range(5):
            assert "folder" in await play.otto.choose(form, new="../etc")
            again = _shown(in_guild(play.otto).state().ephemerals[-1])
            form = await play.otto.press_for_form(again, "Fill in…")
        assert "60 messages moved" in await play.otto.choose(form, new="evidence")
        # The mail server is in the other's process.
        play.app, first = other, play.app
        await first.stop()
        await play.stage.server.start()


async def test_without_the_database_a_click_is_answered_with_a_sentence_and_nothing_is_done(
    play: Play, postgres: PostgresDatabases
) -> None:
    database = play.app.settings.database.rpartition("/")[2]
    postgres.execute(f"ALTER DATABASE {database} ALLOW_CONNECTIONS false")
    try:
        postgres.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "  # noqa: S608
            f"WHERE datname = '{database}'"
        )
        said = await play.otto.type("help")
        assert "The bot's database could not be used" in said.text
    finally:
        postgres.execute(f"ALTER DATABASE {database} ALLOW_CONNECTIONS true")
    await until(lambda: play.app.lease.leads)
    assert "/spool search" in (await play.otto.type("help")).text
