"""From what a person typed, pressed or submitted to its answer. Same for every chat.

Every failure comes out as a card with a sentence, so that no chat has to know
what can go wrong.
"""

import logging
from collections.abc import Awaitable
from dataclasses import dataclass

from bot import acts, cards
from bot.arguments import Argument, Arguments, parse
from bot.commands import COMMANDS, Command
from bot.desk import Desk, Reply, Request
from bot.elements import Card, Values
from services.audit import Line, Phase
from services.errors import BadArgument, Refused, SpoolwardenError
from services.models import Intent
from services.people import Actor, Place

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """What to show privately, and whether on top of what the person was looking at.

    ``failed`` means that the reply tells of a failure; ``again`` that other input
    would do, and nothing has been used up.
    """

    reply: Reply
    layer: bool = False
    failed: bool = False
    again: bool = False

    @property
    def sentence(self) -> str:
        """The reply in words."""
        return self.reply.fallback if isinstance(self.reply, Card) else ""


class Dispatch:
    """Answers people. Holds the desk and nothing else."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def typed(self, actor: Actor, place: Place, text: str) -> Answer:
        """Answer what was typed after /spool."""
        return await _answered(self._typed(actor, place, text))

    async def pressed(self, actor: Actor, place: Place, intent_id: str) -> Answer:
        """Answer a button or a menu's option."""
        return await _answered(self._pressed(actor, place, intent_id))

    async def submitted(self, actor: Actor, place: Place, intent_id: str, values: Values) -> Answer:
        """Answer a form."""
        return await _answered(self._submitted(actor, place, intent_id, values))

    async def _typed(self, actor: Actor, place: Place, text: str) -> Answer:
        command, asked = understand(text)
        request = Request(actor, place, asked.server or self._desk.servers[0])
        await self._require(actor, command, request.server)
        self._desk.pipeline.server(request.server)
        if command.typed is not None:
            return Answer(await command.typed(self._desk, request, asked))
        assert command.target is not None  # noqa: S101 - understand() gives only typed rows
        target = command.target(self._desk, asked)
        return Answer(await acts.ask(self._desk, request, command.name, target), layer=True)

    async def _pressed(self, actor: Actor, place: Place, intent_id: str) -> Answer:
        intent = await self._desk.pipeline.look(actor, place, intent_id)
        command = _row(intent)
        await self._require(actor, command, intent.server)
        request = Request(actor, place, intent.server)
        assert command.pressed is not None  # noqa: S101 - _row() gives only pressed rows
        reply = await command.pressed(self._desk, request, intent)
        return Answer(reply, layer=command.layer)

    async def _submitted(
        self, actor: Actor, place: Place, intent_id: str, values: Values
    ) -> Answer:
        intent = await self._desk.pipeline.look(actor, place, intent_id)
        request = Request(actor, place, intent.server)
        return Answer(await acts.submit(self._desk, request, intent, values))

    async def _require(self, actor: Actor, command: Command, server: str) -> None:
        try:
            await self._desk.access.require(actor, command.role, f"use “{command.name}”")
        except Refused as refusal:
            await self._desk.audit.write(
                Line(
                    Phase.REFUSED,
                    command.name,
                    actor,
                    server,
                    detail={"why": refusal.sentence},
                )
            )
            raise


def understand(text: str) -> tuple[Command, Arguments]:
    """Parse what was typed. Raises BadArgument with what was understood and an example."""
    word, rest = (*text.split(maxsplit=1), "", "")[:2]
    dashboard = COMMANDS["dashboard"]
    if not word or word.partition(":")[0].lower() in {taken.typed for taken in dashboard.takes}:
        # The dashboard has no word of its own, so its arguments come first.
        return dashboard, parse(text, dashboard.takes, dashboard.example)
    command = COMMANDS.get(word.lower())
    if command is None or not command.slash:
        known = ", ".join(row.name for row in COMMANDS.values() if row.slash)
        raise BadArgument(
            f"I know no command “{word[:40]}”. I know {known}. "
            f"Example: {COMMANDS['search'].example}"
        )
    takes: tuple[Argument, ...] = command.takes
    return command, parse(rest, takes, command.example)


def _row(intent: Intent) -> Command:
    command = COMMANDS.get(intent.action)
    if command is None or command.pressed is None:
        raise BadArgument("That button is of another release of Spoolwarden. Nothing was done.")
    return command


async def _answered(work: Awaitable[Answer]) -> Answer:
    try:
        return await work
    except SpoolwardenError as error:
        again = isinstance(error, BadArgument)
        return Answer(cards.failure(error.sentence), layer=True, failed=True, again=again)
    except Exception:  # noqa: BLE001 - the person is told, and the log has it
        _log.exception("a command failed in a way nobody foresaw")
        return Answer(
            cards.failure(
                "Spoolwarden failed inside itself. Look at the spool before trying again; "
                "its log has the details."
            ),
            layer=True,
            failed=True,
        )
