"""Handing one message to the relay, over connections that are kept for the next one."""

import asyncio
from dataclasses import dataclass
from datetime import datetime

import aiosmtplib

from services.language import tr
from services.mail.embedded.attempts import Attempt
from services.mail.embedded.config import EmbeddedConfig
from services.mail.embedded.headers import printable
from services.mail.embedded.report import received

_MAX_REPLY = 400

# What the network does to a connection; the message stays and is tried again.
_LOST = (OSError, aiosmtplib.SMTPException, TimeoutError)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A claimed message, as an attempt needs it."""

    id: int
    queue_id: str
    arrived: datetime
    envelope_sender: str
    auth_user: str | None
    sender_key: str
    client_ip: str | None
    attempts: int
    recipients: tuple[tuple[int, str], ...]  # position, address
    raw: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """What the next server said to one recipient. 2xx delivered, 5xx never, else later."""

    code: int
    text: str


@dataclass(frozen=True, slots=True)
class Tried:
    """What an attempt came to: a reply for each position, or none when it was given up."""

    replies: dict[int, Reply]
    gave_up: bool = False
    #: The relay could not even be reached, so others need not be tried just now.
    unreachable: bool = False


class Relay:
    """A bounded set of connections to the one server that takes outgoing mail.

    TLS is used when the relay offers STARTTLS, and its certificate is then verified.
    """

    def __init__(self, config: EmbeddedConfig) -> None:
        self._config = config
        self._idle: list[aiosmtplib.SMTP] = []

    async def attempt(self, mail: Outgoing, attempt: Attempt) -> Tried:
        """Try once. Never raises for what the relay does."""
        try:
            client = await self._connection()
        except _LOST as error:
            host, port = self._config.relay or ("", 0)
            why = tr(
                "The relay {relay} cannot be reached: {why}",
                relay=f"{host}:{port}",
                why=_words(error),
            )
            reply = Reply(0, why)
            # One that answers, but takes no further connection, may still serve the others.
            silent = not isinstance(error, aiosmtplib.SMTPResponseException)
            return Tried(dict.fromkeys(_positions(mail), reply), unreachable=silent)
        replies: dict[int, Reply] = {}
        try:
            tried = await self._transaction(client, mail, attempt, replies)
        except _LOST as error:
            client.close()
            why = tr("The connection to the relay broke: {why}", why=_words(error))
            reply = Reply(0, why)
            return Tried(dict.fromkeys(_positions(mail), reply) | replies)
        except BaseException:
            client.close()
            raise
        self._idle.append(client)
        return tried

    async def close(self) -> None:
        """Close the idle connections, saying goodbye."""
        idle, self._idle = self._idle, []
        for client in idle:
            try:
                await client.quit(timeout=1)
            except _LOST:
                client.close()

    async def _connection(self) -> aiosmtplib.SMTP:
        while self._idle:
            client = self._idle.pop()
            if client.is_connected:
                return client
        host, port = self._config.relay or ("", 0)
        client = aiosmtplib.SMTP(
            hostname=host,
            port=port,
            local_hostname=self._config.hostname,
            timeout=self._config.delivery_timeout,
        )
        try:
            await client.connect()
            await client.ehlo()
        except BaseException:
            client.close()
            raise
        return client

    async def _transaction(
        self, client: aiosmtplib.SMTP, mail: Outgoing, attempt: Attempt, replies: dict[int, Reply]
    ) -> Tried:
        """Fill ``replies`` as they come; only recipients that were refused are in it early."""
        unicode = not all(
            a.isascii() for a in (mail.envelope_sender, *dict(mail.recipients).values())
        )
        if unicode and not client.supports_extension("smtputf8"):
            no_such = "5.6.7 The relay does not take addresses with such characters"  # not shown
            return Tried(dict.fromkeys(_positions(mail), Reply(550, no_such)))
        options = [b"SMTPUTF8"] if unicode else []
        if client.supports_extension("8bitmime") and not mail.raw.isascii():
            options.append(b"BODY=8BITMIME")
        # The paths were parsed when they came in and hold no space, bracket or line end.
        said = await client.execute_command(
            b"MAIL", b"FROM:" + _path(mail.envelope_sender), *options
        )
        if said.code // 100 != 2:
            reply = Reply(said.code, said.message)
            replies |= dict.fromkeys(_positions(mail), reply)
            await self._reset(client, said.code)
            return Tried(replies)
        accepted = []
        for position, address in mail.recipients:
            said = await client.execute_command(b"RCPT", b"TO:" + _path(address))
            if said.code // 100 == 2:
                accepted.append(position)
            else:
                replies[position] = Reply(said.code, said.message)
        if not accepted or attempt.unwanted:
            await self._reset(client, 250)
            return Tried(replies, gave_up=bool(accepted))
        # From here on nothing but the relay's answer ends the attempt.
        try:
            said = await client.data(
                received(self._config.hostname, mail.queue_id, mail.client_ip, mail.arrived)
                + mail.raw
            )
        except aiosmtplib.SMTPDataError as error:
            replies |= dict.fromkeys(accepted, Reply(error.code, error.message))
            await self._reset(client, error.code)
        else:
            replies |= dict.fromkeys(accepted, Reply(said.code, said.message))
        return Tried(replies)

    async def _reset(self, client: aiosmtplib.SMTP, code: int) -> None:
        # After 421 the other side closes. A failing RSET loses no answer we have.
        if code == 421 or not client.is_connected:
            client.close()
            return
        try:
            await client.execute_command(b"RSET")
        except _LOST:
            client.close()


def _positions(mail: Outgoing) -> list[int]:
    return [position for position, _ in mail.recipients]


def _path(address: str) -> bytes:
    return b"<" + address.encode() + b">"


def _words(error: BaseException) -> str:
    if isinstance(error, asyncio.TimeoutError) and not str(error):
        return tr("it did not answer in time")
    return printable(str(error) or type(error).__name__)[:_MAX_REPLY]
