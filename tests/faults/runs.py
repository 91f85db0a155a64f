"""One run: something is made ready, done until it is killed, and looked at."""

import asyncio
import hashlib
import shutil
import sqlite3
from collections.abc import Callable, Coroutine, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from bot.elements import Card
from services.mail.port import Capabilities
from services.remedies import lacking

from ..mail.harness import ANN, BOB, START
from ..services.bench import CEO, open_bench
from .cases import BY_NAME
from .checks import DONE, INTERRUPTED, NEVER, Checks
from .forks import ChildError, in_child
from .kinds import Case, Set, furnish
from .stepping import Steps, die
from .telling import CHATS, Told, faults_of, look, prepare, serving, tell
from .world import Paper, Snapshot, World, publisher, snapshot

_T = TypeVar("_T")
Files = Mapping[str, bytes]
Left = tuple[str, int, bool, bytes]
#: A chat is told the same whatever the mail server is.
_EMBEDDED = World()


@dataclass(frozen=True)
class Ready:
    """Something made ready: the databases, what is to be pressed, how all is before."""

    files: Files
    at: datetime
    made: Set
    before: Snapshot
    shown: dict[str, tuple[str, Card]]


@dataclass(frozen=True)
class Spec:
    """Which run: what is done, with how much mail, killed where, and what comes after it."""

    case: str
    messages: int
    last: int
    undo_at_once: bool


@dataclass(frozen=True)
class Ran:
    """What came of a run."""

    spec: Spec
    came: str
    faults: tuple[str, ...]


class Runner:
    """Makes runs on one world, one after another."""

    def __init__(self, world: World, scratch: str | None) -> None:
        self._world = world
        self._scratch = scratch
        self._furnished: dict[int, tuple[Files, int]] = {}
        self._ready: dict[tuple[str, int], Ready] = {}
        self._whole: dict[tuple[str, int], tuple[int, list[int], Snapshot]] = {}
        self._told: dict[str, int] = {}
        self._nothing_told: Files | None = None
        self._capabilities: Capabilities | None = None
        self._looked: dict[Left, tuple[str, tuple[str, ...]]] = {}

    def steps(self, case: str, messages: int) -> int:
        """Return in how many steps this is done."""
        if case in CHATS:
            return self._told_in(case)
        return self._through(case, messages)[0]

    def on_mail(self, case: str, messages: int) -> list[int]:
        """Return at which of its steps the mail server's module is at work."""
        return [] if case in CHATS else self._through(case, messages)[1]

    def lacks(self, case: str) -> str | None:
        """Return the sentence why this world's mail server can't do this; None where it can."""
        if case in CHATS:
            return None
        if self._capabilities is None:
            with self._folder({}) as folder:
                self._capabilities = in_child(_loop(self._look_what_is_able, Path(folder)))
            assert self._capabilities is not None
        act = BY_NAME[case].of
        return lacking(act.action, self._capabilities, act.target)

    def run(self, spec: Spec) -> Ran:
        """Do it, killed at its step, and look. Raises ChildError where looking failed."""
        if spec.case in CHATS:
            return self._run_telling(spec)
        *_, after = self._through(spec.case, spec.messages)
        ready = self._make_ready(spec.case, spec.messages)
        case = BY_NAME[spec.case]
        with self._folder(ready.files) as folder:
            path = Path(folder)
            in_child(_loop(self._act, path, case, ready, spec.last))
            # Most steps write nothing: what looks the same in every row has been looked at.
            left = self._left(spec, path)
            if left is None or left not in self._looked:
                try:
                    looked = in_child(
                        _loop(self._look, path, case, ready, after, spec.undo_at_once)
                    )
                except ChildError as error:
                    looked = ("unknown", (f"looking failed: {error}",))
                assert looked is not None
                if left is None:
                    return Ran(spec, *looked)
                self._looked[left] = looked
        return Ran(spec, *self._looked[left])

    def _left(self, spec: Spec, folder: Path) -> Left | None:
        """Return by what to know these remains again; None where they are not all in files."""
        if self._world.instance is not None:
            return None
        with TemporaryDirectory(dir=self._scratch, prefix="spoolwarden-faults-") as aside:
            return (spec.case, spec.messages, spec.undo_at_once, _digest(folder, Path(aside)))

    # -- telling a chat ---------------------------------------------------------------

    def _told_in(self, name: str) -> int:
        if name not in self._told:
            with serving(CHATS[name]) as chat, self._folder(self._untold()) as folder:
                steps = in_child(_loop(self._tell, Path(folder), chat.settings, name, None))
            assert steps is not None
            self._told[name] = steps
        return self._told[name]

    def _run_telling(self, spec: Spec) -> Ran:
        with serving(CHATS[spec.case]) as chat, self._folder(self._untold()) as folder:
            path = Path(folder)
            in_child(_loop(self._tell, path, chat.settings, spec.case, spec.last))
            before = chat.shown()
            try:
                told = in_child(_loop(self._look_told, path, chat.settings, spec.case))
            except ChildError as error:
                return Ran(spec, "unknown", (f"looking failed: {error}",))
            assert told is not None
            came = DONE if not told.left else INTERRUPTED if before else NEVER
            return Ran(spec, came, tuple(faults_of(told, chat.shown())))

    def _untold(self) -> Files:
        """Return the databases with all done and nothing told."""
        if self._nothing_told is None:
            with self._folder({}) as folder:
                self._nothing_told = in_child(_loop(self._prepare_untold, Path(folder)))
            assert self._nothing_told is not None
        return self._nothing_told

    def _through(self, name: str, messages: int) -> tuple[int, list[int], Snapshot]:
        key = (name, messages)
        if key not in self._whole:
            ready = self._make_ready(name, messages)
            with self._folder(ready.files) as folder:
                done = in_child(_loop(self._act, Path(folder), BY_NAME[name], ready, None))
            assert done is not None
            self._whole[key] = done
        return self._whole[key]

    def _make_ready(self, name: str, messages: int) -> Ready:
        """Make it ready: on Postfix, whose spool is not ours to copy, each time anew."""
        key = (name, messages)
        copied = self._world.instance is None
        if not copied or key not in self._ready:
            files, incident_id = self._furnish(messages)
            with self._folder(files) as folder:
                ready = in_child(_loop(self._prepare, Path(folder), BY_NAME[name], incident_id))
            assert ready is not None
            self._ready[key] = ready
        return self._ready[key]

    def _furnish(self, messages: int) -> tuple[Files, int]:
        if self._world.instance is not None:
            self._world.instance.empty()
            for address in (ANN, BOB, CEO):
                self._world.instance.add_login(address, "correct horse")
            self._furnished.clear()
        if messages not in self._furnished:
            with self._folder({}) as folder:
                done = in_child(_loop(self._fill, Path(folder), messages))
            assert done is not None
            self._furnished[messages] = done
        return self._furnished[messages]

    def _folder(self, files: Files) -> "TemporaryDirectory[str]":
        folder = TemporaryDirectory(dir=self._scratch, prefix="spoolwarden-faults-")
        for name, content in files.items():
            (Path(folder.name) / name).write_bytes(content)
        return folder

    # -- in a child -----------------------------------------------------------------------

    async def _fill(self, folder: Path, messages: int) -> tuple[Files, int]:
        if self._world.instance is None:
            async with open_bench(folder) as bench:
                incident_id = await furnish(bench, messages)
        else:
            async with self._world.opened(folder, self._world.begins) as bench:
                incident_id = await furnish(bench, messages)
        return _files(folder), incident_id

    async def _prepare(self, folder: Path, case: Case, incident_id: int) -> Ready:
        paper = Paper({})
        async with self._world.opened(folder, self._world.begins) as bench:
            made = await case.prepare(bench, incident_id)
            await publisher(bench, paper).catch_up()
            before = await snapshot(bench)
            at = bench.clock.now()
        return Ready(_files(folder), at, made, before, paper.shown)

    async def _act(
        self, folder: Path, case: Case, ready: Ready, last: int | None
    ) -> tuple[int, list[int], Snapshot]:
        steps = Steps(last)
        async with self._world.opened(folder, ready.at) as bench:
            await steps.through(case.act(bench, ready.made))
            if last is not None:
                die()
            return steps.passed, steps.on_mail, await snapshot(bench)

    async def _look_what_is_able(self, folder: Path) -> Capabilities:
        async with self._world.opened(folder, self._world.begins) as bench:
            return bench.server.capabilities

    async def _prepare_untold(self, folder: Path) -> Files:
        async with open_bench(folder) as bench:
            await prepare(bench)
        return _files(folder)

    async def _tell(self, folder: Path, settings: Any, name: str, last: int | None) -> int:
        async with _EMBEDDED.opened(folder, START) as bench:
            return await tell(bench, CHATS[name], settings, last)

    async def _look_told(self, folder: Path, settings: Any, name: str) -> Told:
        async with _EMBEDDED.opened(folder, START) as bench:
            return await look(bench, CHATS[name], settings)

    async def _look(
        self, folder: Path, case: Case, ready: Ready, after: Snapshot, undo_at_once: bool
    ) -> tuple[str, tuple[str, ...]]:
        async with self._world.opened(folder, ready.at) as bench:
            paper = Paper(dict(ready.shown))
            checks = Checks(bench, case, ready.made, ready.before, after, paper)
            came = await checks.run(undo_at_once=undo_at_once)
            return came, tuple(checks.faults)


def _loop(work: Callable[..., Coroutine[Any, Any, _T]], *arguments: Any) -> Callable[[], _T]:
    return partial(_run, work, arguments)


def _run(work: Callable[..., Coroutine[Any, Any, _T]], arguments: tuple[Any, ...]) -> _T:
    return asyncio.run(work(*arguments))


def _files(folder: Path) -> Files:
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}


def _digest(folder: Path, aside: Path) -> bytes:
    """Digest all that a folder holds; of a database, its rows as whoever opens it next has them."""
    shutil.copytree(folder, aside, dirs_exist_ok=True)
    digest = hashlib.blake2b()
    for file in sorted(path for path in aside.rglob("*") if path.is_file()):
        if file.name.endswith(("-wal", "-shm")):
            continue
        digest.update(str(file.relative_to(aside)).encode())
        if file.suffix == ".db":
            with closing(sqlite3.connect(file)) as database:
                for line in database.iterdump():
                    digest.update(line.encode())
        else:
            digest.update(file.read_bytes())
    return digest.digest()
