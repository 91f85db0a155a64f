"""Runs commands: never through a shell, with a time limit, with bounded output.

:class:`Runner` is the one seam between this package and the machine Postfix runs on.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from services.errors import ServerDown

_CHUNK = 256 * 1024
_MAX_ERRORS = 1024 * 1024
_GRACE_SECONDS = 2.0
# postqueue writes a few messages at a time, and to be woken for each costs more than to
# read it. A pipe holds what comes in meanwhile.
_GATHER_SECONDS = 0.002


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
        return (worst[-1] if worst else f"exit status {self.code}")[:200]


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
        """Run to the end. Raises ServerDown if it cannot be started or takes too long."""
        ...

    def stream(self, argv: Sequence[str]) -> AbstractAsyncContextManager[Running]:
        """Run while the block lasts; at its end a command still running is stopped."""
        ...


class LocalRunner:
    """Runs commands on this machine."""

    def __init__(self, server: str, timeout: float) -> None:
        self._server = server
        self._timeout = timeout

    async def run(
        self, argv: Sequence[str], *, stdin: bytes = b"", limit: int = 16 * 1024 * 1024
    ) -> Finished:
        """Run to the end; what it prints past ``limit`` bytes is thrown away."""
        async with self._started(argv) as process:
            reading = asyncio.gather(
                _feed(process, stdin),
                _bounded(process.stdout, limit),
                _bounded(process.stderr, _MAX_ERRORS),
            )
            try:
                async with asyncio.timeout(self._timeout):
                    _, out, errors = await reading
                    code = await process.wait()
            except TimeoutError as error:
                raise self._slow(argv) from error
        return Finished(code, out, errors.decode("utf-8", "replace"))

    @asynccontextmanager
    async def stream(self, argv: Sequence[str]) -> AsyncIterator[Running]:
        """Run while the block lasts."""
        async with self._started(argv) as process:
            errors = asyncio.create_task(_bounded(process.stderr, _MAX_ERRORS))
            try:
                yield _LocalRunning(self, argv, process, errors)
            finally:
                await _end(process)
                errors.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await errors

    @asynccontextmanager
    async def _started(self, argv: Sequence[str]) -> AsyncIterator[asyncio.subprocess.Process]:
        try:
            process = await asyncio.create_subprocess_exec(
                *argv,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env={"LC_ALL": "C", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
                limit=_CHUNK,
            )
        except OSError as error:
            raise ServerDown(
                f"{argv[0]} could not be run for the mail server {self._server} "
                f"({error.strerror or error}). Nothing was done; is Postfix installed there?"
            ) from error
        try:
            yield process
        finally:
            await _end(process)

    def _slow(self, argv: Sequence[str]) -> ServerDown:
        return ServerDown(
            f"{argv[0]} gave no answer for the mail server {self._server} in "
            f"{self._timeout:g} seconds and was stopped. Look at the server before trying again."
        )


class _LocalRunning:
    def __init__(
        self,
        runner: LocalRunner,
        argv: Sequence[str],
        process: asyncio.subprocess.Process,
        errors: "asyncio.Task[bytes]",
    ) -> None:
        self._runner = runner
        self._argv = argv
        self._process = process
        self._errors = errors

    async def chunks(self) -> AsyncIterator[bytes]:
        assert self._process.stdout is not None  # noqa: S101 - narrows the type
        while True:
            try:
                # A limit on silence, not on the whole: a long queue takes its time.
                async with asyncio.timeout(self._runner._timeout):
                    chunk = await self._process.stdout.read(_CHUNK)
            except TimeoutError as error:
                raise self._runner._slow(self._argv) from error
            if not chunk:
                return
            yield chunk
            await self._gather()

    async def _gather(self) -> None:
        transport = self._process._transport.get_pipe_transport(1)  # type: ignore[attr-defined]
        # Whether it is reading, a transport tells in newer Pythons only: Debian 12 has 3.11.2.
        if transport.is_closing() or self._process.stdout._paused:  # type: ignore[union-attr]
            return  # it ended, or there is plenty to read already
        transport.pause_reading()
        try:
            await asyncio.sleep(_GATHER_SECONDS)
        finally:
            transport.resume_reading()

    async def finished(self) -> Finished:
        try:
            async with asyncio.timeout(self._runner._timeout):
                code = await self._process.wait()
                errors = await self._errors
        except TimeoutError as error:
            raise self._runner._slow(self._argv) from error
        return Finished(code, b"", errors.decode("utf-8", "replace"))


async def _feed(process: asyncio.subprocess.Process, stdin: bytes) -> None:
    assert process.stdin is not None  # noqa: S101 - narrows the type
    # It may end without reading all: its exit status then says why.
    with contextlib.suppress(ConnectionError):
        process.stdin.write(stdin)
        await process.stdin.drain()
    process.stdin.close()


async def _bounded(reader: asyncio.StreamReader | None, limit: int) -> bytes:
    assert reader is not None  # noqa: S101 - narrows the type
    parts: list[bytes] = []
    room = limit
    while chunk := await reader.read(_CHUNK):
        if room > 0:
            parts.append(chunk[:room])
            room -= len(parts[-1])
    return b"".join(parts)


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
    while await process.stdout.read(_CHUNK):
        pass  # a full pipe would keep it from ending
    await process.wait()
