"""The drill on a configured server looks, finds everything well, and changes nothing."""

from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from bot.app import App
from bot.drill.real import LOOKING, drill_server
from bot.drill.report import Report
from bot.hands import Room
from services.clock import SystemClock
from services.mail.port import SpoolQuery, UserState
from services.settings import Settings
from tests.end_to_end.playing import check_room
from tests.mail.harness import PASSWORD, EmbeddedHarness
from tests.mail.postfix_harness import PostfixHarness

from .servers import ANN, BOB, ELSEWHERE, configured, postfix_table, standing

STEPS = [step.__name__ for step in LOOKING] + ["unchanged"]


async def looked(settings: Settings) -> Report:
    """Play the drill on the first server; what was said in the chat is judged, too."""
    seen: list[Room] = []

    def watch(room: Room, app: App) -> None:
        seen.append(room)

    report = await drill_server(settings, settings.mail_server[0], watch=watch)
    assert report.problem == ""
    assert [(f.name, f.ok, f.problem) for f in report.features] == [(n, True, "") for n in STEPS]
    assert report.ok
    assert "The audit log is whole" in report.audit
    check_room(seen[0])
    return report


def evidence(report: Report) -> dict[str, str]:
    return {feature.name: feature.skipped or feature.evidence for feature in report.features}


async def test_on_a_postfix_with_mail_everything_is_looked_at_and_nothing_changed(
    postfix: PostfixHarness,
) -> None:
    for user in (ANN, BOB):
        await postfix.add_user(user)
    await postfix.submit(ANN, [ELSEWHERE], "Late", times=7)
    await postfix.submit(BOB, [ELSEWHERE], "Late, too")
    await postfix.settle()
    held, moved, *_ = await postfix.server.matching_ids(SpoolQuery(sender=ANN), limit=5)
    await postfix.server.hold([held])
    await postfix.server.move([moved], "review")
    await postfix.server.set_user_state(BOB, UserState.NO_SENDING)
    day = timedelta(days=1)
    await postfix.server.block(ip_network("198.51.100.7"), reason="spam", lasting=day)
    before = await standing(postfix.server, ANN, BOB)
    found = evidence(await looked(configured(postfix_table(postfix))))
    assert await standing(postfix.server, ANN, BOB) == before
    assert found["dashboard"].endswith("6 deferred, 1 held, 1 in quarantine")
    assert found["search"] == f"the server finds 7 by “search sender:{ANN}”"
    assert found["capabilities"] == "the server can do all that was asked for"
    assert found["unchanged"] == "2 users, 1 blocks and 1 folders are as before"


async def test_what_a_postfix_is_not_set_up_for_is_refused_with_the_reason(
    postfix: PostfixHarness, tmp_path: Path
) -> None:
    await postfix.add_user(ANN)
    await postfix.submit(ANN, [ELSEWHERE], "Late")
    await postfix.settle()
    table = postfix_table(postfix, state_directory=str(tmp_path))
    found = evidence(await looked(configured(table)))
    for text in ("block 192.0.2.250/32 for:1h", f"disable {ANN}", f"disable {ANN} receive:no"):
        assert f"{text} is refused: " in found["capabilities"]
    assert "does not ask" in found["capabilities"]


async def test_on_an_embedded_server_the_whole_of_it_is_looked_at(tmp_path: Path) -> None:
    found = evidence(await looked(configured(await _embedded(tmp_path, messages=3))))
    assert found["dashboard"].startswith("the server counts ")
    assert "3 by" in found["search"]
    assert found["preview"].endswith("the look is audited")


async def test_an_empty_spool_has_nothing_to_look_into_and_is_well(tmp_path: Path) -> None:
    found = evidence(await looked(configured(await _embedded(tmp_path, messages=0))))
    assert found["search"] == "the server finds 0 by “search”"
    assert found["preview"] == "The spool is empty, so there is no message to look into."


async def test_a_server_that_is_down_is_one_sentence(
    postfix: PostfixHarness, tmp_path: Path
) -> None:
    table = postfix_table(postfix, command_directory=str(tmp_path))
    settings = configured(table)
    report = await drill_server(settings, settings.mail_server[0])
    assert not report.ok
    assert report.features == []
    assert "mail server mx" in report.problem or "on mx" in report.problem
    assert "Error" not in report.problem


async def _embedded(folder: Path, *, messages: int) -> dict[str, Any]:
    """Return a [[mail_server]] table for an embedded server with messages that wait."""
    harness = EmbeddedHarness(folder)
    await harness.advance(SystemClock().now() - harness.now())  # mail of today
    await harness.start()
    await harness.add_user(ANN)
    if messages:
        await harness.submit(ANN, [ELSEWHERE], "Late", times=messages)
    await harness.stop()
    config = harness.config
    return {
        "name": config.name,
        "database": str(config.database),
        "port": 0,
        "domains": list(config.domains),
        "users": [{"address": ANN, "password": PASSWORD}],
    }
