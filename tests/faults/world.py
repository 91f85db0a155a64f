"""A bot with a mail server on the files of a folder, what both hold, and what a chat shows."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import cast

from bot.chat import ChatGone
from bot.elements import Button, Card
from bot.publisher import Publisher
from services.clock import Clock, ManualClock, SystemClock
from services.lease import lease_of
from services.mail.port import DELIVERING, SpoolQuery
from services.mail.postfix import PostfixServer
from services.people import Place
from services.store import Store

from ..mail.harness import ANN, BOB, START, EmbeddedHarness
from ..mail.postfix_harness import PostfixHarness
from ..mail.postfix_instance import PostfixInstance
from ..services.bench import CEO, CHANNEL, SAFETY, Bench, open_store

EMBEDDED, POSTFIX = "embedded", "postfix"


@dataclass(frozen=True)
class Snapshot:
    """All that an act can change. A message's place goes by its subject, which only it has."""

    accounts: dict[str, str]
    blocks: dict[str, str]
    places: dict[str, str]
    incident: str
    bytes_of: dict[str, str] = field(compare=False)  # queue id: hash of the whole message


class Paper:
    """A chat that is a dict: what its channel shows now."""

    def __init__(self, shown: dict[str, tuple[str, Card]]) -> None:
        self.shown = shown  # message id: reference and card

    @property
    def place(self) -> Place:
        return CHANNEL

    async def link(self, message_id: str) -> str | None:
        """Return none."""
        return None

    async def post(self, card: Card, *, ref: str, thread: str | None) -> str:
        message_id = str(len(self.shown) + 1)
        self.shown[message_id] = (ref, card)
        return message_id

    async def update(self, message_id: str, card: Card) -> None:
        if message_id not in self.shown:
            raise ChatGone("It was never posted.")
        self.shown[message_id] = (self.shown[message_id][0], card)

    async def pin(self, message_id: str) -> None:
        raise NotImplementedError("no dashboard stands on paper")

    async def remove(self, message_id: str) -> None:
        raise NotImplementedError("no dashboard stands on paper")

    async def find(self, ref: str, *, thread: str | None, since: datetime) -> str | None:
        return next((id_ for id_, (name, _) in self.shown.items() if name == ref), None)

    def card(self, ref: str) -> Card | None:
        return next((card for name, card in self.shown.values() if name == ref), None)


def pressable(card: Card) -> dict[str, str]:
    """Return what a card offers: each label with its intent id."""
    offered: dict[str, str] = {}
    for button in card.buttons:
        if isinstance(button, Button):
            offered[button.label] = button.intent_id
        else:
            offered |= {option.label: option.value for option in button.options}
    return offered


class _StandingPostfix(PostfixHarness):
    """A private Postfix as a run finds it, its module's clock standing still."""

    clock: Clock  # type: ignore[assignment]

    def __init__(self, instance: PostfixInstance, at: datetime) -> None:
        super().__init__(instance, name="mail")
        self.clock = ManualClock(at)
        self.server = PostfixServer(self.config, self.clock)

    async def start(self) -> None:
        await self.server.start()


class World:
    """Where runs take place: one kind of mail server."""

    def __init__(self, instance: PostfixInstance | None = None) -> None:
        self.instance = instance
        #: Where each run's clock begins; Postfix has the machine's.
        self.begins = START if instance is None else SystemClock().now()

    @asynccontextmanager
    async def opened(self, folder: Path, at: datetime) -> AsyncIterator[Bench]:
        """Open the bot and the mail server on what the folder holds."""
        mail: EmbeddedHarness | PostfixHarness
        if self.instance is None:
            mail = EmbeddedHarness(folder)
            mail.clock.set(at)
        else:
            mail = _StandingPostfix(self.instance, at)
        await mail.start()
        try:
            async with open_store(folder / "bot.db") as store:
                store.number = 1  # drawn, it would tell runs apart that are the same
                yield bench_of(store, mail, folder)
        finally:
            await mail.stop()


def bench_of(store: Store, mail: EmbeddedHarness | PostfixHarness, folder: Path) -> Bench:
    safety = SAFETY.model_copy(update={"copies_folder": folder / "copies"})
    # What the bench calls, both have.
    return Bench(store, cast(EmbeddedHarness, mail), safety)


def publisher(bench: Bench, paper: Paper) -> Publisher:
    return Publisher(
        paper,
        bench.store,
        bench.intents,
        {"mail": bench.server},
        bench.clock,
        lease_of(bench.store),
    )


async def snapshot(bench: Bench) -> Snapshot:
    server = bench.server
    users = {address: await server.user(address) for address in (ANN, BOB, CEO)}
    page = await server.search(SpoolQuery(), limit=1000)
    raws = {m.queue_id: await server.raw(m.queue_id) or b"" for m in page.messages}
    places = {
        m.subject: "waiting" if m.queue in DELIVERING else f"{m.queue.value} {m.folder or ''}"
        for m in page.messages
    }
    assert len(places) == len(page.messages), "a message is there twice"
    incidents = await bench.incidents()
    return Snapshot(
        {address: user.state.value for address, user in users.items() if user},
        {str(b.network): f"{b.reason} until {b.until}" for b in await server.blocks()},
        places,
        ", ".join(incident.state.value for incident in incidents),
        {queue_id: hashlib.sha256(raw).hexdigest() for queue_id, raw in raws.items()},
    )
