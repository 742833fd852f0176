"""What the services answer: receipts, search pages, traces, problems."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from schemas.classification import Classification, CountryTag, OrganisationTag, ThemeTag
from schemas.events import Kind
from schemas.note import Frozen, MarkedSpan, Note
from schemas.vocabulary import FRENCH, Genre, Marking


class State(StrEnum):
    """Where a note is, as its receipt says."""

    PENDING = "pending"
    RECEIVED = "received"
    INDEXED = "indexed"
    WITHDRAWN = "withdrawn"
    PARKED = "parked"


class IngestOutcome(StrEnum):
    """The one outcome of a submission."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"
    REFUSED = "refused"


class Problem(BaseModel):
    """An error (RFC 9457, `application/problem+json`); `detail` is in French."""

    model_config = ConfigDict(frozen=True)

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[dict[str, Any]] | None = None


class Links(BaseModel):
    """Addresses of the note, relative to the service."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    self_: str = Field(alias="self", serialization_alias="self")
    trace: str


class DocumentRead(BaseModel):
    """What was read in a document that was sent as a file: its title, and what its header says.

    A field is None where the document does not say it; the sender's metadata wins over all of it.
    `guessed` names the fields of the note that nobody stated: the subject from the first line, the
    reference from the file's name, the date of the file or mail, the genre and the language.
    `cover` names the mail that only brought it; `forwarded`: it is the message that a mail only
    forwards.
    """

    model_config = ConfigDict(frozen=True)

    subject: str
    date: str | None = None
    reference: str | None = None
    post: str | None = None
    genre: str | None = None
    author: str | None = None
    addressees: tuple[str, ...] = ()
    action: str | None = None
    cites: tuple[str, ...] = ()
    attachments: tuple[str, ...] = ()
    cover: str | None = None
    forwarded: bool = False
    guessed: tuple[str, ...] = ()


class Receipt(BaseModel):
    """What ingest answers to an accepted or repeated submission; `read` for a document only."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    revision: int
    state: State
    outcome: IngestOutcome
    warnings: list[str] = []
    read: DocumentRead | None = None
    links: Links


class CorrectionReceipt(BaseModel):
    """What ingest answers to a reader's correction: its number, and where it is.

    `duplicate`: the same tags were set before and still stand; `correction` is that number.
    """

    model_config = ConfigDict(frozen=True)

    id: UUID
    revision: int
    correction: Annotated[int, Field(ge=1)]
    state: State
    outcome: IngestOutcome
    links: Links


class LineAnswer(BaseModel):
    """What ingest answers to one line of an NDJSON submission (`line` counts from 1).

    Of several documents in one file, `line` counts these; `name` is the document's, `read` what was
    read in it.
    """

    model_config = ConfigDict(frozen=True)

    line: int
    name: str | None = None
    status: int
    outcome: IngestOutcome
    id: UUID | None = None
    revision: int | None = None
    state: State | None = None
    warnings: list[str] = []
    read: DocumentRead | None = None
    problem: Problem | None = None


class Highlights(Frozen):
    """HTML-escaped fragments with the query's words in `<mark>`."""

    subject: tuple[str, ...] = ()
    body: tuple[str, ...] = ()


class Hit(BaseModel):
    """One note on a search page; `summary` is how its own text begins, as plain text."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    post: str
    reference: str
    genre: Genre
    date: date
    received_at: datetime
    revision: int
    subject: str
    summary: str
    language: str = FRENCH
    marking: Marking | None = Field(
        default=None,
        description="Mention de protection de la note ; inconnue (null) d’une note indexée avant "
        "que les réponses la donnent",
    )
    special_france: bool | None = Field(
        default=None, description="« Spécial France » ; inconnue de même"
    )
    changed_at: datetime
    score: float | None = Field(
        description="Pertinence ; absente sans mots cherchés, et pour qui ne voit pas toutes les "
        "mentions : elle se calcule sur toutes les notes"
    )
    highlights: Highlights
    themes: tuple[ThemeTag, ...]
    countries: tuple[CountryTag, ...]
    organisations: tuple[OrganisationTag, ...] = ()
    links: Links


class FacetCount(Frozen):
    """How many notes have this value, under every filter but the facet's own."""

    value: str
    count: int


class SearchPage(BaseModel):
    """One page of hits. `relaxed`: no note had all the words, so these have some of them."""

    model_config = ConfigDict(frozen=True)

    total: int
    total_is_exact: bool
    relaxed: bool
    took_ms: int
    hits: list[Hit]
    facets: dict[str, list[FacetCount]]
    next: str | None


class TagCodes(Frozen):
    """Themes (sub-themes as `theme.sub`) and countries, as bare codes."""

    themes: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()


class Disagreement(Frozen):
    """Where the author's declared tags and the classifier's found ones differ.

    `declared_only`: declared and not found (a country: not found as what the note is about);
    `found_only`: found and not declared. Of what the author declared nothing about, nothing is
    said.
    """

    declared_only: TagCodes
    found_only: TagCodes


class CitedNote(Frozen):
    """A reference that a note cites, as it writes it.

    `id` and `subject` are those of the note meant: that of the same post, else the only one with
    this reference; None where there is none (yet), where it cannot be told, or for this reader.
    """

    kind: Literal["cites", "replies_to"]
    reference: str
    id: UUID | None = None
    subject: str | None = None


class CitingNote(Frozen):
    """A note that cites this one, or replies to it."""

    kind: Literal["cites", "replies_to"]
    id: UUID
    post: str
    reference: str
    subject: str


class NoteView(BaseModel):
    """One note as a reader gets it, with its tags and their evidence.

    `themes` and `countries` are the tags in force: those of the standing correction where
    `tags_from` is `reader`, else what the classifier found. `found` is the classifier's in either
    case, `correction` the standing correction's number (0: none). Of what it cites and what cites
    it, at most a hundred each are looked up.
    """

    model_config = ConfigDict(frozen=True)

    id: UUID
    revision: int
    state: State
    received_at: datetime
    changed_at: datetime
    note: Note
    release: int
    themes: tuple[ThemeTag, ...]
    countries: tuple[CountryTag, ...]
    organisations: tuple[OrganisationTag, ...]
    tags_from: Literal["classifier", "reader"]
    correction: int
    found: Classification
    disagreement: Disagreement | None
    cites: tuple[CitedNote, ...] = ()
    cited_by: tuple[CitingNote, ...] = ()
    links: Links


class TraceStep(BaseModel):
    """One thing that happened to a note, and when."""

    model_config = ConfigDict(frozen=True)

    step: str
    at: datetime
    detail: str


class Trace(BaseModel):
    """Where a note is and how it got there."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    revision: int
    state: State
    steps: list[TraceStep]


class NotePlace(BaseModel):
    """Where one of a post's notes is: its latest revision, and why it was set aside if it was."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    reference: str
    revision: int
    state: State
    received_at: datetime
    indexed_at: datetime | None = None
    parked_at: datetime | None = None
    parked_reason: str | None = None
    links: Links


class PostNotes(BaseModel):
    """A page of a post's own notes, by reference; `next` is `after` for the page that follows."""

    model_config = ConfigDict(frozen=True)

    post: str
    notes: list[NotePlace]
    next: str | None


class Preview(BaseModel):
    """The tags that a text would get; nothing of it is kept.

    Offsets of the evidence count code points of `subject` and `body` as they stand here. For a
    document: `name` is its file's, `read` what was read in it, `warnings` what its receipt would
    say, `problem` why it would be refused if it were sent as it is, by who asks. `marking`,
    `special_france` and `marked_spans` are the protection that it would have, `warnings` say why.
    """

    model_config = ConfigDict(frozen=True)

    name: str | None = None
    subject: str
    body: str
    release: int
    themes: tuple[ThemeTag, ...]
    countries: tuple[CountryTag, ...]
    organisations: tuple[OrganisationTag, ...]
    marking: Marking = Marking.NON_PROTEGE
    special_france: bool = False
    marked_spans: tuple[MarkedSpan, ...] = ()
    read: DocumentRead | None = None
    warnings: list[str] = []
    problem: Problem | None = None


class PreviewLine(BaseModel):
    """The preview of one of several documents in a file (`line` counts them from 1), or why nothing
    can be read in it; of a classified one not even its name is said."""

    model_config = ConfigDict(frozen=True)

    line: int
    name: str | None = None
    status: int
    preview: Preview | None = None
    problem: Problem | None = None


class TextOperation(Frozen):
    """A stretch of a text between two revisions: kept (`equal`), added or taken out.

    `skip` stands for a long stretch that stayed, which is left out. `characters` counts code
    points.
    """

    op: Literal["equal", "insert", "delete", "skip"]
    text: str = ""
    characters: int


class FieldChange(BaseModel):
    """A field that a revision changed: its values, or for subject and body what became of the text.

    Taken one after the other, `equal`, `delete` and `skip` make up the text before, `equal`,
    `insert` and `skip` the text after.
    """

    model_config = ConfigDict(frozen=True)

    field: str
    before: Any = None
    after: Any = None
    operations: tuple[TextOperation, ...] | None = None


class Revision(BaseModel):
    """One revision of a note, and what it changed; None where this reader may not see that.

    `correction` is the reader's correction that it kept in force (0: none). A rectification of a
    withdrawn note is `reinstated`.
    """

    model_config = ConfigDict(frozen=True)

    revision: int
    kind: Kind
    major: bool
    reinstated: bool = False
    at: datetime
    state: State
    correction: int
    changes: tuple[FieldChange, ...] | None


class Revisions(BaseModel):
    """The revisions of a note, newest first; `next` is the `before` of the page that follows."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    revisions: list[Revision]
    next: int | None


class MissingReference(BaseModel):
    """A reference that a post's notes cite and that no note has; some of the notes that cite it."""

    model_config = ConfigDict(frozen=True)

    post: str
    reference: str
    cited_by: list[CitingNote]


class MissingReferences(BaseModel):
    """A page of what is cited and has not arrived; `next` is the `after` of the page to follow."""

    model_config = ConfigDict(frozen=True)

    missing: list[MissingReference]
    next: str | None
