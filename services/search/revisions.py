"""A note's revisions for one reader, each with what it changed. Served from the registry."""

import asyncio
from collections.abc import Sequence
from itertools import pairwise
from uuid import UUID

from schemas.answers import FieldChange, Revision, Revisions
from schemas.events import Kind, NoteEvent
from schemas.query import Reader
from services.runtime.registry import Registry, RevisionRow, aside
from services.search.difference import changes
from services.search.notes import note_id_of, unknown_note, withdrawn_note
from services.search.reader import may_read

PAGE = 10
"""Revisions listed at once: each is read whole, with the one before it."""


async def revisions_for(
    reader: Reader, note_id: str, registry: Registry, before: int | None = None
) -> tuple[NoteEvent, Revisions]:
    """A page of the revisions of the note with this id, newest first; and its latest one.

    `before` is the number that all of the page are below. Raises ProblemError: 404 for a note that
    is unknown or not for this reader, 410 for one that was withdrawn. Raises Unavailable.
    """
    wanted = note_id_of(note_id)
    rows = await aside(registry.history, wanted, limit=1 if before else PAGE + 1)
    if not rows or not may_read(reader, rows[0].event.note):
        raise unknown_note()
    latest = rows[0].event
    if latest.kind is Kind.WITHDRAWN:
        raise withdrawn_note(latest)
    if before is not None:
        rows = await aside(registry.history, wanted, before, PAGE + 1)
    # Off the event loop: two long reports take a while to compare.
    return latest, await asyncio.to_thread(page, reader, wanted, rows)


def page(reader: Reader, note_id: UUID, rows: Sequence[RevisionRow]) -> Revisions:
    """The newest PAGE of these revisions (newest first), each compared with the one before it."""
    compared = [_revision(reader, row, older) for row, older in pairwise([*rows, None]) if row]
    shown = compared[:PAGE]
    return Revisions(
        id=note_id,
        revisions=shown,
        next=shown[-1].revision if len(rows) > PAGE else None,
    )


def _revision(reader: Reader, row: RevisionRow, older: RevisionRow | None) -> Revision:
    event = row.event
    found: tuple[FieldChange, ...] | None = ()
    if not all(may_read(reader, each.event.note) for each in (row, older) if each):
        found = None
    elif older is not None:
        found = changes(older.event.note, event.note)
    return Revision(
        revision=event.revision,
        kind=event.kind,
        major=event.major,
        at=row.at,
        state=row.state,
        correction=event.correction,
        changes=found,
    )
