"""A search: words, filters and order, and the reader on whose behalf it is run.

A `Query` cannot be built without a `Reader`: what the reader may not see is filtered in the index,
before anything is counted, highlighted or ranked.
"""

from datetime import date
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field

from schemas.note import Frozen, normalise_line
from schemas.vocabulary import (
    CountryCode,
    Genre,
    LanguageCode,
    Marking,
    PostCode,
    SubthemeCode,
    ThemeCode,
)

MAX_WORDS = 1_000
MAX_PAGE = 100
DEFAULT_PAGE = 20
MAX_CHOICES = 100
"""Values of one filter in one query."""


class Sort(StrEnum):
    """Order of the hits: best match, the note's own date, or its date of receipt (newest first)."""

    RELEVANCE = "relevance"
    DATE = "date"
    RECEIVED = "received"


class Reader(Frozen):
    """Someone with rights who searches: the marks they may see."""

    name: str
    markings: frozenset[Marking] = frozenset({Marking.NON_PROTEGE})
    special_france: bool = False


PUBLIC = Reader(name="anyone")
"""The reader of a deployment without keys: sees what bears no mark."""


class Query(Frozen):
    """What to look for. Values of one filter are alternatives; filters add up.

    `country` asks for notes about it, `country_any` also for those that only mention it. Dates
    are inclusive. `words` empty means every note.
    """

    reader: Reader
    words: Annotated[str, AfterValidator(normalise_line), Field(max_length=MAX_WORDS)] = ""
    theme: tuple[ThemeCode, ...] = Field(default=(), max_length=MAX_CHOICES)
    theme_not: tuple[ThemeCode, ...] = Field(default=(), max_length=MAX_CHOICES)
    subtheme: tuple[SubthemeCode, ...] = Field(default=(), max_length=MAX_CHOICES)
    subtheme_not: tuple[SubthemeCode, ...] = Field(default=(), max_length=MAX_CHOICES)
    country: tuple[CountryCode, ...] = Field(default=(), max_length=MAX_CHOICES)
    country_not: tuple[CountryCode, ...] = Field(default=(), max_length=MAX_CHOICES)
    country_any: tuple[CountryCode, ...] = Field(default=(), max_length=MAX_CHOICES)
    post: tuple[PostCode, ...] = Field(default=(), max_length=MAX_CHOICES)
    post_not: tuple[PostCode, ...] = Field(default=(), max_length=MAX_CHOICES)
    genre: tuple[Genre, ...] = Field(default=(), max_length=MAX_CHOICES)
    genre_not: tuple[Genre, ...] = Field(default=(), max_length=MAX_CHOICES)
    language: tuple[LanguageCode, ...] = Field(default=(), max_length=MAX_CHOICES)
    language_not: tuple[LanguageCode, ...] = Field(default=(), max_length=MAX_CHOICES)
    year: tuple[int, ...] = Field(default=(), max_length=MAX_CHOICES)
    date_from: date | None = None
    date_to: date | None = None
    received_from: date | None = None
    received_to: date | None = None
    sort: Sort = Sort.RELEVANCE
    size: Annotated[int, Field(ge=1, le=MAX_PAGE)] = DEFAULT_PAGE
    cursor: Annotated[str, Field(max_length=4_000)] | None = None
