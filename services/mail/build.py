"""From a mail server's settings to the mail server."""

import asyncio
import getpass
from datetime import timedelta
from typing import Protocol

from services.clock import Clock
from services.errors import BadArgument, ServerDown
from services.language import tr
from services.mail.embedded import EmbeddedConfig, EmbeddedServer
from services.mail.port import MailServer
from services.mail.postfix.config import PostfixConfig
from services.mail.postfix.schemes import Scheme
from services.mail.postfix.server import PostfixServer
from services.mail.postfix.sqllogins import LoginsConfig
from services.mail.smartermail.config import SmarterMailConfig
from services.mail.smartermail.server import SmarterMailServer
from services.settings import (
    EmbeddedServerSettings,
    LoginsSettings,
    MailServerSettings,
    PostfixServerSettings,
    SmarterMailServerSettings,
)


class HostedServer(MailServer, Protocol):
    """A mail server that has something to start and stop on this side."""

    @property
    def ours(self) -> bool:
        """Whether it runs in this process, so that the bot without it makes no sense."""
        ...

    async def start(self) -> None:
        """Make it ready. Raises ServerDown or ConfigError."""
        ...

    async def stop(self) -> None:
        """Let go of everything."""
        ...


def build(settings: MailServerSettings, clock: Clock) -> HostedServer:
    """Return the server that these settings describe, not yet started. Raises ConfigError."""
    match settings:
        case EmbeddedServerSettings():
            return Embedded(settings, clock)
        case PostfixServerSettings():
            return Postfix(settings, clock)
        case SmarterMailServerSettings():
            return SmarterMail(settings, clock)


class Embedded(EmbeddedServer):
    """The built-in server, with the mailboxes that its settings name."""

    ours = True

    def __init__(self, settings: EmbeddedServerSettings, clock: Clock) -> None:
        super().__init__(
            EmbeddedConfig(
                name=settings.name,
                database=settings.database,
                host=settings.host,
                port=settings.port,
                hostname=settings.hostname,
                domains=settings.domains,
                relay=settings.relay_address,
                proxy_protocol=settings.proxy_protocol,
                tls_certificate=settings.tls_certificate,
                tls_key=settings.tls_key,
            ),
            clock,
        )
        self._wanted = settings.users

    async def start(self) -> None:
        """Start, and make the mailboxes that are missing. Raises ServerDown, BadArgument."""
        await super().start()
        there = frozenset(self.users())
        try:
            for user in self._wanted:
                if user.address not in there:
                    await self.add_user(user.address, user.password.get_secret_value())
        except BadArgument:
            await self.stop()
            raise


class Postfix(PostfixServer):
    """A Postfix that its settings describe."""

    ours = False

    def __init__(self, settings: PostfixServerSettings, clock: Clock) -> None:
        values = settings.model_dump(exclude={"kind", "history_days", "logins"})
        if settings.logins is not None:
            values["logins"] = _logins(settings.logins)
        history = timedelta(days=settings.history_days)
        super().__init__(PostfixConfig(**values, history=history), clock)
        self._folder = settings.state_directory

    async def start(self) -> None:
        """Start. Raises ServerDown, also where there is no folder for what Postfix reads."""
        if self.account is None and not await asyncio.to_thread(self._folder.is_dir):
            raise ServerDown(
                tr(
                    "There is no folder {folder} (state_directory of {server}). Make it: "
                    "install -d -o {account} -g postfix -m 2750 {folder}",
                    folder=self._folder,
                    server=self.name,
                    account=getpass.getuser(),
                )
            )
        await super().start()


def _logins(settings: LoginsSettings) -> LoginsConfig:
    values = settings.model_dump(exclude={"scheme"})
    scheme = None if settings.scheme is None else Scheme(settings.scheme)
    return LoginsConfig(**values, scheme=scheme)


class SmarterMail(SmarterMailServer):
    """A SmarterMail that its settings describe."""

    ours = False

    def __init__(self, settings: SmarterMailServerSettings, clock: Clock) -> None:
        values = settings.model_dump(exclude={"kind", "history_days"})
        history = timedelta(days=settings.history_days)
        super().__init__(SmarterMailConfig(**values, history=history), clock)
