"""Reading the fields of an answer, whatever case and type a build of SmarterMail gives them.

Public clients disagree on the case of names (``Skip`` and ``skip``) and on numbers sent
as text. What is not there, or is of no use, comes back as None.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from services.mail.embedded.headers import printable

Fields = Mapping[str, Any]


def field(item: Fields, *names: str) -> Any:
    """Return the first of these fields that has a value."""
    folded = {str(key).casefold(): value for key, value in item.items()}
    for name in names:
        value = folded.get(name.casefold())
        if value is not None:
            return value
    return None


def text(item: Fields, *names: str, limit: int = 1000) -> str | None:
    """Return a text, cut and printable."""
    value = field(item, *names)
    return printable(value[:limit]) if isinstance(value, str) else None


def secret(item: Fields, *names: str) -> str | None:
    """Return a text exactly as it came: a token."""
    value = field(item, *names)
    return value if isinstance(value, str) and value else None


def number(item: Fields, *names: str) -> int | None:
    """Return a whole number that is not negative."""
    value = field(item, *names)
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2**63:
        return None
    return int(value)


def flag(item: Fields, *names: str) -> bool | None:
    """Return a yes or no."""
    value = field(item, *names)
    return value if isinstance(value, bool) else None


def inner(item: Fields, *names: str) -> Fields:
    """Return an object inside, empty if there is none."""
    value = field(item, *names)
    return value if isinstance(value, dict) else {}


def items(item: Fields, *names: str) -> list[Fields] | None:
    """Return the objects of a list; None if there is no list."""
    value = field(item, *names)
    if not isinstance(value, list):
        return None
    return [entry for entry in value if isinstance(entry, dict)]


def texts(item: Fields, *names: str) -> tuple[str, ...]:
    """Return the texts of a list, or of a text that lists them with commas or semicolons."""
    value = field(item, *names)
    if isinstance(value, str):
        value = value.replace(";", ",").split(",")
    if not isinstance(value, list):
        return ()
    return tuple(printable(entry.strip()[:1000]) for entry in value if isinstance(entry, str))


def moment(item: Fields, *names: str) -> datetime | None:
    """Return an ISO 8601 time that names its zone."""
    value = field(item, *names)
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo else None
