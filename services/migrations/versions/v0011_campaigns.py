"""Incidents that are one campaign, how bad they are, and lessons with their origin."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

_TEXTS = ("joined_by", "summary", "containment")


def upgrade() -> None:
    """Add the columns; a lesson gets a number of its own, so that there may be several."""
    for name in _TEXTS:
        op.add_column("incident", sa.Column(name, sa.Text(), nullable=False, server_default=""))
    columns: tuple[sa.Column[Any], ...] = (
        sa.Column("campaign", sa.Integer()),
        sa.Column("severity", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("worst", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("noted_total", sa.Integer()),
        sa.Column("noted_peak", sa.Integer()),
        sa.Column("reopened_at", sa.DateTime()),
    )
    for column in columns:
        op.add_column("incident", column)
    op.create_index("ix_incident_campaign", "incident", ["campaign"])
    op.rename_table("lesson", "oldlesson")
    op.create_table(
        "lesson",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("server", sa.String(), nullable=False),
        sa.Column("sender", sa.String(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("messages", sa.Integer(), nullable=False),
        sa.Column("points", sa.Float(), nullable=False),
        sa.Column("until", sa.DateTime()),
        sa.Column("incident_id", sa.Integer()),
        sa.Column("intent_id", sa.String()),
        sa.Column("taught_by", sa.String(), nullable=False),
        sa.Column("taught_name", sa.String(), nullable=False),
        sa.Column("taught_at", sa.DateTime(), nullable=False),
        sa.Column("forgotten_at", sa.DateTime()),
        sa.Column("forgotten_name", sa.String()),
    )
    op.execute(
        "INSERT INTO lesson (server, sender, kind, messages, points, taught_by, taught_name, "
        "taught_at) SELECT server, sender, 'false alarm', messages, 0, taught_by, taught_by, "
        "taught_at FROM oldlesson"
    )
    op.drop_table("oldlesson")
    op.create_index("ix_lesson_sender", "lesson", ["server", "sender"])
