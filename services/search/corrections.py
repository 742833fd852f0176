"""The readers' corrections as labelled data: one JSON object a line, as training reads it.

Served by search, which has both halves: the registry knows which notes were corrected, and the
index has, under this reader's rights, each note with the correction in force and what the
classifier found. (Ingest would have no classifier's tags, and may not read the index.) A correction
that has not reached the index yet is exported once it has; a withdrawn note is not.
"""

from collections.abc import AsyncIterator
from uuid import UUID

from schemas.access import Caller
from schemas.correction import LabelledNote
from schemas.events import ClassifiedNote
from schemas.vocabulary import Role
from services.runtime.access.rights import audience_for, sees_whole
from services.runtime.registry import CorrectionRow, Registry, aside
from services.search.document import tags_in_force
from services.search.index import Index
from services.search.superseded import kept_from

PAGE = 200
"""Corrected notes asked of the registry at once."""


async def labelled_notes(
    caller: Caller, index: Index, registry: Registry
) -> AsyncIterator[LabelledNote]:
    """Each corrected note that the caller may see whole, in the order of ids, in flat memory.

    Raises Unavailable, also between two notes.
    """
    after: UUID | None = None
    while page := await aside(registry.corrections, after, PAGE):
        for row in page:
            event = await index.get(row.note_id)
            if event is None or event.withdrawn or not sees_whole(caller, event.note):
                continue
            labelled = label(event, row)
            if labelled is None or await kept_from(caller, [event], registry):
                continue
            if labelled.comment and not await _saw_since(caller, event, row.revision, registry):
                labelled = labelled.model_copy(update={"comment": None})
            yield labelled
        after = page[-1].note_id


async def _saw_since(caller: Caller, event: ClassifiedNote, first: int, registry: Registry) -> bool:
    """Whether nothing of the note was kept from the caller from that revision on.

    A comment may speak of all that its writer saw, and keeps the marks under which it was written:
    a note that is declassified is not looked through for what was said of it before.
    """
    audience = audience_for(caller, event.note)
    since = await aside(registry.restrictions, event.note_id, first)
    return audience is not None and all(each.hides(audience) == frozenset() for each in since)


def label(event: ClassifiedNote, row: CorrectionRow | None = None) -> LabelledNote | None:
    """The labelled data in a corrected note; None for one without a standing correction.

    `row` is what the registry knows of its latest correction.
    """
    if event.correction_tags is None:
        return None
    tags = tags_in_force(event)
    mine = row if row is not None and row.correction == event.correction else None
    return LabelledNote(
        id=event.note_id,
        title=event.note.subject,
        text=event.note.body,
        labels=tuple(tag.theme for tag in tags.themes),
        subthemes=tuple(f"{tag.theme}.{sub}" for tag in tags.themes for sub in tag.subthemes),
        countries_about=tuple(tag.country for tag in tags.countries if tag.role is Role.ABOUT),
        post=event.note.post,
        genre=event.note.genre,
        date=event.note.date,
        corrected_at=mine.at if mine else event.at,
        comment=mine.comment if mine else None,
        found=event.classification,
    )
