"""What is yet to be told of a cut-off act, what kind containment's word is, who is cleared."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Add the columns. What was cut off before is taken as told, as most of it was."""
    op.add_column(
        "intent", sa.Column("doubted", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.add_column(
        "incident",
        sa.Column("containment_kind", sa.Text(), nullable=False, server_default=""),
    )
    op.add_column("incident", sa.Column("cleared_at", sa.DateTime()))
