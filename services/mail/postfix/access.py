"""What Postfix asks before it takes mail: who may not send, who takes none, who is blocked.

The answers are in a SQLite database that Postfix reads through ``sqlite:`` tables, for
each MAIL and RCPT anew. Of the table types that come with Postfix it is the one that
serves here: ``hash``, ``cdb``, ``texthash`` and ``cidr`` are read when a server process
starts, so a session that is open goes on sending; a policy service or a ``tcp`` table run
by the bot would lift every measure, or stop all mail, whenever the bot is down. The
database stays in force without the bot, and a block ends in time without it.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from services.errors import ServerDown
from services.language import tr
from services.mail.port import Network, UserState
from services.mail.postfix.asked import Lookup, Wanted
from services.mail.postfix.folder import DATABASE, Folder, Statement

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
"""  # not shown

_STATE = "SELECT state FROM login WHERE name = ?"  # not shown
_LOGINS = """
  SELECT '550 5.7.1 This account may not send mail at present' FROM login WHERE name = '%s'
"""  # not shown
_RECIPIENTS = """
  SELECT '550 5.2.1 This mailbox takes no mail at present' FROM recipient WHERE address = '%s'
"""  # not shown
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
"""  # not shown


@dataclass(frozen=True, slots=True)
class Rule:
    """What becomes of clients of a network. ``until`` is in seconds since 1970."""

    network: Network
    action: str
    until: int | None = None


class AccessTables:
    """The database, and the files that tell Postfix how to ask it."""

    def __init__(self, server: str, folder: Folder) -> None:
        self._server = server
        self._folder = folder

    @property
    def logins(self) -> Path:
        """The table for check_sasl_access."""
        return self._folder.path / "logins.cf"

    @property
    def recipients(self) -> Path:
        """The table for check_recipient_access."""
        return self._folder.path / "recipients.cf"

    @property
    def clients(self) -> Path:
        """The table for check_client_access."""
        return self._folder.path / "clients.cf"

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

    async def open(self) -> None:
        """Make what is missing. Raises ServerDown."""
        queries = ((self.logins, _LOGINS), (self.recipients, _RECIPIENTS), (self.clients, _CLIENTS))
        head = "# Written by Spoolwarden.\n"  # not shown
        head += f"dbpath = {self._folder.path / DATABASE}\n"
        texts = {path.name: f"{head}query = {query.strip()}\n" for path, query in queries}
        with self._sentences():
            await self._folder.open(_TABLES, texts)

    async def close(self) -> None:
        """Close the database. What it says stays in force."""
        await self._folder.close()

    async def state(self, login: str) -> UserState:
        """Return what a login may do."""
        with self._sentences():
            return _state(await self._folder.select(Statement(_STATE, (login,))))

    async def set_state(
        self, names: Sequence[str], state: UserState, addresses: Sequence[str]
    ) -> UserState:
        """Set it for all names of one login, and the addresses whose mail is refused.

        Returns the state before, of the first name.
        """
        statements = [Statement(_STATE, (names[0],))]
        for name in names:
            statements += [
                Statement("DELETE FROM login WHERE name = ?", (name,)),
                Statement("DELETE FROM recipient WHERE login = ?", (name,)),
            ]
            if state is not UserState.ACTIVE:
                add = "INSERT INTO login VALUES (?, ?)"  # not shown
                statements.append(Statement(add, (name, state.value)))
        if state is UserState.REFUSING:
            refuse = "INSERT OR REPLACE INTO recipient VALUES (?, ?)"  # not shown
            statements += [Statement(refuse, (address, names[0])) for address in addresses]
        with self._sentences():
            return _state(await self._folder.change(statements))

    @contextmanager
    def _sentences(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise ServerDown(
                tr(
                    "The access tables of the mail server {server} in {path} could not be used "
                    "({why}). What was in force before still is.",
                    server=self._server,
                    path=self._folder.path / DATABASE,
                    why=str(error)[:120],
                )
            ) from error


def in_force(rules: Sequence[Rule]) -> list[Statement]:
    """Return what puts these rules in force, the first that fits being the one, and no others."""
    insert = "INSERT INTO client (first, last, action, until) VALUES (?, ?, ?, ?)"  # not shown
    return [
        Statement("DELETE FROM client"),
        *(
            Statement(insert, (key(r.network[0]), key(r.network[-1]), r.action, r.until))
            for r in rules
        ),
    ]


def _state(rows: Sequence[Sequence[object]]) -> UserState:
    return UserState(str(rows[0][0])) if rows else UserState.ACTIVE


def key(address: IPv4Address | IPv6Address) -> str:
    """Return an address as the query makes it: in the order of the addresses."""
    if address.version == 4:
        return "4" + "".join(f"{octet:03d}" for octet in address.packed)
    return "6" + address.packed.hex()
