"""Readers' corrections."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create their table."""
    op.create_table(
        "corrections",
        sa.Column("note_id", sa.Uuid, nullable=False),
        sa.Column(
            "correction",
            sa.Integer,
            autoincrement=False,
            nullable=False,
            comment="counts from 1 over all revisions of the note",
        ),
        sa.Column(
            "revision", sa.Integer, nullable=False, comment="the one that the reader corrected"
        ),
        sa.Column("content_hash", sa.String(64), nullable=False, comment="of the tags"),
        sa.Column(
            "event", sa.LargeBinary, nullable=False, comment="the whole event, as for revisions"
        ),
        sa.Column(
            "comment", sa.Text, comment="the reader's, for whoever learns from the correction"
        ),
        sa.Column("received_at", MOMENT, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("indexed_at", MOMENT),
        sa.Column("parked_at", MOMENT),
        sa.Column("parked_reason", sa.Text),
        sa.PrimaryKeyConstraint("note_id", "correction", name="pk_corrections"),
        sa.ForeignKeyConstraint(
            ["note_id"], ["notes.id"], name="fk_corrections_note_id", ondelete="CASCADE"
        ),
    )
    op.create_index(
        "ix_corrections_pending",
        "corrections",
        ["received_at"],
        sqlite_where=sa.text("state = 'pending'"),
        postgresql_where=sa.text("state = 'pending'"),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("corrections")
