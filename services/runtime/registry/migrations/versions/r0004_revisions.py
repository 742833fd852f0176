"""Which correction a revision keeps in force; what each revision cites."""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

PAGE = 500
"""Events read at once: one may be as large as the largest note."""


def upgrade() -> None:
    """Add the column, the table and the index, and fill the table from the events."""
    op.add_column(
        "revisions",
        sa.Column(
            "correction",
            sa.Integer,
            nullable=False,
            server_default="0",
            comment="the one made before that this revision keeps in force; 0: none",
        ),
    )
    op.create_index("ix_notes_reference", "notes", ["reference"])
    op.create_table(
        "citations",
        sa.Column("note_id", sa.Uuid, nullable=False),
        sa.Column("revision", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("reference", sa.String(200), nullable=False, comment="as the note writes it"),
        sa.PrimaryKeyConstraint("note_id", "revision", "position", name="pk_citations"),
        sa.ForeignKeyConstraint(
            ["note_id", "revision"],
            ["revisions.note_id", "revisions.revision"],
            name="fk_citations_note_id_revision",
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_citations_reference", "citations", ["reference"])
    _fill(op.get_bind())


def downgrade() -> None:
    """Drop them."""
    op.drop_table("citations")
    op.drop_index("ix_notes_reference", "notes")
    op.drop_column("revisions", "correction")


def _fill(connection: sa.Connection) -> None:
    revisions = sa.table(
        "revisions",
        sa.column("note_id", sa.Uuid),
        sa.column("revision", sa.Integer),
        sa.column("event", sa.LargeBinary),
    )
    citations = sa.table(
        "citations",
        sa.column("note_id", sa.Uuid),
        sa.column("revision", sa.Integer),
        sa.column("position", sa.Integer),
        sa.column("kind", sa.String),
        sa.column("reference", sa.String),
    )
    place = sa.tuple_(revisions.c.note_id, revisions.c.revision)
    query = sa.select(revisions).order_by(revisions.c.note_id, revisions.c.revision).limit(PAGE)
    page = connection.execute(query).all()
    while page:
        rows: list[dict[str, Any]] = [
            {
                "note_id": row.note_id,
                "revision": row.revision,
                "position": position,
                "kind": kind,
                "reference": reference,
            }
            for row in page
            for position, (kind, reference) in enumerate(_cited(json.loads(row.event)["note"]))
        ]
        if rows:
            connection.execute(sa.insert(citations), rows)
        last = sa.tuple_(
            sa.literal(page[-1].note_id, sa.Uuid), sa.literal(page[-1].revision, sa.Integer)
        )
        page = connection.execute(query.where(place > last)).all()


def _cited(note: dict[str, Any]) -> list[tuple[str, str]]:
    found = [("replies_to", note["replies_to"])] if note.get("replies_to") else []
    return found + [("cites", reference) for reference in dict.fromkeys(note.get("cites") or ())]
