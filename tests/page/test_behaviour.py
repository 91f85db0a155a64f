"""What people do on the page: by keyboard, in modals, while messages change, on a phone."""

import asyncio
from typing import Any

import pytest
from playwright.async_api import Page, expect

from . import canned
from .canned import message, plain, rich, said, section, text
from .conftest import Opener

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

DARK: dict[str, Any] = {"color_scheme": "dark"}
PHONE: dict[str, Any] = {"viewport": {"width": 360, "height": 640}, "has_touch": True}
# How far the brightness of a text and of what lies behind it are apart, as WCAG 2 counts it.
CONTRAST = """
(node) => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgb = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const bright = ([r, g, b]) => {
    const part = (v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  let behind = node;
  while (behind && rgb(getComputedStyle(behind).backgroundColor)[3] < 255)
    behind = behind.parentElement;
  const text = bright(rgb(getComputedStyle(node).color));
  const back = bright(rgb(getComputedStyle(behind ?? document.body).backgroundColor));
  return (Math.max(text, back) + 0.05) / (Math.min(text, back) + 0.05);
}
"""


async def tab_to(page: Page, name: str) -> None:
    """Press Tab until the control with this name has the focus."""
    for _ in range(40):
        words = await page.evaluate(
            "document.activeElement.getAttribute('aria-label') || document.activeElement.innerText"
        )
        if name in words:
            return
        await page.keyboard.press("Tab")
    raise AssertionError(f"{name!r} cannot be reached with Tab")


async def test_everything_up_to_a_confirmed_choice_works_by_keyboard(visit: Opener) -> None:
    v = await visit(canned.state(canned.alert()))
    page = v.page
    await tab_to(page, "Choose who you are")
    await page.keyboard.press("Enter")
    await page.keyboard.press("End")
    await page.keyboard.press("Enter")
    await expect(page.locator("#who-btn")).to_contain_text("Ada Brandt")
    await v.api.connected()
    await tab_to(page, "More…")
    outline = await page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid", "the focus is not to be seen"
    await page.keyboard.press(" ")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    dialog = page.get_by_role("alertdialog", name="Are you sure?")
    await expect(dialog).to_contain_text("This is done at once.")
    for _ in range(5):
        await page.keyboard.press("Tab")
        assert await page.evaluate("Boolean(document.activeElement.closest('dialog'))")
    await tab_to(page, "Do it")
    await page.keyboard.press("Enter")
    pressed = await v.api.act("press")
    assert pressed["as"] == canned.ADMIN
    assert pressed["value"] == {"option": "move-1"}
    assert pressed["message"] == {"channel": canned.CHANNEL, "ts": canned.ts(4)}
    await expect(page.locator(".actions .select")).to_be_focused()


async def test_a_denied_confirmation_presses_nothing(visit: Opener) -> None:
    v = await visit(canned.state(canned.alert()))
    page = v.page
    stop = page.get_by_role("button", name="Stop sending")
    await stop.click()
    await expect(page.get_by_role("button", name="Cancel")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(page.locator("dialog")).to_have_count(0)
    await expect(stop).to_be_focused()
    await page.get_by_role("button", name="Acknowledge").click()
    first = await v.api.act("press")
    assert first["action_id"] == "press:acknowledge"


async def test_a_button_shows_that_it_waits_and_that_it_failed(visit: Opener) -> None:
    v = await visit(canned.state(canned.alert()))
    v.api.hold["press"] = asyncio.Event()
    v.api.refuse["press"] = {"ok": False, "error": "operation_timeout"}
    button = v.page.get_by_role("button", name="Acknowledge")
    await button.click()
    await v.api.act("press")
    await expect(button).to_have_attribute("aria-busy", "true")
    await button.dispatch_event("click")  # a second press while it waits is not sent
    v.api.hold["press"].set()
    alert = v.page.locator("[data-block=buttons] .press-error")
    await expect(alert).to_contain_text("did not respond within 3 seconds")
    await expect(button).not_to_have_attribute("aria-busy", "true")
    assert len(v.api.acts) == 1


async def test_a_modal_shows_errors_and_then_goes(visit: Opener) -> None:
    v = await visit(canned.state(canned.alert()))
    page = v.page
    await page.get_by_role("button", name="Review messages").focus()
    await v.api.push({"type": "view", "view": canned.modal()})
    dialog = page.get_by_role("dialog", name="Block an address")
    await expect(dialog.get_by_role("radio", name="Only 203.0.113.77")).to_be_focused()
    v.api.refuse["submit"] = {"ok": False, "errors": {"reason": "Say why."}}
    await page.keyboard.press("ArrowDown")
    await dialog.get_by_role("button", name="Block").click()
    reason = dialog.get_by_role("textbox", name="Reason")
    await expect(reason).to_be_focused()
    await expect(dialog.locator("[data-input=reason] [role=alert]")).to_have_text("Say why.")
    assert await reason.get_attribute("aria-invalid") == "true"
    await reason.fill("It sends spam.")
    await expect(dialog.locator("[data-input=reason] [role=alert]")).to_have_count(0)
    v.api.refuse.clear()
    await page.keyboard.press("Enter")
    sent = await v.api.act("submit", 2)
    assert sent["values"] == {
        "scope": {"value": {"option": "net"}},
        "days": {"value": {"option": "7"}},
        "reason": {"value": {"text": "It sends spam."}},
        "tell": {"value": {"options": ["channel"]}},
    }
    await v.api.push({"type": "view", "view": None})
    await expect(dialog).to_have_count(0)
    await expect(page.get_by_role("button", name="Review messages")).to_be_focused()


async def test_a_view_below_keeps_what_was_filled_in(visit: Opener) -> None:
    v = await visit(canned.state(canned.alert()))
    page = v.page
    await v.api.push({"type": "view", "view": canned.modal()})
    await page.get_by_role("textbox", name="Reason").fill("half written")
    upper = {**canned.modal("V2", depth=2), "title": plain("Sure?"), "blocks": []}
    await v.api.push({"type": "view", "view": upper})
    await expect(page.get_by_role("dialog", name="Sure?")).to_be_visible()
    await page.keyboard.press("Escape")
    assert (await v.api.act("close"))["view_id"] == "V2"
    await v.api.push({"type": "view", "view": canned.modal()})
    await expect(page.get_by_role("textbox", name="Reason")).to_have_value("half written")


async def test_a_changed_message_keeps_focus_scroll_and_nodes(visit: Opener) -> None:
    early = [said(n - 60, canned.ADMIN, f"Line {n}\nmore\nmore") for n in range(30)]
    v = await visit(canned.state(*early, canned.alert(), said(5, canned.ADMIN, "after")))
    page = v.page
    button = page.get_by_role("button", name="Acknowledge")
    await button.focus()
    await page.evaluate(
        """() => {
          document.querySelector("#scroller").scrollTop -= 90;
          window.kept = document.activeElement;
          window.header = document.querySelector(".header");
          window.above = document.querySelector("#log .message");
        }"""
    )
    place = "Math.round(window.kept.getBoundingClientRect().top)"
    before = await page.evaluate(place)
    # A message far above grows, and so does the one in use, below the button's row.
    grown = {**early[2], "text": "much\n" * 9, "edited": True}
    await v.api.push({"type": "message_changed", "message": grown})
    changed = canned.alert(waiting=1999, edited=True)
    changed["blocks"][-1]["elements"] = changed["blocks"][-1]["elements"][1:]
    await v.api.push({"type": "message_changed", "message": changed})
    await expect(page.locator("[data-block=facts]")).to_contain_text("1,999")
    await expect(page.get_by_role("button", name="Stop sending")).to_have_count(0)
    await expect(button).to_be_focused()
    assert await page.evaluate("document.activeElement === window.kept")
    assert await page.evaluate("document.querySelector('.header') === window.header")
    assert await page.evaluate("document.querySelector('#log .message') === window.above")
    assert abs(await page.evaluate(place) - before) <= 1
    assert await page.locator(".edited:visible").count() == 2
    # Replaced under the fingers, the focus goes to what stands in its place.
    renamed = canned.alert(waiting=1999)
    renamed["blocks"][-1]["elements"][2] = {**canned.ACKNOWLEDGE, "text": plain("Take it")}
    await v.api.push({"type": "message_changed", "message": renamed})
    await expect(page.get_by_role("button", name="Take it")).to_be_focused()


async def test_a_message_taller_than_the_view_is_read_from_its_beginning(visit: Opener) -> None:
    early = [said(n, canned.ADMIN, f"Line {n}\nmore\nmore") for n in range(30)]
    v = await visit(canned.state(*early))
    page = v.page
    top_of_last = """() => {
      const [scroller, last] = ["#scroller", "#log > :last-child"].map((s) =>
        document.querySelector(s).getBoundingClientRect());
      return Math.round(last.top - scroller.top);
    }"""
    assert await page.evaluate(top_of_last) > 0
    tall = said(98, canned.ADMIN, "A long one\n" + "more\n" * 90)
    await v.api.push({"type": "message", "message": tall})
    await expect(page.get_by_text("A long one")).to_be_in_viewport()
    assert await page.evaluate(top_of_last) == 0
    # Who reads there follows what comes next.
    await v.api.push({"type": "message", "message": said(99, canned.ADMIN, "the newest")})
    await expect(page.get_by_text("the newest")).to_be_in_viewport()
    await expect(page.locator("#pill")).to_be_hidden()


async def test_new_messages_are_told_when_one_reads_further_up(visit: Opener) -> None:
    early = [said(n, canned.ADMIN, f"Line {n}\nmore\nmore") for n in range(30)]
    v = await visit(canned.state(*early))
    page = v.page
    await page.locator("#scroller").evaluate("(node) => { node.scrollTop = 0; }")
    await expect(page.locator("#pill")).to_be_hidden()
    await v.api.push({"type": "message", "message": said(99, canned.ADMIN, "the newest")})
    await expect(page.locator("#pill")).to_have_text("1 new message")
    assert await page.locator("#scroller").evaluate("(node) => node.scrollTop") == 0
    await page.locator("#pill").click()
    await expect(page.get_by_text("the newest")).to_be_in_viewport()
    await expect(page.locator("#pill")).to_be_hidden()
    await page.evaluate("Object.defineProperty(document, 'hidden', { get: () => true })")
    await v.api.push({"type": "message", "message": said(100, canned.ADMIN, "unread")})
    await expect(page).to_have_title("(1) #mail-ops · Example Mail")
    assert await page.locator("#log").get_attribute("role") == "log"
    assert await page.locator("#log").get_attribute("aria-live") == "polite"


async def test_the_thread_opens_answers_and_closes(visit: Opener) -> None:
    reply = said(5, canned.ADMIN, "Looking into it.", thread_ts=canned.ts(4))
    v = await visit(canned.state(canned.alert(), reply))
    page = v.page
    assert await page.locator("#log .message").count() == 1
    await page.locator(".reply-bar").focus()
    await page.keyboard.press("Enter")
    box = page.get_by_role("combobox", name="Reply in the thread")
    await expect(box).to_be_focused()
    await expect(page.locator("#thread-log")).to_contain_text("Looking into it.")
    await page.keyboard.type("Thanks.")
    await page.keyboard.press("Enter")
    sent = await v.api.act("say")
    assert (sent["thread_ts"], sent["text"]) == (canned.ts(4), "Thanks.")
    await page.keyboard.press("Escape")
    await expect(page.locator("#thread")).to_be_hidden()
    await expect(page.locator(".reply-bar")).to_be_focused()


async def test_commands_are_completed_sent_and_recalled(visit: Opener) -> None:
    v = await visit(canned.state(said(1, canned.ADMIN, "hi"), hints=["/spool help"]))
    page = v.page
    box = page.get_by_role("combobox", name="Message or slash command")
    await box.press_sequentially("/sp")
    await expect(page.get_by_role("option", name="/spool")).to_be_visible()
    await box.press("Tab")
    await box.press_sequentially("se")
    await box.press("Enter")
    await expect(box).to_have_value("/spool search ")
    await box.press_sequentially("sender:x")
    await box.press("Enter")
    assert (await v.api.act("command"))["text"] == "/spool search sender:x"
    await box.fill("/nonsense")
    await box.press("Enter")
    await expect(page.locator("#composer [role=status]")).to_contain_text("no such command")
    await box.press("ArrowUp")
    await box.press("ArrowUp")
    await expect(box).to_have_value("/spool search sender:x")
    await page.get_by_role("button", name="/spool help").click()
    await expect(box).to_have_value("/spool help")
    await page.get_by_role("button", name="Hide the suggestions").click()
    await expect(page.locator("#hints")).to_be_hidden()


async def test_private_messages_and_notices_say_so_and_can_be_dismissed(visit: Opener) -> None:
    private = message(2, text="For you.", ephemeral=True)
    v = await visit(canned.state(said(1, canned.ADMIN, "hi"), ephemerals=[private]))
    page = v.page
    await expect(page.locator(".ephemeral")).to_contain_text("Only visible to you")
    new = message(3, text="Instead.", ephemeral=True)
    await v.api.push({"type": "ephemeral_replaced", "old_ts": canned.ts(2), "message": new})
    await expect(page.locator(".ephemeral")).to_contain_text("Instead.")
    await page.get_by_role("button", name="Dismiss").click()
    await expect(page.locator(".ephemeral")).to_have_count(0)
    await v.api.push({"type": "notice", "text": "/spool failed"})
    await expect(page.locator(".notice")).to_contain_text("/spool failed")


async def test_a_lost_connection_comes_back_with_what_was_missed(visit: Opener) -> None:
    v = await visit(canned.state(said(1, canned.ADMIN, "hi")))
    page = v.page
    await v.api.push({"type": "app", "connected": False})
    await expect(page.locator("#app-state")).to_contain_text("is not connected")
    v.api.state["messages"].append(said(2, canned.ADMIN, "while you were away"))
    await v.api.drop_sockets()
    await expect(page.get_by_text("while you were away")).to_be_visible()
    await expect(page.locator("#lost")).to_be_hidden()
    await expect(page.locator("#app-state")).to_contain_text("is connected")


async def test_an_address_that_does_not_work_says_why(visit: Opener) -> None:
    v = await visit(canned.state(said(1, canned.ADMIN, "hi")))
    page = v.page
    # A member of an earlier run is not here any more: one becomes the first there is.
    await page.goto(f"{v.api.url}&as=U0GONE")
    await expect(page.locator("#who-btn")).to_contain_text("Omar Haddad")
    assert f"as={canned.OPERATOR}" in page.url
    await page.goto(f"{v.api.origin}/?token=wrong")
    await expect(page.locator("#lost")).to_contain_text("no valid token")


async def test_a_file_that_is_no_image_after_all_can_be_downloaded(visit: Opener) -> None:
    files = [{"id": "F9", "title": "odd.png", "url": "/member/file/nothing/here.png"}]
    v = await visit(canned.state(message(1, text="see", files=files)))
    await expect(v.page.locator("a.file")).to_contain_text("odd.png")
    assert await v.page.locator(".files img").count() == 0


async def test_a_phone_never_scrolls_sideways(visit: Opener) -> None:
    address = "a" * 200 + "@" + "b" * 55
    long_blocks = [
        {"type": "header", "block_id": "h", "text": plain(address[:150])},
        rich("r", section(text(address, code=True), text(address))),
        {
            "type": "actions",
            "block_id": "b",
            "elements": [{"type": "button", "action_id": "b", "text": plain(address[:75])}],
        },
    ]
    reply = message(5, blocks=long_blocks, thread_ts=canned.ts(4))
    v = await visit(canned.state(message(1, blocks=long_blocks), canned.alert(), reply), **PHONE)
    page = v.page
    wide = """[...document.querySelectorAll("html, .scroller, .dialog-body, .message-main, .bar")]
      .filter((node) => node.scrollWidth > node.clientWidth).map((node) => node.className)"""
    assert await page.evaluate(wide) == []
    await page.get_by_role("button", name="Channels", exact=True).click()
    await expect(page.get_by_role("button", name="mail-ops")).to_be_in_viewport()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("button", name="Channels", exact=True)).to_be_focused()
    await page.locator(".reply-bar").click()
    box = await page.locator("#thread").bounding_box()
    assert box is not None
    assert (box["x"], box["width"]) == (0, 360)
    assert await page.evaluate(wide) == []
    await v.api.push({"type": "view", "view": canned.modal()})
    await page.get_by_role("dialog").wait_for()
    assert await page.evaluate(wide) == []


@pytest.mark.parametrize("theme", [{}, DARK], ids=["light", "dark"])
async def test_text_stands_out_from_its_ground(visit: Opener, theme: dict[str, Any]) -> None:
    private = message(5, text="For you.", ephemeral=True)
    both = [said(3, canned.ADMIN, "<!here> `code` <https://example.com|a> \u202e"), canned.alert()]
    v = await visit(canned.state(*both, ephemerals=[private], hints=["/spool help"]), **theme)
    names = (
        ".author, .time, .edited, .badge, .para bdi, .context bdi, .btn, .btn-danger, .link, "
        ".mention.broadcast, .codepoint, .message code:not(.meter), .only-you, .rail-title, "
        ".rail-item, .role, .hint, .link-words, .meter-share, .placeholder"
    )
    for node in await v.page.locator(f":is({names}):visible").all():
        ratio = await node.evaluate(CONTRAST)
        assert ratio >= 4.5, (await node.inner_text(), ratio)
    ground = await v.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(255, 255, 255)") is (theme == {})
