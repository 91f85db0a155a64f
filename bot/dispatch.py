"""From what a person typed, pressed or submitted to its answer. Same for every chat.

Every failure comes out as a card with a sentence, so that no chat has to know
what can go wrong.
"""

import logging
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from bot import acts, line_cards, reads, spool_cards
from bot.arguments import Argument, Arguments, parse, read
from bot.commands import COMMANDS, Command
from bot.desk import Desk, Reply, Request
from bot.elements import Card, Values
from bot.suggest import suggest
from services.audit import storable
from services.errors import BadArgument, Refused, SpoolwardenError
from services.language import reading, tr
from services.models import Intent
from services.people import Actor, Place
from services.targets import Target

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """What to show privately, and whether on top of what the person was looking at.

    ``failed`` means that the reply tells of a failure; ``again`` that other input
    would do, and nothing has been used up. ``locale`` is how who asked reads numbers and days.
    """

    reply: Reply
    layer: bool = False
    failed: bool = False
    again: bool = False
    locale: str = ""

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
        return await _answered(actor, self._typed(actor, place, text))

    async def chosen(
        self, actor: Actor, place: Place, name: str, given: Mapping[str, str]
    ) -> Answer:
        """Answer a command whose arguments the chat itself has told apart, by their names."""
        return await _answered(actor, self._chosen(actor, place, name, given))

    async def suggestions(
        self, actor: Actor, name: str, given: Mapping[str, str], typing: str
    ) -> tuple[str, ...]:
        """Return what could be meant by the argument being typed; nothing for the uninvited."""
        try:
            command = COMMANDS[name]
            argument = next(argument for argument in command.takes if argument.typed == typing)
            if argument.known is None:
                return ()
            needed = self._desk.access.needed(name, command.role)
            scope = await self._desk.access.require(actor, needed, acts.using(name))
            place = Place(actor.chat, "")
            request = Request(actor, place, self._server(given.get("on")), scope)
            return await suggest(self._desk, request, argument.known, given.get(typing, ""))
        except (SpoolwardenError, LookupError, StopIteration):
            return ()  # a list that cannot be made keeps nobody from typing

    async def home(self, actor: Actor, lasting: timedelta) -> tuple[list[Card], bool]:
        """Return what the Home of a chat shows this person, and whether it is to be kept new.

        ``lasting`` is for how long it will be.
        """
        place, command = Place(actor.chat, ""), COMMANDS["dashboard"]
        until = self._desk.clock.now() + lasting

        try:
            request = await self._request(actor, place, command, self._desk.servers[0])
        except SpoolwardenError as error:
            return [line_cards.failure(error.sentence)], False

        async def shown(server: str) -> Answer:
            of = replace(request, server=server)
            return Answer(await reads.dashboard(self._desk, of, Arguments()))

        answers = [await _answered(actor, shown(server)) for server in self._desk.servers]
        found = [answer.reply for answer in answers if isinstance(answer.reply, Card)]
        return [*found, spool_cards.kept_new(until)], True

    async def question(self, actor: Actor, place: Place, intent_id: str) -> Answer:
        """Ask before a button acts, where the chat's buttons cannot ask by themselves."""
        return await _answered(actor, self._question(actor, place, intent_id))

    async def pressed(self, actor: Actor, place: Place, intent_id: str) -> Answer:
        """Answer a button or a menu's option."""
        return await _answered(actor, self._pressed(actor, place, intent_id))

    async def submitted(self, actor: Actor, place: Place, intent_id: str, values: Values) -> Answer:
        """Answer a form."""
        return await _answered(actor, self._submitted(actor, place, intent_id, values))

    async def not_shown(self, intent_id: str) -> Card:
        """Hear that a secret could not be shown; return what the person is told instead."""
        try:
            await self._desk.pipeline.not_shown(intent_id)
        except SpoolwardenError as error:
            _log.warning("that a new password was not shown is not told: %s", error.sentence)
        return line_cards.failure(
            tr("The new password was set, but it could not be shown to you. Set it again.")
        )

    async def _typed(self, actor: Actor, place: Place, text: str) -> Answer:
        return await self._asked(actor, place, *understand(text))

    async def _chosen(
        self, actor: Actor, place: Place, name: str, given: Mapping[str, str]
    ) -> Answer:
        return await self._asked(actor, place, *_given(name, given))

    async def _asked(
        self, actor: Actor, place: Place, command: Command, asked: Arguments
    ) -> Answer:
        request = await self._request(actor, place, command, self._server(asked.server))
        self._desk.pipeline.server(request.server)
        if command.typed is not None:
            return Answer(await command.typed(self._desk, request, asked))
        assert command.target is not None  # noqa: S101 - understand() gives only typed rows
        target = command.target(self._desk, asked)
        return Answer(await acts.ask(self._desk, request, command.name, target), layer=True)

    def _server(self, named: str | None) -> str:
        return named or self._desk.servers[0]

    async def _question(self, actor: Actor, place: Place, intent_id: str) -> Answer:
        intent = await self._desk.pipeline.look(actor, place, intent_id)
        command = _row(intent)
        request = await self._request(actor, place, command, intent.server, intent)
        if command.question is None:
            return await self._pressed(actor, place, intent_id)
        return Answer(await command.question(self._desk, request, intent), layer=True)

    async def _pressed(self, actor: Actor, place: Place, intent_id: str) -> Answer:
        intent = await self._desk.pipeline.look(actor, place, intent_id)
        command = _row(intent)
        request = await self._request(actor, place, command, intent.server, intent)
        assert command.pressed is not None  # noqa: S101 - _row() gives only pressed rows
        reply = await command.pressed(self._desk, request, intent)
        return Answer(reply, layer=command.layer)

    async def _submitted(
        self, actor: Actor, place: Place, intent_id: str, values: Values
    ) -> Answer:
        intent = await self._desk.pipeline.look(actor, place, intent_id)
        request = await self._request(actor, place, _row(intent), intent.server, intent)
        return Answer(await acts.submit(self._desk, request, intent, values))

    async def _request(
        self,
        actor: Actor,
        place: Place,
        command: Command,
        server: str,
        intent: Intent | None = None,
    ) -> Request:
        """Return what a command works with, once it is sure that this person may use it.

        With ``intent``, on what that is about, too.
        """
        what, subject = acts.using(command.name), ""
        try:
            needed = self._desk.access.needed(command.name, command.role)
            scope = await self._desk.access.require(actor, needed, what)
            if intent is not None and not command.narrows:
                target = Target.model_validate_json(intent.target)
                subject = target.subject
                scope.limited(target, what)
        except Refused as refusal:
            await self._desk.refuse(actor, command.name, server, refusal, subject)
        return Request(actor, place, server, scope)


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
            tr(
                "I know no command “{word}”. I know {known}. Example: {example}",
                word=word[:40],
                known=known,
                example=COMMANDS["search"].example,
            )
        )
    takes: tuple[Argument, ...] = command.takes
    return command, parse(rest, takes, command.example)


def _given(name: str, given: Mapping[str, str]) -> tuple[Command, Arguments]:
    command = COMMANDS.get(name)
    if command is None or not command.slash:
        raise BadArgument(tr("I know no command “{word}”. /spool help lists all.", word=name[:40]))
    by_name = {argument.typed: argument for argument in command.takes}
    unknown = [typed for typed in given if typed not in by_name]
    if unknown:
        raise BadArgument(
            tr(
                "“{command}” takes no {argument}: the command list is out of date.",
                command=name,
                argument=unknown[0][:40],
            )
        )
    words = [(by_name[typed], storable(value[:4000])) for typed, value in given.items()]
    return command, read(words, command.takes, command.example)


def _row(intent: Intent) -> Command:
    command = COMMANDS.get(intent.action)
    if command is None or command.pressed is None:
        raise BadArgument(tr("That button is of another release of Spoolwarden. Nothing was done."))
    return command


async def _answered(actor: Actor, work: Awaitable[Answer]) -> Answer:
    try:
        with reading(actor.locale):
            return replace(await work, locale=actor.locale)
    except SpoolwardenError as error:
        again = isinstance(error, BadArgument)
        return Answer(line_cards.failure(error.sentence), layer=True, failed=True, again=again)
    except Exception:  # noqa: BLE001 - the person is told, and the log has it
        _log.exception("a command failed in a way nobody foresaw")
        return Answer(
            line_cards.failure(
                tr(
                    "Spoolwarden failed inside itself. Look at the spool before trying again; "
                    "its log has the details."
                )
            ),
            layer=True,
            failed=True,
        )
