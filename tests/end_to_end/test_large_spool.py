"""A spool of 50,000 messages: looked at, paged through, and 40,000 of them held at once."""

import asyncio
import sqlite3
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from services.mail.embedded import tables
from services.mail.embedded.address import ip_key
from services.mail.embedded.database import to_stored

from .playing import ACCOUNT, Play

_OTHER = "ben.osei@example.com"
_SPAM, _ALL = 40_000, 50_000


async def test_a_large_spool_is_searched_and_an_accounts_40000_messages_are_stopped(
    play: Play,
) -> None:
    await play.app.stop()
    await asyncio.to_thread(_fill, play.folder / "mail.db")
    await play.start_bot()
    await play.workspace.until_app_connected()
    card = await play.otto.card_with(ACCOUNT, "40,000 messages in 5 min")
    assert "40,000 waiting (80% of the spool), 0 held" in card.text
    dashboard = (await play.vera.type("")).text
    for said in ("50,000 waiting", "0 held", ACCOUNT, _OTHER):
        assert said in dashboard
    first = (await play.vera.type(f"search sender:{ACCOUNT}")).text
    assert "40,000 messages match" in first
    assert "page 1 of 8,000" in first
    assert "Spam 0\n" in first
    last = (await play.vera.type(f"search sender:{ACCOUNT} page:8000")).text
    assert "page 8,000 of 8,000" in last
    assert f"Spam {_SPAM - 1}\n" in last
    found = (await play.vera.type('search subject:"Letter 49999"')).text
    assert "1 message match" in found
    await play.use(play.otto.press, "Stop sending")
    await play.otto.line(card, "40,000 messages held")
    await play.otto.card_with(ACCOUNT, "0 waiting, 40,000 held")
    counts = await play.stage.server.counts()
    assert (counts.waiting, counts.held) == (_ALL - _SPAM, _SPAM)
    assert (await play.waiting(), await play.held()) == (0, _SPAM)
    assert await play.waiting(_OTHER) == _ALL - _SPAM
    assert len(play.otto.cards()) == 2


def _fill(database: Path) -> None:
    """Put the messages where SMTP would have, all of them to be tried again tomorrow."""
    now = datetime.now(UTC)
    at, due = to_stored(now - timedelta(seconds=30)), to_stored(now + timedelta(days=1))
    address = ip_address("203.0.113.9")
    raw = b"Subject: x\r\n\r\nHello.\r\n"
    messages, submissions, recipients, bodies = [], [], [], []
    for number in range(_ALL):
        sender = ACCOUNT if number < _SPAM else _OTHER
        subject = f"Spam {number}" if number < _SPAM else f"Letter {number}"
        row, arrived = number + 1, at + number
        messages.append(
            {
                "id": row,
                "queue_id": f"{row:012X}",
                "arrived": arrived,
                "size": len(raw),
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
        )
        submissions.append((row, arrived, sender, 1, str(address), 1, len(raw), subject))
        to = f"user{number}@list.invalid"
        recipients.append((row, 0, to, to, 0))
        bodies.append((row, raw))
    names = list(messages[0])
    insert = f"({', '.join(names)}) VALUES ({', '.join(':' + name for name in names)})"
    connection = sqlite3.connect(database)
    with connection:
        connection.executemany(f"INSERT INTO {tables.message.name} {insert}", messages)
        connection.executemany(
            "INSERT INTO submission VALUES (?, ?, ?, ?, ?, ?, ?, ?)", submissions
        )
        connection.executemany("INSERT INTO recipient VALUES (?, ?, ?, ?, ?)", recipients)
        connection.executemany("INSERT INTO body VALUES (?, ?)", bodies)
    connection.close()
