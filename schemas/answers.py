"""What the services answer: receipts, search pages, traces, problems."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from schemas.classification import Classification, CountryTag, OrganisationTag, ThemeTag
from schemas.note import Frozen, Note
from schemas.vocabulary import Genre


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


class Receipt(BaseModel):
    """What ingest answers to an accepted or repeated submission."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    revision: int
    state: State
    outcome: IngestOutcome
    warnings: list[str] = []
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
    """What ingest answers to one line of an NDJSON submission (`line` counts from 1)."""

    model_config = ConfigDict(frozen=True)

    line: int
    status: int
    outcome: IngestOutcome
    id: UUID | None = None
    revision: int | None = None
    state: State | None = None
    warnings: list[str] = []
    problem: Problem | None = None


class Highlights(Frozen):
    """HTML-escaped fragments with the query's words in `<mark>`."""

    subject: tuple[str, ...] = ()
    body: tuple[str, ...] = ()


class Hit(BaseModel):
    """One note on a search page; `summary` is the beginning of its body, as plain text."""

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
    changed_at: datetime
    score: float | None
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


class NoteView(BaseModel):
    """One note as a reader gets it, with its tags and their evidence.

    `themes` and `countries` are the tags in force: those of the standing correction where
    `tags_from` is `reader`, else what the classifier found. `found` is the classifier's in either
    case, `correction` the standing correction's number (0: none).
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
