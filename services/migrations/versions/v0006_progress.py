"""How far an act over many messages has come."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the columns; who ran what was not released yet may have them."""
    there = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("intent")}
    for name in ("progress", "progress_of"):
        if name not in there:
            op.add_column("intent", sa.Column(name, sa.Integer()))
