"""The database that a real Postfix asks: changed under its hands, and left alone with it."""

import asyncio
import sqlite3
from contextlib import closing
from ipaddress import ip_network

import pytest

from services.mail.port import UserState

from .postfix_harness import PostfixHarness

ANN = "ann@example.test"


@pytest.fixture(params=["postfix", "far_postfix"])
def mail(request: pytest.FixtureRequest) -> PostfixHarness:
    harness: PostfixHarness = request.getfixturevalue(request.param)
    return harness


async def test_postfix_is_never_locked_out_by_a_change(mail: PostfixHarness) -> None:
    await mail.add_user(ANN)
    done = asyncio.Event()

    async def ask() -> None:
        while not done.is_set():
            async with mail.sender() as client:
                await client.log_in(ANN, "correct horse")
                # After a hundred RSETs Postfix has had enough (smtpd_junk_command_limit).
                for _ in range(50):
                    assert (await client.command(f"MAIL FROM:<{ANN}>")).code == 250
                    assert (await client.command("RSET")).code == 250
                    if done.is_set():
                        break

    async def change() -> None:
        for number in range(20):
            await mail.server.block(ip_network(f"203.0.113.{number}"), reason="x", lasting=None)
        done.set()

    async with asyncio.timeout(60):
        await asyncio.gather(change(), ask(), ask(), ask())
    log = await asyncio.to_thread(mail.instance.log.read_text)
    assert "locked" not in log
    assert "proxymap" not in log


async def test_what_is_in_force_stays_so_without_the_bot(mail: PostfixHarness) -> None:
    await mail.add_user(ANN)
    await mail.server.set_user_state(ANN, UserState.NO_SENDING)
    await mail.server.stop()
    await asyncio.to_thread(mail.instance.stop)
    # The file itself holds all: what lies beside it may be lost with a copy.
    path = mail.instance.state / "access.db"
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)) as alone:
        assert alone.execute("SELECT name FROM login").fetchall() == [(ANN,)]
    await asyncio.to_thread(mail.instance.start)
    async with mail.sender() as client:
        await client.log_in(ANN, "correct horse")
        assert (await client.command(f"MAIL FROM:<{ANN}>")).code == 550
    await mail.server.start()
    user = await mail.server.user(ANN)
    assert user is not None
    assert user.state is UserState.NO_SENDING


async def test_what_somebody_elses_sqlite3_took_away_is_there_again(
    far_postfix: PostfixHarness,
) -> None:
    mail = far_postfix
    await mail.add_user(ANN)
    await mail.server.set_user_state(ANN, UserState.NO_SENDING)
    await asyncio.to_thread(mail.instance.stop)
    path = mail.instance.state / "access.db"
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("SELECT name FROM login").fetchall() == [(ANN,)]
    assert not path.with_name("access.db-wal").exists()
    await asyncio.to_thread(mail.instance.start)
    await mail.server.blocks()  # as with each poll
    async with mail.sender() as client:
        await client.log_in(ANN, "correct horse")
        assert (await client.command(f"MAIL FROM:<{ANN}>")).code == 550
