"""The Web API as the unmodified client library meets it."""

import json
from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.workspace import Bounds, ChannelSpec, ManualClock, Member, MemberClient, Workspace

from .conftest import OTTO, VERA


async def refused(call: Any) -> str:
    with pytest.raises(SlackApiError) as refusal:
        await call
    code: str = refusal.value.response["error"]
    return code


async def raw(ws: Workspace, method: str, **request: Any) -> tuple[int, dict[str, Any]]:
    headers = {"Authorization": f"Bearer {ws.bot_token}", **request.pop("headers", {})}
    url = ws.base_url + method
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, headers=headers, **request) as answer,
    ):
        return answer.status, await answer.json()


async def test_tokens_are_told_apart(ws: Workspace) -> None:
    channel = ws.channel_id("mail-ops")

    def client(token: str | None) -> AsyncWebClient:
        return AsyncWebClient(token=token, base_url=ws.base_url)

    assert await refused(client(None).auth_test()) == "not_authed"
    assert await refused(client("xoxb-wrong").auth_test()) == "invalid_auth"
    posting = client(ws.app_token).chat_postMessage(channel=channel, text="x")
    assert await refused(posting) == "not_allowed_token_type"
    opening = client(None).apps_connections_open(app_token=ws.bot_token)
    assert await refused(opening) == "not_allowed_token_type"
    answer = await client(ws.bot_token).auth_test()
    assert answer["user_id"] == ws.identity.bot_user
    assert "chat:write" in answer.headers["x-oauth-scopes"]


async def test_a_missing_scope_is_named() -> None:
    async with Workspace(
        members=(VERA,), channels=("mail-ops",), scopes=frozenset({"chat:write"})
    ) as ws:
        web = AsyncWebClient(token=ws.bot_token, base_url=ws.base_url)
        with pytest.raises(SlackApiError) as refusal:
            await web.users_info(user=VERA.id)
        assert refusal.value.response["error"] == "missing_scope"
        assert refusal.value.response["needed"] == "users:read"
        assert refusal.value.response["provided"] == "chat:write"


async def test_unknown_methods_arguments_and_bodies_are_refused(ws: Workspace) -> None:
    channel = ws.channel_id("mail-ops")
    assert (await raw(ws, "chat.shout", json={}))[1]["error"] == "unknown_method"
    _, answer = await raw(ws, "chat.postMessage", json={"channel": channel, "txt": "x"})
    assert answer["error"] == "invalid_arguments"
    assert answer["response_metadata"]["messages"] == [
        "[ERROR] unknown argument: txt [json-pointer:/txt]"
    ]
    _, answer = await raw(ws, "chat.postMessage", json={"text": "x"})
    assert "missing required field: channel" in answer["response_metadata"]["messages"][0]
    _, answer = await raw(ws, "chat.postMessage", json={"channel": channel, "text": 7})
    assert "must provide a string" in answer["response_metadata"]["messages"][0]
    kind = {"Content-Type": "application/json"}
    assert (await raw(ws, "api.test", data="{", headers=kind))[1]["error"] == "invalid_json"
    assert (await raw(ws, "api.test", data="[]", headers=kind))[1]["error"] == "json_not_object"
    plain = {"Content-Type": "text/plain"}
    assert (await raw(ws, "api.test", data="x", headers=plain))[1]["error"] == "invalid_post_type"


async def test_form_bodies_carry_blocks_as_json_text(ws: Workspace, vera: MemberClient) -> None:
    blocks = [{"type": "divider", "block_id": "d"}]
    form = {
        "token": ws.bot_token,
        "channel": ws.channel_id("mail-ops"),
        "text": "x",
        "blocks": json.dumps(blocks),
        "unfurl_links": "false",
    }
    _, answer = await raw(ws, "chat.postMessage", data=form, headers={"Authorization": ""})
    assert answer["ok"], answer
    shown = await vera.wait_for(lambda s: s.last())
    assert list(shown.blocks) == blocks
    assert "token" not in ws.journal[-1].arguments


async def test_bad_blocks_name_the_place(ws: Workspace, web: AsyncWebClient) -> None:
    channel = ws.channel_id("mail-ops")
    blocks = [{"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}]
    with pytest.raises(SlackApiError) as refusal:
        await web.chat_postMessage(channel=channel, text="x", blocks=blocks)
    answer = refusal.value.response
    fault = "must be less than 151 characters [json-pointer:/blocks/0/text/text]"
    assert answer["error"] == "invalid_blocks"
    assert answer["errors"] == [fault]
    assert answer["response_metadata"]["messages"] == [f"[ERROR] {fault}"]


async def test_messages_need_text_and_a_channel_the_bot_is_in(clock: ManualClock) -> None:
    async with Workspace(
        members=(VERA, OTTO),
        channels=(
            "mail-ops",
            ChannelSpec("outside", bot_is_member=False),
            ChannelSpec("secret", private=True, bot_is_member=False),
            ChannelSpec("few", members=(VERA.id,)),
        ),
        clock=clock,
    ) as ws:
        web = AsyncWebClient(token=ws.bot_token, base_url=ws.base_url)
        ops, few = ws.channel_id("mail-ops"), ws.channel_id("few")
        outside, secret = ws.channel_id("outside"), ws.channel_id("secret")
        assert await refused(web.chat_postMessage(channel="C404", text="x")) == "channel_not_found"
        assert await refused(web.chat_postMessage(channel=outside, text="x")) == "not_in_channel"
        assert await refused(web.chat_postMessage(channel=secret, text="x")) == "channel_not_found"
        clock.advance(60)
        _, answer = await raw(ws, "chat.postMessage", json={"channel": ops, "text": " "})
        assert answer["error"] == "no_text"
        long = web.chat_postMessage(channel=ops, text="x" * 40_001)
        assert await refused(long) == "msg_too_long"
        posted = await web.chat_postMessage(channel=ops, text="x" * 40_000)
        for text, taken in (("x" * 4000, True), ("x" * 4001, False), ("é" * 2001, False)):
            call = web.chat_update(channel=ops, ts=posted["ts"], text=text)
            assert (await call)["ok"] if taken else await refused(call) == "msg_too_long"
        much = [{"type": "section", "text": {"type": "plain_text", "text": "x" * 3000}}] * 4
        assert (await web.chat_postMessage(channel=ops, text="x", blocks=much))["ok"]
        much.append({"type": "section", "text": {"type": "plain_text", "text": "x" * 600}})
        too_much = web.chat_postMessage(channel=ops, text="x", blocks=much)
        assert await refused(too_much) == "msg_blocks_too_long"
        clock.advance(60)
        lost = web.chat_postMessage(channel=ops, text="x", thread_ts="1.000001")
        assert await refused(lost) == "thread_not_found"
        whisper = web.chat_postEphemeral(channel=few, user=OTTO.id, text="x")
        assert await refused(whisper) == "user_not_in_channel"
        whisper = web.chat_postEphemeral(channel=few, user="U404", text="x")
        assert await refused(whisper) == "user_not_found"
        await web.conversations_join(channel=outside)
        assert (await web.chat_postMessage(channel="#outside", text="x"))["channel"] == outside
        seen = await web.conversations_list()
        assert {c["name"] for c in seen["channels"]} == {"mail-ops", "outside", "few"}
        people = await web.conversations_members(channel=few)
        assert set(people["members"]) == {VERA.id, ws.identity.bot_user}


async def test_a_user_id_opens_a_direct_message(
    ws: Workspace, web: AsyncWebClient, vera: MemberClient, otto: MemberClient
) -> None:
    answer = await web.chat_postMessage(channel=VERA.id, text="psst")
    assert answer["channel"].startswith("D")
    shown = await vera.wait_for(lambda s: s.last())
    assert shown.channel == answer["channel"]
    await vera.wait_for(lambda s: answer["channel"] in s.channels)
    assert otto.state().messages == ()


async def test_an_update_keeps_blocks_it_does_not_name(ws: Workspace, web: AsyncWebClient) -> None:
    channel = ws.channel_id("mail-ops")
    blocks = [{"type": "divider", "block_id": "d"}]
    ts = (await web.chat_postMessage(channel=channel, text="one", blocks=blocks))["ts"]
    assert (await web.chat_update(channel=channel, ts=ts, text="two"))["message"]["blocks"]
    gone = await web.chat_update(channel=channel, ts=ts, text="three", blocks=[])
    assert "blocks" not in gone["message"]
    assert gone["text"] == "three"


async def test_only_its_own_messages_are_the_bots_to_change(
    ws: Workspace, web: AsyncWebClient, vera: MemberClient
) -> None:
    channel = ws.channel_id("mail-ops")
    await vera.say("hello")
    hers = await vera.wait_for(lambda s: s.last())
    changing = web.chat_update(channel=channel, ts=hers.ts, text="x")
    assert await refused(changing) == "cant_update_message"
    assert await refused(web.chat_delete(channel=channel, ts=hers.ts)) == "cant_delete_message"
    assert await refused(web.chat_delete(channel=channel, ts="1.000001")) == "message_not_found"
    whisper = await web.chat_postEphemeral(channel=channel, user=VERA.id, text="x")
    changing = web.chat_update(channel=channel, ts=whisper["message_ts"], text="y")
    assert await refused(changing) == "message_not_found"
    mine = await web.chat_postMessage(channel=channel, text="x")
    await vera.wait_for(lambda s: len(s.messages) == 2)
    await web.chat_delete(channel=channel, ts=mine["ts"])
    await vera.wait_for(lambda s: [m.ts for m in s.messages] == [hers.ts])


async def test_history_pages_newest_first_and_keeps_metadata(
    ws: Workspace, web: AsyncWebClient, clock: ManualClock
) -> None:
    channel = ws.channel_id("mail-ops")
    sent: list[str] = []
    for number in range(7):
        clock.advance(1)
        metadata = {"event_type": "incident", "event_payload": {"number": number}}
        answer = await web.chat_postMessage(channel=channel, text=str(number), metadata=metadata)
        sent.append(answer["ts"])
    await web.chat_postMessage(channel=channel, text="reply", thread_ts=sent[3])

    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = await web.conversations_history(channel=channel, limit=3, cursor=cursor)
        seen += [m["text"] for m in page["messages"]]
        assert all("metadata" not in m for m in page["messages"])
        if not page["has_more"]:
            break
        cursor = page["response_metadata"]["next_cursor"]
    assert seen == ["6", "5", "4", "3", "2", "1", "0"]

    between = await web.conversations_history(channel=channel, oldest=sent[2], latest=sent[4])
    assert [m["text"] for m in between["messages"]] == ["3"]
    ends = await web.conversations_history(
        channel=channel,
        oldest=sent[2],
        latest=sent[4],
        inclusive=True,
        include_all_metadata=True,
    )
    assert [m["metadata"]["event_payload"]["number"] for m in ends["messages"]] == [4, 3, 2]
    assert ends["messages"][1]["reply_count"] == 1
    bad = web.conversations_history(channel=channel, cursor="nonsense")
    assert await refused(bad) == "invalid_cursor"
    assert await refused(web.conversations_history(channel=channel, limit=1000)) == "invalid_limit"


async def test_replies_page_oldest_first_after_their_parent(
    ws: Workspace, web: AsyncWebClient, clock: ManualClock
) -> None:
    channel = ws.channel_id("mail-ops")
    parent = (await web.chat_postMessage(channel=channel, text="parent"))["ts"]
    for number in range(3):
        clock.advance(1)
        await web.chat_postMessage(channel=channel, text=str(number), thread_ts=parent)
    first = await web.conversations_replies(channel=channel, ts=parent, limit=2)
    assert [m["text"] for m in first["messages"]] == ["parent", "0"]
    cursor = first["response_metadata"]["next_cursor"]
    rest = await web.conversations_replies(channel=channel, ts=parent, cursor=cursor)
    assert [m["text"] for m in rest["messages"]] == ["1", "2"]
    assert not rest["has_more"]
    link = await web.chat_getPermalink(channel=channel, message_ts=rest["messages"][0]["ts"])
    assert f"thread_ts={parent}" in link["permalink"]


@pytest.mark.parametrize(
    ("metadata", "code"),
    [
        ({"event_type": "x"}, "invalid_metadata_format"),
        ({"event_type": "x", "event_payload": []}, "invalid_metadata_format"),
        ({"event_type": "x", "event_payload": {"a": "x" * 16_000}}, "metadata_too_large"),
    ],
)
async def test_bad_metadata_is_refused(
    ws: Workspace, web: AsyncWebClient, metadata: dict[str, Any], code: str
) -> None:
    posting = web.chat_postMessage(channel=ws.channel_id("mail-ops"), text="x", metadata=metadata)
    assert await refused(posting) == code


async def test_people_and_groups_are_told(ws: Workspace, web: AsyncWebClient) -> None:
    told = (await web.users_info(user=VERA.id))["user"]
    assert told["profile"]["title"] == "viewer"
    # Who does not ask is not told.
    assert "locale" not in told
    asked = await web.users_info(user=VERA.id, include_locale=True)
    assert asked["user"]["locale"] == VERA.locale
    assert (await web.users_info(user=ws.identity.bot_user))["user"]["is_bot"]
    assert await refused(web.users_info(user="U404")) == "user_not_found"
    assert (await web.usergroups_users_list(usergroup="S0ADMINS"))["users"] == [OTTO.id]
    assert await refused(web.usergroups_users_list(usergroup="S404")) == "no_such_subteam"


async def test_a_file_is_uploaded_shared_and_fetched(
    ws: Workspace, web: AsyncWebClient, vera: MemberClient
) -> None:
    await web.files_upload_v2(
        channel=ws.channel_id("mail-ops"),
        filename="report.csv",
        content="a,b\n1,2\n",
        title="Report",
        alt_txt="two columns",
        initial_comment="today",
    )
    shown = await vera.wait_for(lambda s: s.last())
    assert shown.text == "today"
    assert shown.files[0].title == "Report"
    assert shown.files[0].alt_txt == "two columns"
    assert await vera.file(shown.files[0].url) == b"a,b\n1,2\n"
    lost = web.files_completeUploadExternal(files=[{"id": "F404", "title": "x"}])
    assert await refused(lost) == "file_not_found"


async def test_an_upload_of_another_length_is_refused(ws: Workspace, web: AsyncWebClient) -> None:
    answer = await web.files_getUploadURLExternal(filename="x", length=3)
    async with aiohttp.ClientSession() as session:
        async with session.post(answer["upload_url"], data=b"four") as said:
            assert said.status == 400
        again = web.files_completeUploadExternal(files=[{"id": answer["file_id"], "title": "x"}])
        assert await refused(again) == "file_not_found"
        async with session.post(answer["upload_url"], data=b"abc") as said:
            assert said.status == 200


async def test_an_outage_answers_503_and_is_journalled(ws: Workspace, web: AsyncWebClient) -> None:
    ws.faults.down = True
    with pytest.raises(SlackApiError):
        await web.auth_test()
    assert (ws.journal[-1].method, ws.journal[-1].http_status) == ("auth.test", 503)
    ws.faults.down = False
    assert (await web.auth_test())["ok"]


async def test_memory_is_bounded(clock: ManualClock) -> None:
    bounds = Bounds(journal=4, messages_per_channel=3, ephemerals_per_member=2)
    anna = Member("U0ANNA", "anna", "Anna Admin")
    async with (
        Workspace(members=(anna,), channels=("mail-ops",), clock=clock, bounds=bounds) as ws,
        ws.member(anna.id) as client,
    ):
        web = AsyncWebClient(token=ws.bot_token, base_url=ws.base_url)
        channel = ws.channel_id("mail-ops")
        for number in range(5):
            clock.advance(1)
            await web.chat_postMessage(channel=channel, text=str(number))
            await web.chat_postEphemeral(channel=channel, user=anna.id, text=str(number))
        assert len(ws.journal) == 4
        assert [m["text"] for m in ws.state_of(anna.id)["messages"]] == ["2", "3", "4"]
        assert [m["text"] for m in ws.state_of(anna.id)["ephemerals"]] == ["3", "4"]
        await client.wait_for(lambda s: len(s.messages) == 5)
