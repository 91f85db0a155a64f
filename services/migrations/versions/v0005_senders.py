"""What the detector keeps of senders."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make what is missing; who ran what was not released yet may have some of it."""
    there = sa.inspect(op.get_bind())
    if "facts" not in {column["name"] for column in there.get_columns("recentsubmission")}:
        facts = sa.Column("facts", sa.Text(), nullable=False, server_default="")
        op.add_column("recentsubmission", facts)
    if not there.has_table("senderstate"):
        op.create_table(
            "senderstate",
            sa.Column("server", sa.String(), nullable=False),
            sa.Column("sender", sa.String(), nullable=False),
            sa.Column("place", sa.BigInteger(), nullable=False),
            sa.Column("state", sa.LargeBinary(), nullable=False),
            sa.PrimaryKeyConstraint("server", "sender"),
        )
    if not there.has_table("enginestate"):
        op.create_table(
            "enginestate",
            sa.Column("server", sa.String(), nullable=False),
            sa.Column("place", sa.BigInteger(), nullable=False),
            sa.Column("common", sa.LargeBinary(), nullable=False),
            sa.PrimaryKeyConstraint("server"),
        )
