"""SmarterMail, as the conformance suite and its own tests drive it: over a local server."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from bot.demo.sender import Letter, Sender, compose
from services.clock import ManualClock
from services.mail.port import SpoolQuery
from services.mail.smartermail import SmarterMailConfig, SmarterMailServer

from .harness import DOMAIN, PASSWORD, START
from .smartermail_server import ADMIN, LocalSmarterMail
from .smartermail_server import PASSWORD as ADMIN_PASSWORD


class SmarterMailHarness:
    """Our client, the local SmarterMail, and one clock for both that stands still."""

    domain = DOMAIN
    elsewhere = "elsewhere.test"
    refuses_logins = True

    def __init__(
        self,
        folder: Path,
        *,
        zone: str = "UTC",
        at: datetime = START,
        certificate: tuple[Path, Path] | None = None,
        **settings: Any,
    ) -> None:
        self.clock = ManualClock(at)
        self.there = LocalSmarterMail(
            folder, self.clock, DOMAIN, zone=zone, certificate=certificate
        )
        self._settings = {"time_zone": zone, "timeout": 5.0, **settings}
        self.server: SmarterMailServer = None  # type: ignore[assignment]  # made by start

    async def start(self) -> None:
        await self.there.start()
        await self.connect()

    async def stop(self) -> None:
        await self.server.stop()
        await self.there.stop()

    async def connect(self, **settings: Any) -> None:
        """Begin anew on our side, with nothing remembered."""
        if self.server is not None:
            await self.server.stop()
        config = SmarterMailConfig(
            name="mail",
            url=self.there.web.url,
            username=ADMIN,
            password=SecretStr(ADMIN_PASSWORD),
        )
        self.server = SmarterMailServer(
            replace(config, **{**self._settings, **settings}), self.clock
        )
        await self.server.start()

    async def restart(self) -> None:
        await self.connect()

    async def add_user(self, address: str) -> None:
        await self.there.add_user(address, PASSWORD)

    def sender(self, client_ip: str = "192.0.2.10") -> Sender:
        return Sender("127.0.0.1", self.there.front.port, client_ip=client_ip, timeout=10)

    async def logged_in(
        self, user: str, client_ip: str = "192.0.2.10", password: str = PASSWORD
    ) -> Sender:
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
        sender = user if envelope_sender is None else envelope_sender
        async with self.sender(client_ip) as client:
            if user is not None:
                await client.log_in(user, PASSWORD)
            letter = compose(sender or "", recipients, subject, body, clock=self.clock)
            await client.send_many([letter] * times)

    async def submit_raw(self, user: str, recipients: Sequence[str], content: bytes) -> str:
        before = set(await self.server.matching_ids(SpoolQuery(), limit=100_000))
        client = await self.logged_in(user)
        await client.send(Letter(user, tuple(recipients), content))
        await client.close()
        after = set(await self.server.matching_ids(SpoolQuery(), limit=100_000))
        (queue_id,) = after - before
        return queue_id

    async def settle(self) -> None:
        await self.there.engine.deliver_due()

    def now(self) -> datetime:
        return self.clock.now()

    async def advance(self, by: timedelta) -> None:
        self.clock.set(self.clock.now() + by)
