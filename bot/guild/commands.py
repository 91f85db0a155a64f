"""The application's commands in the guild."""

from collections.abc import Callable

from bot.guild import errors
from bot.guild.checks.commands import CHAT_COMMANDS, COMMAND, MENU_COMMANDS, check_all
from bot.guild.checks.grammar import check
from bot.guild.filling import without_nulls
from bot.guild.permissions import Permission
from bot.guild.store import Store
from bot.guild.things import Channel
from bot.guild.values import ApiError, Refused
from bot.local.values import JsonObject

# "Application Command Structure": only for globally-scoped commands, which none of these is.
_GLOBAL_ONLY = frozenset({"dm_permission", "contexts", "integration_types"})


class Commands:
    """Registers commands and says who may use which. ``on_change`` is told of every change."""

    def __init__(self, store: Store, on_change: Callable[[], None]) -> None:
        self._store = store
        self._on_change = on_change
        self._all: dict[str, JsonObject] = {}
        self._shown: set[str] = set()

    def all(self) -> list[JsonObject]:
        """Return the commands, oldest first."""
        return list(self._all.values())

    def one(self, command_id: str) -> JsonObject:
        """Return a command. Raises ApiError "Unknown application command"."""
        if command_id not in self._all:
            raise errors.unknown_command()
        return self._all[command_id]

    def replace(self, bodies: list[JsonObject]) -> list[JsonObject]:
        """Replace all commands ("Bulk Overwrite Guild Application Commands")."""
        check(check_all, bodies)
        made = [self._made(body, self._named(body)) for body in bodies]
        self._all = {c["id"]: c for c in made}
        self._on_change()
        return made

    def create(self, body: JsonObject) -> tuple[JsonObject, bool]:
        """Register a command; one of the same name and type gives way. Return whether it is new.

        Raises ApiError "Maximum number of application commands reached".
        """
        check(COMMAND, body)
        before = self._named(body)
        kind = body.get("type") or 1
        count = sum(c["type"] == kind for c in self._all.values())
        most = CHAT_COMMANDS if kind == 1 else MENU_COMMANDS
        if before is None and count >= most:
            message = f"Maximum number of application commands reached ({most})"
            raise ApiError(400, 30032, message)
        made = self._made(body, before)
        self._all[made["id"]] = made
        self._on_change()
        return made, before is None

    def edit(self, command_id: str, body: JsonObject) -> JsonObject:
        """Change a command ("Edit Guild Application Command")."""
        before = self.one(command_id)
        given = ("id", "application_id", "version", "guild_id")
        whole = {k: v for k, v in before.items() if k not in given} | body
        check(COMMAND, whole)
        self._all[command_id] = self._made(whole, before)
        self._on_change()
        return self._all[command_id]

    def delete(self, command_id: str) -> None:
        """Take a command away."""
        self.one(command_id)
        del self._all[command_id]
        self._on_change()

    def usable(self, user: str) -> list[JsonObject]:
        """Return the slash commands a member may use somewhere."""
        may = self._store.permissions(user)
        return [c for c in self._all.values() if c["type"] == 1 and self._permits(c, may)]

    def for_member(self, user: str, channel: Channel, name: str) -> JsonObject:
        """Return the slash command a member means. Raises Refused."""
        may = self._store.permissions(user, channel)
        for command in self._all.values():
            if command["name"] == name and command["type"] == 1:
                if not may & Permission.USE_APPLICATION_COMMANDS or not self._permits(command, may):
                    raise Refused(f"You may not use /{name} here.")
                return command
        raise Refused(f"There is no command /{name}.")

    def show(self, name: str) -> None:
        """Show a command to everybody ("Server Settings, Integrations", by an administrator)."""
        self._shown.add(name)
        self._on_change()

    def _permits(self, command: JsonObject, may: Permission) -> bool:
        # "default_member_permissions": all of them are needed; "0" leaves it to administrators.
        needed = command["default_member_permissions"]
        if needed is None or may & Permission.ADMINISTRATOR or command["name"] in self._shown:
            return True
        return int(needed) != 0 and int(may) & int(needed) == int(needed)

    def _named(self, body: JsonObject) -> JsonObject | None:
        wanted = (body["name"], body.get("type") or 1)
        return next((c for c in self._all.values() if (c["name"], c["type"]) == wanted), None)

    def _made(self, body: JsonObject, before: JsonObject | None) -> JsonObject:
        store = self._store
        allowed = body.get("default_member_permissions")
        kept = {name: value for name, value in body.items() if name not in _GLOBAL_ONLY}
        made: JsonObject = {
            **without_nulls(kept),
            "id": before["id"] if before else store.ids.next(),
            "application_id": store.identity.application_id,
            "guild_id": store.identity.guild_id,
            "type": body.get("type") or 1,
            "description": body.get("description") or "",
            "default_member_permissions": None if allowed is None else str(allowed),
            "nsfw": body.get("nsfw") or False,
            "version": "0",
        }
        # "Command Structure": version is "updated during substantial record changes".
        same = before is not None and {**before, "version": "0"} == made
        made["version"] = before["version"] if before and same else store.ids.next()
        return made
