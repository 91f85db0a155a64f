"""The dashboards that stand in a chat's channel."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the table; who ran what was not released yet may have it."""
    if sa.inspect(op.get_bind()).has_table("board"):
        return
    op.create_table(
        "board",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("chat", sa.String(), nullable=False),
        sa.Column("server", sa.String(), nullable=False),
        sa.Column("wanted", sa.Boolean(), nullable=False),
        sa.Column("pinned", sa.Boolean(), nullable=False),
        sa.Column("trouble", sa.Text(), nullable=False),
        sa.UniqueConstraint("chat", "server"),
    )
