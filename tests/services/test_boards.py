"""Dashboards that stand in a channel: shown, pinned, kept new, and taken away."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from sqlmodel import select

from bot.chat import ChatDown, ChatRefused
from bot.dashboards import EVERY
from bot.elements import Card
from bot.publisher import Publisher, given_up
from services.lease import lease_of
from services.mail.port import Block
from services.models import Announcement, Board
from services.people import Actor
from services.tasks import end
from tests.faults.world import Paper

from ..mail.harness import ANN
from .bench import CHANNEL, OPERATOR, VIEWER, Bench, open_bench
from .desk import dispatch_of


class _Channel(Paper):
    """A channel that keeps pins, or says why it will not."""

    def __init__(self) -> None:
        super().__init__({})
        self.pins: list[str] = []
        self.pinned = asyncio.Event()
        self.refusal: ChatRefused | ChatDown | None = None
        self.keeps: ChatRefused | None = None  # why it deletes nothing
        self.refuses: ChatRefused | None = None  # why it changes nothing

    async def pin(self, message_id: str) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.pins.append(message_id)
        self.pinned.set()

    async def until_pinned(self) -> None:
        await self.pinned.wait()

    async def update(self, message_id: str, card: Card) -> None:
        if self.refuses is not None:
            raise self.refuses
        await super().update(message_id, card)

    async def remove(self, message_id: str) -> None:
        if self.keeps is not None:
            raise self.keeps
        self.shown.pop(message_id, None)

    @property
    def boards(self) -> list[str]:
        return [card.title for name, card in self.shown.values() if name.startswith("board:")]


class _Play:
    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.channel = _Channel()
        servers = {"mail": bench.server}
        self.publisher = Publisher(
            self.channel,
            bench.store,
            bench.intents,
            servers,
            bench.clock,
            lease_of(bench.store),
        )

        self.dispatch = dispatch_of(bench)

    async def typed(self, text: str, actor: Actor = OPERATOR) -> str:
        return (await self.dispatch.typed(actor, CHANNEL, text)).sentence

    async def rows(self) -> list[Board]:
        async with self.bench.store.reading() as session:
            return list((await session.exec(select(Board))).all())

    async def lines(self) -> list[str]:
        async with self.bench.store.reading() as session:
            return [line.text for line in (await session.exec(select(Announcement))).all()]


@pytest.fixture
async def play(tmp_path: Path) -> AsyncIterator[_Play]:
    async with open_bench(tmp_path) as bench:
        yield _Play(bench)


async def test_a_dashboard_is_posted_once_pinned_and_drawn_anew_each_turn(play: _Play) -> None:
    assert "comes into the alerts' channel" in await play.typed("pin")
    assert "comes into the alerts' channel" in await play.typed("pin")
    await play.publisher.catch_up()
    assert play.channel.boards == ["Spool of mail"]
    assert play.channel.pins == ["1"]
    _, first = play.channel.shown["1"]
    await play.publisher.catch_up()
    assert play.channel.shown["1"][1] is first  # its turn has not come
    await play.bench.burst(3, user=ANN)
    await play.bench.poll()
    play.bench.pass_time(seconds=EVERY)
    await play.publisher.catch_up()
    assert play.channel.boards == ["Spool of mail"]
    assert play.channel.pins == ["1"]
    bars = [str(section) for section in play.channel.shown["1"][1].sections]
    assert any(ANN in bar for bar in bars)


async def test_it_is_taken_away_on_request_and_whoever_deletes_it_is_heard(play: _Play) -> None:
    assert "No dashboard of mail stands" in await play.typed("pin remove")
    await play.typed("pin")
    await play.publisher.catch_up()
    assert "is taken out" in await play.typed("pin remove")
    await play.publisher.catch_up()
    assert play.channel.boards == []
    assert await play.rows() == []
    await play.typed("pin")
    await play.publisher.catch_up()
    play.channel.shown.clear()
    play.bench.pass_time(seconds=EVERY)
    await play.publisher.catch_up()
    assert play.channel.boards == []
    assert await play.rows() == []
    await play.typed("pin")
    await play.publisher.catch_up()
    assert play.channel.boards == ["Spool of mail"]


async def test_what_cannot_be_pinned_is_told_once_and_tried_again_when_asked(play: _Play) -> None:
    play.channel.refusal = ChatRefused("Slack refused to pin it: no scope.")
    await play.typed("pin")
    for _ in range(3):
        await play.publisher.catch_up()
        play.bench.pass_time(seconds=EVERY)
    (told,) = await play.lines()
    assert "stands in the channel, but is not pinned: Slack refused to pin it" in told
    play.channel.refusal = None
    await play.publisher.catch_up()
    assert play.channel.pins == []
    await play.typed("pin")
    await play.publisher.catch_up()
    assert len(play.channel.pins) == 1


async def test_a_chat_that_is_away_is_asked_again(play: _Play) -> None:
    play.channel.refusal = ChatDown("Slack did not answer.")
    await play.typed("pin")
    with pytest.raises(ChatDown):
        await play.publisher.catch_up()
    play.channel.refusal = None
    await play.publisher.catch_up()
    assert len(play.channel.pins) == 1
    assert await play.lines() == []


async def test_a_mail_server_that_is_away_is_told_on_the_dashboard(play: _Play) -> None:
    await play.typed("pin")
    await play.bench.mail.stop()
    await play.publisher.catch_up()
    (shown,) = (card for name, card in play.channel.shown.values() if name.startswith("board:"))
    assert "⚠️" in str(shown.sections)
    await play.bench.mail.start()


async def test_only_who_acts_on_everybodys_mail_may(play: _Play) -> None:
    assert "needs the role operator" in await play.typed("pin", VIEWER)
    assert await play.rows() == []
    assert "it is show or remove" in await play.typed("pin nonsense")


async def test_a_dashboard_that_the_chat_will_not_delete_is_let_go_of_and_told(play: _Play) -> None:
    await play.typed("pin")
    await play.publisher.catch_up()
    play.channel.keeps = ChatRefused("Slack refused the message: cant_delete_message.")
    await play.typed("pin remove")
    await play.publisher.catch_up()
    assert await play.rows() == []
    (told,) = await play.lines()
    assert told == (
        "The dashboard of mail could not be taken out of the channel and is no longer brought up "
        "to date: Slack refused the message: cant_delete_message. Delete it by hand."
    )
    await play.publisher.catch_up()
    assert len(await play.lines()) == 1


async def test_a_dashboard_that_is_shown_again_is_no_dead_letter(play: _Play) -> None:
    await play.typed("pin")
    await play.publisher.catch_up()
    play.channel.refuses = ChatRefused("Slack refused the message: invalid_blocks.")
    play.bench.pass_time(seconds=EVERY)
    await play.publisher.catch_up()
    assert len(await given_up(play.bench.store)) == 1
    play.channel.refuses = None
    play.bench.pass_time(seconds=EVERY)
    await play.publisher.catch_up()
    assert await given_up(play.bench.store) == []


async def test_no_alert_waits_for_the_dashboard_of_a_mail_server_that_hangs(
    play: _Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.boards._PATIENCE", 0.05)
    answers, blocks = asyncio.Event(), play.bench.server.blocks

    async def hangs() -> Sequence[Block]:
        await answers.wait()
        return await blocks()

    monkeypatch.setattr(play.bench.server, "blocks", hangs)
    await play.typed("pin")
    async with asyncio.timeout(20):
        await play.publisher.catch_up()
        assert play.channel.boards == []
        incident_id = await play.bench.alert()
        await play.publisher.catch_up()
        assert play.channel.card(f"incident:{incident_id}") is not None
        running = asyncio.create_task(play.publisher.run())
        answers.set()
        await play.channel.until_pinned()
        await end([running])
    assert play.channel.boards == ["Spool of mail"]
