"""Expunging a note from the registry: all its rows go, and a journal says that it is not to return.

The journal holds what a late event is judged by: every event of a note was received no later than
the registry's newest row of it, so whatever was received by then is the expunged note, and what
was received after it is a note that its post has sent anew. So is what bears the moment at which
the registry has the note received now, whatever the clocks said.

The functions run within transactions of `store`.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from services.runtime.registry import originals as original_rows
from services.runtime.registry.letters import about, key_of, received_at
from services.runtime.registry.rows import DeadLetterRow, ExpungedRow
from services.runtime.registry.tables import (
    citations,
    corrections,
    covers,
    dead_letters,
    expunged,
    notes,
    originals,
    revisions,
)

OF_A_NOTE = (dead_letters, citations, originals, covers, corrections, revisions)
"""Every table with rows of a note, beside `notes` and the journal: those that point at others
first. A test holds that none is missing."""


def knows(connection: sa.Connection, note_id: UUID) -> bool:
    """Whether anything here is about that note, its journal entries not counted."""
    asked = [sa.select(sa.exists().where(notes.c.id == note_id))]
    asked.append(sa.select(sa.exists().where(_letters_of(note_id))))
    return any(connection.scalar(each) for each in asked)


def begin(connection: sa.Connection, note_id: UUID, reason: str, at: datetime) -> ExpungedRow:
    """Delete all rows of that note and enter it in the journal; the entry.

    One that was begun and not finished is taken up again, under its first reason.
    """
    known = [
        connection.scalar(sa.select(sa.func.max(table.c.received_at)).where(of_it))
        for table, of_it in (
            (revisions, revisions.c.note_id == note_id),
            (corrections, corrections.c.note_id == note_id),
        )
    ]
    original_rows.forget(connection, original_rows.own(connection, note_id))
    for table in OF_A_NOTE:
        of_it = _letters_of(note_id) if table is dead_letters else table.c.note_id == note_id
        connection.execute(sa.delete(table).where(of_it))
    connection.execute(sa.delete(notes).where(notes.c.id == note_id))
    received = [each for each in known if each is not None]
    begun = latest(connection, note_id)
    if begun is None or begun.finished_at is not None:
        # A note of which only the log knows has no time here: whatever came before now is meant.
        until = max(received, default=at)
        connection.execute(
            sa.insert(expunged).values(note_id=note_id, at=at, reason=reason, until=until)
        )
    else:
        until = max([begun.until, *received])
        connection.execute(
            sa.update(expunged)
            .where(expunged.c.id == begun.id)
            .values(until=until, forgotten_at=None)
        )
    entered = latest(connection, note_id)
    assert entered is not None
    return entered


def latest(connection: sa.Connection, note_id: UUID) -> ExpungedRow | None:
    """The last entry about that note; None where it was never expunged."""
    row = connection.execute(
        sa.select(expunged)
        .where(expunged.c.note_id == note_id)
        .order_by(expunged.c.id.desc())
        .limit(1)
    ).first()
    return None if row is None else ExpungedRow(**row._asdict())


def mark(connection: sa.Connection, note_id: UUID, number: int, column: str, at: datetime) -> None:
    """Enter when that expunging came so far (`forgotten_at`, `finished_at`); the first time stays.

    Nothing for a number that is not the note's: it may stand on a log that is not of this registry.
    """
    connection.execute(
        sa.update(expunged)
        .where(expunged.c.id == number, expunged.c.note_id == note_id, expunged.c[column].is_(None))
        .values({column: at})
    )


def barred(connection: sa.Connection, note_ids: Collection[UUID]) -> Mapping[UUID, datetime]:
    """Of these notes, those that were expunged, with the moment by which they had come."""
    rows = connection.execute(
        sa.select(expunged.c.note_id, sa.func.max(expunged.c.until).label("until"))
        .where(expunged.c.note_id.in_(list(note_ids)))
        .group_by(expunged.c.note_id)
    )
    return {row.note_id: row.until for row in rows}


def bars(connection: sa.Connection, letter: DeadLetterRow) -> bool:
    """Whether the dead letter is of an expunged note; one whose bytes do not tell when is."""
    meant = {about(letter)[0], key_of(letter)} - {None}
    known = barred(connection, [each for each in meant if each is not None])
    if not known:
        return False
    received = received_at(letter)
    if received is None:
        return True
    there = received_when(connection, known)
    return any(received <= until and received != there.get(each) for each, until in known.items())


def received_when(connection: sa.Connection, note_ids: Collection[UUID]) -> Mapping[UUID, datetime]:
    """Of these notes, those that are there now, with what their events say of when they came."""
    rows = connection.execute(
        sa.select(revisions.c.note_id, revisions.c.received_at).where(
            revisions.c.note_id.in_(list(note_ids)), revisions.c.revision == 1
        )
    )
    return {row.note_id: row.received_at for row in rows}


def _letters_of(note_id: UUID) -> sa.ColumnElement[bool]:
    """Dead letters about that note, or under its key, however that is written."""
    spelt = [str(note_id), str(note_id).upper(), note_id.hex, note_id.hex.upper()]
    return sa.or_(
        dead_letters.c.note_id == note_id,
        dead_letters.c.key.in_([each.encode() for each in spelt]),
    )
