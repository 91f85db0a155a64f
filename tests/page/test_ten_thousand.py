"""10,000 hostile texts on the page, as the bot shows them: text there too, and it runs nothing."""

import pytest
from playwright.async_api import expect

from bot.slack.blocks import message as blocks_of
from tests.bot.flood import CARDS, hostile_cards

from .canned import message, state
from .conftest import Opener

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


# As many as a page shows at once. This page shows half of the ten thousand, the other one the rest.
_AT_ONCE = 200


@pytest.mark.parametrize("part", range(CARDS // _AT_ONCE // 2))
async def test_hostile_texts_are_shown_and_run_nothing(visit: Opener, part: int) -> None:
    shown = []
    for number, card in enumerate(hostile_cards(part, _AT_ONCE)):
        blocks = [{"block_id": f"b{n}", **block} for n, block in enumerate(blocks_of(card))]
        shown.append(message(number, blocks=blocks))
    opened = await visit(state(*shown))
    log = opened.page.locator("#log")
    await expect(log.locator(".message")).to_have_count(_AT_ONCE)
    assert (
        await log.locator(
            "a[href], img:not([src*=app-icon]), script, iframe, object, embed"
        ).count()
        == 0
    )
    assert await opened.page.evaluate("typeof window.hacked") == "undefined"
