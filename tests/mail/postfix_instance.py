# ruff: noqa: S603, S608 - this is about running Postfix's programs
"""A private Postfix: its own configuration, queue, log and users, on a free loopback port.

The instance of the machine it runs on is never read, started or touched. Mail for
``elsewhere.test`` is deferred at once, mail for the domain's mailboxes is thrown away.
"""

import asyncio
import contextlib
import os
import pwd
import shutil
import socket
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random
from typing import TypeVar

from services.mail.postfix.access import AccessTables
from services.mail.postfix.folder import LocalFolder

DOMAIN = "example.test"
ELSEWHERE = "elsewhere.test"
PROGRAMS = ("postfix", "postqueue", "postsuper", "postcat", "postconf", "postmap", "saslpasswd2")
# Where Debian has them; a user's own PATH often lacks the first.
PATH = "/usr/sbin:/usr/bin"

_MAIN = """\
compatibility_level = 3.6
queue_directory = {root}/queue
data_directory = {root}/data
maillog_file = {root}/log/mail.log
maillog_file_prefixes = {root}
myhostname = mx.example.test
mydestination =
inet_interfaces = loopback-only
inet_protocols = all
mynetworks = 192.0.2.250/32
alias_maps =
alias_database =
virtual_mailbox_domains = example.test
virtual_mailbox_maps = texthash:{root}/mailboxes
virtual_transport = discard:
default_transport = smtp:[127.0.0.1]:1
relay_transport = smtp:[127.0.0.1]:1
enable_long_queue_ids = yes
disable_mime_input_processing = yes
header_checks = regexp:{root}/header_checks
smtpd_upstream_proxy_protocol = haproxy
smtpd_peername_lookup = no
smtpd_sasl_auth_enable = yes
smtpd_sasl_path = smtpd
smtpd_sasl_local_domain =
smtpd_sasl_security_options = noanonymous
smtpd_delay_reject = no
smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination
smtpd_error_sleep_time = 0
smtpd_client_connection_rate_limit = 0
smtpd_client_connection_count_limit = 0
smtpd_milters =
"""

_MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
tlsmgr unix - - n 1000? 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
"""


def missing() -> str:
    """Return the sentence that says why no private Postfix can run here, "" if one can."""
    absent = [name for name in PROGRAMS if shutil.which(name, path=PATH) is None]
    if absent:
        return f"{', '.join(absent)} not installed, so Postfix was not tested."
    maps = subprocess.run(["/usr/sbin/postconf", "-m"], capture_output=True, text=True, check=True)
    if "sqlite" not in maps.stdout.split():
        return "Debian's postfix-sqlite is not installed, so Postfix was not tested."
    if os.geteuid() != 0:
        return "Only root can start a private Postfix, so Postfix was not tested."
    return ""


def missing_sql() -> str:
    """Return the sentence that says why Postfix cannot ask for logins in SQL, "" if it can."""
    if any(Path("/usr/lib").glob("*/sasl2/libsql.so*")):
        return ""
    return "Debian's libsasl2-modules-sql is not installed, so logins in SQL were not tested."


class PostfixInstance:
    """One private Postfix below ``root``."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.config = root / "config"
        self.state = root / "state"
        self.log = root / "log" / "mail.log"
        self.sasldb = root / "sasl" / "sasldb2"
        self.logins = root / "sasl" / "logins.db"
        self.port = free_port()

    def make(self) -> None:
        """Write its files."""
        owner = pwd.getpwnam("postfix")
        for name in ("config", "config/sasl", "queue", "data", "log", "sasl", "state"):
            (self.root / name).mkdir()
        os.chown(self.root / "data", owner.pw_uid, owner.pw_gid)
        tables = AccessTables("mx", LocalFolder("mx", self.state))
        (self.config / "main.cf").write_text(_MAIN.format(root=self.root) + tables.main_cf())
        (self.config / "master.cf").write_text(_MASTER.format(port=self.port))
        (self.root / "mailboxes").write_text(f"ann@{DOMAIN} x\nbob@{DOMAIN} x\n")
        (self.root / "header_checks").write_text("/^subject:/ INFO\n")
        # Debian's Postfix looks for it below its configuration, and nowhere else.
        (self.config / "sasl" / "smtpd.conf").write_text(
            "pwcheck_method: auxprop\nauxprop_plugin: sasldb sql\nmech_list: PLAIN LOGIN\n"
            f"sasldb_path: {self.sasldb}\nsql_engine: sqlite3\nsql_database: {self.logins}\n"
            "sql_select: SELECT password FROM login WHERE name = '%u@%r'\n"
        )
        with closing(sqlite3.connect(self.logins)) as logins, logins:
            logins.execute("CREATE TABLE login (name TEXT PRIMARY KEY, password TEXT)")
        # A table that is missing when Postfix first opens it stays so for that process.
        with ThreadPoolExecutor(1) as aside:  # there may be a loop here already
            aside.submit(asyncio.run, _made(tables)).result()

    def run(self, *arguments: str, stdin: bytes = b"", check: bool = True) -> str:
        """Run one of Postfix's programs on this instance and return what it prints."""
        program, *rest = arguments
        done = subprocess.run(
            [f"/usr/sbin/{program}", "-c", str(self.config), *rest],
            input=stdin,
            capture_output=True,
            timeout=30,
            check=False,
        )
        text = (done.stdout + done.stderr).decode("utf-8", "replace")
        assert done.returncode == 0 or not check, text
        return text

    def start(self) -> None:
        self.run("postfix", "start")
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
            except ConnectionRefusedError:
                continue
            return
        raise AssertionError("the private Postfix does not listen")

    def stop(self) -> None:
        self.run("postfix", "stop", check=False)

    def empty(self) -> None:
        """Take out all messages, logins, state and log lines."""
        self.run("postsuper", "-d", "ALL")
        for path in (*self.state.iterdir(), *self.sasldb.parent.iterdir()):
            kept = path.suffix in (".db", ".cf") or path.name.startswith("access.db")
            if not kept or path.name == "state.db":
                path.unlink()
        # Postfix has this one open: it stays the same file, and so does what is beside it.
        access = self.state / "access.db"
        reader = sqlite3.connect(f"{access.as_uri()}?mode=ro", uri=True)
        with closing(reader), closing(sqlite3.connect(access)) as tables, tables:
            reader.execute("SELECT 1 FROM login").fetchall()
            for table in ("login", "recipient", "client"):
                tables.execute(f"DELETE FROM {table}")
        with closing(sqlite3.connect(self.logins)) as logins, logins:
            logins.execute("DELETE FROM login")
        for path in self.log.parent.iterdir():
            if path == self.log:
                os.truncate(path, 0)
            else:
                path.unlink()

    def add_login(self, login: str, password: str) -> None:
        """Make a SASL login."""
        name, _, realm = login.partition("@")
        command = ["/usr/sbin/saslpasswd2", "-p", "-c", "-f", str(self.sasldb)]
        command += ["-u", realm or "mx.example.test", name]
        subprocess.run(command, input=password.encode(), check=True, capture_output=True)
        shutil.chown(self.sasldb, "postfix", "postfix")

    def add_sql_login(self, login: str, password: str) -> None:
        """Make a login in the SQL database."""
        with closing(sqlite3.connect(self.logins)) as logins, logins:
            logins.execute("INSERT INTO login VALUES (?, ?)", (login, password))

    def sql_logins(self) -> dict[str, str]:
        """Return the logins in the SQL database, and their passwords."""
        with closing(sqlite3.connect(self.logins)) as logins:
            return dict(logins.execute("SELECT name, password FROM login"))


async def _made(tables: AccessTables) -> None:
    await tables.open()
    await tables.close()


def free_port() -> int:
    """Return a port that nobody listens at, and that is still free when a server starts there.

    So it is none of those that the system gives to whoever asks for any, or connects: beside
    this one thousands of tests do.
    """
    given = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text()
    for port in Random().sample(range(10_000, int(given.split()[0])), 100):  # noqa: S311
        with socket.socket() as listening, contextlib.suppress(OSError):
            listening.bind(("127.0.0.1", port))
            return port
    raise AssertionError("none of a hundred ports is free")


_P = TypeVar("_P", bound=PostfixInstance)


@contextmanager
def running(kind: type[_P]) -> Iterator[_P]:
    """Run a Postfix of its own within the block."""
    # In no folder of pytest's: Postfix's own user must be able to walk to its queue.
    with tempfile.TemporaryDirectory(prefix="spoolwarden-postfix-") as folder:
        root = Path(folder)
        root.chmod(0o755)
        instance = kind(root)
        instance.make()
        instance.start()
        yield instance
        instance.stop()
