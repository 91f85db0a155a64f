"""The keys that the audit log is sealed with: kept where the database is not.

An entry names the key by an id that is made from it and does not give it away. To
change a key, or to stop sealing, name the old one in old_key_files until the bot has
run once: it then seals the change with the old key too. Somebody who can write the
database but has no key can do neither unseen.
"""

import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from services.errors import ConfigError
from services.secrets import secret_files
from services.settings import AuditSettings

#: A key that can be guessed seals nothing, and its id would tell whether a guess is right.
_LEAST = 32
_HOW = "Make one with: openssl rand -hex 32"


@dataclass(frozen=True, slots=True)
class Key:
    """One key. Its id may be shown."""

    id: str
    _secret: bytes = field(repr=False)

    @classmethod
    def of(cls, text: str, where: str) -> "Key":
        """Return the key that ``text`` is. Raises ConfigError that names ``where`` it stood."""
        secret = text.strip().encode()
        if len(secret) < _LEAST:
            raise ConfigError(f"{where} is shorter than {_LEAST} characters. {_HOW}")
        return cls(_mac(secret, "id", "")[:16], secret)

    def seal(self, hash: str) -> str:
        """Return the seal of the entry with this hash."""
        return _mac(self._secret, "entry", hash)

    def seal_change(self, seq: int, before: str, to: str | None) -> str:
        """Return the seal on entry ``seq`` ending this key's time: from it on, ``to`` seals."""
        return _mac(self._secret, "change", f"{seq} {before} {to or '-'}")


def _mac(secret: bytes, what: str, text: str) -> str:
    # What is sealed stands in front, so that no seal can be passed off as one of another kind.
    return hmac.digest(secret, f"spoolwarden audit {what}\n{text}".encode(), "sha256").hex()


class Keyring:
    """The key to seal with, and those that older entries are sealed with."""

    def __init__(self, current: Key | None = None, old: Iterable[Key] = ()) -> None:
        self.current = current
        self._by_id = {key.id: key for key in old}
        if current is not None:
            self._by_id[current.id] = current

    @property
    def current_id(self) -> str | None:
        """The id of the key to seal with."""
        return None if self.current is None else self.current.id

    def get(self, key_id: str | None) -> Key | None:
        """Return the key of that id, if it is here."""
        return None if key_id is None else self._by_id.get(key_id)

    def adding(self, keys: Iterable[Key]) -> "Keyring":
        """Return this with more keys; where none was current, the first of them is."""
        more = tuple(keys)
        return Keyring(self.current or (more[0] if more else None), (*self._by_id.values(), *more))


NO_KEYS = Keyring()


def keyring(settings: AuditSettings) -> Keyring:
    """Return the keys that the settings name. Raises ConfigError; no text of it holds a key."""
    current = None
    if settings.key is not None:
        where = next((_in(file.path) for file in secret_files(settings)), "audit.key")
        current = Key.of(settings.key.get_secret_value(), where)
    return Keyring(current, map(key_in, settings.old_key_files))


def key_in(file: Path) -> Key:
    """Return the key that ``file`` holds. Raises ConfigError."""
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise ConfigError(f"{_in(file)} cannot be read ({why}). {_HOW}") from None
    return Key.of(text, _in(file))


def _in(file: Path) -> str:
    return f"The audit key in {file}"
