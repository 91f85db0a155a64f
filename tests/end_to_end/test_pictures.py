"""The alert's picture in both chats: there soon, redrawn in place, and never missed."""

import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image as Pillow
from sqlmodel import select

from bot.drill.scene import remote_waits
from bot.guild.permissions import Permission
from bot.hands import Image, Shown
from bot.rooms import ROOMS
from bot.workspace.values import BOT_SCOPES
from services.models import Posted

from .playing import ACCOUNT, Play, playing, until

CHATS = sorted(ROOMS)
AT_ONCE = timedelta(0)
#: What a bar of the picture stands for.
STRETCH = timedelta(minutes=5)


@pytest.fixture(params=CHATS)
async def there(
    request: pytest.FixtureRequest, tmp_path: Path, mailboxes: Path
) -> AsyncIterator[Play]:
    async with playing(tmp_path, mailboxes, chats=(request.param,), policy=remote_waits) as made:
        yield made


def _at_once(play: Play) -> None:
    (pictures,) = play.app.pictures
    pictures.every = pictures.soon = AT_ONCE


async def _drawn(play: Play, sent: int) -> tuple[Shown, Image]:
    """Return the card once its picture is of all that was sent, and the picture.

    One that is drawn before all was read is in the chat for a moment only.
    """
    card = await play.otto.card_with(ACCOUNT, f"at most {sent},")
    return card, await play.otto.picture(card)


def _is_picture(image: Image) -> None:
    with Pillow.open(BytesIO(image.data)) as opened:
        opened.load()
        assert (opened.format, opened.size) == ("PNG", (1080, 900))


async def _posted(play: Play) -> Posted:
    async with play.app.store.reading() as session:
        return (await session.exec(select(Posted).where(Posted.kind == "incident"))).one()


async def test_an_alert_has_a_picture_and_its_facts_in_words_and_is_redrawn_in_place(
    there: Play,
) -> None:
    _at_once(there)
    there.within_one(STRETCH)
    sent = await there.spam()
    card, first = await _drawn(there, sent)
    _is_picture(first)
    for fact in ("Messages sent in each 5 min", "Detected at", "Sent from: ", "never seen"):
        assert fact in first.words
    assert first.words in card.text
    sent += await there.spam(40)
    card, last = await _drawn(there, sent)
    assert last.id != first.id
    assert last.data != first.data
    _is_picture(last)
    (only,) = there.otto.cards()
    assert only.id == card.id
    # What is shown no more is kept nowhere.
    await until(lambda: _kept(there) == [last.id])


def _kept(play: Play) -> list[str]:
    """Return the ids of the files that the chat has."""
    (room,) = play.stage.rooms
    if room.chat == "slack":
        return list(play.workspace.store.files)
    messages = [m for c in play.guild.store.channels.values() for m in c.messages.values()]
    return [file.id for message in messages for file in message.files]


async def test_an_act_leaves_the_picture_and_a_restart_goes_on_from_it(there: Play) -> None:
    _at_once(there)
    there.within_one(STRETCH)
    card, first = await _drawn(there, await there.spam())
    await there.use(there.otto.press, "Acknowledge")
    assert first.words in (await there.otto.card_with(ACCOUNT, "Acknowledged by otto")).text
    await there.app.stop()
    await there.start_bot()
    await there.stage.rooms[0].until_connected()
    _at_once(there)
    await there.use(there.otto.press, "Undo acknowledge")
    await there.otto.card_with(ACCOUNT, "nobody has taken this on yet")
    await until(lambda: _is_seen(there))
    posted = await _posted(there)
    now = await there.otto.picture(card)
    assert posted.picture_words == now.words
    assert _kept(there) == [now.id]


async def _is_seen(play: Play) -> bool:
    posted = await _posted(play)
    return posted.picture_version == posted.version


async def test_without_the_permission_the_alert_comes_as_ever_and_check_would_say_why(
    there: Play, caplog: pytest.LogCaptureFixture
) -> None:
    (pictures,) = there.app.pictures
    if there.stage.rooms[0].chat == "slack":
        context = there.workspace._web_api._context
        object.__setattr__(context, "scopes", BOT_SCOPES - {"files:write"})
    else:
        there.guild.faults.take_permissions(Permission.ATTACH_FILES)
    with caplog.at_level(logging.WARNING):
        sent = await there.spam()
        card = await there.otto.card_with(ACCOUNT, f"{sent} messages in 5 min")
        await until(lambda: pictures.trouble is not None)
    assert "alerts come without a picture" in (pictures.trouble or "")
    assert len([r for r in caplog.records if "without a picture" in r.message]) == 1
    await there.use(there.otto.press, "Stop sending")
    await there.otto.line(card, f"{sent} messages held")
    stopped = await there.otto.card_with(ACCOUNT, "Stopped by otto")
    assert "icture" not in stopped.text
    assert not _kept(there)


async def test_with_the_setting_off_nothing_is_drawn(there: Play) -> None:
    await there.app.stop()
    detection = there.app.settings.detection.model_copy(update={"picture": False})
    await there.start_bot(detection=detection)
    assert not there.app.pictures
    await there.spam()
    await there.otto.alert(ACCOUNT)
    await there.use(there.otto.press, "Acknowledge")
    await there.otto.card_with(ACCOUNT, "Acknowledged by otto")
    assert not _kept(there)


async def test_a_chat_that_puts_the_upload_off_gets_the_alert_first_and_the_picture_later(
    play: Play,
) -> None:
    faults = play.workspace.faults
    faults.rate_limit("files.getUploadURLExternal", retry_after=1, times=3)
    await play.spam()
    card = await play.otto.alert(ACCOUNT)
    await play.use(play.otto.press, "Acknowledge")
    await play.otto.card_with(ACCOUNT, "Acknowledged by otto")
    _is_picture(await play.otto.picture(card))
    calls = [(c.method, c.http_status) for c in play.workspace.journal]
    posted = calls.index(("chat.postMessage", 200))
    assert posted < calls.index(("files.getUploadURLExternal", 429))
    assert ("files.getUploadURLExternal", 200) in calls


async def test_a_picture_that_somebody_deletes_keeps_nothing_from_being_shown(play: Play) -> None:
    _at_once(play)
    play.within_one(STRETCH)
    card, first = await _drawn(play, await play.spam())
    # Not one that is on its way to the card: that one is waited for, as one just uploaded may be.
    del play.workspace.store.files[first.id]
    await play.use(play.otto.press, "Acknowledge")
    await play.otto.card_with(ACCOUNT, "Acknowledged by otto")
    _is_picture(await play.otto.picture(card, besides=first.id))
    assert (await _posted(play)).error is None
