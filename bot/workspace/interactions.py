"""What members do, delivered to the app, and what its acknowledgement brings about."""

from dataclasses import dataclass
from typing import Any

from bot.local.clock import Clock
from bot.local.feed import Feed
from bot.workspace.checks.layout import elements_of
from bot.workspace.envelopes import Dispatcher, NotAcknowledged
from bot.workspace.forms import BadValue, FormState, entered, is_stateful
from bot.workspace.ids import new_id
from bot.workspace.journal import Journal
from bot.workspace.modals import Modals, View
from bot.workspace.payloads import Payloads
from bot.workspace.responses import Responses
from bot.workspace.store import Channel, Message, Store
from bot.workspace.tickets import Hooks, Triggers
from bot.workspace.values import ApiError, JsonObject


class Refused(Exception):
    """The workspace won't do that. ``args[0]`` is the member API's error code."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The workspace's parts that interactions work on."""

    store: Store
    modals: Modals
    feed: Feed
    triggers: Triggers
    hooks: Hooks
    payloads: Payloads
    dispatcher: Dispatcher
    responses: Responses
    journal: Journal
    clock: Clock


def find_element(blocks: list[JsonObject], block_id: str, action_id: str) -> tuple[Any, Any]:
    """Return (block, element). Raises Refused ``no_such_element``."""
    for block in blocks:
        if block["block_id"] == block_id:
            for _, element in elements_of(block):
                if element.get("action_id") == action_id:
                    return block, element
    raise Refused("no_such_element")


def action_of(block: JsonObject, element: JsonObject, fields: JsonObject, at: str) -> JsonObject:
    """Return one entry of a payload's ``actions``. ``at`` is the action's timestamp."""
    action: JsonObject = {
        "type": element["type"],
        "action_id": element["action_id"],
        "block_id": block["block_id"],
        "action_ts": at,
        **fields,
    }
    if element["type"] == "button":
        action |= {k: element[k] for k in ("text", "value", "style", "url") if k in element}
    if element["type"] not in {"button"} and "placeholder" in element:
        action["placeholder"] = element["placeholder"]
    return action


class Interactions:
    """Commands, presses, and plain messages of members."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._forms: dict[tuple[str, str], FormState] = {}

    def channel_for(self, user: str, channel_id: str) -> Channel:
        """Return a channel the member is in. Raises Refused ``not_in_channel``."""
        channel = self._parts.store.channels.get(channel_id)
        if channel is None or user not in channel.members:
            raise Refused("not_in_channel")
        return channel

    async def command(self, user: str, channel_id: str, text: str) -> None:
        """Run a slash command. Raises Refused ``unknown_command``, ``operation_timeout``,
        ``dispatch_failed`` or the code of a malformed answer.
        """
        parts = self._parts
        channel = self.channel_for(user, channel_id)
        word, _, rest = text.strip().partition(" ")
        command = parts.store.commands.get(word)
        if command is None:
            raise Refused("unknown_command")
        hook = parts.hooks.issue(user, channel.id)
        payload = parts.payloads.slash_command(
            user, channel, command, rest.strip(), parts.triggers.issue(user), hook
        )
        try:
            answer = await parts.dispatcher.deliver("slash_commands", payload, accepts_payload=True)
        except NotAcknowledged as failure:
            self.notice(user, f'{word} failed with the error "{failure.code}"')
            raise Refused(failure.code) from None
        if not answer:
            return
        try:
            parts.responses.respond(hook, answer)
        except ApiError as refusal:
            parts.journal.note("ack:slash_commands", answer, 200, refusal.answer())
            self.notice(user, f'{word} failed with the error "{refusal.code}"')
            raise Refused(refusal.code) from None
        parts.journal.note("ack:slash_commands", answer, 200, {"ok": True})

    def say(self, user: str, channel_id: str, text: str, thread_ts: str | None) -> None:
        """Post a member's own message. Raises Refused."""
        channel = self.channel_for(user, channel_id)
        if not text.strip():
            raise Refused("no_text")
        try:
            self._parts.store.post(channel, user=user, bot=False, text=text, thread_ts=thread_ts)
        except ApiError as refusal:
            raise Refused(refusal.code) from None

    async def press_in_message(
        self, user: str, channel_id: str, ts: str, block_id: str, action_id: str, value: Any
    ) -> None:
        """Use an element of a message. Raises Refused."""
        parts = self._parts
        channel = self.channel_for(user, channel_id)
        message = channel.messages.get(ts) or parts.store.ephemeral(user, ts)
        if message is None or message.channel != channel.id or not message.bot:
            raise Refused("no_such_message")
        block, element = find_element(message.blocks, block_id, action_id)
        form = self._form(user, message)
        fields = self._enter(form, block, element, value)
        if fields is None:
            return
        hook = parts.hooks.issue(
            user,
            channel.id,
            message_ts=ts,
            ephemeral=message.only_for is not None,
        )
        action = action_of(block, element, fields, self._stamp())
        payload = parts.payloads.message_actions(
            user, message, action, form.values(), parts.triggers.issue(user), hook
        )
        await self._deliver_actions(user, payload)

    async def press_in_view(
        self, user: str, view_id: str, block_id: str, action_id: str, value: Any
    ) -> None:
        """Use an element of the view the member sees. Raises Refused."""
        parts = self._parts
        view = self.top_view(user, view_id)
        block, element = find_element(view.content["blocks"], block_id, action_id)
        fields = self._enter(view.form, block, element, value)
        if fields is None:
            return
        action = action_of(block, element, fields, self._stamp())
        trigger = parts.triggers.issue(user, view.id)
        await self._deliver_actions(user, parts.payloads.view_actions(user, view, action, trigger))

    async def open_home(self, user: str) -> None:
        """Open the app's Home. The app is told of it ("app_home_opened"), and may publish one.

        Raises Refused ``dispatch_failed`` or ``operation_timeout`` when it never answers.
        """
        parts = self._parts
        event: JsonObject = {
            "type": "app_home_opened",
            "user": user,
            "channel": f"D{user[1:]}",  # there is no conversation until somebody writes
            "tab": "home",
            "event_ts": self._stamp(),
        }
        home = parts.modals.home(user)
        if home is not None:
            event["view"] = parts.modals.slack_form(home)
        payload = parts.payloads.event(event, new_id("Ev"), parts.clock.time())
        try:
            await parts.dispatcher.deliver_event(payload)
        except NotAcknowledged as failure:
            raise Refused(failure.code) from None

    def top_view(self, user: str, view_id: str) -> View:
        """Return the member's top view. Raises Refused ``no_such_view`` when it isn't that."""
        view = self._parts.modals.top(user)
        if view is None or view.id != view_id:
            raise Refused("no_such_view")
        return view

    def notice(self, user: str, text: str) -> None:
        """Tell a member something privately, as Slack itself does."""
        self._parts.feed.tell([user], {"type": "notice", "text": text})

    async def _deliver_actions(self, user: str, payload: JsonObject) -> None:
        try:
            await self._parts.dispatcher.deliver("interactive", payload, accepts_payload=False)
        except NotAcknowledged as failure:
            self.notice(user, "The app did not respond.")
            raise Refused(failure.code) from None

    def _enter(
        self, form: FormState, block: JsonObject, element: JsonObject, value: Any
    ) -> JsonObject | None:
        """Enter a value; return the action's fields, None when nothing is to be delivered."""
        if element["type"] == "button":
            if value is not None:
                raise Refused("invalid_value")
            return {}
        try:
            fields = entered(element, value, self._parts.store.members)
        except BadValue as fault:
            raise Refused(fault.args[0]) from None
        if is_stateful(element):
            form.set(block["block_id"], element, fields)
        if block["type"] == "input" and not block.get("dispatch_action"):
            return None
        return fields

    def _form(self, user: str, message: Message) -> FormState:
        """Return what this member entered in a message so far; kept per member and message."""
        key = (user, message.ts)
        form = FormState.of(message.blocks, self._forms.get(key))
        self._forms.pop(key, None)
        self._forms[key] = form
        while len(self._forms) > self._parts.store.bounds.messages_per_channel:
            del self._forms[next(iter(self._forms))]
        return form

    def _stamp(self) -> str:
        return f"{self._parts.clock.time():.6f}"
