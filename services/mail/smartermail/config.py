"""How to reach one SmarterMail server."""

from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import SecretStr
from yarl import URL

from services.errors import ConfigError
from services.mail.port import Network

_API = "api/v1"


@dataclass(frozen=True, slots=True)
class SmarterMailConfig:
    """One server and the system administrator who may log in to it.

    ``url`` is what a browser opens, such as https://mail.example.com. ``time_zone`` is
    the server's own: its logs carry the time of day without a zone. ``history`` is how
    far back the log is read when nothing was read before.
    """

    name: str
    url: str
    username: str
    password: SecretStr
    ca_certificate: Path | None = None
    time_zone: str = "UTC"
    timeout: float = 20.0  # seconds for one call, whole
    history: timedelta = timedelta(days=1)
    page_size: int = 500  # messages or entries a call asks for
    own_networks: tuple[Network, ...] = ()
    login_pause: float = 60.0  # seconds after a refused login before the next

    def __post_init__(self) -> None:
        """Refuse what could never work, before anything is sent."""
        try:
            url = URL(self.url)
        except ValueError as error:
            raise self._wrong(f"url is no address: {error}.") from error
        if url.scheme not in ("http", "https") or not url.host or url.user is not None:
            raise self._wrong("url looks like https://mail.example.com.")
        if url.scheme == "http" and not _on_this_machine(url.host):
            raise self._wrong("url must begin with https://: the password travels in it.")
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise self._wrong(
                f"time_zone {self.time_zone!r} is unknown; write it as Europe/Zurich."
            ) from error
        if not self.username or not self.password.get_secret_value():
            raise self._wrong("username and password are those of a system administrator.")
        if self.timeout <= 0 or self.page_size < 2 or self.history < timedelta(0):
            raise self._wrong("timeout is positive, page_size at least 2, history not negative.")

    @property
    def api(self) -> URL:
        """Where the calls go."""
        url = URL(self.url).with_query(None).with_fragment(None)
        path = url.path.rstrip("/").removesuffix(f"/{_API}")
        return url.with_path(f"{path}/{_API}/")

    @property
    def host(self) -> str:
        """The name or address of the server."""
        return self.api.host or ""

    @property
    def zone(self) -> ZoneInfo:
        """The server's time zone."""
        return ZoneInfo(self.time_zone)

    def _wrong(self, what: str) -> ConfigError:
        return ConfigError(f"The mail server {self.name}: {what}")


def _on_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
