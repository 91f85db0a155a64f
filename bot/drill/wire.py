"""What the mail server itself says, asked over SMTP as any client would."""

import ssl
from ipaddress import ip_address

from bot.demo.sender import Sender, SmtpRefused, compose
from bot.demo.town import PASSWORD

ELSEWHERE = "somebody@mail.example"
#: Where an honest user of the drill writes from.
OFFICE_IP = "10.20.0.200"


class Wire:
    """SMTP to one server.

    ``announced`` is the client address that is told to it, None where it takes nobody's
    word for that. With ``tls``, logins go encrypted, or not over a network at all.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        password: str = PASSWORD,
        announced: str | None = OFFICE_IP,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._host = host
        self._port = port
        self._password = password
        self._announced = announced
        self._tls = tls

    @property
    def announces(self) -> bool:
        """Whether a client can say what address it comes from."""
        return self._announced is not None

    def line(self, client_ip: str | None = None) -> Sender:
        """Return a connection that is not open yet."""
        announced = (client_ip or self._announced) if self.announces else None
        return Sender(self._host, self._port, client_ip=announced, tls=self._tls)

    async def logged_in(self, user: str, client_ip: str | None = None) -> Sender:
        """Return an open session of a user."""
        line = self.line(client_ip)
        await line.open()
        try:
            if self._tls is not None and not line.encrypted and not is_here(self._host):
                raise ConnectionError(
                    f"{self._host} offers no STARTTLS, so the password was not sent"
                )
            await line.log_in(user, self._password)
        except BaseException:
            await line.close()
            raise
        return line

    async def next_message(self, line: Sender, user: str, recipient: str = ELSEWHERE) -> str:
        """Return what an open session is answered at its next MAIL FROM, and RCPT TO.

        The reply that refused, or that to RCPT TO. Some servers refuse only there.
        """
        said = ""
        try:
            for command in (f"MAIL FROM:<{user}>", f"RCPT TO:<{recipient}>"):
                reply = await line.command(command)
                said = f"{reply.code} {reply.text}"
                if not reply.good:
                    break
            await line.command("RSET")
        except ConnectionError as error:
            return said if said[:1] in ("4", "5") else f"closed: {error}"
        return said

    async def may_send(
        self, user: str, client_ip: str | None = None, recipient: str = ELSEWHERE
    ) -> str:
        """Return how a user fares who comes from an address, logs in and begins a message."""
        try:
            line = await self.logged_in(user, client_ip)
        except SmtpRefused as refused:
            return f"{refused.code} {refused.text}"
        except ConnectionError as error:
            return f"closed: {error}"
        try:
            return await self.next_message(line, user, recipient)
        finally:
            await line.close()

    async def may_receive(self, recipient: str, sender: str | None) -> str:
        """Return the reply to RCPT TO for a mailbox, from another user, or from outside."""
        line = self.line() if sender is None else await self.logged_in(sender)
        try:
            if sender is None:
                await line.open()
            return await self.next_message(line, sender or "", recipient)
        finally:
            await line.close()

    async def send(self, sender: str, recipient: str, subject: str, *, times: int = 1) -> str:
        """Send a message so many times; return the last reply."""
        line = await self.logged_in(sender)
        letter = compose(sender, [recipient], subject, "Hello.")
        try:
            await line.send_many([letter] * (times - 1))
            return "250 " + await line.send(letter)
        finally:
            await line.close()


def is_taken(reply: str) -> bool:
    """Tell whether a reply lets the client go on."""
    return reply.startswith("2")


def is_refused(reply: str) -> bool:
    """Tell whether a reply refuses for good; a busy server, or a slow one, does not."""
    return reply.startswith(("5", "closed"))


def is_here(host: str) -> bool:
    """Tell whether a host is this machine, so that nothing said to it passes over a network."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def encryption(host: str) -> ssl.SSLContext:
    """Return how to encrypt to a host: over a network, its certificate must prove its name."""
    context = ssl.create_default_context()
    if is_here(host):
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context
