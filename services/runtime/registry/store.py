"""What services ask of the registry: begin a note, mark where it is, park, say where it stands."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DatabaseError

from schemas.access import KeyOrder, KeyView, Person
from schemas.answers import IngestOutcome, State, TraceStep
from schemas.events import Kind, NoteEvent, decode, encode
from schemas.marks import needed
from services.runtime.access.rights import Restriction, Sight
from services.runtime.errors import Misconfigured, Unavailable
from services.runtime.registry import citations as citing
from services.runtime.registry import corrections as correcting
from services.runtime.registry import (
    entering,
    expunging,
    journal,
    letters,
    migrate,
    of_a_post,
    revising,
    steps,
    superseded,
)
from services.runtime.registry import keys as key_rows
from services.runtime.registry import originals as original_rows
from services.runtime.registry import sessions as session_rows
from services.runtime.registry.chain import Draft, EntryRow, Head
from services.runtime.registry.database import Database
from services.runtime.registry.journal import JournalFilter
from services.runtime.registry.keys import KeyRow, LastAdministrator
from services.runtime.registry.letters import correction_of, from_row, to_row
from services.runtime.registry.rows import (
    Begun,
    BegunCorrection,
    BegunRevision,
    CitationRow,
    CitingRow,
    CorrectionRow,
    CorrectionSubmission,
    DeadLetterRow,
    ExpungedRow,
    HeldNote,
    Key,
    LetterFilter,
    LetterRow,
    Mark,
    MissingRow,
    Obstacle,
    OriginalRow,
    ParkedRow,
    Pending,
    ReceiptRow,
    RevisionRow,
    RevisionSubmission,
    Sender,
    Shown,
    Submission,
    Superseded,
)
from services.runtime.registry.sessions import SessionRow
from services.runtime.registry.tables import (
    IS_PENDING,
    corrections,
    dead_letters,
    notes,
    revisions,
)
from services.runtime.sqlite_rewrite import rewrite

PENDING_BYTES = 16 * 1024 * 1024
"""Events handed to the relay at once: two of the longest notes, or thousands of usual ones."""

_STATE = revisions.c.state


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
                raise Misconfigured(f"VALISE_DATABASE : {error.reason}") from None
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

    def begin(self, submissions: Sequence[Submission], sender: Sender | None = None) -> list[Begun]:
        """Keep these first submissions, in one transaction; what became of each, in order.

        `sender` is whom the journal names for those that are accepted, as with the changes below.

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
            fresh = [_revision_row(firsts[each], sender) for each in sorted(created)]
            if fresh:
                connection.execute(sa.insert(revisions), fresh)
                citing.keep(connection, (firsts[each].event for each in sorted(created)))
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

    def begin_correction(
        self, sent: CorrectionSubmission, sender: Sender | None = None
    ) -> BegunCorrection | Obstacle:
        """Keep a reader's correction under the note's next number; or what is against it.

        Of two at once, each gets its own number, and the higher one stands.
        """
        with self._database.writing() as connection:
            return correcting.begin(connection, sent, sender)

    def begin_revision(
        self, sent: RevisionSubmission, sender: Sender | None = None
    ) -> BegunRevision | Obstacle:
        """Keep a rectification or a withdrawal as the note's next revision; or what is against it.

        Of two at once that were made of the same state, one is kept.
        """
        with self._database.writing() as connection:
            return revising.begin(connection, sent, sender)

    def mark_received(self, keys: Sequence[Key]) -> list[Pending]:
        """The log has these states, each written as the latest of its note: no longer pending, and
        entered in the journal.

        Returned are the newest states of the same notes, where `keys` lacks them: those notes'
        states stay as they are, as the latest event in the log must be the newest state. The
        caller writes what is returned and asks again with its keys too.
        """
        if not keys:
            return []
        with self._database.writing() as connection:
            known: dict[UUID, Key] = {}
            for key in keys:
                known[key.note_id] = max(known.get(key.note_id, key), key)
            newest = correcting.newest_keys(connection, known)
            later = _events(connection, [key for key in newest if key > known[key.note_id]])
            unsettled = {each.note_id for each in later}
            settled = [key for key in keys if key.note_id not in unsettled]
            to_be_entered = entering.due(connection, settled)
            rows = [
                {"the_note": note, "the_revision": revision}
                for note, revision, correction in settled
                if not correction
            ]
            _run(
                connection,
                sa.update(revisions)
                .where(_this_revision(), _STATE == State.PENDING)
                .values(state=State.RECEIVED),
                rows,
            )
            rows = [
                {"the_note": note, "the_correction": correction}
                for note, _, correction in settled
                if correction
            ]
            _run(
                connection,
                sa.update(corrections)
                .where(correcting.this_correction(), corrections.c.state == State.PENDING)
                .values(state=State.RECEIVED),
                rows,
            )
            entering.enter(connection, to_be_entered)
        return later

    def enter_left(self, older_than: datetime, limit: int = 100) -> int:
        """Enter in the journal what was begun before that moment, is not pending any more, and was
        not entered: the index was told of it, and nobody came back to say so. How many they were.
        """
        with self._database.reading() as connection:
            if not entering.any_left(connection, older_than):
                return 0
        with self._database.writing() as connection:
            rows = entering.left(connection, older_than, limit)
            entering.enter(connection, rows)
            return len(rows)

    def mark_indexed(self, marks: Sequence[Mark]) -> None:
        """The index has these states (or their tombstones).

        Idempotent, in any order: each mark is about its own state, the first one counts, an
        unknown note changes nothing. A pending or parked state becomes indexed too. What holds
        for a correction holds for the revision that it corrects.
        """
        if not marks:
            return
        with self._database.writing() as connection:
            for table, this, number in (
                (revisions, _this_revision(), "revision"),
                (corrections, correcting.this_correction(), "correction"),
            ):
                statement = (
                    sa.update(table)
                    .where(this, _open(table))
                    .values(state=sa.bindparam("the_state"), indexed_at=sa.bindparam("the_time"))
                )
                rows = [
                    {
                        "the_note": mark.note_id,
                        f"the_{number}": getattr(mark, number),
                        "the_state": mark.state,
                        "the_time": mark.at,
                    }
                    for mark in marks
                    if getattr(mark, number)
                ]
                _run(connection, statement, rows)

    def pending(self, older_than: datetime, limit: int = 100) -> list[Pending]:
        """Receipts and corrections begun before that moment whose event may be missing in the log,
        oldest first.

        At most `limit`, and at least one but not more than PENDING_BYTES of events.
        """
        waiting = (
            sa.select(
                revisions.c.received_at,
                revisions.c.note_id,
                revisions.c.revision,
                sa.literal(0),
                sa.func.length(revisions.c.event),
            )
            .where(sa.text(IS_PENDING), revisions.c.received_at < older_than)
            .order_by(revisions.c.received_at)
            .limit(limit)
        )
        with self._database.reading() as connection:
            found = [
                *connection.execute(waiting),
                *connection.execute(correcting.pending(older_than, limit)),
            ]
            taken: list[Key] = []
            size = 0
            for _, *key, length in sorted(found)[:limit]:
                size += length
                if taken and size > PENDING_BYTES:
                    break
                taken.append(Key(*key))
            events = {each.key: each for each in _events(connection, taken)}
        # Sent or abandoned by another meanwhile: left out.
        # The oldest notes first, and each one's changes in their order, whatever the clocks said.
        notes = {key.note_id: at for at, key in reversed(list(enumerate(taken)))}
        taken.sort(key=lambda key: (notes[key.note_id], key))
        return [events[key] for key in taken if key in events]

    def abandon(self, key: Key) -> None:
        """Forget a pending state that the log can never take: nobody was told 202."""
        with self._database.writing() as connection:
            if key.correction:
                connection.execute(
                    sa.delete(corrections).where(
                        corrections.c.note_id == key.note_id,
                        corrections.c.correction == key.correction,
                        corrections.c.state == State.PENDING,
                    )
                )
                return
            gone = connection.execute(
                sa.delete(revisions).where(
                    revisions.c.note_id == key.note_id,
                    revisions.c.revision == key.revision,
                    _STATE == State.PENDING,
                )
            )
            if gone.rowcount:
                connection.execute(
                    sa.delete(corrections).where(
                        corrections.c.note_id == key.note_id,
                        corrections.c.revision == key.revision,
                        corrections.c.state == State.PENDING,
                    )
                )
                left = sa.select(sa.func.max(revisions.c.revision)).where(
                    revisions.c.note_id == key.note_id
                )
                latest = connection.scalar(left)
                this = notes.c.id == key.note_id
                connection.execute(
                    sa.delete(notes).where(this)
                    if latest is None
                    else sa.update(notes).where(this).values(revision=latest)
                )

    def park(self, letter: DeadLetterRow) -> bool:
        """Keep a dead letter, once however often it comes; False when it was there already.

        The revision or correction it is about, where its bytes say so, becomes parked unless it is
        indexed. One that was replayed and comes again is the same letter, with its latest reason.
        Nothing is kept of an expunged note.
        """
        row = to_row(letter)
        correction = correction_of(letter)
        with self._database.writing() as connection:
            if expunging.bars(connection, letter):
                return False
            added = connection.execute(
                self._insert(dead_letters)
                .values(row)
                .on_conflict_do_nothing(index_elements=["origin", "fingerprint"])
                .returning(dead_letters.c.id)
            ).first()
            if added is None:
                if letter.again:
                    letters.returned(connection, row)
                return False
            if row["note_id"] is not None and row["revision"] is not None:
                table = corrections if correction else revisions
                this = (
                    corrections.c.correction == correction
                    if correction
                    else revisions.c.revision == row["revision"]
                )
                connection.execute(
                    sa.update(table)
                    .where(
                        table.c.note_id == row["note_id"],
                        this,
                        table.c.state.in_((State.PENDING, State.RECEIVED)),
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

    def letters(
        self,
        wanted: LetterFilter,
        limit: int = 50,
        *,
        before: int | None = None,
        after: int | None = None,
        standing: bool = False,
    ) -> list[LetterRow]:
        """Dead letters that fit, without their bytes, as `registry.letters.page` says."""
        with self._database.reading() as connection:
            return letters.page(
                connection, wanted, limit=limit, before=before, after=after, standing=standing
            )

    def letter(self, number: int) -> tuple[LetterRow, ParkedRow] | None:
        """The dead letter of that number, in short and whole; None where there is none."""
        with self._database.reading() as connection:
            return letters.one(connection, number)

    def mark_replayed(self, number: int, at: datetime) -> None:
        """That dead letter is about to be written to its topic again."""
        with self._database.writing() as connection:
            letters.replayed(connection, number, at)

    def mark_returned(self, number: int) -> None:
        """The replay of that dead letter came to nothing: it is parked as before."""
        with self._database.writing() as connection:
            letters.came_back(connection, number)

    def newest(self, note_id: UUID) -> Pending | None:
        """The newest state of that note, with its event; None for a note that is not known."""
        with self._database.reading() as connection:
            found = _events(connection, correcting.newest_keys(connection, [note_id]))
        return found[0] if found else None

    def knows(self, note_id: UUID) -> bool:
        """Whether there is a row of that note, or a dead letter of it."""
        with self._database.reading() as connection:
            return expunging.knows(connection, note_id)

    def own_originals(self, note_id: UUID) -> list[str]:
        """Return the addresses of the documents that hold this note and no other: its originals,
        and mails in which one of them lies."""
        with self._database.reading() as connection:
            return original_rows.own(connection, note_id)

    def expunge(self, note_id: UUID, reason: str, at: datetime) -> ExpungedRow:
        """Delete every row of that note, and enter it in the journal; the entry.

        One that is in the journal unfinished is taken up again. Rows are deleted, not their bytes:
        see `erase`.
        """
        with self._database.writing() as connection:
            return expunging.begin(connection, note_id, reason, at)

    def expunged(self, note_id: UUID) -> ExpungedRow | None:
        """The latest journal entry about that note; None where it was never expunged."""
        with self._database.reading() as connection:
            return expunging.latest(connection, note_id)

    def barred(self, note_ids: Collection[UUID]) -> Mapping[UUID, datetime]:
        """Of these notes, the expunged ones: events received until that moment must not return."""
        with self._database.reading() as connection:
            return expunging.barred(connection, note_ids)

    def received_when(self, note_ids: Collection[UUID]) -> Mapping[UUID, datetime]:
        """Of these notes, those that the registry has now, with their events' `received_at`."""
        with self._database.reading() as connection:
            return expunging.received_when(connection, note_ids)

    def mark_forgotten(self, note_id: UUID, number: int, at: datetime) -> None:
        """The null value of that expunging has been through the whole pipeline."""
        with self._database.writing() as connection:
            expunging.mark(connection, note_id, number, "forgotten_at", at)

    def mark_erased(self, note_id: UUID, number: int, at: datetime) -> None:
        """That expunging is finished."""
        with self._database.writing() as connection:
            expunging.mark(connection, note_id, number, "finished_at", at)

    def erase(self) -> None:
        """Have nothing left of deleted rows in the file, where the registry is one in SQLite.

        PostgreSQL does so by itself in time, or at once by VACUUM FULL, which is its
        administrator's to run. Nobody can write meanwhile. Raises Unavailable.
        """
        if self._database.is_sqlite:
            rewrite(Path(str(self._database.url.database)))

    def receipt(self, note_id: UUID) -> ReceiptRow | None:
        """Where the latest revision of that note stands; None for a note never begun."""
        with self._database.reading() as connection:
            row = connection.execute(of_a_post.receipts().where(notes.c.id == note_id)).first()
        return None if row is None else of_a_post.receipt(row)

    def trace(self, note_id: UUID) -> list[TraceStep]:
        """What happened to that note as far as the registry knows: received, indexed, parked.

        In the order of time; empty for a note that it does not know.
        """
        with self._database.reading() as connection:
            history = connection.execute(
                sa.select(
                    revisions.c.revision,
                    sa.literal(0).label("correction"),
                    revisions.c.kind,
                    revisions.c.state,
                    revisions.c.received_at,
                    revisions.c.indexed_at,
                )
                .where(revisions.c.note_id == note_id)
                .order_by(revisions.c.revision)
            ).all()
            corrected = connection.execute(
                sa.select(
                    corrections.c.revision,
                    corrections.c.correction,
                    sa.literal(Kind.CORRECTED.value).label("kind"),
                    corrections.c.state,
                    corrections.c.received_at,
                    corrections.c.indexed_at,
                )
                .where(corrections.c.note_id == note_id)
                .order_by(corrections.c.correction)
            ).all()
            parked = connection.execute(
                sa.select(
                    dead_letters.c.at,
                    dead_letters.c.service,
                    dead_letters.c.reason,
                    dead_letters.c.replays,
                )
                .where(dead_letters.c.note_id == note_id)
                .order_by(dead_letters.c.id)
            ).all()
        return steps.of([*history, *corrected], parked)

    def revision(self, note_id: UUID, revision: int) -> NoteEvent | None:
        """The event that made that revision, with the whole note; None where there is none."""
        with self._database.reading() as connection:
            event = connection.scalar(
                sa.select(revisions.c.event).where(
                    revisions.c.note_id == note_id, revisions.c.revision == revision
                )
            )
        return None if event is None else decode(NoteEvent, event)

    def history(
        self, note_id: UUID, before: int | None = None, limit: int = 21
    ) -> list[RevisionRow]:
        """The revisions of a note, newest first; `before` a number for the page after.

        Empty for a note that is not known. The events are whole: ask for few at once.
        """
        with self._database.reading() as connection:
            return revising.history(connection, note_id, before, limit)

    def restricted(self, shown: Mapping[UUID, Shown]) -> dict[UUID, Superseded]:
        """Return those of these notes, in these revisions, that are not to be shown any more: see
        `superseded`."""
        # Nearly every page shows what is in force: one statement says so.
        with self._database.asking() as connection:
            if superseded.in_force(connection, shown):
                return {}
        with self._database.reading() as connection:
            return superseded.restricted(connection, shown)

    def outdated(self, states: Sequence[NoteEvent]) -> set[int]:
        """Return the places of those states that a later revision keeps from somebody: see
        `superseded`."""
        with self._database.reading() as connection:
            return superseded.outdated(connection, states)

    def restrictions(self, note_id: UUID, first: int = 1) -> list[Restriction]:
        """Return what the note's revisions from `first` on keep from readers, oldest first."""
        with self._database.reading() as connection:
            return superseded.restrictions(connection, note_id, first)

    def withheld(self, note_ids: Collection[UUID] | None = None) -> dict[UUID, int]:
        """The notes (of these, or of all) whose restriction was parked, and its number: see
        `superseded`."""
        with self._database.reading() as connection:
            return superseded.withheld(connection, note_ids)

    def citations(
        self, sight: Sight, note_id: UUID, limit: int = 100
    ) -> tuple[list[CitationRow], list[CitingRow]]:
        """What the note cites, in its own order, and what cites it; at most `limit` of each.

        As if there were no notes but those of `sight`.
        """
        with self._database.reading() as connection:
            return (
                citing.of(connection, sight, note_id, limit),
                citing.to(connection, sight, note_id, limit),
            )

    def missing(
        self,
        sight: Sight,
        post: str | None = None,
        after: tuple[str, str] | None = None,
        limit: int = 50,
    ) -> list[MissingRow]:
        """The references that notes cite and no note has, by citing post and reference, as if
        there were no notes but those of `sight`.

        A page of at most `limit`; `after` the last post and reference of the page before. Only
        what the notes of `post` cite where one is given.
        """
        with self._database.reading() as connection:
            return citing.missing(connection, sight, post, after, limit)

    def corrections(self, after: UUID | None = None, limit: int = 200) -> list[CorrectionRow]:
        """The correction in force of each corrected note, in the order of note ids.

        A page of at most `limit`; `after` the last id of the page before.
        """
        with self._database.reading() as connection:
            return correcting.standing(connection, after, limit)

    def of_post(
        self,
        post: str,
        *,
        states: Collection[State] = (),
        reference: str | None = None,
        after: str | None = None,
        limit: int = 50,
    ) -> list[ReceiptRow]:
        """Where that post's notes stand, in the order of their references.

        A page of at most `limit`; `after` the last reference of the page before. Only those in one
        of `states` where any is given, only the one with `reference` where that is.
        """
        with self._database.reading() as connection:
            return of_a_post.page(
                connection, post, states=states, reference=reference, after=after, limit=limit
            )

    def keep_original(self, key: Key, original: OriginalRow) -> None:
        """Note which document that revision was read from; the first one that was noted stays.

        Changes nothing where there is no such revision.
        """
        with self._database.writing() as connection:
            original_rows.keep(connection, key, original)

    def keep_cover(self, key: Key, cover: OriginalRow) -> None:
        """Note a mail that only brought that revision along; once, however often it is sent.

        Changes nothing where there is no such revision.
        """
        with self._database.writing() as connection:
            original_rows.keep_cover(connection, key, cover)

    def covers(self, note_id: UUID) -> list[OriginalRow]:
        """Return the mails that only brought the note's latest revision along."""
        with self._database.reading() as connection:
            return original_rows.covers_of(connection, note_id)

    def original(self, note_id: UUID) -> OriginalRow | None:
        """The document that the note's latest revision was read from; None where there is none."""
        with self._database.reading() as connection:
            return original_rows.latest(connection, note_id)

    def held_notes(self, address: str, post: str) -> list[HeldNote]:
        """Return the notes of that post that lie in the document at that address."""
        with self._database.reading() as connection:
            return original_rows.held_notes(connection, address, post)

    def add_key(self, order: KeyOrder, label: str, secret_hash: str, at: datetime) -> KeyView:
        """Keep a new key; of its secret the hash alone."""
        with self._database.writing() as connection:
            return key_rows.add(connection, order, label, secret_hash, at)

    def has_administrator(self) -> bool:
        """Whether there was ever a key that administers."""
        with self._database.reading() as connection:
            return key_rows.any_administers(connection)

    def first_key_hash(self) -> str:
        """The hash of the first key ever made. Raises Unavailable where there is none yet."""
        with self._database.reading() as connection:
            found = key_rows.first_hash(connection)
        if found is None:
            raise Unavailable("no key was made yet")
        return found

    def key(self, label: str) -> KeyRow | None:
        """The key with that label, revoked and expired ones too; None where there is none."""
        with self._database.reading() as connection:
            return key_rows.by_label(connection, label)

    def key_numbered(self, number: int) -> KeyView | None:
        """The key with that number; None where there is none."""
        with self._database.reading() as connection:
            return key_rows.by_number(connection, number)

    def all_keys(self) -> Sequence[KeyView]:
        """All keys, the newest first."""
        with self._database.reading() as connection:
            return key_rows.listed(connection)

    def end_key(
        self, number: int, at: datetime, *, revoked: bool, keep_one: bool = False
    ) -> KeyView | None:
        """The key holds no longer than until that moment; None where there is none.

        `revoked`: it never holds again, whatever is done to its expiry. `keep_one`: raises
        LastAdministrator where no other key that holds then administers.
        """
        with self._database.writing() as connection:
            if keep_one and key_rows.is_last_administrator(connection, number, at):
                raise LastAdministrator
            key_rows.end(connection, number, at, revoked=revoked)
            return key_rows.by_number(connection, number)

    def key_used(self, number: int, at: datetime) -> None:
        """The key was used at that moment."""
        with self._database.writing() as connection:
            key_rows.used(connection, number, at)

    def begin_session(
        self,
        secret_hash: str,
        holder: int | Person,
        at: datetime,
        expires_at: datetime,
        id_token: str | None = None,
    ) -> None:
        """Keep a new session, of the key with that number or of a person."""
        with self._database.writing() as connection:
            session_rows.begin(connection, secret_hash, holder, at, expires_at, id_token)

    def session(self, secret_hash: str) -> SessionRow | None:
        """The session with that hash, with its key as it is now; ended and expired ones too."""
        with self._database.reading() as connection:
            return session_rows.by_hash(connection, secret_hash)

    def session_used(self, number: int, at: datetime) -> None:
        """The session was used at that moment."""
        with self._database.writing() as connection:
            session_rows.used(connection, number, at)

    def end_session(self, secret_hash: str, at: datetime) -> str | None:
        """The session never holds again; its ID token, which is forgotten with it."""
        with self._database.writing() as connection:
            return session_rows.end(connection, secret_hash, at)

    def add_ticket(self, secret_hash: str, key: int, at: datetime, expires_at: datetime) -> None:
        """Keep a ticket that opens one session with the rights of that key."""
        with self._database.writing() as connection:
            session_rows.add_ticket(connection, secret_hash, key, at, expires_at)

    def ticket(self, secret_hash: str, at: datetime) -> KeyView | None:
        """The key of a ticket that can still be used; it stays so."""
        with self._database.reading() as connection:
            return session_rows.key_of_ticket(connection, secret_hash, at)

    def take_ticket(self, secret_hash: str, at: datetime) -> KeyView | None:
        """The key of a ticket, which can be taken once; None where it cannot any more."""
        with self._database.writing() as connection:
            return session_rows.take_ticket(connection, secret_hash, at)

    def enter(self, drafts: Sequence[Draft]) -> Head:
        """Enter these at the journal's end, each once; the newest entry then."""
        with self._database.writing() as connection:
            return journal.append(connection, drafts)

    def journal_head(self) -> Head:
        """The journal's newest entry."""
        with self._database.reading() as connection:
            return journal.head(connection)

    def journal_anchor(self) -> EntryRow | None:
        """The journal's latest entry about a pruning; None where there was none."""
        with self._database.reading() as connection:
            return journal.anchor(connection)

    def journal_page(
        self, wanted: JournalFilter, before: int | None = None, limit: int = 50
    ) -> list[EntryRow]:
        """Entries that fit, the newest first; `before` a number for the page after."""
        with self._database.reading() as connection:
            return journal.page(connection, wanted, before, limit)

    def journal_names(self) -> dict[str, str]:
        """Everybody in the journal by id, each with the name of their latest entry."""
        with self._database.reading() as connection:
            return journal.names(connection)

    def journal_after(self, number: int, until: int, limit: int) -> list[EntryRow]:
        """The entries that follow that number, up to another one, in their order."""
        with self._database.reading() as connection:
            return journal.after(connection, number, until, limit)

    def prune_journal(self, older_than: datetime, now: datetime) -> int:
        """Remove the oldest entries from before that moment; how many, see `journal.prune`."""
        with self._database.writing() as connection:
            return journal.prune(connection, older_than, now)

    def _insert(self, table: sa.Table) -> Any:
        return (sqlite if self._database.is_sqlite else postgresql).insert(table)


def _run(connection: sa.Connection, statement: sa.Update, rows: list[dict[str, Any]]) -> None:
    """The statement for each of the rows."""
    if rows:
        # In the order of keys: two batches with the same notes must not wait crosswise.
        rows.sort(
            key=lambda row: (
                row["the_note"],
                row.get("the_revision", 0),
                row.get("the_correction", 0),
            )
        )
        connection.execute(statement, rows)


def _events(connection: sa.Connection, keys: Sequence[Key]) -> list[Pending]:
    first = [(key.note_id, key.revision) for key in keys if not key.correction]
    found = correcting.events(connection, [key for key in keys if key.correction])
    if first:
        rows = connection.execute(
            sa.select(revisions.c.note_id, revisions.c.revision, revisions.c.event).where(
                sa.tuple_(revisions.c.note_id, revisions.c.revision).in_(first)
            )
        )
        found += [Pending(*row) for row in rows]
    return found


def _open(table: sa.Table) -> sa.ColumnElement[bool]:
    """A word from the index may still change the state. (IN cannot be run for many rows.)"""
    states = (State.PENDING, State.RECEIVED, State.PARKED)
    return sa.or_(*(table.c.state == each for each in states))


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


def _revision_row(submission: Submission, sender: Sender | None) -> dict[str, Any]:
    event = submission.event
    return {
        "note_id": event.note_id,
        "revision": event.revision,
        "kind": event.kind,
        "content_hash": submission.content_hash,
        "event": encode(event),
        "received_at": event.received_at,
        "state": State.PENDING,
        "sender": entering.kept(sender),
        "needs": needed(event.note.marking, event.note.special_france),
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
