"""Readers' corrections in the registry: numbered, compared with the standing one, never lost.

The functions run within a transaction that `Registry` opens.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from schemas.answers import IngestOutcome, State
from schemas.events import Kind, NoteEvent, decode, encode
from services.runtime.registry import entering
from services.runtime.registry.rows import (
    BegunCorrection,
    CorrectionRow,
    CorrectionSubmission,
    Key,
    Obstacle,
    Pending,
    Sender,
)
from services.runtime.registry.tables import corrections, notes, revisions


def corrected(kept: NoteEvent, correction: int, sent: CorrectionSubmission) -> NoteEvent:
    """The event of a correction of that state: the same note, received when it was, new tags."""
    return NoteEvent(
        event_id=sent.event_id,
        kind=Kind.CORRECTED,
        note_id=kept.note_id,
        revision=kept.revision,
        correction=correction,
        at=sent.at,
        received_at=kept.received_at,
        trace=sent.trace,
        note=kept.note,
        correction_tags=sent.tags,
        guessed=kept.guessed,
    )


def begin(
    connection: sa.Connection, sent: CorrectionSubmission, sender: Sender | None
) -> BegunCorrection | Obstacle:
    """Keep a correction of the latest revision under the next number, or say what is against it.

    The tags that stand already make it a duplicate, whatever the reader had seen: an answer that
    got lost may be asked for again.
    """
    # The row of the note lets one correction in at a time, here and from other machines.
    revision = connection.scalar(
        sa.select(notes.c.revision).where(notes.c.id == sent.note_id).with_for_update()
    )
    if revision is None:
        return Obstacle.UNKNOWN
    latest = connection.execute(
        sa.select(revisions.c.kind, revisions.c.correction, revisions.c.event).where(
            revisions.c.note_id == sent.note_id, revisions.c.revision == revision
        )
    ).one()
    if latest.kind == Kind.WITHDRAWN:
        return Obstacle.WITHDRAWN
    made = connection.execute(
        sa.select(
            corrections.c.correction,
            corrections.c.revision,
            corrections.c.content_hash,
            corrections.c.state,
            corrections.c.event,
        )
        .where(corrections.c.note_id == sent.note_id)
        .order_by(corrections.c.correction.desc())
        .limit(1)
    ).first()
    standing = None
    if made is not None and (made.revision == revision or made.correction == latest.correction):
        standing = made
    if standing is not None and standing.content_hash == sent.content_hash:
        return BegunCorrection(
            outcome=IngestOutcome.DUPLICATE,
            note_id=sent.note_id,
            revision=revision,
            correction=standing.correction,
            state=State(standing.state),
            waiting=waiting(connection, sent.note_id),
        )
    if (
        sent.seen is not None
        and (revision, standing.correction if standing else 0) not in sent.seen
    ):
        return Obstacle.MOVED
    number = 1 + (made.correction if made is not None else 0)
    connection.execute(
        sa.insert(corrections),
        {
            "note_id": sent.note_id,
            "correction": number,
            "revision": revision,
            "content_hash": sent.content_hash,
            "event": encode(corrected(decode(NoteEvent, latest.event), number, sent)),
            "comment": sent.comment,
            "received_at": sent.at,
            "state": State.PENDING,
            "sender": entering.kept(sender),
        },
    )
    return BegunCorrection(
        outcome=IngestOutcome.ACCEPTED,
        note_id=sent.note_id,
        revision=revision,
        correction=number,
        state=State.PENDING,
        waiting=waiting(connection, sent.note_id),
    )


def newest_keys(connection: sa.Connection, note_ids: Iterable[UUID]) -> list[Key]:
    """The newest state of each of these notes: the latest revision, or its last correction."""
    rows = connection.execute(
        sa.select(
            notes.c.id,
            notes.c.revision,
            sa.func.coalesce(sa.func.max(corrections.c.correction), 0),
        )
        .join_from(notes, corrections, _of_the_latest_revision(), isouter=True)
        .where(notes.c.id.in_(list(note_ids)))
        .group_by(notes.c.id, notes.c.revision)
    )
    return [Key(*row) for row in rows]


def newest(connection: sa.Connection, note_id: UUID, revision: int) -> bytes | None:
    """The event of the last correction of that revision; None where there is none."""
    event: bytes | None = connection.scalar(
        sa.select(corrections.c.event)
        .where(corrections.c.note_id == note_id, corrections.c.revision == revision)
        .order_by(corrections.c.correction.desc())
        .limit(1)
    )
    return event


def pending(older_than: datetime, limit: int) -> sa.Select[Any]:
    """Corrections that may be missing in the log: key, time and size, as for revisions."""
    return (
        sa.select(
            corrections.c.received_at,
            corrections.c.note_id,
            corrections.c.revision,
            corrections.c.correction,
            sa.func.length(corrections.c.event),
        )
        .where(corrections.c.state == State.PENDING, corrections.c.received_at < older_than)
        .order_by(corrections.c.received_at)
        .limit(limit)
    )


def events(connection: sa.Connection, keys: Sequence[Key]) -> list[Pending]:
    """The events of these corrections, in any order."""
    if not keys:
        return []
    wanted = [(key.note_id, key.correction) for key in keys]
    rows = connection.execute(
        sa.select(
            corrections.c.note_id,
            corrections.c.revision,
            corrections.c.event,
            corrections.c.correction,
        ).where(sa.tuple_(corrections.c.note_id, corrections.c.correction).in_(wanted))
    )
    return [Pending(*row) for row in rows]


def standing(connection: sa.Connection, after: UUID | None, limit: int) -> list[CorrectionRow]:
    """The correction in force of each corrected note, by note id."""
    latest = (
        sa.select(corrections.c.note_id, sa.func.max(corrections.c.correction).label("correction"))
        .join_from(notes, revisions, _latest_revision())
        .join(
            corrections,
            sa.and_(
                corrections.c.note_id == notes.c.id,
                sa.or_(
                    corrections.c.revision == notes.c.revision,
                    corrections.c.correction == revisions.c.correction,
                ),
            ),
        )
        .group_by(corrections.c.note_id)
        .order_by(corrections.c.note_id)
        .limit(limit)
    )
    if after is not None:
        latest = latest.where(corrections.c.note_id > after)
    chosen = latest.subquery()
    rows = connection.execute(
        sa.select(
            corrections.c.note_id,
            corrections.c.revision,
            corrections.c.correction,
            corrections.c.received_at,
            corrections.c.comment,
        )
        .join(
            chosen,
            sa.and_(
                corrections.c.note_id == chosen.c.note_id,
                corrections.c.correction == chosen.c.correction,
            ),
        )
        .order_by(corrections.c.note_id)
    )
    return [CorrectionRow(*row) for row in rows]


def this_correction() -> sa.ColumnElement[bool]:
    """The row of a statement that is run for many: `the_note`, `the_correction`."""
    return sa.and_(
        corrections.c.note_id == sa.bindparam("the_note"),
        corrections.c.correction == sa.bindparam("the_correction"),
    )


def waiting(connection: sa.Connection, note_id: UUID) -> tuple[Pending, ...]:
    """What of this note may be missing in the log, in the order in which it was made."""
    first = connection.execute(
        sa.select(revisions.c.note_id, revisions.c.revision, revisions.c.event).where(
            revisions.c.note_id == note_id, revisions.c.state == State.PENDING
        )
    )
    later = connection.execute(
        sa.select(
            corrections.c.note_id,
            corrections.c.revision,
            corrections.c.event,
            corrections.c.correction,
        ).where(corrections.c.note_id == note_id, corrections.c.state == State.PENDING)
    )
    found = [Pending(*row) for row in (*first, *later)]
    return tuple(sorted(found, key=lambda each: each.key))


def _of_the_latest_revision() -> sa.ColumnElement[bool]:
    return sa.and_(corrections.c.note_id == notes.c.id, corrections.c.revision == notes.c.revision)


def _latest_revision() -> sa.ColumnElement[bool]:
    return sa.and_(revisions.c.note_id == notes.c.id, revisions.c.revision == notes.c.revision)
