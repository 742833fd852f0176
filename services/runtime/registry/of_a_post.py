"""A post's own notes, in the order of their references. Read within transactions of `store`."""

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from schemas.answers import State
from schemas.events import Kind
from services.runtime.registry.rows import ReceiptRow
from services.runtime.registry.tables import notes, revisions


def receipts() -> sa.Select[Any]:
    """Where the latest revision of each note stands: rows for `receipt`."""
    return sa.select(
        notes.c.id.label("note_id"),
        notes.c.post,
        notes.c.reference,
        revisions.c.revision,
        revisions.c.kind,
        revisions.c.state,
        revisions.c.received_at,
        revisions.c.indexed_at,
        revisions.c.parked_at,
        revisions.c.parked_reason,
    ).join_from(
        notes,
        revisions,
        sa.and_(revisions.c.note_id == notes.c.id, revisions.c.revision == notes.c.revision),
    )


def receipt(row: Any) -> ReceiptRow:
    """One of the rows of `receipts`."""
    return ReceiptRow(**row._asdict() | {"kind": Kind(row.kind), "state": State(row.state)})


def page(
    connection: sa.Connection,
    post: str,
    *,
    states: Collection[State],
    reference: str | None,
    after: str | None,
    limit: int,
) -> list[ReceiptRow]:
    """At most `limit` of the post's notes, as `Registry.of_post` says."""
    query = receipts().where(notes.c.post == post).order_by(notes.c.reference).limit(limit)
    if states:
        query = query.where(revisions.c.state.in_(sorted(states)))
    if reference is not None:
        query = query.where(notes.c.reference == reference)
    if after is not None:
        query = query.where(notes.c.reference > after)
    return [receipt(row) for row in connection.execute(query)]
