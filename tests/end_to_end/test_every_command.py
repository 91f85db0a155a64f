"""Every row of the command table, in every chat: asked for, answered, seen on the mail server."""

import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest

from bot.commands import COMMANDS
from bot.demo.campaigns import LOUD, QUIET
from bot.demo.sender import Sender, SmtpRefused
from bot.demo.town import PASSWORD
from bot.hands import Shown
from bot.rooms import ROOMS
from services.audit import Phase
from services.language import day, reading
from services.mail.port import Queue, SpoolQuery, UserState
from services.models import IncidentState
from services.summary import literal
from services.traffic import sent_since
from tests.databases import postgres

from .playing import ACCOUNT, Play, kept_or_told, password_in, pins, playing, until

__all__ = ["postgres"]

#: Every chat and either database; PostgreSQL in the chat where instances claim each click.
ON = ("slack-sqlite", "discord-postgresql")
Scenario = Callable[[Play], Awaitable[None]]
ADDRESS = "192.0.2.77"
OTHER = QUIET.account
NETWORK = ip_network(ADDRESS)
SCENARIOS: dict[str, Scenario] = {}


def row(scenario: Scenario) -> Scenario:
    """Take a scenario as that of the row it is named after."""
    SCENARIOS[scenario.__name__] = scenario
    return scenario


@pytest.fixture(params=ON)
async def play(
    request: pytest.FixtureRequest, tmp_path: Path, mailboxes: Path
) -> AsyncIterator[Play]:
    chat, _, kind = request.param.partition("-")
    with contextlib.ExitStack() as stack:
        url: str | None = None
        if kind == "postgresql":
            url = stack.enter_context(request.getfixturevalue("postgres").lent())
        async with playing(tmp_path, mailboxes, chats=(chat,), database=url) as made:
            yield made


def test_every_row_has_its_scenario_in_every_chat() -> None:
    assert set(SCENARIOS) == set(COMMANDS)
    assert {on.partition("-")[0] for on in ON} == set(ROOMS)


@pytest.mark.parametrize("name", sorted(COMMANDS))
async def test_the_row_works(play: Play, name: str) -> None:
    await SCENARIOS[name](play)
    assert (await play.app.audit.verify()).broken_at is None


@row
async def dashboard(play: Play) -> None:
    await play.spam()
    await play.otto.alert(ACCOUNT)
    shown = (await play.vera.type("dashboard")).text
    for said in ("60 waiting", "Top outbound senders", ACCOUNT, "1 · "):
        assert said in shown
    assert "you have no role" in (await play.nobu.type("dashboard")).text


@row
async def search(play: Play) -> None:
    await play.spam()
    await play.otto.alert(ACCOUNT)
    await until(lambda: _all_deferred(play))
    listed = await play.vera.type(f"search sender:{ACCOUNT} queue:deferred")
    assert "60 messages match" in listed.text
    assert "page 1 of 12" in listed.text
    assert "page 2 of 12" in (await play.vera.press_privately(listed, "Next ▶")).text
    assert "page 12 of 12" in (await play.vera.type(f"search sender:{ACCOUNT} page:12")).text
    assert "no IP address" in (await play.vera.type("search ip:nowhere")).text


@row
async def why(play: Play) -> None:
    await play.spam()
    await play.otto.card_with(ACCOUNT, "60 messages in 5 min")
    shown = await play.vera.type(f"why {ACCOUNT}")
    for said in (f"{ACCOUNT}: active", "messages in 5 min; never seen sending before (+", "1 · "):
        assert said in shown.text
    assert "messages match" in (await play.vera.press_privately(shown, "Search its messages")).text
    assert "no such mailbox" in (await play.vera.type("why nobody@example.com")).text
    assert "you have no role" in (await play.nobu.type(f"why {ACCOUNT}")).text
    await play.otto.press(await play.otto.type(f"why {ACCOUNT}"), "Stop sending")
    await play.otto.card_with(ACCOUNT, "Stopped by otto")
    assert await _state(play) is UserState.NO_SENDING
    assert "disabled for sending" in (await play.vera.type(f"why {ACCOUNT}")).text


@row
async def user(play: Play) -> None:
    await play.spam()
    await play.otto.card_with(ACCOUNT, "60 messages in 5 min")
    await until(lambda: _all_read(play))
    shown = await play.vera.type(f"user {ACCOUNT}")
    for said in (f"{ACCOUNT}: active", "60 messages in the last 24 h", "1 · ", "Nothing was done"):
        assert said in shown.text
    form = await play.otto.press_for_form(
        await play.otto.type(f"user {ACCOUNT}"), "Disable and refuse…"
    )
    assert "mail to it is refused" in await play.otto.choose(form)
    assert await _state(play) is UserState.REFUSING
    managed = await play.otto.type(f"user {ACCOUNT}")
    assert "mail to it is refused too" in managed.text
    assert "otto · disable" in managed.text
    form = await play.otto.press_for_form(managed, "Enable…")
    assert "can send and receive again" in await play.otto.choose(form)
    evidence = await play.otto.press_privately(managed, "Evidence")
    assert "Each reason with its points" in evidence.text
    again = await play.otto.press_privately(evidence, "Manage")
    assert f"{ACCOUNT}: active" in again.text
    unknown = await play.vera.type("user nobody@example.com")
    assert "no mailbox nobody@example.com" in unknown.text
    assert "you have no role" in (await play.nobu.type(f"user {ACCOUNT}")).text


@row
async def password(play: Play) -> None:
    form = await play.otto.press_for_form(await play.otto.type(f"user {ACCOUNT}"), "New password…")
    assert "shown once, to you alone" in form.text
    new = password_in(await play.otto.choose(form))
    await play.otto.message(f"{ACCOUNT} has a new password")
    assert await _may_log_in(play, new)
    assert not await _may_log_in(play, PASSWORD)
    assert new not in await kept_or_told(play)
    shown = await play.vera.type(f"user {ACCOUNT}")
    refused = await play.vera.press_privately(shown, "New password…")
    assert "needs the role operator" in refused.text


@row
async def end_sessions(play: Play) -> None:
    async with Sender("127.0.0.1", play.stage.server.port, client_ip="192.0.2.7") as client:
        await client.log_in(ACCOUNT, PASSWORD)
        shown = await play.otto.type(f"user {ACCOUNT}")
        assert "1 open SMTP session." in shown.text
        form = await play.otto.press_for_form(shown, "End sessions…")
        assert "1 session" in await play.otto.choose(form)
        assert (await client.command("NOOP")).code == 421
    await play.otto.message(f"1 session of {ACCOUNT} was ended")


@row
async def delete_account(play: Play) -> None:
    await play.app.stop()
    # The stage has one admin, and deleting takes two.
    lower = {"remedies": {"delete_account": "operator"}}
    await play.start_bot(access=play.app.settings.access.model_copy(update=lower))
    await play.stage.rooms[0].until_connected()
    shown = await play.otto.type(f"user {ACCOUNT}")
    form = await play.otto.press_for_form(shown, "Delete account…")
    assert "not the account's address" in await play.otto.choose(form, address="ann")
    if play.stage.rooms[0].chat == "slack":  # where the form stays open, to be mended
        await play.otto.close(form)
    form = await play.otto.press_for_form(
        await play.otto.type(f"user {ACCOUNT}"), "Delete account…"
    )
    assert "deleting an account takes two persons" in await play.otto.choose(form, address=ACCOUNT)
    asked = await play.ada.message("otto asks for deleting the account")
    refused = await play.otto.press_privately_to_yes(asked, "Approve…")
    assert "somebody else must approve" in refused.text
    assert await _state(play) is UserState.ACTIVE
    await play.ada.press(asked, "Approve…")
    await play.ada.message(f"otto, approved by ada: {ACCOUNT} is deleted.")
    assert await _state(play) is None
    gone = await play.otto.type(f"user {ACCOUNT}")
    assert f"{ACCOUNT}: no mailbox of that name is on mail" in gone.text
    assert "New password…" not in gone.labels


@row
async def top(play: Play) -> None:
    assert "Nothing was sent in the last 1 h." in (await play.vera.type("top")).text
    await play.spam()
    await play.otto.alert(ACCOUNT)
    await until(lambda: _all_read(play))
    shown = await play.vera.type("top users 1h")
    assert f"1. {ACCOUNT}\n60 messages · 100% of all" in shown.text
    ips = await play.vera.press_privately(shown, "IP addresses")
    assert "60 messages · 8 IP addresses" in ips.text
    opened = await play.vera.press_privately(ips, "Who used it")
    assert ACCOUNT in opened.text
    assert "Top IP addresses" in (await play.vera.press_privately(opened, "◀ Back")).text
    assert "1. example.com · 60 messages" in (await play.vera.type("top domains 24h")).text


@row
async def report(play: Play) -> None:
    play.within_one(timedelta(hours=1))
    sent = await play.spam()
    await play.otto.alert(ACCOUNT)
    await until(lambda: _all_read(play))
    shown = await play.vera.type("report")
    assert f"Outgoing: {sent}" in shown.text
    assert "Counted from the log of mail since" in shown.text
    picture = await play.vera.picture(shown)
    # In the first hour of a day there is one hour to show, and none that was the busiest.
    assert re.search(rf"Outgoing: {sent}(, most at .+ \({sent}\))?\. Incoming: 0\.", picture.words)
    assert picture.data.startswith(b"\x89PNG")
    listed = await play.vera.pick_privately(shown, "Domains")
    assert f"1. example.com\n{sent} out · 0 in · 100% of outgoing" in listed.text
    users = await play.vera.press_privately(listed, "Users")
    assert f"1. {ACCOUNT}\n{sent} out" in users.text
    today = play.stage.clock.now().date()
    said = await play.vera.press_privately(users, "CSV file")
    with reading("en-US"):  # as who plays here has the chat
        written = day(today)
    assert f"Users of example.com, {written} to {written}." in said.text
    file = await play.vera.file(f"traffic-mail-users-{today}-{today}.csv")
    head, line = file.decode().splitlines()
    assert head == "user,outgoing,incoming,deferred,rejected,outgoing_before"
    assert line.startswith(f"{ACCOUNT},{sent},0,")
    trend = await play.vera.pick_privately(users, "Trend")
    assert f"Outgoing: {sent}" in trend.text
    users = await play.vera.type("report domain:example.com")
    account = await play.vera.press_privately(users, "Account")
    assert f"{ACCOUNT}: active" in account.text
    back = await play.vera.press_privately(account, "◀ Back")
    assert f"1. {ACCOUNT}\n{sent} out" in back.text
    assert "yet to come" in (await play.vera.type("report 2999-01-01..2999-01-02")).text
    nobody = await play.vera.type("report 7d domain:nobody.example")
    assert "Nothing was counted for nobody.example" in nobody.text
    assert "you have no role" in (await play.nobu.type("report")).text


@row
async def ip(play: Play) -> None:
    await play.spam()
    await play.otto.card_with(ACCOUNT, "60 messages in 5 min")
    address = LOUD.addresses[0]
    shown = await play.otto.type(f"ip {address}")
    assert f"{address} is not blocked." in shown.text
    assert ACCOUNT in shown.text
    form = await play.otto.press_for_form(shown, "Block…")
    assert "is refused for 24 h" in await play.otto.choose(form)
    (entry,) = await play.stage.server.blocks()
    assert entry.network == ip_network(address)
    blocked = await play.otto.type(f"ip {address}")
    assert f"{address} is blocked since" in blocked.text
    assert "by otto through Spoolwarden" in blocked.text
    form = await play.otto.press_for_form(blocked, "Unblock…")
    assert "may use SMTP again" in await play.otto.choose(form)
    assert not await play.stage.server.blocks()
    account = await play.otto.press_privately(await play.otto.type(f"ip {address}"), "Why")
    assert f"{ACCOUNT}: active" in account.text


@row
async def blocks(play: Play) -> None:
    assert "No address is blocked." in (await play.vera.type("blocks")).text
    for number in range(8):
        await play.stage.server.block(ip_network(f"192.0.2.{number}"), reason="old", lasting=None)
    await play.otto.choose(await play.otto.type_for_form(f"block {ADDRESS} for:1h"))
    with pytest.raises(SmtpRefused):
        await Sender("127.0.0.1", play.stage.server.port, client_ip=ADDRESS).open()
    listed = await play.otto.type("blocks")
    for said in ("9 blocked networks · 1 to 6", ADDRESS, "by otto through", "refused 1 time"):
        assert said in listed.text
    form = await play.otto.pick_for_form(listed, ADDRESS)
    assert "is refused for 7 days" in await play.otto.choose(form, lasting="for 7 days")
    entry = next(b for b in await play.stage.server.blocks() if b.network == NETWORK)
    assert entry.until is not None
    assert entry.until - entry.since == timedelta(days=7)
    form = await play.otto.press_for_form(await play.otto.type("blocks"), "Unblock…")
    assert f"{ADDRESS} may use SMTP again" in await play.otto.choose(form)
    second = await play.vera.press_privately(await play.vera.type("blocks"), "Next ▶")
    assert "8 blocked networks · 7 to 8" in second.text
    assert "old" in second.text


@row
async def preview(play: Play) -> None:
    await play.spam()
    await play.otto.alert(ACCOUNT)
    listed = await play.otto.type(f"search sender:{ACCOUNT}")
    looked = await play.otto.press_for_form(listed, "Preview")
    for said in ("Headers", f"Authenticated as {ACCOUNT}", "To "):
        assert said in looked.text
    assert [entry.phase for entry in await play.audited("preview")] == [Phase.READ]


@row
async def stop(play: Play) -> None:
    await play.spam()
    card = await play.otto.alert(ACCOUNT)
    refused = await play.use(play.vera.press_privately, "Stop sending")
    assert "needs the role operator" in refused.text
    form = await play.otto.type_for_form(f"stop {ACCOUNT}")
    assert "can no longer send" in form.text
    assert "60 messages held" in await play.otto.choose(form)
    await play.otto.line(card, "60 messages held")
    assert (await play.waiting(), await play.held()) == (0, 60)
    assert await _state(play) is UserState.NO_SENDING


@row
async def move(play: Play) -> None:
    await play.spam()
    card = await play.otto.alert(ACCOUNT)
    form = await play.use(play.otto.pick_for_form, "Move to a folder…")
    assert "60 messages" in form.text
    assert "60 messages moved" in await play.otto.choose(form, new="evidence")
    await play.otto.line(card, "60 messages moved")
    assert await play.stage.server.folders() == {"evidence": 60}


@row
async def restore(play: Play) -> None:
    await play.spam()
    await play.otto.alert(ACCOUNT)
    await play.otto.choose(await play.otto.type_for_form(f"move sender:{ACCOUNT}"))
    form = await play.otto.type_for_form("restore folder:review")
    assert "60 messages put back" in await play.otto.choose(form)
    assert await play.waiting() == 60


@row
async def retry(play: Play) -> None:
    await play.spam()
    await play.otto.alert(ACCOUNT)
    await until(lambda: _all_deferred(play))
    await play.otto.choose(await play.otto.type_for_form(f"move sender:{ACCOUNT}"))
    assert "Only what waits is tried again" in (await play.otto.type("retry queue:held")).text
    assert "needs the role operator" in (await play.vera.type(f"retry sender:{ACCOUNT}")).text
    refused = await play.otto.type(f"retry sender:{ACCOUNT}")
    assert "No message in the spool matches" in refused.text
    await play.otto.choose(await play.otto.type_for_form("restore folder:review"))
    form = await play.otto.type_for_form(f"retry sender:{ACCOUNT}")
    assert "60 messages will be tried again now: those that match" in form.text
    # The other side takes them by now, and is asked at once instead of in some minutes.
    sink = play.stage.sink
    taken, sink.policy = sink.messages, lambda sender, recipient: None
    assert "60 messages tried again" in await play.otto.choose(form)

    async def gone() -> bool:
        return not await play.waiting()

    await until(gone)
    assert sink.messages == taken + 60


@row
async def delete(play: Play) -> None:
    await play.spam()
    await play.otto.alert(ACCOUNT)
    wanted = f"delete sender:{ACCOUNT}"
    assert "needs the role admin" in (await play.otto.type(f"{wanted} permanent:yes")).text
    form = await play.otto.type_for_form(wanted)
    assert "60 messages deleted" in await play.otto.choose(form)
    assert await play.stage.server.folders() == {"deleted": 60}
    form = await play.ada.type_for_form("delete queue:quarantine permanent:yes")
    assert "For good: 60 messages deleted" in await play.ada.choose(form)
    assert await play.stage.server.folders() == {}


@row
async def disable(play: Play) -> None:
    await play.spam()
    card = await play.otto.alert(ACCOUNT)
    form = await play.use(play.otto.pick_for_form, "Disable only…")
    assert "mail to it is refused" in await play.otto.choose(form, state="is refused too")
    await play.otto.line(card, "mail to it is refused")
    assert await _state(play) is UserState.REFUSING
    form = await play.use(play.otto.pick_for_form, "Undo disable")
    await play.otto.choose(form)
    assert await _state(play) is UserState.ACTIVE


@row
async def enable(play: Play) -> None:
    await play.otto.choose(await play.otto.type_for_form(f"disable {ACCOUNT}"))
    assert await _state(play) is UserState.NO_SENDING
    form = await play.otto.type_for_form(f"enable {ACCOUNT}")
    assert "can send and receive again" in await play.otto.choose(form)
    assert await _state(play) is UserState.ACTIVE
    assert "is no mailbox" in (await play.otto.type("enable nobody@example.com")).text


@row
async def block(play: Play) -> None:
    form = await play.otto.type_for_form(f"block {ADDRESS} for:1h")
    assert "is refused for 1 h" in await play.otto.choose(form)
    (entry,) = await play.stage.server.blocks()
    assert entry.network == NETWORK
    assert entry.until is not None
    own = await play.otto.type("block 127.0.0.1")
    assert "127.0.0.1 is the mail server's own address. Nothing was blocked." in own.text
    assert "1 blocked network, newest first" in (await play.otto.type("blocks")).text


@row
async def unblock(play: Play) -> None:
    await play.stage.server.block(NETWORK, reason="before", lasting=None)
    form = await play.otto.type_for_form(f"unblock {ADDRESS}")
    assert "may use SMTP again" in await play.otto.choose(form)
    assert not await play.stage.server.blocks()


@row
async def approve(play: Play) -> None:
    form = await play.otto.type_for_form("block 203.0.112.0/20 for:1h")
    assert "Asked for a second person" in await play.otto.choose(form)
    asked = await play.otto.message("otto asks for blocking addresses: 203.0.112.0/20")
    refused = await play.otto.press_privately_to_yes(asked, "Approve…")
    assert "somebody else must approve" in refused.text
    assert not await play.stage.server.blocks()
    await play.ada.press(asked, "Approve…")
    await play.otto.message("otto, approved by ada: SMTP from 203.0.112.0/20 is refused for 1 h")
    (entry,) = await play.stage.server.blocks()
    assert str(entry.network) == "203.0.112.0/20"


@row
async def decline(play: Play) -> None:
    await play.otto.choose(await play.otto.type_for_form("block 203.0.112.0/20 for:1h"))
    asked = await play.ada.message("otto asks for blocking addresses: 203.0.112.0/20")
    await play.ada.press(asked, "Decline")
    await play.otto.message("Declined by ada. Nothing was done.")
    assert not await play.stage.server.blocks()


@row
async def respond(play: Play) -> None:
    await play.spam()
    card = await play.otto.alert(ACCOUNT)
    refused = await play.use(play.vera.press_privately, "Respond")
    assert "needs the role operator" in refused.text
    guide = await begun(play, card)
    assert "▶️ 1. See who sends" in guide.text
    await play.otto.card_with(ACCOUNT, "Acknowledged by otto")
    # What is done from elsewhere is ticked, and unticked when it is taken back.
    await play.otto.choose(await play.otto.type_for_form(f"disable {ACCOUNT}"))
    await play.otto.line(card, "☑️ 3. Stop it")
    await play.otto.choose(await play.use(play.otto.pick_for_form, "Undo disable"))
    await play.otto.line(card, "⬜ 3. Stop it")
    assert len([one for one in play.otto.lines(card) if "1. See who" in one.text]) == 1


@row
async def look(play: Play) -> None:
    await play.spam()
    card = await play.otto.alert(ACCOUNT)
    guide = await begun(play, card)
    looked = await play.otto.press_privately(guide, "Evidence")
    assert "Each reason with its points" in looked.text
    guide = await play.otto.line(card, "☑️ 1. See who sends")
    assert "otto" in guide.text
    again = await play.vera.press_privately(guide, "Evidence")
    assert "Each reason with its points" in again.text
    assert len(await play.audited("look")) == 2


@row
async def samples(play: Play) -> None:
    await play.spam()
    card = await play.otto.alert(ACCOUNT)
    guide = await begun(play, card)
    shown = await play.otto.press_privately(guide, "Samples")
    for said in ("60 messages of", "parcel", "From: ", "All its messages"):
        assert said in shown.text + " ".join(shown.labels)
    assert shown.text.count("From: ") == 3
    assert len(await play.audited("preview")) == 3
    form = await play.otto.press_for_form(shown, "False alarm…")
    assert "A false alarm" in await play.otto.choose(form)
    await play.otto.line(card, "The incident is over.")


@row
async def judge(play: Play) -> None:
    await play.spam()
    card = await play.otto.alert(ACCOUNT)
    guide = await begun(play, card)
    shown = await play.otto.press_privately(guide, "Samples")
    await play.otto.press(shown, "It is spam")
    await play.otto.line(card, "☑️ 2. Judge the messages")
    await play.otto.line(card, "Judged the messages: they are spam.")


@row
async def reported(play: Play) -> None:
    await play.spam()
    card = await play.otto.alert(ACCOUNT)
    guide = await begun(play, card)
    shown = await play.otto.press_privately(guide, "Summary")
    for said in ("Incident 1:", "Timeline (UTC)", "otto: Began the", "otto: Took the summary"):
        assert said in _unmarked(shown.text)
    await play.otto.line(card, "☑️ 8. Report")


@row
async def summary(play: Play) -> None:
    assert "no incident 1" in (await play.vera.type("summary 1")).text
    await play.spam()
    await play.otto.card_with(ACCOUNT, "60 messages in 5 min")
    await play.use(play.otto.press, "Stop sending")
    await play.otto.card_with(ACCOUNT, "Stopped by otto")
    shown = await play.vera.type("summary 1")
    said = await play.vera.press_privately(shown, "Markdown file")
    assert "The summary of incident 1, in Markdown." in said.text
    file = (await play.vera.file("incident-1.md")).decode()
    for read in (_unmarked(shown.text), _unmarked(file)):
        for part in (
            f"Incident 1: {ACCOUNT} on mail",
            "State: remedied by otto",
            "60 messages sent in this burst",
            "by otto",
            "60 messages held",
        ):
            assert part in read
    assert file.startswith(f"# Incident 1: {literal(ACCOUNT)} on mail\n\n- **State**: remedied")
    assert [entry.phase for entry in await play.audited("summary")] == [Phase.READ]


def _unmarked(text: str) -> str:
    """Return a text without Markdown's marks: one of the pages' readers leaves them out."""
    return text.translate(dict.fromkeys(map(ord, "\\*#")))


async def begun(play: Play, card: Shown) -> Shown:
    """Begin to respond; return the checklist in the card's thread."""
    await play.use(play.otto.press, "Respond")
    return await play.otto.line(card, "1. See who sends")


@row
async def acknowledge(play: Play) -> None:
    await play.spam()
    card = await play.otto.card_with(ACCOUNT, "60 messages in 5 min")
    await play.use(play.otto.press, "Acknowledge")
    await play.otto.card_with(ACCOUNT, "Acknowledged by otto")
    await play.otto.line(card, "Acknowledged: somebody is on it")


@row
async def snooze(play: Play) -> None:
    await play.spam()
    await play.otto.card_with(ACCOUNT, "60 messages in 5 min")
    form = await play.use(play.otto.pick_for_form, "Snooze…")
    assert "Snoozed for 4 h" in await play.otto.choose(form, lasting="4 h")
    await play.otto.card_with(ACCOUNT, "Snoozed by otto")
    await play.use(play.otto.pick, "End snooze")
    await play.otto.card_with(ACCOUNT, "nobody has taken this on yet")


@row
async def false_alarm(play: Play) -> None:
    await play.spam()
    # All of it is read: what came after it was called a false alarm would alarm again.
    await play.otto.card_with(ACCOUNT, "60 messages in 5 min")
    form = await play.use(play.otto.pick_for_form, "False alarm…")
    assert "A false alarm" in await play.otto.choose(form)
    await play.otto.card_with(ACCOUNT, "says otto")
    assert await _state(play) is UserState.ACTIVE
    form = await play.use(play.otto.pick_for_form, "Undo false alarm")
    await play.otto.choose(form)
    await play.otto.card_with(ACCOUNT, "nobody has taken this on yet")
    assert "Forgotten by otto" in (await play.vera.type(f"tuning {ACCOUNT}")).text


@row
async def tuning(play: Play) -> None:
    assert "Nothing was learnt" in (await play.vera.type("tuning")).text
    await play.spam()
    await play.otto.card_with(ACCOUNT, "60 messages in 5 min")
    await play.otto.choose(await play.use(play.otto.pick_for_form, "False alarm…"))
    shown = (await play.vera.type(f"tuning {ACCOUNT}")).text
    for said in (
        "1 lesson",
        "false alarm of incident 1, by otto",
        "up to 90 messages within an hour are ordinary for it, and 270 within a day",
    ):
        assert said in shown


@row
async def forget(play: Play) -> None:
    await play.spam()
    await play.otto.card_with(ACCOUNT, "60 messages in 5 min")
    await play.otto.choose(await play.use(play.otto.pick_for_form, "False alarm…"))
    card = await play.otto.card_with(ACCOUNT, "says otto")
    form = await play.otto.press_for_form(await play.otto.type("tuning"), "Forget…")
    assert "Forgotten" in await play.otto.choose(form)
    assert "Forgotten by otto" in (await play.vera.type("tuning")).text
    line = await play.otto.line(card, "it tunes the detector no more")
    await play.otto.choose(
        await play.otto.press_for_form(await play.otto.offering(line, "Undo"), "Undo")
    )
    await play.otto.line(card, "Remembered again")
    assert "Forgotten" not in (await play.vera.type("tuning")).text


@row
async def campaign(play: Play) -> None:
    await play.spam()
    await play.otto.card_with(ACCOUNT, "60 messages in 5 min")
    sent = await play.traffic.attack(replace(LOUD, account=OTHER, pace=4000), limit=50)
    card = await play.otto.card_with(ACCOUNT, "2 accounts, one campaign")
    await play.otto.line(card, f"{OTHER} joins, sharing")
    assert len(play.otto.cards()) == 1
    listed = await play.vera.type("campaign 1")
    assert OTHER in listed.text
    assert "in 5 min" in (await play.vera.press_privately(listed, "Why")).text
    assert "no incident 9 of yours" in (await play.vera.type("campaign 9")).text
    await play.otto.card_with(ACCOUNT, f"{60 + sent} messages sent")
    await play.use(play.otto.press, "Stop all 2 accounts")
    await play.otto.line(card, "2 accounts can no longer send and still receive")
    for account in (ACCOUNT, OTHER):
        assert await _state(play, account) is UserState.NO_SENDING
    card = await play.otto.card_with(ACCOUNT, "Stopped by otto")
    await play.otto.choose(await play.use(play.otto.press_for_form, "Undo stop"))
    await play.otto.line(card, "2 accounts put back as before")
    await play.otto.card_with(ACCOUNT, "Open: somebody is needed")
    await _all_of_a_campaign(play, card, 60 + sent)


async def _all_of_a_campaign(play: Play, card: Shown, messages: int) -> None:
    """Move and delete what every account of the campaign has in the spool, and take it back."""

    async def waiting() -> int:
        return await play.waiting() + await play.waiting(OTHER)

    async def ask(option: str) -> Shown:
        return await play.use(play.otto.pick_for_form, option)

    assert await waiting() == messages
    for option, said, undo in (
        ("Move all to a folder…", "To the folder review: {} messages moved", "Undo move"),
        ("Delete all messages…", "{} messages deleted", "Bring back deleted"),
    ):
        form = await ask(option)
        assert f"{messages} messages will be" in form.text
        assert "those of " in form.text
        assert ACCOUNT in form.text
        assert OTHER in form.text
        # What comes after the form was opened is of none of its messages.
        later = await play.traffic.attack(replace(LOUD, account=OTHER, pace=4000), limit=3)
        said = said.format(messages)
        assert said in await play.otto.choose(form)
        assert await waiting() == later
        await play.otto.line(card, said)
        await play.otto.choose(await ask(undo))
        await play.otto.line(card, f"{messages} messages put back")
        messages += later
        assert await waiting() == messages


@row
async def undo(play: Play) -> None:
    await play.spam()
    card = await play.otto.alert(ACCOUNT)
    await play.use(play.otto.press, "Stop sending")
    line = await play.otto.line(card, "60 messages held")
    # The undo in the thread is as good as that on the card, and only one of them is used.
    form = await play.otto.press_for_form(await play.otto.offering(line, "Undo"), "Undo")
    assert "60 messages released" in await play.otto.choose(form)
    await play.otto.line(card, "60 messages released")
    assert (await play.waiting(), await play.held()) == (60, 0)
    assert await _state(play) is UserState.ACTIVE


@row
async def incidents(play: Play) -> None:
    assert "No incidents yet" in (await play.vera.type("incidents")).text
    await play.spam()
    await play.otto.alert(ACCOUNT)
    shown = (await play.vera.type("incidents")).text
    assert f"1 · {ACCOUNT} on mail · {IncidentState.OPEN.value}" in shown


@row
async def audit(play: Play) -> None:
    await play.otto.choose(await play.otto.type_for_form(f"disable {ACCOUNT}"))
    shown = (await play.vera.type("audit")).text
    assert "The audit log is whole" in shown
    assert "otto" in shown
    assert ACCOUNT in shown


@row
async def pin(play: Play) -> None:
    assert "needs the role operator" in (await play.vera.type("pin")).text
    assert "comes into the alerts' channel" in (await play.otto.type("pin")).text
    shown = await play.otto.message("Spool of mail")
    assert "No open incidents." in shown.text
    await until(lambda: pins(play) == [shown.id])
    assert "is taken out" in (await play.otto.type("pin remove")).text
    await until(lambda: pins(play) == [])
    assert [entry.actor_name for entry in await play.audited("dashboard pinned")] == ["otto"]


@row
async def help(play: Play) -> None:
    shown = (await play.vera.type("help")).text
    for name, command in COMMANDS.items():
        if command.slash and name != "dashboard":
            assert f"/spool {name}" in shown
    assert "the sending account" in (await play.vera.type("help search")).text


async def _may_log_in(play: Play, password: str) -> bool:
    async with Sender("127.0.0.1", play.stage.server.port, client_ip="192.0.2.7") as client:
        try:
            await client.log_in(ACCOUNT, password)
        except SmtpRefused:
            return False
    return True


async def _all_read(play: Play) -> bool:
    async with play.app.store.reading() as session:
        return await sent_since(session, "mail", datetime.fromtimestamp(0, UTC)) == 60


async def _all_deferred(play: Play) -> bool:
    query = SpoolQuery(sender=ACCOUNT, queues=(Queue.DEFERRED,))
    return (await play.stage.server.search(query, limit=1)).total == 60


async def _state(play: Play, account: str = ACCOUNT) -> UserState | None:
    user = await play.stage.server.user(account)
    return user.state if user else None
