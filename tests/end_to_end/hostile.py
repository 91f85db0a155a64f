"""Mail that tries everything on whoever looks at it, sent over SMTP as it is."""

from bot.demo.sender import Letter, Sender

SENDER = '"<!channel> *b* <http://evil.example|click> @everyone \u202e\u2066"@evil.example'
RECIPIENT = '"@everyone <!here>"@list1.invalid'
#: What marks its subject, its text and its headers.
SUBJECT = b"<!channel> @everyone *bold* <http://evil.example|click> :skull: "
_SCRIPT = b"<script>window.hacked = 1</script><img src=x onerror=window.hacked=1>"


def message(number: int) -> bytes:
    """Return one message: its subject is 100 kB long, and its headers are not even text."""
    # Folded, as every line of mail is bounded (RFC 5322, 2.1.1).
    long_subject = b"\r\n ".join(
        [SUBJECT + b"\x1b[31m\x07\xff\xfe\xc3 \xe2\x80\xae\xe2\x81\xa6" + _SCRIPT]
        + [b"A" * 900 for _ in range(111)]
    )
    return b"\r\n".join(
        (
            b'From: "@channel \xe2\x80\xaegnp.exe" <!subteam^S0OPS> <ceo@example.com>',
            b"To: =?utf-8?q?=3C!here=3E=0A=0Dboss?= <" + RECIPIENT.encode() + b">",
            b"X-Bytes: \xff\xfe\x80\x00\x01" + _SCRIPT,
            b"X-Number: %d" % number,
            b"Subject: " + long_subject,
            b"Content-Type: text/html; charset=unicode_escape",
            b"",
            b"<p>" + SUBJECT + b"\x00\x08\xff</p>" + _SCRIPT + b"*x*" * 5000,
            b"",
        )
    )


async def send(host: str, port: int, user: str, password: str, number: int) -> None:
    """Send as a mailbox of the server, with another envelope sender, to strange recipients."""
    async with Sender(host, port, client_ip="203.0.113.9") as line:
        await line.log_in(user, password)
        for n in range(number):
            to = RECIPIENT.replace("list1", f"list{n + 1}")
            await line.send(Letter(SENDER, (to,), message(n)))
