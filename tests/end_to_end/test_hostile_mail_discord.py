"""Mail that tries everything, in Discord: text as it is, bounded, mentioning nobody."""

import unicodedata
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from bot.demo.town import PASSWORD
from tests.bot.discord_rules import kinds, parse, texts
from tests.page.conftest import WATCH

from . import hostile
from .playing import ACCOUNT, PATIENCE, Play, playing

#: What the bot's own cards are drawn with; nothing of it links, mentions or hides anything.
_OURS = {"text", "escape", "header", "bold", "small", "list", "moment", "block", "code"}
_HOSTILE = "<!channel> @everyone *bold* <http://evil.example|click>"


@pytest.fixture
async def play(tmp_path: Path, mailboxes: Path) -> AsyncIterator[Play]:
    async with playing(tmp_path, mailboxes, chats=("discord",)) as made:
        yield made


async def test_hostile_mail_is_shown_escaped_bounded_and_as_text(play: Play) -> None:
    await hostile.send("127.0.0.1", play.stage.server.port, ACCOUNT, PASSWORD, 60)
    card = await play.otto.card_with(ACCOUNT, "60 messages in 5 min")
    assert _HOSTILE in card.text
    listed = await play.use(play.otto.press_privately, "Review messages")
    assert '→ "@everyone <!here>"@list1.invalid' in listed.text
    preview = (await play.otto.press_privately(listed, "Preview")).text
    for said in ("<!subteam^S0OPS>", "*b* <http://evil.example|click>", "〈202E〉〈2066〉"):
        assert said in preview
    found = await play.otto.type('search subject:"<!channel> @everyone"')
    assert 'match subject:"<!channel> @everyone"' in found.text
    await play.use(play.otto.press, "Stop sending")
    await play.otto.line(card, "60 messages held")
    form = await play.use(play.otto.press_for_form, "Undo stop")
    await play.otto.choose(form)
    await play.otto.line(card, "60 messages released")
    shown = [text for call in play.guild.journal for text in _texts(call.request)]
    assert any("evil" in text for text in shown)
    for text in shown:
        assert set(kinds(parse(text))) <= _OURS, text
        hidden = {c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Co", "Cs")}
        assert hidden <= {"\n", "\t"}, text
    for channel in play.guild.store.channels.values():
        assert channel.messages
        for message in channel.messages.values():
            assert not message.mention_everyone
            assert message.mentions == message.mention_roles == ()


@pytest.mark.browser
@pytest.mark.asyncio(loop_scope="module")
async def test_hostile_mail_runs_nothing_on_the_page(
    browser: Browser, tmp_path: Path, mailboxes: Path
) -> None:
    async with playing(tmp_path, mailboxes, chats=("discord",)) as play:
        window = await browser.new_context(
            viewport={"width": 1280, "height": 844}, reduced_motion="reduce"
        )
        faults: list[str] = []
        try:
            await window.add_init_script(WATCH)
            page = await window.new_page()
            page.set_default_timeout(PATIENCE * 1000)
            expect.set_options(timeout=PATIENCE * 1000)
            page.on("pageerror", lambda error: faults.append(str(error)))
            await page.goto(f"{play.guild.page_url}&as={play.otto.user}")
            await expect(page.locator("#app-state")).to_contain_text("is online")
            await hostile.send("127.0.0.1", play.stage.server.port, ACCOUNT, PASSWORD, 60)
            log = page.locator("#log")
            await expect(log).to_contain_text("60 messages in 5 min")
            await expect(log).to_contain_text(_HOSTILE)
            await log.get_by_role("button", name="Review messages").click()
            await expect(log).to_contain_text('"@everyone <!here>"@list1.invalid')
            await log.get_by_role("button", name="Preview").first.click()
            await expect(log).to_contain_text("window.hacked = 1")
            await expect(log).to_contain_text("<!subteam^S0OPS>")
            assert await page.evaluate("window.hacked === undefined")
            assert await page.locator("a[href*='evil.example']").count() == 0
            assert await page.locator("img[src='x'], #log script").count() == 0
            assert await page.evaluate("window.violations") == []
            assert faults == []
        finally:
            await window.close()


def _texts(request: Any) -> Iterator[str]:
    if not isinstance(request, dict):
        return
    body = request.get("data") or request
    if isinstance(body, dict):
        yield from texts(body.get("components") or [])
