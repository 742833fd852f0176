"""The lists that notes, tags and queries draw on: posts, genres, themes, countries, languages.

The lists themselves are data (`schemas/data/*.json`, each with its provenance); this module loads
them once and offers them as plain mappings and as types that refuse any other word.
"""

import json
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Annotated, Any

from pydantic import AfterValidator, Field


class Genre(StrEnum):
    """What kind of document a post sends."""

    NOTE_DIPLOMATIQUE = "note_diplomatique"
    NOTE = "note"
    BREVE = "breve"
    QUESTIONNAIRE = "questionnaire"
    SYNTHESE = "synthese"
    BULLETIN = "bulletin"
    RAPPORT = "rapport"


class Marking(StrEnum):
    """Protection marks, from the least to the most restrictive."""

    NON_PROTEGE = "non_protege"
    DIFFUSION_RESTREINTE = "diffusion_restreinte"


class Role(StrEnum):
    """Whether a note is about a country or only mentions it."""

    ABOUT = "about"
    MENTIONED = "mentioned"


@dataclass(frozen=True, slots=True)
class Coverage:
    """One country that a post covers, with the first and last year when those are known."""

    country: str
    since: int | None = None
    until: int | None = None


@dataclass(frozen=True, slots=True)
class Post:
    """An office of the network. `city` is its French name, as shown to readers."""

    code: str
    city: str
    kind: str
    covers: tuple[Coverage, ...]
    title: str


@dataclass(frozen=True, slots=True)
class Theme:
    """A theme with its French label and its sub-themes (bare code to French label)."""

    code: str
    label: str
    subthemes: dict[str, str]


def _data(name: str) -> Any:
    return json.loads((files("schemas") / "data" / name).read_text(encoding="utf-8"))


@cache
def posts() -> dict[str, Post]:
    """All known posts by code."""
    return {
        code: Post(
            code=code,
            city=row["city"],
            kind=row["kind"],
            covers=tuple(Coverage(**covered) for covered in row["covers"]),
            title=row["title"],
        )
        for code, row in _data("posts.json")["posts"].items()
    }


@cache
def themes() -> dict[str, Theme]:
    """The three themes by code, in the order in which they are shown."""
    return {
        code: Theme(code=code, label=row["label"], subthemes=row["subthemes"])
        for code, row in _data("themes.json")["themes"].items()
    }


@cache
def subthemes() -> dict[str, str]:
    """French label of every sub-theme by its full code, `theme.sub`."""
    return {
        f"{theme.code}.{sub}": label
        for theme in themes().values()
        for sub, label in theme.subthemes.items()
    }


@cache
def countries() -> dict[str, str]:
    """French short name of every country by ISO 3166-1 alpha-2 code (and XK, Kosovo)."""
    names: dict[str, str] = _data("countries.json")["countries"]
    return names


@cache
def genres() -> dict[str, str]:
    """French label of every genre by code."""
    labels: dict[str, str] = _data("genres.json")["genres"]
    return labels


FRENCH = "fr"
"""The language of notes, unless one is stated or found."""


@cache
def languages() -> dict[str, str]:
    """French name of every language that is told from others, by ISO 639-1 code."""
    return {code: row["label"] for code, row in _data("languages.json")["languages"].items()}


@cache
def _language_codes() -> dict[str, str]:
    rows = _data("languages.json")["languages"]
    return {other: code for code, row in rows.items() for other in row["also"]}


def language_code(stated: str) -> str:
    """The one code of a language that has several (`fra`, `fre`: `fr`); another code as it is."""
    return _language_codes().get(stated, stated)


def full_subtheme(code: str) -> str:
    """Full code of a sub-theme given in full (`sante.hopital`) or bare (`hopital`).

    Bare codes are unique over all themes (a test holds that). Raises ValueError on an unknown one.
    """
    if code in subthemes():
        return code
    for full in subthemes():
        if full.partition(".")[2] == code:
            return full
    raise ValueError(f"sous-thème inconnu : {code}")


def _one_of(what: str, known: Any) -> AfterValidator:
    def check(value: str) -> str:
        if value not in known():
            raise ValueError(f"{what} inconnu : {value}")
        return value

    return AfterValidator(check)


PostCode = Annotated[str, _one_of("poste", posts)]
ThemeCode = Annotated[str, _one_of("thème", themes)]
CountryCode = Annotated[str, _one_of("code de pays", countries)]
LanguageCode = Annotated[str, Field(pattern=r"^[a-z]{2,3}$"), AfterValidator(language_code)]
SubthemeCode = Annotated[str, AfterValidator(full_subtheme)]


def _declared_theme(value: str) -> str:
    if value in themes():
        return value
    return full_subtheme(value)


DeclaredTheme = Annotated[str, AfterValidator(_declared_theme)]
