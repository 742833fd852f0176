"""Who may have the document that a note was read from, or the mail that brought it."""

from collections.abc import Callable, Sequence
from uuid import UUID

from schemas.access import Caller
from services.runtime.access.rights import audience_at, sees_whole
from services.runtime.registry import HeldNote, OriginalRow, Registry, aside


async def original_for(caller: Caller, note_id: UUID, registry: Registry) -> OriginalRow | None:
    """The original of the note's latest revision; None where there is none for this caller.

    The document holds every passage, those with marks of their own too. Raises Unavailable.
    """
    return await _for(caller, note_id, registry, registry.original)


async def cover_for(caller: Caller, note_id: UUID, registry: Registry) -> OriginalRow | None:
    """The mail that only brought the note's latest revision, as `original_for`; of several one."""

    def cover(note_id: UUID) -> OriginalRow | None:
        return next(iter(registry.covers(note_id)), None)

    return await _for(caller, note_id, registry, cover)


async def _for(
    caller: Caller,
    note_id: UUID,
    registry: Registry,
    kept_as: Callable[[UUID], OriginalRow | None],
) -> OriginalRow | None:
    kept = await aside(registry.history, note_id, limit=1)
    if not kept or not sees_whole(caller, kept[0].event.note):
        return None
    row = await aside(kept_as, note_id)
    if row is None:
        return None
    post = kept[0].event.note.post
    held = await aside(registry.held_notes, row.sha256, post)
    return row if _sees_all_in(caller, post, row, held) else None


def _sees_all_in(
    caller: Caller, post: str, original: OriginalRow, held: Sequence[HeldNote]
) -> bool:
    """Whether the caller may see all that lies in a document of a note from that post: what nobody
    could look into, and each note that was sent in it, as it is restricted now."""
    if caller.submits_for(post):
        return True
    audience = audience_at(caller, post)
    if audience is None or original.needs & ~audience:
        return False
    return all(_sees_held(caller, each) for each in held)


def _sees_held(caller: Caller, note: HeldNote) -> bool:
    audience = audience_at(caller, note.post)
    if audience is None or note.withdrawn:
        return False
    return all(each.hides(audience) == frozenset() for each in note.restrictions)
