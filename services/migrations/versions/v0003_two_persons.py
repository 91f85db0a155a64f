"""What a second person must approve, and what the bot takes back by itself."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the columns; who ran what was not released yet may have some of them."""
    there = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("intent")}
    if "asked_by" in there:
        return
    op.add_column("intent", sa.Column("asked_by", sa.String()))
    op.add_column("intent", sa.Column("asked_name", sa.String()))
    op.add_column("intent", sa.Column("asked_why", sa.Text(), nullable=False, server_default=""))
    op.add_column("intent", sa.Column("decides", sa.String()))
    op.add_column("intent", sa.Column("until", sa.DateTime()))
    op.create_index("ix_intent_decides", "intent", ["decides"])
