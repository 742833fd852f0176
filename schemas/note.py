"""A note: what a post sends, as the pipeline keeps it.

Text is normalised once, when a note first becomes a `Note`: Unicode NFC, one kind of line end, no
control or bidirectional override characters. Every offset anywhere counts code points of that text.
"""

import re
import unicodedata
from datetime import date
from typing import Annotated, Literal
from uuid import UUID, uuid5

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from schemas.vocabulary import CountryCode, DeclaredTheme, Genre, Marking, PostCode

NOTE_NAMESPACE = UUID("6a1f8f0e-6f0b-5d0e-9d1c-7b9a3f1c2e54")
"""The fixed namespace of note ids: changing it would give every note a new identity."""

MAX_SUBJECT = 1_000
MAX_BODY = 2_000_000
"""Code points. The longest document of the field seen is a 73 KB report; this is 27 times that."""

_UNWANTED = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u202a-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb]"
)
_LINE_ENDS = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_SPACES = re.compile(r"\s+")

MOST_MARKS = 30
"""Combining marks in a row: the limit of Unicode's Stream-Safe Text Format (UAX 15). No language
needs as many, and putting a longer run in order takes time with its square."""


def _combining_ranges() -> str:
    """All combining characters (canonical class above 0), as the inside of a character class."""
    codes = {code for code in range(0x300, 0x1F000) if unicodedata.combining(chr(code))}
    starts = sorted(code for code in codes if code - 1 not in codes)
    ends = sorted(code for code in codes if code + 1 not in codes)
    return "".join(f"\\U{a:08x}-\\U{b:08x}" for a, b in zip(starts, ends, strict=True))


_TOO_MANY_MARKS = re.compile(f"[{_combining_ranges()}]{{{MOST_MARKS + 1}}}")
_MAYBE_TOO_MANY = re.compile(f"[\u0300-\U0001efff]{{{MOST_MARKS + 1}}}")
"""The one range that holds all combining marks: 14 times faster to look for than theirs one by one,
and seldom found, as spaces lie outside."""


def normalise_text(text: str) -> str:
    """The text as it is stored: NFC, `\\n` line ends, without control or bidi override characters.

    Idempotent. Raises ValueError on a lone surrogate, which no UTF-8 can carry, and on more than
    MOST_MARKS combining marks in a row.
    """
    if text.isascii():
        return _UNWANTED.sub("", _LINE_ENDS.sub("\n", text))
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError("caractère Unicode invalide (demi-code isolé)") from error
    text = _UNWANTED.sub("", _LINE_ENDS.sub("\n", text))
    _check_marks(text)
    text = unicodedata.normalize("NFC", text)
    # Again: some characters are one mark before and two after.
    _check_marks(text)
    return text


def _check_marks(text: str) -> None:
    if _MAYBE_TOO_MANY.search(text) and _TOO_MANY_MARKS.search(text):
        raise ValueError(f"plus de {MOST_MARKS} signes diacritiques de suite")


STORABLE = r"^[^\x00]*$"
"""Text that PostgreSQL takes."""


def normalise_line(text: str) -> str:
    """A one-line text, normalised, trimmed, inner white space made one space."""
    return _SPACES.sub(" ", normalise_text(text)).strip()


def note_id(post: str, reference: str) -> UUID:
    """The id of the note of that post with that reference: UUIDv5, the same for ever."""
    return uuid5(NOTE_NAMESPACE, f"{normalise_line(post)}/{normalise_line(reference)}")


Line = Annotated[str, AfterValidator(normalise_line)]
Text = Annotated[str, AfterValidator(normalise_text)]


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("texte vide")
    return text


class Frozen(BaseModel):
    """Base of all contract models: immutable, unknown fields refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class MarkedSpan(Frozen):
    """A passage with a mark of its own; `start` and `end` count code points of the stored text."""

    field: Literal["subject", "body"]
    start: int = Field(ge=0)
    end: int = Field(ge=0)
    mark: Line


class Note(Frozen):
    """A note. Required: post, reference, subject, body, date."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "post": "berlin",
                    "reference": "BER-2026-0142",
                    "genre": "note",
                    "date": "2026-03-04",
                    "subject": "Réforme des retraites : le rapport de la commission",
                    "body": "La commission sur l'avenir des retraites a remis son rapport.",
                    "addressees": ["DSS"],
                    "action": "information",
                    "declared_themes": ["protection_sociale"],
                    "declared_countries": ["DE"],
                }
            ]
        },
    )

    post: PostCode
    reference: Annotated[Line, Field(max_length=200), AfterValidator(_not_blank)]
    subject: Annotated[Line, Field(max_length=MAX_SUBJECT), AfterValidator(_not_blank)]
    body: Annotated[Text, Field(max_length=MAX_BODY), AfterValidator(_not_blank)]
    date: date
    genre: Genre = Genre.NOTE
    author: Annotated[Line, Field(max_length=200)] | None = None
    addressees: tuple[Annotated[Line, Field(max_length=200)], ...] = Field(
        default=(), max_length=200
    )
    action: Literal["action", "information"] = "information"
    marking: Marking = Marking.NON_PROTEGE
    special_france: bool = False
    marked_spans: tuple[MarkedSpan, ...] = Field(default=(), max_length=1_000)
    language: Annotated[str, Field(pattern=r"^[a-z]{2,3}$")] = "fr"
    declared_themes: tuple[DeclaredTheme, ...] = Field(default=(), max_length=50)
    declared_countries: tuple[CountryCode, ...] = Field(default=(), max_length=300)
    cites: tuple[Annotated[Line, Field(max_length=200)], ...] = Field(default=(), max_length=500)
    replies_to: Annotated[Line, Field(max_length=200)] | None = None
    attachments: tuple[Annotated[Line, Field(max_length=500)], ...] = Field(
        default=(), max_length=200
    )

    @model_validator(mode="after")
    def _spans_lie_in_the_text(self) -> "Note":
        for span in self.marked_spans:
            text = self.subject if span.field == "subject" else self.body
            if not span.start < span.end <= len(text):
                raise ValueError("passage marqué hors du texte")
        return self

    @property
    def id(self) -> UUID:
        """The id derived from post and reference."""
        return note_id(self.post, self.reference)
