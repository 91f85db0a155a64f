"""Logins that a Postfix has in SQL: found, given passwords, deleted, and never told of."""

import asyncio
import ctypes
import ctypes.util
import os
import socket
import sqlite3
import tempfile
import traceback
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.low_level import Type
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from sqlalchemy import URL, Engine, NullPool, create_engine, text

from bot.demo.sender import SmtpRefused
from services.clock import SystemClock
from services.errors import BadArgument, ConfigError, NotCapable, ServerDown
from services.mail.build import build
from services.mail.port import UserState
from services.mail.postfix import PostfixConfig, PostfixServer
from services.mail.postfix.schemes import Scheme, written
from services.mail.postfix.sqllogins import LoginsConfig, SqlLogins
from services.settings import fixed

from .conformance import MailServerConformance, ServerUnderTest
from .postfix_harness import PASSWORD, PostfixHarness
from .postfix_instance import PostfixInstance, missing_sql
from .postgres_instance import PASSWORD as DATABASE_PASSWORD
from .postgres_instance import USER, PostgresInstance, missing

ANN = "ann@example.test"
BOB = "bob@example.test"
NEW = "another battery"
FIND = "SELECT name FROM login WHERE name = :user"
SET = "UPDATE login SET password = :password WHERE name = :user"
DELETE = "DELETE FROM login WHERE name = :user"


def logins_at(url: str, /, **changes: Any) -> LoginsConfig:
    values = {"find": FIND, "set_password": SET, "delete": DELETE, "scheme": Scheme.PLAIN}
    return LoginsConfig(**{"url": SecretStr(url), **values, **changes})


def or_skip(reason: str) -> None:
    if reason:
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.fixture
async def mail(private_postfix: PostfixInstance) -> AsyncIterator[PostfixHarness]:
    """A Postfix whose logins are in SQLite, as Cyrus SASL asks for them."""
    or_skip(missing_sql())
    logins = logins_at(f"sqlite:///{private_postfix.logins}")
    harness = PostfixHarness(private_postfix, sasldb=None, logins=logins)
    await harness.start()
    yield harness
    await harness.stop()


class Database:
    """A SQLite file of logins, without a Postfix."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.url = f"sqlite:///{quote(str(path))}"
        with self.open() as database:
            database.execute("CREATE TABLE login (name TEXT PRIMARY KEY, password TEXT)")
            rows = [(ANN, PASSWORD), (BOB, PASSWORD)]
            database.executemany("INSERT INTO login VALUES (?, ?)", rows)
            database.commit()

    def open(self) -> "closing[sqlite3.Connection]":
        return closing(sqlite3.connect(self.path))

    def rows(self) -> dict[str, str]:
        with self.open() as database:
            return dict(database.execute("SELECT name, password FROM login"))

    def logins(self, **changes: Any) -> SqlLogins:
        return SqlLogins("mx", logins_at(self.url, **changes))


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(tmp_path / "logins #%41.db")


AS_IT_WAS = {ANN: PASSWORD, BOB: PASSWORD}


# -- on a real Postfix with a real Cyrus SASL ------------------------------------------------


class TestPostfixWithSqlLogins:
    """What the suite for all mail servers has to say on users."""

    ann = MailServerConformance.ann
    bob = MailServerConformance.bob
    test_unknown = MailServerConformance.test_an_unknown_user_is_none_and_cannot_be_changed
    test_case = MailServerConformance.test_a_user_is_found_whatever_the_case
    test_state = MailServerConformance.test_setting_a_state_returns_the_one_before
    test_password = MailServerConformance.test_a_changed_password_is_the_only_one_that_logs_in
    test_deleted = MailServerConformance.test_a_deleted_user_neither_logs_in_nor_receives


async def test_a_new_password_logs_in_and_the_old_one_is_refused(mail: PostfixHarness) -> None:
    await mail.add_user(ANN)
    await mail.add_user(BOB)
    await (await mail.logged_in(ANN)).close()
    await mail.server.set_password(ANN.upper(), NEW)
    with pytest.raises(SmtpRefused) as refused:
        await mail.logged_in(ANN)
    assert refused.value.code == 535
    await (await mail.logged_in(ANN, password=NEW)).close()
    await (await mail.logged_in(BOB)).close()
    assert mail.instance.sql_logins() == {ANN: NEW, BOB: PASSWORD}


async def test_check_asks_the_database_and_says_what_is_wrong(mail: PostfixHarness) -> None:
    said = {check.what: check for check in await mail.server.check()}
    assert [check for check in said.values() if not check.good] == []
    assert "files stay" in said["delete accounts"].why
    for url, find, why in (
        (f"sqlite:///{mail.instance.logins}", FIND.replace("login", "absent"), "no such table"),
        (f"sqlite:///{mail.instance.root}/none.db", FIND, "unable to open"),
    ):
        logins = logins_at(url, find=find, delete=None)
        other = PostfixHarness(mail.instance, sasldb=None, logins=logins)
        await other.server.start()
        said = {check.what: check for check in await other.server.check()}
        await other.server.stop()
        assert [check.what for check in said.values() if not check.good] == ["look up logins"]
        assert why in said["look up logins"].why
        assert said["look up logins"].why.endswith(".")
        assert "no delete statement" in said["cannot delete accounts"].why
    assert not (mail.instance.root / "none.db").exists()


async def test_an_account_that_could_not_be_deleted_is_as_before(mail: PostfixHarness) -> None:
    await mail.add_user(ANN)
    logins = logins_at(f"sqlite:///{mail.instance.logins}", delete=f"{DELETE} AND password = ''")
    other = PostfixHarness(mail.instance, sasldb=None, logins=logins)
    await other.server.start()
    for state in (UserState.NO_SENDING, UserState.ACTIVE):
        await other.server.set_user_state(ANN, state)
        with pytest.raises(ServerDown, match="no row instead of one"):
            await other.server.delete_user(ANN)
        user = await other.server.user(ANN)
        assert user is not None
        assert user.state is state
    await other.server.stop()
    await mail.submit(ANN, [ANN], "to myself")
    assert mail.instance.sql_logins() == {ANN: PASSWORD}


# -- what is kept ----------------------------------------------------------------------------


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(password=st.text(st.characters(codec="utf-8"), max_size=300))
def test_a_password_is_kept_exactly_or_refused_and_nothing_is_changed(
    database: Database, password: str
) -> None:
    before = database.rows()
    assert before.keys() == {ANN, BOB}
    change = database.logins().change_password(ANN, password)
    if 0 < len(password) <= 256 and password.isprintable() and password[0] != "{":
        asyncio.run(change)
        assert database.rows() == {**before, ANN: password}
    else:
        with pytest.raises(BadArgument):
            asyncio.run(change)
        assert database.rows() == before


async def test_names_of_strangers_are_nothing_but_names(database: Database) -> None:
    for odd in ("ann'--@x", "' OR '1'='1", "%", "_nn@example.test", ":user", "a;DROP TABLE login"):
        assert await database.logins().find(odd) is None
        for act in (
            database.logins().change_password(odd, NEW),
            database.logins().remove(odd),
        ):
            with pytest.raises(BadArgument, match="no login"):
                await act
    assert database.rows() == AS_IT_WAS


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"set_password": "UPDATE login SET password = :password || :user"}, "2 rows instead"),
        ({"set_password": f"{SET} AND password = 'x'"}, "no row instead"),
        ({"set_password": "SELECT :password, :user WHERE 0"}, "no row instead"),
        ({"set_password": "CREATE TABLE x AS SELECT :password, :user"}, "unknown number of rows"),
        ({"set_password": SET.replace("password =", "secret =")}, "SQLITE_ERROR"),
        ({"find": "SELECT name FROM login WHERE :user != ''"}, "more than one row"),
        ({"find": "SELECT 'bob@example.test' WHERE :user != ''"}, "another name than"),
        ({"find": "SELECT 1 WHERE :user != ''"}, "another name than"),
        ({"find": "UPDATE login SET password = :user"}, "as a SELECT does"),
        ({"find": "SELECT name FROM absent WHERE name = :user"}, "no such table"),
    ],
)
async def test_a_statement_that_does_something_else_changes_nothing(
    database: Database, changes: dict[str, str], why: str
) -> None:
    with pytest.raises(ServerDown, match=why) as failed:
        await database.logins(**changes).change_password(ANN, NEW)
    assert "Nothing was changed" in failed.value.sentence
    assert database.rows() == AS_IT_WAS


async def test_a_row_given_back_counts_as_one_changed(database: Database) -> None:
    await database.logins(set_password=f"{SET} RETURNING name").change_password(ANN, NEW)
    assert database.rows() == {ANN: NEW, BOB: PASSWORD}


async def test_a_deleted_login_is_gone_and_no_other(database: Database) -> None:
    await database.logins().remove(ANN)
    assert database.rows() == {BOB: PASSWORD}
    with pytest.raises(BadArgument):
        await database.logins().remove(ANN)


async def test_what_has_no_statement_cannot_be_done(database: Database) -> None:
    logins = database.logins(set_password=None, delete=None, scheme=None)
    assert not logins.set_password.able
    assert not logins.delete.able
    with pytest.raises(NotCapable):
        await logins.change_password(ANN, NEW)
    with pytest.raises(NotCapable):
        await logins.remove(ANN)
    assert await logins.find(ANN) == ANN


async def test_a_database_that_is_locked_is_told_in_a_sentence(database: Database) -> None:
    with database.open() as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(ServerDown, match=r"could not be asked|gave no answer"):
            await database.logins(timeout=0.2).change_password(ANN, NEW)
    assert database.rows() == AS_IT_WAS


@pytest.mark.parametrize("kind", ["postgresql", "mysql", "mariadb"])
async def test_a_database_that_is_silent_or_away_is_told_without_its_password(kind: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        logins = SqlLogins(
            "mx", logins_at(f"{kind}://mail:hunter2@127.0.0.1:{port}/m", timeout=0.2)
        )
        with pytest.raises(ServerDown, match=r"gave no answer in 0\.2 seconds") as failed:
            await logins.find(ANN)
        assert "hunter2" not in told(failed.value)
    logins = SqlLogins("mx", logins_at(f"{kind}://mail:hunter2@127.0.0.1:{port}/m"))
    with pytest.raises(ServerDown, match=r"refused.*Nothing was changed") as failed:
        await logins.find(ANN)
    assert "hunter2" not in told(failed.value)


# -- on a real PostgreSQL --------------------------------------------------------------------


@pytest.fixture(scope="module")
def postgres() -> Iterator[URL]:
    or_skip(missing())
    # Not one of pytest's: its own user must be able to walk to its data.
    with tempfile.TemporaryDirectory(prefix="spoolwarden-postgres-") as folder:
        instance = PostgresInstance(Path(folder))
        instance.start()
        yield URL.create(
            "postgresql", USER, DATABASE_PASSWORD, "127.0.0.1", instance.port, "postgres"
        )
        instance.stop()


def engine_of(url: URL) -> Engine:
    url = url.set(drivername="postgresql+psycopg", query={"client_encoding": "utf8"})
    return create_engine(url, poolclass=NullPool)


@pytest.fixture
def table(postgres: URL) -> URL:
    with engine_of(postgres).begin() as connection:
        connection.execute(text("DROP TABLE IF EXISTS login"))
        connection.execute(text("CREATE TABLE login (name text, password text, age int)"))
        insert = text("INSERT INTO login VALUES (:name, 'old')")
        connection.execute(insert, [{"name": ANN}, {"name": BOB}])
    return postgres


def rows_of(table: URL) -> dict[str, str]:
    with engine_of(table).connect() as connection:
        rows = connection.execute(text("SELECT name, password FROM login"))
        return {row[0]: row[1] for row in rows}


async def test_postgresql_keeps_logins_as_sqlite_does(table: URL) -> None:
    logins = SqlLogins("mx", logins_at(table.render_as_string(hide_password=False)))
    assert await logins.find(ANN.upper()) == ANN
    assert await logins.find("nobody@example.test") is None
    odd = "100%s :user 'or' \"ü\" \\ ü"
    await logins.change_password(ANN, odd)
    assert rows_of(table) == {ANN: odd, BOB: "old"}
    await logins.remove(ANN)
    assert rows_of(table) == {BOB: "old"}


async def test_no_password_is_told_when_postgresql_quotes_it(
    table: URL, caplog: pytest.LogCaptureFixture
) -> None:
    url = table.render_as_string(hide_password=False)
    every = "UPDATE login SET password = :password WHERE :user != ''"
    quoting = "UPDATE login SET age = CAST(:password AS text)::int WHERE name = :user"
    slow = "UPDATE login SET password = :password FROM pg_sleep(60) WHERE name = :user"
    for statement, why, seconds in (
        (every, "2 rows instead of one", 10),
        (quoting, "InvalidTextRepresentation, 22P02", 10),
        (slow, r"QueryCanceled, 57014|gave no answer", 0.5),
    ):
        logins = SqlLogins("mx", logins_at(url, set_password=statement, timeout=seconds))
        with pytest.raises(ServerDown, match=why) as failed:
            await logins.change_password(ANN, NEW)
        assert NEW not in told(failed.value)
    wrong = table.set(password="hunter2").render_as_string(hide_password=False)
    with pytest.raises(ServerDown, match="password authentication failed") as failed:
        await SqlLogins("mx", logins_at(wrong)).find(ANN)
    assert "hunter2" not in told(failed.value)
    assert NEW not in caplog.text
    assert rows_of(table) == {ANN: "old", BOB: "old"}


def told(error: Exception) -> str:
    return "".join(traceback.format_exception(error))


# -- how passwords are written down ----------------------------------------------------------


@pytest.mark.parametrize("password", ["correct horse", "Grüße", "x" * 256, "{PLAIN}x"])
def test_crypt_of_the_c_library_reads_a_sha512_crypt_password(password: str) -> None:
    crypt = ctypes.CDLL(ctypes.util.find_library("crypt")).crypt
    crypt.restype, crypt.argtypes = ctypes.c_char_p, [ctypes.c_char_p, ctypes.c_char_p]
    stored = written(password, Scheme.SHA512_CRYPT, prefix=True)
    bare = stored.removeprefix("{SHA512-CRYPT}").encode()
    assert bare.startswith(b"$6$")
    assert crypt(password.encode(), bare) == bare
    assert crypt(password.encode() + b"!", bare) != bare


def test_an_argon2id_password_is_one_that_libsodium_could_have_written() -> None:
    stored = written(NEW, Scheme.ARGON2ID, prefix=False)
    parameters = extract_parameters(stored)
    assert (parameters.type, parameters.version, parameters.parallelism) == (Type.ID, 19, 1)
    assert PasswordHasher().verify(stored, NEW)
    assert written(NEW, Scheme.ARGON2ID, prefix=True).startswith("{ARGON2ID}$argon2id$")


def test_two_accounts_with_one_password_do_not_show_it() -> None:
    for scheme in (Scheme.SHA512_CRYPT, Scheme.ARGON2ID):
        stored = {written(NEW, scheme, prefix=False) for _ in range(2)}
        assert len(stored) == 2
        assert not any(NEW in one for one in stored)


def test_a_plain_password_is_not_taken_for_a_scheme() -> None:
    with pytest.raises(BadArgument, match=r"begin with \{"):
        written("{SHA}x", Scheme.PLAIN, prefix=False)
    assert written("{SHA}x", Scheme.PLAIN, prefix=True) == "{PLAIN}{SHA}x"


# -- settings --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"find": "SELECT name FROM login"}, ":user is the one parameter of the statement find"),
        ({"find": f"{FIND} AND x = :password"}, "find"),
        ({"set_password": "UPDATE login SET password = :password"}, ":user and :password are"),
        ({"set_password": "UPDATE login SET password = '' WHERE name = :user"}, "set_password"),
        ({"delete": "DELETE FROM login"}, "delete"),
        ({"scheme": None}, "set_password needs a scheme, one of plain, sha512-crypt, argon2id"),
        ({"timeout": 0}, "timeout"),
        ({"url": SecretStr("hunter2")}, "no database URL"),
        ({"url": SecretStr("mysql://mail:hunter2@db:x/m")}, "no database URL"),
        ({"url": SecretStr("oracle://mail:hunter2@db/m")}, "begins with one of postgresql"),
        ({"url": SecretStr("mysql://mail:p@hunter2@db/m")}, "%40"),
        ({"url": SecretStr("sqlite://")}, "absolute path"),
        ({"url": SecretStr("sqlite:///logins.db")}, "absolute path"),
    ],
)
def test_logins_that_cannot_be_are_refused_at_the_start(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigError) as refused:
        PostfixConfig("mx", Path("/srv/state"), logins=logins_at("sqlite:////l.db", **changes))
    assert why in refused.value.sentence
    assert "hunter2" not in told(refused.value)


def test_two_stores_of_logins_are_refused() -> None:
    with pytest.raises(ConfigError, match="leave one of them out"):
        PostfixConfig(
            "mx", Path("/s"), sasldb=Path("/etc/sasldb2"), logins=logins_at("sqlite:////l.db")
        )


def test_the_settings_reach_the_server_and_show_no_password() -> None:
    url = "postgresql://mail:hunter2@db/mail"
    table = {"url": url, "find": FIND, "set_password": SET, "scheme": "sha512-crypt"}
    postfix = {"kind": "postfix", "state_directory": "/s", "logins": table}
    read = fixed(mail_server=[postfix])
    server = build(read.mail_server[0], SystemClock())
    assert isinstance(server, PostfixServer)
    assert server.capabilities.set_password.able
    assert not server.capabilities.delete_user.able
    assert server._config.logins == logins_at(url, delete=None, scheme=Scheme.SHA512_CRYPT)
    for shown in (repr(read), repr(server._config), read.model_dump_json()):
        assert "hunter2" not in shown


def test_the_suite_is_given_what_it_asks_for(mail: ServerUnderTest) -> None:
    assert mail.server.capabilities.delete_user.able
