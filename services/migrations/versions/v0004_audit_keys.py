"""The seals of the audit log's entries."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the columns; who ran what was not released yet may have them."""
    there = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("auditentry")}
    for name in ("key_id", "mac"):
        if name not in there:
            op.add_column("auditentry", sa.Column(name, sa.String()))
