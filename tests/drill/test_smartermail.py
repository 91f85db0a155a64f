"""The drill on SmarterMail, which shows no message and holds none: the rest is tried."""

from datetime import timedelta
from pathlib import Path

from bot.drill.real import Offer, drill_server
from services.clock import SystemClock
from tests.mail.harness import PASSWORD
from tests.mail.smartermail_harness import SmarterMailHarness
from tests.mail.smartermail_server import ADMIN
from tests.mail.smartermail_server import PASSWORD as ADMIN_PASSWORD

from .servers import ANN, ELSEWHERE, configured, standing


async def test_what_its_api_cannot_do_is_left_untried_and_the_rest_is_well(tmp_path: Path) -> None:
    # Its clock stands still: what is sent in the next seconds is not older than they are.
    harness = SmarterMailHarness(tmp_path, at=SystemClock().now() + timedelta(minutes=1))
    await harness.start()
    try:
        await harness.add_user(ANN)
        await harness.submit(ANN, [ELSEWHERE], "Late", times=3)
        await harness.settle()
        before = await standing(harness.server, ANN)
        table = {
            "kind": "smartermail",
            "name": "sm",
            "url": harness.there.web.url,
            "username": ADMIN,
            "password": ADMIN_PASSWORD,
        }
        settings = configured(table)
        offer = Offer(
            ANN, PASSWORD, "127.0.0.1", harness.there.front.port, ELSEWHERE, "198.51.100.20"
        )
        report = await drill_server(settings, settings.mail_server[0], offer)
        assert report.problem == ""
        assert [(f.name, f.problem) for f in report.features if not f.ok] == []
        said = {f.name: f.evidence for f in report.features}
        assert "next message: 'closed: " in said["disabled"]
        assert "'550 5.2.1 No such user here'" in said["refusing"]
        assert "from there by SMTP: '554 " in said["blocked"]
        skipped = [f.name for f in report.features if f.skipped]
        assert skipped == ["preview", "moved", "deleted"]
        assert await standing(harness.server, ANN) == before
    finally:
        await harness.stop()
