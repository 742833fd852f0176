"""New revisions of a note in the registry: rectified, withdrawn, reinstated.

The functions run within a transaction that `Registry` opens.
"""

from uuid import UUID

import sqlalchemy as sa

from schemas.answers import IngestOutcome, State
from schemas.events import Kind, NoteEvent, decode, encode
from schemas.marks import needed
from schemas.note import Note
from services.runtime.registry import citations, entering
from services.runtime.registry.corrections import newest, waiting
from services.runtime.registry.rows import (
    BegunRevision,
    Obstacle,
    RevisionRow,
    RevisionSubmission,
    Sender,
)
from services.runtime.registry.tables import notes, revisions


def revised(kept: NoteEvent, sent: RevisionSubmission) -> NoteEvent:
    """The event of the revision after the one in `kept`, its newest state.

    A withdrawal and a minor rectification keep the standing correction, a major one drops it.
    """
    dropped = sent.note is not None and sent.major
    return NoteEvent(
        event_id=sent.event_id,
        kind=Kind.WITHDRAWN if sent.note is None else Kind.RECTIFIED,
        major=sent.major,
        note_id=kept.note_id,
        revision=kept.revision + 1,
        correction=0 if dropped else kept.correction,
        at=sent.at,
        received_at=kept.received_at,
        trace=sent.trace,
        note=kept.note if sent.note is None else completed(sent.note, sent.defaulted, kept.note),
        correction_tags=None if dropped else kept.correction_tags,
        guessed=_guessed(kept, sent),
    )


def _guessed(kept: NoteEvent, sent: RevisionSubmission) -> tuple[str, ...]:
    """The fields that nobody stated: of those that stay as they were, what was not before."""
    if sent.note is None:
        return kept.guessed
    stays = sent.defaulted - {"language"}
    return tuple(sorted((sent.guessed - stays) | (stays & set(kept.guessed))))


def completed(note: Note, defaulted: frozenset[str], kept: Note) -> Note:
    """The note with the kept values of the fields that its sender only guessed.

    The language found in a new text is that text's own.
    """
    if (note.subject, note.body) != (kept.subject, kept.body):
        defaulted -= {"language"}
    return note.model_copy(update={name: getattr(kept, name) for name in defaulted})


def begin(
    connection: sa.Connection, sent: RevisionSubmission, sender: Sender | None
) -> BegunRevision | Obstacle:
    """Keep a new revision under the next number, or say what is against it.

    What the latest revision says already is a duplicate, whatever its sender had seen: an answer
    that got lost may be asked for again.
    """
    # The row of the note lets one change in at a time, here and from other machines.
    number = connection.scalar(
        sa.select(notes.c.revision).where(notes.c.id == sent.note_id).with_for_update()
    )
    if number is None:
        return Obstacle.UNKNOWN
    if sent.note is not None and sent.note.id != sent.note_id:
        return Obstacle.OTHER
    latest = connection.execute(
        sa.select(revisions.c.kind, revisions.c.state, revisions.c.event).where(
            revisions.c.note_id == sent.note_id, revisions.c.revision == number
        )
    ).one()
    withdrawn = latest.kind == Kind.WITHDRAWN
    kept = decode(NoteEvent, newest(connection, sent.note_id, number) or latest.event)
    if sent.note is None:
        # One that nobody was told of yet is finished by asking again.
        if withdrawn and latest.state != State.PENDING:
            return Obstacle.WITHDRAWN
        repeated = withdrawn
    else:
        repeated = not withdrawn and completed(sent.note, sent.defaulted, kept.note) == kept.note
    if repeated:
        return BegunRevision(
            outcome=IngestOutcome.DUPLICATE,
            note_id=sent.note_id,
            revision=number,
            state=State(latest.state),
            waiting=waiting(connection, sent.note_id),
        )
    if sent.seen is not None and (number, kept.correction) not in sent.seen:
        return Obstacle.MOVED
    event = revised(kept, sent)
    connection.execute(
        sa.insert(revisions),
        {
            "note_id": event.note_id,
            "revision": event.revision,
            "kind": event.kind,
            "content_hash": sent.content_hash,
            "event": encode(event),
            "received_at": sent.at,
            "state": State.PENDING,
            "correction": event.correction,
            "sender": entering.kept(sender),
            "needs": needed(event.note.marking, event.note.special_france),
        },
    )
    connection.execute(
        sa.update(notes).where(notes.c.id == sent.note_id).values(revision=event.revision)
    )
    citations.keep(connection, [event])
    return BegunRevision(
        outcome=IngestOutcome.ACCEPTED,
        note_id=event.note_id,
        revision=event.revision,
        state=State.PENDING,
        waiting=waiting(connection, sent.note_id),
        dropped=kept.correction if event.correction == 0 else 0,
    )


def history(
    connection: sa.Connection, note_id: UUID, before: int | None, limit: int
) -> list[RevisionRow]:
    """The revisions of a note, newest first, as `Registry.history` says."""
    query = (
        sa.select(
            revisions.c.revision, revisions.c.state, revisions.c.received_at, revisions.c.event
        )
        .where(revisions.c.note_id == note_id)
        .order_by(revisions.c.revision.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(revisions.c.revision < before)
    return [
        RevisionRow(State(row.state), row.received_at, decode(NoteEvent, row.event))
        for row in connection.execute(query)
    ]
