# ruff: noqa: S603 - this is about running OpenSSH's programs
"""A private OpenSSH server: its own host key, configuration and accounts' keys, on loopback.

The instance of the machine it runs on is never read, started or touched.
"""

import asyncio
import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from .postfix_instance import PATH, free_port

_CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {root}/host_key
AuthorizedKeysFile {root}/authorized_keys
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
# With less, bash would read the account's .bashrc, as it does for sshd, whatever it holds.
SetEnv SHLVL=5
"""
PROGRAMS = ("sshd", "ssh-keygen", "sqlite3", "flock")


def missing() -> str:
    """Return the sentence that says why no private sshd can run here, "" if one can."""
    absent = [name for name in PROGRAMS if shutil.which(name, path=PATH) is None]
    if absent:
        return (
            f"{', '.join(absent)} not installed (Debian: openssh-server, sqlite3), so a Postfix "
            "on another machine was not tested."
        )
    return ""


class Sshd:
    """One private sshd below ``root``, which lets this account in with one key."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.user = getpass.getuser()
        self.key = root / "key"
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def make(self) -> None:
        """Write its files."""
        self.new_key("host_key")
        self.new_key("key")
        public = self.key.with_suffix(".pub").read_text()
        (self.root / "authorized_keys").write_text(f"restrict {public}")
        (self.root / "sshd_config").write_text(_CONFIG.format(root=self.root, port=self.port))
        if os.geteuid() == 0:
            # An empty folder that Debian's sshd insists on, and its service would make.
            Path("/run/sshd").mkdir(0o755, exist_ok=True)

    def new_key(self, name: str) -> Path:
        """Make a key pair."""
        path = self.root / name
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", str(path)]
        subprocess.run(command, check=True, timeout=20)
        return path

    def start(self) -> None:
        command = ["/usr/sbin/sshd", "-D", "-e", "-f", str(self.root / "sshd_config")]
        with (self.root / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
            except ConnectionRefusedError:
                continue
            return
        raise AssertionError((self.root / "log").read_text("utf-8", "replace"))

    def stop(self) -> None:
        """Stop it and every session it has."""
        if self._process is not None:
            self.cut()
            self._process.terminate()
            self._process.wait(20)
            self._process = None

    def cut(self) -> None:
        """End every session at once."""
        assert self._process is not None
        pid = self._process.pid
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(child), signal.SIGKILL)

    def known_hosts(self, *ports: int) -> Path:
        """Write a file with its host key, for these ports of this machine."""
        public = (self.root / "host_key.pub").read_text()
        path = self.root / f"known_hosts_{'_'.join(map(str, ports))}"
        path.write_text("".join(f"[127.0.0.1]:{port} {public}" for port in ports))
        return path

    def settings(self, port: int | None = None) -> dict[str, Any]:
        """Return the settings of a mail server that is reached through it."""
        port = self.port if port is None else port
        return {
            "ssh": f"{self.user}@127.0.0.1:{port}",
            "ssh_key": self.key,
            "ssh_known_hosts": self.known_hosts(port),
        }


class Relay:
    """A way to a port that can be cut: what is under way is lost, as when a cable is pulled."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._writers: set[asyncio.StreamWriter] = set()
        self.connections = 0
        self.port = 0

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Relay"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield self
            self.cut()

    def cut(self) -> None:
        """Cut every connection there is."""
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._to)
        self._writers |= {writer, far_writer}
        await asyncio.gather(_pass(reader, far_writer), _pass(far_reader, writer))
        self._writers -= {writer, far_writer}


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await reader.read(65536):
            writer.write(chunk)
            await writer.drain()
    writer.transport.abort()
