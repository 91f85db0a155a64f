"""The traffic that the detector is evaluated on: an open format, one JSON object a line.

The first line may tell of the whole: ``{"scenario": "a name", "seed": 3, "learn_days": 14}``.
The first ``learn_days`` days (default 0) are replayed to learn from and are not counted.

Every other line is one submission, in any order of time within a minute or so:

=============  ================================================================================
``time``       required: seconds since 1970, or an ISO 8601 moment with its zone
``user``       required: who logged in; "" for nobody
``ip``         the client's address
``asn``        the number of the autonomous system that the address is in, where that is known
``country``    its country, in two capital letters, where that is known
``recipients`` a number, or a list of addresses (hashed ones serve as well)
``subject``    the subject, or any text that is the same for the same subject, such as its hash
               (then near-duplicates cannot be told, only equal ones)
``size``       in bytes
``id``         tells a repeated line from a new one
``abuse``      true if somebody else than the account's owner sent it: the label
=============  ================================================================================

or, with ``recipients`` 0 or left out, news about an account:

=============  ================================================================================
``outcome``    "rejected" or "deferred": a message that it sent before was, just now
``failures``   so many logins failed, just now
=============  ================================================================================
"""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any, NamedTuple

import orjson

from services.detection.engine import Event
from services.errors import BadArgument
from services.origin import Origin, OriginOf, is_country


class Labelled(NamedTuple):
    """An event, and whether it was abuse."""

    event: Event
    abuse: bool = False


@dataclass(frozen=True, slots=True)
class Scenario:
    """Labelled traffic with its name. ``events`` are in the order in which they arrive."""

    name: str
    seed: int
    learn_days: float
    events: Iterable[Labelled]
    origin_of: OriginOf | None = None  # of the addresses of the events that were read


def read(file: Path) -> Scenario:
    """Open a file of traffic. Raises BadArgument for what is not in the format."""
    name, seed, learn = file.stem, 0, 0.0
    with file.open("rb") as stream:
        first = _parsed(stream.readline() or b"{}", file, 1)
    if "time" not in first:
        name = str(first.get("scenario", name))[:60]
        seed, learn = int(first.get("seed", 0)), float(first.get("learn_days", 0))
    origins: dict[str, Origin] = {}
    return Scenario(name, seed, learn, _lines(file, origins), origins.get)


def _lines(file: Path, origins: dict[str, Origin]) -> Iterator[Labelled]:
    """Yield the lines; ``origins`` is added to with each that says where its address is."""
    with file.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            if not line.strip():
                continue
            value = _parsed(line, file, number)
            if number == 1 and "time" not in value:
                continue
            try:
                labelled = _labelled(value)
                if "asn" in value or "country" in value:
                    origins[labelled.event.ip] = _origin(value)
            except (KeyError, TypeError, ValueError, OverflowError) as error:
                raise BadArgument(
                    f"{file.name}, line {number} is not in the traffic format "
                    f"({type(error).__name__}: {str(error)[:80]}). Nothing was evaluated."
                ) from error
            yield labelled


def _parsed(line: bytes, file: Path, number: int) -> dict[str, Any]:
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise BadArgument(
            f"{file.name}, line {number} is not JSON ({error}). Nothing was evaluated."
        ) from error
    if not isinstance(value, dict):
        raise BadArgument(f"{file.name}, line {number} is no object. Nothing was evaluated.")
    return value


def _labelled(value: dict[str, Any]) -> Labelled:
    to = value.get("recipients", 0)
    addresses: tuple[str, ...] = ()
    if isinstance(to, list):
        addresses, to = tuple(str(one) for one in to), len(to)
    if not 0 <= int(to) <= 1_000_000 or not 0 <= int(value.get("failures", 0)) <= 1_000_000:
        raise ValueError("a number is out of bounds")
    event = Event(
        _seconds(value["time"]),
        str(value["user"])[:256].lower(),
        sys.intern(str(value.get("ip") or "")[:64]),
        int(to),
        str(value.get("subject") or "")[:998],
        min(max(int(value.get("size") or 0), 0), 1 << 40),
        addresses,
        str(value.get("outcome") or ""),
        int(value.get("failures", 0)),
        str(value.get("id") or "")[:256],
    )
    return Labelled(event, value.get("abuse") is True)


def _origin(value: dict[str, Any]) -> Origin:
    asn, country = value.get("asn") or 0, value.get("country") or ""
    if type(asn) is not int or not 0 <= asn < 1 << 32:
        raise ValueError("asn is no number of an autonomous system")
    if country and not is_country(country):
        raise ValueError("country is no two capital letters")
    return Origin(asn, "", country)


def _seconds(value: object) -> float:
    if isinstance(value, str):
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError("a moment without its zone")
        seconds = moment.timestamp()
    else:
        seconds = float(value)  # type: ignore[arg-type]
    if not 0 <= seconds < 1e11:
        raise ValueError("a time out of bounds")
    return seconds


def write(scenario: Scenario, stream: IO[bytes]) -> None:
    """Write a scenario as a file that :func:`read` reads."""
    head = {"scenario": scenario.name, "seed": scenario.seed, "learn_days": scenario.learn_days}
    stream.write(orjson.dumps(head) + b"\n")
    for event, abuse in scenario.events:
        value: dict[str, Any] = {"time": round(event.time, 3), "user": event.user}
        if event.ip:
            value["ip"] = event.ip
            origin = scenario.origin_of(event.ip) if scenario.origin_of is not None else None
            if origin is not None:
                value |= {"asn": origin.asn, "country": origin.country}
        if event.recipients:
            value["recipients"] = list(event.to) or event.recipients
            value |= {"subject": event.subject, "size": event.size}
        if event.outcome:
            value["outcome"] = event.outcome
        if event.failures:
            value["failures"] = event.failures
        if event.id:
            value["id"] = event.id
        if abuse:
            value["abuse"] = True
        stream.write(orjson.dumps(value) + b"\n")
