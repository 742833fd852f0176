"""A note's revisions for one reader, each with what it changed. Served from the registry."""

import asyncio
from collections.abc import Sequence
from itertools import pairwise
from uuid import UUID

from schemas.access import Caller
from schemas.answers import FieldChange, Revision, Revisions
from schemas.events import Kind, NoteEvent
from schemas.note import Note
from services.runtime.access.rights import audience_for, hidden_texts, note_for
from services.runtime.registry import Registry, RevisionRow, aside
from services.search.difference import changes
from services.search.notes import note_id_of, unknown_note, withdrawn_note

PAGE = 10
"""Revisions listed at once: each is read whole, with the one before it."""


async def revisions_for(
    caller: Caller, note_id: str, registry: Registry, before: int | None = None
) -> tuple[NoteEvent, Revisions]:
    """A page of the revisions of the note with this id, newest first; and its latest one.

    `before` is the number that all of the page are below. Raises ProblemError: 404 for a note that
    is unknown or not for this caller, 410 for one that was withdrawn. Raises Unavailable.
    """
    wanted = note_id_of(note_id)
    rows = await aside(registry.history, wanted, limit=1 if before else PAGE + 1)
    audience = audience_for(caller, rows[0].event.note) if rows else None
    if audience is None:
        raise unknown_note()
    latest = rows[0].event
    hidden = hidden_texts(latest.note, audience)
    latest = latest.model_copy(update={"note": note_for(latest.note, audience)})
    if latest.kind is Kind.WITHDRAWN:
        raise withdrawn_note(latest)
    if before is not None:
        rows = await aside(registry.history, wanted, before, PAGE + 1)
    # Off the event loop: two long reports take a while to compare.
    return latest, await asyncio.to_thread(page, caller, wanted, rows, hidden)


def page(
    caller: Caller, note_id: UUID, rows: Sequence[RevisionRow], hidden: frozenset[str] = frozenset()
) -> Revisions:
    """The newest PAGE of these revisions (newest first), each compared with the one before it.

    `hidden` are the passages of the latest revision that are not for the caller.
    """
    compared = [
        _revision(caller, row, older, hidden) for row, older in pairwise([*rows, None]) if row
    ]
    shown = compared[:PAGE]
    return Revisions(
        id=note_id,
        revisions=shown,
        next=shown[-1].revision if len(rows) > PAGE else None,
    )


def _revision(
    caller: Caller, row: RevisionRow, older: RevisionRow | None, hidden: frozenset[str]
) -> Revision:
    event = row.event
    seen: list[Note | None] = []
    passages = {hidden}
    for each in (older, row):
        if each is not None:
            note = each.event.note
            audience = audience_for(caller, note)
            seen.append(None if audience is None else note_for(note, audience))
            passages.add(frozenset() if audience is None else hidden_texts(note, audience))
    found: tuple[FieldChange, ...] | None = ()
    # A passage that is marked in one of them only would be told as what the other one lacks.
    if None in seen or len(passages) > 1:
        found = None
    elif older is not None:
        before, after = seen
        assert before is not None
        assert after is not None
        found = changes(before, after)
    return Revision(
        revision=event.revision,
        kind=event.kind,
        major=event.major,
        reinstated=older is not None and older.event.kind is Kind.WITHDRAWN,
        at=row.at,
        state=row.state,
        correction=event.correction,
        changes=found,
    )
