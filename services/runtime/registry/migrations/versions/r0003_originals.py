"""Which revision was read from which original; a post's notes by reference."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table and the index."""
    op.create_table(
        "originals",
        sa.Column("note_id", sa.Uuid, nullable=False),
        sa.Column("revision", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False, comment="of its bytes: its address"),
        sa.Column("name", sa.String(500), nullable=False, comment="as the sender's file had it"),
        sa.Column("media_type", sa.String(200), nullable=False),
        sa.Column("bytes", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("note_id", "revision", name="pk_originals"),
        sa.ForeignKeyConstraint(
            ["note_id", "revision"],
            ["revisions.note_id", "revisions.revision"],
            name="fk_originals_note_id_revision",
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_originals_sha256", "originals", ["sha256"])
    op.create_index("ix_notes_post_reference", "notes", ["post", "reference"])


def downgrade() -> None:
    """Drop them."""
    op.drop_index("ix_notes_post_reference", "notes")
    op.drop_table("originals")
