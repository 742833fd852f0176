"""The header of a note: what its first lines say of subject, date, reference, post and genre.

A line is recognised by its form, whole: a label and a colon, a dateline, a title. A word inside a
sentence says nothing.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache

from schemas import vocabulary
from schemas.note import MAX_SUBJECT
from services.ingest.formats.blocks import BULLET, SEPARATOR
from services.ingest.formats.text import one_line

HEAD_LINES = 40
"""Lines with text in which a header is looked for: the longest letterhead seen has 15."""
LONG_LINE = 500
"""Characters beyond which a line is a paragraph and no header."""
MOST_REFERENCE = 200
"""Characters of a reference, as in schemas.note."""
MOST_CITES = 50

_LABELS = {
    "subject": ("objet", "sujet", "titre"),
    "reference": (
        "reference",
        "n/ref",
        "nos ref",
        "notre reference",
        "nos references",
        "numero",
        "n°",
        "note n°",
        "reference de la note",
        "telegramme n°",
        "nd n°",
    ),
    "cites": ("ref", "refs", "references", "v/ref", "vos ref", "voir", "cf"),
    "date": ("date", "date de la note", "fait le"),
    "post": ("poste", "origine", "expediteur", "emetteur", "de", "from"),
    "genre": ("genre", "type", "nature", "type de document", "nature du document"),
}
_LABEL_OF = {label: name for name, labels in _LABELS.items() for label in labels}
_LABELLED = re.compile(r"([^:|\d]{1,40}?)\s*(?::\s*\|?|\|\s*:?)\s*(.*)", re.S)
_NUMBER = re.compile(
    r"(?:note(?: diplomatique)?|t[ée]l[ée]gramme(?: diplomatique)?|br[èe]ve|synth[èe]se"
    r"|bulletin(?: d['’]actualité)?|rapport|questionnaire)?"
    r"\s*(?:n°|nº|n\s?o\.?\s|num[ée]ro)\s*[:.]?\s*"
    r"([A-Za-z]{0,12}[\w./-]*\d[\w./-]*)\s*\.?",
    re.I,
)
_MONTHS = {
    month: number
    for number, months in enumerate(
        (
            ("janvier", "janv"),
            ("fevrier", "fevr", "fev"),
            ("mars",),
            ("avril", "avr"),
            ("mai",),
            ("juin",),
            ("juillet", "juil"),
            ("aout",),
            ("septembre", "sept"),
            ("octobre", "oct"),
            ("novembre", "nov"),
            ("decembre", "dec"),
        ),
        start=1,
    )
    for month in months
}
_WORDS_DATE = re.compile(r"(\d{1,2})\s?(?:er)?\s+([a-z]{3,9})\.?\s+(\d{4})")
_FIGURES_DATE = re.compile(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})")
_ISO_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})(?:[t ]\d{2}:\d{2}\S*)?")
_DATELINE = re.compile(r"(?:([^,\d]{2,40}),\s*)?(?:le\s+)?(?:\w+di\s+|dimanche\s+)?(\d.*)", re.I)
_EARLIEST, _LATEST = 1900, 2100
_EMPHASIS = re.compile(r"[*#>]+|(?<!\w)_+|_+(?!\w)|</?[bi]>")
_CITED = re.compile(r"\s*(?:;|\n|,(?=\s)|\bet\b)\s*")
_CITED_DATE = re.compile(r"\s+(?:du|en date du|\()\s*\d.*$")
_REFERENCE = re.compile(r"(?=.*\d)\S[\S ]{0,80}")

_SENTENCE_ENDS = (".", ";", "!", "?")
_WORD_OF_TEXT = re.compile(
    r"(?<!\S)(?:les|des|aux|une|pour|par|dans|sur|sous|avec|loi|decret|directive|reglement"
    r"|arrete|rapport|article|convention|decision)(?!\S)"
)
"""What a text cited in a sentence has (`directive (UE) 2019/1158`), and no note's own number."""

_GENRES = {
    "note diplomatique": "note_diplomatique",
    "telegramme diplomatique": "note_diplomatique",
    "telegramme": "note_diplomatique",
    "td": "note_diplomatique",
    "nd": "note_diplomatique",
    "note": "note",
    "note simple": "note",
    "note d'information": "note",
    "note d'analyse": "note",
    "breve": "breve",
    "breves": "breve",
    "questionnaire": "questionnaire",
    "reponse au questionnaire": "questionnaire",
    "synthese": "synthese",
    "note de synthese": "synthese",
    "bulletin": "bulletin",
    "bulletin d'actualite": "bulletin",
    "rapport": "rapport",
    "rapport de mission": "rapport",
    "compte rendu de mission": "rapport",
}
_POST_TITLES = {
    "ambassade de france a": "",
    "consulat general de france a": "",
    "representation permanente de la france": "bruxelles",
    "rp bruxelles": "bruxelles",
    "rpue": "bruxelles",
    "mission permanente de la france aupres de l'office des nations unies a geneve": "geneve",
    "rp geneve": "geneve",
    "mission permanente geneve": "geneve",
    "rp new york": "new_york",
    "mission permanente new york": "new_york",
}
"""Beginnings of lines, as folded by `_folded`; empty: the city that follows says which post."""


@dataclass(frozen=True, slots=True)
class Head:
    """What a header says: `fields` as in `model.Document`; `lines`: those that are of the
    header."""

    fields: dict[str, str] = field(default_factory=dict)
    lines: frozenset[str] = frozenset()


def read(text: str) -> Head:
    """The header in the first lines of a text. The first statement of a thing wins, but a labelled
    one before a line that only looks like it.
    """
    lines = list(_first_lines(text))
    labelled: dict[str, str] = {}
    looks: dict[str, str] = {}
    used: set[str] = set()
    for number, line in enumerate(lines):
        if not line:
            continue
        found = dict(_labelled(lines, number))
        for name, value in found.items():
            labelled.setdefault(name, value)
        seen = {} if found else dict(_by_form(line))
        for name, value in seen.items():
            looks.setdefault(name, value)
        if found or seen:
            used.add(line)
    return Head(fields=looks | labelled, lines=frozenset(used))


def day(text: str) -> str:
    """The date that a text is, as ISO 8601; empty where it is none."""
    plain = _folded(text).strip(" .")
    if found := _WORDS_DATE.fullmatch(plain):
        numbers = (int(found[3]), _MONTHS.get(found[2], 0), int(found[1]))
    elif found := _FIGURES_DATE.fullmatch(plain):
        numbers = (int(found[3]), int(found[2]), int(found[1]))
    elif found := _ISO_DATE.fullmatch(plain):
        numbers = (int(found[1]), int(found[2]), int(found[3]))
    else:
        return ""
    try:
        written = date(*numbers)
    except ValueError:
        return ""
    return written.isoformat() if _EARLIEST <= written.year <= _LATEST else ""


def _first_lines(text: str) -> Iterator[str]:
    """The lines of a text's head, plain; empty ones too, which are not counted."""
    count = 0
    # Not all of a long report is cut into lines for its first page.
    for line in text[: HEAD_LINES * LONG_LINE].splitlines():
        plain = one_line(_EMPHASIS.sub("", line))
        count += bool(plain)
        if count > HEAD_LINES:
            return
        yield plain


def _labelled(lines: Sequence[str], number: int) -> Iterator[tuple[str, str]]:
    """The fields that a line names: `Objet : …`, or cells `Date : …` | `Référence : …`."""
    line = lines[number]
    if len(line) > LONG_LINE:
        return
    cells = line.split(SEPARATOR)
    if len(cells) == 2 and _folded(cells[0]).strip(" .:") in _LABEL_OF:
        cells = [line]
    for cell in cells:
        found = _LABELLED.match(cell)
        name = _LABEL_OF.get(_folded(found[1]).strip(" .")) if found else None
        if found is None or name is None:
            continue
        value = found[2].strip()
        if name == "cites":
            value = "; ".join([value, *_continued(lines, number)]) if len(cells) == 1 else value
        elif name == "subject" and len(cells) == 1:
            value = _with_rest(lines, number, value)
        if value := _value(name, value):
            yield name, value


def _continued(lines: Sequence[str], number: int) -> Iterator[str]:
    """The lines of a list that a label begins: bullets, or lines after one that ends open."""
    before = lines[number]
    for line in filter(None, lines[number + 1 :]):
        if not (line.startswith((BULLET, "•", "–")) or before.endswith((";", ","))):
            return
        yield line.lstrip("-•– ")
        before = line


def _with_rest(lines: Sequence[str], number: int, value: str) -> str:
    """A subject with the very next line where that goes on: it begins with a small letter."""
    if number + 1 < len(lines):
        following = lines[number + 1]
        label = _LABELLED.match(following)
        if following[:1].islower() and not (label and _folded(label[1]).strip(" .") in _LABEL_OF):
            return f"{value} {following}" if len(following) <= LONG_LINE else value
    return value


def _value(name: str, value: str) -> str:
    """A field's value in the form it is kept in; empty where it says nothing."""
    if name == "subject":
        return value[:MAX_SUBJECT].strip()
    if name == "date":
        found = _DATELINE.fullmatch(value)
        return day(found[2]) if found else ""
    if name == "reference":
        number = _NUMBER.fullmatch(value)
        reference = (number[1] if number else value).strip().rstrip(".")
        known = _REFERENCE.fullmatch(reference) and not _WORD_OF_TEXT.search(_folded(reference))
        return reference if known else ""
    if name == "cites":
        return ";".join(_cited(value))
    if name == "post":
        return _post(value)
    return _genre(value)


def _cited(value: str) -> list[str]:
    """The references in a line that cites notes, in order, each once."""
    found: dict[str, None] = {}
    for part in _CITED.split(value):
        cited = _CITED_DATE.sub("", part.strip(" .-"))
        number = _NUMBER.fullmatch(cited)
        cited = (number[1] if number else cited).strip()
        if _REFERENCE.fullmatch(cited) and not day(cited) and len(found) < MOST_CITES:
            found[cited[:MOST_REFERENCE]] = None
    return list(found)


def _by_form(line: str) -> Iterator[tuple[str, str]]:
    """What a line says by its form alone: a dateline, a number, a genre, a post's title."""
    if len(line) > LONG_LINE:
        return
    if number := _NUMBER.fullmatch(line):
        yield "reference", number[1]
    if genre := _genre(line):
        yield "genre", genre
    if (dated := _DATELINE.fullmatch(line)) and (found := day(dated[2])):
        yield "date", found
        if dated[1] and (post := _city(dated[1])):
            yield "post", post
    elif post := _titled(line):
        yield "post", post


def _genre(line: str) -> str:
    plain = _folded(line)
    number = re.search(r"\s*n[°o]\s*[\w./-]*\d", plain)
    return _GENRES.get((plain[: number.start()] if number else plain).strip(" .:-"), "")


def _post(value: str) -> str:
    """The post that a label names: by its code, its city or its title."""
    plain = _folded(value).strip(" .")
    return plain if plain in vocabulary.posts() else _city(value) or _titled(value)


def _city(text: str) -> str:
    return _cities().get(_folded(text).strip(" .-"), "")


def _titled(line: str) -> str:
    """The post whose title a line is: `Ambassade de France en Allemagne`."""
    if line.endswith(_SENTENCE_ENDS):
        return ""
    plain = _folded(line)
    for code, title in _titles():
        if plain.startswith(title):
            return code
    for beginning, code in _POST_TITLES.items():
        if plain.startswith(beginning):
            rest = plain.removeprefix(beginning)
            return code or next((c for city, c in _cities().items() if rest.strip() == city), "")
    return ""


@cache
def _cities() -> dict[str, str]:
    return {_folded(post.city): code for code, post in vocabulary.posts().items()}


@cache
def _titles() -> list[tuple[str, str]]:
    return [
        (code, _folded(post.title.partition(" (")[0])) for code, post in vocabulary.posts().items()
    ]


def _folded(text: str) -> str:
    """Small letters without accents, one kind of apostrophe and of number sign."""
    plain = text.replace("’", "'").replace("º", "°").casefold()
    letters = unicodedata.normalize("NFD", plain)
    return " ".join("".join(c for c in letters if not unicodedata.combining(c)).split())
