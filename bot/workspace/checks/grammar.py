"""A small grammar for JSON: rules that look at one value and report faults with its pointer.

The wording of the faults follows the ``response_metadata.messages`` the Web API answers with.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Rule: TypeAlias = Callable[[Any, str, "Report"], None]


@dataclass(slots=True)
class Report:
    """Faults found so far, each with the JSON pointer of the value at fault."""

    faults: list[str] = field(default_factory=list)

    def fault(self, pointer: str, message: str) -> None:
        """Note a fault of the value at ``pointer``."""
        self.faults.append(f"{message} [json-pointer:{pointer or '/'}]")


def string(*, low: int = 0, high: int | None = None) -> Rule:
    """Accept a string of ``low`` to ``high`` characters."""

    def check(value: Any, pointer: str, report: Report) -> None:
        if not isinstance(value, str):
            report.fault(pointer, "must provide a string")
        elif len(value) < low:
            report.fault(pointer, f"must be more than {low - 1} characters")
        elif high is not None and len(value) > high:
            report.fault(pointer, f"must be less than {high + 1} characters")

    return check


def boolean(value: Any, pointer: str, report: Report) -> None:
    """Accept true or false."""
    if not isinstance(value, bool):
        report.fault(pointer, "must provide a boolean")


def integer(*, low: int | None = None, high: int | None = None) -> Rule:
    """Accept a whole number from ``low`` to ``high``."""

    def check(value: Any, pointer: str, report: Report) -> None:
        if not isinstance(value, int) or isinstance(value, bool):
            report.fault(pointer, "must provide a number")
        elif low is not None and value < low:
            report.fault(pointer, f"must be greater than {low - 1}")
        elif high is not None and value > high:
            report.fault(pointer, f"must be less than {high + 1}")

    return check


def one_of(*allowed: str | int) -> Rule:
    """Accept one of the listed values."""

    def check(value: Any, pointer: str, report: Report) -> None:
        if isinstance(value, bool) or value not in allowed:
            report.fault(pointer, f"must be one of: {', '.join(str(a) for a in allowed)}")

    return check


def array(item: Rule, *, low: int = 0, high: int | None = None) -> Rule:
    """Accept an array of ``low`` to ``high`` items, each by ``item``."""

    def check(value: Any, pointer: str, report: Report) -> None:
        if not isinstance(value, list):
            report.fault(pointer, "must provide an array")
            return
        if len(value) < low:
            report.fault(pointer, f"no less than {low} items allowed")
        if high is not None and len(value) > high:
            report.fault(pointer, f"no more than {high} items allowed")
            return
        for index, member in enumerate(value):
            item(member, f"{pointer}/{index}", report)

    return check


def record(
    required: Mapping[str, Rule],
    optional: Mapping[str, Rule],
    *also: Rule,
) -> Rule:
    """Accept an object with these fields and no others; ``also`` looks at the whole object.

    A field holding null counts as absent, as clients send it for "not set".
    """
    known = {**required, **optional}

    def check(value: Any, pointer: str, report: Report) -> None:
        if not isinstance(value, dict):
            report.fault(pointer, "must provide an object")
            return
        before = len(report.faults)
        for name in value:
            if name not in known:
                report.fault(pointer, f"invalid additional property: {name}")
        for name in required:
            if value.get(name) is None:
                report.fault(pointer, f"missing required field: {name}")
        for name, rule in known.items():
            if value.get(name) is not None:
                rule(value[name], f"{pointer}/{name}", report)
        if len(report.faults) == before:
            for rule in also:
                rule(value, pointer, report)

    return check


def by_type(kinds: Mapping[str, Rule], what: str) -> Rule:
    """Accept an object whose ``type`` names one of ``kinds``, by that kind's rule."""

    def check(value: Any, pointer: str, report: Report) -> None:
        if not isinstance(value, dict):
            report.fault(pointer, "must provide an object")
            return
        kind = value.get("type")
        if kind is None:
            report.fault(pointer, "missing required field: type")
        elif not isinstance(kind, str) or kind not in kinds:
            report.fault(f"{pointer}/type", f"unsupported type: {kind} ({what})")
        else:
            kinds[kind](value, pointer, report)

    return check


def exactly_one(*names: str) -> Rule:
    """Accept an object that has exactly one of the named fields."""

    def check(value: Any, pointer: str, report: Report) -> None:
        present = [n for n in names if value.get(n) is not None]
        if len(present) != 1:
            report.fault(pointer, f"must provide exactly one of: {', '.join(names)}")

    return check


def unique(values: Sequence[tuple[str, str]], what: str, report: Report) -> None:
    """Report each (pointer, value) whose value came before."""
    seen: set[str] = set()
    for pointer, value in values:
        if value in seen:
            report.fault(pointer, f"`{what}` {value} already exists")
        seen.add(value)
