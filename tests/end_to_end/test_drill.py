"""The fire drill: every feature asked for in chat, done, and verified on the mail server."""

from bot.demo.stage import Stage
from bot.drill.run import STEPS, drill

from .playing import check_room


async def test_the_drill_finds_every_feature_working_and_says_nothing_slack_would_not() -> None:
    seen: list[Stage] = []
    report = await drill(seed=7, watch=seen.append)
    assert report.problem == ""
    found = [(f.name, f.asked, f.done, f.verified, f.problem) for f in report.features]
    assert found == [(step.__name__, True, True, True, "") for step in STEPS]
    assert report.ok
    assert report.first_spam_to_alert_seconds is not None
    assert "The audit log is whole" in report.audit
    for room in seen[0].rooms:
        check_room(room)
