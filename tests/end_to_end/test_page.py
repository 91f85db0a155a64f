"""The demo's page in Chromium: the alert comes, is acted on, and no mail runs anything."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from bot.demo.town import PASSWORD
from tests.page.conftest import WATCH

from . import hostile
from .playing import ACCOUNT, PATIENCE, Play, playing

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


@contextlib.asynccontextmanager
async def otto(browser: Browser, play: Play, *, width: int) -> AsyncIterator[Page]:
    """Open the page as Otto; afterwards it must have thrown nothing and broken no policy."""
    window = await browser.new_context(
        viewport={"width": width, "height": 844}, reduced_motion="reduce"
    )
    faults: list[str] = []
    try:
        await window.add_init_script(WATCH)
        page = await window.new_page()
        page.set_default_timeout(PATIENCE * 1000)
        expect.set_options(timeout=PATIENCE * 1000)
        page.on("pageerror", lambda error: faults.append(str(error)))
        await page.goto(f"{play.workspace.page_url}&as=U0OTTO")
        await expect(page.locator("#app-state")).to_contain_text("is connected")
        yield page
        assert await page.evaluate("window.violations") == []
        assert faults == []
    finally:
        await window.close()


async def test_the_alert_is_stopped_from_a_phone_through_its_dialog(
    browser: Browser, tmp_path: Path, mailboxes: Path
) -> None:
    async with playing(tmp_path, mailboxes) as play, otto(browser, play, width=390) as page:
        await play.spam()
        card = page.locator("#log .message").filter(has_text=f"{ACCOUNT} is sending spam")
        await expect(card).to_contain_text("60 messages in 5 min")
        buttons = card.locator(".actions button")
        await expect(buttons).to_have_count(5)
        for box in [await button.bounding_box() for button in await buttons.all()]:
            assert box is not None
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= 390
        assert await page.evaluate("document.documentElement.scrollWidth") <= 390
        await card.get_by_role("button", name="Stop sending").click()
        dialog = page.get_by_role("alertdialog", name="Stop sending?")
        await expect(dialog).to_contain_text("60 waiting messages")
        await dialog.get_by_role("button", name="Stop sending").click()
        stopped = page.locator("#log .message").filter(has_text=f"{ACCOUNT} sent spam")
        await expect(stopped).to_contain_text("Stopped by otto")
        await expect(stopped).to_contain_text("0 waiting, 60 held")
        await expect(stopped.get_by_role("button", name="Undo stop")).to_be_visible()
        await stopped.locator(".reply-bar").click()
        await expect(page.get_by_text("60 messages held").last).to_be_visible()
        assert (await play.waiting(), await play.held()) == (0, 60)


async def test_hostile_mail_runs_nothing_on_the_page(
    browser: Browser, tmp_path: Path, mailboxes: Path
) -> None:
    async with playing(tmp_path, mailboxes) as play, otto(browser, play, width=1280) as page:
        await hostile.send("127.0.0.1", play.stage.server.port, ACCOUNT, PASSWORD, 60)
        log = page.locator("#log")
        await expect(log).to_contain_text("60 messages in 5 min")
        await expect(log).to_contain_text("<!channel> @everyone *bold* <http://evil.example|click>")
        await log.get_by_role("button", name="Review messages").click()
        await expect(log).to_contain_text('"@everyone <!here>"@list1.invalid')
        await log.get_by_role("button", name="Preview").first.click()
        window = page.get_by_role("dialog")
        await expect(window).to_contain_text("window.hacked = 1")
        await expect(window).to_contain_text("<!subteam^S0OPS>")
        assert await page.evaluate("window.hacked === undefined")
        assert await page.locator("a[href*='evil.example']").count() == 0
        assert await page.locator("img[src='x'], #log script, dialog script").count() == 0
