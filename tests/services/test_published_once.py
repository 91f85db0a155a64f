"""The publisher: what may have arrived is posted once, and an alert that matters is shown."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from pathlib import Path

import pytest
from sqlmodel import select

from bot.chat import ChatDown
from bot.elements import Card
from bot.publisher import INCIDENT, LINE, Publisher, _Unforeseen
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


class _Slow(_Mute):
    """A channel in which something happens while it is told of what is known already."""

    def __init__(self, bench: Bench) -> None:
        super().__init__()
        self._bench = bench
        self.told: list[str] = []
        self.happens = False

    async def post(self, card: Card, *, ref: str, thread: str | None) -> str:
        self.told.append(ref)
        return await super().post(card, ref=ref, thread=thread)

    async def update(self, message_id: str, card: Card) -> None:
        self.told.append(f"changed {self.shown[message_id][0]}")
        await super().update(message_id, card)
        if self.happens:
            self.happens = False
            await _alerts(self._bench, "new")


async def _alerts(bench: Bench, *names: str) -> list[int]:
    """Have an incident for each of these accounts, of which no mail was seen; return their ids."""
    ids = []
    async with bench.store.session() as session:
        (first,) = (await session.exec(select(Incident).where(Incident.id == 1))).all()
        for name in names:
            incident = bench.begun(f"{name}@example.com", first.evidence)
            session.add(incident)
            await session.flush()
            ids.append(incident.id or 0)
    return ids


async def _told_of_twelve(bench: Bench) -> tuple[list[int], _Slow, Publisher]:
    """Return twelve incidents' ids, and the channel that was told of them and of one before."""
    await bench.alert()
    ids = await _alerts(bench, *(f"old{n}" for n in range(12)))
    channel = _Slow(bench)
    tells = publisher(bench, channel)
    await tells.catch_up()
    return ids, channel, tells


async def _all_change(bench: Bench, ids: Sequence[int]) -> None:
    async with bench.store.session() as session:
        for incident in (await session.exec(select(Incident))).all():
            incident.version += incident.id in ids
            session.add(incident)


async def test_a_new_alert_waits_for_few_of_the_changes_to_older_ones(bench: Bench) -> None:
    ids, channel, tells = await _told_of_twelve(bench)
    await _all_change(bench, ids)
    channel.told.clear()
    channel.happens = True
    await tells.catch_up()
    place = channel.told.index(f"{INCIDENT}:{max(ids) + 1}")
    assert place <= 5
    assert sorted(channel.told[:place] + channel.told[place + 1 :]) == sorted(
        f"changed {INCIDENT}:{incident_id}" for incident_id in ids
    )


async def test_changes_that_cannot_be_shown_keep_no_others_from_it(bench: Bench) -> None:
    ids, channel, tells = await _told_of_twelve(bench)
    broken = {f"{INCIDENT}:{incident_id}" for incident_id in ids[:8]}
    update = channel.update

    async def fails(message_id: str, card: Card) -> None:
        if channel.shown[message_id][0] in broken:
            raise RuntimeError("nobody foresaw this")
        await update(message_id, card)

    channel.update = fails  # type: ignore[method-assign]
    await _all_change(bench, ids)
    channel.told.clear()
    with pytest.raises(_Unforeseen):
        await tells.catch_up()
    assert sorted(channel.told) == sorted(f"changed {INCIDENT}:{n}" for n in ids[8:])


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
