"""A strict SmarterMail on loopback sockets, for tests: its REST API over real SMTP.

Built from the facts on the REST API that public clients show; the mail engine is our own
embedded server. It knows no field and no call beyond those, and holds state.
"""

from pathlib import Path
from zoneinfo import ZoneInfo

from services.clock import Clock
from services.mail.embedded import EmbeddedConfig, EmbeddedServer

from .build import Build, Faults
from .calls import Calls
from .front import Front
from .smtp_log import SmtpLog
from .state import Account, State
from .web import Web

__all__ = ["ADMIN", "PASSWORD", "Account", "Build", "Faults", "LocalSmarterMail"]

ADMIN = "admin"
PASSWORD = "sysadmin's secret"


class LocalSmarterMail:
    """One such server."""

    def __init__(
        self,
        folder: Path,
        clock: Clock,
        domain: str,
        *,
        zone: str = "UTC",
        certificate: tuple[Path, Path] | None = None,
    ) -> None:
        self.build = Build()
        self.faults = Faults()
        self.state = State(ADMIN, PASSWORD)
        self.log = SmtpLog(clock, ZoneInfo(zone), self.build)
        self.engine = EmbeddedServer(
            EmbeddedConfig(
                name="engine",
                database=folder / "engine.db",
                domains=(domain,),
                proxy_protocol=True,
                deliver_in_background=False,
            ),
            clock,
        )
        self.front = Front(self.state, self.log, self.build)
        calls = Calls(
            self.state, self.engine, self.front, self.log, self.build, self.faults, domain
        )
        self.web = Web(calls, certificate)

    async def start(self) -> None:
        await self.engine.start()
        await self.front.start(self.engine.port)
        await self.web.start()

    async def stop(self) -> None:
        await self.web.stop()
        await self.front.stop()
        await self.engine.stop()

    async def add_user(self, address: str, password: str) -> None:
        await self.engine.add_user(address, password)
        self.state.accounts[address.casefold()] = Account()
