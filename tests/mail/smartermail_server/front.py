"""The SMTP side: real SMTP, passed through to the engine, with SmarterMail's rules on top.

A disabled user is refused at login only: what is open goes on until its connections are
dropped, and so it is with a blocked address. Everything is written to the SMTP log.
"""

import asyncio
import base64
import binascii
import contextlib
import re
from dataclasses import dataclass, field
from itertools import count

from .build import Build
from .smtp_log import SmtpLog
from .state import State

_QUEUED = re.compile(r"queued as ([0-9A-F]+)")


@dataclass(eq=False, slots=True)
class Session:
    """One client's connection, and ours to the engine for it."""

    number: str
    client: str
    inside: tuple[asyncio.StreamReader, asyncio.StreamWriter]
    outside: tuple[asyncio.StreamReader, asyncio.StreamWriter]
    user: str | None = None
    messages: int = field(default=0)

    def drop(self) -> None:
        """End it at once, without a word."""
        for _, writer in (self.inside, self.outside):
            writer.transport.abort()


class Front:
    """Listens for SMTP."""

    def __init__(self, state: State, log: SmtpLog, build: Build) -> None:
        self._state = state
        self._log = log
        self._build = build
        self._numbers = count(14_183_571)
        self._engine_port = 0
        self._listener: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.sessions: set[Session] = set()

    async def start(self, engine_port: int) -> None:
        self._engine_port = engine_port
        self._listener = await asyncio.start_server(self._accept, "127.0.0.1", 0)

    @property
    def port(self) -> int:
        assert self._listener is not None
        return int(self._listener.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        assert self._listener is not None
        self._listener.close()
        for session in list(self.sessions):
            session.drop()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._listener.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            await _close(writer)
            self._tasks.discard(task)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        proxy = await reader.readline()
        client = proxy.decode().split()[2]
        number = str(next(self._numbers))
        self._say(client, number, "connected at 3/2/2026 9:00:00 AM")
        if self._state.blocks(client):
            self._say(client, number, "rsp: 554 Blocked")
            writer.write(b"554 5.7.1 This address is blocked here\r\n")
            await writer.drain()
            return
        inside = await asyncio.open_connection("127.0.0.1", self._engine_port)
        session = Session(number, client, inside, (reader, writer))
        self.sessions.add(session)
        try:
            inside[1].write(proxy)
            await self._reply(session)
            while line := await reader.readline():
                await self._command(session, line)
        finally:
            self.sessions.discard(session)
            await _close(inside[1])

    def _say(self, client: str, number: str, said: str, *, detail: bool = True) -> None:
        self._log.write(client, number, said, detail=detail)

    async def _reply(self, session: Session) -> str:
        """Pass the engine's reply on, and return it."""
        lines: list[str] = []
        while True:
            raw = await session.inside[0].readline()
            if not raw:
                raise ConnectionResetError
            session.outside[1].write(raw)
            lines.append(raw.decode("utf-8", "replace").rstrip("\r\n"))
            self._say(session.client, session.number, f"rsp: {lines[-1]}")
            if raw[3:4] != b"-":
                await session.outside[1].drain()
                return "\n".join(lines)

    async def _refuse(self, session: Session, reply: str) -> None:
        self._say(session.client, session.number, f"rsp: {reply}")
        session.outside[1].write(f"{reply}\r\n".encode())
        await session.outside[1].drain()

    async def _command(self, session: Session, raw: bytes) -> None:
        line = raw.decode("utf-8", "replace").rstrip("\r\n")
        verb = line[:4].upper()
        shown = " ".join(line.split()[:2]) if verb == "AUTH" else line
        self._say(session.client, session.number, f"cmd: {shown}")
        user = _login(line) if verb == "AUTH" else None
        if user is not None and not self._state.may_send(user):
            self._say(session.client, session.number, f"Authenticating as {user}")
            return await self._refuse(session, "535 5.7.8 Authentication failed")
        if verb == "RCPT" and not self._state.may_receive(_path(line)):
            return await self._refuse(session, "550 5.2.1 No such user here")
        session.inside[1].write(raw)
        reply = await self._reply(session)
        if user is not None and reply.startswith("235"):
            session.user = user.casefold()
            self._say(session.client, session.number, f"Authenticated as {session.user}")
        elif verb == "DATA" and reply.startswith("354"):
            await self._content(session)
        return None

    async def _content(self, session: Session) -> None:
        size = 0
        while True:
            line = await session.outside[0].readline()
            if not line:
                raise ConnectionResetError
            session.inside[1].write(line)
            if line == b".\r\n":
                break
            size += len(line)
        await session.inside[1].drain()
        reply = await self._reply(session)
        queued = _QUEUED.search(reply)
        if queued is None:
            return
        name = self._state.file_name(queued[1])
        stem = name.removesuffix(".eml")
        say = (session.client, session.number)
        self._say(*say, f"Received message size: {size} bytes")
        self._say(*say, f"Successfully wrote to the HDR file. (/Spool/SubSpool8/{stem}.hdr)")
        self._say(
            *say,
            f"Data transfer succeeded, writing mail to {name} (MessageID: <x@y.test>)",
            detail=False,
        )


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


def _login(line: str) -> str | None:
    words = line.split()
    if len(words) != 3 or words[1].upper() != "PLAIN":
        return None
    try:
        return base64.b64decode(words[2]).split(b"\0")[1].decode()
    except (binascii.Error, IndexError, UnicodeDecodeError):
        return None


def _path(line: str) -> str:
    return line.partition("<")[2].partition(">")[0]
