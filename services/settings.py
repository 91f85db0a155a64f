"""All settings, typed, from one TOML file and SPOOLWARDEN_* environment variables.

A name in the environment wins over the file. Nested names are joined by two
underscores: SPOOLWARDEN_SLACK__BOT_TOKEN is bot_token in the [slack] table.
Secrets may stand in files of their own: see services/secrets.py.
"""

import os
import tomllib
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    IPvAnyAddress,
    ModelWrapValidatorHandler,
    SecretStr,
    Tag,
    ValidationError,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from services.dnsbl import split_server
from services.errors import ConfigError
from services.language import LANGUAGES
from services.mail.domains import as_domain
from services.mail.port import Network
from services.secrets import FromFiles, MayBeInFile, in_file, with_credentials


def _address(text: str) -> str:
    if "@" not in text:
        raise ValueError("not a mail address")  # its text may be a password in the wrong place
    return text.lower()


def _network(value: object) -> object:
    return ip_network(value, strict=False) if isinstance(value, str) else value


_SERVER_NAME = r"^[a-z0-9][a-z0-9-]{0,30}$"
Address = Annotated[str, AfterValidator(_address)]
Domain = Annotated[str, AfterValidator(as_domain)]
AnyNetwork = Annotated[Network, BeforeValidator(_network)]


class _Table(FromFiles):
    # A misspelt setting is an error, not a silent default.
    model_config = ConfigDict(extra="forbid", frozen=True)


class SlackSettings(_Table):
    """How to reach Slack. Socket Mode needs app_token; HTTP needs signing_secret."""

    bot_token: SecretStr
    channel: str = Field(description="the channel's id, such as C0123456789")
    mode: Literal["socket", "http"] = "socket"
    app_token: SecretStr | None = None
    signing_secret: SecretStr | None = None
    http_host: str = "127.0.0.1"
    http_port: int = Field(default=3000, ge=0, le=65535)
    api_url: str = "https://slack.com/api/"

    @model_validator(mode="after")
    def _has_its_secret(self) -> "SlackSettings":
        if self.mode == "socket" and self.app_token is None:
            raise ValueError("Socket Mode needs app_token (xapp-…)")
        if self.mode == "http" and self.signing_secret is None:
            raise ValueError("HTTP mode needs signing_secret")
        return self


class DiscordSettings(_Table):
    """How to reach Discord. Its two addresses differ for a local server only."""

    bot_token: SecretStr
    channel: str = Field(pattern=r"^[0-9]{1,20}$", description="the id of the alerts' channel")
    api_url: str = "https://discord.com/api/v10"
    gateway_url: str = "wss://gateway.discord.gg/"


class EmbeddedUser(_Table):
    """A mailbox to make on the embedded server when it has none of that name."""

    address: Address
    password: SecretStr


class EmbeddedServerSettings(_Table):
    """The built-in mail server."""

    kind: Literal["embedded"] = "embedded"
    name: str = Field(default="mail", pattern=_SERVER_NAME)
    database: Path = Path("mail.db")
    host: str = "127.0.0.1"
    port: int = Field(default=2525, ge=0, le=65535)
    hostname: str = "localhost"
    domains: tuple[str, ...] = ()
    users: tuple[EmbeddedUser, ...] = ()
    relay: str | None = Field(
        default=None,
        pattern=r"^[^\s:]+:\d{1,5}$",
        description="host:port that takes outgoing mail",
    )
    proxy_protocol: bool = False
    tls_certificate: Path | None = None
    tls_key: Path | None = None

    @property
    def relay_address(self) -> tuple[str, int] | None:
        """The relay's host and port."""
        if self.relay is None:
            return None
        host, _, port = self.relay.rpartition(":")
        return host, int(port)


class LoginsSettings(_Table):
    """A SQL database of logins. What each is for: services/mail/postfix/sqllogins.py."""

    url: SecretStr
    find: str
    set_password: str | None = None
    delete: str | None = None
    scheme: Literal["plain", "sha512-crypt", "argon2id"] | None = None
    scheme_prefix: bool = Field(default=False, description="Dovecot's {SHA512-CRYPT} in front")
    timeout: float = Field(default=10, gt=0, description="seconds for one look-up or change")


class PostfixServerSettings(_Table):
    """A Postfix, here or where ssh says. What each is for: services/mail/postfix/config.py."""

    kind: Literal["postfix"]
    name: str = Field(default="mail", pattern=_SERVER_NAME)
    state_directory: Path
    config_directory: Path = Path("/etc/postfix")
    command_directory: Path = Path("/usr/sbin")
    log: Path = Path("/var/log/mail.log")
    syslog_name: str = "postfix"
    log_zone: str | None = None
    history_days: float = Field(default=7, gt=0, description="how far back the first reading goes")
    prefix: tuple[str, ...] = Field(default=(), description='before commands: ["sudo", "-n"]')
    sasldb: Path | None = None
    realm: str | None = None
    user_maps: tuple[str, ...] = ()
    timeout: float = Field(default=60, gt=0, description="seconds for each command")
    logins: LoginsSettings | None = None
    ssh: str | None = Field(default=None, description="user@host[:port], for one elsewhere")
    ssh_key: Path | None = None
    ssh_known_hosts: Path | None = None
    notes_directory: Path | None = None


class SmarterMailServerSettings(_Table):
    """A SmarterMail. What each is for: services/mail/smartermail/config.py."""

    kind: Literal["smartermail"]
    name: str = Field(default="mail", pattern=_SERVER_NAME)
    url: str
    username: str
    password: SecretStr
    ca_certificate: Path | None = None
    time_zone: str = "UTC"
    timeout: float = Field(default=20, gt=0, description="seconds for one call")
    history_days: float = Field(default=1, gt=0, description="how far back the first reading goes")
    own_networks: tuple[AnyNetwork, ...] = ()


def _kind(value: object) -> str:
    kind = value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)
    return str(kind or "embedded")


MailServerSettings = Annotated[
    Annotated[EmbeddedServerSettings, Tag("embedded")]
    | Annotated[PostfixServerSettings, Tag("postfix")]
    | Annotated[SmarterMailServerSettings, Tag("smartermail")],
    Discriminator(
        _kind,
        custom_error_type="unknown_kind",
        custom_error_message="kind is “embedded”, “postfix” or “smartermail”",
    ),
]


class AccessSettings(_Table):
    """Who may do what: user ids, or "group:ID" for a user group. Nobody else may do anything."""

    viewers: tuple[str, ...] = ()
    operators: tuple[str, ...] = ()
    admins: tuple[str, ...] = ()
    remedies: dict[str, Literal["viewer", "operator", "admin"]] = Field(
        default={}, description="the least role for a remedy, where it is to be another"
    )
    domains: dict[str, Annotated[tuple[Domain, ...], Field(min_length=1)]] = Field(
        default={}, description="who of those above has the role for senders of these domains only"
    )

    @model_validator(mode="after")
    def _limits_somebody(self) -> "AccessSettings":
        # A misspelt entry would leave its role without the limit.
        known = {*self.viewers, *self.operators, *self.admins}
        if unknown := [entry for entry in self.domains if entry not in known]:
            raise ValueError(
                f"domains names {unknown[0]!r}, which is not in viewers, operators or admins"
            )
        return self


class ApprovalSettings(_Table):
    """When a second person must say yes first. The one who asked cannot be that person."""

    remedies: tuple[str, ...] = Field(default=(), description="these always")
    permanent_above: int = Field(
        default=1000, ge=0, description="deleting more messages than this for good"
    )
    widest_v4: int = Field(default=24, ge=0, le=32, description="blocking wider networks")
    widest_v6: int = Field(default=64, ge=0, le=128)
    delete_account: bool = Field(default=True, description="deleting an account")
    minutes: float = Field(default=60, gt=0, description="how long it can be approved")
    same_person: tuple[tuple[str, ...], ...] = Field(
        default=(), description="user ids of one person in several chats"
    )


class DetectionSettings(_Table):
    """When the channel is told."""

    poll_seconds: float = Field(default=10, gt=0, le=20)
    min_messages: int = Field(
        default=40,
        ge=1,
        description="fewer in a day never alert, but to ten times as many recipients",
    )
    min_messages_spread: int = Field(
        default=6,
        ge=1,
        description="the same, when sent from networks new to the sender, or three or more",
    )
    tracked_senders: int = Field(
        default=20_000, ge=100, description="senders kept in memory; others wait in the database"
    )
    habit_days: int = Field(default=28, ge=1)
    asn_database: Path | None = Field(
        default=None, description="a MaxMind DB file that says whose network an address is in"
    )
    country_database: Path | None = Field(default=None, description="the same, for the country")
    quiet_minutes: float = Field(default=30, gt=0, description="close an incident after this")
    picture: bool = Field(default=True, description="draw a picture on each alert")
    silent_minutes: float = Field(
        default=2, gt=0, description="tell the channel of a server not watched for this long"
    )


class ContainmentSettings(_Table):
    """What the bot does by itself about an account that it is sure of. Nothing, unless enabled."""

    enabled: bool = False
    confidence: float = Field(
        default=99, ge=50, lt=100, description="percent; what a score is: detection/confidence.py"
    )
    accounts_an_hour: int = Field(default=3, ge=1, description="so many at most")
    bulk_a_day: int = Field(
        default=200, ge=1, description="who sent as many on a day when nothing was wrong is left"
    )
    disable: bool = Field(default=False, description="disable the account for sending, too")
    dry_run: bool = Field(default=False, description="only say what would have been done")


class SafetySettings(_Table):
    """What is never touched, and how long things can be taken back."""

    protected_accounts: tuple[Address, ...] = ()
    trusted_networks: tuple[AnyNetwork, ...] = ()
    blockable_private_networks: tuple[AnyNetwork, ...] = ()
    deleted_kept_days: int = Field(default=7, ge=1)
    form_minutes: float = Field(default=15, gt=0, description="how long a form can be confirmed")
    copies_folder: Path | None = Field(
        default=None, description="where a mailbox is copied to before it is deleted"
    )


class PasswordsSettings(_Table):
    """How a new password reaches its owner: by default it is shown to who had it made."""

    command: tuple[str, ...] = Field(
        default=(), description="gets the account and its new password, a line each, on stdin"
    )
    timeout: float = Field(default=30, gt=0, le=120, description="seconds for the command")


def _name_server(text: str) -> str:
    split_server(text)
    return text


class DnsblSettings(_Table):
    """Which DNS block lists are asked about the servers' own addresses; by default none."""

    zones: tuple[Domain, ...] = Field(default=(), max_length=20)
    addresses: dict[str, tuple[IPvAnyAddress, ...]] = Field(
        default={}, description="by server, those that it cannot know: behind a router"
    )
    nameserver: Annotated[str, AfterValidator(_name_server)] | None = Field(
        default=None, description="address or address:port; default: the system's"
    )
    hours: float = Field(default=1, ge=0.25, description="how often each is asked")
    timeout: float = Field(default=5, gt=0, le=30, description="seconds for one answer")


WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def _time(value: object) -> object:
    if not isinstance(value, str):
        return value
    hour, colon, minute = value.strip().partition(":")
    if not (colon and hour.isdecimal() and minute.isdecimal() and len(minute) == 2):
        raise ValueError('a time is written like "08:00"')
    if not (int(hour) < 24 and int(minute) < 60):
        raise ValueError("there is no such time of day")
    return int(hour), int(minute)


def _day_and_time(value: object) -> object:
    if not isinstance(value, str):
        return value
    day, _, time = value.strip().lower().partition(" ")
    if day not in WEEKDAYS:
        raise ValueError('a day and a time are written like "mon 08:00"')
    return day, _time(time)


def _language(value: str) -> str:
    if value not in LANGUAGES:
        raise ValueError(f"none of the languages that there are: {', '.join(LANGUAGES)}")
    return value


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError('no time zone, such as "Europe/Zurich"') from None
    return name


DayTime = tuple[int, int]


class DigestSettings(_Table):
    """When the channel gets a summary; by default never."""

    daily: Annotated[DayTime, BeforeValidator(_time)] | None = None
    weekly: Annotated[tuple[str, DayTime], BeforeValidator(_day_and_time)] | None = None
    time_zone: Annotated[str, AfterValidator(_zone)] = "UTC"


class AuditSettings(_Table):
    """How the audit log is sealed, told of, and kept. What each is for: services/audit/."""

    key: SecretStr | None = None
    old_key_files: tuple[Path, ...] = ()
    anchor_hours: float = Field(default=24, ge=0, description="0: never")
    keep_days: int | None = Field(default=None, ge=1, description="default: for ever")
    archive_folder: Path | None = None

    @model_validator(mode="after")
    def _goes_together(self) -> "AuditSettings":
        if self.keep_days is not None and self.archive_folder is None:
            raise ValueError("keep_days needs archive_folder, where older entries are moved to")
        return self


class OperationsSettings(_Table):
    """How the bot is run: what it tells a monitoring system, how it logs and stops."""

    listen: str | None = Field(
        default=None,
        pattern=r"^[^\s]+:\d{1,5}$",
        description="host:port for /healthz, /readyz and /metrics",
    )
    log: Literal["text", "json"] = "text"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    stop_seconds: float = Field(
        default=20, gt=0, le=600, description="how long a stop waits for acts under way"
    )

    @property
    def address(self) -> tuple[str, int] | None:
        """The host and port to listen on."""
        if self.listen is None:
            return None
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)


class Settings(FromFiles, BaseSettings):
    """Everything that can be set."""

    model_config = SettingsConfigDict(
        env_prefix="SPOOLWARDEN_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    database: Annotated[str, MayBeInFile] = "sqlite:///spoolwarden.db"
    #: What the bot says, in chat and in its log, is in this language.
    language: Annotated[str, AfterValidator(_language)] = "en"
    slack: SlackSettings | None = None
    discord: DiscordSettings | None = None
    mail_server: tuple[MailServerSettings, ...] = Field(min_length=1)
    access: AccessSettings = AccessSettings()
    detection: DetectionSettings = DetectionSettings()
    safety: SafetySettings = SafetySettings()
    containment: ContainmentSettings = ContainmentSettings()
    approval: ApprovalSettings = ApprovalSettings()
    passwords: PasswordsSettings = PasswordsSettings()
    dnsbl: DnsblSettings = DnsblSettings()
    digest: DigestSettings = DigestSettings()
    audit: AuditSettings = AuditSettings()
    operations: OperationsSettings = OperationsSettings()

    @model_validator(mode="after")
    def _names_differ(self) -> "Settings":
        names = [server.name for server in self.mail_server]
        if len(set(names)) < len(names):
            raise ValueError("two mail servers have the same name")
        if unknown := sorted(self.dnsbl.addresses.keys() - set(names)):
            raise ValueError(
                "dnsbl.addresses names a mail server that there is none of: " + ", ".join(unknown)
            )
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over the file, which arrives as init values."""
        assert isinstance(init_settings, InitSettingsSource)  # noqa: S101 - narrows the type
        return env_settings, InitSettingsSource(settings_cls, _top_files()), init_settings


def _top_files() -> dict[str, Any]:
    """Return the paths of secrets' files in the environment that belong to no table."""
    names = {f"SPOOLWARDEN_{in_file(name).upper()}": in_file(name) for name in ("database",)}
    return {ours: os.environ[name] for name, ours in names.items() if name in os.environ}


class _Loaded(Settings):
    """The settings of a bot that runs: systemd may hand it its secrets."""

    @model_validator(mode="wrap")
    @classmethod
    def _credentials(cls, values: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        # Around _read_files(), which reads what this adds to the outermost table.
        if folder := os.environ.get("CREDENTIALS_DIRECTORY"):
            values = with_credentials(Settings, values, Path(folder))
        return handler(values)


class _Fixed(Settings):
    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


def fixed(**values: Any) -> Settings:
    """Return settings made of these values alone: a demo must not read a real token.

    Raises pydantic's ValidationError.
    """
    return _Fixed(**values)


def load(file: Path | None) -> Settings:
    """Read the settings. Raises ConfigError, naming each bad place, without any secret in it."""
    values: dict[str, Any] = {}
    if file is not None:
        try:
            values = tomllib.loads(file.read_text("utf-8"))
        except FileNotFoundError as error:
            raise ConfigError(f"There is no configuration file {file}.") from error
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{file} cannot be read: {error}.") from error
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(f"{file} is not valid TOML: {error}.") from error
    try:
        return _Loaded(**values)
    except SettingsError as error:
        # Its text names the variable, and never holds the value.
        raise ConfigError(
            f"The configuration is wrong: {error}. A list or a table in an environment "
            "variable is written as JSON."
        ) from None
    except ValidationError as error:
        where = "; ".join(
            f"{_place(fault['loc'])}: {fault['msg']}"
            for fault in error.errors(include_input=False, include_url=False)
        )
        raise ConfigError(f"The configuration is wrong: {where}.") from error


def _place(loc: tuple[int | str, ...]) -> str:
    """Return where a fault is, as in the file: a server's kind is not a part of its place."""
    parts = [part for n, part in enumerate(loc) if n != 2 or loc[0] != "mail_server"]
    return ".".join(str(part) for part in parts) or "settings"
