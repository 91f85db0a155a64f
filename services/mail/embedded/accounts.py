"""Mailboxes and their logins. Kept in memory as well, so that a session asks at no cost.

This process is the only writer of the spool. Each change is committed first and then
put in memory, both while the one write transaction is open: mail is accepted in such
transactions too, so no message of a mailbox is accepted after it was disabled.
"""

import asyncio
import hashlib
import hmac
import secrets
from collections import OrderedDict
from dataclasses import dataclass, field, replace

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError
from sqlalchemy import delete, insert, select, update

from services.errors import BadArgument
from services.language import tr
from services.mail.embedded import tables
from services.mail.embedded.address import parse_path
from services.mail.embedded.database import Database
from services.mail.port import UserState

#: The second choice of the OWASP Password Storage Cheat Sheet: 19 MiB, two passes.
HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_REMEMBERED_LOGINS = 256


@dataclass(frozen=True, slots=True)
class Mailbox:
    """One mailbox. ``credential`` is new with each password: an older login no longer counts."""

    address: str
    state: UserState
    password_hash: str = field(repr=False)
    credential: object = field(default_factory=object, repr=False, compare=False)


class Accounts:
    """All mailboxes of one server."""

    hasher = HASHER

    def __init__(self, database: Database) -> None:
        self._database = database
        self._mailboxes: dict[str, Mailbox] = {}
        self._nobody = ""
        self._hashing = asyncio.Semaphore(2)
        # Logins that were right, as a keyed hash of the password. The key is random and
        # lives only in this object, so what is kept says nothing about a password to
        # whoever reads a dump without it, and with it they could read the passwords of
        # the next logins anyway. A changed password has another credential, hence misses.
        self._key = secrets.token_bytes(32)
        self._right: OrderedDict[object, bytes] = OrderedDict()

    async def load(self) -> None:
        """Read all mailboxes. Raises ServerDown."""
        self._nobody = await asyncio.to_thread(self.hasher.hash, secrets.token_hex(16))
        async with self._database.read() as connection:
            rows = (await connection.execute(select(tables.account))).all()
        self._mailboxes = {
            row.address: Mailbox(row.address, UserState(row.state), row.password_hash)
            for row in rows
        }

    def get(self, address: str) -> Mailbox | None:
        """Return one mailbox, whatever the case of its address is written in."""
        return self._mailboxes.get(address.casefold())

    def addresses(self) -> tuple[str, ...]:
        """Return the addresses of all mailboxes, sorted."""
        return tuple(sorted(self._mailboxes))

    async def add(self, address: str, password: str) -> None:
        """Make a mailbox. Raises BadArgument if there is one, or the address is none."""
        parsed = parse_path(address)
        if parsed is None or parsed[0] != address or "@" not in address:
            raise BadArgument(tr("{address} is not a mail address.", address=repr(address)))
        key = address.casefold()
        hashed = await self._hash(password)
        async with self._database.write() as connection:
            if key in self._mailboxes:
                raise BadArgument(tr("There is a mailbox {address} already.", address=key))
            mailbox = Mailbox(key, UserState.ACTIVE, hashed)
            await connection.execute(
                insert(tables.account).values(
                    address=key, password_hash=hashed, state=mailbox.state.value
                )
            )
            await connection.commit()
            self._mailboxes[key] = mailbox

    async def set_state(self, address: str, state: UserState) -> UserState:
        """Set what a mailbox may do and return what it might before. Raises BadArgument."""
        async with self._database.write() as connection:
            mailbox = self.existing(address)
            if mailbox.state is not state:
                await connection.execute(
                    update(tables.account)
                    .where(tables.account.c.address == mailbox.address)
                    .values(state=state.value)
                )
                await connection.commit()
                self._mailboxes[mailbox.address] = replace(mailbox, state=state)
        return mailbox.state

    async def set_password(self, address: str, password: str) -> None:
        """Change a password; sessions logged in with the old one end. Raises BadArgument."""
        self.existing(address)
        hashed = await self._hash(password)
        async with self._database.write() as connection:
            mailbox = self.existing(address)
            await connection.execute(
                update(tables.account)
                .where(tables.account.c.address == mailbox.address)
                .values(password_hash=hashed)
            )
            await connection.commit()
            self._mailboxes[mailbox.address] = Mailbox(mailbox.address, mailbox.state, hashed)
            self._right.pop(mailbox.credential, None)

    async def remove(self, address: str) -> None:
        """Delete a mailbox with its mail. Raises BadArgument if there is none."""
        async with self._database.write() as connection:
            mailbox = self.existing(address)
            for table in (tables.account, tables.mail):
                await connection.execute(delete(table).where(table.c.address == mailbox.address))
            await connection.commit()
            del self._mailboxes[mailbox.address]
            self._right.pop(mailbox.credential, None)

    async def check(self, login: str, password: bytes) -> Mailbox | None:
        """Return the mailbox if the password is its, whatever its state; else None.

        An unknown login takes as long as a wrong password.
        """
        mailbox = self.get(login)
        digest = hashlib.blake2b(password, key=self._key).digest()
        if mailbox is not None:
            known = self._right.get(mailbox.credential)
            if known is not None and hmac.compare_digest(known, digest):
                self._right.move_to_end(mailbox.credential)
                return mailbox
        hashed = self._nobody if mailbox is None else mailbox.password_hash
        async with self._hashing:
            right = await asyncio.to_thread(self._verify, hashed, password)
        if mailbox is None or not right:
            return None
        current = self.get(login)
        if current is None or current.credential is not mailbox.credential:
            return None  # deleted, or the password changed, while we compared
        self._right[current.credential] = digest
        while len(self._right) > _REMEMBERED_LOGINS:
            self._right.popitem(last=False)
        return current

    def existing(self, address: str) -> Mailbox:
        """Return one mailbox. Raises BadArgument if there is none."""
        mailbox = self.get(address)
        if mailbox is None:
            raise BadArgument(tr("There is no mailbox {address} on this server.", address=address))
        return mailbox

    async def _hash(self, password: str) -> str:
        if not password:
            raise BadArgument(tr("A password cannot be empty."))
        async with self._hashing:
            return await asyncio.to_thread(self.hasher.hash, password)

    def _verify(self, hashed: str, password: bytes) -> bool:
        try:
            return self.hasher.verify(hashed, password)
        except (VerifyMismatchError, InvalidHashError):
            return False
