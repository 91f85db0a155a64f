"""The bot under load, each part in a process of its own. Prints one JSON object.

``python -m tests.bench.load presses CHAT N`` - N presses at once on one card, by four members
``python -m tests.bench.load move N`` - N messages moved in one act, followed in both chats
``python -m tests.bench.load incidents N`` - N incidents open: a poll, the publisher, commands
``python -m tests.bench.load month DAYS SENDERS`` - so many days of polls, and the memory
"""

import _sqlite3
import asyncio
import ctypes
import json
import os
import re
import sqlite3
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, closing
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import update
from sqlmodel import select

from bot.app import App
from bot.demo.campaigns import LOUD
from bot.demo.stage import OTTO, PEOPLE, Plan, Stage, make_rooms, reaching, stage
from bot.demo.town import DOMAINS
from bot.drill.scene import remote_waits
from bot.elements import Card
from bot.guild.hands import GuildHands, _shown
from bot.guild.member import GuildState
from bot.guild.room import GuildRoom
from bot.hands import Hands, Shown
from bot.publisher import Publisher
from bot.workspace.hands import WorkspaceHands
from bot.workspace.room import WorkspaceRoom
from services.clock import ManualClock
from services.detection.evidence import Habit
from services.garbage import settle
from services.incidents import open_key
from services.lease import lease_of
from services.mail.build import Embedded
from services.mail.embedded.database import to_stored
from services.mail.port import SpoolQuery
from services.models import Incident, IncidentState, Intent
from services.people import Actor, Place
from services.settings import EmbeddedServerSettings, fixed
from services.targets import Target
from services.traffic import gather
from tests.filling import Mail, fill
from tests.mail.harness import START
from tests.services.bench import CHANNEL as PAPER_CHANNEL
from tests.services.bench import OPERATOR, Bench, open_bench
from tests.services.desk import dispatch_of

_ACCOUNT = LOUD.account
_SO_FAR = re.compile(r"… ([\d,]+) of [\d,]+")
_MIB = 1 << 20


async def _seconds(work: Awaitable[Any]) -> float:
    begin = time.perf_counter()
    await work
    return time.perf_counter() - begin


async def _best(make: Callable[[], Awaitable[Any]], rounds: int = 3) -> float:
    return min([await _seconds(make()) for _ in range(rounds)])


def _spread(seconds: Sequence[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    at = [int(len(ordered) * part) for part in (0.5, 0.99)]
    return {"p50": ordered[at[0]], "p99": ordered[min(at[1], len(ordered) - 1)], "max": ordered[-1]}


# -- many presses at once ---------------------------------------------------------------------


async def _presses(chat: str, number: int) -> dict[str, Any]:
    with TemporaryDirectory() as folder:
        plan = Plan(Path(folder), chats=(chat,), policy=remote_waits)
        async with stage(plan) as set_up, AsyncExitStack() as stack:
            (room,) = set_up.rooms
            await room.until_connected()
            people = [await stack.enter_async_context(room.hands(one)) for one in PEOPLE]
            await set_up.traffic.attack(replace(LOUD, pace=4000), limit=60)
            card = await people[0].offering(await people[0].alert(_ACCOUNT), "Stop sending")
            for hands in people[1:]:
                await hands.alert(_ACCOUNT)
            taken = await asyncio.gather(
                *(_press(room, people[n % len(people)], card) for n in range(number))
            )
            if isinstance(room, GuildRoom):
                # The first press only asks: now each question is answered with yes, at once.
                questions = [(h, shown) for h in people for shown in await _questions(h, number)]
                taken += await asyncio.gather(*(_press(room, h, shown) for h, shown in questions))
            await people[0].line(card, "messages held")
            phases = await _logged(set_up.app, number)
            counts = await set_up.server.counts()
            return {
                "seconds": max(seconds for seconds, _ in taken),
                "presses": len(taken),
                **_spread([seconds for seconds, _ in taken]),
                "unanswered": sum(not answered for _, answered in taken),
                "done": phases.count("result"),
                "logged": {phase: phases.count(phase) for phase in sorted(set(phases))},
                "held": counts.held,
                "lines": len(people[0].lines(card)),
            }


async def _logged(app: App, number: int) -> list[str]:
    """Return how each press stands in the log, once all are there: one has two entries."""
    for _ in range(100):
        phases = [entry.phase async for entry in app.audit.entries() if entry.action == "stop"]
        if len(phases) > number:
            break
        await asyncio.sleep(0.1)
    return phases


async def _press(room: Any, hands: Hands, card: Shown) -> tuple[float, bool]:
    """Press once; return in how many seconds the bot answered, and whether it did."""
    begin = time.perf_counter()
    if isinstance(hands, WorkspaceHands):
        # Its answer comes when the app has acknowledged.
        outcome = await hands._client.press(card.raw, "Stop sending")
        return time.perf_counter() - begin, outcome.ok
    assert isinstance(hands, GuildHands)
    pressed = await hands._client.press(card.raw, "Stop sending")
    return await _answered(room, begin, pressed.interaction)


async def _answered(room: Any, begin: float, interaction: str | None) -> tuple[float, bool]:
    assert isinstance(room, GuildRoom)
    assert interaction is not None
    found = room.guild._interactions.find(interaction)
    assert found is not None
    return_type = await asyncio.shield(found.answered)
    return time.perf_counter() - begin, return_type is not None


async def _questions(hands: Hands, number: int) -> list[Shown]:
    """Return the questions that a member was asked, once each press has been answered."""
    assert isinstance(hands, GuildHands)
    share = number // len(PEOPLE)

    def all_there(state: GuildState) -> bool | None:
        return len([each for each in state.ephemerals if not each.thinking]) >= share or None

    await hands.wait(all_there)
    told = (_shown(message) for message in hands._client.state().ephemerals)
    return [shown for shown in told if "Stop sending" in shown.labels]


# -- one act over many messages -----------------------------------------------------------------


async def _move(number: int) -> dict[str, Any]:
    with TemporaryDirectory() as folder:
        plan = Plan(Path(folder), chats=("slack", "discord"), policy=remote_waits)
        async with stage(plan) as set_up, AsyncExitStack() as stack:
            app = set_up.app
            await app.stop()
            await asyncio.to_thread(fill, plan.folder / "mail.db", [Mail(_ACCOUNT, number)])
            app = await _start(set_up, stack)
            room = set_up.rooms[0]
            otto = await stack.enter_async_context(room.hands(OTTO))
            await otto.card_with(_ACCOUNT, f"{number:,} waiting")
            place = Place(room.chat, app.publishers[0]._chat.place.channel)
            actor = Actor(room.chat, room.id_of(OTTO), "otto")
            poll = await _best(lambda: app.detector.poll(set_up.server))
            target = Target(query=SpoolQuery(sender=_ACCOUNT), folder="evidence")
            begin = time.perf_counter()
            asked = await app.pipeline.propose(actor, place, "move", server="mail", target=target)
            proposed = time.perf_counter()
            done = await app.pipeline.execute(actor, place, asked.intent_id)
            seconds = time.perf_counter() - proposed
            assert f"{number:,} messages moved" in done.sentence, done
            for each in set_up.rooms:
                hands = await stack.enter_async_context(each.hands(OTTO))
                await hands.line(await hands.alert(_ACCOUNT), f"{number:,} messages moved")
            assert done.undo_id is not None
            undoing = await _seconds(app.pipeline.execute(actor, place, done.undo_id))
            assert (await set_up.server.counts()).waiting == number
            # Once more, told thirty times as often, so that there is something to see.
            early = [_told(each) for each in set_up.rooms]
            app.pipeline.progress.every = 0.1
            asked = await app.pipeline.propose(actor, place, "move", server="mail", target=target)
            assert (await app.pipeline.execute(actor, place, asked.intent_id)).ok
            for publisher in app.publishers:
                await publisher.finish(20)
            return {
                "seconds": seconds,
                "asking": proposed - begin,
                "undo": undoing,
                "poll": poll,
                "early": early,
                "told": [_told(each) for each in set_up.rooms],
                "mib": _rss(),
            }


async def _start(set_up: Stage, stack: AsyncExitStack) -> App:
    set_up.app = App(set_up.app.settings, clock=set_up.clock, servers=[set_up.server])
    await stack.enter_async_context(set_up.app.running())
    for room in set_up.rooms:
        await room.until_connected()
    return set_up.app


def _told(room: Any) -> list[str]:
    """Return each figure that a chat's line showed on the way."""
    if isinstance(room, WorkspaceRoom):
        said = [str(call.arguments) for call in room.workspace.journal]
    else:
        said = [str(call) for call in room.guild.journal]
    return list(dict.fromkeys(match[1] for text in said for match in _SO_FAR.finditer(text)))


# -- many incidents ------------------------------------------------------------------------------


class _Silent:
    """A chat that takes everything at once and keeps nothing: what is timed is the bot."""

    place = PAPER_CHANNEL

    def __init__(self) -> None:
        self.calls = 0

    async def link(self, message_id: str) -> str | None:
        """Return none."""
        return None

    async def post(self, card: Card, *, ref: str, thread: str | None) -> str:
        self.calls += 1
        return ref

    async def update(self, message_id: str, card: Card) -> None:
        self.calls += 1

    async def pin(self, message_id: str) -> None:
        self.calls += 1

    async def remove(self, message_id: str) -> None:
        self.calls += 1

    async def find(self, ref: str, *, thread: str | None, since: Any) -> str | None:
        return None


async def _incidents(number: int) -> dict[str, Any]:
    with TemporaryDirectory() as folder:
        async with open_bench(Path(folder)) as bench:
            senders = [f"user{n}@example.test" for n in range(number)]
            await bench.mail.stop()
            mails = [Mail(sender, 5) for sender in senders]
            fill(Path(folder) / "mail.db", mails, bench.clock.now() - timedelta(seconds=30))
            await bench.mail.start()
            first = await _seconds(bench.poll())
            await _open(bench, senders)
            chat = _Silent()
            publisher = Publisher(
                chat,
                bench.store,
                bench.intents,
                {"mail": bench.server},
                bench.clock,
                lease_of(bench.store),
            )
            dispatch = dispatch_of(bench)
            told = {"first poll": first}
            bench.pass_time(seconds=10)
            told["poll"] = await _best(bench.poll)
            bench.pass_time(seconds=10)
            told["publish new"] = await _seconds(publisher.catch_up())
            posted = chat.calls
            told["publish nothing"] = await _best(publisher.catch_up)
            async with bench.store.session() as session:
                await session.exec(update(Incident).values(version=Incident.version + 1))
            told["publish changed"] = await _seconds(publisher.catch_up())
            bench.pass_time(minutes=6)
            told["quiet poll"] = await _best(bench.poll)
            for command in ("incidents", "audit", ""):
                typed = partial(dispatch.typed, OPERATOR, PAPER_CHANNEL, command)
                told[f"/spool {command}".strip()] = await _best(typed)
            return {"seconds": told["poll"], "posted": posted, "calls": chat.calls, "took": told}


async def _open(bench: Bench, senders: Sequence[str]) -> None:
    now = bench.clock.now()
    async with bench.store.session() as session:
        for sender in senders:
            evidence = await gather(session, "mail", sender, now, Habit())
            session.add(
                Incident(
                    server="mail",
                    sender=sender,
                    open_key=open_key("mail", sender),
                    opened_at=now,
                    updated_at=now,
                    evidence=evidence.model_dump_json(),
                    score=60,
                )
            )


# -- a month ---------------------------------------------------------------------------------------

_WORDS = ("offer", "minutes", "lunch", "draft", "order", "contract", "workshop", "photos", "budget")
_SLOT = timedelta(minutes=5)
_SLOTS = 288
#: Of a day's mail, what falls into each hour, in hundredths.
_HOURS = (0, 0, 0, 0, 0, 1, 2, 5, 10, 12, 11, 9, 6, 8, 10, 9, 7, 4, 2, 1, 1, 1, 1, 0)
_EACH = 4  # messages of one sender in a day
_ABUSED = 2  # accounts in a day


def _is_told(day: int) -> bool:
    return day == 2 or day % 10 == 0


async def _rooms() -> None:
    """Be the chats, in a process of their own, until nobody listens any more."""
    rooms = make_rooms(("slack", "discord"))
    async with AsyncExitStack() as stack:
        for room in rooms:
            await room.start()
            stack.push_async_callback(room.stop)
        told = {"settings": reaching(rooms), "otto": [room.id_of(OTTO) for room in rooms]}
        print(json.dumps(told), flush=True)  # noqa: T201
        await asyncio.to_thread(sys.stdin.read)


async def _month(days: int, number: int) -> dict[str, Any]:
    begin = time.perf_counter()
    rooms = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.bench.load", "rooms"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert rooms.stdin is not None
    assert rooms.stdout is not None
    told = json.loads(await rooms.stdout.readline())
    try:
        with TemporaryDirectory() as folder:
            settle()
            month = _Month(Path(folder), told["settings"], told["otto"], number)
            async with month.app.running():
                told_days = [await month.day(day) for day in range(1, days + 1)]
            stands = [one for one in told_days if one is not None]
            return {"seconds": time.perf_counter() - begin, "days": stands}
    finally:
        rooms.stdin.close()
        await rooms.wait()


class _Month:
    """The real bot, on a clock that is moved on from poll to poll."""

    def __init__(self, folder: Path, chats: Any, otto: Sequence[str], number: int) -> None:
        self._folder = folder
        self._chance = Random(1)  # noqa: S311 - must repeat
        self._senders = [f"user{n}@{DOMAINS[0]}" for n in range(number)]
        self._places = {sender: n for n, sender in enumerate(self._senders)}
        words = [f"{one} {two}" for one in _WORDS for two in _WORDS]
        self._subjects = [
            f"{self._chance.choice(words)} {chr(97 + n % 26) * (2 + n % 7)} {n}"
            for n in range(20_000)
        ]
        self.clock = ManualClock(START.replace(hour=0))
        settings = fixed(
            database=f"sqlite:///{folder / 'bot.db'}",
            **chats,
            mail_server=[
                {
                    "name": "mail",
                    "database": folder / "mail.db",
                    "port": 0,
                    "hostname": "mail.example.com",
                    "domains": DOMAINS,
                    "users": [],
                }
            ],
            detection={"poll_seconds": 20},
        )
        (mail,) = settings.mail_server
        assert isinstance(mail, EmbeddedServerSettings)
        self.server = Embedded(mail, self.clock)
        self.app = App(settings, clock=self.clock, servers=[self.server])
        self._place = Place("slack", settings.slack.channel if settings.slack else "")
        self._otto = Actor("slack", otto[0], "otto")
        self._row = 0

    async def day(self, day: int) -> dict[str, Any] | None:
        """Live through a day; return how it stands at its end, on the days that are told."""
        polls: list[float] = []
        per_day = len(self._senders) * _EACH * (0.15 if day % 7 in (6, 0) else 1)
        abused = {self._chance.randrange(96, 240): n for n in range(_ABUSED)}
        for slot in range(_SLOTS):
            self.clock.set(self.clock.now() + _SLOT)
            due = per_day * _HOURS[slot // 12] / 100 / 12
            senders = self._chance.choices(self._senders, k=int(due + self._chance.random()))
            if slot in abused:
                senders += [self._chance.choice(self._senders)] * 300
            await asyncio.to_thread(self._send, senders, slot in abused)
            polls.append(await _seconds(self.app.jobs.poll(self.server)))
            await self.app.jobs.expire()
            if slot % 2:
                await self.app.jobs.upkeep()
            if slot % 12 == 0:
                await self._people()
        if sys.stderr.isatty():
            print(f"day {day}: {_rss():.0f} MiB", file=sys.stderr, flush=True)  # noqa: T201
        return await self._stands(day, polls) if _is_told(day) else None

    def _send(self, senders: Sequence[str], loud: bool) -> None:
        """Have these accepted in the last five minutes: each is a row of the server's log."""
        begin = to_stored(self.clock.now() - _SLOT)
        step = 300_000_000 // max(1, len(senders))
        rows = []
        for number, sender in enumerate(senders):
            self._row += 1
            spam = loud and number >= len(senders) - 300
            place = self._places[sender]
            ip = f"198.18.{number % 8}.9" if spam else f"10.{place % 200}.{place % 7}.5"
            subject = f"You won {number}" if spam else self._chance.choice(self._subjects)
            to = f"n{self._row}@list.invalid" if spam else f"c{place}-{number % 5}@example.org"
            at = begin + number * step
            rows.append((self._row, at, sender, 1, ip, 1, 5000, subject, to))
        with closing(sqlite3.connect(self._folder / "mail.db", timeout=30)) as file, file:
            file.executemany("INSERT INTO submission VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)

    async def _people(self) -> None:
        """Stop who is abused and was not stopped yet; look around."""
        app = self.app
        async with app.store.reading() as session:
            query = select(Incident).where(Incident.state == IncidentState.OPEN)
            live = (await session.exec(query)).all()
        for incident in live:
            target = Target(account=incident.sender)
            button = await app.intents.offer(
                self._place,
                "acknowledge",
                server="mail",
                target=target,
                incident_id=incident.id,
            )
            await app.dispatch.pressed(self._otto, self._place, button)
        for command in ("", "incidents", "search subject:won"):
            await app.dispatch.typed(self._otto, self._place, command)

    async def _stands(self, day: int, polls: Sequence[float]) -> dict[str, Any]:
        app = self.app
        publish = []
        for publisher in app.publishers:
            await publisher.finish(20)
            publish.append(await _best(partial(publisher.finish, 20)))
        async with app.store.reading() as session:
            incidents = len((await session.exec(select(Incident.id))).all())
            intents = len((await session.exec(select(Intent.id))).all())
        audit = await _best(lambda: app.dispatch.typed(self._otto, self._place, "audit"))
        return {
            "day": day,
            "mib": _rss(),
            "sqlite": _sqlite_mib(),
            "poll": median(polls),
            "worst poll": max(polls),
            "publish": max(publish),
            "audit": audit,
            "incidents": incidents,
            "intents": intents,
            "entries": (await app.audit.newest(1))[0].seq,
            "messages": self._row,
            "database": (self._folder / "bot.db").stat().st_size / _MIB,
            "tasks": len(asyncio.all_tasks()),
        }


def _rss() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / _MIB


def _sqlite_mib() -> float:
    """Return what SQLite has of it: the pages that each connection keeps, up to its bound."""
    used = ctypes.CDLL(_sqlite3.__file__).sqlite3_memory_used
    used.restype = ctypes.c_int64
    return int(used()) / _MIB


def main() -> None:
    what, *given = sys.argv[1:]
    if what == "rooms":
        asyncio.run(_rooms())
        return
    works: dict[str, Callable[..., Any]] = {
        "presses": lambda chat, number: _presses(chat, int(number)),
        "move": lambda number: _move(int(number)),
        "incidents": lambda number: _incidents(int(number)),
        "month": lambda days, senders: _month(int(days), int(senders)),
    }
    print(json.dumps(asyncio.run(works[what](*given))))  # noqa: T201


if __name__ == "__main__":
    main()
