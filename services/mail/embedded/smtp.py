"""One SMTP session: who may connect, log in and send, on top of aiosmtpd's protocol.

Everything read here comes from whoever connected. Each refusal is an SMTP reply; what
a client does wrong ends at most its own session, and writes nothing to the error log.
"""

import asyncio
import base64
import binascii
import logging
import re
import ssl
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from aiosmtpd.proxy_protocol import ProxyData
from aiosmtpd.smtp import SMTP, Envelope, Session, TLSSetupException, syntax

from services.clock import Clock
from services.errors import ServerDown
from services.mail.embedded.accounts import Accounts, Mailbox
from services.mail.embedded.address import NULL_PATH, client_address, domain_of, parse_path
from services.mail.embedded.blocks import BlockList
from services.mail.embedded.config import EmbeddedConfig
from services.mail.embedded.headers import received_count, subject_of
from services.mail.embedded.intake import Accepted, Intake, RefusedLate, Target
from services.mail.port import UserState

_log = logging.getLogger(__name__)

_BAD_LOGINS = 3
_MAX_HOPS = 50  # RFC 5321, 6.3 wants at least 100 "Received" allowed or less by policy
_PROXY_SECONDS = 5.0
# RFC 5321, 4.5.3.1.4 says at least 512; RFC 4954, 4 says 12,288 for AUTH.
_COMMAND_OCTETS = 2048
_AUTH_OCTETS = 12288
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")

_BLOCKED = "554 5.7.1 Your address is blocked here"
_DISABLED = "550 5.7.1 This account may not send mail"
_LOGIN_GONE = "550 5.7.1 The password was changed; log in again"
_BAD_LOGIN = "535 5.7.8 Authentication credentials invalid"
_NOT_NOW = "451 4.3.0 The server cannot take this message now; try again later"


@dataclass(eq=False)
class Shared:
    """What all sessions of one server work with."""

    config: EmbeddedConfig
    clock: Clock
    accounts: Accounts
    blocks: BlockList
    intake: Intake
    #: Told of each wrong password: the account, and the client's address.
    login_failed: Callable[[str, str | None], None]
    tls: ssl.SSLContext | None
    sessions: "set[SmtpSession]" = field(default_factory=set)

    def logged_in(self, address: str) -> int:
        """Return how many open sessions are logged in as this mailbox."""
        return sum(1 for session in self.sessions if session.login_name == address)

    def hang_up(self, address: str) -> int:
        """End the open sessions that are logged in as this mailbox; return how many."""
        theirs = [session for session in self.sessions if session.login_name == address]
        for session in theirs:
            session.refuse_and_close("421 4.7.0 This session was ended by an administrator")
        return len(theirs)


class SmtpSession(SMTP):
    """One connection. aiosmtpd reads the commands; the hooks of this class decide."""

    # Lines of a message longer than RFC 5321's 1,000 octets are common, so they are taken.
    line_length_limit = 64 * 1024

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        config = shared.config
        self._login: Mailbox | None = None
        self._bad_logins = 0
        self.client: IPv4Address | IPv6Address | None = None
        super().__init__(
            _Hooks(),
            data_size_limit=config.max_size,
            enable_SMTPUTF8=True,
            hostname=config.hostname,
            ident="Spoolwarden",
            tls_context=shared.tls,
            proxy_protocol_timeout=_PROXY_SECONDS if config.proxy_protocol else None,
            loop=asyncio.get_running_loop(),
        )
        # aiosmtpd keeps one table for all sessions and lets each EHLO add to it.
        self.command_size_limit = _COMMAND_OCTETS
        limits: dict[str, int] = defaultdict(lambda: _COMMAND_OCTETS)
        limits["AUTH"] = _AUTH_OCTETS
        self.command_size_limits = limits

    @property
    def login_name(self) -> str | None:
        """The mailbox this session is logged in as."""
        return None if self._login is None else self._login.address

    def abort(self) -> None:
        """End the connection without another word."""
        if isinstance(self.transport, asyncio.WriteTransport):
            self.transport.abort()

    def refuse_and_close(self, reply: str) -> None:
        """Say one last thing, without waiting for the client to read it, and hang up."""
        # A TLS connection that is closing has nothing to write to any more.
        if self.transport is not None and not self.transport.is_closing():
            self._writer.write(reply.encode() + b"\r\n")
            self.transport.close()

    # -- the connection ------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin; called once more when TLS has begun, which forgets what was said before."""
        peer = transport.get_extra_info("peername")
        if self.client is None and peer:
            self.client = client_address(peer[0])
        self._login = None
        # In the clear, a password may only travel inside this machine.
        self._auth_require_tls = self.client is None or not self.client.is_loopback
        self._shared.sessions.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        """End."""
        self._shared.sessions.discard(self)
        if self.transport is not None:  # None: a failed STARTTLS has told us already
            super().connection_lost(error)

    def eof_received(self) -> bool | None:
        """Treat a client that hung up as gone."""
        if self.transport is None:
            return False
        return super().eof_received()

    async def _handle_client(self) -> None:
        try:
            if len(self._shared.sessions) > self._shared.config.max_sessions:
                self.refuse_and_close("421 4.3.2 Too many connections; try again later")
            elif not self._shared.config.proxy_protocol and self._blocked():
                self.refuse_and_close(_BLOCKED)
            elif self._shared.config.proxy_protocol and not self._trusts_peer():
                self.refuse_and_close("554 5.7.1 This address speaks for nobody here")
            else:
                await super()._handle_client()
        except (ConnectionError, asyncio.IncompleteReadError):
            _log.debug("the client %s left", self.client)

    def _trusts_peer(self) -> bool:
        networks = self._shared.config.proxy_networks
        peer = self.client
        return peer is not None and (
            peer.is_loopback or any(peer in network for network in networks)
        )

    def _blocked(self) -> bool:
        return self.client is not None and self._shared.blocks.refuses(self.client)

    async def proxied(self, data: ProxyData) -> bool:
        """Take the client's address from a PROXY header; False ends the session."""
        # Without addresses (UNKNOWN, LOCAL) the proxy speaks for itself.
        if isinstance(data.src_addr, IPv4Address | IPv6Address) and data.command != 0:
            self.client = client_address(str(data.src_addr))
        if self._blocked():
            self.refuse_and_close(_BLOCKED)
            return False
        return True

    async def push(self, status: Any) -> None:
        """Send one reply line. What a client made us repeat cannot begin another line."""
        text = status if isinstance(status, str) else bytes(status).decode("utf-8", "replace")
        line = _CONTROLS.sub("?", text)
        await super().push(line.encode("utf-8", "replace"))

    async def handle_exception(self, error: Exception) -> str:
        """Answer a command that failed in a way nobody foresaw."""
        if isinstance(error, TLSSetupException):  # what a client sent was no handshake
            _log.debug("no TLS with %s: %s", self.client, error.__cause__)
            return "454 4.7.0 TLS could not be set up"
        _log.warning("a command of %s failed: %s: %s", self.client, type(error).__name__, error)
        return "451 4.3.0 That command could not be carried out"

    # -- who may send ----------------------------------------------------------------

    def refusal(self) -> str | None:
        """Return the reply that refuses this session's mail now, None if it may send."""
        if self._blocked():
            return _BLOCKED
        if self._login is None:
            return None
        current = self._shared.accounts.get(self._login.address)
        if current is None or current.state is not UserState.ACTIVE:
            return _DISABLED
        if current.credential is not self._login.credential:
            return _LOGIN_GONE
        return None

    @syntax("AUTH <mechanism>")
    async def smtp_AUTH(self, arg: str | None) -> None:
        """Log in (RFC 4954), by PLAIN (RFC 4616) or LOGIN."""
        if await self.check_helo_needed("EHLO"):
            return
        words = (arg or "").split()
        if self._auth_require_tls and self._tls_protocol is None:
            await self.push("538 5.7.11 Encryption required for authentication")
        elif self._login is not None:
            await self.push("503 5.5.1 Already authenticated")
        elif self.envelope is not None and self.envelope.mail_from:
            await self.push("503 5.5.1 Not in the middle of a message")
        elif not 1 <= len(words) <= 2:
            await self.push("501 5.5.4 Syntax: AUTH mechanism")
        elif words[0].upper() == "PLAIN":
            await self._auth_plain(words[1:])
        elif words[0].upper() == "LOGIN":
            await self._auth_login(words[1:])
        else:
            await self.push("504 5.5.4 Unrecognized authentication type")

    async def _auth_plain(self, initial: list[str]) -> None:
        answer = await self._answer("", initial)
        if answer is None:
            return
        parts = answer.split(b"\x00")
        if len(parts) != 3:
            await self.push("501 5.5.2 Cannot understand the response")
            return
        # An identity to act as (the first part) other than one's own is not served.
        if parts[0] not in (b"", parts[1]):
            await self._bad_login()
            return
        await self._log_in(parts[1], parts[2])

    async def _auth_login(self, initial: list[str]) -> None:
        login = await self._answer("Username:", initial)
        if login is None:
            return
        password = await self._answer("Password:", [])
        if password is not None:
            await self._log_in(login, password)

    async def _answer(self, challenge: str, initial: list[str]) -> bytes | None:
        """Return the client's decoded response; None if it gave none, which it was told."""
        if initial:
            line = b"" if initial[0] == "=" else initial[0].encode("utf-8", "replace")
        else:
            await self.push("334 " + base64.b64encode(challenge.encode()).decode())
            try:
                line = (await self._reader.readuntil(b"\n")).strip()
            except asyncio.LimitOverrunError:
                self.refuse_and_close("500 5.5.6 Authentication exchange line is too long")
                return None
        if len(line) > _AUTH_OCTETS:
            await self.push("500 5.5.6 Authentication exchange line is too long")
            return None
        if line == b"*":
            await self.push("501 5.7.0 Authentication cancelled")
            return None
        try:
            return base64.b64decode(line, validate=True)
        except binascii.Error:
            await self.push("501 5.5.2 Cannot decode the response")
            return None

    async def _log_in(self, login: bytes, password: bytes) -> None:
        name = login.decode("utf-8", "replace")
        mailbox = await self._shared.accounts.check(name, password)
        if mailbox is None and (guessed := self._shared.accounts.get(name)) is not None:
            client = None if self.client is None else str(self.client)
            self._shared.login_failed(guessed.address, client)
        if mailbox is None or mailbox.state is not UserState.ACTIVE:
            await self._bad_login()
            return
        self._login = mailbox
        await self.push("235 2.7.0 Authentication successful")

    async def _bad_login(self) -> None:
        self._bad_logins += 1
        if self._bad_logins < _BAD_LOGINS:
            await self.push(_BAD_LOGIN)
        else:
            self.refuse_and_close("421 4.7.0 Too many failed logins")

    # -- one message -----------------------------------------------------------------

    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        return parse_path(arg) or (None, None)

    async def smtp_DATA(self, arg: str | None) -> None:
        """Refuse before the message is sent, where that is known already."""
        reply = self.refusal() if self.envelope is not None and self.envelope.rcpt_tos else None
        if reply is not None:
            self.envelope = self._create_envelope()
            await self.push(reply)
            return
        await super().smtp_DATA(arg)

    async def mail(self, envelope: Envelope, address: str, options: list[str]) -> str:
        """Decide on MAIL FROM."""
        reply = self.refusal()
        if reply is not None:
            return reply
        if not address.isascii() and not envelope.smtp_utf8:
            return "553 5.6.7 This address needs SMTPUTF8"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def rcpt(self, envelope: Envelope, address: str, options: list[str]) -> str:
        """Decide on RCPT TO."""
        reply = self.refusal()
        if reply is not None:
            return reply
        if address == NULL_PATH:
            return "553 5.1.3 The null path is no recipient"
        if not address.isascii() and not envelope.smtp_utf8:
            return "553 5.6.7 This address needs SMTPUTF8"
        if len(envelope.rcpt_tos) >= self._shared.config.max_recipients:
            return "452 4.5.3 Too many recipients"
        domain = domain_of(address)
        if not domain or self._shared.config.is_local(domain):
            mailbox = self._shared.accounts.get(address)
            if mailbox is None:
                return "550 5.1.1 No such mailbox here"
            if mailbox.state is UserState.REFUSING:
                return "550 5.2.1 This mailbox takes no mail"
        elif self._login is None:
            return "550 5.7.1 Log in to send mail to other servers"
        if address not in envelope.rcpt_tos:
            envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def data(self, envelope: Envelope) -> str:
        """Take the message; 250 only once it is on disk."""
        raw = envelope.original_content or b""
        if received_count(raw) > _MAX_HOPS:
            return "554 5.4.6 This message goes round in circles"
        item = Accepted(
            arrived=self._shared.clock.now(),
            envelope_sender="" if envelope.mail_from == NULL_PATH else envelope.mail_from or "",
            auth_user=self.login_name,
            client=self.client,
            recipients=tuple(
                Target(address, self._shared.config.is_local(domain_of(address)))
                for address in envelope.rcpt_tos
            ),
            subject=subject_of(raw),
            raw=raw,
            refusal=self.refusal,
        )
        try:
            answer = await self._shared.intake.accept(item)
        except ServerDown as error:
            _log.warning("a message of %s was not accepted: %s", self.client, error)
            return _NOT_NOW
        if isinstance(answer, RefusedLate):
            return answer.reply
        return f"250 2.0.0 OK: queued as {answer}"


class _Hooks:
    """The hooks by the names aiosmtpd calls them; each goes to the session itself."""

    async def handle_EHLO(
        self,
        server: SmtpSession,
        session: Session,
        envelope: Envelope,
        hostname: str,
        responses: list[str],
    ) -> list[str]:
        session.host_name = hostname
        kept = [line for line in responses if not line.startswith(("250-AUTH", "250 HELP"))]
        if not server._auth_require_tls or session.ssl is not None:
            kept.append("250-AUTH LOGIN PLAIN")
        return [*kept, "250-PIPELINING", "250 HELP"]

    async def handle_PROXY(
        self, server: SmtpSession, session: Session, envelope: Envelope, data: ProxyData
    ) -> bool:
        return await server.proxied(data)

    async def handle_MAIL(
        self,
        server: SmtpSession,
        session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        return await server.mail(envelope, address, options)

    async def handle_RCPT(
        self,
        server: SmtpSession,
        session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        return await server.rcpt(envelope, address, options)

    async def handle_DATA(self, server: SmtpSession, session: Session, envelope: Envelope) -> str:
        return await server.data(envelope)

    async def handle_VRFY(
        self, server: SmtpSession, session: Session, envelope: Envelope, address: str
    ) -> str:
        return "252 2.5.0 Send the mail and see"


def factory(shared: Shared) -> Callable[[], SmtpSession]:
    """Return what makes a session for each connection."""
    return lambda: SmtpSession(shared)
