"""The journal: who did what, each entry bound to the one before. Rows are not to be changed."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

PRUNED = "action = 'pruned'"

SQLITE = (
    """
    CREATE TRIGGER journal_no_update BEFORE UPDATE ON journal
    BEGIN SELECT RAISE(ABORT, 'the journal is append only'); END
    """,
    """
    CREATE TRIGGER journal_no_delete BEFORE DELETE ON journal
    WHEN NOT EXISTS (
        SELECT 1 FROM journal WHERE action = 'pruned' AND CAST(object AS INTEGER) >= OLD.number
    )
    BEGIN SELECT RAISE(ABORT, 'the journal is append only'); END
    """,
)

# CASE, as PostgreSQL may look at the conditions of a WHERE in any order.
POSTGRESQL = (
    """
    CREATE FUNCTION journal_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'DELETE' AND EXISTS (
            SELECT 1 FROM journal WHERE action = 'pruned'
            AND CASE WHEN action = 'pruned' THEN object::bigint >= OLD.number END
        ) THEN
            RETURN OLD;
        END IF;
        RAISE EXCEPTION 'the journal is append only';
    END $$
    """,
    """
    CREATE TRIGGER journal_no_change BEFORE UPDATE OR DELETE ON journal
    FOR EACH ROW EXECUTE FUNCTION journal_is_append_only()
    """,
    """
    CREATE TRIGGER journal_no_truncate BEFORE TRUNCATE ON journal
    FOR EACH STATEMENT EXECUTE FUNCTION journal_is_append_only()
    """,
)


def upgrade() -> None:
    """Add the table and what guards it."""
    op.create_table(
        "journal",
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("id", sa.Uuid, nullable=False, comment="of what is entered; entered once"),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("who", sa.String(200), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("action", sa.String(16), nullable=False),
        sa.Column("object", sa.String(200), nullable=False),
        sa.Column("details", sa.Text, nullable=False, comment="JSON, as it was hashed"),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.UniqueConstraint("id", name="uq_journal_id"),
    )
    op.create_index("ix_journal_who_number", "journal", ["who", "number"])
    op.create_index("ix_journal_object_number", "journal", ["object", "number"])
    op.create_index(
        "ix_journal_pruned",
        "journal",
        ["number"],
        sqlite_where=sa.text(PRUNED),
        postgresql_where=sa.text(PRUNED),
    )
    for statement in POSTGRESQL if op.get_bind().dialect.name == "postgresql" else SQLITE:
        op.execute(statement)


def downgrade() -> None:
    """Drop them."""
    op.drop_table("journal")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION journal_is_append_only()")
