"""The date of a note, in the forms that administrations write; where they write it, the place too.

A date that no calendar has (`31 février 2026`) is known as one that was meant.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from services.ingest.formats.head.folding import folded
from services.ingest.formats.head.numerals import in_words, roman

_MONTHS = {
    month: number
    for number, months in enumerate(
        (
            "janvier janv jan january",
            "fevrier fevr fev february feb",
            "mars mar march",
            "avril avr april apr",
            "mai may",
            "juin june jun",
            "juillet juil july jul",
            "aout august aug",
            "septembre sept september sep",
            "octobre oct october",
            "novembre nov november",
            "decembre dec december",
        ),
        start=1,
    )
    for month in months.split()
}
_MONTH = "|".join(sorted(_MONTHS, key=len, reverse=True))
_WEEKDAY = (
    r"(?:(?:lun|mar|mercre|jeu|vendre|same)di|dimanche"
    r"|(?:mon|tues|wednes|thurs|fri|satur|sun)day)"
)
_BEFORE = rf"(?:fait\s+)?(?:(?:le|du|ce|the|en date du|date du)\s+)?(?:{_WEEKDAY},?\s+)?(?:le\s+)?"
_TIME = (
    r"(?:[,;]?\s*(?:(?:a|vers|at|-|t)\s*)?\d{1,2}\s?(?:h|:|heures?)\s?(?:\d{2})?(?::\d{2}(?:\.\d+)?)?"
    r"(?:\s?(?:z|utc|gmt|cet|cest|heures?|heure (?:locale|de \w+)|[+-]\d{2}:?\d{2}))?"
    r"|[,;]?\s*\([^()]{0,30}\))?"
)
_ORDINAL = r"(?:\s?(?:er|ere|°|e|eme|re|st|nd|rd|th)\b|\s?°)?"
_FIGURES = r"[0-9]"
_IN_LETTERS = re.compile(
    rf"({_FIGURES}{{1,2}}){_ORDINAL}\s*[ ./-]?\s*(?:of\s+)?({_MONTH})\.?,?\s*[ ./-]?\s*"
    rf"({_FIGURES}{{4}}|'?{_FIGURES}{{2}})"
)
_IN_ENGLISH = re.compile(
    rf"({_MONTH})\.?\s+({_FIGURES}{{1,2}})(?:st|nd|rd|th)?,?\s+({_FIGURES}{{4}})"
)
_DAY = r"[a-z]+(?:[ -][a-z]+){0,2}"
_IN_WORDS = re.compile(rf"({_DAY})\s+({_MONTH})\s+({_FIGURES}{{4}}|[a-z]+(?:[ -][a-z]+){{1,8}})")
_IN_ROMAN = re.compile(
    rf"({_FIGURES}{{1,2}})\s?[ ./-]\s?([ivx]{{1,4}})\s?[ ./-]\s?({_FIGURES}{{4}}|{_FIGURES}{{2}})"
)
_IN_FIGURES = re.compile(
    rf"({_FIGURES}{{1,2}})\s?([/.-])\s?({_FIGURES}{{1,2}})\s?\2\s?({_FIGURES}{{4}}|{_FIGURES}{{2}})"
)
_ISO = re.compile(rf"({_FIGURES}{{4}})\s?([/.-])\s?({_FIGURES}{{1,2}})\s?\2\s?({_FIGURES}{{1,2}})")
_COMPACT = re.compile(rf"((?:19|20){_FIGURES}{{2}})({_FIGURES}{{2}})({_FIGURES}{{2}})")
_DATE = "|".join(
    f"(?:{form})"
    for form in (
        rf"{_FIGURES}{{1,2}}{_ORDINAL}\s*[ ./-]?\s*(?:of\s+)?(?:{_MONTH})\.?,?\s*[ ./-]?\s*"
        rf"'?{_FIGURES}{{2,4}}",
        rf"(?:{_MONTH})\.?\s+{_FIGURES}{{1,2}}(?:st|nd|rd|th)?,?\s+{_FIGURES}{{4}}",
        rf"{_DAY}\s+(?:{_MONTH})\s+(?:{_FIGURES}{{4}}|(?:deux )?mil(?:le)?\b[a-z -]{{0,60}})",
        rf"{_FIGURES}{{1,2}}\s?[ ./-]\s?[ivx]{{1,4}}\s?[ ./-]\s?{_FIGURES}{{2,4}}",
        rf"{_FIGURES}{{1,4}}\s?[/.-]\s?{_FIGURES}{{1,2}}\s?[/.-]\s?{_FIGURES}{{1,4}}",
        rf"(?:19|20){_FIGURES}{{6}}",
    )
)
_WHOLE = re.compile(rf"{_BEFORE}\(?(?P<date>{_DATE})\)?{_TIME}")
_DATELINE = re.compile(
    rf"(?:fait\s+)?(?:a\s+)?(?P<place>[^\d,;:|()]{{2,60}}?)(?P<sign>\s*,\s*|\s+-\s+|\s+)"
    rf"(?P<rest>(?:le|the|on|ce)?\b\s*(?:{_WEEKDAY},?\s+)?(?:le\s+)?(?P<date>{_DATE}){_TIME})"
)
_AFTER_OTHER_WORDS = re.compile(rf".*?\b(?:du|en date du)\s+(?P<date>{_DATE})\)?", re.S)
_SIGNED = re.compile(r"(?:fait|le|the|on|ce)\b")
_DOUBTFUL = re.compile(r"\d{1,2}[.-]\d{1,2}[.-]\d{2}|\d{8}|\d{1,2}[ .-][ivxIVX]{1,4}[ .-]\d{2}")
_EARLIEST, _LATEST = 1900, 2100
_CENTURY, _TURN = 2000, 70
"""Years of two figures: 69 is 2069, 70 is 1970."""
LONGEST = 120
"""Characters of a line with a date and its place."""
_SMALL = frozenset(
    {
        *("de", "du", "des", "la", "le", "les", "l", "d", "sur", "en", "a", "au", "aux", "et"),
        *("sous", "saint"),
    }
)


@dataclass(frozen=True, slots=True)
class Dated:
    """A date as it was written: `iso`, empty where no calendar has it, and the words; `place`:
    where, as written before it."""

    iso: str
    words: str
    place: str = ""


def read(text: str) -> Dated | None:
    """The date that a text is, with a time or none; None where it is no date."""
    line = _plain(text)
    found = _WHOLE.fullmatch(line) if line else None
    return _dated(found["date"], text) if found else None


def dateline(text: str, is_place: Callable[[str], bool]) -> Dated | None:
    """The date that a line is, with or without a place before it (`Rome, le 4 mars 2026`).

    Where neither a comma nor `le` parts them, and where the place is in small letters, it has to be
    known: `is_place` says so. None where it is none.
    """
    if found := read(text):
        return found
    line = _plain(text)
    found_at = _DATELINE.fullmatch(line) if line else None
    if found_at is None:
        return None
    place = _as_written(text, found_at["place"])
    signed = "," in found_at["sign"] or bool(_SIGNED.match(found_at["rest"]))
    if not is_place(place) and not (signed and _is_name(place)):
        return None
    dated = _dated(found_at["date"], text)
    return Dated(dated.iso, dated.words, place) if dated else None


def is_doubtful(text: str) -> bool:
    """Whether a date stands alone in figures that may be a number or a section too (`1.2.10`)."""
    return _DOUBTFUL.fullmatch(text.strip()) is not None


def last_of(text: str) -> Dated | None:
    """The date with which a line ends, after other words (`Note n° 12 du 4 mars 2026`)."""
    line = _plain(text)
    found = _AFTER_OTHER_WORDS.fullmatch(line) if line else None
    return _dated(found["date"], text) if found else None


def _plain(text: str) -> str:
    return folded(text).strip(" .,;") if len(text) <= 2 * LONGEST else ""


def _as_written(text: str, place: str) -> str:
    """The words of a text that were folded to `place`: as many, before the date."""
    words = text.replace(",", " ").split()
    while words and folded(words[0]) not in (place.split() or [""])[0:1]:
        words.pop(0)
    return " ".join(words[: len(place.split())])


def _is_name(place: str) -> bool:
    """Whether words look like a place: few, each but small ones with a capital."""
    words = re.split(r"[\s'’-]+", place)
    return 0 < len(words) <= 8 and all(
        word[:1].isupper() or folded(word) in _SMALL for word in words if word
    )


def _dated(words: str, text: str) -> Dated | None:
    numbers = _numbers(words)
    if numbers is None:
        return None
    try:
        written = date(*numbers)
    except ValueError:
        return Dated("", _shown(words, text))
    if not _EARLIEST <= written.year <= _LATEST:
        return None
    return Dated(written.isoformat(), _shown(words, text))


def _shown(words: str, text: str) -> str:
    """The words as they were typed, where folding left their number of characters alone."""
    start = folded(text).find(words)
    plain = " ".join(text.split())
    same = start >= 0 and len(folded(text)) == len(plain)
    return plain[start : start + len(words)] if same else words


def _numbers(words: str) -> tuple[int, int, int] | None:
    """Year, month and day of a folded date; None where it is none."""
    if found := _IN_LETTERS.fullmatch(words):
        return _year(found[3]), _MONTHS[found[2]], int(found[1])
    if found := _IN_ENGLISH.fullmatch(words):
        return int(found[3]), _MONTHS[found[1]], int(found[2])
    if found := _IN_FIGURES.fullmatch(words):
        return _year(found[4]), int(found[3]), int(found[1])
    if found := _ISO.fullmatch(words):
        return int(found[1]), int(found[3]), int(found[4])
    if found := _COMPACT.fullmatch(words):
        return int(found[1]), int(found[2]), int(found[3])
    if found := _IN_ROMAN.fullmatch(words):
        month = roman(found[2])
        return (_year(found[3]), month, int(found[1])) if month else None
    if found := _IN_WORDS.fullmatch(words):
        day = in_words(found[1])
        year = int(found[3]) if found[3].isdigit() else in_words(found[3])
        return (year, _MONTHS[found[2]], day) if day and year else None
    return None


def _year(figures: str) -> int:
    number = int(figures.lstrip("'"))
    if len(figures.lstrip("'")) > 2:
        return number
    return _CENTURY + number - (100 if number >= _TURN else 0)
