"""Logins in a SQL database, such as Dovecot and the SQL plug-in of Cyrus SASL ask.

The statements are the administrator's, and what they are given is always bound to them.
A password is in no sentence and no log: of a statement that was given one, only the
database's code for the failure is told, because its text may quote what it was given.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import SecretStr
from sqlalchemy import Connection, Engine, NullPool, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from services.errors import BadArgument, ConfigError, NotCapable, ServerDown
from services.language import later, tr, trn
from services.mail.port import ABLE, Capability
from services.mail.postfix.logins import DELETES, must_be_password
from services.mail.postfix.schemes import Scheme, written

_DRIVERS = {
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
    "sqlite": "sqlite",
}
_MAX_SAID = 200
_NO_PASSWORDS = Capability(
    able=False,
    why=later("Passwords cannot be set here: logins has no set_password statement."),
)
_NO_DELETION = Capability(
    able=False,
    why=later("Accounts cannot be deleted here: logins has no delete statement."),
)
T = TypeVar("T")


@dataclass(frozen=True)
class LoginsConfig:
    """A SQL database of logins, and what to say to it.

    ``find`` is given ``:user``, in lower case, and its first column is the name as it is
    stored; that name is the ``:user`` of the others. ``set_password`` is also given
    ``:password``, written down by ``scheme``, with Dovecot's ``{SCHEME}`` in front where
    ``scheme_prefix`` says so. Without ``set_password`` or ``delete`` that cannot be done.
    ``timeout`` is in seconds, for one look-up or change.
    """

    url: SecretStr
    find: str
    set_password: str | None = None
    delete: str | None = None
    scheme: Scheme | None = None
    scheme_prefix: bool = False
    timeout: float = 10.0

    def must_be_usable(self, server: str) -> None:
        """Refuse what could never work, before anything is asked. Raises ConfigError."""
        for name, statement, given in (
            ("find", self.find, {"user"}),
            ("set_password", self.set_password, {"user", "password"}),
            ("delete", self.delete, {"user"}),
        ):
            if statement is not None and _parameters(statement) != given:
                wanted = " and ".join(f":{one}" for one in sorted(given, reverse=True))
                only = "is the one parameter"  # not shown
                only = only if len(given) == 1 else "are the parameters"  # not shown
                raise _wrong(server, f"{wanted} {only} of the statement {name}")  # not shown
        if self.set_password is not None and self.scheme is None:
            names = ", ".join(scheme.value for scheme in Scheme)
            raise _wrong(server, f"set_password needs a scheme, one of {names}")  # not shown
        if self.timeout <= 0:
            raise _wrong(server, "timeout is positive")  # not shown
        self.parsed(server)

    def parsed(self, server: str) -> URL:
        """Return the URL with its driver. Raises ConfigError, without it: it holds a password."""
        try:
            url = make_url(self.url.get_secret_value())
        except (ArgumentError, ValueError):
            raise _wrong(server, "url is no database URL") from None  # not shown
        driver = _DRIVERS.get(url.get_backend_name())
        if driver is None:
            raise _wrong(server, f"url begins with one of {', '.join(_DRIVERS)}")  # not shown
        if driver == "sqlite":
            if not url.database or not Path(url.database).is_absolute():
                rule = "url of a SQLite database is sqlite:// and an absolute path"  # not shown
                raise _wrong(server, rule)
        elif "@" in (url.host or ""):  # the rest of a password, which a sentence would show
            raise _wrong(server, "an @ in the password of url is written %40")  # not shown
        return url.set(drivername=driver)


class SqlLogins:
    """Serves :class:`~.logins.Logins` from a SQL database. Each use connects anew."""

    def __init__(self, server: str, config: LoginsConfig) -> None:
        self._server = server
        self._config = config
        self._url = config.parsed(server)
        self._engine = self._made()
        self._find = text(config.find)

    @property
    def set_password(self) -> Capability:
        """Whether passwords can be set."""
        return _NO_PASSWORDS if self._config.set_password is None else ABLE

    @property
    def delete(self) -> Capability:
        """Whether logins can be deleted, and that is all."""
        return _NO_DELETION if self._config.delete is None else DELETES

    async def find(self, address: str) -> str | None:
        """Return the name of a login as it is stored, None if there is none."""
        return await self._in_time(lambda: self._look_up(address), tr("Nothing was changed"))

    async def names(self, name: str) -> Sequence[str]:
        """Return the one name."""
        return [name]

    async def change_password(self, address: str, password: str) -> None:
        """Set the password of an existing login. Raises BadArgument or NotCapable."""
        statement, scheme = self._config.set_password, self._config.scheme
        if statement is None or scheme is None:
            raise NotCapable(_NO_PASSWORDS.why)
        must_be_password(password)

        def change() -> None:
            stored = written(password, scheme, prefix=self._config.scheme_prefix)
            self._change(address, "set_password", statement, {"password": stored})

        outcome = tr("The password may have been changed, or not: set it again")
        await self._in_time(change, outcome)

    async def remove(self, address: str) -> None:
        """Delete a login. Raises BadArgument or NotCapable."""
        statement = self._config.delete
        if statement is None:
            raise NotCapable(_NO_DELETION.why)
        await self._in_time(
            lambda: self._change(address, "delete", statement, {}),
            tr("The login may have been deleted, or not: look it up"),
        )

    async def _in_time(self, act: Callable[[], T], outcome: str) -> T:
        try:
            async with asyncio.timeout(self._config.timeout):
                return await asyncio.to_thread(act)
        except TimeoutError:
            raise ServerDown(
                tr(
                    "The database of logins of {server} gave no answer in {seconds} seconds. "
                    "{outcome}.",
                    server=self._server,
                    seconds=f"{self._config.timeout:g}",
                    outcome=outcome,
                )
            ) from None

    # -- in a thread -----------------------------------------------------------------

    def _look_up(self, address: str) -> str | None:
        with self._connected() as connection:  # rolled back, whatever the statement does
            return self._found(connection, address)

    def _change(self, address: str, which: str, statement: str, values: dict[str, str]) -> None:
        """Have a statement change the one row of a login, or nothing."""
        with self._connected() as connection:
            name = self._found(connection, address)
            if name is None:
                raise BadArgument(
                    tr(
                        "There is no login {address} in the database of logins of {server}.",
                        address=address,
                        server=self._server,
                    )
                )
            with self._unquoted(which, tr("Nothing was changed")):
                result = connection.execute(text(statement), {"user": name, **values})
                # As much as RETURNING gives back, or what the driver counted.
                rows = len(result.all()) if result.returns_rows else result.rowcount
            if rows != 1:
                raise self._misled(_changed_instead(which, rows))
            with self._unquoted(which, tr("It may have been changed, or not: try again")):
                connection.commit()

    def _found(self, connection: Connection, address: str) -> str | None:
        result = connection.execute(self._find, {"user": address.lower()})
        if not result.returns_rows:
            raise self._misled(tr("find returned no rows, as a SELECT does"))
        rows = result.fetchmany(2)
        if not rows:
            return None
        if len(rows) > 1:
            what = tr("find returned more than one row for {address}", address=address)
            raise self._misled(what)
        name = rows[0][0]
        if isinstance(name, bytes):
            name = name.decode("utf-8", "replace")
        # Another name would have its password changed, or be disabled, in place of this one.
        if not isinstance(name, str) or name.casefold() != address.casefold():
            raise self._misled(
                tr(
                    "find returned another name than {address} in its first column",
                    address=address,
                )
            )
        return name

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        """Connect while the block lasts; what was not committed at its end is undone."""
        try:
            with self._engine.connect() as connection:
                if connection.dialect.name == "postgresql":
                    limit = int(self._config.timeout * 1000)
                    connection.execute(text(f"SET LOCAL statement_timeout = {limit}"))
                yield connection
        except SQLAlchemyError as error:
            said = self._said(error)
            raise ServerDown(
                tr(
                    "The database of logins of {server} could not be asked: {why}. Nothing was "
                    "changed; check url and find, and the rights of that user.",
                    server=self._server,
                    why=said,
                )
            ) from None

    @contextmanager
    def _unquoted(self, which: str, outcome: str) -> Iterator[None]:
        """Tell a failure by its code alone."""
        try:
            yield
        except SQLAlchemyError as error:
            raise ServerDown(
                tr(
                    "The statement {statement} of the logins of {server} failed ({why}). "
                    "{outcome}.",
                    statement=which,
                    server=self._server,
                    why=_code(error),
                    outcome=outcome,
                )
            ) from None

    def _said(self, error: SQLAlchemyError) -> str:
        original: object = error.orig if isinstance(error, DBAPIError) else error
        words = original.args[-1] if isinstance(original, BaseException) and original.args else ""
        line = " ".join(str(words).split())
        secret = self._url.password
        if secret:
            line = line.replace(str(secret), "***")
        return line[:_MAX_SAID].rstrip(".") or _code(error)

    def _misled(self, what: str) -> ServerDown:
        return ServerDown(
            tr(
                "The logins of {server} are set up wrongly: {what}. Nothing was changed; correct "
                "the statement.",
                server=self._server,
                what=what,
            )
        )

    def _made(self) -> Engine:
        seconds = self._config.timeout
        whole = max(2, round(seconds))
        options: dict[str, Any] = {}
        match self._url.get_backend_name():
            case "sqlite":
                path = Path(self._url.database or "")

                def connect() -> sqlite3.Connection:
                    # A file that is missing is an error, and not to be made.
                    return sqlite3.connect(
                        f"{path.as_uri()}?mode=rw", uri=True, timeout=seconds, isolation_level=None
                    )

                options["creator"] = connect
            case "postgresql":
                options["connect_args"] = {
                    "connect_timeout": whole,
                    "tcp_user_timeout": whole * 1000,
                    "keepalives_idle": whole,
                    "keepalives_interval": 2,
                    "keepalives_count": 3,
                    "client_encoding": "utf8",  # else a database without one answers in bytes
                }
            case _:
                options["connect_args"] = {
                    "connect_timeout": whole,
                    "read_timeout": whole,
                    "write_timeout": whole,
                }
        engine = create_engine(self._url, poolclass=NullPool, hide_parameters=True, **options)
        if engine.dialect.name == "sqlite":
            # Python begins before some statements only, and others could not be undone.
            event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
        return engine


def _changed_instead(which: str, rows: int) -> str:
    """Return what a statement would have done. A negative number of rows is unknown."""
    if rows == 0:
        return tr("{statement} would have changed no row instead of one", statement=which)
    if rows < 0:
        return tr(
            "{statement} would have changed an unknown number of rows instead of one",
            statement=which,
        )
    return trn(
        "{statement} would have changed {n} row instead of one",
        "{statement} would have changed {n} rows instead of one",
        rows,
        statement=which,
    )


def _parameters(statement: str) -> set[str]:
    return set(text(statement).compile().params)


def _code(error: SQLAlchemyError) -> str:
    """Return a failure's name and code, which quote nothing."""
    original: object = error.orig if isinstance(error, DBAPIError) else error
    code = getattr(original, "sqlstate", None) or getattr(original, "sqlite_errorname", None)
    if code is None and isinstance(original, BaseException) and original.args:
        number = original.args[0]
        code = number if isinstance(number, int) else None
    kind = type(original).__name__
    return kind if code is None else f"{kind}, {code}"


def _wrong(server: str, what: str) -> ConfigError:
    return ConfigError(f"The logins of the mail server {server}: {what}.")
