"""What the mail server itself says, asked over SMTP as any client would."""

from bot.demo.sender import Sender, SmtpRefused, compose
from bot.demo.town import PASSWORD

ELSEWHERE = "somebody@mail.example"
#: Where an honest user of the drill writes from.
OFFICE_IP = "10.20.0.200"


class Wire:
    """SMTP to one server."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port

    def line(self, client_ip: str = OFFICE_IP) -> Sender:
        """Return a connection that is not open yet."""
        return Sender(self._host, self._port, client_ip=client_ip)

    async def logged_in(self, user: str, client_ip: str = OFFICE_IP) -> Sender:
        """Return an open session of a user."""
        line = self.line(client_ip)
        await line.open()
        await line.log_in(user, PASSWORD)
        return line

    async def mail_from(self, line: Sender, user: str) -> str:
        """Return the server's reply to the next MAIL FROM of an open session."""
        reply = await line.command(f"MAIL FROM:<{user}>")
        await line.command("RSET")
        return f"{reply.code} {reply.text}"

    async def greeting(self, client_ip: str) -> str:
        """Return what a new connection from this address is greeted with."""
        line = self.line(client_ip)
        try:
            await line.open()
        except SmtpRefused as refused:
            return f"{refused.code} {refused.text}"
        except ConnectionError as error:
            return f"closed: {error}"
        await line.close()
        return "220"

    async def rcpt_to(self, sender: str, recipient: str) -> str:
        """Return the server's reply to RCPT TO for a mailbox, from another user."""
        line = await self.logged_in(sender)
        await line.must(f"MAIL FROM:<{sender}>")
        reply = await line.command(f"RCPT TO:<{recipient}>")
        await line.close()
        return f"{reply.code} {reply.text}"

    async def send(self, sender: str, recipient: str, subject: str) -> str:
        """Send one message; return the reply."""
        line = await self.logged_in(sender)
        try:
            return "250 " + await line.send(compose(sender, [recipient], subject, "Hello."))
        except SmtpRefused as refused:
            return f"{refused.code} {refused.text}"
        finally:
            await line.close()
