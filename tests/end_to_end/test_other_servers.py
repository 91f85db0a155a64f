"""Reports, accounts and blocks on a Postfix and on a SmarterMail, as the server itself has them."""

import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from bot.app import App
from bot.demo.stage import make_rooms, reaching
from bot.drill.playing import People, four_people
from bot.drill.wire import Wire, is_refused, is_taken
from services.clock import SystemClock
from services.reports import Period, Tally, total
from services.settings import fixed
from tests.drill.servers import ANN, BOB, ELSEWHERE, postfix_table
from tests.mail.conftest import postfix, private_postfix
from tests.mail.counted_by_hand import Counted, by_postfix, by_smartermail
from tests.mail.harness import DOMAIN, PASSWORD
from tests.mail.postfix_harness import PostfixHarness
from tests.mail.smartermail_harness import SmarterMailHarness
from tests.mail.smartermail_server import ADMIN
from tests.mail.smartermail_server import PASSWORD as ADMIN_PASSWORD

from .playing import POLL_SECONDS, check_room, until

__all__ = ["postfix", "private_postfix"]
ADDRESS = "192.0.2.77"


@dataclass
class There:
    """A mail server, how a bot is told of it, and its log counted by hand."""

    mail: PostfixHarness | SmarterMailHarness
    port: int  # where mail is handed in
    table: dict[str, Any]
    counted: Callable[[], Counted]
    says: tuple[str, ...]  # what a report says that it does not tell


@pytest.fixture
async def smartermail(tmp_path: Path) -> AsyncIterator[SmarterMailHarness]:
    harness = SmarterMailHarness(tmp_path, at=SystemClock().now())
    await harness.start()
    yield harness
    await harness.stop()


@pytest.fixture(params=["postfix", "smartermail"])
def there(request: pytest.FixtureRequest) -> There:
    mail = request.getfixturevalue(request.param)
    if isinstance(mail, PostfixHarness):
        log = mail.instance.log
        counted = lambda: by_postfix(log.read_text("utf-8"))  # noqa: E731
        return There(mail, mail.instance.port, postfix_table(mail), counted, ())
    assert isinstance(mail, SmarterMailHarness)
    days = mail.there.log.days
    table = {
        "kind": "smartermail",
        "name": "sm",
        "url": mail.there.web.url,
        "username": ADMIN,
        "password": ADMIN_PASSWORD,
    }
    return There(
        mail,
        mail.there.front.port,
        table,
        lambda: by_smartermail(line for day in days.values() for _, line in day),
        (
            "SMTP log does not tell what the other side said",
            "own traffic statistics are not read",
        ),
    )


async def test_a_report_an_account_and_the_blocks_are_those_of_the_server_itself(
    there: There, tmp_path: Path
) -> None:
    await _sent(there.mail)
    whole, sent, received = there.counted()
    assert (whole.outgoing, whole.incoming) == (9, 8)
    async with _bot(there, tmp_path) as (app, people):
        await until(lambda: _has_read(app, whole))
        await _reported(there, people, whole, sent, received)
        await _blocked(there, people)
        assert (await app.audit.verify()).broken_at is None


async def _sent(mail: PostfixHarness | SmarterMailHarness) -> None:
    await mail.add_user(ANN)
    await mail.add_user(BOB)
    await mail.submit(ANN, [ELSEWHERE, "another@elsewhere.test"], "Out", times=5)
    await mail.submit(BOB, [ANN], "Within", times=3)
    await mail.submit(BOB, [ELSEWHERE, ANN], "Both")
    await mail.submit(None, [ANN, BOB], "In", envelope_sender=ELSEWHERE, times=4)
    await mail.settle()


async def _has_read(app: App, whole: Tally) -> bool:
    today = app.clock.now().date()
    # Midnight may have come meanwhile.
    period = Period(today - timedelta(days=1), today)
    async with app.store.reading() as session:
        found = await total(session, app.servers[0].name, period)
    return (found.outgoing, found.incoming) == (whole.outgoing, whole.incoming)


async def _reported(
    there: There, people: People, whole: Tally, sent: Counter[str], received: Counter[str]
) -> None:
    vera, name = people["vera"], there.table["name"]
    shown = await vera.type("report 7d")
    for said in (
        f"Outgoing: {whole.outgoing}",
        f"Incoming: {whole.incoming}",
        f"Counted from the log of {name} since",
        *there.says,
    ):
        assert said in shown.text
    assert f"Outgoing: {whole.outgoing}" in (await vera.picture(shown)).words
    domains = await vera.pick_privately(shown, "Domains")
    assert f"1. {DOMAIN}\n{whole.outgoing} out · {whole.incoming} in · 100%" in domains.text
    users = await vera.press_privately(domains, "Users")
    for place, user in enumerate((ANN, BOB), 1):
        said = f"{place}. {user}\n{sent[user]} out · {received[user]} in"
        assert said in users.text
    await vera.press_privately(users, "CSV file")
    last = SystemClock().now().date()
    file = await vera.file(f"traffic-{name}-users-{last - timedelta(days=6)}-{last}.csv")
    rows = [line.split(",") for line in file.decode().splitlines()]
    assert {row[0]: (int(row[1]), int(row[2])) for row in rows[1:]} == {
        user: (sent[user], received[user]) for user in (ANN, BOB)
    }
    account = await vera.press_privately(users, "Account")
    assert f"{ANN}: active" in account.text
    assert f"{sent[ANN]} messages in the last 24 h" in account.text


async def _blocked(there: There, people: People) -> None:
    otto, server = people["otto"], there.mail.server
    form = await otto.type_for_form(f"block {ADDRESS} for:1h")
    assert "is refused for 1 h" in await otto.choose(form)
    assert [block.network for block in await server.blocks()] == [ip_network(ADDRESS)]
    wire = Wire("127.0.0.1", there.port, password=PASSWORD)
    assert is_refused(await wire.may_send(BOB, ADDRESS, ELSEWHERE))
    listed = await otto.type("blocks")
    for said in (ADDRESS, "by otto through Spoolwarden"):
        assert said in listed.text
    form = await otto.press_for_form(listed, "Unblock…")
    assert f"{ADDRESS} may use SMTP again" in await otto.choose(form)
    assert not await server.blocks()
    assert is_taken(await wire.may_send(BOB, ADDRESS, ELSEWHERE))


@contextlib.asynccontextmanager
async def _bot(there: There, folder: Path) -> AsyncIterator[tuple[App, People]]:
    """Run a bot for this server, in a Slack of its own."""
    (room,) = make_rooms(("slack",))
    async with contextlib.AsyncExitStack() as stack:
        await room.start()
        stack.push_async_callback(room.stop)
        app = App(
            fixed(
                database=f"sqlite:///{folder / 'bot.db'}",
                **reaching([room]),
                mail_server=[there.table],
                detection={"poll_seconds": POLL_SECONDS},
            )
        )
        await stack.enter_async_context(app.running())
        people = await stack.enter_async_context(four_people(room))
        yield app, people
    check_room(room)
