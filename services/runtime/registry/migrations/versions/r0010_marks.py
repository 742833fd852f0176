"""What a reader must be able to see to be shown a revision: by it, rights are part of a query."""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

PAGE = 500
"""Events read at once: one may be as large as the largest note."""


def upgrade() -> None:
    """Add the column, and fill it from the events."""
    op.add_column(
        "revisions",
        sa.Column(
            "needs",
            sa.Integer,
            nullable=False,
            server_default="3",
            comment="what its reader must be able to see (schemas.marks.needed); 3: all marks",
        ),
    )
    _fill(op.get_bind())


def downgrade() -> None:
    """Drop it."""
    op.drop_column("revisions", "needs")


def _fill(connection: sa.Connection) -> None:
    revisions = sa.table(
        "revisions",
        sa.column("note_id", sa.Uuid),
        sa.column("revision", sa.Integer),
        sa.column("event", sa.LargeBinary),
        sa.column("needs", sa.Integer),
    )
    place = sa.tuple_(revisions.c.note_id, revisions.c.revision)
    query = (
        sa.select(revisions.c.note_id, revisions.c.revision, revisions.c.event)
        .order_by(revisions.c.note_id, revisions.c.revision)
        .limit(PAGE)
    )
    filled = (
        sa.update(revisions)
        .where(
            revisions.c.note_id == sa.bindparam("the_note"),
            revisions.c.revision == sa.bindparam("the_revision"),
        )
        .values(needs=sa.bindparam("needed"))
    )
    page = connection.execute(query).all()
    while page:
        connection.execute(
            filled,
            [
                {
                    "the_note": row.note_id,
                    "the_revision": row.revision,
                    "needed": _needed(json.loads(row.event)["note"]),
                }
                for row in page
            ],
        )
        last = sa.tuple_(
            sa.literal(page[-1].note_id, sa.Uuid), sa.literal(page[-1].revision, sa.Integer)
        )
        page = connection.execute(query.where(place > last)).all()


def _needed(note: dict[str, Any]) -> int:
    restricted: bool = note.get("marking", "non_protege") != "non_protege"
    return int(restricted) + 2 * int(bool(note.get("special_france")))
