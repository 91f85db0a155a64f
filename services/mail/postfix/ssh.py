"""Runs commands on another machine by SSH, over one connection that is kept.

sshd hands a command to the shell of the account as one line, so each argument is quoted for
it: the account needs a POSIX shell (sh, bash, dash; not csh or fish). There,
``env`` runs the command itself.

What a command is to change comes on its standard input (:mod:`.commands`). It is not started
before all of that is there: a connection that ends halfway would else leave a command with
the first half of a password, or with the half of a queue id that is another message's.
"""

import asyncio
import contextlib
import logging
import math
import shlex
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import asyncssh

from services.errors import ServerDown
from services.language import later, tr, trn
from services.mail.postfix.commands import (
    CHUNK,
    ENVIRONMENT,
    MAX_ERRORS,
    CutShort,
    Finished,
    Gathered,
    Running,
)
from services.mail.postfix.target import Target

_CONNECT_SECONDS = 15.0
# sshd sends a few messages at a time: more of them are there in a moment.
_GATHER_SECONDS = 0.002
_KEEPALIVE_SECONDS = 15
_KEEPALIVE_TRIES = 3
_MOST_SECONDS_BETWEEN = 60.0
_GRACE_SECONDS = 2.0
# sshd serves ten sessions on a connection (MaxSessions). A listing is read while other
# commands run, and none of those waits for a listing.
_RUNS, _STREAMS = 6, 3
_NOT_FOUND, _NOT_RUN = 127, 126
_STARTERS = ("env: ", "timeout: ")
# Reads all input, and starts the command only if it has the length that was said.
_WHOLE_INPUT = (
    'LC_ALL=C; input=$(cat; echo .) || exit; [ "${#input}" -eq "$1" ] || exit 75; '
    'shift; printf %s "${input%.}" | "$@"'  # not shown
)

# Its notes on each connection and command are for its own debugging.
logging.getLogger("asyncssh").setLevel(logging.WARNING)


class SshRunner:
    """Runs commands on the machine of a mail server.

    ``between`` is how long it waits, in seconds, after a connection could not be made; each
    failure in a row doubles it. A connection that was made and lost is made again at once.
    """

    def __init__(
        self, server: str, timeout: float, target: Target, *, between: float = 1.0
    ) -> None:
        self._server = server
        self._timeout = timeout
        self._target = target
        self._connection: asyncssh.SSHClientConnection | None = None
        self._connecting = asyncio.Lock()
        self._runs = asyncio.Semaphore(_RUNS)
        self._streams = asyncio.Semaphore(_STREAMS)
        self._between = between
        self._failures = 0
        self._not_before = 0.0
        self._refusal = ""

    async def close(self) -> None:
        """Close the connection. A command after this makes another."""
        async with self._connecting:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()
                await connection.wait_closed()

    async def run(
        self, argv: Sequence[str], *, stdin: bytes = b"", limit: int = 16 * 1024 * 1024
    ) -> Finished:
        """Run to the end; what it prints past ``limit`` bytes is thrown away."""
        if b"\0" in stdin:
            raise _no_null(argv[0])
        # It ends by itself, too: sshd hands no signal on to root, nor when the way is cut.
        line = ["timeout", "-k", "5", f"{self._timeout + 1:g}", *argv]
        if stdin:
            # One byte more for the dot that keeps line ends at the end.
            line = ["sh", "-c", _WHOLE_INPUT, "sh", str(len(stdin) + 1), *line]
        out, errors = Gathered(limit), Gathered(MAX_ERRORS)
        async with self._runs, self._started(argv[0], line) as process:
            try:
                async with asyncio.timeout(self._timeout):
                    await asyncio.gather(
                        _feed(process, stdin),
                        _read(process.stdout, out),
                        _read(process.stderr, errors),
                    )
                    await process.wait_closed()
            except TimeoutError as error:
                slow = self._slow(argv[0])
                raise (CutShort(str(slow), errors.content) if stdin else slow) from error
            if process.returncode is None:
                raise self._cut(argv[0], changing=bool(stdin), errors=errors.content)
        return self._ended(argv[0], Finished(process.returncode, out.content, errors.text))

    @asynccontextmanager
    async def stream(self, argv: Sequence[str]) -> AsyncIterator[Running]:
        """Run while the block lasts."""
        async with self._streams, self._started(argv[0], argv) as process:
            process.stdin.write_eof()
            errors = Gathered(MAX_ERRORS)
            reading = asyncio.create_task(_read(process.stderr, errors))
            try:
                yield _SshRunning(self, argv[0], process, errors, reading)
            finally:
                reading.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await reading

    # -- inside ----------------------------------------------------------------------

    @asynccontextmanager
    async def _started(
        self, program: str, argv: Sequence[str]
    ) -> AsyncIterator["asyncssh.SSHClientProcess[bytes]"]:
        process = await self._start(program, _command(argv))
        try:
            yield process
        finally:
            await _end(process)

    async def _start(self, program: str, command: bytes) -> "asyncssh.SSHClientProcess[bytes]":
        kept = self._connection
        connection = await self._connected()
        try:
            return await self._open(connection, command)
        except (asyncssh.Error, OSError, TimeoutError) as error:
            # The connection was lost since it was last used, else sshd did not want to. What
            # a command is to change it has not been given: to start it twice does no harm.
            if connection is not kept or not connection.is_closed():
                raise self._not_started(program, error) from error
        try:
            return await self._open(await self._connected(), command)
        except (asyncssh.Error, OSError, TimeoutError) as error:
            raise self._not_started(program, error) from error

    async def _open(
        self, connection: asyncssh.SSHClientConnection, command: bytes
    ) -> "asyncssh.SSHClientProcess[bytes]":
        async with asyncio.timeout(self._timeout):
            return await connection.create_process(command, encoding=None)

    async def _connected(self) -> asyncssh.SSHClientConnection:
        """Return the connection, a new one where there is none or it ended. Raises ServerDown."""
        async with self._connecting:
            if self._connection is not None and not self._connection.is_closed():
                return self._connection
            now = asyncio.get_running_loop().time()
            if now < self._not_before:
                raise ServerDown(
                    trn(
                        "{what} (That was found out just now; it is tried again in {n} second.)",
                        "{what} (That was found out just now; it is tried again in {n} seconds.)",
                        math.ceil(self._not_before - now),
                        what=self._refusal,
                    )
                )
            try:
                self._connection = await self._connect()
            except ServerDown as error:
                pause = min(self._between * 2.0**self._failures, _MOST_SECONDS_BETWEEN)
                self._failures = min(self._failures + 1, 10)
                self._not_before = asyncio.get_running_loop().time() + pause
                self._refusal = str(error)
                raise
            self._failures = 0
            return self._connection

    async def _connect(self) -> asyncssh.SSHClientConnection:
        target = self._target
        try:
            known = await asyncio.to_thread(asyncssh.read_known_hosts, str(target.hosts_file))
        except FileNotFoundError:
            raise self._unknown(tr("there is no file {path}", path=target.hosts_file)) from None
        except (OSError, ValueError) as error:
            raise ServerDown(
                tr(
                    "{path}, with the host keys that are trusted, cannot be read ({why}). Nothing "
                    "was done.",
                    path=target.hosts_file,
                    why=str(error)[:120],
                )
            ) from error
        keys = [] if target.key is None else [str(target.key.expanduser())]
        try:
            return await asyncssh.connect(
                target.host,
                target.port,
                username=target.user,
                known_hosts=known,
                config=None,
                # With a key named, no other is tried: a server allows few tries.
                **({"client_keys": keys, "agent_path": None} if keys else {}),
                preferred_auth="publickey",
                x509_trusted_certs=None,
                connect_timeout=_CONNECT_SECONDS,
                login_timeout=_CONNECT_SECONDS,
                keepalive_interval=_KEEPALIVE_SECONDS,
                keepalive_count_max=_KEEPALIVE_TRIES,
            )
        except asyncssh.HostKeyNotVerifiable:
            held = any(asyncssh.match_known_hosts(known, target.host, "", target.port)[:2])
            if held:
                raise self._changed() from None
            raise self._unknown(tr("it is not in {path}", path=target.hosts_file)) from None
        except asyncssh.PermissionDenied as error:
            raise self._not_let_in() from error
        except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
            raise self._no_key(str(error)) from error
        except (FileNotFoundError, PermissionError) as error:
            if error.filename is None or str(error.filename) not in keys:
                raise self._unreachable(error) from error
            raise self._no_key(error.strerror or str(error)) from error
        except (asyncssh.Error, OSError, TimeoutError) as error:
            raise self._unreachable(error) from error

    # -- sentences -------------------------------------------------------------------

    def _told(self, sentence: str, **values: object) -> str:
        """Return a sentence of the catalogue on the machine and its mail server."""
        return tr(sentence, host=self._target.host, server=self._server, **values)

    def _unreachable(self, error: Exception) -> ServerDown:
        why = getattr(error, "strerror", None) or str(error) or tr("no answer in time")
        sentence = later(
            "{host}, the machine of the mail server {server}, could not be reached by SSH on port "
            "{port} ({why}). Nothing was done. Check that its sshd runs and the way there is open."
        )
        return ServerDown(self._told(sentence, port=str(self._target.port), why=why[:200]))

    def _unknown(self, why: str) -> ServerDown:
        target = self._target
        sentence = later(
            "The host key of {host}, the machine of the mail server {server}, is not known: {why}. "
            "Nothing was done. Run ssh-keyscan -p {port} {host} >> {path}, and compare what "
            "ssh-keygen -lf {path} prints with what ssh-keygen -lf "
            "/etc/ssh/ssh_host_ed25519_key.pub prints on that machine itself."
        )
        told = self._told(sentence, why=why, port=str(target.port), path=target.hosts_file)
        return ServerDown(told)

    def _changed(self) -> ServerDown:
        sentence = later(
            "{host}, the machine of the mail server {server}, shows another host key than the one "
            "in {path}. Nothing was done. Either it was set up anew, or another machine answers "
            "for it: look at ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub on the machine "
            "itself before you put its key in that file."
        )
        return ServerDown(self._told(sentence, path=self._target.hosts_file))

    def _not_let_in(self) -> ServerDown:
        user, key = self._target.user, self._target.key
        if key is None:
            sentence = later(
                "{host}, the machine of the mail server {server}, let no key of the bot in as "
                "{user}: it was refused. Nothing was done. Put the key's public half into the "
                "authorized_keys of {user} there."
            )
            return ServerDown(self._told(sentence, user=user))
        sentence = later(
            "{host}, the machine of the mail server {server}, let the key {key} in as {user}: it "
            "was refused. Nothing was done. Put the key's public half into the authorized_keys "
            "of {user} there."
        )
        return ServerDown(self._told(sentence, user=user, key=key))

    def _no_key(self, why: str) -> ServerDown:
        key = self._target.key
        if key is None:
            sentence = later(
                "The SSH key in ~/.ssh for the mail server {server} cannot be used ({why}). "
                "Nothing was done. It is a private key without a passphrase that the bot's own "
                "account may read."
            )
            return ServerDown(self._told(sentence, why=why[:120]))
        sentence = later(
            "The SSH key {key} for the mail server {server} cannot be used ({why}). Nothing was "
            "done. It is a private key without a passphrase that the bot's own account may read."
        )
        return ServerDown(self._told(sentence, why=why[:120], key=key))

    def _not_started(self, program: str, error: Exception) -> ServerDown:
        why = str(error)[:120] or tr("no answer in time")
        sentence = later(
            "{program} could not be started on {host}, the machine of the mail server {server}, by "
            "SSH ({why}). Nothing was done. Try again."
        )
        return ServerDown(self._told(sentence, program=program, why=why))

    def _slow(self, program: str) -> ServerDown:
        sentence = later(
            "{program} gave no answer on {host}, the machine of the mail server {server}, in "
            "{seconds} seconds and was told to end. Look at the server before trying again."
        )
        return ServerDown(self._told(sentence, program=program, seconds=f"{self._timeout:g}"))

    def _cut(self, program: str, *, changing: bool, errors: bytes) -> ServerDown:
        if changing:
            sentence = later(
                "The SSH connection to {host}, the machine of the mail server {server}, ended "
                "while {program} ran there. It may or may not have been done: look before trying "
                "again."
            )
            return CutShort(self._told(sentence, program=program), errors)
        sentence = later(
            "The SSH connection to {host}, the machine of the mail server {server}, ended while "
            "{program} ran there. It changes nothing; try again."
        )
        return ServerDown(self._told(sentence, program=program))

    def _ended(self, program: str, end: Finished) -> Finished:
        """Return how it ended. Raises ServerDown where there was nothing to be run."""
        if end.code in (_NOT_FOUND, _NOT_RUN) and end.errors.startswith(_STARTERS):
            sentence = later(
                "{program} could not be run on {host}, the machine of the mail server {server}, "
                "({why}). Nothing was done; is Postfix installed there?"
            )
            raise ServerDown(self._told(sentence, program=program, why=end.complaint))
        return end


class _SshRunning:
    def __init__(
        self,
        runner: SshRunner,
        program: str,
        process: "asyncssh.SSHClientProcess[bytes]",
        errors: Gathered,
        reading: "asyncio.Task[None]",
    ) -> None:
        self._runner = runner
        self._program = program
        self._process = process
        self._errors = errors
        self._reading = reading

    async def chunks(self) -> AsyncIterator[bytes]:
        while True:
            try:
                # A limit on silence, not on the whole: a long queue takes its time.
                async with asyncio.timeout(self._runner._timeout):
                    chunk = await self._process.stdout.read(CHUNK)
            except TimeoutError as error:
                raise self._runner._slow(self._program) from error
            except (asyncssh.Error, OSError) as error:
                raise self._lost() from error
            if not chunk:
                return
            yield chunk
            await asyncio.sleep(_GATHER_SECONDS)

    async def finished(self) -> Finished:
        try:
            async with asyncio.timeout(self._runner._timeout):
                await self._reading
                await self._process.wait_closed()
        except TimeoutError as error:
            raise self._runner._slow(self._program) from error
        if self._process.returncode is None:
            raise self._lost()
        end = Finished(self._process.returncode, b"", self._errors.text)
        return self._runner._ended(self._program, end)

    def _lost(self) -> ServerDown:
        return self._runner._cut(self._program, changing=False, errors=b"")


def _command(argv: Sequence[str]) -> bytes:
    """Return the line for the shell there. Raises ServerDown for what no argument can hold."""
    settings = [f"{name}={value}" for name, value in ENVIRONMENT.items()]
    if any("\0" in word for word in argv):
        raise _no_null(argv[0])
    return b"exec " + shlex.join(["env", *settings, *argv]).encode("utf-8", "surrogateescape")


def _no_null(program: str) -> ServerDown:
    sentence = tr("{program} cannot be given a null character. Nothing was done.", program=program)
    return ServerDown(sentence)


async def _feed(process: "asyncssh.SSHClientProcess[bytes]", stdin: bytes) -> None:
    # It may end without reading all: its exit status then says why.
    with contextlib.suppress(OSError, asyncssh.Error):
        process.stdin.write(stdin)
        await process.stdin.drain()
        process.stdin.write_eof()


async def _read(reader: "asyncssh.SSHReader[bytes]", into: Gathered) -> None:
    # A lost connection is found out by what is then missing: an exit status.
    with contextlib.suppress(OSError, asyncssh.Error):
        await into.read(reader)


async def _end(process: "asyncssh.SSHClientProcess[bytes]") -> None:
    """Stop a command that still runs: told so by a signal, else by its closed output."""
    if process.returncode is None:
        with contextlib.suppress(OSError, asyncssh.Error):
            process.terminate()
    process.close()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_GRACE_SECONDS):
            await process.wait_closed()
