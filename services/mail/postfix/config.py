"""How a Postfix server is set up for the bot."""

import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from services.errors import ConfigError
from services.mail.postfix.blocks import BLOCK_FILE
from services.mail.postfix.sqllogins import LoginsConfig
from services.mail.postfix.target import Target

# What may stand in a sudoers line, a map's file and a log tag without being quoted.
_PLAIN_PATH = re.compile(r"/[A-Za-z0-9._/-]+\Z")
_SYSLOG_NAME = re.compile(r"[A-Za-z0-9._/-]{1,64}\Z")
_REALM = re.compile(r"[A-Za-z0-9.-]{1,253}\Z")
_MAP = re.compile(r"[a-z]+:[A-Za-z0-9._/:,-]+\Z")


@dataclass(frozen=True)
class PostfixConfig:
    """Everything one Postfix module is told. Raises ConfigError when a value cannot be.

    ``state_directory`` is the bot's own: it holds the index of the log, the quarantine
    notes, the block list and the database that Postfix asks (:mod:`.access`), so Postfix's
    user must be able to read it. ``log`` is the live mail log; rotated ones lie beside it.
    ``log_zone`` is the zone of traditional syslog stamps, which do not name one (None: this
    machine's). ``history`` is how far back the first reading goes. ``prefix`` comes before
    the commands that need rights, such as ``("sudo", "-n")``.

    Who is a user: a login in ``sasldb`` or the SQL database ``logins``, or a name that one of
    ``user_maps`` knows (looked up with ``postmap -q``; ``unix:passwd.byname`` is the system's
    accounts). With none, the bot cannot know, and takes each name for a user. ``realm`` is what
    Cyrus SASL adds to a login of ``sasldb`` without a domain (None: Postfix's
    ``smtpd_sasl_local_domain``, else its host name).

    A Postfix on another machine is named by ``ssh``, as ``user@host`` or ``user@host:port``.
    All paths are then ones there, but for these on the bot's machine: ``ssh_key`` (None: the
    keys in ``~/.ssh`` and those of an agent), ``ssh_known_hosts`` (None: the file of that name
    in ``~/.ssh``), and ``notes_directory``, for the index of the log, a copy of its newest
    part, and the quarantine notes (None: a folder named after the server, where the bot was
    started; without ``ssh``, the ``state_directory``).
    """

    name: str
    state_directory: Path
    config_directory: Path = Path("/etc/postfix")
    command_directory: Path = Path("/usr/sbin")
    log: Path = Path("/var/log/mail.log")
    syslog_name: str = "postfix"
    log_zone: str | None = None
    history: timedelta = timedelta(days=7)
    prefix: tuple[str, ...] = ()
    sasldb: Path | None = None
    realm: str | None = None
    user_maps: tuple[str, ...] = ()
    timeout: float = 60.0  # seconds for each command
    logins: LoginsConfig | None = None
    ssh: str | None = None
    ssh_key: Path | None = None
    ssh_known_hosts: Path | None = None
    notes_directory: Path | None = None

    def __post_init__(self) -> None:
        """Refuse what could never work, before anything is run."""
        for field in ("state_directory", "config_directory", "command_directory", "log"):
            self._must(_PLAIN_PATH, str(getattr(self, field)), f"{field} is an absolute path")
        if self.sasldb is not None:
            self._must(_PLAIN_PATH, str(self.sasldb), "sasldb is an absolute path")
        self._must(_SYSLOG_NAME, self.syslog_name, "syslog_name is Postfix's own")
        if self.realm is not None:
            self._must(_REALM, self.realm, "realm is a host name")
        for table in self.user_maps:
            self._must(_MAP, table, "each of user_maps is written as in main.cf, type:name")
        _ = self.target  # refuses what is none
        if self.timeout <= 0 or self.history <= timedelta(0):
            raise ConfigError(f"The mail server {self.name}: timeout and history are positive.")
        if self.log_zone is not None:
            try:
                ZoneInfo(self.log_zone)
            except (ZoneInfoNotFoundError, ValueError) as error:
                raise ConfigError(
                    f"The mail server {self.name}: there is no time zone {self.log_zone!r}."
                ) from error
        if self.logins is not None:
            if self.sasldb is not None:
                raise ConfigError(
                    f"The mail server {self.name}: logins are kept in sasldb or in the database "
                    "of logins; leave one of them out."
                )
            self.logins.must_be_usable(self.name)

    @property
    def block_file(self) -> Path:
        """The block list, as text."""
        return self.state_directory / BLOCK_FILE

    @property
    def notes(self) -> Path:
        """The folder of what only the bot reads, on its own machine."""
        if self.notes_directory is not None:
            return self.notes_directory
        return self.state_directory if self.ssh is None else Path(f"spoolwarden-{self.name}")

    @property
    def target(self) -> Target | None:
        """The machine that Postfix runs on, None for this one. Raises ConfigError."""
        if self.ssh is None:
            if self.ssh_key is not None or self.ssh_known_hosts is not None:
                raise ConfigError(
                    f"The mail server {self.name}: ssh_key and ssh_known_hosts say nothing "
                    "without ssh, the machine to connect to."
                )
            return None
        try:
            return Target.of(self.ssh, self.ssh_key, self.ssh_known_hosts)
        except ValueError as error:
            raise ConfigError(
                f"The mail server {self.name}: ssh is written user@host or user@host:port; "
                f"{self.ssh!r} is not."
            ) from error

    def _must(self, pattern: re.Pattern[str], text: str, rule: str) -> None:
        if not pattern.match(text):
            raise ConfigError(f"The mail server {self.name}: {rule}; {text!r} is not.")
