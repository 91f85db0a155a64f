"""SmarterMail, as the conformance suite and its own tests drive it: over a local server."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from bot.demo.sender import Sender
from services.clock import ManualClock
from services.mail.smartermail import SmarterMailConfig, SmarterMailServer

from .harness import DOMAIN, PASSWORD, START, Mailing, attempts
from .smartermail_server import ADMIN, LocalSmarterMail
from .smartermail_server import PASSWORD as ADMIN_PASSWORD


class SmarterMailHarness(Mailing):
    """Our client, the local SmarterMail, and one clock for both that stands still."""

    clock: ManualClock
    server: SmarterMailServer
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

    async def settle(self) -> None:
        await self.there.engine.deliver_due()

    async def tried(self, queue_id: str) -> int:
        return await attempts(self.there.engine, self.there.state.queue_id(queue_id) or "")

    def now(self) -> datetime:
        return self.clock.now()

    async def advance(self, by: timedelta) -> None:
        self.clock.set(self.clock.now() + by)
