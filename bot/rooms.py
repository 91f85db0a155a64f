"""The local chats there are, by the name their settings have: for the demo, drill and tests."""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from services.errors import ConfigError

if TYPE_CHECKING:
    from bot.hands import CommandHint, Person, Room

#: Where each is made. Imported when it is wanted: help should not wait for a chat server.
ROOMS: Mapping[str, tuple[str, str]] = {
    "slack": ("bot.workspace.room", "WorkspaceRoom"),
    "discord": ("bot.guild.room", "GuildRoom"),
}
DEFAULT_CHATS = ("slack",)
#: The loggers of the client libraries that the chats use.
LIBRARIES = ("slack_sdk", "slack_bolt", "discord")


def make_room(
    chat: str, people: "Sequence[Person]", channel: str, command: "CommandHint"
) -> "Room":
    """Return a local chat, not yet started."""
    module, name = ROOMS[chat]
    make: Callable[[Sequence[Person], str, CommandHint], Room] = getattr(
        import_module(module), name
    )
    return make(people, channel, command)


def chats_named(word: str) -> tuple[str, ...]:
    """Return the chats that a word on the command line names. Raises ConfigError."""
    if word == "both":
        return tuple(ROOMS)
    if word not in ROOMS:
        raise ConfigError(f"There is no chat {word!r}: it is {', '.join(ROOMS)} or both.")
    return (word,)
