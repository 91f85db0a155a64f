"""Who may do what, by user group, and what a spool without mail says."""

from datetime import UTC, datetime, timedelta

from bot.workspace.reading import plain_text
from services.mail.port import UserState
from services.settings import AccessSettings

from .playing import ACCOUNT, Play


async def test_a_user_group_gives_its_members_their_role_and_takes_it_back(play: Play) -> None:
    workspace = play.stage.workspace
    workspace.store.usergroups["S0OPS"] = ("U0OTTO", "U0NOBU")
    await play.app.stop()
    await play.start_bot(access=AccessSettings(viewers=("U0VERA",), operators=("group:S0OPS",)))
    await workspace.until_app_connected()
    await play.spam()
    card = await play.nobu.alert(ACCOUNT)
    refused = plain_text(await play.ada.press_privately(card, "Stop sending"))
    assert "you have no role" in refused
    refused = plain_text(await play.vera.press_privately(card, "Stop sending"))
    assert "needs the role operator, and you are viewer" in refused
    await play.nobu.press(card, "Stop sending")
    await play.nobu.line(card, "60 messages held")
    workspace.store.usergroups["S0OPS"] = ("U0OTTO",)
    # What was looked up is good for a minute.
    play.stage.clock.set(datetime.now(UTC) + timedelta(seconds=61))
    undo = await play.nobu.card_with(ACCOUNT, "Undo stop")
    refused = plain_text(await play.nobu.press_privately(undo, "Undo stop"))
    assert "you have no role" in refused
    user = await play.stage.server.user(ACCOUNT)
    assert user is not None
    assert user.state is UserState.NO_SENDING


async def test_an_empty_spool_says_so(play: Play) -> None:
    dashboard = plain_text(await play.vera.type(""))
    for said in ("0 waiting", "Nothing was sent in the last hour", "No open incidents"):
        assert said in dashboard
    assert "Nothing in the spool matches everything" in plain_text(await play.vera.type("search"))
    nobody = plain_text(await play.vera.type("search sender:nobody@example.com queue:held"))
    assert "Nothing in the spool matches sender:nobody@example.com queue:held" in nobody
    assert "No incidents yet" in plain_text(await play.vera.type("incidents"))
    assert "The log is empty" in plain_text(await play.vera.type("audit"))
    nothing = plain_text(await play.otto.type("delete sender:nobody@example.com"))
    assert "No message in the spool matches" in nothing
