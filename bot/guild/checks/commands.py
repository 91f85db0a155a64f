"""Application commands, as the "Application Commands" page limits them."""

import unicodedata
from typing import Any

from bot.guild.checks.grammar import (
    Path,
    Report,
    Rule,
    anything,
    array,
    boolean,
    by_type,
    integer,
    number,
    one_of,
    record,
    required,
    string,
    unique,
)
from bot.local.values import JsonObject

CHARACTERS = 8_000  # "... a total of 8000 characters" over names, descriptions and choice values
CHAT_COMMANDS = 100  # "... 100 global/guild chat input commands", and 15 of either menu
MENU_COMMANDS = 15
SUB_COMMAND, SUB_COMMAND_GROUP, STRING, INTEGER, BOOLEAN = 1, 2, 3, 4, 5
USER, CHANNEL, ROLE, MENTIONABLE, NUMBER, ATTACHMENT = 6, 7, 8, 9, 10, 11
_EXACT = 2**53
_PLAIN = (BOOLEAN, USER, CHANNEL, ROLE, MENTIONABLE, ATTACHMENT)


def _in_name(character: str) -> bool:
    # "Application Command Naming": ^[-_'\p{L}\p{N}\p{sc=Deva}\p{sc=Thai}]{1,32}$
    if character in "-_'" or unicodedata.category(character)[0] in "LN":
        return True
    return unicodedata.name(character, "").startswith(("DEVANAGARI", "THAI"))


def _slash_name(value: Any, path: Path, report: Report) -> None:
    before = len(report.faults)
    string(low=1, high=32)(value, path, report)
    if len(report.faults) > before:
        return
    # "... you must use the lowercase variant of any letters"
    if value != value.lower() or not all(map(_in_name, value)):
        message = "Command name is invalid"
        report.fault(path, "APPLICATION_COMMAND_INVALID_NAME", message)


_DESCRIPTION = string(low=1, high=100)
_LOCALIZATIONS: dict[str, Rule] = {
    "name_localizations": anything,
    "description_localizations": anything,
}
_BASE: dict[str, Rule] = {"name": _slash_name, "description": _DESCRIPTION}
_OPTIONAL: dict[str, Rule] = {**_LOCALIZATIONS, "required": boolean}


def _choices(value: Rule) -> Rule:
    choice = record(
        {"name": string(low=1, high=100), "value": value}, {"name_localizations": anything}
    )
    return array(choice, high=25)


def _suggested(value: Any, path: Path, report: Report) -> None:
    # "autocomplete may not be set to true if choices are present"
    if value.get("autocomplete") and value.get("choices"):
        message = "autocomplete and choices exclude each other"
        report.fault((*path, "choices"), "APPLICATION_COMMAND_CHOICES_AND_AUTOCOMPLETE", message)


def _ordered(low: str, high: str) -> Rule:
    def rule(value: Any, path: Path, report: Report) -> None:
        if None not in (value.get(low), value.get(high)) and value[low] > value[high]:
            message = f"{low} must be less than or equal to {high}"
            report.fault((*path, low), "APPLICATION_COMMAND_OPTION_BOUNDS", message)

    return rule


_WHOLE = integer(low=-_EXACT, high=_EXACT)
_VALUES: dict[int, Rule] = {
    **{kind: record({"type": one_of(kind), **_BASE}, _OPTIONAL) for kind in _PLAIN},
    CHANNEL: record(
        {"type": one_of(CHANNEL), **_BASE},
        {**_OPTIONAL, "channel_types": array(integer(low=0, high=16))},
    ),
    STRING: record(
        {"type": one_of(STRING), **_BASE},
        {
            **_OPTIONAL,
            "choices": _choices(string(high=100)),  # "up to 100 characters if string"
            "min_length": integer(low=0, high=6000),
            "max_length": integer(low=1, high=6000),
            "autocomplete": boolean,
        },
        _suggested,
        _ordered("min_length", "max_length"),
    ),
    INTEGER: record(
        {"type": one_of(INTEGER), **_BASE},
        {
            **_OPTIONAL,
            "choices": _choices(_WHOLE),
            "min_value": _WHOLE,
            "max_value": _WHOLE,
            "autocomplete": boolean,
        },
        _suggested,
        _ordered("min_value", "max_value"),
    ),
    NUMBER: record(
        {"type": one_of(NUMBER), **_BASE},
        {
            **_OPTIONAL,
            "choices": _choices(number),
            "min_value": number,
            "max_value": number,
            "autocomplete": boolean,
        },
        _suggested,
        _ordered("min_value", "max_value"),
    ),
}


def _options(value: Any, path: Path, report: Report) -> None:
    options = value.get("options") or []
    at = (*path, "options")
    unique(
        [((*at, i, "name"), o["name"]) for i, o in enumerate(options)],
        "APPLICATION_COMMAND_OPTIONS_NAME_INVALID",
        "Option names must be unique",
        report,
    )
    # "Required options must be listed before optional options"
    optional_seen = False
    for index, option in enumerate(options):
        if option["type"] in (SUB_COMMAND, SUB_COMMAND_GROUP):
            continue
        if option.get("required") and optional_seen:
            message = "Required options must be placed before non-required options"
            report.fault((*at, index), "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID", message)
        optional_seen = optional_seen or not option.get("required")
    kinds = {o["type"] in (SUB_COMMAND, SUB_COMMAND_GROUP) for o in options}
    if len(kinds) > 1:
        message = "Sub-command and sub-command group option types are mutually exclusive to others"
        report.fault(at, "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", message)


# "Subcommands and Subcommand Groups": groups hold subcommands, subcommands hold values.
_SUB = record(
    {"type": one_of(SUB_COMMAND), **_BASE},
    {**_OPTIONAL, "options": array(by_type(_VALUES), high=25)},
    _options,
)
_GROUP = record(
    {"type": one_of(SUB_COMMAND_GROUP), **_BASE},
    {**_OPTIONAL, "options": array(by_type({SUB_COMMAND: _SUB}), high=25)},
    _options,
    tolerated=("nsfw",),  # discord.py's groups carry it
)


def _permissions(value: Any, path: Path, report: Report) -> None:
    # A string of digits on the page, an integer in the published description; both are taken.
    if not str(value).isdigit() or isinstance(value, bool):
        report.fault(path, "NUMBER_TYPE_COERCE", f'Value "{value!s:.40}" is not int.')


def _kind(value: Any, path: Path, report: Report) -> None:
    kind = value.get("type") or 1
    if kind == 1:
        _slash_name(value["name"], (*path, "name"), report)
        if not value.get("description"):
            required((*path, "description"), report)
    elif value.get("description") or value.get("options"):
        message = "A user or message command has no description and no options"
        report.fault(path, "APPLICATION_COMMAND_MENU_FIELDS", message)


def _total(value: Any, path: Path, report: Report) -> None:
    if characters(value) > CHARACTERS:
        message = f"Command exceeds maximum size ({CHARACTERS})"
        report.fault(path, "APPLICATION_COMMAND_TOO_LARGE", message)


def characters(command: JsonObject) -> int:
    """Return how many characters of the 8000 a command takes."""
    own = len(command.get("name") or "") + len(command.get("description") or "")
    own += sum(len(str(c["value"])) for c in command.get("choices") or [])
    return own + sum(map(characters, command.get("options") or []))


COMMAND = record(
    {"name": string(low=1, high=32)},
    {
        **_LOCALIZATIONS,
        "type": one_of(1, 2, 3),
        "description": string(high=100),
        "options": array(
            by_type({**_VALUES, SUB_COMMAND: _SUB, SUB_COMMAND_GROUP: _GROUP}), high=25
        ),
        "default_member_permissions": _permissions,
        "dm_permission": boolean,
        "contexts": array(one_of(0, 1, 2), low=1),
        "integration_types": array(one_of(0, 1), low=1),
        "nsfw": boolean,
        "id": anything,
    },
    _kind,
    _options,
    _total,
)


def check_all(commands: Any, path: Path, report: Report) -> None:
    """Check a list of commands that replaces all there are."""
    before = len(report.faults)
    array(COMMAND)(commands, path, report)
    if len(report.faults) > before:
        return
    kinds = [c.get("type") or 1 for c in commands]
    unique(
        [
            ((*path, i, "name"), (kind, c["name"]))
            for i, (kind, c) in enumerate(zip(kinds, commands, strict=True))
        ],
        "APPLICATION_COMMANDS_DUPLICATE_NAME",
        "Application command names must be unique",
        report,
    )
    for kind, most in ((1, CHAT_COMMANDS), (2, MENU_COMMANDS), (3, MENU_COMMANDS)):
        if kinds.count(kind) > most:
            message = f"Must be {most} or fewer commands of type {kind}"
            report.fault(path, "BASE_TYPE_BAD_LENGTH", message)
