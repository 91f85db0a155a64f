"""The copy of another machine's log: every line once, whatever becomes of the log meanwhile.

The commands are run on this machine; what is read over SSH is read by the same ones.
"""

import asyncio
import gzip
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.clock import SystemClock
from services.errors import ServerDown
from services.mail.port import submitted
from services.mail.postfix.commands import Finished, LocalRunner
from services.mail.postfix.folder import locked
from services.mail.postfix.lines import LineParser
from services.mail.postfix.log import SubmissionLog
from services.mail.postfix.mirror import LogMirror

from .test_postfix_log import message

HISTORY = timedelta(days=7)


class Meddling(LocalRunner):
    """Runs commands here, and does something else before the one that holds a word."""

    def __init__(self) -> None:
        super().__init__("mx", 20.0)
        self.before: list[tuple[str, Callable[[], None]]] = []
        self.commands: list[str] = []

    async def run(
        self, argv: Sequence[str], *, stdin: bytes = b"", limit: int = 16 * 1024 * 1024
    ) -> Finished:
        self.commands.append(argv[0])
        if self.before and self.before[0][0] == argv[0]:
            self.before.pop(0)[1]()
        return await super().run(argv, stdin=stdin, limit=limit)


class Far:
    """A log there, its copy here, and who reads it."""

    def __init__(self, folder: Path, *, chunk: int = 1000) -> None:
        self.folder = folder
        self.log = folder / "far" / "mail.log"
        self.log.parent.mkdir()
        self.runner = Meddling()
        self.chunk = chunk
        # A moment ago, and each file is written at another one.
        self.now = datetime.now(UTC).timestamp() - 5000
        self.cursor: str | None = None
        self.numbers: list[int] = []
        self.written = 0
        self.write(b"")
        self.restart()

    def restart(self) -> None:
        clock = SystemClock()
        self.mirror = LogMirror(
            "mx", self.log, self.folder / "copy", self.runner, clock, HISTORY, chunk=self.chunk
        )
        parser = LineParser("postfix", UTC)
        live = self.mirror.live
        self.reader = SubmissionLog(
            "mx", live, parser, clock, HISTORY, lambda seen: None, lambda ids: {}
        )

    def write(self, content: bytes) -> None:
        with self.log.open("ab") as stream:
            stream.write(content)
        self.now += 1
        os.utime(self.log, (self.now, self.now))

    def messages(self, number: int) -> None:
        for _ in range(number):
            self.write(message(self.written))
            self.written += 1

    def rotate(self, *, compress: bool = True) -> None:
        """As logrotate with ``delaycompress``."""
        older = self.log.with_name("mail.log.1")
        if older.exists() and compress:
            packed = self.log.with_name(f"mail.log.2-{self.now:.0f}.gz")
            stamp = older.stat().st_mtime_ns
            packed.write_bytes(gzip.compress(older.read_bytes()))
            os.utime(packed, ns=(stamp, stamp))
            older.unlink()
        elif older.exists():
            older.rename(self.log.with_name(f"mail.log-{self.written}-{self.now:.0f}"))
        self.log.rename(older)
        self.write(b"")

    def truncate(self) -> None:
        """As logrotate with ``copytruncate``."""
        copy = self.log.with_name(f"mail.log.3-{self.written}-{self.now:.0f}")
        shutil.copy(self.log, copy)
        os.utime(copy, (self.now, self.now))
        os.truncate(self.log, 0)
        self.write(b"")

    async def read(self) -> None:
        await self.mirror.refresh()
        while page := self.reader.after(self.cursor, 3):
            self.cursor = page[-1].cursor
            self.numbers += [int(re.findall(r"\d+", one.subject)[0]) for one in submitted(page)]


@pytest.fixture
def far(tmp_path: Path) -> Far:
    return Far(tmp_path)


async def test_only_what_is_new_is_fetched(far: Far) -> None:
    far.messages(50)
    await far.read()
    assert far.numbers == list(range(50))
    far.runner.commands.clear()
    await far.read()
    assert far.runner.commands == ["find"]
    far.messages(1)
    await far.read()
    assert far.runner.commands == ["find", "find", "sh"]
    assert far.numbers == list(range(51))
    copy = far.mirror.live
    assert copy.read_bytes() == far.log.read_bytes()
    assert copy.stat().st_mtime_ns == far.log.stat().st_mtime_ns


@pytest.mark.parametrize("change", ["rotate", "truncate", "rotate twice"])
@pytest.mark.parametrize("word", ["find", "sh"])
@pytest.mark.parametrize("restart", [False, True])
async def test_a_log_that_is_rotated_while_it_is_fetched_is_fetched_whole(
    far: Far, change: str, word: str, restart: bool
) -> None:
    far.messages(20)
    await far.read()
    far.messages(20)

    def meddle() -> None:
        far.messages(1)
        (far.truncate if change == "truncate" else far.rotate)()
        far.messages(2)
        if change == "rotate twice":
            far.rotate()

    far.runner.before.append((word, meddle))
    await far.read()
    assert far.runner.before == []
    if restart:
        far.restart()
    far.messages(1)
    await far.read()
    assert far.numbers == list(range(44))


async def test_half_a_line_waits_for_its_other_half(far: Far) -> None:
    whole = message(0)
    for end in (whole.index(b"qmgr"), whole.index(b"(queue active)")):
        far.write(whole[far.log.stat().st_size : end])
        await far.read()
        assert far.numbers == []
    far.write(whole[end:])
    await far.read()
    assert far.numbers == [0]


async def test_bytes_that_are_no_text_are_copied_as_they_are(far: Far) -> None:
    far.write(bytes(range(256)) * 20 + b"\n1 2 3.4\n")
    far.messages(3)
    await far.read()
    assert far.mirror.live.read_bytes() == far.log.read_bytes()
    assert far.numbers == [0, 1, 2]


async def test_what_lies_beside_the_log_is_left_alone(far: Far) -> None:
    far.messages(2)
    for name in ("mail.log.1.zst", "mail.log.1.lz4", "mail.logger", "mail.err", "mail.log' \n$(x)"):
        far.log.with_name(name).write_bytes(message(99))
    (far.log.parent / "mail.log.d").mkdir()
    far.log.with_name("mail.log.1' \n$(touch x)").write_bytes(message(98))
    await far.read()
    assert sorted(far.numbers) == [0, 1, 98]
    assert len(list((far.folder / "copy").glob("mail.log-*"))) == 2


async def test_history_bounds_what_is_fetched(far: Far) -> None:
    far.messages(2)
    far.rotate()
    long_ago = (datetime.now(UTC) - 2 * HISTORY).timestamp()
    os.utime(far.log.with_name("mail.log.1"), (long_ago, long_ago))
    far.messages(1)
    await far.read()
    assert far.numbers == [2]
    assert len(list((far.folder / "copy").glob("mail.log-*"))) == 1


async def test_what_is_gone_there_goes_here_too(far: Far) -> None:
    far.messages(2)
    far.rotate()
    far.messages(1)
    await far.read()
    far.log.with_name("mail.log.1").unlink()
    await far.read()
    assert len(list((far.folder / "copy").glob("mail.log-*"))) == 1


@pytest.mark.parametrize("why", ["absent", "locked"])
async def test_a_log_that_cannot_be_fetched_is_told_and_read_later(far: Far, why: str) -> None:
    far.messages(2)
    aside = far.log.with_name("aside")
    if why == "absent":
        far.log.rename(aside)
        with pytest.raises(ServerDown, match=r"there is no such file.*No message is lost"):
            await far.read()
        aside.rename(far.log)
    else:
        (far.folder / "copy").write_text("not a folder")
        with pytest.raises(ServerDown, match=r"could not be written.*No message is lost"):
            await far.read()
        (far.folder / "copy").unlink()
    await far.read()
    assert far.numbers == [0, 1]


async def test_two_at_once_do_not_write_the_copy_twice(far: Far) -> None:
    far.messages(200)
    other = LogMirror(
        "mx", far.log, far.folder / "copy", LocalRunner("mx", 20.0), SystemClock(), HISTORY
    )
    await asyncio.gather(far.mirror.refresh(), other.refresh(), far.mirror.refresh())
    assert far.mirror.live.read_bytes() == far.log.read_bytes()
    with locked(far.folder / "copy" / ".lock"):
        pass


@settings(deadline=None, max_examples=25)
@given(
    steps=st.lists(
        st.sampled_from(["write", "half", "rotate", "plain", "truncate", "read", "restart"]),
        max_size=14,
    ),
    chunk=st.sampled_from([300, 5000]),
)
def test_each_message_is_read_once_whatever_happens(steps: list[str], chunk: int) -> None:
    async def happen(far: Far) -> None:
        rest = b""
        for step in steps:
            if step in ("write", "half") and not rest:
                content = message(far.written)
                far.written += 1
                half = content.index(b"(queue active)")
                far.write(content[:half])
                rest = content[half:]
            if step != "half" and rest:
                far.write(rest)  # a line is not torn by a rotation
                rest = b""
            if step == "rotate":
                far.rotate()
            elif step == "plain":
                far.rotate(compress=False)
            elif step == "truncate":
                far.truncate()
            elif step == "read":
                await far.read()
            elif step == "restart":
                far.restart()
        far.write(rest)
        far.messages(1)
        await far.read()

    with tempfile.TemporaryDirectory() as folder:
        far = Far(Path(folder), chunk=chunk)
        asyncio.run(happen(far))
        assert far.numbers == list(range(far.written))
