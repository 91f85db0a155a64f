"""Numbers and times in words, the same everywhere."""

from datetime import timedelta

from services.language import decimal, later, percent, tr, trn
from services.mail.port import Network

#: What the audit log calls acts, as people read it: an underscore is a space.
ACTS = (
    later("acknowledge"),
    later("block"),
    later("contain"),
    later("delete"),
    later("delete account"),
    later("disable"),
    later("enable"),
    later("end sessions"),
    later("false alarm"),
    later("forget"),
    later("judge"),
    later("look"),
    later("move"),
    later("password"),
    later("reported"),
    later("respond"),
    later("restore"),
    later("retry"),
    later("snooze"),
    later("stop"),
    later("unblock"),
    # What only asks or decides, which is in the log where it was refused or read much.
    later("approve"),
    later("audit"),
    later("blocks"),
    later("campaign"),
    later("dashboard"),
    later("decline"),
    later("help"),
    later("incidents"),
    later("ip"),
    later("pin"),
    later("preview"),
    later("report"),
    later("samples"),
    later("search"),
    later("summary"),
    later("top"),
    later("tuning"),
    later("undo"),
    later("user"),
    later("why"),
    # What the bot does by itself; where a name has several words, it stands where it is written.
    later("anchor"),
    later("archive"),
    later("key"),
    later("listing"),
    later("purge"),
    later("watch"),
)
_UNDO = "undo "


def span(length: timedelta) -> str:
    """Return a length of time, rounded, in its largest fitting unit: "40 s", "5 min", "2 h"."""
    seconds = max(0, round(length.total_seconds()))
    if seconds < 90 and seconds != 60:
        return tr("{n} s", n=seconds)
    if seconds < 90 * 60 and seconds != 3600:
        return tr("{n} min", n=round(seconds / 60))
    if seconds < 48 * 3600:
        return tr("{n} h", n=round(seconds / 3600))
    return trn("{n} day", "{n} days", round(seconds / 86400))


def size(octets: int) -> str:
    """Return a size in bytes as people write it: "812 B", "1.4 MB"."""
    amount = float(octets)
    for unit in ("B", "kB", "MB", "GB"):
        # From here on one decimal would be rounded up to "1000.0".
        if amount < 999.95 or unit == "GB":
            return f"{decimal(amount, 0 if unit == 'B' else 1)} {unit}"
        amount /= 1000
    raise AssertionError("unreachable")


def show_network(network: Network) -> str:
    """Return a network as people write it: a single address without its prefix length."""
    single = network.prefixlen == network.max_prefixlen
    return str(network.network_address) if single else str(network)


def act(action: str) -> str:
    """Return what an act is called, by its name in the audit log."""
    if action.startswith(_UNDO):
        return tr("undo {act}", act=act(action.removeprefix(_UNDO)))
    return tr(action.replace("_", " ")) if action else ""


def in_percent(share: float) -> str:
    """Return a share of 1 in whole percents: "12%"; of a small one that it is less than one."""
    return tr("<1%") if 0 < share < 0.01 else percent(share * 100)


def change(now: int, before: int) -> str:
    """Return by how many percents a number went up or down: "+1,234%"; ``before`` is not 0."""
    by = (now - before) / before * 100
    return f"{'-' if by < 0 else '+'}{percent(abs(by))}"


def short(text: str, length: int) -> str:
    """Return ``text`` in at most ``length`` characters, with an ellipsis where it was cut."""
    return text if len(text) <= length else text[: length - 1] + "…"


def listed(items: list[str]) -> str:
    """Return "a", "a and b", "a, b and c"."""
    if len(items) < 2:
        return "".join(items)
    return tr("{some} and {last}", some=", ".join(items[:-1]), last=items[-1])


def sentences(*said: str) -> str:
    """Return sentences one after the other, leaving out empty ones."""
    return " ".join(filter(None, said))
