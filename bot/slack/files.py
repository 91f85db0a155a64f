"""Files that people are given in Slack: a picture in an answer, or a file of their own."""

import logging
from collections import deque
from typing import Any

import aiohttp
from slack_sdk.errors import SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from bot.elements import Sheet
from services.language import tr

_log = logging.getLogger(__name__)
#: Pictures of answers that stay; older ones are deleted. Whose answer is older asks again.
_KEPT = 40


class Files:
    """Uploads, and forgets what has been looked at."""

    def __init__(self) -> None:
        self._pictures: deque[str] = deque()

    async def picture(self, client: AsyncWebClient, png: bytes) -> str | None:
        """Upload a picture for a card; return its id, None where Slack takes none."""
        try:
            answer = await client.files_upload_v2(
                filename="picture.png", title=tr("Picture"), content=png
            )
            handle = str(answer["files"][0]["id"])
            self._pictures.append(handle)
            while len(self._pictures) > _KEPT:
                await client.files_delete(file=self._pictures.popleft())
        except (SlackClientError, aiohttp.ClientError, TimeoutError) as error:
            _log.warning("an answer comes without its picture: %s", str(error).partition("\n")[0])
            return None
        return handle

    async def send(self, client: AsyncWebClient, user: str, given: Sheet) -> bool:
        """Send somebody a file as a direct message; return whether Slack took it.

        It is shared with that person alone: "files.completeUploadExternal" takes user ids, too.
        """
        try:
            await client.files_upload_v2(
                filename=given.name, title=given.name, content=given.data, channels=[user]
            )
        except (SlackClientError, aiohttp.ClientError, TimeoutError) as error:
            _log.warning("a file was not sent: %s", str(error).partition("\n")[0])
            return False
        return True


def refuses_picture(answer: Any) -> bool:
    """Tell whether an answer says that a card is not shown for its picture.

    Of a message that is invalid_blocks, of a view invalid_arguments with the place; the address
    for answers names no place.
    """
    return "invalid_blocks" in str(answer) or "slack_file" in str(answer)
