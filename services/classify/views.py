"""The tags of a note's shortened texts: what is found where some marked passages are not read.

Whoever may not see a passage is shown the tags of the rest alone: no role, score or tag tells that
there was more.
"""

from collections.abc import Callable

from schemas.classification import Classification
from schemas.events import ShortenedView
from schemas.note import Note
from services.runtime.access.rights import note_for, ways_seen


def shortened_views(
    note: Note, classify: Callable[[Note], Classification]
) -> tuple[ShortenedView, ...]:
    """What `classify` finds in each text in which some audience sees the note shortened: at most
    three, none for a note without marked passages.
    """
    return tuple(
        ShortenedView(hidden=hidden, classification=classify(note_for(note, audiences[0])))
        for hidden, audiences in ways_seen(note).items()
        if hidden
    )
