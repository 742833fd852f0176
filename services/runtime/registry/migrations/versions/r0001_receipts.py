"""Receipts, revisions and dead letters."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create the first tables."""
    op.create_table(
        "notes",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("post", sa.String(64), nullable=False),
        sa.Column("reference", sa.String(200), nullable=False),
        sa.Column(
            "revision",
            sa.Integer,
            nullable=False,
            comment="the latest one; its row holds the state",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_notes"),
    )
    op.create_table(
        "revisions",
        sa.Column("note_id", sa.Uuid, nullable=False),
        sa.Column("revision", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("content_hash", sa.String(64), nullable=False),
        sa.Column(
            "event",
            sa.LargeBinary,
            nullable=False,
            comment="the whole event: what the relay appends, and the only history of revisions",
        ),
        sa.Column("received_at", MOMENT, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("indexed_at", MOMENT),
        sa.Column("parked_at", MOMENT),
        sa.Column("parked_reason", sa.Text),
        sa.PrimaryKeyConstraint("note_id", "revision", name="pk_revisions"),
        sa.ForeignKeyConstraint(
            ["note_id"], ["notes.id"], name="fk_revisions_note_id", ondelete="CASCADE"
        ),
    )
    op.create_index(
        "ix_revisions_pending",
        "revisions",
        ["received_at"],
        sqlite_where=sa.text("state = 'pending'"),
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_table(
        "dead_letters",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("origin", sa.String(300), nullable=False),
        sa.Column(
            "fingerprint",
            sa.String(64),
            nullable=False,
            comment="of key and value: a topic created again starts its offsets anew",
        ),
        sa.Column("service", sa.String(64), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("key", sa.LargeBinary),
        sa.Column("value", sa.LargeBinary),
        sa.Column("headers", sa.Text, nullable=False, comment="JSON object, values in base 64"),
        sa.Column("note_id", sa.Uuid, comment="read from the bytes where they say it"),
        sa.Column("revision", sa.Integer),
        sa.Column("replayed_at", MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_dead_letters"),
        sa.UniqueConstraint("origin", "fingerprint", name="uq_dead_letters_origin_fingerprint"),
    )
    op.create_index("ix_dead_letters_note_id", "dead_letters", ["note_id"])


def downgrade() -> None:
    """Drop them."""
    op.drop_table("dead_letters")
    op.drop_table("revisions")
    op.drop_table("notes")
