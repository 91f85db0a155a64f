# ruff: noqa: S311 - the same log each time is what is wanted
"""A mail log as a busy submission server writes it, the same one for the same seed.

Two thirds of the messages are submitted with a login, most from a home connection and a
few accounts from many addresses; the rest come in from other servers. There are rejected
clients, guessed passwords, deferred and bounced recipients, and subjects from a header
check, as the README asks for.

``python -m tests.bench.maillog PATH LINES``
"""

import random
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

_BASE_52 = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz"
_BEGIN = datetime(2026, 3, 2, tzinfo=UTC)
_DOMAINS = [f"customer{number}.example" for number in range(40)]
_USERS = [f"user{number}@{_DOMAINS[number % 40]}" for number in range(2000)]
_SYSTEM = ["backup", "www-data", "scanner"]  # logins without a domain
_REMOTE = [f"mx{number}.remote{number % 300}.example" for number in range(900)]
_REFUSED = "said: 550 5.1.1 The email account that you tried to reach does not exist"


class _Log:
    """Lines with rising stamps, of a server that writes ``per_second`` of them."""

    def __init__(self, seed: int, per_second: float = 60.0) -> None:
        self.random = random.Random(seed)
        self._step = timedelta(seconds=1 / per_second)
        self._now = _BEGIN
        self._inode = 700_000

    def line(self, service: str, text: str) -> str:
        self._now += self._step
        stamp = self._now.isoformat(timespec="microseconds")
        return f"{stamp} mx postfix/{service}[{self.random.randrange(1000, 60000)}]: {text}\n"

    def queue_id(self) -> str:
        self._inode += 1
        second, micro = int(self._now.timestamp()), self._now.microsecond
        return f"{_digits(second, 6)}{_digits(micro, 4)}z{_digits(self._inode, 4)}"

    def address(self) -> str:
        if self.random.random() < 0.15:
            return f"2001:db8:{self.random.randrange(0x300):x}::{self.random.randrange(1, 99):x}"
        return f"198.18.{self.random.randrange(12)}.{self.random.randrange(1, 255)}"


def _digits(number: int, length: int) -> str:
    text = ""
    for _ in range(length):
        number, digit = divmod(number, 51)
        text = _BASE_52[digit] + text
    return text


def lines(number: int, seed: int = 1) -> Iterator[str]:
    """Yield so many lines."""
    log = _Log(seed)
    left = number
    while left:
        for line in _event(log):
            yield line
            left -= 1
            if not left:
                return


def _event(log: _Log) -> Iterator[str]:
    kind = log.random.random()
    if kind < 0.12:
        yield from _rejected(log)
    elif kind < 0.20:
        yield from _guessed(log)
    elif kind < 0.70:
        yield from _submitted(log)
    elif kind < 0.99:
        yield from _received(log)
    else:
        yield log.line("anvil", "statistics: max connection rate 4/60s for (smtp:198.18.0.7)")


def _rejected(log: _Log) -> Iterator[str]:
    client = f"unknown[{log.address()}]"
    yield log.line("smtpd", f"connect from {client}")
    yield log.line(
        "smtpd",
        f"NOQUEUE: reject: RCPT from {client}: 554 5.7.1 <{log.random.choice(_USERS)}>: Relay "
        f"access denied; from=<news@bulk.example> to=<{log.random.choice(_USERS)}> "
        "proto=ESMTP helo=<bulk.example>",
    )
    yield log.line("smtpd", f"disconnect from {client} ehlo=1 mail=1 rcpt=0/1 commands=2/3")


def _guessed(log: _Log) -> Iterator[str]:
    client = f"unknown[{log.address()}]"
    yield log.line("smtpd", f"connect from {client}")
    yield log.line(
        "smtpd",
        f"warning: {client}: SASL LOGIN authentication failed: UGFzc3dvcmQ6, "
        f"sasl_username={log.random.choice(_USERS)}",
    )
    yield log.line("smtpd", f"disconnect from {client} ehlo=1 auth=0/1 commands=1/2")


def _submitted(log: _Log) -> Iterator[str]:
    if log.random.random() < 0.25:  # a few stolen accounts send a good part of it
        user, address = _USERS[log.random.randrange(3)], log.address()
        sender = log.random.choice(_USERS)
    else:
        number = log.random.randrange(len(_USERS))
        user, address = _USERS[number], f"198.19.{number >> 8}.{number & 255}"
        user = user if number % 100 else log.random.choice(_SYSTEM)
        sender = user if "@" in user else f"{user}@mx.example"
    client = f"host-{address.replace(':', '-').replace('.', '-')}.dsl.example[{address}]"
    yield log.line("submission/smtpd", f"connect from {client}")
    id_ = log.queue_id()
    yield log.line(
        "submission/smtpd",
        f"{id_}: client={client}, sasl_method=PLAIN, sasl_username={user}",
    )
    recipients = log.random.choice((1, 1, 1, 2, 5))
    yield from _accepted(log, id_, sender, client, recipients)
    yield log.line("submission/smtpd", f"disconnect from {client} ehlo=2 auth=1 mail=1 commands=6")
    yield from _delivered(log, id_, sender, recipients)


def _received(log: _Log) -> Iterator[str]:
    host = log.random.choice(_REMOTE)
    client = f"{host}[203.0.113.{len(host) * 7 % 250}]"
    sender = f"someone@{host.partition('.')[2]}"
    yield log.line("smtpd", f"connect from {client}")
    id_ = log.queue_id()
    yield log.line("smtpd", f"{id_}: client={client}")
    yield from _accepted(log, id_, sender, client, 1)
    yield log.line(
        "virtual",
        f"{id_}: to=<{log.random.choice(_USERS)}>, relay=virtual, delay=0.11, "
        "delays=0.09/0.01/0/0.01, dsn=2.0.0, status=sent (delivered to maildir)",
    )
    yield log.line("qmgr", f"{id_}: removed")
    yield log.line("smtpd", f"disconnect from {client} ehlo=1 mail=1 rcpt=1 data=1 commands=4")


def _accepted(log: _Log, id_: str, sender: str, client: str, recipients: int) -> Iterator[str]:
    number = log.random.randrange(1 << 40)
    yield log.line("cleanup", f"{id_}: message-id=<{number:x}@{sender.rpartition('@')[2]}>")
    yield log.line(
        "cleanup",
        f"{id_}: info: header Subject: Offer {number % 900} for you from {client}; "
        f"from=<{sender}> to=<someone@remote1.example> proto=ESMTP helo=<[192.168.1.2]>",
    )
    size = log.random.randrange(900, 90_000)
    yield log.line(
        "qmgr", f"{id_}: from=<{sender}>, size={size}, nrcpt={recipients} (queue active)"
    )


def _delivered(log: _Log, id_: str, sender: str, recipients: int) -> Iterator[str]:
    for _ in range(recipients):
        host = log.random.choice(_REMOTE)
        relay = f"relay={host}[203.0.113.9]:25, delay=1.2, delays=0.1/0.01/0.5/0.6"
        to = f"{id_}: to=<x{log.random.randrange(9999)}@{host.partition('.')[2]}>, {relay}"
        fate = log.random.random()
        if fate < 0.80:
            yield log.line("smtp", f"{to}, dsn=2.0.0, status=sent (250 2.0.0 OK 17a-3)")
        elif fate < 0.94:
            answer = f"host {host}[203.0.113.9] said: 451 4.7.1 Try again later"
            yield log.line("smtp", f"{to}, dsn=4.7.1, status=deferred ({answer})")
            yield log.line(
                "qmgr", f"{id_}: from=<{sender}>, size=4000, nrcpt={recipients} (queue active)"
            )
            yield log.line("smtp", f"{to}, dsn=2.0.0, status=sent (250 2.0.0 OK 17a-4)")
        else:
            yield log.line("smtp", f"{to}, dsn=5.1.1, status=bounced (host {host} {_REFUSED})")
            bounce = log.queue_id()
            yield log.line("bounce", f"{id_}: sender non-delivery notification: {bounce}")
            yield log.line("qmgr", f"{bounce}: from=<>, size=6000, nrcpt=1 (queue active)")
            yield log.line("qmgr", f"{bounce}: removed")
    yield log.line("qmgr", f"{id_}: removed")


def main() -> None:
    path, number = Path(sys.argv[1]), int(sys.argv[2])
    with path.open("w", encoding="ascii") as stream:
        stream.writelines(lines(number))


if __name__ == "__main__":
    main()
