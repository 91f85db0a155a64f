"""Who may do what in Discord: roles, other people's forms, forged and old ids, other servers."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.audit import Phase
from services.mail.port import UserState
from services.people import Place
from services.settings import AccessSettings
from services.targets import Target

from .playing import ACCOUNT, Play, in_guild, playing

CALLBACK = ("POST", "/interactions/{interaction_id}/{interaction_token}/callback")
SECOND = "ben.osei@example.com"


@pytest.fixture
async def play(tmp_path: Path, mailboxes: Path) -> AsyncIterator[Play]:
    async with playing(tmp_path, mailboxes, chats=("discord",)) as made:
        yield made


async def test_a_role_gives_its_members_theirs_and_takes_it_back_at_once(play: Play) -> None:
    guild = play.guild
    role = guild.role_id("operator")
    await play.app.stop()
    access = AccessSettings(viewers=(play.vera.user,), operators=(f"group:{role}",))
    await play.start_bot(access=access)
    await play.guild.until_app_connected()
    await play.spam()
    card = await play.otto.alert(ACCOUNT)
    refused = (await play.use(play.nobu.press_privately, "Stop sending")).text
    assert "you have no role" in refused
    refused = (await play.use(play.vera.press_privately, "Stop sending")).text
    assert "needs the role operator, and yours is viewer" in refused
    guild.faults.give_role(play.nobu.user, "operator")
    await play.use(play.nobu.press, "Stop sending")
    await play.nobu.line(card, "60 messages held")
    undo = await play.use(play.nobu.press_for_form, "Undo stop")
    # Neither what the card still offers nor a question that stands open is worth anything now.
    guild.faults.take_role(play.nobu.user, "operator")
    assert "you have no role" in await play.nobu.choose(undo)
    refused = (await play.use(play.nobu.press_privately, "Undo stop")).text
    assert "you have no role" in refused
    assert "you have no role" in (await play.nobu.type("search")).text
    assert (await play.waiting(), await play.held()) == (0, 60)
    assert all(e.phase == Phase.REFUSED for e in await play.audited("search"))
    assert await play.audited("search")


async def test_a_forged_button_does_nothing_and_is_audited(play: Play) -> None:
    otto = in_guild(play.otto)
    await play.spam()
    play.guild.faults.forge("press:AAAAAAAAAAAAAAAAAAAAAA")
    said = await play.use(play.otto.press_privately, "Acknowledge")
    assert "This button is unknown to Spoolwarden. Nothing was done." in said.text
    (entry,) = await play.audited("unknown button")
    assert entry.phase == Phase.REFUSED
    play.guild.faults.forge("press:../../etc")
    await play.use(play.otto.press, "Acknowledge")
    # Not even in the shape of ours: nobody answers, and the client says so by itself.
    await otto.wait(lambda state: "This interaction failed" in state.notices or None)
    assert not await play.audited("acknowledge")


async def test_a_button_of_another_channel_and_one_of_somebody_elses_form_do_nothing(
    play: Play,
) -> None:
    await play.spam()
    await play.otto.alert(ACCOUNT)
    elsewhere = await play.app.intents.offer(
        Place("discord", "1234567890"),
        "acknowledge",
        server="mail",
        target=Target(account=ACCOUNT),
        incident_id=1,
    )
    play.guild.faults.forge(f"press:{elsewhere}")
    said = await play.use(play.otto.press_privately, "Acknowledge")
    assert "This button belongs to another channel. Nothing was done." in said.text
    await play.otto.type_for_form(f"disable {ACCOUNT}")
    theirs = _intent_of_window(play)
    for does in ("press", "ask", "submit"):
        play.guild.faults.forge(f"{does}:{theirs}")
        said = await play.use(play.ada.press_privately, "Acknowledge")
        assert "This form belongs to somebody else. Nothing was done." in said.text
    play.guild.faults.forge(f"open:{theirs}")
    said = await play.use(play.ada.press_privately, "Acknowledge")
    assert "This form is too old. Nothing was done" in said.text
    user = await play.stage.server.user(ACCOUNT)
    assert user is not None
    assert user.state is UserState.ACTIVE


async def test_a_form_that_lay_open_for_too_long_does_nothing(play: Play) -> None:
    form = await play.otto.type_for_form(f"disable {ACCOUNT}")
    kept = play.app.settings.safety.form_minutes
    play.stage.clock.set(datetime.now(UTC) + timedelta(minutes=kept, seconds=1))
    assert "This button is too old. Nothing was done" in await play.otto.choose(form)
    user = await play.stage.server.user(ACCOUNT)
    assert user is not None
    assert user.state is UserState.ACTIVE


async def test_another_servers_members_are_served_nothing(play: Play) -> None:
    await play.spam()
    await play.otto.alert(ACCOUNT)
    otto, faults = in_guild(play.otto), play.guild.faults
    form = await play.otto.type_for_form(f"disable {ACCOUNT}")
    faults.deliver_as_of("1234567890123456789")
    refused = "Spoolwarden serves another Discord server. Nothing was done."
    assert refused in await play.otto.choose(form)
    assert refused in (await play.use(play.otto.press_privately, "Acknowledge")).text
    assert refused in (await play.use(play.otto.press_for_form, "Stop sending")).text
    assert refused in (await play.otto.type("search")).text
    assert await otto.suggested("search sender:anna", "sender") == ()
    faults.deliver_as_of(None)
    assert await play.waiting() == 60
    for action in ("disable", "acknowledge", "stop"):
        assert not await play.audited(action)


async def test_what_there_is_is_suggested_to_those_who_may_ask_and_to_nobody_else(
    play: Play,
) -> None:
    await play.spam()
    await play.otto.alert(ACCOUNT)
    await play.otto.choose(await play.otto.type_for_form(f"move sender:{ACCOUNT}"))
    await play.spam(50, SECOND)
    await play.otto.alert(SECOND)
    otto, vera, nobu = (in_guild(hands) for hands in (play.otto, play.vera, play.nobu))
    assert await vera.suggested("search sender:ben", "sender") == (SECOND,)
    assert (await otto.suggested("stop account:e", "account"))[:2] == (SECOND, ACCOUNT)
    assert await otto.suggested("restore folder:rev", "folder") == ("review",)
    assert await vera.suggested("search on:m", "on") == ("mail",)
    assert await vera.suggested("search sender:nobody-at-all", "sender") == ()
    # A viewer is told nothing of what only operators may ask for, a stranger nothing at all.
    assert await vera.suggested("restore folder:rev", "folder") == ()
    for typed, focused in (("search sender:ben", "sender"), ("search on:m", "on")):
        assert await nobu.suggested(typed, focused) == ()


async def test_nobody_is_mentioned_by_anything_the_bot_says(play: Play) -> None:
    await play.spam()
    card = await play.otto.alert(ACCOUNT)
    await play.use(play.otto.press, "Stop sending")
    await play.otto.line(card, "60 messages held")
    await play.use(play.otto.press_privately, "Review messages")
    await play.vera.type("audit")
    said = 0
    for call in play.guild.journal:
        body = call.request if isinstance(call.request, dict) else {}
        body = body.get("data", body) if "type" in body else body
        # A window says nothing in the channel.
        if isinstance(body, dict) and body.get("components") and "title" not in body:
            said += 1
            assert body.get("allowed_mentions") == {"parse": []}, call
    assert said >= 5


def _intent_of_window(play: Play) -> str:
    """Return the intent that the window opened last confirms."""
    opened = [
        call.request["data"]["custom_id"]
        for call in play.guild.journal.of(*CALLBACK)
        if "title" in (call.request.get("data") or {})
    ]
    return str(opened[-1]).removeprefix("form:")
