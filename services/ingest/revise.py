"""A post's changes of its notes: from a request to a new revision on the log.

As for a submission: begun in the registry, written to the log, and only then said to be received.
"""

from datetime import datetime
from functools import partial
from uuid import UUID

from schemas.access import Caller
from services.ingest import language
from services.ingest.accept import check_sender, content_hash, read_note, warnings
from services.ingest.correct import states_seen
from services.ingest.submit import TooLarge, change
from services.runtime.ids import uuid7
from services.runtime.log import Log
from services.runtime.registry import (
    BegunRevision,
    Obstacle,
    Registry,
    RevisionSubmission,
    Sender,
)


def read_rectification(
    raw: bytes,
    note_id: UUID,
    *,
    now: datetime,
    if_match: str,
    major: bool = True,
    sender: Caller,
    defaulted: frozenset[str] = frozenset(),
) -> tuple[RevisionSubmission, tuple[str, ...]]:
    """The rectified note in the bytes of a JSON body, as the registry takes it; what its sender
    should know of it.

    `now` is the time of receipt (aware), `if_match` the header of that name, `defaulted` the fields
    that the sender guessed: they stay as they are, and so does a language that nobody states while
    the text is the same. Raises Refused: 400 for no JSON, 403 for the note of a post in whose name
    `sender` sends none, 422 for no note.
    """
    note, marked = read_note(raw)
    note, defaulted = language.stated_or_found(note, defaulted)
    check_sender(sender, note)
    sent = RevisionSubmission(
        note_id=note_id,
        event_id=uuid7(),
        at=now,
        note=note,
        content_hash=content_hash(note, defaulted),
        defaulted=defaulted,
        major=major,
        seen=states_seen(if_match),
    )
    dated = () if "date" in defaulted else warnings(note, now)
    return sent, (*marked, *dated, *language.warnings(note, defaulted))


def withdrawal(note_id: UUID, *, now: datetime, if_match: str) -> RevisionSubmission:
    """The withdrawal of a note, as the registry takes it; `now` and `if_match` as above."""
    return RevisionSubmission(note_id=note_id, event_id=uuid7(), at=now, seen=states_seen(if_match))


async def revise(
    registry: Registry, log: Log, sent: RevisionSubmission, sender: Sender | None = None
) -> BegunRevision | Obstacle | TooLarge:
    """What became of this revision, as `submit.change` says. Raises Unavailable."""
    return await change(registry, log, partial(registry.begin_revision, sent, sender), sent.trace)
