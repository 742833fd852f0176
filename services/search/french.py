"""What readers see of codes, dates and scores: the French wording of pages and feeds."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

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

PARIS = ZoneInfo("Europe/Paris")
"""The zone of the pages' readers; feeds and JSON say instants in UTC."""

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

KILO = 1024

DOCUMENTS = {
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "DOCX",
    "application/vnd.oasis.opendocument.text": "ODT",
    "application/pdf": "PDF",
    "application/xhtml+xml": "HTML",
    "text/html": "HTML",
    "text/plain": "texte",
    "text/markdown": "Markdown",
    "message/rfc822": "courriel",
    "application/zip": "archive ZIP",
}
"""Kinds of documents that are read, as shown to readers."""

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
    """An instant in words, in Paris time: « 4 mars 2026 à 14 h 05 »."""
    value = value.astimezone(PARIS)
    return f"{day(value)} à {value.hour}{NBSP}h{NBSP}{value.minute:02d}"


PROBABLE, SURE = 0.6, 0.9
"""Scores from which a tag is probable, and beyond doubt. Of the tags that the classifier gave
1,570 texts on 2026-12-01 (the gold set, field texts, parliamentary questions, dispatches), 98 of a
hundred were right from 0.9 on, 85 between the two, 63 below."""


def doubt(score: float) -> str:
    """What is doubtful of a tag, in words: « probable », « à vérifier »; nothing of a sure one."""
    if score >= SURE:
        return ""
    return "probable" if score >= PROBABLE else "à vérifier"


def number(value: int) -> str:
    """A whole number with its thousands apart: « 12 345 »."""
    return f"{value:,}".replace(",", NARROW)


def size(value: int) -> str:
    """The size of a file: « 812 octets », « 120 Ko », « 1,4 Mo »."""
    if value < KILO:
        return f"{value}{NBSP}octet{'s' if value > 1 else ''}"
    if value < KILO * KILO:
        return f"{-(-value // KILO)}{NBSP}Ko"
    return f"{value / KILO / KILO:.1f}{NBSP}Mo".replace(".", ",")


def document(media_type: str) -> str:
    """The kind of a document by its media type; « fichier » where it is none that is read."""
    return DOCUMENTS.get(media_type.partition(";")[0].strip().lower(), "fichier")


def dated(value: date, *, ahead: bool) -> str:
    """A note's own date, and that it was still to come when the note was received."""
    return f"{day(value)} (date à venir à la réception)" if ahead else day(value)


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
