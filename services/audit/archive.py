"""Files of entries that were moved out of the log: JSON lines, packed with gzip."""

import gzip
import json
import os
import secrets
import zlib
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from services.audit.entries import Record
from services.audit.export import as_jsonl, exported
from services.errors import BadArgument
from services.language import tr

#: Longer than any entry can be; a file made to fill the memory must not.
_MAX_LINE = 16 * 1024 * 1024
_PACKED = b"\x1f\x8b"


class ArchiveWriter:
    """Writes one file: it has its name only once it is whole and on the disk."""

    def __init__(self, folder: Path, first: int, last: int) -> None:
        """Name the file after the entries that it is going to hold. Raises OSError."""
        self.file = folder / f"{_prefix(first)}{last:012}.jsonl.gz"
        self._left = [f for f in folder.glob(f"{_prefix(first)}*") if f != self.file]
        folder.mkdir(parents=True, exist_ok=True)
        # Another instance may be doing the same at this moment.
        self._part = self.file.with_name(f".{self.file.name}.{secrets.token_hex(4)}")
        self._raw = open(self._part, "wb", opener=_private)  # noqa: SIM115 - __exit__ closes it
        self._packed = gzip.GzipFile("", "wb", 6, self._raw, mtime=0)

    def __enter__(self) -> "ArchiveWriter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._packed.close()
        finally:
            self._raw.close()
            self._part.unlink(missing_ok=True)

    def add(self, records: Iterable[Record]) -> None:
        """Write these next."""
        for record in records:
            self._packed.write(as_jsonl(record).encode() + b"\n")

    def finish(self) -> None:
        """Give the file its name. Raises OSError."""
        self._packed.close()
        self._raw.flush()
        os.fsync(self._raw.fileno())
        self._part.replace(self.file)
        folder = os.open(self.file.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def clean(self) -> None:
        """Remove files that begin at the same entry: a stop left them, its entries still there.

        Only once this one's entries are out of the log: until then another instance's file
        may be the one that counts.
        """
        for file in self._left:
            file.unlink(missing_ok=True)


def _prefix(first: int) -> str:
    return f"audit-{first:012}-"


def _private(file: str, flags: int) -> int:
    return os.open(file, flags, 0o600)


def read(file: Path) -> Iterator[Record | None]:
    """Yield what ``file`` holds, packed or not; None, and no more, where it is unreadable.

    Raises BadArgument when there is no such file.
    """
    try:
        with file.open("rb") as raw:
            packed = raw.read(len(_PACKED)) == _PACKED
            raw.seek(0)
            lines = gzip.GzipFile(fileobj=raw, mode="rb") if packed else raw
            while line := lines.readline(_MAX_LINE):
                yield _record(line)
    except FileNotFoundError:
        raise BadArgument(tr("There is no file {file}; nothing was checked.", file=file)) from None
    except (OSError, EOFError, zlib.error, ValueError, TypeError, KeyError):
        yield None


def first_number(file: Path) -> int:
    """Return the number of the first entry in ``file``, 0 if it is unreadable."""
    for record in read(file):
        return 0 if record is None else record.seq
    return 0


def _record(line: bytes) -> Record:
    fields: dict[str, Any] = json.loads(line)
    if not isinstance(fields, dict) or type(fields.get("seq")) is not int:
        raise ValueError("not an entry")
    fields |= {name: fields.get(name) for name in ("key_id", "mac")}
    record = Record(**fields | {"at": datetime.fromisoformat(fields["at"])})
    # An entry is written in one way only: what reads the same must be the same.
    if exported(record) != {name: value for name, value in fields.items() if value is not None} | {
        name: fields[name] for name in ("incident_id", "intent_id")
    }:
        raise ValueError("not written as it is exported")
    return record
