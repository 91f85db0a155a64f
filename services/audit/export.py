"""An entry as a line of text: JSON, CSV or syslog. Hostile text stays inside its field."""

import csv
import io
import json
from datetime import UTC
from typing import Any

from services.audit.entries import Entry, Phase, entry_fields

# RFC 5424: facility 13 is "log audit"; severities are warning, notice and informational.
_FACILITY = 13
_WARNING, _NOTICE, _INFORMATIONAL = 4, 5, 6
_SEVERITY: dict[str, int] = {
    Phase.REFUSED: _WARNING,
    Phase.KEY: _WARNING,
    Phase.READ: _INFORMATIONAL,
    Phase.ANCHOR: _INFORMATIONAL,
}
#: The enterprise number that RFC 5612 keeps for those who have none of their own.
_SD_ID = "audit@32473"


def exported(entry: Entry) -> dict[str, Any]:
    """Return all fields of an entry. Only those of a sealed one hold a seal."""
    fields = entry_fields(entry) | {"prev_hash": entry.prev_hash, "hash": entry.hash}
    return fields if entry.mac is None else fields | {"mac": entry.mac}


def as_jsonl(entry: Entry) -> str:
    """Return one entry as a line of JSON, with its hashes."""
    return json.dumps(exported(entry), ensure_ascii=False)


def as_csv(entry: Entry, *, header: bool = False) -> str:
    """Return one entry as a CSV line; with ``header``, the column names instead.

    A text that a spreadsheet would take for a formula gets an apostrophe before
    it (OWASP, "CSV Injection").
    """
    fields = exported(entry)
    seal = {"key_id": fields.pop("key_id", None), "mac": fields.pop("mac", None)}
    fields |= seal  # every line has the same columns, sealed or not
    values: list[Any] = list(fields) if header else [_no_formula(v) for v in fields.values()]
    out = io.StringIO()
    # The writer quotes a line break only where it ends lines itself (RFC 4180, 2.6).
    csv.writer(out, lineterminator="\r\n").writerow(values)
    return out.getvalue().removesuffix("\r\n")


def as_syslog(entry: Entry, hostname: str) -> str:
    r"""Return one entry as a syslog line (RFC 5424), every field in its structured data.

    In a value, a character that is not printable is written \uXXXX (\UXXXXXXXX beyond
    U+FFFF) and a backslash \\, so that an entry is one line; the escaping that the RFC
    asks for comes on top.
    """
    severity = _SEVERITY.get(entry.phase, _NOTICE)
    at = entry.at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
    header = (
        f"<{_FACILITY * 8 + severity}>1",
        f"{at}Z",
        _name(hostname, 255),
        "spoolwarden",
        "-",
        _name(entry.phase, 32),
    )
    data = "".join(
        f' {name}="{_param(str(value))}"'
        for name, value in exported(entry).items()
        if value is not None
    )
    said = " ".join((entry.phase, entry.action, "by", entry.actor, entry.subject)).strip()
    # The mark at its start says that the message is UTF-8.
    return f"{' '.join(header)} [{_SD_ID}{data}] \ufeff{_one_line(said)}"


def _name(text: str, most: int) -> str:
    """Return a text as a header's field: printable ASCII without spaces, or a dash."""
    return "".join(c for c in text if "!" <= c <= "~")[:most] or "-"


def _param(text: str) -> str:
    escaped = _one_line(text).replace("\\", "\\\\")
    return escaped.replace('"', '\\"').replace("]", "\\]")


def _one_line(text: str) -> str:
    if text.isprintable() and "\\" not in text:
        return text
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    if character == "\\":
        return "\\\\"
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _no_formula(value: object) -> object:
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r", "\n"):
        return "'" + value
    return value
