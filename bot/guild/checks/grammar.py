"""A small grammar for JSON: rules that look at one value and report faults by field.

Faults come out as the "Error Messages" section of the API reference shows them: a tree along the
path of the value, with ``_errors`` of code and message at its end.

Discord itself passes over fields it doesn't know. Here they are refused, so that a misspelt field
is found at once; what a client library always sends although it isn't documented for that
request stands in ``tolerated``.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from bot.guild.errors import invalid_form
from bot.guild.snowflakes import is_snowflake
from bot.local.values import JsonObject

Path: TypeAlias = tuple[str | int, ...]
Rule: TypeAlias = Callable[[Any, Path, "Report"], None]


@dataclass(slots=True)
class Report:
    """Faults found so far, each with the path of the value at fault."""

    faults: list[tuple[Path, str, str]] = field(default_factory=list)

    def fault(self, path: Path, code: str, message: str) -> None:
        """Note a fault of the value at ``path``."""
        self.faults.append((path, code, message))

    def tree(self) -> JsonObject:
        """Return the faults as the ``errors`` of an answer."""
        root: JsonObject = {}
        for path, code, message in self.faults:
            node = root
            for step in path:
                node = node.setdefault(str(step), {})
            node.setdefault("_errors", []).append({"code": code, "message": message})
        return root

    def refuse(self) -> None:
        """Raise ApiError "Invalid Form Body" when there are faults."""
        if self.faults:
            raise invalid_form(self.tree())


def check(rule: Rule, value: Any) -> None:
    """Hold a value against a rule. Raises ApiError "Invalid Form Body"."""
    report = Report()
    rule(value, (), report)
    report.refuse()


def required(path: Path, report: Report) -> None:
    """Report a missing field."""
    report.fault(path, "BASE_TYPE_REQUIRED", "This field is required")


def anything(value: Any, path: Path, report: Report) -> None:
    """Accept anything; another rule looks at it."""


def nothing(value: Any, path: Path, report: Report) -> None:
    """Accept only null: a field that a client library always sends, yet may not be set here."""
    report.fault(path, "UNKNOWN_FIELD", "This field can't be set here.")


def string(*, low: int = 0, high: int | None = None) -> Rule:
    """Accept a string of ``low`` to ``high`` characters."""

    def rule(value: Any, path: Path, report: Report) -> None:
        if not isinstance(value, str):
            report.fault(path, "STRING_TYPE_CONVERT", "Could not interpret value as string.")
        elif low == 1 and not value:
            required(path, report)
        elif len(value) < low:
            report.fault(path, "BASE_TYPE_MIN_LENGTH", f"Must be {low} or more in length.")
        elif high is not None and len(value) > high:
            report.fault(path, "BASE_TYPE_MAX_LENGTH", f"Must be {high} or fewer in length.")

    return rule


def boolean(value: Any, path: Path, report: Report) -> None:
    """Accept true or false."""
    if not isinstance(value, bool):
        report.fault(path, "BOOLEAN_TYPE_CONVERT", "Must be either true or false.")


def _is_number(value: Any, kind: type | tuple[type, ...]) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def integer(*, low: int | None = None, high: int | None = None) -> Rule:
    """Accept a whole number from ``low`` to ``high``."""

    def rule(value: Any, path: Path, report: Report) -> None:
        if not _is_number(value, int):
            report.fault(path, "NUMBER_TYPE_COERCE", f'Value "{value!s:.40}" is not int.')
        elif low is not None and value < low:
            message = f"int value should be greater than or equal to {low}."
            report.fault(path, "NUMBER_TYPE_MIN", message)
        elif high is not None and value > high:
            message = f"int value should be less than or equal to {high}."
            report.fault(path, "NUMBER_TYPE_MAX", message)

    return rule


def number(value: Any, path: Path, report: Report) -> None:
    """Accept a number."""
    if not _is_number(value, (int, float)):
        report.fault(path, "NUMBER_TYPE_COERCE", f'Value "{value!s:.40}" is not float.')


def one_of(*allowed: str | int) -> Rule:
    """Accept one of the listed values."""

    def rule(value: Any, path: Path, report: Report) -> None:
        if isinstance(value, bool) or value not in allowed:
            listed = ", ".join(str(a) for a in allowed)
            report.fault(path, "BASE_TYPE_CHOICES", f"Value must be one of {{{listed}}}.")

    return rule


def snowflake(value: Any, path: Path, report: Report) -> None:
    """Accept an id. Numbers are taken too ("Snowflakes": the API accepts both)."""
    if not (is_snowflake(value) or (_is_number(value, int) and value >= 0)):
        message = f'Value "{value!s:.40}" is not snowflake.'
        report.fault(path, "NUMBER_TYPE_COERCE", message)


def url(*schemes: str, high: int = 2048) -> Rule:
    """Accept a URL of one of the schemes."""
    begins = re.compile(rf"(?:{'|'.join(schemes)})://[^\s]+", re.IGNORECASE)

    def rule(value: Any, path: Path, report: Report) -> None:
        if not isinstance(value, str):
            string()(value, path, report)
        elif len(value) > high:
            report.fault(path, "BASE_TYPE_MAX_LENGTH", f"Must be {high} or fewer in length.")
        elif begins.fullmatch(value) is None:
            message = f"Scheme must be one of ({', '.join(schemes)})."
            report.fault(path, "URL_TYPE_INVALID_SCHEME", message)

    return rule


def array(item: Rule, *, low: int = 0, high: int | None = None) -> Rule:
    """Accept an array of ``low`` to ``high`` items, each by ``item``."""

    def rule(value: Any, path: Path, report: Report) -> None:
        if not isinstance(value, list):
            report.fault(path, "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType")
            return
        if len(value) < low or (high is not None and len(value) > high):
            bounds = f"between {low} and {high}" if high is not None else f"{low} or more"
            report.fault(path, "BASE_TYPE_BAD_LENGTH", f"Must be {bounds} in length.")
            return
        for index, member in enumerate(value):
            item(member, (*path, index), report)

    return rule


def record(
    required_fields: Mapping[str, Rule],
    optional: Mapping[str, Rule],
    *also: Rule,
    tolerated: Iterable[str] = (),
) -> Rule:
    """Accept an object with these fields and no others; ``also`` looks at the whole object.

    A field holding null counts as absent.
    """
    known = {**required_fields, **optional}
    passed_over = frozenset(tolerated)

    def rule(value: Any, path: Path, report: Report) -> None:
        if not isinstance(value, dict):
            report.fault(path, "DICT_TYPE_CONVERT", "Only dictionaries may be used in a DictType")
            return
        before = len(report.faults)
        for name in value:
            if name not in known and name not in passed_over:
                report.fault((*path, name), "UNKNOWN_FIELD", "This field is not documented here.")
        for name in required_fields:
            if value.get(name) is None:
                required((*path, name), report)
        for name, part in known.items():
            if value.get(name) is not None:
                part(value[name], (*path, name), report)
        if len(report.faults) == before:
            for whole in also:
                whole(value, path, report)

    return rule


def by_type(kinds: Mapping[int, Rule]) -> Rule:
    """Accept an object whose ``type`` is one of ``kinds``, by that kind's rule."""

    def rule(value: Any, path: Path, report: Report) -> None:
        if not isinstance(value, dict):
            report.fault(path, "DICT_TYPE_CONVERT", "Only dictionaries may be used in a DictType")
            return
        kind = value.get("type")
        if kind is None:
            required((*path, "type"), report)
        elif not _is_number(kind, int) or kind not in kinds:
            listed = ", ".join(str(k) for k in sorted(kinds))
            message = f'Value of field "type" must be one of ({listed}).'
            report.fault((*path, "type"), "UNION_TYPE_CHOICES", message)
        else:
            kinds[kind](value, path, report)

    return rule


def unique(values: Iterable[tuple[Path, Any]], code: str, message: str, report: Report) -> None:
    """Report each (path, value) whose value came before."""
    seen: set[Any] = set()
    for path, value in values:
        if value in seen:
            report.fault(path, code, message)
        seen.add(value)
