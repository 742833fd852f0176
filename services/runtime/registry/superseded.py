"""States of notes behind which the registry knows a later revision: what it keeps from readers.

A revision's marks are known here before the log, classify or the index have it, and also where one
of them can never take it. The functions run within transactions that `Registry` opens.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from schemas.answers import State
from schemas.events import Kind, NoteEvent, decode
from schemas.marks import AUDIENCES
from services.runtime.access.rights import Losing, Restriction, narrows, restriction_of
from services.runtime.registry import expunging
from services.runtime.registry.rows import Shown, Superseded
from services.runtime.registry.tables import dead_letters, notes, revisions

NOT_INDEXED = (State.RECEIVED, State.PARKED)
"""The log has it for good (a pending one may be abandoned), and the index has not."""

_NUMBERS = {
    "sqlite": sa.select(notes.c.id, notes.c.revision).where(
        notes.c.id.in_(sa.bindparam("note_ids", expanding=True))
    ),
    # One parameter: PostgreSQL takes half a millisecond more for a page's twenty.
    "postgresql": sa.select(notes.c.id, notes.c.revision).where(
        notes.c.id == sa.any_(sa.bindparam("note_ids", type_=sa.ARRAY(sa.Uuid)))
    ),
}
"""The latest revision of each of some notes, by the database's dialect."""
ROWS_AT_ONCE = 10
"""Revisions in memory at a time: each has its whole text."""


def in_force(connection: sa.Connection, shown: Mapping[UUID, Shown]) -> bool:
    """Whether each of these notes is known, in no later revision than the one that is shown."""
    latest = _latest(connection, shown)
    return len(latest) == len(shown) and not any(
        number > shown[each].revision for each, number in latest.items()
    )


def restricted(connection: sa.Connection, shown: Mapping[UUID, Shown]) -> dict[UUID, Superseded]:
    """Return those of these notes, in these revisions, that are not to be shown any more.

    Any later revision counts, not the latest alone: one that keeps something from the audience, or
    a withdrawal. So does an expunging.
    """
    latest = _latest(connection, shown)
    found: dict[UUID, Superseded] = {}
    if gone := shown.keys() - latest:
        found |= dict.fromkeys(expunging.barred(connection, gone), Superseded())
    newer = [each for each, number in latest.items() if number > shown[each].revision]
    for note_id, rows in _from(connection, {each: shown[each].revision for each in newer}):
        superseded = _superseded(rows, shown[note_id])
        if superseded is not None:
            found[note_id] = superseded
    return found


def outdated(connection: sa.Connection, states: Sequence[NoteEvent]) -> set[int]:
    """Return the places of those states that a later revision, which the log has, keeps from
    somebody who would see them."""
    held: dict[UUID, int] = {}
    for event in states:
        held[event.note_id] = min(event.revision, held.get(event.note_id, event.revision))
    newer = {
        each: held[each] + 1
        for each, number in _latest(connection, held).items()
        if number > held[each]
    }
    found: set[int] = set()
    for note_id, rows in _from(connection, newer):
        seen = {
            at: [Losing(event.note, audience) for audience in range(AUDIENCES)]
            for at, event in enumerate(states)
            if event.note_id == note_id
        }
        for row in rows:
            if row.state != State.PENDING:
                later = decode(NoteEvent, row.event)
                kept = restriction_of(later.note)
                found.update(
                    at
                    for at, ways in seen.items()
                    if at not in found and states[at].revision < later.revision
                    # Said twice, marked once: who asks for it is answered by `restricted`.
                    if later.kind is Kind.WITHDRAWN
                    or any(each.by(kept, thorough=False) for each in ways)
                )
    return found


def restrictions(connection: sa.Connection, note_id: UUID, first: int) -> list[Restriction]:
    """Return what the note's revisions from that number on keep from readers, oldest first."""
    return [
        restriction_of(decode(NoteEvent, row.event).note)
        for _, rows in _from(connection, {note_id: first})
        for row in rows
    ]


def _latest(connection: sa.Connection, note_ids: Collection[UUID]) -> dict[UUID, int]:
    """The number of the latest revision of each of these notes that the registry has."""
    rows = connection.execute(_NUMBERS[connection.dialect.name], {"note_ids": list(note_ids)})
    return {row.id: row.revision for row in rows}


def _superseded(rows: Iterator[Any], shown: Shown) -> Superseded | None:
    """What came after the state that is shown, where it is not to be shown any more.

    `rows` are the note's revisions from that one on.
    """
    before = Losing(None, shown.audience)
    kept = withdrawn = False
    event = None
    for row in rows:
        event = decode(NoteEvent, row.event)
        if row.revision == shown.revision:
            before = Losing(event.note, shown.audience)
            continue
        withdrawn = event.kind is Kind.WITHDRAWN
        kept = kept or withdrawn or before.by(restriction_of(event.note))
    if not kept:
        return None
    return Superseded(event if withdrawn else None)


def _from(
    connection: sa.Connection, first: Mapping[UUID, int]
) -> Iterator[tuple[UUID, Iterator[Any]]]:
    """The revisions of each of these notes from that number on, oldest first."""
    if not first:
        return
    wanted = [
        sa.and_(revisions.c.note_id == note_id, revisions.c.revision >= number)
        for note_id, number in first.items()
    ]
    rows = connection.execute(
        sa.select(revisions.c.note_id, revisions.c.revision, revisions.c.state, revisions.c.event)
        .where(sa.or_(*wanted))
        .order_by(revisions.c.note_id, revisions.c.revision),
        execution_options={"yield_per": ROWS_AT_ONCE},
    )
    yield from groupby(rows, key=attrgetter("note_id"))


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
