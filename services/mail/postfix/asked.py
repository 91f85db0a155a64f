"""Which of our tables Postfix asks, read from its own account of main.cf and master.cf.

A table in main.cf is not asked by a service whose line in master.cf sets another list of
restrictions, nor where the list permits the client before it comes to the table.
"""

import re
from dataclasses import dataclass

_LISTS = tuple(
    f"smtpd_{stage}_restrictions"
    for stage in ("client", "helo", "sender", "relay", "recipient", "data", "end_of_data")
)
_PERMIT = re.compile(r"\bpermit(?:_sasl_authenticated|_mynetworks)?(?![\w-])")


@dataclass(frozen=True, slots=True)
class Setup:
    """The settings of each SMTP server service, main.cf's and its own together."""

    services: dict[str, dict[str, str]]

    def asks(self, restriction: str, table: str) -> bool:
        """Tell whether some service asks this table."""
        return any(_asks(settings, restriction, table) for settings in self.services.values())

    def silent(self, restriction: str, table: str) -> list[str]:
        """Return the services that take logins and do not ask this table."""
        return [
            name
            for name, settings in self.services.items()
            if settings.get("smtpd_sasl_auth_enable") == "yes"
            and not _asks(settings, restriction, table)
        ]

    @property
    def takes_logins(self) -> bool:
        """Whether some service takes logins."""
        return any(s.get("smtpd_sasl_auth_enable") == "yes" for s in self.services.values())


def read(main: str, master: str, overrides: str) -> Setup:
    """Read what ``postconf -n``, ``postconf -M`` and ``postconf -P`` print."""
    common = dict(_settings(main))
    services: dict[str, dict[str, str]] = {}
    for line in master.splitlines():
        words = line.split()
        if len(words) >= 8 and words[7] == "smtpd":
            services[f"{words[0]}/{words[1]}"] = dict(common)
    for name, value in _settings(overrides):
        # A service's name may hold slashes; a setting's does not.
        service, _, setting = name.rpartition("/")
        if service in services:
            services[service][setting] = value
    return Setup(services)


def _settings(text: str) -> list[tuple[str, str]]:
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    return [(name.strip(), value.strip()) for name, _, value in pairs]


def _asks(settings: dict[str, str], restriction: str, table: str) -> bool:
    check = re.compile(rf"{restriction}[\s,{{]+(?:proxy:)?sqlite:{re.escape(table)}(?![\w./-])")
    for name in _LISTS:
        found = check.search(settings.get(name, ""))
        if found is not None and not _PERMIT.search(settings[name], 0, found.start()):
            return True
    return False
