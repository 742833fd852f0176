"""What a note cites and what cites it, as links that its reader may follow; what never arrived.

The registry knows which notes are meant; the index, under this reader's rights, whether they can be
read. A note that is withdrawn, not indexed yet, or not for this reader is no link.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from uuid import UUID

from schemas.access import Caller
from schemas.answers import CitedNote, CitingNote, MissingReference
from schemas.events import ClassifiedNote
from services.runtime.access.rights import audience_for, event_for, sight_of
from services.runtime.errors import Unavailable
from services.runtime.registry import CitationRow, CitingRow, MissingRow, Registry, aside
from services.runtime.registry.citations import cited
from services.search.index import Index
from services.search.superseded import kept_from

logger = logging.getLogger(__name__)

LOOKED_UP = 100
"""Notes cited, and notes that cite, of one note; beyond this, references stay without a link."""
MISSING = 50
"""Missing references on a page."""
MOST_ROUNDS = 5
"""Questions to the registry for one page: while the index is filled it shows few of its notes."""
CITING = 5
"""Notes named beside a missing reference."""

Readable = Mapping[UUID, ClassifiedNote]
Missing = tuple[str, str]
"""A post, and a reference that its notes cite."""


@dataclass(frozen=True, slots=True)
class Links:
    """The links of one note, both ways."""

    cites: tuple[CitedNote, ...] = ()
    cited_by: tuple[CitingNote, ...] = ()

    @property
    def stamp(self) -> str:
        """Letters that change with where the links lead; empty without any."""
        ids = [(one.kind, str(one.id)) for one in self.cites if one.id]
        ids += [(one.kind, str(one.id)) for one in self.cited_by]
        if not ids:
            return ""
        digest = sha256(repr(ids).encode()).hexdigest()[:12]
        return digest.translate(str.maketrans("0123456789", "ghijklmnop"))


async def links_for(
    caller: Caller, event: ClassifiedNote, index: Index, registry: Registry
) -> Links:
    """The links of a note that is at hand. While the registry is away: references without links.

    Raises Unavailable where the index is away.
    """
    rows: list[CitationRow] = []
    citing: list[CitingRow] = []
    try:
        sight = sight_of(caller)
        rows, citing = await aside(registry.citations, sight, event.note_id, LOOKED_UP)
    except Unavailable as error:
        logger.warning("citations of %s not looked up: %s", event.note_id, error.reason)
    meant = {(row.kind, row.reference): row.note_id for row in rows}
    wanted = {each for each in meant.values() if each} | {each.note_id for each in citing}
    known = await _readable(caller, wanted, index, registry)
    found = {pair: known[one] for pair, one in meant.items() if one is not None and one in known}
    return Links(
        tuple(_cited(*pair, found.get(pair)) for pair in cited(event.note)),
        tuple(_citing(each.kind, known, each.note_id) for each in citing if each.note_id in known),
    )


async def missing_for(
    caller: Caller,
    post: str | None,
    after: Missing | None,
    index: Index,
    registry: Registry,
) -> tuple[list[MissingReference], Missing | None]:
    """A page of the references that notes cite and no note has, by post and reference, all of it
    as if there were no notes but those that this caller may see; and what the next page is after.

    Pages are counted by what they show; one is shorter, and has a next, where the index lacks what
    the registry has, as while it is filled. Raises Unavailable.
    """
    sight, found, place = sight_of(caller), list[MissingReference](), after
    for _ in range(MOST_ROUNDS):
        rows = await aside(registry.missing, sight, post, place, MISSING + 1)
        told = await asyncio.gather(*(_citing_notes(caller, row, index, registry) for row in rows))
        found += [
            MissingReference(post=row.post, reference=row.reference, cited_by=notes)
            for row, notes in zip(rows, told, strict=True)
            if notes
        ]
        place = (rows[-1].post, rows[-1].reference) if len(rows) > MISSING else None
        if place is None or len(found) > MISSING:
            break
    if len(found) > MISSING:
        place = found[MISSING - 1].post, found[MISSING - 1].reference
    return found[:MISSING], place


async def _citing_notes(
    caller: Caller, row: MissingRow, index: Index, registry: Registry
) -> list[CitingNote]:
    """The first of the notes that cite this reference which the caller can read now."""
    told: list[CitingNote] = []
    for at in range(0, len(row.cited_by), CITING):
        known = await _readable(caller, row.cited_by[at : at + CITING], index, registry)
        told += [
            _citing("replies_to" if note.replies_to == row.reference else "cites", known, note_id)
            for note_id in row.cited_by[at : at + CITING]
            if note_id in known
            for note in [known[note_id].note]
        ]
        if len(told) >= CITING:
            break
    return told[:CITING]


def _cited(kind: Any, reference: str, event: ClassifiedNote | None) -> CitedNote:
    if event is None:
        return CitedNote(kind=kind, reference=reference)
    return CitedNote(kind=kind, reference=reference, id=event.note_id, subject=event.note.subject)


def _citing(kind: Any, known: Readable, note_id: UUID) -> CitingNote:
    note = known[note_id].note
    return CitingNote(
        kind=kind, id=note_id, post=note.post, reference=note.reference, subject=note.subject
    )


async def _readable(
    caller: Caller, note_ids: Iterable[UUID], index: Index, registry: Registry
) -> Readable:
    """Those of the notes that this caller may see now, as it sees them."""
    found = await asyncio.gather(*(index.get(each) for each in note_ids))
    states = [event for event in found if event is not None and not event.withdrawn]
    if not states:
        return {}
    kept = await kept_from(caller, states, registry)
    return await asyncio.to_thread(
        _seen, caller, [event for event in states if event.note_id not in kept]
    )


def _seen(caller: Caller, states: Iterable[ClassifiedNote]) -> Readable:
    return {
        event.note_id: event_for(event, audience)
        for event in states
        if (audience := audience_for(caller, event.note)) is not None
    }
