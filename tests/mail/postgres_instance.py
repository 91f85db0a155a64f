# ruff: noqa: S603 - this is about running PostgreSQL's programs
"""A private PostgreSQL on a free loopback port, run by a user without rights."""

import os
import pwd
import shutil
import subprocess
from pathlib import Path

from .postfix_instance import free_port

USER = "mail"
PASSWORD = "open %sesame: @/"
_OWNER = "nobody"


def programs() -> Path | None:
    """Return the folder of the newest PostgreSQL installed, None if there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"), key=_version)
    return found[-1].parent if found else None


def missing() -> str:
    """Return the sentence that says why no private PostgreSQL can run here, "" if one can."""
    if programs() is None:
        return "Debian's postgresql is not installed, so logins in PostgreSQL were not tested."
    if os.geteuid() != 0:
        return "Only root can start PostgreSQL as another user, so it was not tested."
    return ""


class PostgresInstance:
    """One private PostgreSQL below ``root``."""

    def __init__(self, root: Path) -> None:
        self._data = root / "data"
        self._root = root
        self.port = free_port()

    def start(self) -> None:
        owner = pwd.getpwnam(_OWNER)
        shutil.chown(self._root, _OWNER)
        secret = self._root / "secret"
        secret.write_text(PASSWORD)
        os.chown(secret, owner.pw_uid, owner.pw_gid)
        # In the locale C, so the database has no encoding: that, too, is met.
        self._run("initdb", "-N", "-A", "scram-sha-256", "-U", USER, f"--pwfile={secret}")
        options = f"-p {self.port} -k {self._root} -c listen_addresses=127.0.0.1 -c fsync=off"
        self._run("pg_ctl", "-w", "-o", options, "-l", str(self._root / "log"), "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-w", "-m", "immediate", "stop")

    def _run(self, program: str, *arguments: str) -> None:
        folder = programs()
        assert folder is not None
        subprocess.run(
            [str(folder / program), "-D", str(self._data), *arguments],
            user=_OWNER,
            cwd=self._root,
            env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"},
            stdout=subprocess.DEVNULL,
            check=True,
            timeout=60,
        )


def _version(path: Path) -> float:
    return float(path.parent.parent.name)
