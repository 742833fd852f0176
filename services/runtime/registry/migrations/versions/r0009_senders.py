"""Who sent a change of a note, until the journal has it."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

TO_BE_ENTERED = "sender IS NOT NULL"


def upgrade() -> None:
    """Add the columns, and what finds the few rows that have one."""
    for table, said in (
        ("revisions", "JSON: who sent it; until the journal has it"),
        ("corrections", "as for revisions"),
    ):
        op.add_column(table, sa.Column("sender", sa.Text, comment=said))
        op.create_index(
            f"ix_{table}_to_be_entered",
            table,
            ["received_at"],
            sqlite_where=sa.text(TO_BE_ENTERED),
            postgresql_where=sa.text(TO_BE_ENTERED),
        )


def downgrade() -> None:
    """Drop them."""
    for table in ("revisions", "corrections"):
        op.drop_index(f"ix_{table}_to_be_entered", table)
        op.drop_column(table, "sender")
