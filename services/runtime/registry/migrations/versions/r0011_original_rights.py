"""What an original document asks of its reader by itself, and which documents lie in it."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

ALL_MARKS = 3
MAIL = "message/rfc822"


def upgrade() -> None:
    """Add both. Of the mails that are kept nobody knows what lies in them: they are from now on for
    those who may see every mark."""
    op.add_column(
        "originals",
        sa.Column(
            "needs",
            sa.Integer,
            nullable=False,
            server_default="0",
            comment="what its reader must be able to see beside the note's marks: 3 where "
            "something in it could not be looked into",
        ),
    )
    originals = sa.table(
        "originals", sa.column("media_type", sa.String), sa.column("needs", sa.Integer)
    )
    op.execute(sa.update(originals).where(originals.c.media_type == MAIL).values(needs=ALL_MARKS))
    op.create_table(
        "held_originals",
        sa.Column("holder", sa.String(64), nullable=False, comment="SHA-256 of a document"),
        sa.Column(
            "held",
            sa.String(64),
            nullable=False,
            comment="what lies in it: the SHA-256 of a file, or the id of a note",
        ),
        sa.PrimaryKeyConstraint("holder", "held", name="pk_held_originals"),
    )
    op.create_index("ix_held_originals_held", "held_originals", ["held"])


def downgrade() -> None:
    """Drop both."""
    op.drop_table("held_originals")
    op.drop_column("originals", "needs")
