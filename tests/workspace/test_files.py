"""Files as Slack has them: shown in blocks once processed, sent to a person, deleted."""

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.workspace import ManualClock, MemberClient, Workspace

from .conftest import OTTO

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20


async def _upload(web: AsyncWebClient, content: bytes = PNG) -> str:
    answer = await web.files_upload_v2(filename="x.png", title="X", content=content)
    return str(answer["files"][0]["id"])


def _image(file: str) -> list[dict[str, object]]:
    return [{"type": "image", "slack_file": {"id": file}, "alt_text": "What it shows"}]


async def _refusal(call: object) -> tuple[str, str]:
    with pytest.raises(SlackApiError) as refused:
        await call  # type: ignore[misc]
    answer = refused.value.response
    return str(answer["error"]), str(answer.get("errors"))


async def test_a_picture_is_shown_once_it_is_processed_and_nobody_shared_it(
    ws: Workspace, web: AsyncWebClient, clock: ManualClock, vera: MemberClient
) -> None:
    channel, file = ws.channel_id("mail-ops"), await _upload(web)
    early = web.chat_postMessage(channel=channel, text="x", blocks=_image(file))
    error, where = await _refusal(early)
    assert (error, "invalid slack file [json-pointer:/blocks/0/slack_file]" in where) == (
        "invalid_blocks",
        True,
    )
    clock.advance(1)
    posted = await web.chat_postMessage(channel=channel, text="x", blocks=_image(file))
    shown = await vera.wait_for(lambda state: state.last())
    assert not shown.files
    assert await vera.file(f"/member/file/{file}") == PNG
    # An update of what shows a deleted file is refused, too.
    await web.files_delete(file=file)
    later = web.chat_update(channel=channel, ts=posted["ts"], text="x", blocks=_image(file))
    assert (await _refusal(later))[0] == "invalid_blocks"
    with pytest.raises(aiohttp.ClientResponseError):
        await vera.file(f"/member/file/{file}")
    assert (await _refusal(web.files_delete(file=file)))[0] == "file_not_found"


@pytest.mark.parametrize("content", [b"plain text", b"<svg/>"])
async def test_only_what_is_an_image_is_shown_as_one(
    ws: Workspace, web: AsyncWebClient, clock: ManualClock, content: bytes
) -> None:
    file = await _upload(web, content)
    clock.advance(1)
    posted = web.chat_postMessage(channel=ws.channel_id("mail-ops"), text="x", blocks=_image(file))
    assert (await _refusal(posted))[0] == "invalid_blocks"


async def test_what_was_never_completed_is_not_shown(
    ws: Workspace, web: AsyncWebClient, clock: ManualClock
) -> None:
    answer = await web.files_getUploadURLExternal(filename="x.png", length=len(PNG))
    clock.advance(1)
    posted = web.chat_postMessage(
        channel=ws.channel_id("mail-ops"), text="x", blocks=_image(answer["file_id"])
    )
    assert (await _refusal(posted))[0] == "invalid_blocks"


async def test_a_file_for_one_person_is_in_their_direct_messages_alone(
    ws: Workspace, web: AsyncWebClient, vera: MemberClient
) -> None:
    # One channel's id is asked for another way, and takes no person's.
    alone = web.files_upload_v2(filename="x.png", title="X", content=PNG, channel=OTTO.id)
    assert (await _refusal(alone))[0] == "invalid_arguments"
    async with ws.member(OTTO.id) as otto:
        await web.files_upload_v2(
            filename="t.csv", title="t.csv", content=b"a,b", channels=[OTTO.id]
        )
        shown = await otto.wait_for(lambda state: state.last())
        assert shown.channel.startswith("D")
        assert [file.title for file in shown.files] == ["t.csv"]
        assert await otto.file(shown.files[0].url) == b"a,b"
    assert not vera.state().messages
