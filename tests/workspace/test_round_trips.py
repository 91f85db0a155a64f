"""Whole round trips: a member acts, an unmodified Bolt app answers, the member sees it."""

from typing import Any

from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.workspace import MemberClient, Workspace
from bot.workspace.reading import buttons, find_input, plain_text

from .conftest import OTTO, VERA, Connect

BUTTON = {
    "type": "actions",
    "block_id": "acts",
    "elements": [
        {
            "type": "button",
            "action_id": "stop",
            "text": {"type": "plain_text", "text": "Stop"},
            "value": "intent-1",
        }
    ],
}


def section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


async def test_a_command_is_acknowledged_with_a_private_message(
    app: AsyncApp, connect: Connect, vera: MemberClient, otto: MemberClient
) -> None:
    seen: list[dict[str, Any]] = []

    @app.command("/spool")
    async def spool(ack: Any, command: dict[str, Any]) -> None:
        seen.append(command)
        await ack(text="12 messages", blocks=[section("*12* messages")])

    await connect(app)
    outcome = await vera.command("/spool search sender:x")
    assert outcome.ok
    shown = await vera.wait_for(lambda s: s.last_ephemeral())
    assert plain_text(shown) == "*12* messages"
    assert shown.ephemeral
    assert otto.state().ephemerals == ()
    assert seen[0]["text"] == "search sender:x"
    assert seen[0]["user_id"] == VERA.id
    assert seen[0]["channel_name"] == "mail-ops"


async def test_a_button_updates_its_message_in_place(
    app: AsyncApp,
    connect: Connect,
    ws: Workspace,
    web: AsyncWebClient,
    vera: MemberClient,
    otto: MemberClient,
) -> None:
    bodies: list[dict[str, Any]] = []

    @app.action("stop")
    async def stop(ack: Any, body: dict[str, Any], client: AsyncWebClient) -> None:
        await ack()
        bodies.append(body)
        await client.chat_update(
            channel=body["channel"]["id"],
            ts=body["message"]["ts"],
            text="stopped",
            blocks=[section(f"stopped by <@{body['user']['id']}>")],
        )

    await connect(app)
    posted = await web.chat_postMessage(
        channel=ws.channel_id("mail-ops"), text="alert", blocks=[section("alert"), BUTTON]
    )
    message = await otto.wait_for(lambda s: s.last())
    assert buttons(message) == ["Stop"]
    assert (await otto.press(message, "Stop")).ok
    changed = await vera.wait_for(lambda s: s.last() if s.messages[-1].edited else None)
    assert plain_text(changed) == f"stopped by <@{OTTO.id}>"
    assert changed.ts == posted["ts"]
    body = bodies[0]
    assert body["actions"][0]["value"] == "intent-1"
    assert body["container"]["message_ts"] == posted["ts"]
    assert body["message"]["blocks"][1]["block_id"] == "acts"
    assert body["response_url"].startswith(ws.origin)


async def test_a_modal_is_opened_refused_and_submitted(
    app: AsyncApp, connect: Connect, vera: MemberClient
) -> None:
    def view(title: str) -> dict[str, Any]:
        return {
            "type": "modal",
            "callback_id": "why",
            "title": {"type": "plain_text", "text": title},
            "submit": {"type": "plain_text", "text": "Go"},
            "blocks": [
                {
                    "type": "input",
                    "block_id": "reason",
                    "label": {"type": "plain_text", "text": "Reason"},
                    "element": {"type": "plain_text_input", "action_id": "text"},
                }
            ],
        }

    @app.command("/spool")
    async def spool(ack: Any, body: dict[str, Any], client: AsyncWebClient) -> None:
        await ack()
        await client.views_open(trigger_id=body["trigger_id"], view=view("Why?"))

    @app.view("why")
    async def why(ack: Any, view: dict[str, Any]) -> None:
        text = view["state"]["values"]["reason"]["text"]["value"]
        if text == "no":
            await ack(response_action="errors", errors={"reason": "Say more."})
        elif text == "again":
            update = {**VIEW_AGAIN}
            await ack(response_action="update", view=update)
        else:
            await ack()

    VIEW_AGAIN = view("Again")
    await connect(app)
    assert (await vera.command("/spool")).ok
    shown = await vera.wait_for(lambda s: s.view)
    place = find_input(shown, "Reason")

    def entering(text: str) -> dict[str, Any]:
        return {place.block_id: {place.action_id: {"text": text}}}

    assert (await vera.submit(shown)).errors == {"reason": "This field is required."}
    assert (await vera.submit(shown, entering("no"))).errors == {"reason": "Say more."}
    await vera.wait_for(lambda s: s.view_errors == {"reason": "Say more."})
    assert (await vera.submit(shown, entering("again"))).ok
    again = await vera.wait_for(lambda s: s.view if s.view and s.view.title == "Again" else None)
    assert again.id == shown.id
    assert again.hash != shown.hash
    assert (await vera.submit(again, entering("because"))).ok
    await vera.wait_for(lambda s: s.view is None)
