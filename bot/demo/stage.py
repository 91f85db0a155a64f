"""A mail server, the rest of the world, a chat workspace and the bot, on free loopback ports.

The demo, the drill and the end-to-end tests all play on this stage. The bot on it
is the one that runs for real: it knows the workspace by its address and tokens only.
"""

import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.app import App
from bot.commands import COMMAND, COMMANDS
from bot.demo.campaigns import remote_policy
from bot.demo.clock import DemoClock
from bot.demo.sink import Policy, Sink
from bot.demo.town import DOMAINS, NEWSLETTER, PASSWORD, people
from bot.demo.traffic import WEEK_ENDS, Traffic
from bot.hands import CommandHint, Person, Room
from bot.rooms import DEFAULT_CHATS, make_room
from services.mail.build import Embedded
from services.settings import EmbeddedServerSettings, Settings, fixed

CHANNEL = "mail-ops"
VERA = Person("vera", "Vera Lindqvist", "viewer")
OTTO = Person("otto", "Otto Brandt", "operator")
ADA = Person("ada", "Ada Mensah", "admin")
NOBU = Person("nobu", "Nobu Sato", "no role")
PEOPLE = (OTTO, VERA, ADA, NOBU)
_ROLES = {"viewers": VERA, "operators": OTTO, "admins": ADA}


@dataclass(frozen=True, slots=True)
class Plan:
    """How a stage is set up. Tables are of settings that differ."""

    folder: Path
    seed: int = 1
    page_port: int = 0
    mail_port: int = 0
    detection: dict[str, Any] | None = None
    safety: dict[str, Any] | None = None
    digest: dict[str, Any] | None = None
    policy: Policy = remote_policy
    week: bool = False  # play a normal week first, so that everybody has habits
    chats: tuple[str, ...] = DEFAULT_CHATS
    database: str | None = None  # the URL of the bot's, unless it is in the folder
    limits: Mapping[Person, tuple[str, ...]] | None = None  # whose role is for which domains
    language: str = "en"  # the bot's


def make_rooms(chats: Iterable[str] = DEFAULT_CHATS) -> tuple[Room, ...]:
    """Return local chats with our people, the channel and the command, not yet started."""
    usage = "|".join(row.name for row in COMMANDS.values() if row.slash)
    hint = CommandHint(COMMAND, COMMANDS["dashboard"].summary, usage)
    return tuple(make_room(chat, PEOPLE, CHANNEL, hint) for chat in chats)


def reaching(
    rooms: Iterable[Room], limits: Mapping[Person, tuple[str, ...]] | None = None
) -> dict[str, Any]:
    """Return the settings of a bot that is in these rooms, and of who may do what there."""
    rooms = tuple(rooms)
    access: dict[str, Any] = {
        role: [room.id_of(person) for room in rooms] for role, person in _ROLES.items()
    }
    access["domains"] = {
        room.id_of(person): domains for person, domains in (limits or {}).items() for room in rooms
    }
    return {room.chat: room.settings() for room in rooms} | {"access": access}


class Stage:
    """Everything that is running. Made by :func:`stage`."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.clock = DemoClock()
        self.sink = Sink(plan.policy)
        self.rooms = make_rooms(plan.chats)
        self.app: App
        self.server: Embedded
        self.traffic: Traffic

    async def build(self, relay: tuple[str, int]) -> None:
        """Make the bot and the mail server, once the other ends have their ports."""
        settings = self._settings(relay)
        (mail,) = settings.mail_server
        assert isinstance(mail, EmbeddedServerSettings)  # noqa: S101 - as _settings() says
        self.server = Embedded(mail, self.clock)
        self.app = App(settings, clock=self.clock, servers=[self.server])

    def _settings(self, relay: tuple[str, int]) -> Settings:
        plan = self.plan
        addresses = [*(person.address for person in people()), NEWSLETTER]
        return fixed(
            language=plan.language,
            database=plan.database or f"sqlite:///{plan.folder / 'bot.db'}",
            **reaching(self.rooms, plan.limits),
            mail_server=[
                {
                    "name": "mail",
                    "database": plan.folder / "mail.db",
                    "port": plan.mail_port,
                    "hostname": "mail.example.com",
                    "domains": DOMAINS,
                    "relay": f"{relay[0]}:{relay[1]}",
                    "proxy_protocol": True,
                    "users": [{"address": a, "password": PASSWORD} for a in addresses],
                }
            ],
            detection=plan.detection or {},
            safety=plan.safety or {},
            digest=plan.digest or {},
        )


@contextlib.asynccontextmanager
async def stage(
    plan: Plan, said: Callable[[str], None] = lambda line: None
) -> AsyncIterator[Stage]:
    """Set a stage and have its bot run within the block; ``said`` is told of progress.

    Raises OSError for a port in use, ServerDown, StoreError.
    """
    made = Stage(plan)
    async with contextlib.AsyncExitStack() as stack:
        for number, room in enumerate(made.rooms):
            # Several pages stand at ports one after the other.
            await room.start(plan.page_port + number if plan.page_port else 0)
            stack.push_async_callback(room.stop)
        relay = await made.sink.start()
        stack.push_async_callback(made.sink.stop)
        await made.build(relay)
        # Before the bot looks: a habit of a week is learnt at once, not alerted on.
        await made.server.start()
        stack.push_async_callback(made.server.stop)
        made.traffic = Traffic("127.0.0.1", made.server.port, made.clock, plan.seed)
        if plan.week:
            said("A normal week of mail goes through first ...")
            letters = await made.traffic.week(made.clock, made.clock.now() - WEEK_ENDS)
            made.clock.release()
            said(f"... {letters:,} letters of {len(people())} people.")
        await stack.enter_async_context(made.app.running())
        yield made
