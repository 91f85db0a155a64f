"""Numbers and times in words, the same everywhere."""

from datetime import timedelta


def count(number: int, one: str, many: str | None = None) -> str:
    """Return "1 message", "1,840 messages"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def span(length: timedelta) -> str:
    """Return a length of time, rounded, in its largest fitting unit: "40 s", "5 min", "2 h"."""
    seconds = max(0, round(length.total_seconds()))
    if seconds < 90 and seconds != 60:
        return f"{seconds} s"
    if seconds < 90 * 60 and seconds != 3600:
        return f"{round(seconds / 60)} min"
    if seconds < 48 * 3600:
        return f"{round(seconds / 3600)} h"
    return f"{round(seconds / 86400)} days"


def size(octets: int) -> str:
    """Return a size in bytes as people write it: "812 B", "1.4 MB"."""
    amount = float(octets)
    for unit in ("B", "kB", "MB", "GB"):
        # From here on one decimal would be rounded up to "1000.0".
        if amount < 999.95 or unit == "GB":
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    raise AssertionError("unreachable")


def short(text: str, length: int) -> str:
    """Return ``text`` in at most ``length`` characters, with an ellipsis where it was cut."""
    return text if len(text) <= length else text[: length - 1] + "…"


def listed(items: list[str]) -> str:
    """Return "a", "a and b", "a, b and c"."""
    if len(items) < 2:
        return "".join(items)
    return ", ".join(items[:-1]) + " and " + items[-1]
