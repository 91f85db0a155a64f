"""Puts messages into an embedded server's database, where SMTP would have: for large numbers."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import NamedTuple

from services.mail.embedded import tables
from services.mail.embedded.address import ip_key
from services.mail.embedded.database import to_stored

_Address = IPv4Address | IPv6Address
_RAW = b"Subject: x\r\n\r\nHello.\r\n"
_FIRST = ip_address("11.0.0.9")


class Mail(NamedTuple):
    """How many messages of one sender, and the first word of their subjects."""

    sender: str
    number: int
    word: str = "Spam"


def fill(database: Path, mails: Sequence[Mail], at: datetime | None = None) -> None:
    """Fill the spool and the log; all of it came ``at`` and is tried again the day after.

    The server must not be running. Subjects are numbered through, from 0.
    """
    at = at or datetime.now(UTC) - timedelta(seconds=30)
    arrived, due = to_stored(at), to_stored(at + timedelta(days=1))
    # Each sender has a network of its own: sharing one would make them a campaign.
    senders = [
        (mail.sender, mail.word, _FIRST + 256 * place)
        for place, mail in enumerate(mails)
        for _ in range(mail.number)
    ]
    with closing(sqlite3.connect(database)) as connection, connection:
        (last,) = connection.execute("SELECT coalesce(max(id), 0) FROM submission").fetchone()
        messages, submissions, recipients, bodies = [], [], [], []
        for number, (sender, word, address) in enumerate(senders):
            row, subject = last + number + 1, f"{word} {number}"
            messages.append(_message(row, sender, subject, arrived + number, due, address))
            to = f"user{number}@list.invalid"
            submissions.append(
                (row, arrived + number, sender, 1, str(address), 1, len(_RAW), subject, to)
            )
            recipients.append((row, 0, to, to, 0))
            bodies.append((row, _RAW))
        if not messages:
            return
        names = list(messages[0])
        insert = f"({', '.join(names)}) VALUES ({', '.join(':' + name for name in names)})"
        connection.executemany(f"INSERT INTO {tables.message.name} {insert}", messages)
        connection.executemany(
            "INSERT INTO submission VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", submissions
        )
        connection.executemany("INSERT INTO recipient VALUES (?, ?, ?, ?, ?)", recipients)
        connection.executemany("INSERT INTO body VALUES (?, ?)", bodies)


def _message(
    row: int, sender: str, subject: str, arrived: int, due: int, address: _Address
) -> dict[str, object]:
    return {
        "id": row,
        "queue_id": f"{row:012X}",
        "arrived": arrived,
        "size": len(_RAW),
        "envelope_sender": sender,
        "auth_user": sender,
        "sender_key": sender,
        "client_ip": str(address),
        "ip_key": ip_key(address),
        "subject": subject,
        "subject_key": subject.casefold(),
        "queue": "deferred",
        "due": due,
        "claimed": 0,
        "attempts": 1,
        "local_left": 0,
    }
