"""What readers see of codes, dates and scores: the French wording of pages and feeds."""

from datetime import UTC, date, datetime

from schemas.query import Query
from schemas.vocabulary import (
    Role,
    countries,
    genres,
    language_code,
    languages,
    posts,
    subthemes,
    themes,
)

NBSP = "\N{NO-BREAK SPACE}"
NARROW = "\N{NARROW NO-BREAK SPACE}"

MONTHS = (
    "janvier",
    "février",
    "mars",
    "avril",
    "mai",
    "juin",
    "juillet",
    "août",
    "septembre",
    "octobre",
    "novembre",
    "décembre",
)

ROLES = {Role.ABOUT: "sujet", Role.MENTIONED: "mention"}

STEPS = {
    "received": "Reçue",
    "classified": "Classée",
    "indexed": "Indexée",
    "parked": "Mise de côté",
    "alerted": "Signalée aux abonnés",
}
"""Steps of a trace, as shown to readers."""


def day(value: date) -> str:
    """A date in words: « 4 mars 2026 »."""
    number = "1er" if value.day == 1 else str(value.day)
    return f"{number} {MONTHS[value.month - 1]} {value.year}"


def moment(value: datetime) -> str:
    """An instant in words, in UTC: « 4 mars 2026 à 14 h 05 (UTC) »."""
    value = value.astimezone(UTC)
    return f"{day(value)} à {value.hour}{NBSP}h{NBSP}{value.minute:02d} (UTC)"


def percent(score: float) -> str:
    """A probability in words: « 93 % »; never rounded up to certainty."""
    return f"{min(round(score * 100), 99) if score < 1 else 100}{NBSP}%"


def number(value: int) -> str:
    """A whole number with its thousands apart: « 12 345 »."""
    return f"{value:,}".replace(",", NARROW)


def quoted(text: str) -> str:
    """A text between French quotation marks."""
    return f"«{NBSP}{text}{NBSP}»"


def theme(code: str) -> str:
    """Label of a theme; the code itself where it is unknown."""
    known = themes().get(code)
    return known.label if known else code


def subtheme(code: str) -> str:
    """Label of a sub-theme given by its full code; the code itself where it is unknown."""
    return subthemes().get(code, code)


def tag(code: str) -> str:
    """A theme or sub-theme by its full code: « Santé », « Santé : hôpital et offre de soins »."""
    name, _, sub = code.partition(".")
    return f"{theme(name)}{NBSP}: {subtheme(code)}" if sub else theme(name)


def country(code: str) -> str:
    """French name of a country; the code itself where it is unknown."""
    return countries().get(code, code)


def post(code: str) -> str:
    """The post as its readers call it: « Poste de Berlin »; the code itself where unknown."""
    known = posts().get(code)
    return f"Poste de {known.city}" if known else code


def city(code: str) -> str:
    """The post's city; the code itself where it is unknown."""
    known = posts().get(code)
    return known.city if known else code


def genre(code: str) -> str:
    """Label of a genre; the code itself where it is unknown."""
    return genres().get(code, code)


def language(code: str) -> str:
    """French name of a language; the code itself where it is unknown."""
    return languages().get(language_code(code), code)


def interval(first: date | None, last: date | None) -> str:
    """A range of days, both included, either end open; empty where both are."""
    if first and last:
        return f"le {day(first)}" if first == last else f"du {day(first)} au {day(last)}"
    if first:
        return f"à partir du {day(first)}"
    return f"jusqu'au {day(last)}" if last else ""


def described(query: Query) -> str:
    """What a query looks for, in one line, for titles: « apprentissage », Santé, Allemagne.

    Empty for the query that asks for every note. Order and paging are not part of it.
    """
    parts = [quoted(query.words)] if query.words else []
    parts += [theme(code) for code in query.theme]
    parts += [subtheme(code) for code in query.subtheme]
    parts += [country(code) for code in query.country]
    parts += [f"{country(code)} (sujet ou mention)" for code in query.country_any]
    parts += [post(code) for code in query.post]
    parts += [genre(code) for code in query.genre]
    parts += [f"en {language(code)}" for code in query.language]
    parts += [str(year) for year in query.year]
    parts += [f"sauf {label}" for label in _excluded(query)]
    if dated := interval(query.date_from, query.date_to):
        parts.append(f"note datée {dated}")
    if received := interval(query.received_from, query.received_to):
        parts.append(f"note reçue {received}")
    return ", ".join(parts)


def _excluded(query: Query) -> list[str]:
    return [
        *(theme(code) for code in query.theme_not),
        *(subtheme(code) for code in query.subtheme_not),
        *(country(code) for code in query.country_not),
        *(post(code) for code in query.post_not),
        *(genre(code) for code in query.genre_not),
        *(f"en {language(code)}" for code in query.language_not),
    ]
