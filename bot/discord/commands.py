"""The slash command, generated from the table: /spool and a subcommand for each typed row.

Discord's "Application Commands": names of 1-32 lower-case characters, descriptions of
1-100, at most 25 subcommands, 25 options, 25 choices. discord.py checks names and
descriptions as the group is made; a test holds the numbers.
"""

import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Union

import discord
from discord import app_commands

from bot.arguments import Argument
from bot.commands import COMMAND, COMMANDS, Command

#: The name of the group: what stands before a subcommand.
GROUP = COMMAND.removeprefix("/")
_LONGEST = 100
# What discord.py says of every command, and Discord keeps of those of no one server alone
# ("Application Command Structure": only for globally-scoped commands).
_ELSEWHERE = frozenset({"dm_permission", "contexts", "integration_types"})

#: Answers one subcommand: its row's name, and what was given by argument.
Chosen = Callable[[discord.Interaction, str, dict[str, str]], Awaitable[None]]
#: Suggests values: the row's name, what was given so far, and the argument being typed.
Suggested = Callable[[discord.Interaction, str, dict[str, str], str], Awaitable[Sequence[str]]]


def group(chosen: Chosen, suggested: Suggested) -> app_commands.Group:
    """Return the group, hidden from everybody until an administrator of the server shows it.

    Who may use what is decided by the bot's own roles all the same.
    """
    made = app_commands.Group(
        name=GROUP,
        description=_cut(COMMANDS["dashboard"].summary),
        default_permissions=discord.Permissions.none(),
        guild_only=True,
    )
    for row in COMMANDS.values():
        if row.slash:
            made.add_command(_subcommand(row, chosen, suggested))
    return made


def payload(made: app_commands.Group, tree: "app_commands.CommandTree[Any]") -> dict[str, Any]:
    """Return the group as it is registered ("Application Command Structure")."""
    made_of: dict[str, Any] = _plain(made.to_dict(tree))
    return made_of


def manifest() -> dict[str, Any]:
    """Return what manifest/discord.json holds."""

    async def chosen(*_: object) -> None:
        raise NotImplementedError

    async def suggested(*_: object) -> Sequence[str]:
        raise NotImplementedError

    client = discord.Client(intents=discord.Intents(guilds=True))
    return payload(group(chosen, suggested), app_commands.CommandTree(client))


def is_registered(wanted: Any, there: Any) -> bool:
    """Tell whether what is there says all that is wanted; Discord adds fields of its own.

    A command that is registered without need is another version of it, and whose client knows the
    one before is told that the command is outdated.
    """
    if wanted is None:
        return True  # whatever Discord does of itself
    if isinstance(wanted, dict):
        return isinstance(there, dict) and all(
            is_registered(value, there.get(key))
            for key, value in wanted.items()
            if key not in _ELSEWHERE
        )
    if isinstance(wanted, list):
        if not wanted and there is None:
            return True
        return (
            isinstance(there, list)
            and len(wanted) == len(there)
            and all(map(is_registered, wanted, there))
        )
    # Discord leaves out what is as by default, and gives permissions back as text.
    return there in (wanted, str(wanted)) or (there is None and wanted is False)


def _subcommand(
    row: Command, chosen: Chosen, suggested: Suggested
) -> app_commands.Command[Any, ..., None]:
    async def run(interaction: discord.Interaction, **given: Any) -> None:
        await chosen(interaction, row.name, _told(given))

    # discord.py reads the options off a signature, so this one is written down for it.
    run.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter("interaction", inspect.Parameter.POSITIONAL_OR_KEYWORD),
            *(_parameter(argument) for argument in _required_first(row)),
        ]
    )
    names = {_python(argument): argument for argument in row.takes}
    if names:
        app_commands.rename(**{name: argument.typed for name, argument in names.items()})(run)
        app_commands.describe(**{n: _cut(argument.means) for n, argument in names.items()})(run)
    if choices := {
        name: [app_commands.Choice(name=choice, value=choice) for choice in argument.choices]
        for name, argument in names.items()
        if argument.choices
    }:
        app_commands.choices(**choices)(run)
    if lists := {
        name: _completer(row.name, argument, suggested)
        for name, argument in names.items()
        if argument.known is not None
    }:
        app_commands.autocomplete(**lists)(run)
    return app_commands.Command(name=row.name, description=_cut(row.summary), callback=run)


def _completer(name: str, argument: Argument, suggested: Suggested) -> Any:
    async def complete(
        interaction: discord.Interaction, current: str
    ) -> list[app_commands.Choice[str]]:
        # Not dict(): whatever it is asked for and has not, a namespace says is None.
        so_far = {option: value for option, value in interaction.namespace}  # noqa: C416
        given = _told(so_far) | {argument.typed: current}
        found = await suggested(interaction, name, given, argument.typed)
        return [app_commands.Choice(name=value, value=value) for value in found if _fits(value)]

    return complete


def _parameter(argument: Argument) -> inspect.Parameter:
    kind: Any = app_commands.Range[int, 1, 100_000] if argument.number else str
    return inspect.Parameter(
        _python(argument),
        inspect.Parameter.KEYWORD_ONLY,
        default=inspect.Parameter.empty if argument.required else None,
        annotation=kind if argument.required else Union[kind, None],  # noqa: UP007 - made at run time
    )


def _python(argument: Argument) -> str:
    """Return a name that Python takes for a parameter: "for" is none."""
    return f"{argument.typed}_"


def _required_first(row: Command) -> list[Argument]:
    return sorted(row.takes, key=lambda argument: not argument.required)


def _told(given: dict[str, Any]) -> dict[str, str]:
    return {
        name.removesuffix("_"): str(value) for name, value in given.items() if value is not None
    }


def _fits(value: str) -> bool:
    """A choice holds 1-100 characters; a longer one can still be typed."""
    return 0 < len(value) <= _LONGEST


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _plain(value: Any) -> Any:
    """Return JSON's own types: discord.py's enums are numbers of its own."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.value if hasattr(value, "value") else value
