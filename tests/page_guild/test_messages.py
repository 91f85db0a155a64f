"""What people see of messages, and what they do with the components on them."""

import asyncio
from typing import Any

import pytest
from playwright.async_api import expect

from tests.page.test_behaviour import CONTRAST, tab_to

from . import canned
from .canned import button, message, option, row, said, select
from .conftest import Opener

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
HOSTILE = "<img src=x onerror=alert(1)> **bold** @everyone https://evil.example ‮"


async def test_a_press_sends_the_buttons_custom_id(visit: Opener) -> None:
    v = await visit(canned.state(canned.alert()))
    await v.page.get_by_role("button", name="Stop sending").click()
    pressed = await v.api.act("press")
    assert pressed == {
        "as": canned.OTTO,
        "channel": canned.CHANNEL,
        "message": canned.snowflake(4),
        "custom_id": "ask:stop-1",
    }


async def test_a_button_waits_for_its_answer_and_tells_a_refusal(visit: Opener) -> None:
    v = await visit(canned.state(canned.alert()))
    v.api.hold["press"] = asyncio.Event()
    v.api.answers["press"] = {"ok": False, "error": "That is no longer there."}
    acknowledge = v.page.get_by_role("button", name="Acknowledge")
    await acknowledge.click()
    await v.api.act("press")
    await expect(acknowledge).to_have_attribute("aria-busy", "true")
    await acknowledge.dispatch_event("click")  # a second press while it waits is not sent
    v.api.hold["press"].set()
    await expect(v.page.get_by_role("alert")).to_have_text("That is no longer there.")
    await expect(acknowledge).not_to_have_attribute("aria-busy", "true")
    assert len(v.api.acts) == 1


async def test_a_failed_interaction_is_told_beneath_its_message(visit: Opener) -> None:
    v = await visit(canned.state(canned.alert(), said(5, canned.ADA, "hm")))
    page = v.page
    v.api.answers["press"] = {"ok": True, "interaction": "I9"}
    await page.get_by_role("button", name="Acknowledge").click()
    await v.api.act("press")
    notice = {"type": "notice", "text": "This interaction failed", "interaction": "I9"}
    await v.api.push(notice)
    alert = page.locator(f"[data-id='{canned.snowflake(4)}']")
    await expect(alert.get_by_role("alert")).to_have_text("This interaction failed")
    await v.api.push({"type": "message_changed", "message": canned.alert(waiting=9)})
    await expect(alert.get_by_role("alert")).to_have_count(0)
    # What belongs to no message is a line of its own.
    await v.api.push({"type": "notice", "text": "The application did not respond"})
    await v.api.push({**notice, "text": "Another", "interaction": "I10"})
    await expect(page.locator(".notice")).to_contain_text("Another")
    await page.get_by_role("button", name="Dismiss message").first.click()
    await expect(page.locator(".notice")).to_have_count(0)


async def test_a_choice_of_a_select_is_sent_and_the_menu_is_itself_again(visit: Opener) -> None:
    v = await visit(canned.state(canned.alert()))
    page = v.page
    menu = page.get_by_role("button", name="More…")
    await menu.press("Enter")
    listed = page.get_by_role("listbox", name="More…").get_by_role("option")
    await expect(listed).to_have_count(5)
    await expect(listed.first).to_contain_text("to a folder for review")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    pressed = await v.api.act("press")
    assert (pressed["custom_id"], pressed["values"]) == ("pick:more:1", ["disable-1"])
    await expect(menu).to_have_text("More…")
    await expect(menu).to_be_focused()


async def test_a_select_of_several_sends_them_when_it_closes(visit: Opener) -> None:
    many = select("many", "Which", *(option(n, n) for n in "abcd"), min_values=1, max_values=2)
    v = await visit(canned.state(message(1, row(many))))
    page = v.page
    await page.get_by_role("button", name="Which").click()
    for name in "acd":  # the third is one too many
        await page.get_by_role("option", name=name).click()
    await page.keyboard.press("Escape")
    assert (await v.api.act("press"))["values"] == ["a", "c"]


async def test_buttons_have_discords_styles(visit: Opener) -> None:
    styled = [button(f"b{n}", f"Style {n}", n) for n in (1, 2, 3, 4)]
    site = {"type": 2, "style": 5, "label": "Open", "url": "https://example.com/"}
    bad = {"type": 2, "style": 5, "label": "Bad", "url": "javascript:alert(1)"}
    closed = button("off", "Closed", disabled=True, emoji={"name": "🔒", "id": None})
    v = await visit(canned.state(message(1, row(*styled, site), row(bad, closed))))
    page = v.page
    colours = await page.locator("button[data-custom-id^=b]").evaluate_all(
        "(all) => all.map((node) => getComputedStyle(node).backgroundColor)"
    )
    assert len(set(colours)) == 4
    opened = page.get_by_role("link", name="Open")
    assert await opened.get_attribute("rel") == "noopener noreferrer"
    assert await page.get_by_role("link", name="Bad").count() == 0
    await expect(page.get_by_role("button", name="Closed")).to_be_disabled()
    await expect(page.get_by_role("button", name="Closed")).to_contain_text("🔒")


async def test_a_container_has_its_accent_and_a_section_its_button(visit: Opener) -> None:
    v = await visit(canned.state(canned.alert(), ephemerals=[canned.results()]))
    page = v.page
    bars = await page.locator(".container").evaluate_all(
        "(all) => all.map((node) => getComputedStyle(node, '::before').backgroundColor)"
    )
    assert bars == ["rgb(237, 66, 69)", "rgb(88, 101, 242)"]
    second = page.locator(".section").nth(1)
    await expect(second).to_contain_text("Invoice overdue 4472")
    await second.get_by_role("button", name="Preview").click()
    pressed = await v.api.act("press")
    assert (pressed["message"], pressed["custom_id"]) == (
        canned.snowflake(9),
        "press:preview-2",
    )


async def test_hostile_text_is_text_everywhere(visit: Opener) -> None:
    parts = canned.container(
        canned.text(HOSTILE),
        canned.section(HOSTILE, button("b", HOSTILE)),
        row(select("s", HOSTILE, option("o", HOSTILE, HOSTILE))),
        {"type": 99, "content": HOSTILE},
        {"type": 12, "items": [{"media": {"url": "https://evil.example/x.png"}}]},
    )
    bad = message(1, parts, author={"id": "666", "name": HOSTILE, "bot": True})
    thread = {**canned.THREAD, "id": bad["id"], "message_id": bad["id"], "name": HOSTILE}
    state = canned.state(bad, threads=[thread], guild={"id": "1", "name": HOSTILE})
    state["channels"][0]["name"] = HOSTILE
    state["members"][1]["display"] = HOSTILE
    v = await visit(state)
    page = v.page
    await page.get_by_role("button", name="<img").nth(1).press("Tab")
    form = {**canned.modal(), "title": HOSTILE, "components": [canned.text(HOSTILE)]}
    await v.api.push({"type": "modal", "modal": form})
    await page.get_by_role("dialog").wait_for()
    odd = await page.locator("img, script, iframe").evaluate_all(
        "(all) => all.map((node) => new URL(node.src).pathname)"
    )
    assert set(odd) <= {"/static/app-icon.svg", "/static/app.js"}
    assert "\u202e" not in await page.locator("body").inner_text()
    # What was not escaped shows as what Discord makes of it; a label never does.
    assert await page.locator(".container strong").count() == 2
    assert await page.locator(":is(.btn, .select, .author, .side) :is(strong, a)").count() == 0


async def test_a_changed_message_keeps_the_focus_and_what_did_not_change(visit: Opener) -> None:
    v = await visit(canned.state(canned.alert()))
    page = v.page
    await page.get_by_role("button", name="Acknowledge").focus()
    await page.evaluate("window.kept = document.activeElement")
    await v.api.push({"type": "message_changed", "message": canned.alert(waiting=7, edited=True)})
    await expect(page.locator(".container")).to_contain_text("7 messages wait")
    assert await page.evaluate("document.activeElement === window.kept")
    await expect(page.locator(".edited")).to_be_visible()
    moved = canned.alert(waiting=7)
    rows = moved["components"][0]["components"]
    rows[5] = row({**canned.ACKNOWLEDGE, "label": "Take it"}, canned.REVIEW)
    await v.api.push({"type": "message_changed", "message": moved})
    await expect(page.get_by_role("button", name="Take it")).to_be_focused()


async def test_private_answers_think_then_speak_and_can_be_dismissed(visit: Opener) -> None:
    v = await visit(canned.state(said(1, canned.ADA, "hi")))
    page = v.page
    asked = {"user": canned.OTTO, "name": "spool search"}
    waiting = message(2, ephemeral=True, thinking=True, interaction=asked)
    await v.api.push({"type": "ephemeral", "message": waiting})
    private = page.locator(".ephemeral")
    await expect(private).to_contain_text("Spoolwarden is thinking…")
    await expect(private).to_contain_text("Otto Brandt used /spool search")
    done = message(2, content="Nothing **found**.", ephemeral=True, interaction=asked)
    await v.api.push({"type": "ephemeral", "message": done})
    await expect(private.locator(".said")).to_have_text("Nothing found.")
    await expect(private).to_contain_text("Only you can see this")
    await private.get_by_role("button", name="Dismiss message").click()
    await expect(private).to_have_count(0)
    assert (await v.api.act("dismiss"))["message"] == canned.snowflake(2)
    await v.api.push({"type": "ephemeral", "message": done})
    await v.api.push({"type": "ephemeral_deleted", "id": done["id"]})
    await expect(private).to_have_count(0)


async def test_the_thread_opens_from_its_message_and_closes_again(visit: Opener) -> None:
    state = canned.state(canned.alert(), *canned.thread_lines(), threads=[canned.THREAD])
    v = await visit(state)
    page = v.page
    assert await page.locator("#log .message").count() == 1
    chip = page.locator(".thread-chip")
    await expect(chip).to_contain_text("3 Messages")
    await expect(chip).to_contain_text("Thanks. I'm calling her now.")
    await chip.press("Enter")
    box = page.get_by_role("combobox", name="Message or slash command in the thread")
    await expect(box).to_be_focused()
    await page.get_by_role("button", name="Undo").click()
    assert (await v.api.act("press"))["channel"] == canned.THREAD["id"]
    await box.fill("On it.")
    await box.press("Enter")
    sent = await v.api.act("say")
    assert (sent["channel"], sent["text"]) == (canned.THREAD["id"], "On it.")
    await v.api.push({"type": "thread", "thread": {**canned.THREAD, "locked": True}})
    await expect(page.locator("#thread-state")).to_contain_text("locked")
    await expect(box).to_be_hidden()
    await page.locator("#thread-close").focus()
    await page.keyboard.press("Escape")
    await expect(page.locator("#thread")).to_be_hidden()
    await expect(chip).to_be_focused()
    await page.locator(".side-thread").click()
    await expect(page.locator("#thread")).to_be_visible()
    await v.api.push({"type": "thread_deleted", "id": canned.THREAD["id"]})
    await expect(page.locator("#thread")).to_be_hidden()


async def test_messages_of_one_person_stand_under_one_name(visit: Opener) -> None:
    lines = [said(1, canned.ADA, "one"), said(2, canned.ADA, "two"), said(20, canned.ADA, "late")]
    v = await visit(canned.state(*lines))
    assert await v.page.locator(".author:visible").count() == 2
    await v.api.push(
        {"type": "message_deleted", "channel_id": canned.CHANNEL, "id": lines[0]["id"]}
    )
    await expect(v.page.locator(".message")).to_have_count(2)
    assert await v.page.locator(".author:visible").count() == 2


async def test_another_person_sees_their_own_server(visit: Opener) -> None:
    v = await visit(canned.state(canned.alert()))
    page = v.page
    await tab_to(page, "Choose who you are")
    await page.keyboard.press("Enter")
    await page.keyboard.press("End")
    await page.keyboard.press("Enter")
    await expect(page.locator("#who")).to_contain_text("Ada Haddad")
    await v.api.connected()
    await page.get_by_role("button", name="Acknowledge").click()
    assert (await v.api.act("press"))["as"] == canned.ADA
    # A member of an earlier run is not here any more: one becomes the first there is.
    await page.goto(f"{v.api.url}&as=1")
    await expect(page.locator("#who")).to_contain_text("Otto Brandt")
    await page.goto(f"{v.api.origin}/?token=wrong")
    await expect(page.locator("#lost")).to_contain_text("no valid token")


async def test_a_lost_connection_comes_back_with_what_was_missed(visit: Opener) -> None:
    v = await visit(canned.state(said(1, canned.ADA, "hi")))
    page = v.page
    await v.api.push({"type": "app", "connected": False})
    await expect(page.locator("#app-state")).to_contain_text("is offline")
    v.api.state["messages"].append(said(2, canned.ADA, "while you were away"))
    await v.api.drop_sockets()
    await expect(page.get_by_text("while you were away")).to_be_visible()
    await expect(page.locator("#lost")).to_be_hidden()
    await expect(page.locator("#app-state")).to_contain_text("is online")


async def test_files_are_shown_or_downloaded(visit: Opener) -> None:
    files = [
        {"id": "1", "filename": "trend.png", "url": "/member/file/1", "description": "The trend"},
        {"id": "2", "filename": "raw.eml", "url": "/member/file/2", "description": None},
    ]
    inline = {"type": 12, "items": [{"media": {"url": "attachment://trend.png"}}]}
    v = await visit(
        canned.state(
            said(1, canned.ADA, "see", attachments=files), message(2, inline, attachments=files[:1])
        )
    )
    assert await v.page.get_by_role("img", name="The trend").count() == 1
    await expect(v.page.locator("a.file")).to_have_attribute("download", "raw.eml")
    sizes = await v.page.locator("img.picture").evaluate_all(
        "async (all) => Promise.all(all.map((one) => one.decode().then(() => one.naturalWidth)))"
    )
    assert sizes == [300, 300]


async def test_a_picture_that_a_component_shows_is_not_shown_again_below(visit: Opener) -> None:
    # As the server gives it back: by the address and the id of the file.
    media = {"url": "/attachments/9/1/trend.png?hm=key", "attachment_id": "1"}
    inline = {"type": 12, "items": [{"media": media, "description": "The trend"}]}
    file = {"id": "1", "filename": "trend.png", "url": "/member/file/1", "description": None}
    v = await visit(canned.state(message(1, inline, attachments=[file])))
    await expect(v.page.get_by_role("img", name="The trend")).to_be_visible()
    assert await v.page.locator("img.picture").count() == 1


async def test_a_phone_never_scrolls_sideways(visit: Opener) -> None:
    address = "a" * 200 + "@" + "b" * 55
    wide_parts = canned.container(
        canned.text(f"## {address}\n`{address}`\n- {address}\n```\n{address}\n```"),
        canned.section(address, button("b", address[:80])),
        row(button("c", address[:80]), button("d", address[:80])),
    )
    state = canned.state(
        message(1, wide_parts),
        canned.alert(),
        *canned.thread_lines(),
        threads=[{**canned.THREAD, "name": address[:100]}],
    )
    v = await visit(state, **PHONE)
    page = v.page
    wide = """[...document.querySelectorAll("html, .scroller, .dialog-body, .container, .composer")]
      .filter((node) => node.scrollWidth > node.clientWidth).map((node) => node.className)"""
    assert await page.evaluate(wide) == []
    await page.get_by_role("button", name="Channels", exact=True).click()
    await expect(page.get_by_role("button", name="general")).to_be_in_viewport()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("button", name="Channels", exact=True)).to_be_focused()
    await page.locator(".thread-chip").click()
    box = await page.locator("#thread").bounding_box()
    assert box is not None
    assert (box["x"], box["width"]) == (0, 390)
    assert await page.evaluate(wide) == []
    await v.api.push({"type": "modal", "modal": canned.modal()})
    await page.get_by_role("dialog").wait_for()
    assert await page.evaluate(wide) == []


@pytest.mark.parametrize("theme", ["dark", "light"])
async def test_text_stands_out_from_its_ground(visit: Opener, theme: str) -> None:
    words = f"@everyone <@{canned.ADA}> `code` https://example.com <t:0:R> \u202e"
    state = canned.state(
        said(3, canned.ADA, words),
        canned.alert(edited=True),
        message(5, row(button("g", "Green", 3), button("p", "Blue", 1))),
        threads=[canned.THREAD],
        ephemerals=[message(6, content="For you.", ephemeral=True)],
    )
    v = await visit(state, color_scheme=theme)
    names = (
        ".author, .time, .edited, .badge, .para bdi, .md-small > bdi, .btn, .link, .mention, "
        ".stamp, .codepoint, code, .only-you, .side-title, .side-item, .side-thread, "
        ".person-role, .state-words, .placeholder, .thread-count, .thread-last, .side-foot"
    )
    checked = 0
    for node in await v.page.locator(f":is({names}):visible").all():
        ratio = await node.evaluate(CONTRAST)
        assert ratio >= 4.5, (await node.inner_text(), ratio)
        checked += 1
    assert checked > 30
    ground = await v.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(255, 255, 255)") is (theme == "light")
