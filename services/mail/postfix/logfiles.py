"""The live log and the rotated ones beside it, and how a place in them is found again.

A file is known by its inode and by the hash of its first bytes. Renaming keeps both;
copying and truncating (logrotate's ``copytruncate``) keeps the hash in the copy, and the
truncated file gets another; compressing keeps the hash of what it holds.
"""

import bz2
import gzip
import lzma
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from io import BufferedIOBase
from pathlib import Path
from typing import cast

#: What is compressed so can be read; these others are passed over.
PACKED: dict[str, Callable[[Path], object]] = {
    ".gz": gzip.open,
    ".bz2": bz2.open,
    ".xz": lzma.open,
}
PACKED_OTHERWISE = (".zst", ".lz4", ".lzo", ".lzma", ".Z")
#: What reading a file may raise.
UNREADABLE = (OSError, EOFError, zlib.error, lzma.LZMAError)
# Two log lines: enough to tell files apart, for each stamp and process id is in them.
_HEAD = 256
_PLACE = re.compile(r"([0-9a-f]+)\.([0-9a-f]+)\.([0-9a-f]{16})\.([0-9a-f]+)\Z")


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a file: ``offset`` bytes from the start of the one with this head."""

    inode: int
    head: int  # how many of the first bytes were hashed
    hash: str
    offset: int

    def __str__(self) -> str:
        return f"{self.inode:x}.{self.head:x}.{self.hash}.{self.offset:x}"

    def to(self, offset: int) -> "Place":
        """Return another place in the same file."""
        return Place(self.inode, self.head, self.hash, offset)


def parse_place(text: str) -> Place | None:
    """Return the place that was written so, None if it is none."""
    found = _PLACE.match(text)
    if found is None:
        return None
    return Place(int(found[1], 16), int(found[2], 16), found[3], int(found[4], 16))


@dataclass(frozen=True, slots=True)
class LogFile:
    """One of the files, as it was when it was looked at. ``size`` of a packed one is unknown."""

    path: Path
    inode: int
    size: int
    written: datetime

    @property
    def packed(self) -> bool:
        """Whether it is compressed."""
        return self.path.suffix in PACKED

    @contextmanager
    def open(self) -> Iterator[BufferedIOBase]:
        """Open what it holds. Raises what is UNREADABLE, as reading it does."""
        if self.packed:
            with cast("BufferedIOBase", PACKED[self.path.suffix](self.path)) as unpacked:
                yield unpacked
        else:
            with self.path.open("rb") as stream:
                yield stream

    def head(self, length: int) -> bytes | None:
        """Return the first bytes, None if there are fewer or the file cannot be read."""
        try:
            with self.open() as stream:
                head = stream.read(length)
        except UNREADABLE:
            return None
        return head if len(head) == length else None

    def place(self, offset: int, known: int) -> Place:
        """Return a place in it. ``known`` is how many of its first bytes are there for sure."""
        length = min(_HEAD, known)
        return Place(self.inode, length, _hash(self.head(length) or b""), offset)

    def start(self) -> Place:
        """Return its beginning, when nothing of it has been read."""
        return self.place(0, 0 if self.packed else self.size)

    def is_still(self, place: Place) -> bool:
        """Tell whether what lies at its path now is what was looked at, with this place in it."""
        try:
            now = _looked_at(self.path)
        except FileNotFoundError:
            return False
        return now.inode == self.inode and now.holds(place)

    def holds(self, place: Place) -> bool:
        """Tell whether a place can be in this file."""
        if not self.packed and self.size < place.offset:
            return False
        if place.head == 0:
            return self.inode == place.inode
        head = self.head(place.head)
        return head is not None and _hash(head) == place.hash


class LogFiles:
    """The live log at ``live`` and what it was rotated to."""

    def __init__(self, live: Path) -> None:
        self._live = live

    def all(self) -> list[LogFile]:
        """Return the files, oldest first, each text once. Raises OSError if the live one is gone.

        Of a file and its compressed copy only one is listed, as of a file and its plain one.
        """
        rotated = []
        for path in self._live.parent.iterdir():
            if path.name.startswith((f"{self._live.name}.", f"{self._live.name}-")):
                if path.suffix in PACKED and path.with_suffix("").exists():
                    continue
                if path.suffix in PACKED_OTHERWISE:
                    continue
                try:
                    file = _looked_at(path)
                except FileNotFoundError:
                    continue  # rotated away while we looked
                if path.is_file():
                    rotated.append(file)
        rotated.sort(key=lambda file: (file.written, -_number(file.path)))
        live = _looked_at(self._live)
        known: set[str] = set()
        files = []
        for file in [live, *reversed(rotated)]:
            head = file.head(_HEAD)
            if head is None and file.packed and file.head(1) is None:
                continue  # being written, or damaged
            mark = f"inode {file.inode}" if head is None else _hash(head)
            if mark not in known:
                known.add(mark)
                files.append(file)
        return files[::-1]

    def find(self, place: Place, files: list[LogFile]) -> int | None:
        """Return which of the files a place is in, None if it is in none any more."""
        for number, file in enumerate(files):
            if file.inode == place.inode and file.holds(place):
                return number
        if place.head == 0:
            return None
        return next((n for n, file in enumerate(files) if file.holds(place)), None)


def _looked_at(path: Path) -> LogFile:
    about = path.stat()
    written = datetime.fromtimestamp(about.st_mtime, UTC)
    return LogFile(path, about.st_ino, about.st_size, written)


def _number(path: Path) -> int:
    name = path.stem if path.suffix in PACKED else path.name
    digits = re.search(r"\.(\d{1,9})\Z", name)
    return int(digits[1]) if digits else 0


def _hash(head: bytes) -> str:
    return blake2b(head, digest_size=8).hexdigest()
