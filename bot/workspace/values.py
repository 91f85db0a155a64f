"""The values a local workspace is set up with and hands out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bot.local.values import JsonObject as JsonObject


@dataclass(frozen=True, slots=True)
class Member:
    """A person in the workspace. ``id`` starts with U or W; ``name`` is the short user name.

    ``locale`` is the language that they chose, an IETF code ("users.info": include_locale).
    """

    id: str
    name: str
    real_name: str
    title: str = ""
    locale: str = "en-US"


@dataclass(frozen=True, slots=True)
class ChannelSpec:
    """A channel to set up.

    ``members`` are user ids; None means every person. A private channel that the bot isn't in
    does not exist for the bot (``channel_not_found``); a public one does (``not_in_channel``).
    """

    name: str
    private: bool = False
    bot_is_member: bool = True
    members: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class SlashCommand:
    """A slash command the app registered, as its manifest says it."""

    command: str
    description: str
    usage_hint: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """One recorded call of the Web API, of a response URL, or one payload in an acknowledgement.

    ``method`` is the Web API method name, ``response_url`` or ``ack:<payload type>``. ``arguments``
    are without the token. ``at`` is seconds since the Unix epoch by the workspace's clock.
    """

    method: str
    arguments: JsonObject
    http_status: int
    answer: JsonObject
    at: float


class ApiError(Exception):
    """An error answer of the Web API: Slack's error code, and what else stands in the answer."""

    def __init__(
        self,
        code: str,
        messages: tuple[str, ...] = (),
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(code, *messages)
        self.code = code
        self.messages = messages
        self.extra = dict(extra or {})

    def answer(self) -> JsonObject:
        """Return the body Slack answers with."""
        body: JsonObject = {"ok": False, "error": self.code, **self.extra}
        if self.messages:
            body["response_metadata"] = {"messages": [f"[ERROR] {m}" for m in self.messages]}
        return body


BOT_SCOPES = frozenset(
    {
        "channels:history",
        "channels:join",
        "channels:read",
        "chat:write",
        "commands",
        "files:write",
        "groups:history",
        "groups:read",
        "im:write",
        "pins:write",
        "usergroups:read",
        "users:read",
    }
)
"""Every bot scope a method here can ask for; the default grant of a workspace."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much the workspace keeps in memory; the oldest goes first."""

    journal: int = 20_000
    messages_per_channel: int = 5_000
    ephemerals_per_member: int = 200
    files: int = 200
    file_bytes: int = 32 * 1024 * 1024
    file_seconds: float = 0.3
    """How long an uploaded file is processed before blocks may show it."""


@dataclass(frozen=True, slots=True)
class AppIdentity:
    """Who the installed app is. The ids are made up; their first letters are Slack's."""

    name: str = "Spoolwarden"
    team_name: str = "Local workspace"
    team_domain: str = "local-workspace"
    team_id: str = "T0LOCAL00"
    app_id: str = "A0LOCAL00"
    bot_id: str = "B0LOCAL00"
    bot_user: str = "U0BOT0000"


@dataclass(frozen=True, slots=True)
class Credentials:
    """The secrets of one workspace. Random unless given."""

    bot_token: str
    app_token: str
    signing_secret: str
    page_token: str
    verification_token: str = field(default="local-verification-token")
