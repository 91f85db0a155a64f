"""What people do in Slack, handed to the dispatch, and its answer shown to them.

Slack gives three seconds for two things: the acknowledgement, and opening a
modal with the trigger of the click ("Handling user interaction", "Opening
modals"). So everything is acknowledged at once, and an answer that takes
longer than _PATIENCE gets a modal that says so and is filled in when it comes.
"""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import aiohttp
from slack_bolt.async_app import AsyncApp
from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.context.respond.async_respond import AsyncRespond
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot import line_cards
from bot.commands import COMMAND
from bot.dispatch import Answer, Dispatch
from bot.elements import Card, Form, Picture, Sheet, figure_of, illustrated
from bot.slack.blocks import PICK, PRESS, Carried, fallback, form, message, panel, values
from bot.slack.chat import SLACK, answered
from bot.slack.files import Files, refuses_picture
from bot.slack.home import Homes
from bot.slack.locales import Locales
from bot.underway import UnderWay
from services.language import reading, tr
from services.people import Actor, Place

_log = logging.getLogger(__name__)
#: Seconds to wait for an answer before a "working" modal is shown in its stead.
_PATIENCE = 1.5
#: Seconds before each try to show an answer with a picture.
_LOOKS = (0.4, 1.0, 2.0)

#: Seconds in which Slack has taken an acknowledgement that was sent.
_TAKEN = 3.0
_LOOK_AGAIN = 0.1  # seconds

Body = dict[str, Any]


class _NotShown(Exception):
    """Slack does not show a card for the picture on it."""


class _Unanswered(Exception):
    """Slack did not take what was sent to the address for answers; the text says what it said.

    That address is no Web API method, and the library raises nothing: it may be used up, too old,
    or what was sent refused.
    """


#: What says that something was not shown, or that nobody knows.
_NOT_SHOWN = (SlackApiError, _Unanswered, aiohttp.ClientError, TimeoutError, OSError)


@dataclass(frozen=True, slots=True)
class _Origin:
    """Where a person clicked or typed, and the means to answer there."""

    client: AsyncWebClient
    respond: AsyncRespond | None
    trigger_id: str
    channel: str
    user: str
    files: Files
    view_id: str | None = None
    ephemeral: bool = False
    thread: str | None = None  # that what was pressed stands in

    async def show(self, answer: Answer) -> None:
        """Show an answer in time for the trigger."""
        reply = answer.reply
        if isinstance(reply, Form):
            await self._open(form(reply, self.channel))
        elif isinstance(reply, Sheet):
            await self._say(await self._sent(reply), replace=False)
        elif isinstance(reply, Card):
            await self._illustrated(reply, lambda card: self._card(card, answer))

    async def _card(self, card: Card, answer: Answer) -> None:
        if self.view_id and not answer.layer:
            view = panel(card, self.channel)
            await self.client.views_update(view_id=self.view_id, view=view)
        elif self.view_id or (answer.layer and not answer.failed):
            await self._open(panel(card, self.channel))
        else:
            await self._say(card, replace=self.ephemeral and not answer.failed)

    async def _illustrated(self, card: Card, show: Callable[[Card], Awaitable[None]]) -> None:
        """Show a card with its figure; without it where Slack takes no picture."""
        figure = figure_of(card)
        handle = await self.files.picture(self.client, figure.png) if figure else None
        if handle is not None:
            for wait in _LOOKS:
                # Slack looks at a picture before it lets it be shown; the answer's address
                # can be used five times in all.
                await asyncio.sleep(wait)
                try:
                    return await show(illustrated(card, handle))
                except _NotShown:
                    continue
                except SlackApiError as error:
                    if not refuses_picture(error.response):
                        raise
        await show(card)
        return None

    async def _sent(self, given: Sheet) -> Card:
        """Send somebody a file in their direct messages; return what tells of it."""
        if await self.files.send(self.client, self.user, given):
            return line_cards.success(
                tr("{about} The file is in your messages with Spoolwarden.", about=given.about)
            )
        return line_cards.failure(
            tr(
                "Slack did not take the file. spoolwarden check says whether a permission is "
                "missing."
            )
        )

    async def hold(self) -> str:
        """Open a modal that says that work is under way; return its view id."""
        return await self._open(panel(_working(), self.channel))

    async def fill(self, view_id: str, answer: Answer) -> None:
        """Put a late answer into the modal that hold() opened."""
        shown = answer.reply or line_cards.success(tr("Done; the channel tells how it went."))
        if isinstance(shown, Sheet):
            shown = await self._sent(shown)
        if isinstance(shown, Form):
            await self.client.views_update(view_id=view_id, view=form(shown, self.channel))
            return

        async def update(card: Card) -> None:
            await self.client.views_update(view_id=view_id, view=panel(card, self.channel))

        await self._illustrated(shown, update)

    async def _open(self, view: dict[str, Any]) -> str:
        if self.view_id is None:
            answer = await self.client.views_open(trigger_id=self.trigger_id, view=view)
            return str(answer["view"]["id"])
        try:
            answer = await self.client.views_push(trigger_id=self.trigger_id, view=view)
        except SlackApiError as error:
            # "views.push": no more than three windows stand on each other. The topmost gives way.
            if answered(error) != "push_limit_reached":
                raise
            answer = await self.client.views_update(view_id=self.view_id, view=view)
        return str(answer["view"]["id"])

    async def _say(self, card: Card, *, replace: bool) -> None:
        if self.respond is None or (self.thread is not None and not replace):
            # The address for answers puts nothing private into a thread ("Handling user
            # interaction": publishing in thread), and who looks at one sees nothing else.
            await _post(self.client, self.channel, self.user, card, thread=self.thread)
            return
        answer = await self.respond(
            text=fallback(card),
            blocks=message(card),
            response_type="ephemeral",
            replace_original=replace,
        )
        if answer.status_code == 200 and '"ok":false' not in answer.body.replace(" ", ""):
            return
        drawn = any(isinstance(section, Picture) for section in card.all_sections)
        if drawn and refuses_picture(answer.body):
            raise _NotShown
        raise _Unanswered(f"{answer.status_code} {answer.body[:200]}")

    async def whisper(self, card: Card, failed: Exception) -> None:
        """Say something after another answer failed, where that is possible at all."""
        if self.respond and self.thread is None and not isinstance(failed, _Unanswered):
            # It works where the bot is in no channel: a command can be typed everywhere.
            try:
                await self._say(card, replace=False)
            except _NOT_SHOWN as error:
                _log.info("nor could it be said in answer: %s", _why(error))
            else:
                return
        await _whisper(self.client, self.channel, self.user, card, thread=self.thread)


class Listeners:
    """Registers on a Bolt app. ``under_way`` is what a graceful stop waits for."""

    def __init__(self, dispatch: Dispatch) -> None:
        self._dispatch = dispatch
        self._files = Files()
        self._locales = Locales()
        self.under_way = UnderWay()
        self.homes = Homes(dispatch, self._locales)

    def register(self, app: AsyncApp) -> None:
        """Listen to the command, to every button, menu and form, and to the Home."""
        app.command(COMMAND)(self._typed)
        app.action(re.compile(rf"^({PRESS}|{PICK}):"))(self._pressed)
        app.view("form")(self._submitted)
        app.event("app_home_opened")(self._home_opened)

    async def _home_opened(self, event: Body, client: AsyncWebClient) -> None:
        with self.under_way.answering():
            await self.homes.opened(event, client)

    async def _typed(
        self, ack: AsyncAck, command: Body, client: AsyncWebClient, respond: AsyncRespond
    ) -> None:
        await ack()
        origin = _Origin(
            client,
            respond,
            command["trigger_id"],
            command["channel_id"],
            command["user_id"],
            self._files,
        )
        actor = Actor(SLACK, command["user_id"], command.get("user_name", ""))
        place, text = Place(SLACK, origin.channel), command.get("text", "")

        async def work(reader: Actor) -> Answer:
            return await self._dispatch.typed(reader, place, text)

        await self._answer(origin, self._read(client, actor, work))

    async def _pressed(
        self, ack: AsyncAck, body: Body, action: Body, client: AsyncWebClient, respond: AsyncRespond
    ) -> None:
        await ack()
        view = body.get("view")
        channel = Carried.loads(view["private_metadata"]).channel if view else body["channel"]["id"]
        origin = _Origin(
            client,
            None if view else respond,
            body["trigger_id"],
            channel,
            body["user"]["id"],
            self._files,
            view["id"] if view else None,
            bool(body["container"].get("is_ephemeral")),
            _thread(body["container"]),
        )
        value = action.get("value") or (action.get("selected_option") or {}).get("value") or ""

        async def work(reader: Actor) -> Answer:
            return await self._dispatch.pressed(reader, Place(SLACK, channel), value)

        await self._answer(origin, self._read(client, _actor(body), work))

    async def _read(
        self, client: AsyncWebClient, actor: Actor, work: Callable[[Actor], Awaitable[Answer]]
    ) -> Answer:
        """Do what somebody asks for, knowing how they read numbers and days."""
        return await work(replace(actor, locale=await self._locales.of(client, actor.user_id)))

    async def _answer(self, origin: _Origin, work: Coroutine[Any, Any, Answer]) -> None:
        """Show the answer in time, or a modal that is filled in later."""
        with self.under_way.answering():
            await self._show(origin, self.under_way.keep(work))

    async def _show(self, origin: _Origin, task: asyncio.Task[Answer]) -> None:
        try:
            await asyncio.wait({task}, timeout=_PATIENCE)
            if task.done():
                answer = task.result()
                with reading(answer.locale):
                    await origin.show(answer)
            else:
                view_id = await origin.hold()
                answer = await task
                with reading(answer.locale):
                    await origin.fill(view_id, answer)
        except _NOT_SHOWN as error:
            # The act itself is safe in the audit log and the channel's lines.
            _log.warning("an answer could not be shown: %s", _why(error))
            reply = (await task).reply
            if isinstance(reply, Card) and reply.once:
                reply = await self._dispatch.not_shown(reply.once)
            if isinstance(reply, Sheet):
                reply = line_cards.failure(
                    tr("The file could not be sent; please ask for it again.")
                )
            if isinstance(reply, Form):
                reply = line_cards.failure(
                    tr("The form could not be opened in time. Nothing was done; please ask again.")
                )
            if reply is not None:
                await origin.whisper(reply, error)

    async def _submitted(
        self, ack: AsyncAck, body: Body, view: Body, client: AsyncWebClient
    ) -> None:
        with self.under_way.answering():
            await self._submit(ack, body, view, client)

    async def _submit(self, ack: AsyncAck, body: Body, view: Body, client: AsyncWebClient) -> None:
        carried = Carried.loads(view["private_metadata"])

        async def work(reader: Actor) -> Answer:
            place, filled = Place(SLACK, carried.channel), values(view["state"])
            return await self._dispatch.submitted(reader, place, carried.intent_id, filled)

        task = self.under_way.keep(self._read(client, _actor(body), work))
        await asyncio.wait({task}, timeout=_PATIENCE)
        # Whether an acknowledgement arrives nobody tells; a secret must surely be seen.
        if not task.done() or _is_secret(task.result()):
            name = uuid4().hex
            working = {**panel(_working(), carried.channel), "external_id": name}
            await ack(response_action="update", view=working)
            due = asyncio.get_running_loop().time() + _TAKEN
            await self._fill(
                _Held(client, name, due), carried.channel, body["user"]["id"], await task
            )
            return
        answer = task.result()
        field = next((b["block_id"] for b in view["blocks"] if b["type"] == "input"), None)
        if answer.again and field is not None:
            # The intent is not used up: the person can mend the field and submit again.
            await ack(response_action="errors", errors={field: answer.sentence})
        else:
            with reading(answer.locale):
                shown = panel(_shown(answer), carried.channel)
            await ack(response_action="update", view=shown)

    async def _fill(self, held: "_Held", channel: str, user: str, answer: Answer) -> None:
        """Put a late answer to a form in its place."""
        shown = _shown(answer)
        try:
            with reading(answer.locale):
                view = panel(shown, channel)
            await held.fill(view)
        except _NOT_SHOWN as error:
            _log.warning("an answer could not be shown: %s", answered(error))
            if shown.once:
                shown = await self._dispatch.not_shown(shown.once)
            await _whisper(held.client, channel, user, shown)


@dataclass(frozen=True, slots=True)
class _Held:
    """A form's window that an acknowledgement turns into "working", to be filled in later.

    The acknowledgement and the call that fills it in travel on two connections, and Slack may
    take the call first: the acknowledgement would then wipe the answer out. So the window is
    found by a name that only the acknowledgement gives it ("views.update": external_id).
    """

    client: AsyncWebClient
    name: str
    due: float  # of the event loop's clock: the acknowledgement has been taken by then

    async def fill(self, view: dict[str, Any]) -> None:
        """Show something else in the window. Raises what _NOT_SHOWN lists."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                await self.client.views_update(external_id=self.name, view=view)
                return
            except SlackApiError as error:
                if answered(error) != "not_found" or loop.time() > self.due:
                    raise
            await asyncio.sleep(_LOOK_AGAIN)


def _why(error: Exception) -> str:
    return str(error) if isinstance(error, _Unanswered) else answered(error)


async def _post(
    client: AsyncWebClient, channel: str, user: str, card: Card, *, thread: str | None
) -> None:
    """Post to one person alone. Raises one of _NOT_SHOWN."""
    await client.chat_postEphemeral(
        channel=channel, user=user, text=fallback(card), blocks=message(card), thread_ts=thread
    )


async def _whisper(
    client: AsyncWebClient, channel: str, user: str, card: Card, *, thread: str | None = None
) -> None:
    """Say something to one person where no window can be shown."""
    try:
        await _post(client, channel, user, card, thread=thread)
    except _NOT_SHOWN as error:
        # In a rush Slack may take no more; what was said is in the log.
        _log.warning("nor could it be said in another way: %s", answered(error))


def _is_secret(answer: Answer) -> bool:
    return isinstance(answer.reply, Card) and bool(answer.reply.once)


def _actor(body: Body) -> Actor:
    user = body["user"]
    return Actor(SLACK, user["id"], user.get("name") or user.get("username") or user["id"])


def _thread(container: Body) -> str | None:
    """Return the thread that a message stands in; None for a thread's own first message."""
    thread = container.get("thread_ts")
    return thread if thread and thread != container.get("message_ts") else None


def _shown(answer: Answer) -> Card:
    return answer.reply if isinstance(answer.reply, Card) else line_cards.success(tr("Done."))


def _working() -> Card:
    return line_cards.note(tr("Working on it … this fills in by itself."))
