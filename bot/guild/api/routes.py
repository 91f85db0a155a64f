"""The routes: method, path as Discord's description writes it, what serves it, its limit."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from bot.guild import limits
from bot.guild.answers import Answers
from bot.guild.api.channels import Channels
from bot.guild.api.commands import CommandsApi
from bot.guild.api.guilds import Guilds
from bot.guild.api.messages import Messages
from bot.guild.limits import Limit
from bot.guild.values import Answer, Request

Handler: TypeAlias = Callable[[Request], Awaitable[Answer]]
_PARAMETER = re.compile(r"\{(\w+)\}")
_SNOWFLAKES = re.compile(r"_id$")


@dataclass(frozen=True, slots=True)
class Route:
    """One endpoint. One without ``limit`` has none of its own and no part in the global one."""

    method: str
    path: str
    handler: Handler
    limit: Limit | None
    needs_token: bool = True

    def match(self, path: str) -> dict[str, str] | None:
        """Return the parameters of a path, None when it is another's."""
        found = self.pattern().fullmatch(path)
        return found.groupdict() if found else None

    def pattern(self) -> re.Pattern[str]:
        """Return the expression for this route's paths."""
        return re.compile(_PARAMETER.sub(lambda m: f"(?P<{m[1]}>{_shape(m[1])})", self.path))


def _shape(name: str) -> str:
    return r"(?:0|[1-9]\d{0,19})" if name.endswith("_id") else r"[\w.-]+"


def routes(
    guilds: Guilds,
    channels: Channels,
    messages: Messages,
    commands: CommandsApi,
    answers: Answers,
) -> list[Route]:
    """Return every route."""
    channel = "/channels/{channel_id}"
    message = channel + "/messages/{message_id}"
    guild = "/guilds/{guild_id}"
    command = "/applications/{application_id}/guilds/{guild_id}/commands"
    webhook = "/webhooks/{webhook_id}/{webhook_token}"
    original, follow_up = webhook + "/messages/@original", webhook + "/messages/{message_id}"
    read = limits.READ
    table: list[tuple[str, str, Handler, Limit]] = [
        ("GET", "/gateway", guilds.gateway, read),
        ("GET", "/gateway/bot", guilds.gateway_bot, read),
        ("GET", "/users/@me", guilds.me, read),
        ("GET", "/applications/@me", guilds.application, read),
        ("GET", "/oauth2/applications/@me", guilds.application, read),
        ("GET", guild, guilds.guild, read),
        ("GET", guild + "/roles", guilds.roles, read),
        ("GET", guild + "/channels", guilds.channels, read),
        ("GET", guild + "/members/{user_id}", guilds.member, read),
        ("GET", guild + "/threads/active", guilds.active_threads, read),
        ("GET", command, commands.listed, read),
        ("PUT", command, commands.replace, limits.COMMANDS),
        ("POST", command, commands.create, limits.COMMANDS),
        ("GET", command + "/{command_id}", commands.get, read),
        ("PATCH", command + "/{command_id}", commands.edit, limits.COMMANDS),
        ("DELETE", command + "/{command_id}", commands.delete, limits.COMMANDS),
        ("GET", channel, channels.get, read),
        ("PATCH", channel, channels.edit, limits.EDIT_CHANNEL),
        ("DELETE", channel, channels.delete, limits.EDIT_CHANNEL),
        ("POST", channel + "/typing", channels.typing, limits.POST_MESSAGE),
        ("PUT", channel + "/thread-members/@me", channels.join_thread, limits.EDIT_CHANNEL),
        ("GET", channel + "/messages", messages.listed, read),
        ("POST", channel + "/messages", messages.create, limits.POST_MESSAGE),
        ("GET", channel + "/messages/pins", messages.pins, read),
        ("PUT", channel + "/messages/pins/{message_id}", messages.pin, limits.PIN),
        ("DELETE", channel + "/messages/pins/{message_id}", messages.unpin, limits.PIN),
        ("GET", channel + "/pins", messages.old_pins, read),
        ("PUT", channel + "/pins/{message_id}", messages.pin, limits.PIN),
        ("DELETE", channel + "/pins/{message_id}", messages.unpin, limits.PIN),
        ("GET", message, messages.get, read),
        ("PATCH", message, messages.edit, limits.EDIT_MESSAGE),
        ("DELETE", message, messages.delete, limits.DELETE_MESSAGE),
        ("POST", message + "/threads", channels.start_thread, limits.POST_MESSAGE),
    ]
    made = [Route(*row) for row in table]
    made.append(
        Route(
            "POST",
            "/interactions/{interaction_id}/{interaction_token}/callback",
            answers.callback,
            None,
            needs_token=False,
        )
    )
    by_token: list[tuple[str, str, Handler]] = [
        ("POST", webhook, answers.follow_up),
        ("GET", original, answers.get),
        ("PATCH", original, answers.edit),
        ("DELETE", original, answers.delete),
        ("GET", follow_up, answers.get),
        ("PATCH", follow_up, answers.edit),
        ("DELETE", follow_up, answers.delete),
    ]
    made += [Route(*row, limits.WEBHOOK, needs_token=False) for row in by_token]
    return made
