"""What spoolwarden check finds out: each thing the bot needs, and what to do where it is not."""

import os
import shlex
from collections.abc import AsyncIterator, Sequence

from bot import chats
from bot.commands import misnamed
from bot.finding import Finding
from bot.publisher import given_up
from services.audit import AuditLog, keyring
from services.clock import SystemClock
from services.containment import findings
from services.errors import SpoolwardenError
from services.ip_databases import IpDatabases
from services.mail.build import HostedServer, build
from services.mail.postfix.server import PostfixServer
from services.mail.smartermail.server import SmarterMailServer
from services.secrets import SecretFile, secret_files
from services.settings import Settings
from services.store import OlderTables, Store


async def check(settings: Settings) -> AsyncIterator[Finding]:
    """Look at everything that the settings name, one finding after the other."""
    if files := secret_files(settings):
        yield _secrets(files)
    async for finding in _database(settings):
        yield finding
    clock = SystemClock()
    for server_settings in settings.mail_server:
        try:
            server = build(server_settings, clock)
        except SpoolwardenError as error:
            yield Finding(False, f"mail server {server_settings.name}", error.sentence)
            continue
        async for finding in _mail_server(server, settings):
            yield finding
        if isinstance(server, PostfixServer) and not Store(settings.database).sqlite:
            yield Finding(
                True,
                f"mail server {server.name}",
                f"what is in which quarantine folder is noted in {server.notes}: instances of the "
                "bot on this machine share that, to one on another machine it is mail on hold",
            )
    async for finding in chats.findings(settings):
        yield finding
    yield _people(settings)
    async for finding in _ip_databases(settings):
        yield finding


def _secrets(files: Sequence[SecretFile]) -> Finding:
    exposed = [file for file in files if file.exposed]
    if not exposed:
        return Finding(True, "secrets", f"{len(files)} in files that not everybody may read")
    names = ", ".join(file.setting for file in exposed)
    paths = " ".join(shlex.quote(str(file.path)) for file in exposed)
    return Finding(
        False, "secrets", f"everybody on this machine may read {names}. Run: chmod o-rwx {paths}"
    )


async def _database(settings: Settings) -> AsyncIterator[Finding]:
    try:
        store = Store(settings.database)
        try:
            await store.open(upgrading=False)
            keys = keyring(settings.audit)
            verdict = await AuditLog(store, SystemClock(), keys).verify()
            dead = await given_up(store)
        finally:
            await store.close()
    except OlderTables as error:
        yield Finding(True, "database", error.sentence)
        return
    except SpoolwardenError as error:
        yield Finding(False, "database", error.sentence)
        return
    yield Finding(verdict.broken_at is None, "database", verdict.sentence)
    for letter in dead:
        yield Finding(
            False,
            "never shown",
            f"{letter.kind} {letter.ref} in {letter.chat}: {letter.error} It is in the log all "
            "the same: spoolwarden audit show.",
        )


async def _mail_server(server: HostedServer, settings: Settings) -> AsyncIterator[Finding]:
    what = f"mail server {server.name}"
    try:
        await server.start()
    except SpoolwardenError as error:
        yield Finding(
            False, what, f"{error.sentence} If Spoolwarden is running now, stop it to check this."
        )
        return
    try:
        if (cannot := findings(settings.containment, server)) is not None:
            yield Finding(False, what, cannot)
        if isinstance(server, PostfixServer):
            async for finding in _postfix(server, what):
                yield finding
            return
        yield Finding(True, what, await server.healthy())
        if isinstance(server, SmarterMailServer):
            for probe in await server.probes():
                yield Finding(probe.ok, what, probe.says)
        able = server.capabilities
        for name in able.__dataclass_fields__:
            capability = getattr(able, name)
            if not capability.able:
                yield Finding(True, what, f"cannot {name.replace('_', ' ')}: {capability.why}")
    except SpoolwardenError as error:
        yield Finding(False, what, error.sentence)
    finally:
        await server.stop()


async def _postfix(server: PostfixServer, what: str) -> AsyncIterator[Finding]:
    """Tell what the bot can do on this Postfix, and print the lines that are missing."""
    checks = await server.check()
    for looked in checks:
        yield Finding(looked.good, what, f"{looked.what}{': ' if looked.why else ''}{looked.why}")
    if all(looked.good for looked in checks):
        return
    commands = await server.to_be_asked()
    if commands:
        yield Finding(
            False,
            what,
            "run these as root there, that Postfix asks the bot's tables before all else:\n"
            + "".join(f"{command}\n" for command in (*commands, "postfix reload")),
        )
    user = server.account or _user()
    if user is not None:
        refused = any("sudo: " in looked.why for looked in checks)
        yield Finding(
            not refused,
            what,
            'with prefix = ["sudo", "-n"], /etc/sudoers.d/spoolwarden is to have these lines:\n'
            f"{server.sudoers(user)}",
        )


async def _ip_databases(settings: Settings) -> AsyncIterator[Finding]:
    """Tell of each file on addresses by itself: one that is broken says nothing of the other."""
    detection = settings.detection
    for databases in (
        IpDatabases(detection.asn_database, None),
        IpDatabases(None, detection.country_database),
    ):
        try:
            await databases.open()
            for sentence in databases.described():
                yield Finding(True, "addresses", sentence)
        except SpoolwardenError as error:
            yield Finding(False, "addresses", error.sentence)
        finally:
            databases.close()


def _user() -> str | None:
    """Return who the bot runs as; None for root, who needs no sudo."""
    if not os.geteuid():
        return None
    import pwd  # the other servers are checked where there is none, too

    # Not getpass: its answer is the environment's, which may be root's still.
    return pwd.getpwuid(os.geteuid()).pw_name


def _people(settings: Settings) -> Finding:
    access = settings.access
    if not (access.operators or access.admins):
        return Finding(
            False,
            "access",
            "Nobody is an operator or admin, so nobody can act: list user ids or "
            "group:ID in [access].",
        )
    if (why := misnamed(settings)) is not None:
        return Finding(False, "access", why)
    some = f"; {len(access.domains)} of them for some domains only" if access.domains else ""
    return Finding(
        True,
        "access",
        f"{len(access.admins)} admins, {len(access.operators)} operators, "
        f"{len(access.viewers)} viewers listed{some}",
    )
