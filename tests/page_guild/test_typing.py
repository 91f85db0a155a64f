"""Slash commands with their options, and modals."""

from typing import Any

import pytest
from playwright.async_api import Locator, Page, expect

from . import canned
from .conftest import Opener

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


def message_box(page: Page) -> Locator:
    return page.get_by_role("combobox", name="Message or slash command", exact=True)


async def test_a_command_is_chosen_given_options_and_sent_by_keyboard(visit: Opener) -> None:
    v = await visit(canned.state(canned.alert()))
    page = v.page
    await message_box(page).press_sequentially("/s")
    await expect(page.get_by_role("option")).to_have_text(
        [
            "/spool searchfind messages in the spool and look into them",
            "/spool stopdisable an account for sending and hold what it has waiting",
            "/spool incidentsthe newest incidents",
            "/spool helpthis list",
        ]
    )
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("group", name="/spool search")).to_be_visible()
    await page.keyboard.type("pa")
    await page.keyboard.press("Tab")
    await page.keyboard.type("2")
    await page.keyboard.press("Tab")
    await page.keyboard.type("queue:def")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("combobox", name="queue: which queue")).to_have_value("deferred")
    await page.keyboard.press("Enter")
    sent = await v.api.act("command")
    assert sent == {
        "as": canned.OTTO,
        "channel": canned.CHANNEL,
        "name": "spool",
        "sub": "search",
        "options": {"page": 2, "queue": "deferred"},
    }
    await expect(message_box(page)).to_be_focused()
    await expect(message_box(page)).to_have_value("")


async def test_what_the_app_proposes_can_be_taken(visit: Opener) -> None:
    v = await visit(canned.state(canned.alert()))
    page = v.page
    found = [{"name": "anna · 1,204 waiting", "value": "anna@example.com"}]
    v.api.answers["complete"] = {"ok": True, "choices": found}
    await message_box(page).fill("/spool stop ")
    account = page.get_by_role("combobox", name="account, required: the mailbox")
    await expect(account).to_be_focused()
    await account.press_sequentially("an")
    await expect(page.get_by_role("option", name="anna")).to_be_visible()
    asked = v.api.made("complete")[-1]
    assert (asked["sub"], asked["focused"], asked["options"]) == (
        "stop",
        "account",
        {"account": "an"},
    )
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await page.keyboard.press("Enter")
    assert (await v.api.act("command"))["options"] == {"account": "anna@example.com"}


async def test_proposals_that_fail_are_told_and_the_text_still_counts(visit: Opener) -> None:
    v = await visit(canned.state(canned.alert()))
    page = v.page
    v.api.answers["complete"] = {"ok": False, "error": "timeout"}
    await message_box(page).fill("/spool stop ")
    await page.keyboard.type("bo@b.example")
    await expect(page.get_by_text("Loading options failed.")).to_be_visible()
    await page.keyboard.press("Enter")
    assert (await v.api.act("command"))["options"] == {"account": "bo@b.example"}


async def test_a_missing_or_wrong_option_is_told_and_not_sent(visit: Opener) -> None:
    v = await visit(canned.state(canned.alert()))
    page = v.page
    status = page.locator("#composer [role=status]")
    await message_box(page).fill("/spool stop ")
    await page.keyboard.press("Enter")
    await expect(status).to_have_text("account: This option is required.")
    await page.keyboard.press("Escape")
    await page.keyboard.press("Escape")
    await message_box(page).fill("/spool search page:none queue:lost sender:a b")
    sender = page.get_by_role("combobox", name="sender: the sending account")
    await expect(sender).to_have_value("a b")
    send = page.get_by_role("button", name="Send", exact=True)
    await send.click()
    await expect(status).to_have_text("queue: Choose one from the list.")
    await page.keyboard.press("Control+a")
    await page.keyboard.type("Held")
    number = page.get_by_role("combobox", name="page: which page")
    for value, wrong in (("none", "A whole number."), ("0", "At least 1.")):
        await number.fill(value)
        await send.click()
        await expect(status).to_have_text(f"page: {wrong}")
        await expect(number).to_be_focused()
    assert v.api.made("command") == []


async def test_words_are_said_and_unknown_commands_are_not(visit: Opener) -> None:
    v = await visit(canned.state(canned.alert()))
    page = v.page
    box = message_box(page)
    await box.fill("/nonsense")
    await box.press("Enter")
    await expect(page.locator("#composer [role=status]")).to_have_text(
        "There is no such command here."
    )
    v.api.answers["say"] = {"ok": False, "error": "You can't write here."}
    await box.fill("hello\nall")
    await box.press("Enter")
    assert (await v.api.act("say"))["text"] == "hello\nall"
    await expect(page.locator("#composer [role=status]")).to_have_text("You can't write here.")
    await expect(box).to_have_value("hello\nall")
    await v.api.push({"type": "commands", "commands": []})
    await box.fill("/sp")
    await expect(page.get_by_role("option")).to_have_count(0)


async def test_a_command_is_left_with_its_options(visit: Opener) -> None:
    v = await visit(canned.state(canned.alert()))
    page = v.page
    await message_box(page).fill("/spool search subject:hi")
    subject = page.get_by_role("combobox", name="subject: words of the subject")
    await subject.fill("")
    await subject.press("Backspace")
    await expect(subject).to_have_count(0)
    await page.keyboard.press("Backspace")
    await expect(message_box(page)).to_be_focused()
    await expect(page.get_by_role("group", name="/spool search")).to_have_count(0)


async def test_a_modal_sends_what_was_filled_in(visit: Opener) -> None:
    v = await visit(canned.state(canned.alert()))
    page = v.page
    await page.get_by_role("button", name="Review messages").focus()
    await v.api.push({"type": "modal", "modal": canned.modal()})
    dialog = page.get_by_role("dialog", name="Block an address")
    await expect(dialog.get_by_role("radio", name="Only 203.0.113.77")).to_be_focused()
    await page.keyboard.press("ArrowDown")
    days = dialog.get_by_role("button", name="For how long")
    await days.click()
    await page.get_by_role("option", name="Until it is lifted").click()
    await dialog.get_by_role("textbox", name="Reason").fill("It sends spam.")
    await dialog.get_by_role("checkbox", name="The account's owner").check()
    await dialog.get_by_text("I know that it may block others").click()
    await dialog.get_by_role("button", name="Submit").click()
    sent = await v.api.act("submit")
    assert (sent["modal"], sent["values"]) == (
        "M1",
        {
            "scope": "net",
            "days": ["0"],
            "reason": "It sends spam.",
            "tell": ["channel", "owner"],
            "sure": True,
        },
    )
    await v.api.push({"type": "modal", "modal": None})
    await expect(dialog).to_have_count(0)
    await expect(page.get_by_role("button", name="Review messages")).to_be_focused()


async def test_a_modal_says_what_is_wrong_and_can_be_sent_again(visit: Opener) -> None:
    v = await visit(canned.state(canned.alert(), modal=canned.modal()))
    page = v.page
    v.api.answers["submit"] = {"ok": False, "error": "", "errors": {"reason": "Fill this in."}}
    dialog = page.get_by_role("dialog")
    submit = dialog.get_by_role("button", name="Submit")
    reason = dialog.get_by_role("textbox", name="Reason")
    await submit.click()
    await expect(reason).to_be_focused()
    await expect(reason).to_have_attribute("aria-invalid", "true")
    await expect(dialog.locator("[data-field=reason] [role=alert]")).to_have_text("Fill this in.")
    await reason.fill("Spam.")
    await expect(dialog.locator("[data-field=reason] [role=alert]")).to_have_text("")
    v.api.answers.clear()
    await submit.click()
    await v.api.act("submit", 2)
    await expect(submit).to_have_attribute("aria-busy", "true")
    await v.api.push({"type": "modal_failed", "text": "Something went wrong. Try again."})
    await expect(dialog).to_contain_text("Something went wrong. Try again.")
    await expect(reason).to_have_value("Spam.")
    await page.keyboard.press("Escape")
    await expect(dialog).to_have_count(0)
    assert (await v.api.act("close"))["modal"] == "M1"


async def test_the_older_shape_of_a_modal_works_too(visit: Opener) -> None:
    old: dict[str, Any] = {
        "type": 1,
        "components": [{"type": 4, "custom_id": "days", "style": 1, "label": "Days", "value": "7"}],
    }
    v = await visit(canned.state(canned.alert(), modal={**canned.modal(), "components": [old]}))
    days = v.page.get_by_role("textbox", name="Days")
    await expect(days).to_have_value("7")
    await days.press("Enter")
    assert (await v.api.act("submit"))["values"] == {"days": "7"}
