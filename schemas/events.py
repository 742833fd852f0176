"""The events on the log: what happened to a note, each with the whole note.

`notes.submitted` carries `NoteEvent`, `notes.classified` carries `ClassifiedNote`. A null value
for a key means: forget this note. `version` orders all that can be said of one note.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, TypeVar
from uuid import UUID

from pydantic import AwareDatetime, ConfigDict, Field, ValidationError, model_validator

from schemas.classification import Classification
from schemas.note import Frozen, Note
from schemas.vocabulary import CountryCode, DeclaredTheme

SCHEMA_VERSION = 1

EventT = TypeVar("EventT", bound="NoteEvent")

_CORRECTION_BITS = 20
_REVISION_SHIFT = 40
MAX_REVISION = 2**22 - 1
"""Keeps a version within a signed 64-bit integer, with room to spare."""
MAX_CORRECTION = 2**_CORRECTION_BITS - 1


class Kind(StrEnum):
    """What an event says; only submitted and major rectified ones may alert anyone."""

    SUBMITTED = "submitted"
    RECTIFIED = "rectified"
    CORRECTED = "corrected"
    WITHDRAWN = "withdrawn"
    RECLASSIFIED = "reclassified"


def version(revision: int, correction: int, release: int) -> int:
    """Pack (revision, correction, release), compared in that order, in one 64-bit integer.

    Raises ValueError where a part does not fit.
    """
    if not 1 <= revision <= MAX_REVISION:
        raise ValueError(f"revision out of range: {revision}")
    for part, name in ((correction, "correction"), (release, "release")):
        if not 0 <= part < 2**_CORRECTION_BITS:
            raise ValueError(f"{name} out of range: {part}")
    return (revision << _REVISION_SHIFT) | (correction << _CORRECTION_BITS) | release


class CorrectionTags(Frozen):
    """The tags a reader set in place of the classifier's."""

    themes: tuple[DeclaredTheme, ...] = ()
    countries: tuple[CountryCode, ...] = ()


class NoteEvent(Frozen):
    """One change of one note, self-contained: the note at that revision, whole.

    `event_id` names the change: the classified event of a submitted one keeps it, so that the
    same change delivered twice can be told from two changes. `guessed` names the fields of the note
    that nobody stated; not written where there is none, and unknown of events before this field.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", serialize_by_alias=True, validate_by_name=True
    )

    schema_version: Literal[1] = Field(default=1, alias="schema")
    event_id: UUID
    kind: Kind
    major: bool = True
    note_id: UUID
    revision: Annotated[int, Field(ge=1, le=MAX_REVISION)]
    correction: Annotated[int, Field(ge=0, lt=2**_CORRECTION_BITS)] = 0
    at: AwareDatetime
    received_at: AwareDatetime
    trace: str | None = None
    note: Note
    correction_tags: CorrectionTags | None = None
    guessed: tuple[str, ...] = Field(default=(), exclude_if=lambda names: not names)

    @model_validator(mode="after")
    def _id_belongs_to_the_note(self) -> "NoteEvent":
        if self.note_id != self.note.id:
            raise ValueError("note_id is not the id of this post and reference")
        return self


class ShortenedView(Frozen):
    """What was found in a note's text without some of its marked passages.

    `hidden` names those by their places in the note's `marked_spans`, in order.
    """

    hidden: tuple[Annotated[int, Field(ge=0)], ...] = Field(min_length=1)
    classification: Classification


class ClassifiedNote(NoteEvent):
    """A note event with the classifier's tags; `classified_at` is when they were found.

    `views`: the tags of the text as those audiences see it that may not see all of its marked
    passages, one for each such text. Not written for notes without any; events from before this
    field have none.
    """

    classified_at: AwareDatetime
    classification: Classification
    views: tuple[ShortenedView, ...] = Field(default=(), exclude_if=lambda views: not views)

    @property
    def version(self) -> int:
        """The external version under which the index keeps this state of the note."""
        return version(self.revision, self.correction, self.classification.release)

    @property
    def withdrawn(self) -> bool:
        """True where the note was taken back: the index keeps a tombstone."""
        return self.kind is Kind.WITHDRAWN


class UnreadableEvent(ValueError):
    """A record's bytes are not an event of this contract; the message says why."""


def decode(model: type[EventT], value: bytes) -> EventT:
    """The event in a record's bytes. Raises UnreadableEvent (not UTF-8, not JSON, not valid)."""
    try:
        return model.model_validate_json(value)
    except ValidationError as error:
        raise UnreadableEvent(_first_reasons(error)) from None


def encode(event: NoteEvent) -> bytes:
    """The bytes of an event as they lie on the log (UTF-8 JSON)."""
    return event.model_dump_json(by_alias=True).encode()


def _first_reasons(error: ValidationError, most: int = 3) -> str:
    found: list[dict[str, Any]] = [dict(item) for item in error.errors(include_url=False)[:most]]
    return "; ".join(
        f"{'.'.join(str(part) for part in item['loc']) or 'value'}: {item['msg']}" for item in found
    )


def classified(
    event: NoteEvent,
    classification: Classification,
    classified_at: datetime,
    views: tuple[ShortenedView, ...] = (),
) -> ClassifiedNote:
    """The event of `notes.classified` that follows from one of `notes.submitted`."""
    fields = {name: getattr(event, name) for name in NoteEvent.model_fields}
    return ClassifiedNote.model_construct(
        **fields, classified_at=classified_at, classification=classification, views=views
    )
