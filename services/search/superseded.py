"""Notes that were restricted since they were indexed: what the index has of them is for fewer.

The registry knows a revision's marks from the moment in which it was sent. Notes asked for by their
ids, and the hits of every page, are answered by them at once. Counts follow when the revision is
indexed; where that can never be, since it was parked, the note leaves the index until the letter is
replayed.
"""

import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from itertools import islice
from typing import Protocol
from uuid import UUID

from schemas.access import Caller
from schemas.events import NoteEvent
from schemas.marks import audience_of
from schemas.query import Query
from services.runtime.access.rights import audience_for
from services.runtime.errors import Busy, Unavailable
from services.runtime.registry import Registry, Shown, Superseded, aside
from services.search.index import Page

logger = logging.getLogger(__name__)


class Forgets(Protocol):
    """An index, or one that is being filled."""

    async def forget_before(self, revisions: Mapping[UUID, int]) -> None:
        """Remove those of these notes that stand in a revision before the one given."""
        ...


async def kept_from(
    caller: Caller, events: Iterable[NoteEvent], registry: Registry
) -> Mapping[UUID, Superseded]:
    """Return those of these notes, in these states, that a later revision keeps from this caller.

    While the registry is away: none, as nobody knows of any. Raises Busy where it is there.
    """
    shown = {
        event.note_id: Shown(event.revision, audience)
        for event in events
        if (audience := audience_for(caller, event.note)) is not None
    }
    return await _restricted(shown, registry)


async def in_force(query: Query, page: Page, registry: Registry) -> Page:
    """Return the page of that query without the hits that a later revision keeps from its reader.

    A page may show a state of the index from before it: that of a cursor, or one to which a
    restriction has not come yet. Its counts are that state's. Raises Unavailable: a page that goes
    on from another is not shown while the registry is away.
    """
    audience = audience_of(query.reader)
    if audience is None or not page.hits:
        return page
    shown = {hit.id: Shown(hit.revision, audience) for hit in page.hits}
    kept = await _restricted(shown, registry, strict=query.cursor is not None)
    if not kept:
        return page
    return replace(page, hits=[hit for hit in page.hits if hit.id not in kept])


async def _restricted(
    shown: Mapping[UUID, Shown], registry: Registry, *, strict: bool = False
) -> Mapping[UUID, Superseded]:
    """What is not to be shown any more. Raises Busy; where `strict`, Unavailable too."""
    try:
        return await aside(registry.restricted, shown) if shown else {}
    except Unavailable as error:
        if strict or isinstance(error, Busy):
            raise
        logger.warning("later revisions not looked up: %s", error.reason)
        return {}


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
