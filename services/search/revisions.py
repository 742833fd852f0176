"""A note's revisions for one reader, each with what it changed. Served from the registry."""

import asyncio
from collections.abc import Iterable, Sequence, Set
from itertools import islice, pairwise
from uuid import UUID

from schemas.access import Caller
from schemas.answers import FieldChange, Revision, Revisions
from schemas.events import Kind, NoteEvent
from services.runtime.access.rights import (
    Restriction,
    audience_for,
    note_for,
    restriction_of,
    tells,
)
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
    latest = latest.model_copy(update={"note": note_for(latest.note, audience)})
    if latest.kind is Kind.WITHDRAWN:
        raise withdrawn_note(latest)
    later: Sequence[Restriction] = ()
    if before is not None:
        later = await aside(registry.restrictions, wanted, before)
        rows = await aside(registry.history, wanted, before, PAGE + 1)
    # Off the event loop: two long reports take a while to compare.
    return latest, await asyncio.to_thread(page, audience, wanted, rows, later)


def page(
    audience: int, note_id: UUID, rows: Sequence[RevisionRow], later: Iterable[Restriction] = ()
) -> Revisions:
    """Return the newest PAGE of these revisions (newest first), each compared with the one before.

    `later` are the restrictions of the revisions after these. What one revision keeps from the
    audience, be it lifted again since, no earlier one tells it.
    """
    hidden = {each.hides(audience) for each in later}
    shown = []
    for row, older in islice(pairwise([*rows, None]), PAGE):
        assert row is not None
        hidden.add(_hidden(row, audience))
        shown.append(_revision(audience, row, older, hidden))
    return Revisions(
        id=note_id,
        revisions=shown,
        next=shown[-1].revision if len(rows) > PAGE else None,
    )


def _hidden(row: RevisionRow, audience: int) -> frozenset[str] | None:
    return restriction_of(row.event.note).hides(audience)


def _revision(
    audience: int,
    row: RevisionRow,
    older: RevisionRow | None,
    hidden: Set[frozenset[str] | None],
) -> Revision:
    """The revision and what it changed; `hidden` is what it and those after it hide."""
    event = row.event
    seen = hidden if older is None else hidden | {_hidden(older, audience)}
    found: tuple[FieldChange, ...] | None = ()
    # A passage that is hidden in one of them only would be told as what another one lacks.
    if len(seen) > 1 or None in seen:
        found = None
    elif older is not None:
        both = [note_for(each.event.note, audience) for each in (older, row)]
        texts = frozenset[str]().union(*filter(None, seen))
        found = None if any(tells(note, texts) for note in both) else changes(*both)
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
