"""Replays of dead letters; the journal of expunged notes."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add the two counters and the table."""
    for name, comment in (
        ("replays", "how often it was written to its topic again"),
        ("returns", "which of these replays was parked again; less than replays: not yet, if ever"),
    ):
        op.add_column(
            "dead_letters",
            sa.Column(name, sa.Integer, nullable=False, server_default="0", comment=comment),
        )
    op.create_table(
        "expunged",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("note_id", sa.Uuid, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("reason", sa.Text, nullable=False, comment="as the administrator gave it"),
        sa.Column(
            "until",
            MOMENT,
            nullable=False,
            comment="events of the note received by then are not to come back",
        ),
        sa.Column("forgotten_at", MOMENT, comment="the null value has been all the way"),
        sa.Column("finished_at", MOMENT, comment="the bytes are gone too"),
    )
    op.create_index("ix_expunged_note_id", "expunged", ["note_id"])


def downgrade() -> None:
    """Drop them."""
    op.drop_table("expunged")
    op.drop_column("dead_letters", "returns")
    op.drop_column("dead_letters", "replays")
