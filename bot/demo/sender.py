"""A mail client that sends real SMTP, quickly, from whatever address it is told to announce.

The address is announced with a PROXY header (version 1 of HAProxy's PROXY protocol),
which the server must be set up to take; without one, the client comes from where it is.
With ``tls``, the connection is encrypted where the server offers STARTTLS.
"""

import asyncio
import base64
import ssl
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime
from ipaddress import ip_address
from types import TracebackType
from typing import Self

from services.clock import Clock, SystemClock

_LINE_LIMIT = 64 * 1024
_HELLO = "EHLO client.example.test"


@dataclass(frozen=True, slots=True)
class Reply:
    """One SMTP reply; the texts of its lines are joined by line ends."""

    code: int
    text: str

    @property
    def good(self) -> bool:
        """Whether the server did, or goes on with, what was asked."""
        return self.code < 400


class SmtpRefused(Exception):
    """The server answered a command with 4xx or 5xx. ``code`` and ``text`` are its reply."""

    def __init__(self, command: str, reply: Reply) -> None:
        super().__init__(f"{command}: {reply.code} {reply.text}")
        self.command = command
        self.code = reply.code
        self.text = reply.text


@dataclass(frozen=True, slots=True)
class Letter:
    """One message with its envelope."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes


def compose(
    sender: str,
    recipients: Sequence[str],
    subject: str,
    body: str,
    *,
    shown_sender: str | None = None,
    clock: Clock | None = None,
) -> Letter:
    """Return a plain text message. ``shown_sender`` is its From, if not the envelope's sender."""
    message = EmailMessage()
    message["From"] = shown_sender or sender
    message["To"] = ", ".join(recipients[:20])
    message["Subject"] = subject
    message["Date"] = format_datetime((clock or SystemClock()).now())
    message.set_content(body)
    return Letter(sender, tuple(recipients), bytes(message))


class Sender:
    """One SMTP connection. Use it as a context manager, or call open and close.

    Each step raises SmtpRefused when the server refuses it, ConnectionError when the
    connection breaks, and TimeoutError after ``timeout`` seconds without an answer.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        client_ip: str | None = None,
        tls: ssl.SSLContext | None = None,
        timeout: float = 30.0,
    ) -> None:
        self._host = host
        self._port = port
        self._client_ip = client_ip
        self._tls = tls
        self._timeout = timeout
        self.encrypted = False
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def open(self) -> None:
        """Connect, announce the address, and greet."""
        self._reader, self._writer = await asyncio.open_connection(
            self._host, self._port, limit=_LINE_LIMIT
        )
        try:
            if self._client_ip is not None:
                await self._write(proxy_header(self._client_ip, self._port))
            _expect("connection", await self.reply())
            offers = await self.must(_HELLO)
            if self._tls is not None and "STARTTLS" in offers.text.upper().split("\n"):
                await self._encrypt(self._tls)
        except BaseException:
            self._abort()
            raise

    async def _encrypt(self, tls: ssl.SSLContext) -> None:
        await self.must("STARTTLS")
        _, writer = self._streams()
        async with asyncio.timeout(self._timeout):
            await writer.start_tls(tls, server_hostname=self._host)
        self.encrypted = True
        await self.must(_HELLO)

    async def log_in(self, user: str, password: str) -> None:
        """Log in with AUTH PLAIN."""
        secret = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
        await self.must(f"AUTH PLAIN {secret}", shown="AUTH PLAIN")

    async def send(self, letter: Letter) -> str:
        """Send one message and return the text of the reply that accepted it.

        Nothing of it was accepted when this raises SmtpRefused, and the connection
        can be used for the next one, unless the server closed it.
        """
        # The envelope goes out in one write; each command still gets its own reply.
        options = "" if _all_ascii(letter) else " SMTPUTF8"
        commands = [f"MAIL FROM:<{letter.sender}>{options}"]
        commands += [f"RCPT TO:<{recipient}>" for recipient in letter.recipients]
        await self._write("".join(f"{command}\r\n" for command in commands).encode())
        replies = [await self.reply() for _ in commands]
        for command, reply in zip(commands, replies, strict=True):
            if not reply.good:
                await self.command("RSET")
                raise SmtpRefused(command, reply)
        await self.must("DATA")
        await self._write(as_data(letter.content))
        return _expect("message", await self.reply()).text

    async def send_many(self, letters: Iterable[Letter]) -> int:
        """Send one message after the other; return how many. Stops at the first refusal."""
        sent = 0
        for letter in letters:
            await self.send(letter)
            sent += 1
        return sent

    async def command(self, line: str) -> Reply:
        """Send one command and return whatever the reply is."""
        await self._write(f"{line}\r\n".encode())
        return await self.reply()

    async def must(self, line: str, *, shown: str | None = None) -> Reply:
        """Send one command; raise SmtpRefused, naming it as ``shown``, unless it is taken."""
        return _expect(shown or line, await self.command(line))

    async def reply(self) -> Reply:
        """Read one reply."""
        texts: list[str] = []
        while True:
            async with asyncio.timeout(self._timeout):
                line = await self._streams()[0].readline()
            if not line.endswith(b"\n"):
                raise ConnectionResetError("the mail server closed the connection")
            texts.append(line[4:].decode("utf-8", "replace").rstrip("\r\n"))
            if line[3:4] != b"-":
                if not line[:3].isdigit():
                    raise ConnectionError(f"not an SMTP reply: {line[:80]!r}")
                return Reply(int(line[:3]), "\n".join(texts))

    async def close(self) -> None:
        """Say goodbye, if anybody listens still, and hang up."""
        if self._writer is None:
            return
        try:
            await self.command("QUIT")
            self._writer.close()
            await self._writer.wait_closed()
        except (ConnectionError, TimeoutError):
            self._abort()
        finally:
            self._reader = self._writer = None

    def _streams(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._reader is None or self._writer is None:
            raise ConnectionError("not connected")
        return self._reader, self._writer

    async def _write(self, data: bytes) -> None:
        _, writer = self._streams()
        writer.write(data)
        await writer.drain()

    def _abort(self) -> None:
        if self._writer is not None:
            self._writer.transport.abort()
        self._reader = self._writer = None


def proxy_header(client_ip: str, port: int) -> bytes:
    """Return the PROXY header, version 1, that announces a client. Raises ValueError."""
    address = ip_address(client_ip)
    family, here = ("TCP4", "127.0.0.1") if address.version == 4 else ("TCP6", "::1")
    return f"PROXY {family} {address} {here} 40000 {port}\r\n".encode()


def as_data(content: bytes) -> bytes:
    """Return a message as DATA carries it: CRLF line ends, dots doubled, a lone dot last."""
    lines = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n").removesuffix(b"\n").split(b"\n")
    return b"\r\n".join(b"." + line if line.startswith(b".") else line for line in lines) + (
        b"\r\n.\r\n"
    )


def _all_ascii(letter: Letter) -> bool:
    return all(address.isascii() for address in (letter.sender, *letter.recipients))


def _expect(command: str, reply: Reply) -> Reply:
    if not reply.good:
        raise SmtpRefused(command, reply)
    return reply
