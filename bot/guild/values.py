"""The values a local guild is set up with and hands out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bot.guild.permissions import BOT_PERMISSIONS, NO_PERMISSION, Permission
from bot.local.values import JsonObject


@dataclass(frozen=True, slots=True)
class GuildMember:
    """A person in the guild. ``id`` is a snowflake, ``name`` the user name, ``roles`` names.

    ``locale`` is the language that they have Discord in ("Locales" of the reference).
    """

    id: str
    name: str
    display: str = ""
    roles: tuple[str, ...] = ()
    locale: str = "en-US"

    @property
    def shown(self) -> str:
        """The name others see."""
        return self.display or self.name


@dataclass(frozen=True, slots=True)
class Role:
    """A role to set up; ``permissions`` come on top of what everyone may."""

    name: str
    permissions: Permission = NO_PERMISSION
    color: int = 0


@dataclass(frozen=True, slots=True)
class ChannelSpec:
    """A text channel to set up.

    ``roles`` are the names of the roles that see it, None means everyone. A channel hidden from
    the bot answers it "Missing Access".
    """

    name: str
    topic: str = ""
    roles: tuple[str, ...] | None = None
    bot_sees: bool = True


@dataclass(frozen=True, slots=True)
class Call:
    """One recorded call of the HTTP API.

    ``path`` is the template, as Discord's description writes it; ``parameters`` are what stood in
    it, an interaction's token left out. ``request`` is the JSON sent, None for none; ``files`` the
    names of the files sent with it. ``answer`` is the JSON answered, None for none. ``at`` is
    seconds since the Unix epoch by the guild's clock.
    """

    method: str
    path: str
    parameters: Mapping[str, str]
    query: Mapping[str, str]
    request: Any
    files: tuple[str, ...]
    status: int
    answer: Any
    at: float


class ApiError(Exception):
    """An error answer: HTTP status, Discord's JSON error code, its message, and form errors.

    ``retry_after`` is in seconds, with status 429.
    """

    def __init__(
        self,
        status: int,
        code: int,
        message: str,
        errors: JsonObject | None = None,
        *,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.errors = errors
        self.retry_after = retry_after

    def answer(self) -> JsonObject:
        """Return the body Discord answers with."""
        body: JsonObject = {"message": self.message, "code": self.code}
        if self.errors:
            body["errors"] = self.errors
        if self.retry_after is not None:
            body |= {"retry_after": self.retry_after, "global": False}
        return body


#: What a client says of a component that its message no longer has.
NO_SUCH_COMPONENT = "There is no such component."


class Refused(Exception):
    """A client wouldn't let one do that. ``args[0]`` is the sentence it says."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much the guild keeps in memory; the oldest goes first."""

    journal: int = 20_000
    messages_per_channel: int = 5_000
    threads: int = 1_000
    ephemerals_per_member: int = 200
    interactions: int = 5_000
    files: int = 200
    file_bytes: int = 10 * 1024 * 1024
    events_per_session: int = 1_000
    sessions: int = 8


@dataclass(frozen=True, slots=True)
class GuildIdentity:
    """Who the guild and the app in it are. The ids are made up, in the shape of snowflakes."""

    name: str = "Local guild"
    app_name: str = "Spoolwarden"
    guild_id: str = "1100000000000000001"
    application_id: str = "1100000000000000002"
    bot_role_id: str = "1100000000000000003"
    owner_id: str = "1100000000000000004"
    bot_permissions: Permission = BOT_PERMISSIONS
    privileged_intents: int = 0


@dataclass(frozen=True, slots=True)
class Credentials:
    """The secrets of one guild. Random unless given."""

    bot_token: str
    page_token: str


@dataclass(slots=True)
class Upload:
    """A file that came with a request."""

    filename: str
    data: bytes
    content_type: str


@dataclass(slots=True)
class Request:
    """One call, read: what its path, query, JSON and files say."""

    method: str
    path: str
    parameters: Mapping[str, str]
    query: Mapping[str, str]
    body: Any = None
    files: Mapping[int, Upload] = field(default_factory=dict)

    def flag(self, name: str) -> bool:
        """Tell whether a query parameter says yes."""
        return self.query.get(name, "").lower() in {"1", "true"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call is answered with; a body of None is an empty answer."""

    status: int = 204
    body: Any = None
