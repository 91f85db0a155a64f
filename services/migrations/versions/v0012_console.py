"""Listings on block lists, summaries that were posted, and acts found by what they were on."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Make what is missing; who ran what was not released yet may have some of it."""
    there = sa.inspect(op.get_bind())
    if not there.has_table("listing"):
        op.create_table(
            "listing",
            sa.Column("server", sa.String(), nullable=False),
            sa.Column("address", sa.String(), nullable=False),
            sa.Column("zone", sa.String(), nullable=False),
            sa.Column("since", sa.DateTime(), nullable=True),
            sa.Column("said", sa.Text(), nullable=False),
            sa.Column("checked_at", sa.DateTime(), nullable=False),
            sa.Column("error", sa.Text(), nullable=False),
            sa.PrimaryKeyConstraint("server", "address", "zone"),
        )
    if not there.has_table("digest"):
        op.create_table(
            "digest",
            sa.Column("kind", sa.String(), nullable=False),
            sa.Column("day", sa.String(), nullable=False),
            sa.Column("announcement_id", sa.Integer(), nullable=False),
            sa.Column("report", sa.Text(), nullable=False),
            sa.PrimaryKeyConstraint("kind", "day"),
            sa.UniqueConstraint("announcement_id"),
        )
    if "ix_auditentry_subject" not in {i["name"] for i in there.get_indexes("auditentry")}:
        op.create_index("ix_auditentry_subject", "auditentry", ["subject"])
