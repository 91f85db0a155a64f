"""Messages an app sends without the Web API: acknowledgement payloads and response URLs.

Source: the "Handling user interaction" page ("Message responses") and "Implementing slash
commands".
"""

from typing import Any

from bot.workspace.checks.grammar import Report, boolean, one_of, record, string
from bot.workspace.checks.messages import check_blocks, check_metadata, check_text
from bot.workspace.store import Message, Store
from bot.workspace.tickets import Hook
from bot.workspace.values import ApiError, JsonObject


def _anything(value: Any, pointer: str, report: Report) -> None:
    """Accept anything; blocks and metadata are checked by their own rules."""


_FIELDS = record(
    {},
    {
        "text": string(),
        "blocks": _anything,
        "response_type": one_of("ephemeral", "in_channel"),
        "replace_original": boolean,
        "delete_original": boolean,
        "thread_ts": string(low=1),
        "mrkdwn": boolean,
        "unfurl_links": boolean,
        "unfurl_media": boolean,
        "metadata": _anything,
    },
)


class Responses:
    """Turns a response into a message, or changes the original one."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def respond(self, hook: Hook, body: Any) -> None:
        """Act on the body of a response. Raises ApiError with Slack's code."""
        report = Report()
        _FIELDS(body, "", report)
        if report.faults:
            raise ApiError("invalid_arguments", tuple(report.faults))
        original = self._original(hook)
        if body.get("delete_original"):
            self._delete(original)
            return
        text = check_text(body.get("text"))
        blocks = check_blocks(body["blocks"]) if body.get("blocks") is not None else []
        if not text and not blocks:
            raise ApiError("no_text")
        self._store.check_pictures(blocks)
        if body.get("replace_original") and original is not None:
            self._replace(original, text, blocks)
            return
        self._post(hook, body, text, blocks)

    def _original(self, hook: Hook) -> Message | None:
        if hook.message_ts is None:
            return None
        if hook.ephemeral:
            return self._store.ephemeral(hook.user, hook.message_ts)
        return self._store.channels[hook.channel].messages.get(hook.message_ts)

    def _delete(self, original: Message | None) -> None:
        if original is None:
            return
        if original.only_for is not None:
            self._store.delete_ephemeral(original)
        else:
            self._store.delete(original)

    def _replace(self, original: Message, text: str, blocks: list[JsonObject]) -> None:
        if original.only_for is not None:
            self._store.replace_ephemeral(original, text=text, blocks=blocks)
        else:
            self._store.edit(original, text=text, blocks=blocks)

    def _post(self, hook: Hook, body: JsonObject, text: str, blocks: list[JsonObject]) -> None:
        channel = self._store.channels[hook.channel]
        thread_ts = body.get("thread_ts")
        if body.get("response_type") == "in_channel":
            metadata = body.get("metadata")
            self._store.post(
                channel,
                user=self._store.identity.bot_user,
                bot=True,
                text=text,
                blocks=blocks,
                thread_ts=thread_ts,
                metadata=None if metadata is None else check_metadata(metadata),
            )
            return
        # Publishing in a thread is described for "in_channel" alone.
        self._store.post_ephemeral(channel, hook.user, text=text, blocks=blocks, thread_ts=None)
