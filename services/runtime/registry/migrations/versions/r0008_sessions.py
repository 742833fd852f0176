"""Browser sessions, and the tickets that open one."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "sessions",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column(
            "hash", sa.String(64), nullable=False, comment="SHA-256 of what the cookie holds"
        ),
        sa.Column(
            "key_id",
            sa.Integer,
            sa.ForeignKey("keys.id", name="fk_sessions_key_id"),
            comment="whose rights it has; or a person's",
        ),
        sa.Column("person", sa.Text, comment="JSON: who the identity provider says it is"),
        sa.Column("id_token", sa.Text, comment="to sign out there too; gone with the session"),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("last_used_at", MOMENT, nullable=False, comment="to the minute"),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("revoked_at", MOMENT),
        sa.UniqueConstraint("hash", name="uq_sessions_hash"),
    )
    op.create_index("ix_sessions_expires_at", "sessions", ["expires_at"])
    op.create_table(
        "tickets",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("hash", sa.String(64), nullable=False, comment="SHA-256 of what the link holds"),
        sa.Column(
            "key_id",
            sa.Integer,
            sa.ForeignKey("keys.id", name="fk_tickets_key_id"),
            nullable=False,
        ),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("used_at", MOMENT),
        sa.UniqueConstraint("hash", name="uq_tickets_hash"),
    )
    op.create_index("ix_tickets_expires_at", "tickets", ["expires_at"])


def downgrade() -> None:
    """Drop them."""
    op.drop_table("tickets")
    op.drop_table("sessions")
