# ruff: noqa: S311 - the same queue each time is what is wanted
"""Starts a private Postfix and fills its queue over SMTP, with logins, until all is deferred.

``python -m tests.bench.fill ROOT MESSAGES``, after which only the Postfix at ROOT runs.
"""

import asyncio
import base64
import random
import sys
import time
from pathlib import Path

from tests.mail.postfix_instance import DOMAIN, ELSEWHERE, PostfixInstance

_PASSWORD = "correct horse"
_LOGINS = [f"user{number}@{DOMAIN}" for number in range(40)]
_CONNECTIONS = 12
_IN_ONE_SESSION = 250
_BODY = b"Subject: An offer for you\r\n\r\n" + b"Buy now, it is cheap.\r\n" * 12 + b".\r\n"
# All is deferred once and then left alone; nothing slows the intake down. The mail is as
# real as any: only what an access table would say is not asked for each message.
_SETTINGS = (
    "defer_transports=smtp",
    "in_flow_delay=0",
    "queue_run_delay=10h",
    "minimal_backoff_time=10h",
    "maximal_backoff_time=10h",
    "smtpd_client_restrictions=",
    "smtpd_sender_restrictions=",
    "smtpd_recipient_restrictions=",
    "smtpd_end_of_data_restrictions=",
)


def _sessions(messages: int) -> list[tuple[str, int, int]]:
    """Return which login sends how many messages in each session, and a number for each."""
    rng = random.Random(1)
    sessions: list[tuple[str, int, int]] = []
    while messages:
        # Three stolen accounts send most.
        login = _LOGINS[rng.randrange(3)] if rng.random() < 0.6 else rng.choice(_LOGINS)
        number = min(messages, rng.randrange(1, 2 * _IN_ONE_SESSION))
        sessions.append((login, number, len(sessions)))
        messages -= number
    return sessions


class _Session:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def write(self, data: bytes) -> None:
        self._writer.write(data)

    async def expect(self, code: bytes) -> None:
        while True:
            line = await self._reader.readline()
            if not line.startswith(code):
                raise SystemExit(f"The private Postfix said: {line!r}")
            if line[3:4] != b"-":
                return


async def _send(port: int, login: str, number: int, key: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    session = _Session(reader, writer)
    address = f"198.18.{key >> 8 & 255}.{key & 255}"
    session.write(f"PROXY TCP4 {address} 127.0.0.1 40000 25\r\n".encode())
    await session.expect(b"220")
    session.write(b"EHLO bench.example\r\n")
    await session.expect(b"250")
    token = base64.b64encode(f"\0{login}\0{_PASSWORD}".encode())
    session.write(b"AUTH PLAIN " + token + b"\r\n")
    await session.expect(b"235")
    rng = random.Random(key)
    for message in range(number):
        # A stolen account writes any envelope sender.
        sender = f"{rng.randrange(5000)}@{DOMAIN}" if login in _LOGINS[:3] else login
        session.write(
            f"MAIL FROM:<{sender}>\r\nRCPT TO:<x{key}.{message}@{ELSEWHERE}>\r\nDATA\r\n".encode()
        )
        await session.expect(b"250")
        await session.expect(b"250")
        await session.expect(b"354")
        session.write(_BODY)
        await session.expect(b"250")
    session.write(b"QUIT\r\n")
    await session.expect(b"221")
    writer.close()
    await writer.wait_closed()


async def _fill(port: int, sessions: list[tuple[str, int, int]]) -> None:
    async def worker() -> None:
        while sessions:
            await _send(port, *sessions.pop())

    async with asyncio.TaskGroup() as group:
        for _ in range(_CONNECTIONS):
            group.create_task(worker())


def main() -> None:
    root, messages = Path(sys.argv[1]), int(sys.argv[2])
    instance = PostfixInstance(root)
    instance.make()
    for login in _LOGINS:
        instance.add_login(login, _PASSWORD)
    for setting in _SETTINGS:
        instance.run("postconf", "-e", setting)
    instance.start()
    asyncio.run(_fill(instance.port, _sessions(messages)))
    deferred = root / "queue" / "deferred"
    while (number := sum(len(list(folder.iterdir())) for folder in deferred.iterdir())) < messages:
        time.sleep(0.5)
    print(number)  # noqa: T201


if __name__ == "__main__":
    main()
