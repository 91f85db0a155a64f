"""Who may do what, by user group, and what a spool without mail says."""

from datetime import UTC, datetime, timedelta

from services.mail.port import UserState
from services.settings import AccessSettings

from .playing import ACCOUNT, Play


async def test_a_user_group_gives_its_members_their_role_and_takes_it_back(play: Play) -> None:
    workspace = play.workspace
    workspace.store.usergroups["S0OPS"] = ("U0OTTO", "U0NOBU")
    await play.app.stop()
    await play.start_bot(access=AccessSettings(viewers=("U0VERA",), operators=("group:S0OPS",)))
    await workspace.until_app_connected()
    await play.spam()
    card = await play.nobu.alert(ACCOUNT)
    refused = (await play.use(play.ada.press_privately, "Stop sending")).text
    assert "you have no role" in refused
    refused = (await play.use(play.vera.press_privately, "Stop sending")).text
    assert "needs the role operator, and yours is viewer" in refused
    await play.use(play.nobu.press, "Stop sending")
    await play.nobu.line(card, "60 messages held")
    workspace.store.usergroups["S0OPS"] = ("U0OTTO",)
    # What was looked up is good for a minute.
    play.stage.clock.set(datetime.now(UTC) + timedelta(seconds=61))
    refused = (await play.use(play.nobu.press_privately, "Undo stop")).text
    assert "you have no role" in refused
    user = await play.stage.server.user(ACCOUNT)
    assert user is not None
    assert user.state is UserState.NO_SENDING


async def test_an_empty_spool_says_so(play: Play) -> None:
    dashboard = (await play.vera.type("")).text
    for said in ("0 waiting", "Nothing was sent in the last hour", "No open incidents"):
        assert said in dashboard
    assert "Nothing in the spool matches everything" in (await play.vera.type("search")).text
    nobody = (await play.vera.type("search sender:nobody@example.com queue:held")).text
    assert "Nothing in the spool matches sender:nobody@example.com queue:held" in nobody
    assert "No incidents yet" in (await play.vera.type("incidents")).text
    assert "The log is empty" in (await play.vera.type("audit")).text
    nothing = (await play.otto.type("delete sender:nobody@example.com")).text
    assert "No message in the spool matches" in nothing
