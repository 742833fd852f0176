"""What services ask of the registry: begin a note, mark where it is, park, say where it stands."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DatabaseError

from schemas.answers import IngestOutcome, State, TraceStep
from schemas.events import Kind, NoteEvent, decode, encode
from services.runtime.errors import Misconfigured, Unavailable
from services.runtime.registry import migrate, steps
from services.runtime.registry.database import Database
from services.runtime.registry.letters import from_row, to_row
from services.runtime.registry.rows import (
    Begun,
    DeadLetterRow,
    Key,
    Mark,
    ParkedRow,
    Pending,
    ReceiptRow,
    Submission,
)
from services.runtime.registry.tables import IS_PENDING, dead_letters, notes, revisions

PENDING_BYTES = 16 * 1024 * 1024
"""Events handed to the relay at once: two of the longest notes, or thousands of usual ones."""

_STATE = revisions.c.state
_OPEN = sa.or_(
    *(revisions.c.state == each for each in (State.PENDING, State.RECEIVED, State.PARKED))
)
"""A word from the index may still change the state. (Not IN: that cannot be run for many rows.)"""


class Registry:
    """The registry at a database URL (`sqlite:///file`, `postgresql://…`).

    Raises Misconfigured for a URL that it cannot use. Every method raises Unavailable while the
    database is away, and goes on by itself when it is back.
    """

    def __init__(self, url: str) -> None:
        self._database = Database(url)

    def migrate(self) -> None:
        """Create or update the tables. Safe when several services do so at once.

        Raises Misconfigured when a newer release made them, or the file is no database.
        """
        try:
            with self._database.writing() as connection:
                migrate.upgrade(connection)
        except Unavailable as error:
            if type(error.__cause__) is DatabaseError:
                raise Misconfigured(f"VALISE_DATABASE: {error.reason}") from None
            raise

    def ready(self) -> bool:
        """Whether the database answers and has the tables that this release needs."""
        try:
            with self._database.reading() as connection:
                return migrate.current(connection) == migrate.head()
        except Unavailable:
            return False

    def close(self) -> None:
        """Close all connections. The registry may be used again: they open on demand."""
        self._database.close()

    def begin(self, submissions: Sequence[Submission]) -> list[Begun]:
        """Keep these first submissions, in one transaction; what became of each, in order.

        The unique key decides every race, here and between processes: of two submissions of one
        note, even in one call, the first is accepted and the other compared with it.
        """
        firsts = {each.event.note_id: each for each in reversed(submissions)}
        if not firsts:
            return []
        with self._database.writing() as connection:
            # In the order of ids: two transactions with the same notes must not wait crosswise.
            created = set(
                connection.scalars(
                    self._insert(notes)
                    .on_conflict_do_nothing(index_elements=["id"])
                    .returning(notes.c.id),
                    [_note_row(firsts[each].event) for each in sorted(firsts)],
                )
            )
            fresh = [_revision_row(firsts[each]) for each in sorted(created)]
            if fresh:
                connection.execute(sa.insert(revisions), fresh)
            kept = _latest(connection, list(firsts))
        begun: list[Begun] = []
        for submission in submissions:
            note_id = submission.event.note_id
            if note_id in created:
                created.remove(note_id)
                begun.append(_accepted(kept[note_id]))
            else:
                begun.append(_compared(submission, kept[note_id]))
        return begun

    def mark_received(self, keys: Sequence[Key]) -> None:
        """The log has these revisions. Changes only pending ones."""
        self._update(
            sa.update(revisions)
            .where(_this_revision(), _STATE == State.PENDING)
            .values(state=State.RECEIVED),
            [{"the_note": note_id, "the_revision": revision} for note_id, revision in keys],
        )

    def mark_indexed(self, marks: Sequence[Mark]) -> None:
        """The index has these revisions (or their tombstones).

        Idempotent, in any order: each mark is about its own revision, the first one counts, an
        unknown note changes nothing. A pending or parked revision becomes indexed too.
        """
        self._update(
            sa.update(revisions)
            .where(_this_revision(), _OPEN)
            .values(state=sa.bindparam("the_state"), indexed_at=sa.bindparam("the_time")),
            [
                {
                    "the_note": mark.note_id,
                    "the_revision": mark.revision,
                    "the_state": mark.state,
                    "the_time": mark.at,
                }
                for mark in marks
            ],
        )

    def pending(self, older_than: datetime, limit: int = 100) -> list[Pending]:
        """Receipts begun before that moment whose event may be missing in the log, oldest first.

        At most `limit`, and at least one but not more than PENDING_BYTES of events.
        """
        waiting = (
            sa.select(revisions.c.note_id, revisions.c.revision, sa.func.length(revisions.c.event))
            .where(sa.text(IS_PENDING), revisions.c.received_at < older_than)
            .order_by(revisions.c.received_at)
            .limit(limit)
        )
        with self._database.reading() as connection:
            taken: list[Key] = []
            size = 0
            for note_id, revision, length in connection.execute(waiting):
                size += length
                if taken and size > PENDING_BYTES:
                    break
                taken.append(Key(note_id, revision))
            if not taken:
                return []
            rows = connection.execute(
                sa.select(revisions.c.note_id, revisions.c.revision, revisions.c.event)
                .where(sa.tuple_(revisions.c.note_id, revisions.c.revision).in_(taken))
                .order_by(revisions.c.received_at)
            )
            return [Pending(*row) for row in rows]

    def abandon(self, key: Key) -> None:
        """Forget a pending first submission that the log can never take: nobody was told 202."""
        with self._database.writing() as connection:
            gone = connection.execute(
                sa.delete(revisions).where(
                    revisions.c.note_id == key.note_id,
                    revisions.c.revision == key.revision,
                    _STATE == State.PENDING,
                )
            )
            if gone.rowcount:
                connection.execute(
                    sa.delete(notes).where(
                        notes.c.id == key.note_id,
                        ~sa.exists().where(revisions.c.note_id == notes.c.id),
                    )
                )

    def park(self, letter: DeadLetterRow) -> bool:
        """Keep a dead letter, once however often it comes; False when it was there already.

        The revision it is about, where its bytes say so, becomes parked unless it is indexed.
        """
        row = to_row(letter)
        with self._database.writing() as connection:
            added = connection.execute(
                self._insert(dead_letters)
                .values(row)
                .on_conflict_do_nothing(index_elements=["origin", "fingerprint"])
                .returning(dead_letters.c.id)
            ).first()
            if added is None:
                return False
            if row["note_id"] is not None and row["revision"] is not None:
                connection.execute(
                    sa.update(revisions)
                    .where(
                        revisions.c.note_id == row["note_id"],
                        revisions.c.revision == row["revision"],
                        _STATE.in_((State.PENDING, State.RECEIVED)),
                    )
                    .values(state=State.PARKED, parked_at=letter.at, parked_reason=row["reason"])
                )
            return True

    def dead_letters(self, limit: int = 50, before: int | None = None) -> list[ParkedRow]:
        """The latest dead letters, newest first; `before` an id for the next page."""
        query = sa.select(dead_letters).order_by(dead_letters.c.id.desc()).limit(limit)
        if before is not None:
            query = query.where(dead_letters.c.id < before)
        with self._database.reading() as connection:
            return [from_row(row) for row in connection.execute(query).mappings()]

    def receipt(self, note_id: UUID) -> ReceiptRow | None:
        """Where the latest revision of that note stands; None for a note never begun."""
        with self._database.reading() as connection:
            row = connection.execute(
                sa.select(
                    notes.c.post,
                    notes.c.reference,
                    revisions.c.revision,
                    revisions.c.kind,
                    revisions.c.state,
                    revisions.c.received_at,
                    revisions.c.indexed_at,
                    revisions.c.parked_at,
                    revisions.c.parked_reason,
                )
                .join_from(notes, revisions, _is_latest())
                .where(notes.c.id == note_id)
            ).first()
        if row is None:
            return None
        fields = row._asdict() | {"kind": Kind(row.kind), "state": State(row.state)}
        return ReceiptRow(note_id=note_id, **fields)

    def trace(self, note_id: UUID) -> list[TraceStep]:
        """What happened to that note as far as the registry knows: received, indexed, parked.

        In the order of time; empty for a note that it does not know.
        """
        with self._database.reading() as connection:
            history = connection.execute(
                sa.select(
                    revisions.c.revision,
                    revisions.c.kind,
                    revisions.c.state,
                    revisions.c.received_at,
                    revisions.c.indexed_at,
                )
                .where(revisions.c.note_id == note_id)
                .order_by(revisions.c.revision)
            ).all()
            letters = connection.execute(
                sa.select(dead_letters.c.at, dead_letters.c.service, dead_letters.c.reason)
                .where(dead_letters.c.note_id == note_id)
                .order_by(dead_letters.c.id)
            ).all()
        return steps.of(history, letters)

    def revision(self, note_id: UUID, revision: int) -> NoteEvent | None:
        """The event that made that revision, with the whole note; None where there is none."""
        with self._database.reading() as connection:
            event = connection.scalar(
                sa.select(revisions.c.event).where(
                    revisions.c.note_id == note_id, revisions.c.revision == revision
                )
            )
        return None if event is None else decode(NoteEvent, event)

    def _insert(self, table: sa.Table) -> Any:
        return (sqlite if self._database.is_sqlite else postgresql).insert(table)

    def _update(self, statement: sa.Update, rows: list[dict[str, Any]]) -> None:
        if not rows:
            return
        # In the order of keys: two batches with the same notes must not wait crosswise.
        rows.sort(key=lambda row: (row["the_note"], row["the_revision"]))
        with self._database.writing() as connection:
            connection.execute(statement, rows)


def _this_revision() -> sa.ColumnElement[bool]:
    return sa.and_(
        revisions.c.note_id == sa.bindparam("the_note"),
        revisions.c.revision == sa.bindparam("the_revision"),
    )


def _is_latest() -> sa.ColumnElement[bool]:
    return sa.and_(revisions.c.note_id == notes.c.id, revisions.c.revision == notes.c.revision)


def _note_row(event: NoteEvent) -> dict[str, Any]:
    return {
        "id": event.note_id,
        "post": event.note.post,
        "reference": event.note.reference,
        "revision": event.revision,
    }


def _revision_row(submission: Submission) -> dict[str, Any]:
    event = submission.event
    return {
        "note_id": event.note_id,
        "revision": event.revision,
        "kind": event.kind,
        "content_hash": submission.content_hash,
        "event": encode(event),
        "received_at": event.received_at,
        "state": State.PENDING,
    }


def _latest(connection: sa.Connection, note_ids: list[UUID]) -> dict[UUID, Any]:
    rows = connection.execute(
        sa.select(revisions)
        .join_from(notes, revisions, _is_latest())
        .where(notes.c.id.in_(note_ids))
    )
    return {row.note_id: row for row in rows}


def _accepted(row: Any) -> Begun:
    return Begun(
        outcome=IngestOutcome.ACCEPTED,
        note_id=row.note_id,
        revision=row.revision,
        state=State(row.state),
        event=row.event,
    )


def _compared(submission: Submission, row: Any) -> Begun:
    """A submission beside the latest revision of its note, which somebody else began."""
    withdrawn = row.kind == Kind.WITHDRAWN
    differs: tuple[str, ...] = ()
    if not withdrawn and row.content_hash != submission.content_hash:
        differs = _differences(decode(NoteEvent, row.event), submission)
    conflict = withdrawn or bool(differs)
    return Begun(
        outcome=IngestOutcome.CONFLICT if conflict else IngestOutcome.DUPLICATE,
        note_id=submission.event.note_id,
        revision=row.revision,
        state=State(row.state),
        event=b"" if conflict else row.event,
        differs=differs,
        withdrawn=withdrawn,
    )


def _differences(kept: NoteEvent, submission: Submission) -> tuple[str, ...]:
    given = submission.event.note
    return tuple(
        name
        for name in type(given).model_fields
        if name not in submission.defaulted and getattr(kept.note, name) != getattr(given, name)
    )
