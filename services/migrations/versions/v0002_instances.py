"""Acts say which instance of the bot does them; PostgreSQL guards the audit log, too."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the column; on PostgreSQL, make the triggers and let a busy table go on for ever."""
    op.add_column("intent", sa.Column("claimed_in", sa.Integer()))
    if op.get_bind().dialect.name != "postgresql":
        return
    op.execute(
        "CREATE FUNCTION auditentry_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$"
    )
    for verb in ("UPDATE", "DELETE", "TRUNCATE"):
        op.execute(
            f"CREATE TRIGGER auditentry_no_{verb.lower()} BEFORE {verb} ON auditentry "
            "FOR EACH STATEMENT EXECUTE FUNCTION auditentry_append_only()"
        )
    # Two thousand million submissions are a few years of a large server. SQLite has room.
    op.alter_column("recentsubmission", "id", type_=sa.BigInteger())
    op.execute("ALTER SEQUENCE recentsubmission_id_seq AS bigint")
