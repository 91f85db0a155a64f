"""Which of our tables Postfix asks, read from its own account of main.cf and master.cf.

A table in main.cf is not asked by a service whose line in master.cf sets another list of
restrictions, as Debian's own line for submission does; nor where the list permits the
client before it comes to the table; nor through a proxy that may not read it.
"""

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# A table that is asked only when the data come does not keep anybody from beginning a message.
_LISTS = tuple(
    f"smtpd_{stage}_restrictions" for stage in ("client", "helo", "sender", "relay", "recipient")
)
_PERMIT = re.compile(r"\bpermit(?:_sasl_authenticated|_mynetworks)?(?![\w-])")
_LOOPBACK = re.compile(r"(?:127\.[0-9.]+|\[?::1\]?|localhost):")
_PROXY_MAY_READ = "proxy_read_maps"


@dataclass(frozen=True, slots=True)
class Lookup:
    """One of our tables, and the restriction that asks it."""

    check: str
    path: Path

    @property
    def table(self) -> str:
        """The table, as main.cf names it: through a proxy, for processes in a chroot."""
        return f"proxy:sqlite:{self.path}"

    def __str__(self) -> str:
        return f"{self.check} {self.table}"


#: Which tables each list of restrictions must ask, before what already stands there.
Wanted = Mapping[str, Sequence[Lookup]]


@dataclass(frozen=True, slots=True)
class Setup:
    """What main.cf sets, and what master.cf sets for each SMTP server service instead."""

    main: dict[str, str]
    services: dict[str, dict[str, str]]

    def silent(self, lookup: Lookup) -> list[str]:
        """Return the services that others can reach, or log in to, and that do not ask this."""
        return [
            name
            for name in self._reachable()
            if not any(self._asks(self._settings(name), each, lookup) for each in _LISTS)
        ]

    def silent_at_login(self, lookup: Lookup) -> list[str]:
        """Return the services that take logins and do not ask this; where none does, all."""
        silent = self.silent(lookup)
        logging_in = [name for name in self.services if self._takes_logins(name)]
        return [name for name in silent if name in logging_in or not logging_in]

    def syslog_names(self) -> dict[str, str]:
        """Return what services that others can reach are called in the log, if by other names."""
        found = {at: self.services[at].get("syslog_name") for at in self._reachable()}
        return {at: name for at, name in found.items() if name is not None}

    def commands(self, wanted: Wanted, written: "Setup", postconf: str = "postconf") -> list[str]:
        """Return the commands that make Postfix ask what it does not ask yet.

        ``written`` is this setup with references as they are written; ``postconf`` is how
        that is called.
        """
        edit, edit_service = f"{postconf} -e", f"{postconf} -P"
        found = []
        for name, lookups in wanted.items():
            if not _reached_all(self.main.get(name, ""), lookups):
                value = _before(written.main.get(name, ""), lookups)
                found.append(f"{edit} {shlex.quote(f'{name} = {value}')}")
        maps = self._proxy(wanted, written)
        if maps:
            found.append(f"{edit} {shlex.quote(maps)}")
        for service in self._reachable():
            for name, lookups in wanted.items():
                own = self.services[service].get(name)
                if own is None or _reached_all(own, lookups):
                    continue  # main.cf's list is in force, or its own serves
                value = _before(written.services[service][name], lookups)
                if "{" in value:  # words within braces cannot be told to postconf
                    own = f"-o {{ {name} = {value} }}"
                    found.append(f"# in master.cf, below {service}: {own}")  # not shown
                else:
                    value = re.sub(r"[\s,]+", ",", value)  # it takes no spaces there
                    found.append(f"{edit_service} {shlex.quote(f'{service}/{name}={value}')}")
        return found

    def _proxy(self, wanted: Wanted, written: "Setup") -> str:
        """Return the setting that lets the proxy read our tables, "" where it may."""
        old = written.main.get(_PROXY_MAY_READ)
        if old is None:  # Postfix's own lets it read what these lists name
            return ""
        named = {each.table for name in wanted if f"${name}" in old for each in wanted[name]}
        tables = dict.fromkeys(lookup.table for lookups in wanted.values() for lookup in lookups)
        lacking = [table for table in tables if table not in named and table not in old]
        return " ".join([f"{_PROXY_MAY_READ} =", old, *lacking]) if lacking else ""

    def _asks(self, settings: Mapping[str, str], name: str, lookup: Lookup) -> bool:
        """Tell whether this list asks the table before it permits the client, and may read it."""
        proxied = _reached(settings.get(name, ""), lookup)
        if not proxied:
            return proxied is not None
        # The proxy itself reads main.cf alone: a table that is named in master.cf only is
        # refused it, and the service ends over that. By itself it reads what these lists name.
        named = [_PROXY_MAY_READ] if _PROXY_MAY_READ in self.main else _LISTS
        words = (re.split(r"[\s,{}]+", self.main.get(each, "")) for each in named)
        return any(lookup.table in some for some in words)

    def _settings(self, service: str) -> dict[str, str]:
        return self.main | self.services[service]

    def _takes_logins(self, service: str) -> bool:
        return self._settings(service).get("smtpd_sasl_auth_enable") == "yes"

    def _reachable(self) -> list[str]:
        """Return all but those where only this machine hands mail back, such as a filter."""
        return [
            name for name in self.services if self._takes_logins(name) or not _LOOPBACK.match(name)
        ]


def read(main: str, master: str, overrides: str) -> Setup:
    """Read what ``postconf -n``, ``postconf -M`` and ``postconf -P`` print."""
    services: dict[str, dict[str, str]] = {}
    for line in master.splitlines():
        words = line.split()
        if len(words) >= 8 and words[7] == "smtpd":
            services[f"{words[0]}/{words[1]}"] = {}
    for name, value in _settings(overrides):
        # A service's name may hold slashes; a setting's does not.
        service, _, setting = name.rpartition("/")
        if service in services:
            services[service][setting] = value
    return Setup(dict(_settings(main)), services)


def _settings(text: str) -> list[tuple[str, str]]:
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    return [(name.strip(), value.strip()) for name, _, value in pairs]


def _reached(text: str, lookup: Lookup) -> bool | None:
    """Return whether this list asks the table through a proxy, None if it does not ask it."""
    found = _ours(lookup).search(text)
    if found is None or _PERMIT.search(text, 0, found.start()):
        return None
    return found["proxy"] is not None


def _reached_all(text: str, lookups: Sequence[Lookup]) -> bool:
    return all(_reached(text, lookup) is not None for lookup in lookups)


def _before(old: str, lookups: Sequence[Lookup]) -> str:
    """Return a list that asks these first, and then has what it had."""
    for lookup in lookups:
        old = _ours(lookup).sub("", old)
    rest = re.sub(r",[\s,]+", ", ", old).strip(", ")
    return ", ".join(filter(None, [*map(str, lookups), rest]))


def _ours(lookup: Lookup) -> re.Pattern[str]:
    return re.compile(
        rf"{lookup.check}[\s,{{]+(?P<proxy>proxy:)?sqlite:{re.escape(str(lookup.path))}"
        r"(?![\w./-])"
    )
