"""How an embedded mail server is set up."""

import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from services.errors import ConfigError
from services.mail.port import Network

MIB = 1024 * 1024

# RFC 1035, 2.3.1 without its case: what a host name of mail is made of.
_HOSTNAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?\Z")


@dataclass(frozen=True)
class EmbeddedConfig:
    """Everything one embedded server is told. Raises ConfigError when a value cannot be.

    ``domains`` are the local ones; mail to any other goes to ``relay`` (host, port).
    ``proxy_protocol`` expects a PROXY header (version 1 or 2) on each connection, taken
    only from loopback and ``proxy_networks``. ``retry_after`` are the waits after the
    first, second, … failed attempt (the last one repeats); a message older than
    ``max_age`` is returned to its sender. ``log_kept`` is how long submissions and
    deliveries are remembered. ``deliver_in_background`` False leaves each delivery pass
    to whoever calls ``deliver_due``.
    """

    name: str
    database: Path
    host: str = "127.0.0.1"
    port: int = 0
    hostname: str = "mail.example.test"
    domains: tuple[str, ...] = ()
    relay: tuple[str, int] | None = None
    proxy_protocol: bool = False
    proxy_networks: tuple[Network, ...] = ()
    max_size: int = 25 * MIB  # bytes
    max_recipients: int = 1000
    max_sessions: int = 1000
    retry_after: tuple[timedelta, ...] = (
        timedelta(minutes=5),
        timedelta(minutes=15),
        timedelta(minutes=30),
        timedelta(hours=1),
    )
    max_age: timedelta = timedelta(days=5)
    delivery_concurrency: int = 10
    delivery_timeout: float = 30.0  # seconds for each step of an attempt
    deliver_in_background: bool = True
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    log_kept: timedelta = timedelta(days=7)

    def __post_init__(self) -> None:
        """Refuse what could never work, before anything is opened."""
        if not _HOSTNAME.match(self.hostname):
            raise ConfigError(f"The mail server {self.name}: {self.hostname!r} is no host name.")
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ConfigError(
                f"The mail server {self.name}: tls_certificate and tls_key go together."
            )
        if not self.retry_after or min(self.retry_after) <= timedelta(0):
            raise ConfigError(f"The mail server {self.name}: retry_after needs a positive wait.")
        if min(self.max_size, self.max_recipients, self.delivery_concurrency) < 1:
            raise ConfigError(
                f"The mail server {self.name}: max_size, max_recipients and "
                "delivery_concurrency are at least 1."
            )

    def is_local(self, domain: str) -> bool:
        """Tell whether mail for this domain is kept here."""
        return domain.casefold() in {local.casefold() for local in self.domains}
