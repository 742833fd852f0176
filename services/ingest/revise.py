"""A post's changes of its notes: from a request to a new revision on the log.

As for a submission: begun in the registry, written to the log, and only then said to be received.
"""

from collections.abc import Set
from datetime import datetime
from functools import partial
from uuid import UUID

from schemas.access import Caller
from schemas.marks import NONE, Level, Marks, rights_of
from schemas.note import Note
from schemas.references import plain_reference, with_plain_references
from services.ingest import identity, language
from services.ingest.accept import (
    check_body,
    check_sender,
    content_hash,
    note_of,
    read_object,
    under,
    warnings,
)
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
    before: Note,
    *,
    now: datetime,
    if_match: str,
    major: bool = True,
    sender: Caller,
    defaulted: frozenset[str] = frozenset(),
    approved: frozenset[Level] = frozenset(),
) -> tuple[RevisionSubmission, tuple[str, ...]]:
    """The rectified note in the bytes of a JSON body, as the registry takes it; what its sender
    should know of it.

    `before` is the note as it is, `now` the time of receipt (aware), `if_match` the header of that
    name, `defaulted` the fields that the sender guessed: they stay as they are, and so does a
    language that nobody states while the text is the same; `approved` as for `accept`. Raises
    Refused: 400 for no JSON, 403 for the note of a post in whose name `sender` sends none, 422 for
    no note.
    """
    text, stated = read_object(raw)
    note, marked = note_of(text, stated, approved=approved)
    note = under_its_reference(with_plain_references(note), before)
    note, defaulted = language.stated_or_found(note, defaulted)
    check_sender(sender, note)
    check_body(note)
    warned = (
        *marked,
        *identity.doubts(note, dated="date" not in defaulted),
        *language.warnings(note, defaulted),
    )
    return rectification(
        note,
        before,
        now=now,
        if_match=if_match,
        major=major,
        stated=stated.keys(),
        defaulted=defaulted,
        warned=warned,
    )


def rectification(
    note: Note,
    before: Note,
    *,
    now: datetime,
    if_match: str,
    major: bool,
    stated: Set[str],
    defaulted: frozenset[str],
    warned: tuple[str, ...],
    guessed: frozenset[str] = frozenset(),
) -> tuple[RevisionSubmission, tuple[str, ...]]:
    """The rectification of `before` into `note`, of which the sender `stated` these fields and
    nobody those that are `guessed`; what the sender should know of it, `warned` included."""
    note, kept = still_protected(note, before, stated)
    sent = RevisionSubmission(
        note_id=before.id,
        event_id=uuid7(),
        at=now,
        note=note,
        content_hash=content_hash(note, defaulted),
        defaulted=defaulted,
        major=major,
        seen=states_seen(if_match),
        guessed=guessed,
    )
    dated = () if "date" in defaulted else warnings(note, now)
    return sent, (*kept, *dated, *warned)


def under_its_reference(note: Note, before: Note) -> Note:
    """The note under the reference that it has: one kept before references had one form stays."""
    if note.reference != before.reference and note.reference == plain_reference(before.reference):
        return note.model_copy(update={"reference": before.reference})
    return note


def still_protected(note: Note, before: Note, stated: Set[str]) -> tuple[Note, tuple[str, ...]]:
    """The note with the protection that it had before, where its sender says nothing of it; what
    the sender should know of that.

    Passages stay where the text is the same. In another text their places are not known: the whole
    note gets the strictest of their marks.
    """
    kept = NONE
    if "marking" not in stated:
        kept |= Marks(before.marking)
    if "special_france" not in stated:
        kept |= Marks(special_france=before.special_france)
    if "marked_spans" not in stated and before.marked_spans:
        if (note.subject, note.body) == (before.subject, before.body):
            note = note.model_copy(update={"marked_spans": before.marked_spans})
        else:
            for span in before.marked_spans:
                kept |= Marks(*rights_of(span.mark))
    protected = under(note, kept)
    if protected is note:
        return note, ()
    return protected, (
        "la protection de la révision précédente est conservée (celle de ses passages marqués vaut "
        "désormais pour toute la note) : pour en changer, donner « marking », « special_france » "
        "et « marked_spans »",
    )


def withdrawal(note_id: UUID, *, now: datetime, if_match: str) -> RevisionSubmission:
    """The withdrawal of a note, as the registry takes it; `now` and `if_match` as above."""
    return RevisionSubmission(note_id=note_id, event_id=uuid7(), at=now, seen=states_seen(if_match))


async def revise(
    registry: Registry, log: Log, sent: RevisionSubmission, sender: Sender | None = None
) -> BegunRevision | Obstacle | TooLarge:
    """What became of this revision, as `submit.change` says. Raises Unavailable."""
    return await change(registry, log, partial(registry.begin_revision, sent, sender), sent.trace)
