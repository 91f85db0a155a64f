"""A Slack channel, as the publisher and access control use it."""

import contextlib
from collections.abc import Awaitable
from datetime import datetime
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError, SlackRequestError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient

from bot.chat import ChatDown, ChatGone, ChatRefused, Drawing, NoPictures, PictureRefused
from bot.elements import Card
from bot.slack.blocks import fallback, message
from services.language import later, tr
from services.people import Place

SLACK = "slack"
_EVENT = "spoolwarden_shown"
# Answers that mean this message will never be taken (Slack Web API, "Errors" of
# chat.postMessage and chat.update). Everything else may be mended by a person or
# by waiting, so it is tried again.
_NEVER = {
    "invalid_blocks",
    "invalid_blocks_format",
    "msg_too_long",
    "msg_blocks_too_long",
    "metadata_too_large",
    "invalid_metadata_format",
    "invalid_metadata_schema",
    "block_mismatch",
    "no_text",
    "invalid_arguments",
    "cant_update_message",
    "cant_delete_message",
    "compliance_exports_prevent_deletion",
    "edit_window_closed",
}
# Answers after which a message may have been posted all the same ("Errors" of chat.postMessage);
# Slack gives them with HTTP 200, too.
_UNSURE = {"fatal_error", "internal_error"}
# Answers that mean that there can be no line under this message, which was deleted or locked
# ("Errors" of chat.postMessage and conversations.replies).
_NO_THREAD = {
    "thread_not_found",
    "cannot_reply_to_message",
    "restricted_action_thread_locked",
    "restricted_action_non_threadable_channel",
}
# Answers that mean that no file will be taken before somebody changes that.
_NO_FILES = {
    "missing_scope",
    "file_uploads_disabled",
    "file_uploads_except_images_disabled",
    "access_denied",
}
_UNPINNED = later("Slack refused to pin it: the workspace does not let the app pin messages.")
# Answers of pins.add that only a person can mend.
_NO_PIN = {
    "missing_scope": later(
        "Slack refused to pin it: the app lacks the scope pins:write; reinstall it with "
        "manifest/slack.yaml."
    ),
    "not_pinnable": later("Slack refused to pin it: it cannot be pinned."),
    "permission_denied": _UNPINNED,
    "no_permission": _UNPINNED,
    "restricted_action": later(
        "Slack refused to pin it: a preference of the workspace keeps the app from pinning "
        "messages."
    ),
}
_MENDABLE = {
    "channel_not_found": (
        "the channel in slack.channel is not known to Slack, "  # not shown
        "or it is private and the bot is not in it: type /invite @Spoolwarden there"  # not shown
    ),
    "not_in_channel": "the bot is not in its channel: type /invite @Spoolwarden there",  # not shown
    "is_archived": "the channel is archived",  # not shown
    "invalid_auth": "Slack does not accept the bot token",  # not shown
    "token_revoked": "the bot token was revoked",  # not shown
    "account_inactive": "the app was removed from the workspace",  # not shown
    "missing_scope": (
        "the app lacks a permission: reinstall it with manifest/slack.yaml"  # not shown
    ),
}


def make_client(token: str | None, api_url: str) -> AsyncWebClient:
    """Return a Web API client that waits as Slack's Retry-After says, once, by itself."""
    return AsyncWebClient(
        token=token,
        base_url=api_url,
        timeout=15,
        retry_handlers=[AsyncRateLimitErrorRetryHandler(max_retry_count=1)],
    )


class SlackChat:
    """One channel. Implements bot.chat.Chat and services.access.GroupLookup."""

    def __init__(self, client: AsyncWebClient, channel: str) -> None:
        self._client = client
        self._place = Place(SLACK, channel)

    @property
    def place(self) -> Place:
        """The channel."""
        return self._place

    async def post(self, card: Card, *, ref: str, thread: str | None) -> str:
        """Post a card; the reference travels in the message's metadata.

        Where there can be no thread any more, it comes into the channel.
        """
        try:
            return await self._post(card, ref, thread)
        except _NoThread:
            return await self._post(card, ref, None)

    async def _post(self, card: Card, ref: str, thread: str | None) -> str:
        answer = await _called(
            self._client.chat_postMessage(
                channel=self._place.channel,
                text=fallback(card),
                blocks=message(card),
                thread_ts=thread,
                metadata={"event_type": _EVENT, "event_payload": {"ref": ref}},
                unfurl_links=False,
                unfurl_media=False,
            ),
        )
        return str(answer["ts"])

    async def update(self, message_id: str, card: Card) -> None:
        """Show another card in place of a message."""
        await _called(
            self._client.chat_update(
                channel=self._place.channel,
                ts=message_id,
                text=fallback(card),
                blocks=message(card),
            )
        )

    async def pin(self, message_id: str) -> None:
        """Pin a message. Where the app may not, that is ChatRefused: it needs a person."""
        try:
            await self._client.pins_add(channel=self._place.channel, timestamp=message_id)
        except SlackApiError as error:
            code = str(error.response.get("error") or "")
            if code == "already_pinned":
                return
            if code in _NO_PIN:
                raise ChatRefused(tr(_NO_PIN[code])) from error
            raise _ours(error) from error
        except (TimeoutError, aiohttp.ClientError, ConnectionRefusedError) as error:
            raise ChatDown("Slack did not answer.") from error

    async def remove(self, message_id: str) -> None:
        """Delete a message, and its pin with it."""
        with contextlib.suppress(ChatGone):
            await _called(
                self._client.chat_delete(channel=self._place.channel, ts=message_id),
            )

    async def link(self, message_id: str) -> str | None:
        """Return a message's permalink; what shows it does without one that is not to be had."""
        try:
            answer = await _called(
                self._client.chat_getPermalink(channel=self._place.channel, message_ts=message_id)
            )
        except (ChatDown, ChatRefused):
            return None
        return str(answer["permalink"])

    async def find(self, ref: str, *, thread: str | None, since: datetime) -> str | None:
        """Look through what the thread, and the channel, got since then for the reference."""
        if thread is not None:
            with contextlib.suppress(_NoThread):
                if found := await self._found(ref, thread, since):
                    return found
        return await self._found(ref, None, since)

    async def _found(self, ref: str, thread: str | None, since: datetime) -> str | None:
        cursor: str | None = None
        while True:
            common: dict[str, Any] = {
                "channel": self._place.channel,
                "oldest": f"{since.timestamp() - 60:.6f}",
                "include_all_metadata": True,
                "limit": 200,
                "cursor": cursor,
            }
            if thread is None:
                answer = await _called(self._client.conversations_history(**common))
            else:
                answer = await _called(self._client.conversations_replies(ts=thread, **common))
            for found in answer.get("messages", []):
                if found.get("metadata", {}).get("event_payload", {}).get("ref") == ref:
                    return str(found["ts"])
            cursor = (answer.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                return None

    async def take(self, drawing: Drawing) -> str:
        """Upload a picture. It is shared nowhere: who sees the card sees it, and nobody else.

        Slack looks at it for a moment before it lets a card show it: files are processed
        asynchronously ("files.completeUploadExternal").
        """
        try:
            answer = await _called(
                self._client.files_upload_v2(
                    filename="sending.png", title=tr("What was sent"), content=drawing.png
                )
            )
        except ChatDown as error:
            if isinstance(error.__cause__, SlackApiError) and _code(error.__cause__) in _NO_FILES:
                raise NoPictures(error.sentence) from error
            raise
        return str(answer["files"][0]["id"])

    async def drop(self, handle: str) -> None:
        """Delete a picture."""
        await _called(self._client.files_delete(file=handle))

    async def members(self, group_id: str) -> frozenset[str]:
        """Return the members of a user group."""
        answer = await _called(self._client.usergroups_users_list(usergroup=group_id))
        return frozenset(answer.get("users", []))


class _NoThread(ChatRefused):
    """There can be no line under this message."""


async def _called(call: Awaitable[Any]) -> Any:
    """Await a Web API call and turn its failure into one of ours."""
    try:
        return await call
    except SlackApiError as error:
        raise _ours(error) from error
    except SlackRequestError as error:
        raise ChatDown("Slack did not take the picture.") from error
    except (aiohttp.ClientConnectorError, ConnectionRefusedError) as error:
        raise ChatDown("Slack cannot be reached.") from error
    except (TimeoutError, aiohttp.ClientError) as error:
        raise ChatDown("Slack did not answer.", unsure=True) from error


def answered(error: Exception) -> str:
    """Return what Slack answered, in a line; else what kept it from answering."""
    if isinstance(error, SlackApiError):
        return (_code(error) or str(error)).partition("\n")[0]
    return type(error).__name__


def _code(error: SlackApiError) -> str:
    return str(error.response.get("error") or "") if hasattr(error.response, "get") else ""


def _ours(error: SlackApiError) -> ChatDown | ChatRefused:
    answer, code = error.response, _code(error)
    status = getattr(answer, "status_code", 0)
    if status == 429 or code == "ratelimited":
        wait = float(answer.headers.get("Retry-After", 30))
        return ChatDown(f"Slack asks to wait {wait:.0f} s.", retry_after=wait)
    if code in _NO_THREAD:
        return _NoThread(f"Slack takes no line under this message: {code}.")  # not shown
    if code == "message_not_found":
        return ChatGone("The message is no longer in the channel.")
    if code == "invalid_blocks" and "slack_file" in str(answer.get("errors")):
        return PictureRefused("Slack does not show the picture.")
    if code in _NEVER:
        return ChatRefused(f"Slack refused the message: {code}.")
    if code in _MENDABLE:
        return ChatDown(f"Slack refused: {_MENDABLE[code]}.", retry_after=30)
    return ChatDown(f"Slack answered {code or status}.", unsure=status >= 500 or code in _UNSURE)
