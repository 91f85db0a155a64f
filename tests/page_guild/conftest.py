"""A browser and a page on a fake member API, for the tests of the local server's page."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page

from bot.hands import PATIENCE
from tests.page.conftest import WATCH, browser

from .fake_member_api import FakeMemberApi, Json

__all__ = ["browser"]


@dataclass
class Visit:
    """A page opened on a fake API, with what went wrong in it."""

    page: Page
    api: FakeMemberApi
    faults: list[str] = field(default_factory=list)

    async def violations(self) -> list[str]:
        found: list[str] = await self.page.evaluate("window.violations")
        return found


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
                "viewport": {"width": 1280, "height": 800},
                "reduced_motion": "reduce",
                "color_scheme": "dark",
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
