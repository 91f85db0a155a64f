"""Guild application commands: the "Application Commands" page's endpoints."""

from bot.guild import errors
from bot.guild.api.access import Access
from bot.guild.commands import Commands
from bot.guild.filling import without_nulls
from bot.guild.values import Answer, Request
from bot.local.values import JsonObject


class CommandsApi:
    """Registers, changes and lists the app's commands in the guild."""

    def __init__(self, access: Access, commands: Commands) -> None:
        self._access = access
        self._commands = commands

    def _ours(self, request: Request) -> None:
        if request.parameters["application_id"] != self._access.store.identity.application_id:
            raise errors.missing_access()
        if request.parameters["guild_id"] != self._access.store.identity.guild_id:
            raise errors.missing_access()

    async def listed(self, request: Request) -> Answer:
        """Serve "Get Guild Application Commands"."""
        self._ours(request)
        whole = request.flag("with_localizations")
        return Answer(200, [_form(c, whole) for c in self._commands.all()])

    async def replace(self, request: Request) -> Answer:
        """Serve "Bulk Overwrite Guild Application Commands"."""
        self._ours(request)
        return Answer(200, [_form(c, True) for c in self._commands.replace(request.body)])

    async def create(self, request: Request) -> Answer:
        """Serve "Create Guild Application Command"."""
        self._ours(request)
        made, is_new = self._commands.create(request.body)
        return Answer(201 if is_new else 200, _form(made, True))

    async def get(self, request: Request) -> Answer:
        """Serve "Get Guild Application Command"."""
        self._ours(request)
        return Answer(200, _form(self._commands.one(request.parameters["command_id"]), True))

    async def edit(self, request: Request) -> Answer:
        """Serve "Edit Guild Application Command"."""
        self._ours(request)
        made = self._commands.edit(request.parameters["command_id"], request.body)
        return Answer(200, _form(made, True))

    async def delete(self, request: Request) -> Answer:
        """Serve "Delete Guild Application Command"."""
        self._ours(request)
        self._commands.delete(request.parameters["command_id"])
        return Answer(204)


def _form(command: JsonObject, localizations: bool) -> JsonObject:
    form: JsonObject = without_nulls(command)
    form["default_member_permissions"] = command["default_member_permissions"]
    if not localizations:
        # "with_localizations": without it the full dictionaries are left out.
        _strip(form)
    return form


def _strip(part: JsonObject) -> None:
    part.pop("name_localizations", None)
    part.pop("description_localizations", None)
    for inner in [*(part.get("options") or []), *(part.get("choices") or [])]:
        _strip(inner)
