"""The rest of the world's mail servers, as one on a loopback port that delivers nowhere."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass

from aiosmtpd.smtp import SMTP, Envelope, Session

#: Decides on one recipient, given the envelope's sender and it: the SMTP reply that
#: defers ("451 …") or refuses ("550 …"), or None to take it.
Policy = Callable[[str, str], str | None]

_REMEMBERED = 1000


@dataclass(frozen=True, slots=True)
class Taken:
    """A message the sink took."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes


class Sink:
    """Takes mail for any address, counts it, and throws it away.

    ``messages``, ``recipients``, ``deferred`` and ``refused`` count since the start;
    ``domains`` counts the recipients taken, by domain; ``latest`` keeps the last messages.
    """

    def __init__(self, policy: Policy = lambda sender, recipient: None) -> None:
        self.policy = policy
        self.messages = 0
        self.recipients = 0
        self.deferred = 0
        self.refused = 0
        self.domains: Counter[str] = Counter()
        self.latest: deque[Taken] = deque(maxlen=_REMEMBERED)
        self._listener: asyncio.Server | None = None
        self._transports: set[asyncio.BaseTransport] = set()

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> tuple[str, int]:
        """Listen; return the host and port. Raises OSError."""
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(lambda: _Session(self), host, port)
        name = self._listener.sockets[0].getsockname()
        return str(name[0]), int(name[1])

    async def stop(self) -> None:
        """Stop listening, and drop who is connected."""
        listener, self._listener = self._listener, None
        if listener is None:
            return
        listener.close()
        for transport in list(self._transports):
            transport.close()
        await listener.wait_closed()

    # aiosmtpd calls these by name.

    async def handle_RCPT(
        self,
        server: SMTP,
        session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        """Ask the policy."""
        reply = self.policy(_sender(envelope), address)
        if reply is None:
            envelope.rcpt_tos.append(address)
            return "250 2.1.5 OK"
        if reply.startswith("4"):
            self.deferred += 1
        else:
            self.refused += 1
        return reply

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Count."""
        content = envelope.original_content or b""
        self.messages += 1
        self.recipients += len(envelope.rcpt_tos)
        self.domains.update(address.rpartition("@")[2].lower() for address in envelope.rcpt_tos)
        self.latest.append(Taken(_sender(envelope), tuple(envelope.rcpt_tos), content))
        return "250 2.0.0 Taken"

    async def handle_exception(self, error: Exception) -> str:
        """Keep what a client does wrong between it and us."""
        return f"451 4.3.0 {type(error).__name__}"


class _Session(SMTP):
    line_length_limit = 64 * 1024

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        super().__init__(
            sink,
            hostname="sink.example.test",
            enable_SMTPUTF8=True,
            loop=asyncio.get_running_loop(),
        )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._sink._transports.add(transport)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        if self.transport is not None:
            self._sink._transports.discard(self.transport)
        super().connection_lost(error)

    async def _handle_client(self) -> None:
        try:
            await super()._handle_client()
        except ConnectionError:
            return  # the client left; there is nobody to tell


def _sender(envelope: Envelope) -> str:
    return "" if envelope.mail_from in (None, "<>") else str(envelope.mail_from)
