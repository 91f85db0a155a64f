"""The publisher: what may have arrived is posted once, and an alert that matters is shown."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import pytest

from bot.chat import ChatDown
from bot.elements import Card
from bot.publisher import INCIDENT, LINE
from bot.slack.chat import SlackChat, make_client
from bot.workspace import Member, SlashCommand, Workspace
from services.incidents import open_key
from services.models import Announcement, Incident, IncidentState
from services.tasks import end
from tests.faults.telling import publisher_of
from tests.faults.world import Paper, publisher

from ..mail.harness import BOB
from .bench import Bench, open_bench


class _Mute(Paper):
    """A channel that takes messages and whose next answers are these."""

    def __init__(self) -> None:
        super().__init__({})
        self.answers: list[ChatDown] = []
        self.posts = 0

    async def post(self, card: Card, *, ref: str, thread: str | None) -> str:
        posted = await super().post(card, ref=ref, thread=thread)
        self.posts += 1
        self._answer()
        return posted

    async def find(self, ref: str, *, thread: str | None, since: datetime) -> str | None:
        self._answer()
        return await super().find(ref, thread=thread, since=since)

    def _answer(self) -> None:
        if self.answers:
            raise self.answers.pop(0)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with open_bench(tmp_path) as bench:
        yield bench


async def test_what_may_have_arrived_is_searched_for_until_that_is_answered(bench: Bench) -> None:
    incident_id = await bench.alert()
    channel = _Mute()
    tells = publisher(bench, channel)
    channel.answers = [
        ChatDown("Slack did not answer.", unsure=True),
        ChatDown("Slack asks to wait 30 s.", retry_after=30),  # to the search for it
        ChatDown("Slack cannot be reached."),
    ]
    while channel.answers:
        with pytest.raises(ChatDown):
            await tells.catch_up()
    await tells.catch_up()
    assert channel.posts == 1
    assert [name for name, _ in channel.shown.values()] == [f"{INCIDENT}:{incident_id}"]


async def test_an_alert_that_was_deleted_when_it_was_over_is_back_when_it_is_open_again(
    bench: Bench,
) -> None:
    incident_id = await bench.alert()
    channel = _Mute()
    tells = publisher(bench, channel)
    await tells.catch_up()
    await _set(bench, incident_id, IncidentState.CLOSED)
    channel.shown.clear()
    await tells.catch_up()
    assert channel.shown == {}
    await _set(bench, incident_id, IncidentState.OPEN)
    await tells.catch_up()
    assert [name for name, _ in channel.shown.values()] == [f"{INCIDENT}:{incident_id}"]
    await tells.catch_up()
    assert channel.posts == 2


async def test_a_line_under_an_alert_that_was_deleted_holds_nothing_up_in_slack(
    bench: Bench,
) -> None:
    incident_id = await bench.alert()
    workspace = Workspace(
        members=(Member("U0OTTO", "otto", "Otto Operator", "operator"),),
        channels=("mail-ops",),
        commands=(SlashCommand("/spool", "Look at the spool", ""),),
    )
    await workspace.start()
    try:
        chat = SlackChat(
            make_client(workspace.bot_token, workspace.base_url), workspace.channel_id("mail-ops")
        )
        tells = publisher_of(bench, chat)
        await tells.catch_up()
        shown = workspace.store.channels[chat.place.channel].messages
        (alert,) = shown
        await chat.remove(alert)
        async with bench.store.session() as session:
            for text in ("Severity rises.", "It has doubled."):
                session.add(Announcement(at=bench.clock.now(), incident_id=incident_id, text=text))
        await tells.catch_up()
        assert [message.text for message in shown.values()] == [
            "Severity rises.",
            "It has doubled.",
        ]
        found = [
            await chat.find(f"{LINE}:{number}", thread=alert, since=bench.clock.now())
            for number in (1, 2, 3)
        ]
        assert found == [*shown, None]
    finally:
        await workspace.stop()


async def test_a_card_that_cannot_be_drawn_keeps_no_other_from_being_shown(bench: Bench) -> None:
    broken = await bench.alert()
    whole = await bench.alert(user=BOB)
    await _have_evidence(bench, broken, "of another release")
    channel = _Mute()
    tells = publisher(bench, channel)
    telling = asyncio.create_task(tells.run())
    async with asyncio.timeout(10):
        while tells.trouble is None:  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(0.01)
    await end([telling])
    assert channel.card(f"{INCIDENT}:{whole}") is not None
    assert channel.card(f"{INCIDENT}:{broken}") is None


async def _have_evidence(bench: Bench, incident_id: int, text: str) -> None:
    async with bench.store.session() as session:
        row = await session.get(Incident, incident_id)
        assert row is not None
        row.evidence = text
        session.add(row)


async def _set(bench: Bench, incident_id: int, state: IncidentState) -> None:
    async with bench.store.session() as session:
        row = await session.get(Incident, incident_id)
        assert row is not None
        row.state, row.version = state, row.version + 1
        live = state is IncidentState.OPEN
        row.open_key = open_key(row.server, row.sender) if live else None
        session.add(row)
