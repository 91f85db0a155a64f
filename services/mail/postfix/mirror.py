"""A copy of another machine's log, so that :mod:`.log` reads it as one of this machine.

A file there is known by its inode, and its copy is named by that; the live log's name is a
link to one of them. So when the log is rotated there, the link is all that changes here. Only
new bytes are fetched; a file that is shorter than its copy or begins otherwise (logrotate's
``copytruncate``, an inode used again) is fetched anew, and a compressed one whole.

The reader takes a file as finished once a later one holds something. So files are fetched to
their ends oldest first, after it was seen what later ones there are.
"""

import asyncio
import os
import re
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from services.clock import Clock
from services.errors import ServerDown
from services.language import tr
from services.mail.postfix.commands import Runner
from services.mail.postfix.folder import locked
from services.mail.postfix.logfiles import PACKED, PACKED_OTHERWISE

_HEAD = 256
_TRIES = 5
_MAX_LISTING = 4 * 1024 * 1024
_LISTED = re.compile(rb"(\d+) (\d+) (\d+)\.(\d+) (.+)\Z", re.DOTALL)
# All of one open file, whatever becomes of its name meanwhile: its first bytes, what follows
# a place, and how it then was. Its arguments: the path, the place, the number of first
# bytes, and of bytes at most.
_FETCH = """
exec 3<"$1" || exit
head -c "$3" /dev/fd/3
tail -c "+$(($2 + 1))" /dev/fd/3 | head -c "$4"
printf '\\n'
exec stat -L -c '%i %s %.9Y' /dev/fd/3
"""  # not shown
_FETCHED = re.compile(rb"\n(\d+) (\d+) (\d+)\.(\d+)\n\Z")


@dataclass(frozen=True, slots=True)
class _Far:
    """A file there, as it was when it was looked at. ``written`` is in nanoseconds."""

    name: str
    inode: int
    size: int
    written: int

    @property
    def packing(self) -> str:
        """How its name ends, if it is compressed."""
        suffix = Path(self.name).suffix
        return suffix if suffix in PACKED else ""


@dataclass(frozen=True, slots=True)
class _Piece:
    head: bytes
    data: bytes
    inode: int
    size: int
    written: int


class _Moved(Exception):
    """A file is not where it was a moment ago."""


class LogMirror:
    """Fetches the log at ``log`` there into ``folder`` here, as far back as ``history``."""

    def __init__(
        self,
        server: str,
        log: Path,
        folder: Path,
        runner: Runner,
        clock: Clock,
        history: timedelta,
        *,
        chunk: int = 8 * 1024 * 1024,
    ) -> None:
        self._server = server
        self._log = log
        self._folder = folder
        self._runner = runner
        self._clock = clock
        self._history = history
        self._chunk = chunk

    @property
    def live(self) -> Path:
        """The live log's copy."""
        return self._folder / self._log.name

    async def refresh(self) -> None:
        """Fetch what is new. Raises ServerDown; what was fetched by then is not fetched again."""
        with ExitStack() as stack:
            try:
                await asyncio.to_thread(self._folder.mkdir, 0o700, True, True)
                # Another process may be at it: a drill, beside the bot.
                await asyncio.to_thread(stack.enter_context, locked(self._folder / ".lock"))
                await self._refresh()
            except OSError as error:
                raise ServerDown(
                    tr(
                        "The copy in {folder} of the log of the mail server {server} could not be "
                        "written ({why}). No message is lost; check the disk, and whether another "
                        "Spoolwarden reads the log right now.",
                        folder=self._folder,
                        server=self._server,
                        why=error.strerror or error,
                    )
                ) from error

    async def _refresh(self) -> None:
        others: set[int] = set()
        for _ in range(_TRIES):
            files = await self._files()
            try:
                for file in files:
                    await self._fetch(file, others)
            except _Moved:
                continue
            self._forget_all_but(files)
            return
        raise ServerDown(
            tr(
                "The log {path} of the mail server {server} is moved about all the time and could "
                "not be read. No message is lost; try again.",
                path=self._log,
                server=self._server,
            )
        )

    # -- what is there -----------------------------------------------------------------

    async def _files(self) -> list[_Far]:
        """Return the files that count, oldest first, the live one last."""
        listed = await self._listed()
        copies = {path.name for path in self._copies()}
        while not copies <= {self._copy(file).name for file in listed}:
            # One is gone, or was being renamed while the folder was read: then it is there.
            again = await self._listed()
            settled = {(f.name, f.inode) for f in again} == {(f.name, f.inode) for f in listed}
            listed = again
            if settled:
                break
        names = {file.name for file in listed}
        oldest = (self._clock.now() - self._history).timestamp() * 1e9
        kept = [
            file
            for file in listed
            if file.name == self._log.name
            or (
                file.written >= oldest
                and not (file.packing and file.name.removesuffix(file.packing) in names)
            )
        ]
        return sorted(kept, key=lambda file: (file.name == self._log.name, file.written))

    async def _listed(self) -> list[_Far]:
        name = self._log.name
        argv = ["find", "-L", str(self._log.parent), "-maxdepth", "1", "-type", "f"]
        argv += ["-name", f"{name}*", "-printf", r"%i %s %T@ %f\0"]
        end = await self._runner.run(argv, limit=_MAX_LISTING)
        found = []
        for text in end.out.split(b"\0")[:-1]:
            parts = _LISTED.match(text)
            if parts is None:
                continue
            file = _Far(
                os.fsdecode(parts[5]),
                int(parts[1]),
                int(parts[2]),
                _nanoseconds(parts[3], parts[4]),
            )
            if file.name == name or (
                file.name.startswith((f"{name}.", f"{name}-"))
                and not file.name.endswith(PACKED_OTHERWISE)
            ):
                found.append(file)
        if not any(file.name == name for file in found):
            why = end.complaint if end.code else tr("there is no such file")
            raise self._unreadable(why)
        return found

    # -- fetching ------------------------------------------------------------------------

    async def _fetch(self, file: _Far, others: set[int]) -> None:
        """Fetch what is new of it. Raises _Moved, ServerDown.

        One that is not what its copy was made of is looked for first: it may have got a name,
        or been copied, since the files were listed. ``others`` are those so looked for.
        """
        path = self._copy(file)
        if file.packing:
            if _stamp(path) != (file.size, file.written):
                await self._fetch_whole(file, path)
            return
        if file.name == self._log.name:
            self._point_at(path)
        have, written = _stamp(path)
        if (have, written) == (file.size, file.written):
            return
        while True:
            head = _head(path, min(_HEAD, have))
            piece = await self._piece(file, have, len(head))
            if piece.head != head or piece.size < have:
                if file.inode not in others:
                    others.add(file.inode)
                    raise _Moved
                await self._fetch_whole(file, path)
                return
            with path.open("ab") as stream:
                stream.write(piece.data)
            os.utime(path, ns=(piece.written, piece.written))
            have += len(piece.data)
            if len(piece.data) < self._chunk:
                return

    async def _fetch_whole(self, file: _Far, path: Path) -> None:
        """Fetch it from its beginning, and then put it in the place of what was there."""
        part = self._folder / ".part"
        have = 0
        head = b""
        with part.open("wb") as stream:
            while True:
                piece = await self._piece(file, have, len(head))
                if piece.head != head or piece.size < have:
                    raise _Moved
                stream.write(piece.data)
                have += len(piece.data)
                head = (head + piece.data)[:_HEAD]
                if len(piece.data) < self._chunk:
                    break
        if file.packing and have != piece.size:
            raise _Moved  # it is being written
        os.utime(part, ns=(piece.written, piece.written))
        part.replace(path)

    async def _piece(self, file: _Far, start: int, head: int) -> _Piece:
        """Return its first ``head`` bytes and those from ``start``. Raises _Moved, ServerDown."""
        place = str(self._log.parent / file.name)
        argv = ["sh", "-c", _FETCH.strip(), "spoolwarden", place]
        argv += [str(start), str(head), str(self._chunk)]
        end = await self._runner.run(argv, limit=head + self._chunk + 200)
        found = _FETCHED.search(end.out)
        if end.code != 0 or found is None:
            if "ermission denied" in end.errors:  # not shown
                raise self._unreadable(end.complaint)
            raise _Moved
        text = end.out[: found.start()]
        written = _nanoseconds(found[3], found[4])
        piece = _Piece(text[:head], text[head:], int(found[1]), int(found[2]), written)
        if piece.inode != file.inode or (piece.data and piece.size < start + len(piece.data)):
            raise _Moved
        return piece

    # -- the copies ----------------------------------------------------------------------

    def _copy(self, file: _Far) -> Path:
        return self._folder / f"{self._log.name}-{file.inode:x}{file.packing}"

    def _copies(self) -> list[Path]:
        return list(self._folder.glob(f"{self._log.name}-*"))

    def _point_at(self, path: Path) -> None:
        if not path.exists():
            path.touch()
        if not (self.live.is_symlink() and self.live.readlink() == Path(path.name)):
            fresh = self._folder / ".link"
            fresh.unlink(missing_ok=True)
            fresh.symlink_to(path.name)
            fresh.replace(self.live)

    def _forget_all_but(self, files: list[_Far]) -> None:
        wanted = {self._copy(file) for file in files}
        for path in self._copies():
            if path not in wanted:
                path.unlink()

    def _unreadable(self, why: str) -> ServerDown:
        return ServerDown(
            tr(
                "The log {path} on the machine of the mail server {server} could not be read "
                "({why}). No message is lost; check that it is there and the bot's account there "
                "may read it.",
                path=self._log,
                server=self._server,
                why=why,
            )
        )


def _stamp(path: Path) -> tuple[int, int]:
    try:
        about = path.stat()
    except FileNotFoundError:
        return (0, 0)
    return (about.st_size, about.st_mtime_ns)


def _head(path: Path, length: int) -> bytes:
    if not length:
        return b""
    with path.open("rb") as stream:
        return stream.read(length)


def _nanoseconds(seconds: bytes, fraction: bytes) -> int:
    return int(seconds) * 10**9 + int(fraction[:9].ljust(9, b"0"))
