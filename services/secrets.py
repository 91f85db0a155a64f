"""Secrets that stand in files: NAME_file beside NAME in any table, and systemd's credentials.

Whatever setting is a SecretStr, or is marked with MayBeInFile, may be given as the
path of a file that holds it: database_file in the file of settings,
SPOOLWARDEN_DATABASE_FILE in the environment. Or systemd hands it over
(LoadCredential=) in a file that is named after the setting: database,
mail_server.mx1.password, mail_server.mx1.logins.url.
"""

import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self, TypeGuard, get_args, get_origin
from urllib.parse import unquote, urlsplit

from pydantic import (
    BaseModel,
    ModelWrapValidatorHandler,
    PrivateAttr,
    SecretStr,
    model_validator,
)
from pydantic.fields import FieldInfo

#: What systemd puts before each name where a whole folder is loaded as "spoolwarden".
FOLDER = "spoolwarden_"
#: What a credential was called before it was named after its setting.
_EARLIER = {"audit-key": "audit.key"}
_LARGEST = 64 * 1024
#: By what a table of a list is named in a credential's name.
_NAMES = ("name", "address")
#: Shorter than this, a secret is not looked for in what is logged: it would be found in words.
_SHORTEST = 6


class MayBeInFile:
    """Marks a setting that is no SecretStr and yet may hold a secret."""


class FromFiles(BaseModel):
    """A table of settings whose secrets may stand in files."""

    _files: dict[str, Path] = PrivateAttr(default_factory=dict)  # each secret read, and whence

    @model_validator(mode="wrap")
    @classmethod
    def _read_files(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if not isinstance(data, dict):
            return handler(data)
        given, files = dict(data), {}
        for name in _secrets(cls):
            file = given.pop(in_file(name), None)
            if file is None:
                continue
            if name in given:
                raise ValueError(f"{name} and {in_file(name)} are both given; leave one out")
            if not isinstance(file, str | Path) or not str(file):
                raise ValueError(f"{in_file(name)} is not the path of a file")
            files[name] = Path(file)
            given[name] = read(files[name], in_file(name))
        made = handler(given)
        made._files = files
        return made


@dataclass(frozen=True, slots=True)
class SecretFile:
    """A file that a secret was read from, and how the setting is called."""

    setting: str
    path: Path

    @property
    def exposed(self) -> bool:
        """Whether everybody on this machine may read it."""
        try:
            return bool(self.path.stat().st_mode & stat.S_IROTH)
        except OSError:
            return False


def in_file(name: str) -> str:
    """Return how the path of a secret's file is called."""
    return f"{name}_file"


def read(path: Path, called: str) -> str:
    """Return the secret in a file, without the line feed at its end. Raises ValueError."""
    try:
        if path.stat().st_size > _LARGEST:
            raise ValueError(f"the file {path} ({called}) is too large for a secret")
        secret = path.read_bytes().decode().rstrip("\r\n")
    except OSError as error:
        raise ValueError(
            f"the file {path} ({called}) cannot be read: {error.strerror}; see that it is there "
            "and that the bot's user may read it"
        ) from None
    except UnicodeDecodeError:
        raise ValueError(f"the file {path} ({called}) is not a text in UTF-8") from None
    if not secret:
        raise ValueError(f"the file {path} ({called}) is empty")
    return secret


def with_credentials(
    settings: type[BaseModel], values: Mapping[str, Any], folder: Path
) -> dict[str, Any]:
    """Return the values, not validated yet, with the path of each credential put in its place.

    What is named after nothing of ours is left alone. Raises ValueError.
    """
    given: dict[str, Any] = _copied(values)
    places = {place: (table, name) for place, table, name in _places(settings, given, "")}
    try:
        files = sorted(folder.iterdir())
    except OSError as error:
        raise ValueError(
            f"the folder of credentials {folder} cannot be read: {error.strerror}"
        ) from None
    for file in files:
        called = file.name.removeprefix(FOLDER)
        called = _EARLIER.get(called, called)
        if called.partition(".")[0] not in settings.model_fields:
            continue
        if called not in places:
            raise ValueError(
                f"there is a credential {called}, but no such secret in what is configured"
            )
        table, name = places[called]
        if name in table or in_file(name) in table:
            raise ValueError(f"{called} is given both in the settings and as a credential")
        table[in_file(name)] = str(file)
    return given


def secret_files(settings: FromFiles) -> list[SecretFile]:
    """Return each file that a secret was read from."""
    return [
        SecretFile(f"{place}{name}", path)
        for place, table in _tables(settings, "")
        for name, path in table._files.items()
    ]


def secret_values(settings: FromFiles) -> frozenset[str]:
    """Return every secret as it must not appear anywhere, and the password of each URL."""
    found: set[str] = set()
    for _, table in _tables(settings, ""):
        for name in _secrets(type(table)):
            value = getattr(table, name)
            if isinstance(value, SecretStr):
                found.add(value.get_secret_value())
            if value is not None:
                found |= _passwords(
                    value.get_secret_value() if isinstance(value, SecretStr) else str(value)
                )
    return frozenset(secret for secret in found if len(secret) >= _SHORTEST)


def _passwords(url: str) -> set[str]:
    try:
        password = urlsplit(url).password
    except ValueError:
        return set()
    return {password, unquote(password)} if password else set()


def _secrets(model: type[BaseModel]) -> list[str]:
    """Return the names of a table's secrets; one whose file is a setting itself is its own."""
    fields = model.model_fields
    return [
        name for name, field in fields.items() if _is_secret(field) and in_file(name) not in fields
    ]


def _is_secret(field: FieldInfo) -> bool:
    marked = any(mark is MayBeInFile or isinstance(mark, MayBeInFile) for mark in field.metadata)
    return marked or SecretStr in _kinds(field.annotation)


def _kinds(annotation: Any) -> set[Any]:
    """Return the types within an annotation such as X | None or tuple[X, ...]."""
    if get_origin(annotation) is Annotated:
        return _kinds(get_args(annotation)[0])
    parts = get_args(annotation)
    return set().union(*(_kinds(part) for part in parts)) if parts else {annotation}


def _models(field: FieldInfo) -> list[type[BaseModel]]:
    return [kind for kind in _kinds(field.annotation) if _is_model(kind)]


def _is_model(kind: Any) -> TypeGuard[type[BaseModel]]:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _tables(table: FromFiles, place: str) -> Iterator[tuple[str, FromFiles]]:
    """Yield a table and those within it, each with what stands before its settings' names."""
    yield place, table
    for name in type(table).model_fields:
        value = getattr(table, name)
        for part in value if isinstance(value, tuple) else (value,):
            if isinstance(part, FromFiles):
                named = _called(part.model_dump(include=set(_NAMES)))
                listed = isinstance(value, tuple) and named is not None
                yield from _tables(part, f"{place}{name}.{named}." if listed else f"{place}{name}.")


def _places(
    model: type[BaseModel], table: dict[str, Any], place: str
) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Yield what a credential of each secret is called, the table it belongs in and its name."""
    for name in _secrets(model):
        yield f"{place}{name}", table, name
    for name, field in model.model_fields.items():
        value = table.get(name)
        if value is None and isinstance(field.get_default(call_default_factory=True), BaseModel):
            value = table.setdefault(name, {})  # left out, it has its defaults all the same
        for part in value if isinstance(value, list) else [value]:
            if not isinstance(part, dict):
                continue
            within = f"{place}{name}."
            if isinstance(value, list):
                named = _called(part)
                # A list of servers or of people: those that leave out their name have a default.
                within += f"{named if named is not None else _default(_models(field))}."
            for kind in _models(field):
                if _fits(kind, part):
                    yield from _places(kind, part, within)


def _called(table: Mapping[str, Any]) -> str | None:
    return next((str(table[name]) for name in _NAMES if name in table), None)


def _default(models: list[type[BaseModel]]) -> str:
    return next(
        (str(m.model_fields["name"].default) for m in models if "name" in m.model_fields), ""
    )


def _fits(model: type[BaseModel], table: Mapping[str, Any]) -> bool:
    """Tell whether a table is of that kind, where there are several kinds."""
    kind = model.model_fields.get("kind")
    if kind is None:
        return True
    return table.get("kind", kind.default) in get_args(kind.annotation)


def _copied(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copied(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_copied(part) for part in value]
    return value
