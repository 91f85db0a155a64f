"""Runs commands: never through a shell, with a time limit, with bounded output.

:class:`Runner` is the one seam between this package and the machine Postfix runs on. What
a command is to change comes on its standard input, here as in :mod:`.ssh`: one that is
given none only reads.
"""

import asyncio
import contextlib
import fcntl
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from services.errors import ServerDown
from services.language import tr

CHUNK = 256 * 1024
MAX_ERRORS = 1024 * 1024
_GRACE_SECONDS = 2.0
_PIPE = 1024 * 1024
ENVIRONMENT = {"LC_ALL": "C", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}


@dataclass(frozen=True, slots=True)
class Finished:
    """A command that ended. ``out`` and ``errors`` are at most as long as was asked for."""

    code: int
    out: bytes
    errors: str

    @property
    def complaint(self) -> str:
        """What it said went wrong, on one line, short enough for a sentence."""
        text = self.errors or self.out.decode("utf-8", "replace")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        worst = [line for line in lines if "fatal" in line or "sudo" in line] or lines
        return (worst[-1] if worst else tr("exit status {code}", code=str(self.code)))[:200]


class CutShort(ServerDown):
    """A command that may have changed something was cut short: whether it did is not known.

    ``errors`` is what it had said on its standard error by then.
    """

    def __init__(self, sentence: str, errors: bytes) -> None:
        super().__init__(sentence)
        self.errors = errors.decode("utf-8", "replace")


class ByteReader(Protocol):
    """A stream of bytes."""

    async def read(self, n: int, /) -> bytes:
        """Return up to ``n`` bytes, none at the end."""
        ...


class Running(Protocol):
    """A command whose output is being read."""

    def chunks(self) -> AsyncIterator[bytes]:
        """Yield the output as it comes."""
        ...

    async def finished(self) -> Finished:
        """Wait for the end, and tell how it was. ``out`` is empty."""
        ...


class Runner(Protocol):
    """Runs commands on the machine of the mail server."""

    async def run(
        self, argv: Sequence[str], *, stdin: bytes = b"", limit: int = 16 * 1024 * 1024
    ) -> Finished:
        """Run to the end. Raises ServerDown if it cannot be started or takes too long.

        That is CutShort where it had standard input and so may have changed something.
        """
        ...

    def stream(self, argv: Sequence[str]) -> AbstractAsyncContextManager[Running]:
        """Run while the block lasts; at its end a command still running is stopped."""
        ...

    async def close(self) -> None:
        """Let go of the machine, when all commands have ended."""
        ...


class Gathered:
    """What a command prints, up to a number of bytes; the rest is read and thrown away.

    What there is by then stays when the reading is cut short.
    """

    def __init__(self, limit: int) -> None:
        self._parts: list[bytes] = []
        self._room = limit

    @property
    def content(self) -> bytes:
        """What was printed."""
        return b"".join(self._parts)

    @property
    def text(self) -> str:
        """The same, as text."""
        return self.content.decode("utf-8", "replace")

    async def read(self, reader: ByteReader) -> None:
        """Read to the end."""
        while chunk := await reader.read(CHUNK):
            if self._room > 0:
                self._parts.append(chunk[: self._room])
                self._room -= len(self._parts[-1])


class LocalRunner:
    """Runs commands on this machine."""

    def __init__(self, server: str, timeout: float) -> None:
        self._server = server
        self._timeout = timeout

    async def run(
        self, argv: Sequence[str], *, stdin: bytes = b"", limit: int = 16 * 1024 * 1024
    ) -> Finished:
        """Run to the end; what it prints past ``limit`` bytes is thrown away."""
        out, errors = Gathered(limit), Gathered(MAX_ERRORS)
        async with self._started(argv) as process:
            assert process.stdout is not None  # noqa: S101 - narrows the type
            assert process.stderr is not None  # noqa: S101 - narrows the type
            reading = asyncio.gather(
                _feed(process, stdin), out.read(process.stdout), errors.read(process.stderr)
            )
            try:
                async with asyncio.timeout(self._timeout):
                    await reading
                    code = await process.wait()
            except TimeoutError as error:
                slow = self._slow(argv)
                raise (CutShort(str(slow), errors.content) if stdin else slow) from error
        return Finished(code, out.content, errors.text)

    @asynccontextmanager
    async def stream(self, argv: Sequence[str]) -> AsyncIterator[Running]:
        """Run while the block lasts."""
        async with self._started(argv) as process:
            assert process.stderr is not None  # noqa: S101 - narrows the type
            errors = Gathered(MAX_ERRORS)
            _widen(process)
            reading = asyncio.create_task(errors.read(process.stderr))
            try:
                yield _LocalRunning(self, argv, process, errors, reading)
            finally:
                await _end(process)
                reading.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await reading

    async def close(self) -> None:
        """Do nothing: there is nothing to let go of."""

    @asynccontextmanager
    async def _started(self, argv: Sequence[str]) -> AsyncIterator[asyncio.subprocess.Process]:
        try:
            process = await asyncio.create_subprocess_exec(
                *argv,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=ENVIRONMENT,
                limit=CHUNK,
            )
        except OSError as error:
            raise ServerDown(
                tr(
                    "{program} could not be run for the mail server {server} ({why}). Nothing was "
                    "done; is Postfix installed there?",
                    program=argv[0],
                    server=self._server,
                    why=error.strerror or error,
                )
            ) from error
        try:
            yield process
        finally:
            await _end(process)

    def _slow(self, argv: Sequence[str]) -> ServerDown:
        return ServerDown(
            tr(
                "{program} gave no answer for the mail server {server} in {seconds} seconds and "
                "was stopped. Look at the server before trying again.",
                program=argv[0],
                server=self._server,
                seconds=f"{self._timeout:g}",
            )
        )


class _LocalRunning:
    def __init__(
        self,
        runner: LocalRunner,
        argv: Sequence[str],
        process: asyncio.subprocess.Process,
        errors: "Gathered",
        reading: "asyncio.Task[None]",
    ) -> None:
        self._runner = runner
        self._argv = argv
        self._process = process
        self._errors = errors
        self._reading = reading

    async def chunks(self) -> AsyncIterator[bytes]:
        assert self._process.stdout is not None  # noqa: S101 - narrows the type
        while True:
            try:
                # A limit on silence, not on the whole: a long queue takes its time.
                async with asyncio.timeout(self._runner._timeout):
                    chunk = await self._process.stdout.read(CHUNK)
            except TimeoutError as error:
                raise self._runner._slow(self._argv) from error
            if not chunk:
                return
            yield chunk

    async def finished(self) -> Finished:
        try:
            async with asyncio.timeout(self._runner._timeout):
                code = await self._process.wait()
                await self._reading
        except TimeoutError as error:
            raise self._runner._slow(self._argv) from error
        return Finished(code, b"", self._errors.text)


def _widen(process: asyncio.subprocess.Process) -> None:
    """Let it print on while we work on what it printed before."""
    transport = process._transport.get_pipe_transport(1)  # type: ignore[attr-defined]
    # Not everywhere, not past what the system gives one user, and not when it has ended already.
    with contextlib.suppress(OSError, ValueError, AttributeError):
        fcntl.fcntl(transport.get_extra_info("pipe"), fcntl.F_SETPIPE_SZ, _PIPE)


async def _feed(process: asyncio.subprocess.Process, stdin: bytes) -> None:
    assert process.stdin is not None  # noqa: S101 - narrows the type
    # It may end without reading all: its exit status then says why.
    with contextlib.suppress(ConnectionError):
        process.stdin.write(stdin)
        await process.stdin.drain()
    process.stdin.close()


async def _end(process: asyncio.subprocess.Process) -> None:
    """Stop a command that still runs; sudo hands a TERM on, but cannot a KILL."""
    if process.stdin is not None:
        process.stdin.close()
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(_GRACE_SECONDS):
                await _drained(process)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    # The pipes are closed by the transport, which closes when told to.
    process._transport.close()  # type: ignore[attr-defined]


async def _drained(process: asyncio.subprocess.Process) -> None:
    assert process.stdout is not None  # noqa: S101 - narrows the type
    while await process.stdout.read(CHUNK):
        pass  # a full pipe would keep it from ending
    await process.wait()
