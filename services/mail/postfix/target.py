"""The machine of a Postfix that is reached by SSH, and how it is known to be that one."""

import re
from dataclasses import dataclass
from pathlib import Path

_TARGET = re.compile(
    r"([A-Za-z_][A-Za-z0-9_.-]{0,31})@(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9][A-Za-z0-9.-]{0,252})"
    r"(?::([0-9]{1,5}))?\Z"
)
_PORT = 22


@dataclass(frozen=True, slots=True)
class Target:
    """Where to, as whom, and with which key; None: those in ``~/.ssh`` and an agent's."""

    user: str
    host: str
    port: int
    key: Path | None
    known_hosts: Path | None

    @classmethod
    def of(cls, text: str, key: Path | None, known_hosts: Path | None) -> "Target":
        """Read ``user@host[:port]``. Raises ValueError."""
        found = _TARGET.match(text)
        port = int(found[3] or _PORT) if found is not None else 0
        if found is None or not 0 < port < 65536:
            raise ValueError(text)
        return cls(found[1], found[2].strip("[]"), port, key, known_hosts)

    @property
    def hosts_file(self) -> Path:
        """The file with the host keys that are trusted."""
        return (self.known_hosts or Path("~/.ssh/known_hosts")).expanduser()
