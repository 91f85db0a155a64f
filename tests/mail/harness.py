"""The embedded server as the conformance suite and its own tests drive it."""

import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select

from bot.demo.sender import Letter, Sender, compose
from services.clock import Clock, ManualClock
from services.mail.embedded import EmbeddedConfig, EmbeddedServer, tables
from services.mail.embedded.accounts import Accounts
from services.mail.port import MailServer, SpoolQuery

PASSWORD = "correct horse"
DOMAIN = "example.test"
ANN = f"ann@{DOMAIN}"
BOB = f"bob@{DOMAIN}"
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def must_not_miss(reason: str) -> None:
    """Skip with the reason there is, if any; where everything is to be there, fail."""
    if reason:
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


def cheap_passwords() -> None:
    """Have the embedded server's passwords cost next to nothing.

    Spam comes from eight addresses, which log in at once: that took a third of a test's time.
    What they cost otherwise is tested by test_accounts.py.
    """
    Accounts.hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


class Mailing:
    """What the harness of each server sends with; all of it real SMTP."""

    clock: Clock
    server: MailServer

    def sender(self, client_ip: str = "192.0.2.10") -> Sender:
        """A client that has yet to connect."""
        raise NotImplementedError

    async def logged_in(
        self, user: str, client_ip: str = "192.0.2.10", password: str = PASSWORD
    ) -> Sender:
        """A client that is connected and logged in."""
        client = self.sender(client_ip)
        await client.open()
        try:
            await client.log_in(user, password)
        except BaseException:
            await client.close()
            raise
        return client

    async def submit(
        self,
        user: str | None,
        recipients: Sequence[str],
        subject: str,
        *,
        body: str = "Hello.",
        client_ip: str = "192.0.2.10",
        envelope_sender: str | None = None,
        times: int = 1,
    ) -> None:
        """Send over real SMTP; ``user`` None does not log in."""
        sender = user if envelope_sender is None else envelope_sender
        async with self.sender(client_ip) as client:
            if user is not None:
                await client.log_in(user, PASSWORD)
            letter = compose(sender or "", recipients, subject, body, clock=self.clock)
            await client.send_many([letter] * times)

    async def submit_raw(self, user: str, recipients: Sequence[str], content: bytes) -> str:
        """Send these bytes and return the one queue id that is new."""
        before = set(await self.server.matching_ids(SpoolQuery(), limit=100_000))
        client = await self.logged_in(user)
        await client.send(Letter(user, tuple(recipients), content))
        await client.close()
        after = set(await self.server.matching_ids(SpoolQuery(), limit=100_000))
        (queue_id,) = after - before
        return queue_id


async def attempts(server: EmbeddedServer, queue_id: str) -> int:
    """Return how often an embedded server has tried a message that waits."""
    column = tables.message.c
    asked = select(column.attempts).where(column.queue_id == queue_id)
    async with server._database.read() as connection:
        return await connection.scalar(asked) or 0


class EmbeddedHarness(Mailing):
    """An embedded server with a clock that stands still and no relay.

    Mail to other domains is therefore deferred once ``settle`` has run.
    """

    clock: ManualClock
    server: EmbeddedServer
    domain = DOMAIN
    elsewhere = "elsewhere.test"
    refuses_logins = True

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.clock = ManualClock(START)
        self.config = replace(
            EmbeddedConfig(
                name="mail",
                database=folder / "mail.db",
                domains=(DOMAIN,),
                proxy_protocol=True,
                deliver_in_background=False,
            ),
            **settings,
        )
        self.server = EmbeddedServer(self.config, self.clock)

    async def start(self) -> None:
        await self.server.start()

    async def stop(self) -> None:
        await self.server.stop()

    async def restart(self) -> None:
        await self.stop()
        self.server = EmbeddedServer(self.config, self.clock)
        await self.start()

    async def add_user(self, address: str) -> None:
        await self.server.add_user(address, PASSWORD)

    def sender(self, client_ip: str = "192.0.2.10") -> Sender:
        """A client that has yet to connect."""
        announced = client_ip if self.config.proxy_protocol else None
        return Sender("127.0.0.1", self.server.port, client_ip=announced, timeout=10)

    async def settle(self) -> None:
        """Let the server try once whatever is due."""
        await self.server.deliver_due()

    async def tried(self, queue_id: str) -> int:
        """Return how often a message was tried so far."""
        return await attempts(self.server, queue_id)

    def now(self) -> datetime:
        return self.clock.now()

    async def advance(self, by: timedelta) -> None:
        """Let time pass for the server."""
        self.clock.set(self.clock.now() + by)
