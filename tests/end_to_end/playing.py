"""A stage to play on: everything real, on loopback; whatever was said over it is judged."""

import asyncio
import contextlib
import io
import json
import logging
import os
import re
import shutil
import sqlite3
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from unittest.mock import patch

import pytest

from bot.app import App
from bot.cli import main
from bot.demo.campaigns import LOUD
from bot.demo.stage import ADA, NOBU, OTTO, VERA, Plan, Stage, stage
from bot.demo.traffic import Traffic
from bot.drill.scene import remote_waits
from bot.guild import Guild
from bot.guild.hands import GuildHands
from bot.guild.room import GuildRoom
from bot.hands import PATIENCE as PATIENCE
from bot.hands import Hands, NotThere, Room, Shown
from bot.slack import locales
from bot.workspace import Call, Workspace
from bot.workspace.hands import WorkspaceHands
from bot.workspace.room import WorkspaceRoom
from services.mail.port import DELIVERING, Queue, SpoolQuery
from services.models import AuditEntry
from services.settings import EmbeddedServerSettings
from tests import judge_discord
from tests.databases import put_tables
from tests.judge import block_faults, judge, specification
from tests.loggers import kept

_T = TypeVar("_T")
ACCOUNT = LOUD.account
POLL_SECONDS = 0.5
#: What is sent at once may be read in two polls. An alert that was acknowledged between them must
#: not have doubled by the second: that takes as many messages more as spam() sends.
DETECTION = {"poll_seconds": POLL_SECONDS, "min_messages": 60}
#: Seconds in which the bot as a process of its own is up; most of it is what Python loads.
STARTING = 2 * PATIENCE
#: So much before a stretch of time ends, what is counted in it goes into the next.
_NEAR = timedelta(minutes=2)
#: The command, as it is installed beside the interpreter that runs the tests.
SPOOLWARDEN = str(Path(sys.executable).with_name("spoolwarden"))


class Play:
    """A stage with four people at a chat, whose bot can be stopped and started anew."""

    def __init__(self, set_up: Stage, people: Iterable[Hands], stack: Any) -> None:
        self.stage = set_up
        self.otto, self.vera, self.ada, self.nobu = people
        self.app = set_up.app
        self.folder = set_up.plan.folder
        self._stack: contextlib.AsyncExitStack = stack

    async def spam(self, messages: int = 60, account: str = ACCOUNT) -> int:
        """Send spam over SMTP from eight addresses; return how many messages went through.

        Another account's is another campaign: its addresses and subjects are others, too.
        """
        campaign = replace(LOUD, account=account, pace=4000)
        if account != ACCOUNT:
            addresses = tuple(f"198.18.{100 + n}.9" for n in range(8))
            campaign = replace(campaign, subjects=("Invoice {n} is due",), addresses=addresses)
        return await self.traffic.attack(campaign, limit=messages)

    @property
    def workspace(self) -> Workspace:
        """The workspace, where it is one of the chats."""
        (room,) = (room for room in self.stage.rooms if isinstance(room, WorkspaceRoom))
        return room.workspace

    @property
    def guild(self) -> Guild:
        """The guild, where it is one of the chats."""
        (room,) = (room for room in self.stage.rooms if isinstance(room, GuildRoom))
        return room.guild

    @property
    def traffic(self) -> Traffic:
        """Traffic to the mail server's present port: a restart gives it another."""
        return Traffic("127.0.0.1", self.stage.server.port, self.stage.clock, 1)

    def within_one(self, stretch: timedelta) -> None:
        """Have what is sent from now on be counted in one stretch of time, however slow this is.

        Where its end is near, the stage's clock is moved to the beginning of the next.
        """
        now = self.stage.clock.now()
        left = stretch - (now - datetime.fromtimestamp(0, UTC)) % stretch
        if left < _NEAR:
            self.stage.clock.skip(left)

    async def until_heard(self) -> None:
        """Return once the bot as a process of its own is connected to the chat."""
        async with asyncio.timeout(STARTING):
            await self.stage.rooms[0].until_connected()

    async def start_bot(self, **changes: Any) -> None:
        """Start a new bot on the same database and chat, its settings changed like this."""
        settings = self.app.settings.model_copy(update=changes)
        self.app = App(settings, clock=self.stage.clock, servers=[self.stage.server])
        await self._stack.enter_async_context(self.app.running())

    async def use(
        self, act: Callable[[Shown, str], Awaitable[_T]], label: str, account: str = ACCOUNT
    ) -> _T:
        """Use a button of an account's card by one of the ways of Hands; return what came of it.

        A card that is drawn anew under the finger is looked at and pressed again.
        """
        async with asyncio.timeout(PATIENCE):
            while True:
                hands: Hands = act.__self__  # type: ignore[attr-defined]
                card = await hands.offering(await hands.alert(account), label)
                with contextlib.suppress(NotThere):
                    return await act(card, label)

    async def waiting(self, account: str = ACCOUNT) -> int:
        """Return how many of an account's messages the server would deliver."""
        return await self._total(SpoolQuery(sender=account, queues=DELIVERING))

    async def held(self, account: str = ACCOUNT) -> int:
        """Return how many of them are held."""
        return await self._total(SpoolQuery(sender=account, queues=(Queue.HELD,)))

    async def _total(self, query: SpoolQuery) -> int:
        return (await self.stage.server.search(query, limit=1)).total

    async def audited(self, action: str) -> list[AuditEntry]:
        """Return what the audit log has of an action, oldest first."""
        return [entry async for entry in self.app.audit.entries() if entry.action == action]


def config_file(play: Play, detection: Mapping[str, Any] | None = None, /, **chat: Any) -> Path:
    """Write what a stage's bot is set up with as a configuration file; return its path.

    ``chat`` differs in the chat's settings, ``detection`` in the detector's.
    """
    settings = play.app.settings
    server = settings.mail_server[0]
    assert isinstance(server, EmbeddedServerSettings)
    tables: dict[str, dict[str, Any]] = {
        room.chat: {**room.settings(), **chat} for room in play.stage.rooms
    } | {
        "[mail_server]": {
            "database": str(server.database),
            "port": 0,
            "hostname": server.hostname,
            "domains": list(server.domains),
            "relay": server.relay,
            "proxy_protocol": True,
        },
        "access": {
            "viewers": list(settings.access.viewers),
            "operators": list(settings.access.operators),
            "admins": list(settings.access.admins),
        },
        "detection": {
            **DETECTION,
            "picture": settings.detection.picture,
            **(detection or {}),
        },
    }
    lines = [f"database = {json.dumps(settings.database)}"]
    for name, table in tables.items():
        # A JSON string, number or list of strings is one of TOML too.
        lines += [f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in table.items())]
    lines.append("[access.domains]")
    for who, domains in settings.access.domains.items():
        lines.append(f"{json.dumps(who)} = {json.dumps(list(domains))}")
    file = play.folder / "spoolwarden.toml"
    file.write_text("\n".join(lines) + "\n", "utf-8")
    return file


async def command(*arguments: str) -> Process:
    """Start spoolwarden as a process of its own, with no settings in its environment."""
    clean = {name: value for name, value in os.environ.items() if "SPOOLWARDEN" not in name}
    return await asyncio.create_subprocess_exec(
        SPOOLWARDEN,
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=clean | {"COLUMNS": "1000"},  # so that no sentence is broken in two
    )


async def ended(*arguments: str) -> tuple[int, str, str]:
    """Run a command of the command line to its end; return its exit status and what it wrote.

    In this process: to start one of its own takes seconds of a processor.
    """
    out, err = io.StringIO(), io.StringIO()

    def run() -> int:
        try:
            with kept(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                main(arguments)
        except SystemExit as ending:
            return int(ending.code or 0)
        return 0

    code = await asyncio.to_thread(run)
    return code, out.getvalue(), err.getvalue()


@contextlib.asynccontextmanager
async def locked(database: Path) -> AsyncIterator[None]:
    """Keep every writer out of an SQLite file within the block."""

    def lock() -> sqlite3.Connection:
        connection = sqlite3.connect(
            database, timeout=PATIENCE, isolation_level=None, check_same_thread=False
        )
        connection.execute("BEGIN IMMEDIATE")
        return connection

    # In a thread: who holds the lock now may need this loop to let go of it.
    with contextlib.closing(await asyncio.to_thread(lock)):
        yield


async def until(holds: Callable[[], Awaitable[bool] | bool], *, patience: float = PATIENCE) -> None:
    """Return once the condition holds. Raises TimeoutError."""
    async with asyncio.timeout(patience):
        while True:
            answer = holds()
            if answer if isinstance(answer, bool) else await answer:
                return
            await asyncio.sleep(0.01)


class _Errors(logging.Handler):
    """Keeps what our own parts, and the event loop, log as errors."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.partition(".")[0] in ("bot", "services", "asyncio"):
            self.lines.append(self.format(record))


@contextlib.asynccontextmanager
async def playing(folder: Path, mailboxes: Path | None = None, **plan: Any) -> AsyncIterator[Play]:
    """Set a stage; at the end nothing may have failed unforeseen, and every call be in order.

    The people's hands are in the first of the chats. ``mailboxes`` is a mail server's
    database with everybody in town: hashing their passwords is most of what a new stage takes.
    """
    settings: dict[str, Any] = {
        "detection": DETECTION,
        "policy": remote_waits,
        **plan,
    }
    if mailboxes is not None:
        shutil.copy(mailboxes, folder / "mail.db")
    put_tables(folder / "bot.db")
    errors = _Errors()
    logging.getLogger().addHandler(errors)
    try:
        async with (
            stage(Plan(folder, **settings)) as set_up,
            contextlib.AsyncExitStack() as stack,
        ):
            # On a busy machine Slack's side takes longer to say how somebody reads numbers.
            stack.enter_context(patch.object(locales, "PATIENCE", PATIENCE))
            for room in set_up.rooms:
                await room.until_connected()
                if isinstance(room, GuildRoom):
                    # A bot that is started again is refused for five seconds otherwise; where
                    # there are several of them, in instances.py, they are.
                    room.guild.gateway.identify_seconds = 0.0
                    # Whoever reads what the headers say waits; it need not be for seconds.
                    room.guild.limits.pace = 0.1
            people = [
                await stack.enter_async_context(set_up.rooms[0].hands(person))
                for person in (OTTO, VERA, ADA, NOBU)
            ]
            yield Play(set_up, people, stack)
    finally:
        logging.getLogger().removeHandler(errors)
    assert not errors.lines, "\n".join(errors.lines)
    for room in set_up.rooms:
        check_room(room)


def password_in(said: str) -> str:
    """Return the new password in what somebody was shown privately."""
    found = re.search(r"(?:[A-Za-z2-9]{5}-){3}[A-Za-z2-9]{5}", said)
    assert found is not None, said
    return found[0]


async def kept_or_told(play: Play) -> str:
    """Return all that stands in the stage's files, and all that the channels were told."""
    told: list[object] = []
    for room in play.stage.rooms:
        if isinstance(room, GuildRoom):
            told += [c for c in room.guild.journal if c.path.startswith("/channels/")]
        else:
            assert isinstance(room, WorkspaceRoom)
            told += [c for c in room.workspace.journal if c.method.startswith("chat.")]
    files = await asyncio.to_thread(
        lambda: [f.read_bytes().decode("latin-1") for f in play.folder.rglob("*") if f.is_file()]
    )
    return " ".join([*map(repr, told), *files])


def in_guild(hands: Hands) -> GuildHands:
    """Return somebody's hands with what only the guild's have."""
    assert isinstance(hands, GuildHands)
    return hands


def in_workspace(hands: Hands) -> WorkspaceHands:
    """Return somebody's hands with what only the workspace's have."""
    assert isinstance(hands, WorkspaceHands)
    return hands


def pins(play: Play) -> list[str]:
    """Return the ids of what is pinned in the chat."""
    (room,) = play.stage.rooms
    return room.pinned()


def check_room(room: Room) -> None:
    """Judge every call that a bot made to a local chat."""
    if isinstance(room, GuildRoom):
        if judge_discord.specification() is None:
            pytest.skip(
                "Discord's published description is not at hand: its calls were not judged."
            )
        found = judge_discord.judge(room.guild.journal)
        assert not found, "\n".join(found)
        return
    assert isinstance(room, WorkspaceRoom)
    check_calls(room.workspace.journal)


def check_calls(journal: Iterable[Call]) -> None:
    """Judge every call; without the published description, only the blocks in them."""
    calls = list(journal)
    if specification() is None:
        found = [fault for call in calls for fault in block_faults(call)]
        assert not found, "\n".join(found)
        pytest.skip("Slack's published description is not at hand: only blocks were judged.")
    found = judge(calls)
    assert not found, "\n".join(found)
