"""Notes that were restricted since they were indexed: what the index has of them is for fewer.

The registry knows a revision's marks from the moment in which it was sent. Who asks for one note is
answered by them at once. Searches follow when the revision is indexed; where that can never be,
since it was parked, the note leaves the index until the letter is replayed.
"""

import logging
from collections.abc import Collection, Iterable, Mapping
from itertools import islice
from typing import Protocol
from uuid import UUID

from schemas.access import Caller
from schemas.events import ClassifiedNote, NoteEvent
from services.runtime.access.rights import audience_for, narrowed, narrows
from services.runtime.errors import Unavailable
from services.runtime.registry import Registry, aside
from services.runtime.registry.superseded import NOT_INDEXED

logger = logging.getLogger(__name__)


class Forgets(Protocol):
    """An index, or one that is being filled."""

    async def forget_before(self, revisions: Mapping[UUID, int]) -> None:
        """Remove those of these notes that stand in a revision before the one given."""
        ...


async def kept_from(caller: Caller, events: Iterable[NoteEvent], registry: Registry) -> set[UUID]:
    """Those of these notes, in these states, of which a later revision keeps something from
    this caller. While the registry is away: none, as nobody knows of any.
    """
    states = {event.note_id: event for event in events}
    try:
        later = await aside(
            registry.later, {note_id: event.revision for note_id, event in states.items()}
        )
    except Unavailable as error:
        logger.warning("later revisions not looked up: %s", error.reason)
        return set()
    return {
        note_id
        for note_id, row in later.items()
        if (audience := audience_for(caller, states[note_id].note)) is not None
        if narrowed(states[note_id].note, row.event.note, audience)
    }


async def outdated(notes: Collection[ClassifiedNote], registry: Registry) -> set[int]:
    """The places of those states that are not to be indexed any more: a later revision, which the
    log has, keeps from somebody what they would show. Raises Unavailable.
    """
    held: dict[UUID, int] = {}
    for note in notes:
        held[note.note_id] = min(note.revision, held.get(note.note_id, note.revision))
    later = await aside(registry.later, held)
    return {
        at
        for at, note in enumerate(notes)
        if (row := later.get(note.note_id)) is not None
        if row.event.revision > note.revision and row.state in NOT_INDEXED
        if narrows(note.note, row.event)
    }


async def withhold(
    index: Forgets, registry: Registry, note_ids: Collection[UUID] | None = None
) -> list[UUID]:
    """Take out of the index those of these notes (or of all) whose restriction was parked.

    Safe to repeat. Returns them. Raises Unavailable.
    """
    found = await aside(registry.withheld, note_ids)
    if found:
        logger.warning(
            "%d notes leave the index: a revision that restricts them was parked: %s",
            len(found),
            ", ".join(map(str, islice(found, 10))),
        )
        # The revision itself may be on its way, past a letter about an earlier one.
        await index.forget_before(found)
    return list(found)
