"""What the classifier found in a note: tags, each with the evidence for it."""

from typing import Annotated, Literal

from pydantic import Field

from schemas.note import Frozen
from schemas.vocabulary import CountryCode, Role, ThemeCode

Probability = Annotated[float, Field(ge=0, le=1)]


class Evidence(Frozen):
    """A passage that speaks for a tag: `text` is exactly `field[start:end]`, in code points.

    `source` names the rule, term or model that found it, as `kind:name`. `region` is set where a
    part of a country was named (Québec, Écosse…).
    """

    field: Literal["subject", "body"]
    start: Annotated[int, Field(ge=0)]
    end: Annotated[int, Field(gt=0)]
    text: Annotated[str, Field(min_length=1)]
    source: str
    region: str | None = None


class ThemeTag(Frozen):
    """A theme with the sub-themes found under it (bare codes), best evidence first."""

    theme: ThemeCode
    subthemes: tuple[str, ...] = ()
    score: Probability
    evidence: tuple[Evidence, ...]


class CountryTag(Frozen):
    """A country that the note is about or mentions, best evidence first."""

    country: CountryCode
    role: Role
    score: Probability
    evidence: tuple[Evidence, ...]


class OrganisationTag(Frozen):
    """An organisation that the note names."""

    id: str
    evidence: tuple[Evidence, ...]


class Classification(Frozen):
    """All tags of one note by one release of the classifier."""

    release: Annotated[int, Field(ge=1, lt=2**20)]
    themes: tuple[ThemeTag, ...] = ()
    countries: tuple[CountryTag, ...] = ()
    organisations: tuple[OrganisationTag, ...] = ()
