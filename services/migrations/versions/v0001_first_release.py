"""The tables of 0.1.0, which made them without migrations."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "incident",
        sa.Column("state", sa.Text()),
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("server", sa.String(), nullable=False),
        sa.Column("sender", sa.String(), nullable=False),
        sa.Column("open_key", sa.String()),
        sa.Column("opened_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.Column("state_by", sa.String()),
        sa.Column("state_at", sa.DateTime()),
        sa.Column("snoozed_until", sa.DateTime()),
        sa.Column("quiet_since", sa.DateTime()),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("open_key"),
    )
    op.create_table(
        "intent",
        sa.Column("state", sa.Text()),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("server", sa.String(), nullable=False),
        sa.Column("incident_id", sa.Integer()),
        sa.Column("chat", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("bound_to", sa.String()),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("claimed_by", sa.String()),
        sa.Column("claimed_name", sa.String()),
        sa.Column("claimed_at", sa.DateTime()),
        sa.Column("finished_at", sa.DateTime()),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("undo", sa.Text()),
        sa.Column("undo_until", sa.DateTime()),
        sa.Column("undo_of", sa.String()),
        sa.Column("undone", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_intent_incident_id", "intent", ["incident_id"])
    op.create_index("ix_intent_offer", "intent", ["incident_id", "action", "state"])
    op.create_index("ix_intent_undo_of", "intent", ["undo_of"])
    op.create_table(
        "announcement",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("incident_id", sa.Integer()),
        sa.Column("intent_id", sa.String()),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_announcement_incident_id", "announcement", ["incident_id"])
    op.create_index("ix_announcement_intent_id", "announcement", ["intent_id"])
    op.create_table(
        "posted",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("chat", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("ref", sa.Integer(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("message_id", sa.String()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("tried_at", sa.DateTime()),
        sa.Column("error", sa.Text()),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("chat", "kind", "ref"),
    )
    op.create_table(
        "auditentry",
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("phase", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("actor_name", sa.String(), nullable=False),
        sa.Column("server", sa.String(), nullable=False),
        sa.Column("incident_id", sa.Integer()),
        sa.Column("intent_id", sa.String()),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("prev_hash", sa.String(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
    )
    op.create_index("ix_auditentry_intent_id", "auditentry", ["intent_id"])
    if op.get_bind().dialect.name == "sqlite":
        # The log refuses to be rewritten even by our own code.
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER auditentry_no_{verb.lower()} BEFORE {verb} ON auditentry "
                "BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END"
            )
    op.create_table(
        "pollcursor",
        sa.Column("server", sa.String(), nullable=False),
        sa.Column("cursor", sa.String(), nullable=False),
        sa.Column("last_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("server"),
    )
    op.create_table(
        "recentsubmission",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("server", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("sender", sa.String(), nullable=False),
        sa.Column("client_ip", sa.String()),
        sa.Column("recipients", sa.Integer(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("subject_key", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_recent_at", "recentsubmission", ["server", "at"])
    op.create_index("ix_recent_sender", "recentsubmission", ["server", "sender", "at"])
    op.create_table(
        "senderhabit",
        sa.Column("server", sa.String(), nullable=False),
        sa.Column("sender", sa.String(), nullable=False),
        sa.Column("start", sa.DateTime(), nullable=False),
        sa.Column("messages", sa.Integer(), nullable=False),
        sa.Column("recipients", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("server", "sender", "start"),
    )
    op.create_table(
        "lesson",
        sa.Column("server", sa.String(), nullable=False),
        sa.Column("sender", sa.String(), nullable=False),
        sa.Column("messages", sa.Integer(), nullable=False),
        sa.Column("taught_by", sa.String(), nullable=False),
        sa.Column("taught_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("server", "sender"),
    )
