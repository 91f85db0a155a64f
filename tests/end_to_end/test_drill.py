"""The fire drill: every feature asked for in chat, done, and verified on the mail server."""

from bot.demo.stage import Stage
from bot.drill.run import STEPS, drill
from bot.rooms import chats_named

from .playing import check_room


async def test_the_drill_finds_every_feature_working_and_says_nothing_no_chat_would_take() -> None:
    # In both the steps take turns; what each row does in either is tried in test_every_command.
    seen: list[Stage] = []
    chats = chats_named("both")
    report = await drill(seed=7, chats=chats, watch=seen.append)
    assert report.problem == ""
    names = [step.__name__ for step in STEPS] + (["mirrored"] if len(chats) > 1 else [])
    found = [(f.name, f.asked, f.done, f.verified, f.problem) for f in report.features]
    assert found == [(name, True, True, True, "") for name in names]
    assert report.ok
    assert report.first_spam_to_alert_seconds is not None
    assert "The audit log is whole" in report.audit
    assert [room.chat for room in seen[0].rooms] == list(chats)
    for room in seen[0].rooms:
        check_room(room)
