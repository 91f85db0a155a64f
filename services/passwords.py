"""New passwords: how they are made, and the command that they are handed to where there is one.

A password is in memory only, from its making until it was shown or handed on.
"""

import asyncio
import contextlib
import os
import secrets
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from dataclasses import dataclass

from pydantic import SecretStr

from services.errors import BadArgument, SpoolwardenError
from services.language import tr

# Letters and digits that nobody mistakes for another when a password is read out.
_LETTERS = "abcdefghijkmnpqrstuvwxyz"
_CAPITALS = "ABCDEFGHJKLMNPQRSTUVWXYZ"
_DIGITS = "23456789"
_GROUPS, _LENGTH = 4, 5  # 20 characters of 56: 116 bits
#: What a command may know of the bot's surroundings: none of its secrets is in these.
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR")


class NotHandedOn(SpoolwardenError):
    """The command did not take the password."""


@dataclass(frozen=True, slots=True)
class Passwords:
    """How new passwords reach their owners. Without a command they are shown to who asked."""

    command: tuple[str, ...] = ()
    timeout: float = 30.0  # seconds

    @property
    def note(self) -> str:
        """The sentence on who gets it, for the question that is asked first."""
        if self.command:
            return tr("It is handed to the command that your administrators set up, and not shown.")
        return tr("It is shown once, to you alone: pass it on to the account's owner.")

    def new(self) -> SecretStr:
        """Return a password with small and capital letters, digits and hyphens."""
        pool = _LETTERS + _CAPITALS + _DIGITS
        while True:
            made = "".join(secrets.choice(pool) for _ in range(_GROUPS * _LENGTH))
            # Mail servers may ask for each kind; the hyphens are the fourth.
            if all(set(made) & set(kind) for kind in (_LETTERS, _CAPITALS, _DIGITS)):
                parts = [made[at : at + _LENGTH] for at in range(0, len(made), _LENGTH)]
                return SecretStr("-".join(parts))

    async def hand_on(self, account: str, password: SecretStr) -> None:
        """Give the command the account and the password, a line each, on its standard input.

        No shell is between. What it prints is not read: it may be the password. Raises
        NotHandedOn where it cannot be started, takes too long or does not end well, and
        BadArgument for an account that is not one line.
        """
        if not account.isprintable():
            raise BadArgument(tr("The account's name is not one line of text."))
        try:
            process = await asyncio.create_subprocess_exec(
                *self.command,
                stdin=PIPE,
                stdout=DEVNULL,
                stderr=DEVNULL,
                env={name: os.environ[name] for name in _KEPT if name in os.environ},
                start_new_session=True,
            )
        except OSError as error:
            why = error.strerror or error
            raise NotHandedOn(tr("it cannot be started ({why})", why=why)) from None
        try:
            async with asyncio.timeout(self.timeout):
                await process.communicate(f"{account}\n{password.get_secret_value()}\n".encode())
        except TimeoutError:
            seconds = f"{self.timeout:g}"
            raise NotHandedOn(tr("it took longer than {seconds} s", seconds=seconds)) from None
        finally:
            await _ended(process)
        if process.returncode != 0:
            status = str(process.returncode)
            raise NotHandedOn(tr("it ended with status {status}", status=status))


async def _ended(process: Process) -> None:
    """See to it that a command and what it started are gone."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
