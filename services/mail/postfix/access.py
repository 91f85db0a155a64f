"""What Postfix asks before it takes mail: who may not send, who takes none, who is blocked.

The answers are in a SQLite database that Postfix reads through ``sqlite:`` tables, for
each MAIL and RCPT anew. Of the table types that come with Postfix it is the one that
serves here: ``hash``, ``cdb``, ``texthash`` and ``cidr`` are read when a server process
starts, so a session that is open goes on sending; a policy service or a ``tcp`` table run
by the bot would lift every measure, or stop all mail, whenever the bot is down. The
database stays in force without the bot, and a block ends in time without it.

Postfix reads it without rights to write, so it keeps a rollback journal and no WAL.
"""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from services.errors import ServerDown
from services.mail.port import Network, UserState
from services.mail.postfix.asked import Lookup, Wanted

_BUSY_SECONDS = 10.0

_TABLES = """
CREATE TABLE IF NOT EXISTS login (
  name TEXT PRIMARY KEY COLLATE NOCASE, state TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS recipient (
  address TEXT PRIMARY KEY COLLATE NOCASE, login TEXT NOT NULL COLLATE NOCASE
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS client (
  position INTEGER PRIMARY KEY, first TEXT NOT NULL, last TEXT NOT NULL,
  action TEXT NOT NULL, until INTEGER
);
"""

_LOGINS = """
  SELECT '550 5.7.1 This account may not send mail at present' FROM login WHERE name = '%s'
"""
_RECIPIENTS = """
  SELECT '550 5.2.1 This mailbox takes no mail at present' FROM recipient WHERE address = '%s'
"""
# Postfix asks for a client's name, its address, and parts of both. Only an address makes a
# key: "4" and its numbers in three digits each, or "6" and all its hexadecimal digits.
_CLIENTS = """
  WITH given(a) AS (SELECT '%s'),
  counted(a, groups) AS (SELECT a, length(trim(a, ':')) - length(replace(trim(a, ':'), ':', ''))
    + 1 - (instr(trim(a, ':'), '::') > 0) - (trim(a, ':') = '') FROM given),
  whole(a) AS (SELECT CASE WHEN instr(a, '::') THEN trim(replace(a, '::', ':' ||
    substr('0:0:0:0:0:0:0:0:', 1, 2 * (8 - groups))), ':') ELSE a END FROM counted),
  asked(k) AS (SELECT CASE
    WHEN a GLOB '[0-9]*.[0-9]*.[0-9]*.[0-9]*' AND NOT a GLOB '*[^0-9.]*' THEN '4' ||
      (SELECT group_concat(substr('00' || value, -3), '')
       FROM json_each('["' || replace(a, '.', '","') || '"]'))
    WHEN a GLOB '*:*' AND NOT a GLOB '*[^0-9a-f:]*' THEN '6' ||
      (SELECT group_concat(substr('000' || value, -4), '')
       FROM json_each('["' || replace((SELECT a FROM whole), ':', '","') || '"]'))
    END FROM given)
  SELECT action FROM client, asked
  WHERE k BETWEEN first AND last AND length(k) = length(first)
  AND (until IS NULL OR until > CAST(strftime('%%s', 'now') AS INTEGER))
  ORDER BY position LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Rule:
    """What becomes of clients of a network. ``until`` is in seconds since 1970."""

    network: Network
    action: str
    until: int | None = None


class AccessTables:
    """The database, and the files that tell Postfix how to ask it. Every method blocks."""

    def __init__(self, server: str, folder: Path) -> None:
        self._server = server
        self._folder = folder
        self._path = folder / "access.db"
        self._connection: sqlite3.Connection | None = None
        self._lock = threading.Lock()

    @property
    def logins(self) -> Path:
        """The table for check_sasl_access."""
        return self._folder / "logins.cf"

    @property
    def recipients(self) -> Path:
        """The table for check_recipient_access."""
        return self._folder / "recipients.cf"

    @property
    def clients(self) -> Path:
        """The table for check_client_access."""
        return self._folder / "clients.cf"

    @property
    def wanted(self) -> Wanted:
        """What each list of restrictions is to ask, before others.

        At the end of the data they ask once more, for a message that was on its way in when
        its sender was stopped.
        """
        clients = Lookup("check_client_access", self.clients)
        logins = Lookup("check_sasl_access", self.logins)
        recipients = Lookup("check_recipient_access", self.recipients)
        return {
            "smtpd_client_restrictions": (clients,),
            "smtpd_sender_restrictions": (clients, logins),
            "smtpd_recipient_restrictions": (recipients,),
            "smtpd_end_of_data_restrictions": (clients, logins),
        }

    def main_cf(self) -> str:
        """Return the lines of a main.cf that has none of these lists."""
        lists = self.wanted.items()
        return "".join(f"{name} = {', '.join(map(str, asked))}\n" for name, asked in lists)

    def open(self) -> None:
        """Make what is missing. Raises ServerDown."""
        with self._sentences():
            connection = sqlite3.connect(
                self._path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            self._connection = connection
            self._path.chmod(0o644)
            connection.execute("PRAGMA journal_mode=DELETE")
            connection.execute("PRAGMA synchronous=FULL")
            connection.executescript(_TABLES)
            for path, query in (
                (self.logins, _LOGINS),
                (self.recipients, _RECIPIENTS),
                (self.clients, _CLIENTS),
            ):
                text = (
                    f"# Written by Spoolwarden.\ndbpath = {self._path}\nquery = {query.strip()}\n"
                )
                # Postfix reads it when a process starts: only a new one is written.
                if not path.exists() or path.read_text("utf-8") != text:
                    fresh = path.with_suffix(".new")
                    fresh.write_text(text, "utf-8")
                    fresh.chmod(0o644)
                    fresh.replace(path)

    def close(self) -> None:
        """Close the database. What it says stays in force."""
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()

    def state(self, login: str) -> UserState:
        """Return what a login may do."""
        with self._use() as connection:
            row = connection.execute("SELECT state FROM login WHERE name = ?", (login,)).fetchone()
        return UserState.ACTIVE if row is None else UserState(row[0])

    def set_state(self, login: str, state: UserState, addresses: Sequence[str]) -> UserState:
        """Set it, with the addresses whose mail is refused; return the state before."""
        with self._use() as connection, _transaction(connection):
            row = connection.execute("SELECT state FROM login WHERE name = ?", (login,)).fetchone()
            connection.execute("DELETE FROM login WHERE name = ?", (login,))
            connection.execute("DELETE FROM recipient WHERE login = ?", (login,))
            if state is not UserState.ACTIVE:
                connection.execute("INSERT INTO login VALUES (?, ?)", (login, state.value))
            if state is UserState.REFUSING:
                connection.executemany(
                    "INSERT OR REPLACE INTO recipient VALUES (?, ?)",
                    [(address, login) for address in addresses],
                )
        return UserState.ACTIVE if row is None else UserState(row[0])

    def set_clients(self, rules: Sequence[Rule]) -> None:
        """Put these rules in force, the first that fits being the one, and no others."""
        rows = [
            (key(rule.network[0]), key(rule.network[-1]), rule.action, rule.until) for rule in rules
        ]
        with self._use() as connection, _transaction(connection):
            connection.execute("DELETE FROM client")
            connection.executemany(
                "INSERT INTO client (first, last, action, until) VALUES (?, ?, ?, ?)", rows
            )

    @contextmanager
    def _use(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._sentences():
            if self._connection is None:
                raise ServerDown(f"The mail server {self._server} has not been started.")
            yield self._connection

    @contextmanager
    def _sentences(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise ServerDown(
                f"The access tables of the mail server {self._server} in {self._path} could not "
                f"be used ({str(error)[:120]}). What was in force before still is."
            ) from error


def key(address: IPv4Address | IPv6Address) -> str:
    """Return an address as the query makes it: in the order of the addresses."""
    if address.version == 4:
        return "4" + "".join(f"{octet:03d}" for octet in address.packed)
    return "6" + address.packed.hex()


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
