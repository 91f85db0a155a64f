"""How a Web API method is declared: its arguments, scopes, token and rate limit."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from bot.workspace.limits import Tier
from bot.workspace.modals import Modals
from bot.workspace.store import Store
from bot.workspace.tickets import Triggers
from bot.workspace.values import ApiError, JsonObject

# The Slack client sends the team's id with every method once it knows it (``default_params``);
# Slack reads it with organisation-wide tokens and passes it over otherwise.
EVERYWHERE = frozenset({"team_id"})

Kind: TypeAlias = Literal["string", "boolean", "integer", "json"]


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument. Form bodies and queries carry every kind as text; JSON bodies natively."""

    kind: Kind
    required: bool = False


STRING = Argument("string")
BOOLEAN = Argument("boolean")
INTEGER = Argument("integer")
JSON = Argument("json")


def required(argument: Argument) -> Argument:
    """Return the argument as a required one."""
    return Argument(argument.kind, required=True)


class Arguments:
    """A call's checked arguments."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = dict(values)

    def has(self, name: str) -> bool:
        """Tell whether the argument was given."""
        return name in self._values

    def text(self, name: str) -> str:
        """Return a required string."""
        value: str = self._values[name]
        return value

    def text_or_none(self, name: str) -> str | None:
        """Return a string or None."""
        value: str | None = self._values.get(name)
        return value

    def flag(self, name: str) -> bool:
        """Return a boolean, False when not given."""
        return bool(self._values.get(name, False))

    def number(self, name: str, default: int) -> int:
        """Return a whole number."""
        value: int = self._values.get(name, default)
        return value

    def raw(self, name: str) -> Any:
        """Return a JSON argument as given; None when not given."""
        return self._values.get(name)


@dataclass(frozen=True, slots=True)
class Context:
    """What methods work on. ``origin`` is the server's ``http://host:port``."""

    store: Store
    modals: Modals
    triggers: Triggers
    scopes: frozenset[str]
    app_name: str
    origin: Callable[[], str]
    link_ticket: Callable[[], str]


Handler: TypeAlias = Callable[[Context, Arguments], JsonObject]


@dataclass(frozen=True, slots=True)
class Method:
    """A Web API method. ``scopes`` are alternatives; none means no scope is needed."""

    name: str
    handler: Handler
    tier: Tier
    arguments: Mapping[str, Argument] = field(default_factory=dict)
    scopes: tuple[str, ...] = ()
    token: Literal["bot", "app", "none"] = "bot"  # noqa: S105 - a kind of token, not one
    any_arguments: bool = False
    per_channel: Tier | None = None

    def check(self, given: Mapping[str, Any], *, as_text: bool) -> Arguments:
        """Return the arguments, read from text where ``as_text``.

        Raises ApiError ``invalid_arguments`` with a message per fault: an unknown argument, a
        missing one, or a wrong type.
        """
        if self.any_arguments:
            return Arguments(given)
        faults: list[str] = []
        values: dict[str, Any] = {}
        for name, value in given.items():
            argument = self.arguments.get(name)
            if argument is None and name in EVERYWHERE:
                continue
            if argument is None:
                faults.append(f"unknown argument: {name} [json-pointer:/{name}]")
            elif value is not None:
                try:
                    values[name] = _read(argument.kind, value, as_text=as_text)
                except ValueError as fault:
                    faults.append(f"{fault} [json-pointer:/{name}]")
        faults += [
            f"missing required field: {name} [json-pointer:/{name}]"
            for name, argument in self.arguments.items()
            if argument.required and values.get(name) in (None, "") and name not in given
        ]
        if faults:
            raise ApiError("invalid_arguments", tuple(faults))
        return Arguments(values)


def _read(kind: Kind, value: Any, *, as_text: bool) -> Any:
    if kind == "json":
        # JSON arguments may come as JSON text in either body; the method judges bad text.
        return _loads(value) if isinstance(value, str) else value
    if kind == "boolean":
        return _read_boolean(value, as_text=as_text)
    if kind == "integer":
        return _read_integer(value, as_text=as_text)
    if not isinstance(value, str):
        raise ValueError("must provide a string")
    return value


def _loads(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _read_boolean(value: Any, *, as_text: bool) -> bool:
    if isinstance(value, bool):
        return value
    if as_text and value in {"1", "true", "True", "0", "false", "False"}:
        return value in {"1", "true", "True"}
    raise ValueError("must provide a boolean")


def _read_integer(value: Any, *, as_text: bool) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if as_text and isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    raise ValueError("must provide a number")
