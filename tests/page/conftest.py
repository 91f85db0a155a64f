"""A browser and a page on a fake member API, for the tests of the workspace's page."""

import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from bot.hands import PATIENCE

from .fake_member_api import FakeMemberApi, Json

ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# Every break of the content security policy is counted where a test can read it.
WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => {
  window.violations.push(`${event.violatedDirective} ${event.blockedURI}`);
});
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    path = shutil.which("chromium")
    if path is None:
        reason = "Debian's chromium is not installed, so the page was not tested."
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    expect.set_options(timeout=PATIENCE * 1000)
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=path, args=ARGS)
        yield launched
        await launched.close()


@dataclass
class Visit:
    """A page opened on a fake API, with what went wrong in it."""

    page: Page
    api: FakeMemberApi
    faults: list[str] = field(default_factory=list)

    async def violations(self) -> list[str]:
        found: list[str] = await self.page.evaluate("window.violations")
        return found

    async def shown(self, selector: str) -> str:
        return await self.page.locator(selector).first.inner_text()


Opener = Callable[..., Awaitable[Visit]]


@pytest_asyncio.fixture(loop_scope="module")
async def visit(browser: Browser) -> AsyncIterator[Opener]:
    """Open the page on a state. Afterwards it must have thrown nothing and broken no policy."""
    opened: list[tuple[BrowserContext, Visit]] = []

    async def open_page(state: Json, **context: Any) -> Visit:
        api = FakeMemberApi(state)
        await api.start()
        window = await browser.new_context(
            **{
                "viewport": {"width": 1280, "height": 900},
                "reduced_motion": "reduce",
                "timezone_id": "UTC",
                "locale": "en-GB",
                **context,
            }
        )
        await window.add_init_script(WATCH)
        page = await window.new_page()
        page.set_default_timeout(PATIENCE * 1000)
        visit = Visit(page, api)
        page.on("pageerror", lambda error: visit.faults.append(str(error)))
        opened.append((window, visit))
        await page.goto(api.url)
        await page.locator("#log .message").first.wait_for()
        await api.connected()
        return visit

    yield open_page
    for window, visit in opened:
        violations = await visit.violations()
        await window.close()
        await visit.api.stop()
        assert visit.faults == []
        assert violations == []
