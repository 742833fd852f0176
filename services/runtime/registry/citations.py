"""What notes cite, and what cites them, by reference: also notes that come later, or never.

Each revision's citations are kept as they are written; which note is meant is found out when
somebody asks. It is the one of the citing note's own post, else the only one there is with that
reference; of several elsewhere, none. Notes that the asker may not see are as if they were not
there. The functions run within transactions of `store`.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from schemas.access import EVERY_POST
from schemas.events import Kind, NoteEvent
from schemas.note import Note
from services.runtime.access.rights import Sight
from services.runtime.registry.rows import CitationRow, CitingRow, MissingRow
from services.runtime.registry.tables import citations, notes, revisions

Holders = Mapping[str, UUID]
"""The notes with one reference, by their posts."""


def keep(connection: sa.Connection, events: Iterable[NoteEvent]) -> None:
    """Note what these new revisions cite."""
    rows = [
        {
            "note_id": event.note_id,
            "revision": event.revision,
            "position": position,
            "kind": kind,
            "reference": reference,
        }
        for event in events
        for position, (kind, reference) in enumerate(cited(event.note))
    ]
    if rows:
        connection.execute(sa.insert(citations), rows)


def cited(note: Note) -> list[tuple[str, str]]:
    """The kind and the reference of each citation of a note, its reply first, each once."""
    found = [("replies_to", note.replies_to)] if note.replies_to else []
    return found + [("cites", reference) for reference in dict.fromkeys(note.cites)]


def meant(post: str, holders: Holders) -> UUID | None:
    """The note that a note of that post means by a reference which these notes have."""
    if post in holders or len(holders) != 1:
        return holders.get(post)
    (only,) = holders.values()
    return only


def of(connection: sa.Connection, sight: Sight, note_id: UUID, limit: int) -> list[CitationRow]:
    """What the latest revision of a note cites, as it is written; the note meant, where known."""
    rows = connection.execute(
        sa.select(citations.c.kind, citations.c.reference, notes.c.post)
        .join_from(notes, citations, _of_the_latest_revision())
        .where(notes.c.id == note_id)
        .order_by(citations.c.position)
        .limit(limit)
    ).all()
    known = _holders(connection, sight, {row.reference for row in rows})
    found: list[CitationRow] = []
    for row in rows:
        target = meant(row.post, known.get(row.reference, {}))
        found.append(CitationRow(row.kind, row.reference, None if target == note_id else target))
    return found


def to(connection: sa.Connection, sight: Sight, note_id: UUID, limit: int) -> list[CitingRow]:
    """The notes that cite this one at their latest revision, withdrawn ones left out."""
    this = connection.execute(
        sa.select(notes.c.post, notes.c.reference).where(notes.c.id == note_id)
    ).first()
    if this is None:
        return []
    query = (
        sa.select(citations.c.kind, notes.c.id, notes.c.post)
        .join_from(notes, citations, _of_the_latest_revision())
        .join(revisions, _latest())
        .where(
            citations.c.reference == this.reference,
            revisions.c.kind != Kind.WITHDRAWN,
            notes.c.id != note_id,
            _seen(sight, notes, revisions),
        )
        .order_by(notes.c.post, notes.c.reference, citations.c.position)
        .limit(limit)
    )
    rows = connection.execute(query).all()
    if any(row.post != this.post for row in rows):
        held = _holders(connection, sight, {this.reference})[this.reference]
        others = held.keys() - {this.post}
        if others:
            # Their posts mean these, and elsewhere nobody can tell.
            rows = connection.execute(query.where(notes.c.post == this.post)).all()
    return [CitingRow(row.kind, row.id) for row in rows]


def missing(
    connection: sa.Connection,
    sight: Sight,
    post: str | None,
    after: tuple[str, str] | None,
    limit: int,
) -> list[MissingRow]:
    """The references that a post's notes cite and no note has, as `Registry.missing` says."""
    other, its = notes.alias("other"), revisions.alias("its")
    held = (
        sa.exists()
        .select_from(other.join(its, _latest(other, its)))
        .where(other.c.reference == citations.c.reference, _seen(sight, other, its))
    )
    told = (
        sa.select(notes.c.post, citations.c.reference)
        .join_from(notes, citations, _of_the_latest_revision())
        .join(revisions, _latest())
        .where(
            revisions.c.kind != Kind.WITHDRAWN,
            _seen(sight, notes, revisions),
            ~held,
        )
    )
    pairs = told.distinct().order_by(notes.c.post, citations.c.reference).limit(limit)
    if post is not None:
        pairs = pairs.where(notes.c.post == post)
    if after is not None:
        pairs = pairs.where(sa.tuple_(notes.c.post, citations.c.reference) > after)
    wanted: list[Any] = [tuple(row) for row in connection.execute(pairs)]
    if not wanted:
        return []
    citing: dict[tuple[str, str], list[UUID]] = {pair: [] for pair in wanted}
    rows = connection.execute(
        told.add_columns(notes.c.reference.label("own"), notes.c.id)
        .where(sa.tuple_(notes.c.post, citations.c.reference).in_(wanted))
        .distinct()
        .order_by(sa.text("own"), notes.c.id)
    )
    for of_post, reference, _, note_id in rows:
        citing[of_post, reference].append(note_id)
    return [MissingRow(*pair, tuple(found)) for pair, found in citing.items()]


def _holders(
    connection: sa.Connection, sight: Sight, references: set[str]
) -> dict[str, dict[str, UUID]]:
    found: dict[str, dict[str, UUID]] = {reference: {} for reference in references}
    if references:
        rows: Sequence[Any] = connection.execute(
            sa.select(notes.c.reference, notes.c.post, notes.c.id)
            .join(revisions, _latest())
            .where(notes.c.reference.in_(sorted(references)), _seen(sight, notes, revisions))
        ).all()
        for reference, post, note_id in rows:
            found[reference][post] = note_id
    return found


def _of_the_latest_revision() -> sa.ColumnElement[bool]:
    return sa.and_(citations.c.note_id == notes.c.id, citations.c.revision == notes.c.revision)


def _latest(note: sa.FromClause = notes, its: sa.FromClause = revisions) -> sa.ColumnElement[bool]:
    return sa.and_(its.c.note_id == note.c.id, its.c.revision == note.c.revision)


def _seen(sight: Sight, note: sa.FromClause, latest: sa.FromClause) -> sa.ColumnElement[bool]:
    """Whether the asker may see this note, by the marks of its latest revision."""
    if EVERY_POST in sight.posts:
        return sa.true()
    return sa.or_(latest.c.needs.in_(sight.needs), note.c.post.in_(sorted(sight.posts)))
