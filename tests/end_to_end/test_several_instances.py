"""Two and three instances on one PostgreSQL: one alert, one act, and nothing lost when one dies."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from bot.app import App
from bot.hands import NotThere
from bot.rooms import ROOMS
from services.audit import Phase
from services.errors import ConfigError
from services.lease import Pace
from services.postgres import LEADING, LOCKS
from tests.databases import PostgresDatabases, postgres
from tests.wire import wire_to

from .instances import OTHER_ACCOUNT, STOPPING, Fleet, another
from .instances import fleet as open_fleet
from .playing import ACCOUNT, Play, playing, until

__all__ = ["postgres"]


@pytest.fixture(params=sorted(ROOMS))
async def play(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    mailboxes: Path,
    postgres: PostgresDatabases,
) -> AsyncIterator[Play]:
    with postgres.lent() as url:
        async with playing(tmp_path, mailboxes, chats=(request.param,), database=url) as made:
            yield made


# -- in one process --------------------------------------------------------------------------


async def test_two_instances_tell_once_and_act_once_and_the_second_takes_over(play: Play) -> None:
    other = another(play)
    async with other.running():
        assert (play.app.lease.leads, other.lease.leads) == (True, False)
        await play.spam()
        card = await play.otto.card_with(ACCOUNT, "60 messages in 5 min")
        await asyncio.gather(*(_press(play) for _ in range(4)))
        await play.otto.line(card, "60 messages held")
        entries = [entry.phase for entry in await play.audited("stop")]
        assert entries.count(Phase.INTENT) == entries.count(Phase.RESULT) == 1
        assert (await play.waiting(), await play.held()) == (0, 60)
        # The first stops in order, and takes the mail server that is in its process along.
        await play.app.stop()
        await play.stage.server.start()
        await until(lambda: other.lease.leads)
        play.app = other
        stopped = await play.otto.card_with(ACCOUNT, "Undo stop")
        form = await play.otto.press_for_form(stopped, "Undo stop")
        assert "60 messages released" in await play.otto.choose(form)
        assert [shown.id for shown in play.otto.cards()] == [card.id]
        assert len([line for line in play.otto.lines(card) if "60 messages held" in line.text]) == 1
        assert (await other.audit.verify()).broken_at is None


async def _press(play: Play) -> None:
    """Press the button if it is still there: another press may have been faster."""
    card = await play.otto.alert(ACCOUNT)
    try:
        await play.otto.press(card, "Stop sending")
    except NotThere:
        return


async def test_an_instance_that_is_cut_off_from_its_lease_goes_on_when_it_has_it_again(
    play: Play, postgres: PostgresDatabases
) -> None:
    await play.spam()
    card = await play.otto.card_with(ACCOUNT, "60 messages in 5 min")
    postgres.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' "  # noqa: S608
        f"AND classid = {LOCKS} AND objid = {LEADING}",
        play.app.settings.database,
    )
    await until(lambda: not play.app.lease.leads)
    await until(lambda: play.app.lease.leads)
    await play.spam(10)
    await play.otto.card_with(ACCOUNT, "70 messages in 5 min")
    await play.use(play.otto.press, "Stop sending")
    await play.otto.line(card, "70 messages held")
    assert [shown.id for shown in play.otto.cards()] == [card.id]


async def test_the_built_in_mail_server_is_in_one_process_only(play: Play) -> None:
    second = App(play.app.settings, clock=play.stage.clock)
    with pytest.raises(ConfigError, match="the built-in mail server is in one process only"):
        async with second.running():
            raise AssertionError("it runs")
    assert play.app.lease.leads


# -- as processes ----------------------------------------------------------------------------


@pytest.fixture
async def fleet(tmp_path: Path, postgres: PostgresDatabases) -> AsyncIterator[Fleet]:
    async with open_fleet(tmp_path, postgres) as made:
        yield made


async def test_when_the_leader_is_killed_another_polls_and_nothing_is_lost_or_doubled(
    fleet: Fleet,
) -> None:
    for _ in range(3):
        await fleet.begin()
    leaders = []
    for messages in (60, 120):
        await until(lambda: fleet.leader() in fleet.processes)
        leader = fleet.leader()
        assert leader is not None
        leaders.append(leader)
        await fleet.spam(60)
        card = await fleet.otto.card_with(ACCOUNT, f"{messages} messages in 5 min")
        await fleet.kill(leader)
    # The third sees what came in while nobody led.
    await fleet.spam(30)
    await until(lambda: fleet.leader() in fleet.processes)
    await fleet.otto.card_with(ACCOUNT, "150 messages in 5 min")
    leaders.append(fleet.leader() or 0)
    assert len(set(leaders)) == 3
    assert leaders[-1] in fleet.processes
    assert [shown.id for shown in fleet.otto.cards()] == [card.id]
    assert fleet.asked("SELECT count(*) FROM recentsubmission") == [(150,)]
    assert fleet.asked("SELECT count(*) FROM incident") == [(1,)]


async def test_when_the_leader_loses_sight_of_the_database_another_polls_and_it_keeps_still(
    fleet: Fleet,
) -> None:
    async with wire_to(fleet.url) as (wire, over_wire):
        first = await fleet.begin(over_wire)
        second = await fleet.begin()
        assert fleet.leader() == first
        wire.vanish()
        # What comes in is told once, though the first still reaches the mail server and the chat.
        await fleet.spam(60)
        await until(lambda: fleet.leader() == second, patience=30)
        card = await fleet.otto.card_with(ACCOUNT, "60 messages in 5 min")
        ceased, won = (
            next(line for line in fleet.log(number).read_text().splitlines() if said in line)
            for number, said in ((1, "no longer watches"), (2, "from now on"))
        )
        # Who has won the lease does nothing yet until what the other sent has arrived.
        begun = datetime.fromisoformat(won[:23]) + timedelta(seconds=Pace().settles)
        assert datetime.fromisoformat(ceased[:23]) < begun
        await fleet.spam(10)
        await fleet.otto.card_with(ACCOUNT, "70 messages in 5 min")
        assert [shown.id for shown in fleet.otto.cards()] == [card.id]
        assert fleet.asked("SELECT count(*) FROM recentsubmission") == [(70,)]
        assert "from now on" not in fleet.log(1).read_text()


async def test_clicks_of_one_button_in_three_instances_at_once_act_once(fleet: Fleet) -> None:
    for _ in range(3):
        await fleet.begin()
    await fleet.spam(60)
    card = await fleet.otto.card_with(ACCOUNT, "60 messages in 5 min")
    # Each click is brought to the next instance.
    await asyncio.gather(
        *(hands.press(card, "Stop sending") for hands in (fleet.otto, fleet.ada) * 3)
    )
    await fleet.otto.line(card, "can no longer send")
    await until(lambda: fleet.asked(_COUNT.format("repeated")) == [(5,)])
    assert fleet.asked(_COUNT.format("intent")) == [(1,)]
    assert fleet.asked(_COUNT.format("result")) == [(1,)]
    assert fleet.mail.web.asked.count(STOPPING) == 1
    assert len([line for line in fleet.otto.lines(card) if "can no longer" in line.text]) == 1


_COUNT = "SELECT count(*) FROM auditentry WHERE action = 'stop' AND phase = '{}'"


async def test_an_act_in_a_killed_instance_is_told_as_cut_off_and_one_in_a_living_goes_on(
    fleet: Fleet,
) -> None:
    for _ in range(3):
        await fleet.begin()
    cards = {}
    for account in (ACCOUNT, OTHER_ACCOUNT):
        await fleet.spam(60, account)
        cards[account] = await fleet.otto.card_with(account, "60 messages in 5 min")
    goes_on = fleet.mail.faults.held[STOPPING] = asyncio.Event()
    for card in cards.values():
        await fleet.otto.press(card, "Stop sending")
        await fleet.otto.line(card, "otto is stopping its sending")
    claimed = fleet.asked("SELECT claimed_in, target FROM intent WHERE state = 'claimed'")
    acting = {json.loads(target)["account"]: fleet.instance_of(n) for n, target in claimed}
    assert len(set(acting.values())) == 2, "two clicks after each other go to two instances"
    killed = acting[ACCOUNT]
    assert killed is not None
    await fleet.kill(killed)
    # Whoever leads then says so of the dead one's act, and of no other.
    await fleet.otto.line(cards[ACCOUNT], "was stopped in the middle of this")
    assert fleet.asked("SELECT state FROM intent WHERE claimed_in IS NOT NULL ORDER BY state") == [
        ("claimed",),
        ("interrupted",),
    ]
    goes_on.set()
    await fleet.otto.line(cards[OTHER_ACCOUNT], "can no longer send")
    results = fleet.asked(
        "SELECT subject, detail FROM auditentry WHERE action = 'stop' AND phase = 'result' "
        "ORDER BY seq"
    )
    assert [subject for subject, _ in results] == [ACCOUNT, OTHER_ACCOUNT]
    assert json.loads(results[0][1])["interrupted"] is True
    assert json.loads(results[1][1])["ok"] is True
