"""The documents of a note: what both indexes keep of it, under the names of data/fields.json.

A reader's correction replaces the classifier's tags. A tombstone keeps its version and the event,
and nothing that could be found. A note with marked passages has one more document for each way in
which audiences see it (docs/adr/0010-audiences.md): every reader finds, counts and is shown one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, TypeVar

from schemas.answers import Highlights, Hit, Links
from schemas.classification import CountryTag, OrganisationTag, ThemeTag
from schemas.events import ClassifiedNote, CorrectionTags
from schemas.marks import AUDIENCES
from schemas.vocabulary import FRENCH, Role, language_code
from services.runtime.access.rights import event_for, ways_seen
from services.search.dates import filed
from services.search.excerpt import excerpt

HIT_PASSAGES = 3
"""Passages of evidence that a hit carries for each tag; the note itself has them all."""

WHOLE = 0
"""The view of a note's document with all its passages: every note has it."""
VIEWS = tuple(range(1, AUDIENCES))
"""The views without some passages; a number is that of the first audience, and one. The audience
that may see everything needs none."""

DAY_US = 86_400 * 1_000_000
"""Microseconds of a day."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

OTHER_FIELDS = {"subject": "subject_other", "body": "body_other"}
"""Where the texts of a note stand that is not in French: it has no word in the French fields."""

TagT = TypeVar("TagT", ThemeTag, CountryTag, OrganisationTag)


@dataclass(frozen=True, slots=True)
class Tags:
    """The tags in force on a note."""

    themes: tuple[ThemeTag, ...]
    countries: tuple[CountryTag, ...]
    organisations: tuple[OrganisationTag, ...]


def tags_in_force(note: ClassifiedNote) -> Tags:
    """A reader's correction where there is one (score 1, no evidence), else what classify found.

    A correction says what the note is about: what it only mentions stays as it was found.
    """
    found = note.classification
    if note.correction_tags is None:
        return Tags(found.themes, found.countries, found.organisations)
    about = dict.fromkeys(note.correction_tags.countries)
    mentioned = (
        tag for tag in found.countries if tag.role is Role.MENTIONED and tag.country not in about
    )
    return Tags(
        _corrected_themes(note.correction_tags),
        (
            *(CountryTag(country=code, role=Role.ABOUT, score=1.0, evidence=()) for code in about),
            *mentioned,
        ),
        found.organisations,
    )


def documents(note: ClassifiedNote) -> list[dict[str, Any]]:
    """The documents of this state of a note, as JSON-ready values: the whole one first (view 0).

    Pure; raises nothing on a valid event.
    """
    if note.withdrawn:
        return [_document(note, WHOLE, ())]
    return [
        _document(event_for(note, audiences[0]), audiences[0] + 1 if hidden else WHOLE, audiences)
        for hidden, audiences in ways_seen(note.note).items()
    ]


def other_views(note: ClassifiedNote, made: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Tombstones for the views that an earlier revision of the note may have had, and this one has
    not: an index that replaces each document by itself needs them. None for a first revision
    without marked passages (with some, another release may know their marks better).
    """
    if note.revision == 1 and not note.note.marked_spans:
        return []
    there = {each["view"] for each in made}
    return [
        {
            "id": str(note.note_id),
            "view": view,
            "version": note.version,
            "withdrawn": True,
            "audiences": [],
        }
        for view in VIEWS
        if view not in there
    ]


def _document(note: ClassifiedNote, view: int, audiences: Sequence[int]) -> dict[str, Any]:
    """The fields of data/fields.json; `hit` and `event` are objects."""
    kept: dict[str, Any] = {
        "id": str(note.note_id),
        "view": view,
        "version": note.version,
        "withdrawn": note.withdrawn,
        "audiences": [str(each) for each in audiences],
        "post": note.note.post,
        "received_us": microseconds(note.received_at),
        "changed_us": microseconds(note.at),
        "event": note.model_dump(mode="json", by_alias=True),
    }
    return kept if note.withdrawn else kept | _searchable(note)


def links(note_id: object) -> Links:
    """Where a note and its trace are served."""
    address = f"/api/v1/notes/{note_id}"
    return Links(self_=address, trace=f"{address}/trace")


def microseconds(moment: datetime) -> int:
    """Microseconds since 1970 (UTC), exactly."""
    return (moment - _EPOCH) // _MICROSECOND


def midnight_us(day: date) -> int:
    """When a day begins (UTC), in microseconds since 1970."""
    return microseconds(datetime.combine(day, time(), UTC))


def _searchable(note: ClassifiedNote) -> dict[str, Any]:
    tags = tags_in_force(note)
    language = language_code(note.note.language)
    own = note.note.date
    day = filed(own, note.received_at, note.at)
    field = {name: name if language == FRENCH else other for name, other in OTHER_FIELDS.items()}
    return {
        "reference": note.note.reference,
        "genre": note.note.genre.value,
        "date": own.isoformat() if day == own else [day.isoformat(), own.isoformat()],
        "year": own.year,
        "themes": _once(tag.theme for tag in tags.themes),
        "subthemes": _once(f"{tag.theme}.{sub}" for tag in tags.themes for sub in tag.subthemes),
        "countries_about": _once(t.country for t in tags.countries if t.role is Role.ABOUT),
        "countries_any": _once(tag.country for tag in tags.countries),
        "organisations": _once(tag.id for tag in tags.organisations),
        "language": language,
        field["subject"]: note.note.subject,
        field["body"]: note.note.body,
        "hit": _hit(note, tags),
    }


def _hit(note: ClassifiedNote, tags: Tags) -> dict[str, Any]:
    shown = Hit(
        id=note.note_id,
        post=note.note.post,
        reference=note.note.reference,
        genre=note.note.genre,
        date=note.note.date,
        received_at=note.received_at,
        revision=note.revision,
        subject=note.note.subject,
        summary=excerpt(note.note.subject, note.note.body),
        language=language_code(note.note.language),
        marking=note.note.marking,
        special_france=note.note.special_france,
        changed_at=note.at,
        score=None,
        highlights=Highlights(),
        themes=tuple(map(_briefly, tags.themes)),
        countries=tuple(map(_briefly, tags.countries)),
        organisations=tuple(map(_briefly, tags.organisations)),
        links=links(note.note_id),
    )
    return shown.model_dump(mode="json", by_alias=True, exclude={"score", "highlights"})


def _briefly(tag: TagT) -> TagT:
    """A tag with its best passages only."""
    return tag.model_copy(update={"evidence": tag.evidence[:HIT_PASSAGES]})


def _corrected_themes(correction: CorrectionTags) -> tuple[ThemeTag, ...]:
    subthemes: dict[str, list[str]] = {}
    for code in dict.fromkeys(correction.themes):
        theme, _, sub = code.partition(".")
        subthemes.setdefault(theme, []).extend([sub] if sub else [])
    return tuple(
        ThemeTag(theme=theme, subthemes=tuple(subs), score=1.0, evidence=())
        for theme, subs in subthemes.items()
    )


def _once(values: Any) -> Sequence[str]:
    return list(dict.fromkeys(values))
