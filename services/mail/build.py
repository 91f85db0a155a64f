"""From a mail server's settings to the mail server."""

from typing import Protocol

from services.clock import Clock
from services.errors import BadArgument
from services.mail.embedded import EmbeddedConfig, EmbeddedServer
from services.mail.port import MailServer
from services.settings import EmbeddedServerSettings


class HostedServer(MailServer, Protocol):
    """A mail server that has something to start and stop on this side."""

    async def start(self) -> None:
        """Make it ready. Raises ServerDown or ConfigError."""
        ...

    async def stop(self) -> None:
        """Let go of everything."""
        ...


def build(settings: EmbeddedServerSettings, clock: Clock) -> "Embedded":
    """Return the server that these settings describe, not yet started. Raises ConfigError."""
    return Embedded(settings, clock)


class Embedded(EmbeddedServer):
    """The built-in server, with the mailboxes that its settings name."""

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
