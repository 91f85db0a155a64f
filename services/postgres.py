"""What PostgreSQL must be told so that it keeps what SQLite keeps by having one writer.

Transactions that write wait for one advisory lock when they begin, as SQLite's do for
the file. So what a transaction read is still so when it writes, whatever instance of the
bot it is in: a button is claimed once, the audit chain has one end, and no two polls
take in the same.
"""

import os
import socket
from collections.abc import Callable, Mapping
from typing import Any

from psycopg import AsyncConnection
from psycopg.types.string import StrDumperUnknown
from sqlalchemy import URL, Connection, func, select
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

# Advisory locks are two numbers. The first ones are ours, the second say which.
LOCKS = 0x53504F4F
WRITING, LEADING = 1, 2
INSTANCES = 0x53504F49  # the second number is an instance's
#: Where every transaction that wrote says which instance it was of.
CHANNEL = "spoolwarden"

# A dead machine says nothing: its connections, and so its locks, are given up by then.
_ENDS_SILENCE = {"idle": 5, "interval": 2, "count": 3}
_SILENCE_MS = 10_000
# An instance that stands still in the middle of a transaction holds up all the others.
_STANDS_STILL = "30s"


def connect_args(url: URL, busy_seconds: float) -> dict[str, Any]:
    """Return what a connection is opened with, beside what the URL says."""
    sets: dict[str, object] = {
        "lock_timeout": int(busy_seconds * 1000),
        "tcp_user_timeout": _SILENCE_MS,
        **{f"tcp_keepalives_{name}": value for name, value in _ENDS_SILENCE.items()},
    }
    options = " ".join(f"-c {name}={value}" for name, value in sets.items())
    theirs = url.query.get("options", "")
    return {
        "connect_timeout": url.query.get("connect_timeout", "10"),
        # So that whoever looks into the server finds the process.
        "fallback_application_name": f"spoolwarden {os.getpid()} {socket.gethostname()}"[:63],
        # Whatever encoding the database has, the bot's texts are Unicode.
        "client_encoding": "utf8",
        "options": f"{options} {theirs if isinstance(theirs, str) else ' '.join(theirs)}",
        "tcp_user_timeout": _SILENCE_MS,
        **{f"keepalives_{name}": value for name, value in _ENDS_SILENCE.items()},
    }


async def connect(url: URL, args: Mapping[str, Any]) -> AsyncConnection[Any]:
    """Open a connection that is nobody else's, without transactions. Raises psycopg.Error."""
    _, known = PGDialect_psycopg().create_connect_args(url)  # type: ignore[no-untyped-call]
    return await AsyncConnection.connect(**{**known, **args}, autocommit=True)


def set_up(connection: Any, _record: Any) -> None:
    """Prepare a new connection of an engine."""
    driver = getattr(connection, "driver_connection", connection)  # the async ones wrap it
    driver.adapters.register_dumper(str, _Storable)


def begin_as(number: int) -> Callable[[Connection], None]:
    """Return what an instance's transactions begin with."""

    def begin(connection: Connection) -> None:
        if not connection.get_execution_options().get("reading", False):
            connection.execute(
                select(
                    func.pg_advisory_xact_lock(LOCKS, WRITING),
                    func.set_config("idle_in_transaction_session_timeout", _STANDS_STILL, True),
                    func.pg_notify(CHANNEL, str(number)),
                )
            )

    return begin


class _Storable(StrDumperUnknown):
    """Writes a NUL as a question mark: SQLite keeps it in a text, and PostgreSQL cannot."""

    def dump(self, obj: str) -> Any:
        return super().dump(obj.replace("\0", "?"))
