"""The app's answers to interactions: callbacks, and messages by the interaction's token.

From "Receiving and Responding" and the "Webhook" page's interaction endpoints.
"""

from collections.abc import Mapping
from typing import Any

from bot.guild import errors
from bot.guild.acts import NO_ANSWER, Acts
from bot.guild.checks.components import check_modal
from bot.guild.checks.grammar import (
    Report,
    Rule,
    anything,
    array,
    check,
    integer,
    number,
    one_of,
    record,
    string,
)
from bot.guild.checks.messages import CALLBACK, DEFER, FOLLOW_UP, UPDATE, Draft, Flag, draft
from bot.guild.filling import numbered
from bot.guild.forms import Forms
from bot.guild.interactions import (
    AUTOCOMPLETE,
    COMMAND,
    COMPONENT,
    MODAL_SUBMIT,
    Interaction,
    Interactions,
)
from bot.guild.modals import Modal
from bot.guild.store import Store
from bot.guild.things import COMMAND as COMMAND_MESSAGE
from bot.guild.things import REPLY, Message
from bot.guild.values import Answer, Request, Upload
from bot.local.values import JsonObject

# "Interaction Callback Type"
MESSAGE, DEFERRED, DEFERRED_UPDATE, UPDATED, CHOICES, MODAL = 4, 5, 6, 7, 8, 9
# Which answer each kind of interaction takes. A modal's submit changes a message only when a
# component of that message opened the modal; a modal can't answer a modal.
_TAKES = {
    COMMAND: (MESSAGE, DEFERRED, MODAL),
    COMPONENT: (MESSAGE, DEFERRED, DEFERRED_UPDATE, UPDATED, MODAL),
    AUTOCOMPLETE: (CHOICES,),
    MODAL_SUBMIT: (MESSAGE, DEFERRED),
}
_NEEDS_DATA = (MESSAGE, UPDATED, CHOICES, MODAL)


def _choices(value: Rule) -> Rule:
    choice = record(
        {"name": string(low=1, high=100), "value": value}, {"name_localizations": anything}
    )
    return record({"choices": array(choice, high=25)}, {})


class Answers:
    """Takes callbacks and follow-ups."""

    def __init__(self, store: Store, forms: Forms, interactions: Interactions, acts: Acts) -> None:
        self._store = store
        self._forms = forms
        self._interactions = interactions
        self._acts = acts

    # Callbacks

    async def callback(self, request: Request) -> Answer:
        """Serve "Create Interaction Response"."""
        interaction = self._interactions.to_answer(
            request.parameters["interaction_id"], request.parameters["interaction_token"]
        )
        body = request.body
        takes = _TAKES[interaction.kind]
        if interaction.kind == MODAL_SUBMIT and interaction.source is not None:
            takes = (*takes, DEFERRED_UPDATE, UPDATED)
        check(record({"type": one_of(*takes)}, {"data": anything}), body)
        kind = body["type"]
        data = body.get("data") or {}
        if kind in _NEEDS_DATA:
            check(record({"data": anything}, {"type": anything}), body)
        resource = self._answer(interaction, kind, data, request.files)
        self._interactions.acknowledge(interaction, kind)
        self._acts.answered(interaction)
        self._show(interaction, kind)
        if not request.flag("with_response"):
            return Answer(204)
        return Answer(200, self._response(interaction, resource))

    def _answer(
        self, interaction: Interaction, kind: int, data: Any, files: Mapping[int, Upload]
    ) -> JsonObject | None:
        """Do what a callback says; nothing is changed when it raises."""
        if kind == MESSAGE:
            made = draft(CALLBACK, data, files, path=("data",))
            interaction.original = self._message(interaction, made, data, files)
            return {"type": kind, "message": interaction.original}
        if kind == DEFERRED:
            report = Report()
            DEFER(data, ("data",), report)
            report.refuse()
            flags = Flag(data.get("flags") or 0) | Flag.LOADING
            empty = Draft("", [], [], flags, (), ())
            interaction.original = self._message(interaction, empty, {}, {})
        elif kind in (DEFERRED_UPDATE, UPDATED):
            source = self._source(interaction)
            if kind == UPDATED:
                self._edit(source, UPDATE, data, files, ("data",))
                interaction.original = source
                return {"type": kind, "message": source}
            interaction.original = source
        elif kind == CHOICES:
            report = Report()
            _choices(self._choice_value(data))(data, ("data",), report)
            report.refuse()
            interaction.choices = [
                {"name": c["name"], "value": c["value"]} for c in data["choices"]
            ]
        elif kind == MODAL:
            report = Report()
            check_modal(data, ("data",), report)
            report.refuse()
            self._open_modal(interaction, data)
        return None

    def _choice_value(self, data: Any) -> Rule:
        """Return the rule for a choice's value, by the kind of the first."""
        choices = data.get("choices") if isinstance(data, dict) else None
        first = choices[0].get("value") if choices and isinstance(choices[0], dict) else ""
        if isinstance(first, int):
            return integer()
        return number if isinstance(first, float) else string(low=1, high=100)

    def _open_modal(self, interaction: Interaction, data: JsonObject) -> None:
        modal = Modal(
            self._store.ids.next(),
            interaction.user,
            interaction.channel.id,
            data["custom_id"],
            data["title"],
            numbered(data["components"]),
            interaction.origin,
            interaction.source,
        )
        self._acts.show_modal(interaction.user, modal)

    def _source(self, interaction: Interaction) -> Message:
        """Return the message the component stands in. Raises ApiError "Unknown Message"."""
        source = interaction.source
        if source is None or not self._there(source):
            raise errors.unknown_message()
        return source

    def _there(self, message: Message) -> bool:
        if message.only_for is not None:
            return self._store.ephemeral(message.only_for, message.id) is not None
        channel = self._store.channels.get(message.channel)
        return channel is not None and message.id in channel.messages

    def _show(self, interaction: Interaction, kind: int) -> None:
        original = interaction.original
        if kind in (MESSAGE, DEFERRED) and original is not None:
            self._store.add(original)
        if kind == DEFERRED:
            self._interactions.fill_in_time(interaction, self._never_filled)

    def _never_filled(self, message: Message) -> None:
        message.flags &= ~Flag.LOADING
        self._store.changed(message)
        if message.origin is not None:
            self._acts.notice(message.origin.user, NO_ANSWER, message.origin.id)

    def _response(self, interaction: Interaction, resource: JsonObject | None) -> JsonObject:
        """Return the "Interaction Callback Response Object"."""
        about: JsonObject = {"id": interaction.id, "type": interaction.kind}
        original = interaction.original
        if original is not None:
            about |= {
                "response_message_id": original.id,
                "response_message_loading": original.loading,
                "response_message_ephemeral": original.only_for is not None,
            }
        response: JsonObject = {"interaction": about}
        if resource is not None:
            message = self._forms.message(resource["message"])
            response["resource"] = {"type": resource["type"], "message": message}
        return response

    # Messages by the token

    async def follow_up(self, request: Request) -> Answer:
        """Serve "Create Followup Message"."""
        interaction = self._by_token(request)
        original = interaction.original
        if original is not None and original.loading:
            # "... this endpoint will function as Edit Original Interaction Response"; its
            # ephemeral flag is ignored.
            body = dict(request.body) if isinstance(request.body, dict) else request.body
            self._edit(original, FOLLOW_UP, body, request.files, ())
            return Answer(200, self._forms.message(original))
        made = draft(FOLLOW_UP, request.body, request.files)
        message = self._message(interaction, made, request.body, request.files)
        if original is not None and original.id != message.id:
            message.replies_to = original.id
        self._store.add(message)
        return Answer(200, self._forms.message(message))

    async def get(self, request: Request) -> Answer:
        """Serve "Get Original Interaction Response" and "Get Followup Message"."""
        return Answer(200, self._forms.message(self._target(request)))

    async def edit(self, request: Request) -> Answer:
        """Serve "Edit Original Interaction Response" and "Edit Followup Message"."""
        message = self._target(request)
        self._edit(message, UPDATE, request.body, request.files, ())
        return Answer(200, self._forms.message(message))

    async def delete(self, request: Request) -> Answer:
        """Serve "Delete Original Interaction Response" and "Delete Followup Message"."""
        self._store.delete(self._target(request))
        return Answer(204)

    def _by_token(self, request: Request) -> Interaction:
        return self._interactions.by_token(
            request.parameters["webhook_id"], request.parameters["webhook_token"]
        )

    def _target(self, request: Request) -> Message:
        interaction = self._by_token(request)
        wanted = request.parameters.get("message_id", "@original")
        original = interaction.original
        if original is not None and wanted in ("@original", original.id):
            if self._there(original):
                return original
        elif wanted in interaction.made:
            private = self._store.ephemeral(interaction.user, wanted)
            if private is not None:
                return private
            channel = self._store.channels.get(interaction.channel.id)
            if channel is not None and wanted in channel.messages:
                return channel.messages[wanted]
        raise errors.unknown_message()

    def _message(
        self,
        interaction: Interaction,
        made: Draft,
        body: JsonObject,
        files: Mapping[int, Upload],
    ) -> Message:
        store = self._store
        if interaction.channel.id not in store.channels:
            raise errors.unknown_channel()
        is_command = interaction.kind == COMMAND and interaction.callback is None
        message = Message(
            store.ids.next(),
            interaction.channel.id,
            store.identity.application_id,
            store.clock.time(),
            COMMAND_MESSAGE if is_command else REPLY,
            tts=bool(body.get("tts")),
            only_for=interaction.user if made.flags & Flag.EPHEMERAL else None,
            origin=interaction.origin,
            replies_to=interaction.source.id if interaction.source is not None else None,
        )
        store.fill(message, made, files, body.get("allowed_mentions"), users_only=True)
        interaction.made.add(message.id)
        return message

    def _edit(
        self,
        message: Message,
        rule: Rule,
        body: Any,
        files: Mapping[int, Upload],
        path: tuple[str, ...],
    ) -> None:
        was_loading = message.loading
        before = message.as_draft()
        names = {f.id: f.filename for f in message.files}
        made = draft(rule, body, files, before, names, path=path)
        flags = made.flags & ~(Flag.LOADING | Flag.EPHEMERAL) | before.flags & Flag.EPHEMERAL
        made = Draft(made.content, made.embeds, made.components, flags, made.kept, made.added)
        self._store.fill(message, made, files, body.get("allowed_mentions"), users_only=True)
        if not was_loading:
            message.edited = self._store.clock.time()
        self._store.changed(message)
