"""A reader's correction of a note's tags: as it is sent, and as labelled data for training."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from schemas.classification import Classification
from schemas.events import CorrectionTags
from schemas.note import Frozen, normalise_text
from schemas.vocabulary import CountryCode, DeclaredTheme, Genre, subthemes, themes

MAX_COMMENT = 2_000
"""Code points: a few sentences on why."""


class Correction(Frozen):
    """The themes and countries that a reader sets, in place of all that was found.

    Both lists are required, and an empty one says: none. A sub-theme implies its theme.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "themes": ["protection_sociale.retraites"],
                    "countries": ["DE"],
                    "comment": "La note porte sur les pensions, non sur l'emploi.",
                }
            ]
        },
    )

    themes: tuple[DeclaredTheme, ...] = Field(max_length=50)
    countries: tuple[CountryCode, ...] = Field(max_length=300)
    comment: (
        Annotated[str, AfterValidator(normalise_text), Field(max_length=MAX_COMMENT)] | None
    ) = None

    @property
    def tags(self) -> CorrectionTags:
        """The tags in one form, whatever order and repetition they were sent in.

        Themes in the order of the vocabulary, one left out where a sub-theme of it stands.
        """
        return CorrectionTags(
            themes=tuple(_in_order(self.themes)), countries=tuple(sorted(set(self.countries)))
        )


class LabelledNote(BaseModel):
    """A corrected note as labelled data, one JSON object a line.

    `id`, `title`, `text` and `labels` (themes) are what training reads. `found` is what the
    classifier had made of the note, for measuring it against the reader.
    """

    model_config = ConfigDict(frozen=True)

    id: UUID
    title: str
    text: str
    labels: tuple[str, ...]
    subthemes: tuple[str, ...]
    countries_about: tuple[str, ...]
    post: str
    genre: Genre
    date: date
    source: Literal["corrections"] = "corrections"
    corrected_at: datetime
    comment: str | None
    found: Classification


def _in_order(codes: Iterable[str]) -> Iterable[str]:
    given = set(codes)
    known = [each for theme in themes() for each in (theme, *_subthemes_of(theme))]
    implied = {code.partition(".")[0] for code in given if "." in code}
    return [code for code in known if code in given and code not in implied]


def _subthemes_of(theme: str) -> list[str]:
    return [code for code in subthemes() if code.startswith(f"{theme}.")]
