"""Several bots as real processes: one PostgreSQL, one chat, one SmarterMail."""

import asyncio
import contextlib
import json
import os
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from bot.app import App
from bot.demo.campaigns import LOUD, Campaign
from bot.demo.stage import ADA, OTTO, make_rooms, reaching
from bot.demo.town import PASSWORD as MAILBOX_PASSWORD
from bot.demo.traffic import Traffic
from bot.guild.room import GuildRoom
from bot.hands import Hands, Room
from bot.workspace.room import WorkspaceRoom
from services.clock import SystemClock
from services.mail.build import Embedded, HostedServer
from services.postgres import INSTANCES, LEADING, LOCKS
from tests.databases import PostgresDatabases
from tests.mail.smartermail_server import ADMIN, LocalSmarterMail
from tests.mail.smartermail_server import PASSWORD as ADMIN_PASSWORD

from .playing import ACCOUNT, DETECTION, SPOOLWARDEN, Play, until

OTHER_ACCOUNT = "ben.osei@example.com"
#: What the act of stopping an account asks of the mail server.
STOPPING = "settings/domain/post-user"


class _Elsewhere:
    """A mail server that is not in this process, as far as the bot can tell."""

    ours = False

    def __init__(self, server: Embedded) -> None:
        self._server = server

    def __getattr__(self, name: str) -> Any:
        return getattr(self._server, name)

    async def start(self) -> None:
        """Nothing: it runs."""

    async def stop(self) -> None:
        """Nothing: others use it."""


def another(play: Play) -> App:
    """Return one more bot in this process, with the mail server and chats of a stage's bot."""
    server = cast("HostedServer", _Elsewhere(play.stage.server))
    return App(play.app.settings, clock=play.stage.clock, servers=[server])


class Fleet:
    """Everything that runs. ``processes`` are the instances that were not killed."""

    def __init__(
        self,
        folder: Path,
        mail: LocalSmarterMail,
        room: Room,
        people: tuple[Hands, Hands],
        database: tuple[PostgresDatabases, str],
    ) -> None:
        self.mail = mail
        self.room = room
        self.otto, self.ada = people
        self.processes: dict[int, Process] = {}
        self._folder = folder
        self._postgres, self.url = database
        self._begun = 0

    async def begin(self, url: str | None = None) -> int:
        """Start one more instance; return its process id once it answers clicks.

        ``url`` is another way to the same database.
        """
        connected = self._connections()
        self._begun += 1
        clean = {name: value for name, value in os.environ.items() if "SPOOLWARDEN" not in name}
        clean["SPOOLWARDEN_DATABASE"] = url or self.url
        with self.log(self._begun).open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                SPOOLWARDEN,
                "run",
                "--config",
                str(self._folder / "spoolwarden.toml"),
                stdout=DEVNULL,
                stderr=log,
                env=clean,
            )
        self.processes[process.pid] = process
        # Discord takes one new connection in five seconds.
        await until(lambda: self._connections() == connected + 1, patience=60)
        return process.pid

    def log(self, number: int) -> Path:
        """Return the file with what an instance says, by when it was begun: the first is 1."""
        return self._folder / f"instance-{number}.log"

    def _connections(self) -> int:
        room = self.room
        if isinstance(room, GuildRoom):
            return room.guild.app_connections
        assert isinstance(room, WorkspaceRoom)
        return room.workspace.app_connections

    async def kill(self, pid: int) -> None:
        """Kill an instance as a power cut would."""
        process = self.processes.pop(pid)
        process.kill()
        await process.wait()

    async def end(self) -> None:
        for pid in list(self.processes):
            await self.kill(pid)

    async def spam(self, messages: int, account: str = ACCOUNT) -> None:
        """Send spam over SMTP from eight addresses."""
        traffic = Traffic("127.0.0.1", self.mail.front.port, SystemClock(), 1)
        await traffic.attack(_campaign(account), limit=messages)

    def leader(self) -> int | None:
        """Return the process that leads, by what the database's server says."""
        found = self._holders(LOCKS, LEADING)
        return found[0] if found else None

    def instance_of(self, number: int) -> int | None:
        """Return the process of an instance, None if it is dead."""
        found = self._holders(INSTANCES, number)
        return found[0] if found else None

    def asked(self, statement: str) -> list[tuple[Any, ...]]:
        """Ask the bot's database."""
        return self._postgres.execute(statement, self.url)

    def _holders(self, space: int, number: int) -> list[int]:
        rows = self.asked(
            "SELECT application_name FROM pg_locks JOIN pg_stat_activity USING (pid) "  # noqa: S608
            "WHERE locktype = 'advisory' AND granted AND datname = current_database() "
            f"AND classid = {space} AND objid = {number}"
        )
        return [int(name.split()[1]) for (name,) in rows]


@contextlib.asynccontextmanager
async def fleet(
    folder: Path, postgres: PostgresDatabases, chat: str = "slack"
) -> AsyncIterator[Fleet]:
    """Set everything up, with no instance begun yet."""
    async with contextlib.AsyncExitStack() as stack:
        url = stack.enter_context(postgres.lent())
        (room,) = make_rooms((chat,))
        await room.start()
        stack.push_async_callback(room.stop)
        mail = LocalSmarterMail(folder, SystemClock(), "example.com")
        await mail.start()
        stack.push_async_callback(mail.stop)
        for account in (ACCOUNT, OTHER_ACCOUNT):
            await mail.add_user(account, MAILBOX_PASSWORD)
        reached = reaching([room])
        tables = {
            **reached,
            "[mail_server]": {
                "kind": "smartermail",
                "url": mail.web.url,
                "username": ADMIN,
                "password": ADMIN_PASSWORD,
                "timeout": 60,
            },
            "detection": DETECTION,
        }
        lines = []
        for name, table in tables.items():
            # A JSON string, number or list of strings is one of TOML too.
            lines += [f"[{name}]", *(f"{key} = {json.dumps(v)}" for key, v in table.items())]
        (folder / "spoolwarden.toml").write_text("\n".join(lines) + "\n", "utf-8")
        otto = await stack.enter_async_context(room.hands(OTTO))
        ada = await stack.enter_async_context(room.hands(ADA))
        made = Fleet(folder, mail, room, (otto, ada), (postgres, url))
        stack.push_async_callback(made.end)
        yield made


def _campaign(account: str) -> Campaign:
    """Return an account's spam; another account's has nothing in common with the first one's."""
    if account == ACCOUNT:
        return replace(LOUD, pace=4000)
    addresses = tuple(f"198.18.{100 + n}.9" for n in range(8))
    subjects = ("Invoice {n} is due",)
    return replace(LOUD, account=account, pace=4000, addresses=addresses, subjects=subjects)
