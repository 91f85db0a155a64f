"""The picture that a chat shows on an alert."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add the columns: nothing that is posted has one yet."""
    for column in (
        sa.Column("picture", sa.String()),
        sa.Column("picture_words", sa.Text(), nullable=False, server_default=""),
        sa.Column("picture_version", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("picture_at", sa.DateTime()),
    ):
        op.add_column("posted", column)
