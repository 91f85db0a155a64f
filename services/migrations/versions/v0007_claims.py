"""Which instance answers what has reached all of them."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the table; who ran what was not released yet may have it."""
    if not sa.inspect(op.get_bind()).has_table("claim"):
        op.create_table(
            "claim",
            sa.Column("what", sa.Text(), primary_key=True),
            sa.Column("at", sa.DateTime(), nullable=False),
        )
        op.create_index("ix_claim_at", "claim", ["at"])
