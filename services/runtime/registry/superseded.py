"""States of notes behind which the registry knows a later revision: what it keeps from readers.

A revision's marks are known here before the log, classify or the index have it, and also where one
of them can never take it. The functions run within transactions that `Registry` opens.
"""

from collections.abc import Collection, Mapping
from uuid import UUID

import sqlalchemy as sa

from schemas.answers import State
from schemas.events import NoteEvent, decode
from services.runtime.access.rights import narrows
from services.runtime.registry.rows import RevisionRow
from services.runtime.registry.tables import dead_letters, notes, revisions

NOT_INDEXED = (State.RECEIVED, State.PARKED)
"""The log has it for good (a pending one may be abandoned), and the index has not."""


def later(connection: sa.Connection, held: Mapping[UUID, int]) -> dict[UUID, RevisionRow]:
    """The latest revision of those of these notes that have one above the number given."""
    numbers = connection.execute(
        sa.select(notes.c.id, notes.c.revision).where(notes.c.id.in_(sorted(held)))
    )
    newer = [(row.id, row.revision) for row in numbers if row.revision > held[row.id]]
    if not newer:
        return {}
    rows = connection.execute(
        sa.select(revisions).where(sa.tuple_(revisions.c.note_id, revisions.c.revision).in_(newer))
    )
    return {
        row.note_id: RevisionRow(State(row.state), row.received_at, decode(NoteEvent, row.event))
        for row in rows
    }


def withheld(connection: sa.Connection, note_ids: Collection[UUID] | None) -> dict[UUID, int]:
    """The notes (of these, or of all) of which nothing may be shown: something of them was parked,
    their latest revision has not reached the index, and it keeps from somebody what the one that
    has shows them. With the number of that latest revision.
    """
    query = (
        sa.select(notes.c.id, revisions.c.revision, revisions.c.event)
        .join_from(
            notes,
            revisions,
            sa.and_(revisions.c.note_id == notes.c.id, revisions.c.revision == notes.c.revision),
        )
        .where(
            revisions.c.revision > 1,
            revisions.c.state.in_(NOT_INDEXED),
            notes.c.id.in_(sa.select(dead_letters.c.note_id)),
        )
        .order_by(notes.c.id)
    )
    if note_ids is not None:
        query = query.where(notes.c.id.in_(sorted(note_ids)))
    found: dict[UUID, int] = {}
    for row in connection.execute(query).all():
        shown = connection.scalar(
            sa.select(revisions.c.event)
            .where(
                revisions.c.note_id == row.id,
                revisions.c.revision < row.revision,
                revisions.c.indexed_at.is_not(None),
            )
            .order_by(revisions.c.revision.desc())
            .limit(1)
        )
        if shown is not None and narrows(
            decode(NoteEvent, shown).note, decode(NoteEvent, row.event)
        ):
            found[row.id] = row.revision
    return found
