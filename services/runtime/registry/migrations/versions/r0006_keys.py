"""API keys: what each may do, and the hash of its secret."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "keys",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("label", sa.String(16), nullable=False, comment="finds the key; no secret"),
        sa.Column("hash", sa.String(64), nullable=False, comment="SHA-256 of the secret"),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("roles", sa.Text, nullable=False, comment="parted by spaces"),
        sa.Column("posts", sa.Text, nullable=False, comment="parted by spaces; * for all"),
        sa.Column("clearance", sa.String(32), nullable=False),
        sa.Column("special_france", sa.Boolean, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT),
        sa.Column("revoked_at", MOMENT),
        sa.Column("last_used_at", MOMENT, comment="to the minute"),
        sa.UniqueConstraint("label", name="uq_keys_label"),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("keys")
