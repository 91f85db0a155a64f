"""What can be done about an account for good: a new password, ended sessions, its deletion."""

import asyncio
import os
import re
from pathlib import Path

from services.errors import BadArgument, MailServerError, ServerDown, SpoolwardenError
from services.language import later, tr, trn
from services.mail.port import UserState
from services.models import IncidentState
from services.passwords import NotHandedOn
from services.people import Role
from services.remedy import Aim, Remedy, Result
from services.words import size

_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9.@_-]")
# RFC 4155: what separates messages in a mailbox file, and what hides such a line in one.
_FROM = re.compile(rb"^(>*From )", re.MULTILINE)


def account_of(aim: Aim) -> str:
    """Return the account that is aimed at. Raises BadArgument."""
    # The null sender of bounces can be an incident's; it is nobody's account.
    if not aim.target.account:
        raise BadArgument(tr("No account was named. Nothing was done."))
    return aim.target.account


async def _password(aim: Aim) -> Result:
    account, passwords = account_of(aim), aim.passwords
    secret = passwords.new()
    try:
        await aim.server.set_password(account, secret.get_secret_value())
    except ServerDown as error:
        # It may have been changed all the same; then nobody has it.
        again = tr("If the password was changed, nobody saw it: set it again.")
        return Result(f"{tr('It failed: {why}', why=error.sentence)} {again}", ok=False)
    done = tr("{account} has a new password; the old one no longer logs in.", account=account)
    if not passwords.command:
        return Result(done, secret=secret)
    try:
        await passwords.hand_on(account, secret)
    except (NotHandedOn, BadArgument) as error:
        failed = tr(
            "But the command that should hand it on failed: {why}. Nobody has the password; "
            "set it again.",
            why=error.sentence.removesuffix("."),
        )
        return Result(f"{done} {failed}", ok=False)
    return Result(f"{done} {tr('It was handed to the command that is set up for that.')}")


async def _end_sessions(aim: Aim) -> Result:
    account = account_of(aim)
    ended = await aim.server.end_sessions(account)
    if ended == 0:
        return Result(tr("{account} had no open session.", account=account))
    said = (
        tr("The sessions of {account} were ended.", account=account)
        if ended is None
        else trn(
            "{n} session of {account} was ended.",
            "{n} sessions of {account} were ended.",
            ended,
            account=account,
        )
    )
    return Result(f"{said} {tr('Whoever has the password can log in again.')}")


async def _delete_account(aim: Aim) -> Result:
    account, server = account_of(aim), aim.server
    if await server.user(account) is None:
        return Result(tr("{account} is no mailbox here any more.", account=account))
    # From here on nothing more arrives that the copy would not have.
    before = None
    if server.capabilities.refusing.able:
        before = await server.set_user_state(account, UserState.REFUSING)
    try:
        copied = await _copy(aim, account)
        await server.delete_user(account)
    except (SpoolwardenError, OSError) as error:
        why = error.sentence if isinstance(error, SpoolwardenError) else f"{error.strerror}."
        after = await _as_before(aim, account, before)
        return Result(f"{tr('It failed: {why}', why=why)} {after}", ok=False)
    done = tr("{account} is deleted.", account=account)
    return Result(f"{done} {copied}".rstrip(), incident_state=IncidentState.REMEDIED)


async def _as_before(aim: Aim, account: str, before: UserState | None) -> str:
    """Put back what a deletion that failed had changed; return how things stand."""
    try:
        if await aim.server.user(account) is None:
            return tr("{account} is deleted all the same.", account=account)
        if before is not None:
            await aim.server.set_user_state(account, before)
    except MailServerError:
        return tr("{account} may be refusing mail now; look on the mail server.", account=account)
    return tr("{account} was not deleted and is as before.", account=account)


async def _copy(aim: Aim, account: str) -> str:
    """Copy the mailbox into a file that only the bot's user may read; return where it is.

    Raises OSError, MailServerError: then there is no half of a copy left.
    """
    able = aim.server.capabilities.copy_mail
    if not able.able:
        return f"{tr('No copy was made.')} {able.why}"
    if aim.copies is None:
        return tr("No copy was made (setting safety.copies_folder).")
    name = f"{_NOT_IN_A_NAME.sub('_', account)[:100]}-{aim.now:%Y%m%dT%H%M%S%f}Z.mbox"
    path = aim.copies / name
    part = path.with_suffix(".part")
    number = octets = 0
    file = await asyncio.to_thread(_opened, part)
    try:
        with os.fdopen(file, "wb") as out:
            async for raw in aim.server.mail_of(account):
                octets += await asyncio.to_thread(out.write, _in_mailbox(raw, aim))
                number += 1
            await asyncio.to_thread(_kept, out.fileno())
        await asyncio.to_thread(part.rename, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return trn(
        "A copy of its {n} message ({size}) is in {file}.",
        "A copy of its {n} messages ({size}) is in {file}.",
        number,
        size=size(octets),
        file=path,
    )


def _opened(part: Path) -> int:
    part.parent.mkdir(0o700, parents=True, exist_ok=True)
    return os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)


def _kept(file: int) -> None:
    os.fsync(file)


def _in_mailbox(raw: bytes, aim: Aim) -> bytes:
    """Return a message as one of a mailbox file in the format of RFC 4155."""
    lines = raw.replace(b"\r\n", b"\n")
    begin = f"From MAILER-DAEMON {aim.now:%a %b %d %H:%M:%S %Y}\n".encode()  # not shown
    body = _FROM.sub(rb">\1", lines)
    return begin + body + (b"\n" if body.endswith(b"\n") else b"\n\n")


ACCOUNT_REMEDIES = (
    Remedy(
        "password",
        later("setting a new password"),
        Role.OPERATOR,
        _password,
        needs=lambda c, t: (c.set_password,),
        changes_account=True,
    ),
    Remedy(
        "end_sessions",
        later("ending its sessions"),
        Role.OPERATOR,
        _end_sessions,
        needs=lambda c, t: (c.end_sessions,),
    ),
    Remedy(
        "delete_account",
        later("deleting the account"),
        Role.ADMIN,
        _delete_account,
        needs=lambda c, t: (c.delete_user,),
        changes_account=True,
    ),
)
