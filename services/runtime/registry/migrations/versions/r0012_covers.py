"""The mails that only brought a document along."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table. Until now such a mail was a note of its own, and stays one."""
    op.create_table(
        "covers",
        sa.Column("note_id", sa.Uuid, nullable=False),
        sa.Column("revision", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False, comment="of its bytes: its address"),
        sa.Column("name", sa.String(500), nullable=False, comment="as the sender's file had it"),
        sa.Column("bytes", sa.Integer, nullable=False),
        sa.Column(
            "needs",
            sa.Integer,
            nullable=False,
            comment="what its reader must be able to see beside the note's marks",
        ),
        sa.PrimaryKeyConstraint("note_id", "revision", "sha256", name="pk_covers"),
        sa.ForeignKeyConstraint(
            ["note_id", "revision"],
            ["revisions.note_id", "revisions.revision"],
            name="fk_covers_note_id_revision",
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_covers_sha256", "covers", ["sha256"])


def downgrade() -> None:
    """Drop it."""
    op.drop_table("covers")
