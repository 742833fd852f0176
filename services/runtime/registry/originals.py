"""Which original document a revision was read from. The bytes lie in `services.runtime.originals`.

Read and written within the transactions of `store`.
"""

from uuid import UUID

import sqlalchemy as sa

from services.runtime.registry.rows import Key, OriginalRow
from services.runtime.registry.tables import notes, originals, revisions


def keep(connection: sa.Connection, key: Key, original: OriginalRow) -> None:
    """Note the original of that revision; the first one stays. Nothing for an unknown revision."""
    known = sa.select(revisions.c.revision).where(
        revisions.c.note_id == key.note_id, revisions.c.revision == key.revision
    )
    # Two who send the same document at once wait for each other here.
    if connection.scalar(known.with_for_update()) is None:
        return
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
        )
    )


def latest(connection: sa.Connection, note_id: UUID) -> OriginalRow | None:
    """The original of that note's latest revision; None where that was not read from one."""
    row = connection.execute(
        sa.select(originals.c.sha256, originals.c.name, originals.c.media_type, originals.c.bytes)
        .join_from(
            notes,
            originals,
            sa.and_(originals.c.note_id == notes.c.id, originals.c.revision == notes.c.revision),
        )
        .where(notes.c.id == note_id)
    ).first()
    return None if row is None else OriginalRow(*row)
