"""The drill's whole cycle on one account: everything tried by SMTP, and put back exactly."""

from ipaddress import ip_network
from pathlib import Path

from bot.app import App
from bot.drill.before import account_as_it_is, put_back
from bot.drill.real import ACTING, LOOKING, Offer, drill_server
from bot.drill.report import Report
from bot.drill.typed import ADDRESS
from bot.hands import Room
from services.mail.port import Queue, SpoolQuery, UserState
from services.settings import Settings
from tests.end_to_end.playing import check_room
from tests.mail.postfix_harness import PASSWORD, PostfixHarness

from .servers import ANN, BOB, ELSEWHERE, configured, postfix_table, standing

STEPS = [
    *(step.__name__ for step in LOOKING),
    "sends",
    *(step.__name__ for step in ACTING),
    "put_account_back",
    "unchanged",
]
OFFICE = "198.51.100.20"


def offer(postfix: PostfixHarness, recipient: str, password: str = PASSWORD) -> Offer:
    return Offer(ANN, password, "127.0.0.1", postfix.instance.port, recipient, OFFICE)


async def played(settings: Settings, offered: Offer) -> tuple[Report, dict[str, str]]:
    """Play the drill with an account; return the report, and what each step says."""
    seen: list[Room] = []

    def watch(room: Room, app: App) -> None:
        seen.append(room)

    report = await drill_server(settings, settings.mail_server[0], offered, watch=watch)
    check_room(seen[0])
    said = {f.name: f.problem or f.skipped or f.evidence for f in report.features}
    return report, said


async def with_mail(postfix: PostfixHarness) -> None:
    """Give two users mail that waits, some of the test account's own held and moved."""
    for user in (ANN, BOB):
        await postfix.add_user(user)
        await postfix.submit(user, [ELSEWHERE], "Late", times=3)
    await postfix.settle()
    held, moved, *_ = await postfix.server.matching_ids(SpoolQuery(sender=ANN), limit=5)
    await postfix.server.hold([held])
    await postfix.server.move([moved], "review")
    await postfix.server.block(ip_network("198.51.100.7"), reason="spam", lasting=None)


async def test_each_act_is_verified_by_smtp_and_all_is_as_before(postfix: PostfixHarness) -> None:
    await with_mail(postfix)
    before = await standing(postfix.server, ANN, BOB)
    report, said = await played(configured(postfix_table(postfix)), offer(postfix, ELSEWHERE))
    assert report.problem == ""
    found = [(f.name, f.asked, f.done, f.verified, f.problem) for f in report.features]
    assert found == [(name, True, True, True, "") for name in STEPS]
    assert report.ok
    for name in ("disabled", "stop"):
        assert "next message: '550 5.7.1 " in said[name]
        assert "This account may not send mail at present'" in said[name]
    assert "This mailbox takes no mail at present'" in said["refusing"]
    assert "held 5, waiting 0; done 1 time for two presses" in said["stop"]
    assert "held 1, waiting 4" in said["undo_stop"]
    assert "from there by SMTP: '5" in said["blocked"]
    assert "then '250" in said["blocked"]
    assert said["put_account_back"].endswith("nothing was left to put back")
    assert await standing(postfix.server, ANN, BOB) == before


async def test_mail_that_is_delivered_at_once_leaves_only_the_acts_on_waiting_mail_untried(
    postfix: PostfixHarness,
) -> None:
    await postfix.add_user(ANN)
    report, said = await played(configured(postfix_table(postfix)), offer(postfix, BOB))
    skipped = [(f.name, f.skipped.partition(":")[0]) for f in report.features if f.skipped]
    none = "None of the drill's messages waits"
    assert skipped == [
        ("preview", "The spool is empty, so there is no message to look into."),
        ("moved", none),
        ("deleted", none),
        ("retried", none),
        ("for_good", none),
    ]
    assert [(f.name, said[f.name]) for f in report.features if not f.ok] == []
    assert report.ok


async def test_what_a_postfix_is_not_set_up_for_is_left_untried_with_the_reason(
    postfix: PostfixHarness, tmp_path: Path
) -> None:
    await postfix.add_user(ANN)
    settings = configured(postfix_table(postfix, state_directory=str(tmp_path)))
    report, said = await played(settings, offer(postfix, ELSEWHERE))
    skipped = [f.name for f in report.features if f.skipped]
    acts = ["disabled", "refusing", "incident", "stop", "undo_stop", "blocked"]
    assert skipped == ["preview", *acts]
    for name in acts:
        assert "does not ask" in said[name]
    assert report.ok
    assert await postfix.server.matching_ids(SpoolQuery(), limit=10) == ()


async def test_an_account_that_cannot_send_is_not_acted_on(postfix: PostfixHarness) -> None:
    await with_mail(postfix)
    before = await standing(postfix.server, ANN, BOB)
    settings = configured(postfix_table(postfix))
    report, _ = await played(settings, offer(postfix, ELSEWHERE, "not the password"))
    assert not report.ok
    assert report.problem == f"{ANN} could not send, so nothing was done with the account."
    played_steps = [feature.name for feature in report.features]
    assert played_steps == [*STEPS[: STEPS.index("sends") + 1], "put_account_back", "unchanged"]
    failed = [feature for feature in report.features if not feature.ok]
    assert [feature.name for feature in failed] == ["sends"]
    assert "AUTH PLAIN: 535" in failed[0].problem
    assert await standing(postfix.server, ANN, BOB) == before


async def test_an_account_that_is_disabled_or_unknown_is_not_begun_with(
    postfix: PostfixHarness,
) -> None:
    settings = configured(postfix_table(postfix))
    report, _ = await _refused(settings, offer(postfix, ELSEWHERE))
    assert report.problem == f"{ANN} is no mailbox on mx. Nothing was done to it."
    await postfix.add_user(ANN)
    await postfix.server.set_user_state(ANN, UserState.REFUSING)
    report, _ = await _refused(settings, offer(postfix, ELSEWHERE))
    assert report.problem.startswith(f"{ANN} is refusing on mx, so it cannot send.")
    user = await postfix.server.user(ANN)
    assert user is not None
    assert user.state is UserState.REFUSING


async def _refused(settings: Settings, offered: Offer) -> tuple[Report, list[str]]:
    report = await drill_server(settings, settings.mail_server[0], offered)
    assert not report.ok
    return report, [feature.name for feature in report.features]


async def test_whatever_a_drill_broke_off_in_is_put_back_and_nothing_else_is_touched(
    postfix: PostfixHarness,
) -> None:
    await with_mail(postfix)
    before = await standing(postfix.server, ANN, BOB)
    account = await account_as_it_is(postfix.server, ANN)
    assert account is not None
    await postfix.submit(ANN, [ELSEWHERE], "Spoolwarden drill 0123", times=3)
    await postfix.settle()
    mine = SpoolQuery(sender=ANN, subject="Spoolwarden drill 0123")
    moved, deleted, _ = await postfix.server.matching_ids(mine, limit=5)
    server = postfix.server
    await server.set_user_state(ANN, UserState.REFUSING)
    await server.move([moved], "drill-0123")
    await server.move([deleted], "deleted")
    waiting = SpoolQuery(sender=ANN, queues=(Queue.DEFERRED,))
    await server.hold(await server.matching_ids(waiting, limit=10))
    await server.block(ADDRESS, reason="drill", lasting=None)
    said = await put_back(server, account, mine, ADDRESS)
    assert said == [
        f"{ANN} was set back to active",
        "2 messages restored",
        "2 messages released",
        "3 waiting messages of the drill's own deleted",
        f"the block of {ADDRESS} lifted",
    ]
    assert await account_as_it_is(server, ANN) == account
    assert await standing(server, ANN, BOB) == before
    assert await put_back(server, account, mine, ADDRESS) == []
