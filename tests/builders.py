"""Builders of memorable test data: notes, events, classified notes."""

from datetime import UTC, date, datetime
from typing import Any
from uuid import uuid4

from schemas.classification import Classification, CountryTag, Evidence, ThemeTag
from schemas.events import ClassifiedNote, Kind, NoteEvent, classified
from schemas.note import Note
from schemas.vocabulary import Role

UNKNOWN = "01890a5d-ac96-774b-bcce-b302099a8057"
"""The id of no note."""


def a_note(**changes: Any) -> Note:
    """A note from Berlin on a pension reform; any field can be changed."""
    fields: dict[str, Any] = {
        "post": "berlin",
        "reference": "BER-2026-0142",
        "date": date(2026, 3, 4),
        "subject": "Réforme des retraites : le rapport de la commission",
        "body": "La commission allemande propose de porter l'âge de départ à 68 ans.",
    }
    return Note.model_validate(fields | changes)


def an_event(note: Note | None = None, **changes: Any) -> NoteEvent:
    """The event of a first submission of that note; any field can be changed."""
    note = note or a_note()
    now = datetime.now(UTC)
    fields: dict[str, Any] = {
        "event_id": uuid4(),
        "kind": Kind.SUBMITTED,
        "note_id": note.id,
        "revision": 1,
        "at": now,
        "received_at": now,
        "note": note,
    }
    return NoteEvent.model_validate(fields | changes)


def a_classified_note(
    note: Note | None = None,
    *,
    release: int = 1,
    themes: tuple[str, ...] = ("protection_sociale.retraites",),
    about: tuple[str, ...] = ("DE",),
    mentioned: tuple[str, ...] = (),
    **changes: Any,
) -> ClassifiedNote:
    """That note as classify passes it on, with the tags asked for (evidence: the subject)."""
    event = an_event(note, **changes)
    evidence = (
        Evidence(
            field="subject",
            start=0,
            end=len(event.note.subject),
            text=event.note.subject,
            source="test:builder",
        ),
    )
    by_theme: dict[str, list[str]] = {}
    for theme in themes:
        name, _, sub = theme.partition(".")
        by_theme.setdefault(name, []).extend([sub] if sub else [])
    return classified(
        event,
        Classification(
            release=release,
            themes=tuple(
                ThemeTag(theme=name, subthemes=tuple(subs), score=0.9, evidence=evidence)
                for name, subs in by_theme.items()
            ),
            countries=tuple(
                CountryTag(country=code, role=role, score=0.9, evidence=evidence)
                for role, codes in ((Role.ABOUT, about), (Role.MENTIONED, mentioned))
                for code in codes
            ),
        ),
        datetime.now(UTC),
    )
