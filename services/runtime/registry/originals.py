"""Which original document a revision was read from, and which documents lie in it. The bytes lie in
`services.runtime.originals`.

Read and written within the transactions of `store`.
"""

from collections.abc import Collection
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from schemas.events import Kind
from services.runtime.registry import superseded
from services.runtime.registry.rows import HeldNote, Key, OriginalRow
from services.runtime.registry.tables import (
    covers,
    held_originals,
    notes,
    originals,
    revisions,
)

MAIL = "message/rfc822"
_ID_LENGTH = 36
"""Of a note's id as text; the address of a file has 64 digits."""


def keep(connection: sa.Connection, key: Key, original: OriginalRow) -> None:
    """Note the original of that revision; the first one stays. Nothing for an unknown revision."""
    if not _lock(connection, key):
        return
    _keep_held(connection, original)
    kept = sa.exists().where(
        originals.c.note_id == key.note_id, originals.c.revision == key.revision
    )
    if connection.scalar(sa.select(kept)):
        return
    connection.execute(
        sa.insert(originals).values(
            note_id=key.note_id,
            revision=key.revision,
            sha256=original.sha256,
            name=original.name,
            media_type=original.media_type,
            bytes=original.bytes,
            needs=original.needs,
        )
    )


def latest(connection: sa.Connection, note_id: UUID) -> OriginalRow | None:
    """The original of that note's latest revision; None where that was not read from one."""
    row = connection.execute(
        sa.select(
            originals.c.sha256,
            originals.c.name,
            originals.c.media_type,
            originals.c.bytes,
            originals.c.needs,
        )
        .join_from(
            notes,
            originals,
            sa.and_(originals.c.note_id == notes.c.id, originals.c.revision == notes.c.revision),
        )
        .where(notes.c.id == note_id)
    ).first()
    return None if row is None else OriginalRow(*row)


def keep_cover(connection: sa.Connection, key: Key, cover: OriginalRow) -> None:
    """Note a mail that only brought that revision along. Nothing for an unknown revision."""
    if not _lock(connection, key):
        return
    _keep_held(connection, cover)
    row = {
        "note_id": key.note_id,
        "revision": key.revision,
        "sha256": cover.sha256,
        "name": cover.name,
        "bytes": cover.bytes,
        "needs": cover.needs,
    }
    connection.execute(_insert(connection, covers).on_conflict_do_nothing(), row)


def covers_of(connection: sa.Connection, note_id: UUID) -> list[OriginalRow]:
    """Return the mails that only brought that note's latest revision along."""
    rows = connection.execute(
        sa.select(covers.c.sha256, covers.c.name, covers.c.bytes, covers.c.needs)
        .join_from(
            notes,
            covers,
            sa.and_(covers.c.note_id == notes.c.id, covers.c.revision == notes.c.revision),
        )
        .where(notes.c.id == note_id)
        .order_by(covers.c.sha256)
    )
    return [OriginalRow(row.sha256, row.name, MAIL, row.bytes, row.needs) for row in rows]


def held_notes(connection: sa.Connection, address: str, post: str) -> list[HeldNote]:
    """Return the notes of that post that lie in the document at that address, each with what it has
    kept from readers since it was read from a file that lies there; one that is there by its id,
    ever. Another post's copy of a file is a note of its own."""
    held = list(
        connection.scalars(
            sa.select(held_originals.c.held).where(held_originals.c.holder == address)
        )
    )
    first = {UUID(each): 1 for each in held if len(each) == _ID_LENGTH}
    read_there = connection.execute(
        sa.select(originals.c.note_id, sa.func.min(originals.c.revision).label("first"))
        .where(originals.c.sha256.in_(held))
        .group_by(originals.c.note_id)
    )
    for row in read_there:
        first.setdefault(row.note_id, row.first)
    latest_of = connection.execute(
        sa.select(notes.c.id, notes.c.post, revisions.c.kind)
        .join_from(
            notes,
            revisions,
            sa.and_(revisions.c.note_id == notes.c.id, revisions.c.revision == notes.c.revision),
        )
        .where(notes.c.id.in_(sorted(first)), notes.c.post == post)
    ).all()
    return [
        HeldNote(
            post=row.post,
            withdrawn=row.kind == Kind.WITHDRAWN,
            restrictions=tuple(superseded.restrictions(connection, row.id, first[row.id])),
        )
        for row in latest_of
    ]


def own(connection: sa.Connection, note_id: UUID) -> list[str]:
    """Return the addresses of the documents that hold this note and no other: its originals, and
    those in which one of them, or the note by another file, lies."""
    other = originals.alias()
    its_own = set(
        connection.scalars(
            sa.select(originals.c.sha256).where(
                originals.c.note_id == note_id,
                ~sa.exists().where(
                    other.c.sha256 == originals.c.sha256, other.c.note_id != note_id
                ),
            )
        )
    )
    return sorted(its_own | holders(connection, its_own | {str(note_id)}))


def holders(connection: sa.Connection, held: Collection[str]) -> set[str]:
    """Return the addresses of the documents in which one of these files or notes lies."""
    query = sa.select(held_originals.c.holder).where(held_originals.c.held.in_(sorted(held)))
    return set(connection.scalars(query))


def forget(connection: sa.Connection, addresses: Collection[str]) -> None:
    """Delete all that is known of the documents at these addresses, whichever notes' they are."""
    gone = sorted(addresses)
    for table in (originals, covers):
        connection.execute(sa.delete(table).where(table.c.sha256.in_(gone)))
    connection.execute(
        sa.delete(held_originals).where(
            sa.or_(held_originals.c.holder.in_(gone), held_originals.c.held.in_(gone))
        )
    )


def _lock(connection: sa.Connection, key: Key) -> bool:
    """Lock that revision, so that two who send the same document at once wait for each other;
    return whether it is known."""
    known = sa.select(revisions.c.revision).where(
        revisions.c.note_id == key.note_id, revisions.c.revision == key.revision
    )
    return connection.scalar(known.with_for_update()) is not None


def _keep_held(connection: sa.Connection, original: OriginalRow) -> None:
    rows = [
        {"holder": original.sha256, "held": each}
        for each in sorted({*original.holds} - {original.sha256})
    ]
    if rows:
        connection.execute(_insert(connection, held_originals).on_conflict_do_nothing(), rows)


def _insert(connection: sa.Connection, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
    if connection.dialect.name == "sqlite":
        return sqlite.insert(table)
    return postgresql.insert(table)
