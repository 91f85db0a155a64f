"""Embeds, with the limits of "Embed Limits" on the "Message" page."""

from datetime import datetime
from typing import Any

from bot.guild.checks.grammar import (
    Path,
    Report,
    anything,
    array,
    boolean,
    integer,
    record,
    string,
    url,
)
from bot.local.values import JsonObject

EMBEDS = 10
CHARACTERS = 6_000  # "... the combined sum of characters ... must not exceed 6000"
_WEB = url("https?")
_MEDIA_URL = url("https?", "attachment")


def _moment(value: Any, path: Path, report: Report) -> None:
    try:
        datetime.fromisoformat(value)
    except (TypeError, ValueError):
        report.fault(path, "DATE_TIME_TYPE_PARSE", f"Could not parse {value!s:.40}.")


_MEDIA = record(
    {},
    {
        "url": _MEDIA_URL,
        "width": integer(low=0),
        "height": integer(low=0),
        "description": string(high=4096),
    },
)
_EMBED = record(
    {},
    {
        "type": anything,  # "always rich for webhook embeds"; whatever is sent is passed over
        "title": string(high=256),
        "description": string(high=4096),
        "url": _WEB,
        "timestamp": _moment,
        "color": integer(low=0, high=0xFFFFFF),
        "footer": record({"text": string(high=2048)}, {"icon_url": _MEDIA_URL}),
        "image": _MEDIA,
        "thumbnail": _MEDIA,
        "author": record({"name": string(high=256)}, {"url": _WEB, "icon_url": _MEDIA_URL}),
        "fields": array(
            record(
                {"name": string(low=1, high=256), "value": string(low=1, high=1024)},
                {"inline": boolean},
            ),
            high=25,
        ),
        "flags": integer(),
    },
    tolerated=("provider", "video"),
)
_LIST = array(_EMBED, high=EMBEDS)


def check_embeds(embeds: Any, path: Path, report: Report) -> None:
    """Check a message's embeds."""
    before = len(report.faults)
    _LIST(embeds, path, report)
    if len(report.faults) == before and sum(map(_characters, embeds)) > CHARACTERS:
        message = f"Embed size exceeds maximum size of {CHARACTERS}"
        report.fault(path, "MAX_EMBED_SIZE_EXCEEDED", message)


def _characters(embed: JsonObject) -> int:
    fields = embed.get("fields") or []
    texts = [
        embed.get("title"),
        embed.get("description"),
        (embed.get("footer") or {}).get("text"),
        (embed.get("author") or {}).get("name"),
        *(f[part] for f in fields for part in ("name", "value")),
    ]
    return sum(len(t) for t in texts if t)
