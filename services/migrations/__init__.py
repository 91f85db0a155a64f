"""Brings a database of any release to the tables of this one. Never back.

Each step is a module in versions/, in the order of their numbers. A step that was
released is never changed: what the tables should be like instead is a new step.
"""

import threading
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect

from services.errors import StoreError

#: The newest step. A database that has taken it needs nothing.
HEAD = "0013"
_FIRST = "0001"
# Alembic's "op" and "context" are one for the whole process.
_one_at_a_time = threading.Lock()


def config() -> Config:
    """Return where the steps are, for Alembic."""
    made = Config()
    # A percent sign in the path would be taken for a reference.
    made.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return made


def migrate(engine: Engine) -> None:
    """Take the steps that are missing, all or none. Blocks: call it in a thread.

    Raises StoreError if the database is a newer program's, and SQLAlchemyError.
    """
    with _one_at_a_time, engine.begin() as connection:
        # Whoever comes second finds it done: the transaction waited for the first to end.
        there = version(connection)
        if there == HEAD:
            return
        alembic = config()
        alembic.attributes["connection"] = connection
        if there is None and inspect(connection).has_table("auditentry"):
            # Made by the release that had no migrations yet.
            command.stamp(alembic, _FIRST)
        elif there is not None and not _is_known(alembic, there):
            raise StoreError(
                f"The bot's database is that of a newer Spoolwarden (its tables are of step "
                f"{there}, and this one knows them up to {HEAD}). Nothing was changed; install "
                "that release again, or restore the database from before it."
            )
        command.upgrade(alembic, "head")


def version(connection: Connection) -> str | None:
    """Return the newest step that a database has taken, None if it has taken none."""
    return MigrationContext.configure(connection).get_current_revision()


def is_older(connection: Connection) -> bool:
    """Tell whether a database has the tables of an earlier release, and not yet these."""
    there = version(connection)
    if there is None:
        return inspect(connection).has_table("auditentry")
    return there != HEAD and _is_known(config(), there)


def _is_known(alembic: Config, step: str) -> bool:
    known: Any = ScriptDirectory.from_config(alembic).walk_revisions()
    return step in {script.revision for script in known}
