"""The local chats there are, by the name their settings have: for the demo, drill and tests."""

from collections.abc import Callable, Mapping, Sequence

from bot.hands import CommandHint, Person, Room
from bot.workspace.room import WorkspaceRoom

_Make = Callable[[Sequence[Person], str, CommandHint], Room]
ROOMS: Mapping[str, _Make] = {"slack": WorkspaceRoom}
DEFAULT_CHATS = ("slack",)
