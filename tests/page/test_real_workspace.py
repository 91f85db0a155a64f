"""The page on the real workspace, with an unmodified Bolt app at the other end."""

import asyncio
from typing import Any

import pytest
from playwright.async_api import Browser, expect
from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.hands import PATIENCE
from bot.workspace import Member, SlashCommand, Workspace

from . import canned
from .conftest import WATCH

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

VERA = Member("U0VERA", "vera", "Vera Viewer", "viewer")
OTTO = Member("U0OTTO", "otto", "Otto Operator", "operator")
VIEW: dict[str, Any] = {
    "type": "modal",
    "callback_id": "form",
    **{k: canned.modal()[k] for k in ("title", "submit", "close", "blocks")},
}


def bolt_app(ws: Workspace, seen: list[dict[str, Any]]) -> AsyncApp:
    web = AsyncWebClient(token=ws.bot_token, base_url=ws.base_url)
    app = AsyncApp(client=web, signing_secret=ws.signing_secret)

    @app.command("/spool")
    async def spool(ack: Any, command: dict[str, Any], client: AsyncWebClient) -> None:
        await ack()
        alert = canned.alert()
        await client.chat_postMessage(
            channel=command["channel_id"], text=alert["text"], blocks=alert["blocks"]
        )

    @app.action("press:acknowledge")
    async def acknowledge(ack: Any, body: dict[str, Any], client: AsyncWebClient) -> None:
        await ack()
        changed = canned.alert(waiting=12)
        await client.chat_update(
            channel=body["channel"]["id"],
            ts=body["message"]["ts"],
            text=changed["text"],
            blocks=changed["blocks"],
        )

    @app.action("press:review")
    async def review(ack: Any, body: dict[str, Any], client: AsyncWebClient) -> None:
        await ack()
        await client.views_open(trigger_id=body["trigger_id"], view=VIEW)

    @app.view("form")
    async def submitted(ack: Any, view: dict[str, Any]) -> None:
        values = view["state"]["values"]
        if not values["reason"]["value"]["value"]:
            await ack(response_action="errors", errors={"reason": "Say why."})
            return
        await ack()
        seen.append(values)

    return app


async def test_a_person_types_presses_fills_and_sees_the_app_answer(browser: Browser) -> None:
    seen: list[dict[str, Any]] = []
    commands = (SlashCommand("/spool", "Look at the spool", "[search|help]"),)
    async with Workspace(members=(VERA, OTTO), channels=("mail-ops",), commands=commands) as ws:
        handler = AsyncSocketModeHandler(bolt_app(ws, seen), ws.app_token, ping_interval=0.2)
        await handler.connect_async()  # type: ignore[no-untyped-call]
        window = await browser.new_context(reduced_motion="reduce")
        try:
            async with asyncio.timeout(PATIENCE):
                await ws.until_app_connected()
            await window.add_init_script(WATCH)
            page = await window.new_page()
            page.set_default_timeout(PATIENCE * 1000)
            await page.goto(f"{ws.page_url}&as={OTTO.id}")
            await expect(page.locator("#app-state")).to_contain_text("is connected")
            box = page.get_by_role("combobox", name="Message or slash command")
            await box.fill("/spool")
            await box.press("Enter")
            await page.get_by_role("button", name="Acknowledge").click()
            await expect(page.locator("[data-block=facts]")).to_contain_text("12 messages")
            await page.get_by_role("button", name="Review messages").click()
            dialog = page.get_by_role("dialog", name="Block an address")
            await dialog.get_by_role("button", name="Block", exact=True).click()
            await expect(dialog.get_by_role("alert")).to_have_text("Say why.")
            await dialog.get_by_role("textbox", name="Reason").fill("spam")
            await dialog.get_by_role("button", name="Block", exact=True).click()
            await expect(page.get_by_role("dialog")).to_have_count(0)
            assert seen[0]["reason"]["value"]["value"] == "spam"
            assert seen[0]["days"]["value"]["selected_option"]["value"] == "7"
            await box.fill("over to you")
            await box.press("Enter")
            await expect(page.locator("#log")).to_contain_text("over to you")
            assert await page.evaluate("window.violations") == []
        finally:
            await window.close()
            await handler.close_async()  # type: ignore[no-untyped-call]
