"""The genre of a document, where a line is its name: `Note diplomatique`, `Brèves sociales`.

A line is a genre's name whole: the name, words of a series or a place, a number, a date. A title
that only begins with such a word (`Rapport de l'OCDE sur l'Italie`) is none.
"""

import re
from functools import cache

from schemas import vocabulary
from services.ingest.formats.head.folding import folded

_NAMES = (
    (
        "questionnaire",
        r"(?:projet de )?reponses? (?:du poste )?(?:au|a un|a votre) questionnaire\b.*",
    ),
    ("questionnaire", r"questionnaire(?: comparatif| de comparaison)?"),
    (
        "note_diplomatique",
        r"(?:note|message|depeche) diplomatique|telegramme(?: diplomatique)?|td|nd|ndi",
    ),
    ("synthese", r"(?:note|fiche|document) de synthese|synthese"),
    ("bulletin", r"bulletin|lettre (?:d'information|d'actualites?|sociale)"),
    ("bulletin", r"revue de (?:la )?presse|(?:note de )?veille|newsletter|actualites? sociales?"),
    ("breve", r"breves?|flash"),
    ("rapport", r"rapport de (?:fin de )?mission"),
    (
        "rapport",
        r"(?:compte[- ]rendu|cr) (?:de|d'|du|des)\s?\S.*",
    ),
    ("rapport", r"compte[- ]rendu|rapport"),
    (
        "note",
        r"(?:note|fiche|memo|memorandum|aide-memoire)(?: (?:pour|a l'attention d[eu']|a)\b.*)?",
    ),
)
_SERIES = re.compile(
    r"(?:simples?|sociale?s?|sociaux|internes?|verbales?|techniques?|blanches?|pays|rapides?"
    r"|hebdomadaires?|mensuel(?:le)?s?|bimensuel(?:le)?s?|bimestriel(?:le)?s?|trimestriel(?:le)?s?"
    r"|semestriel(?:le)?s?|annuel(?:le)?s?|quotidien(?:ne)?s?|diplomatiques?|juridiques?"
    r"|administratives?|thematiques?|economiques?|europeen(?:ne)?s?|comparatif|comparative"
    r"|internationales?|internationaux|final|d'(?:actualites?|information|analyse|etape|activites?)"
    r"|de (?:presse|veille|synthese|service|conjoncture|cadrage|la semaine|situation|contexte)"
    r"|(?:du|de|des|d'|de la) ?(?:poste|semaine|mois|trimestre|conseiller|conseillere)"
    r"|et|en bref)(?![\w'])"
)
_NUMBER = re.compile(
    r"(?:n ?°|n ?o\.?|numero) ?[:.]? ?[\w./-]*\d[\w./-]*|\d{1,4}(?!\w)(?: ?/ ?\d{2,4})?"
)
_PERIOD = re.compile(
    r"(?:semaine|janvier|fevrier|mars|avril|mai|juin|juillet|aout|septembre|octobre|novembre"
    r"|decembre|lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche|premier|deuxieme|troisieme"
    r"|quatrieme|trimestre|semestre|du|au|le|de)(?!\w)|d'|\d{1,2}er\b"
    r"|\d{1,2}[/.-]\d{1,2}[/.-]\d{2,4}"
)
_MARKS = re.compile(r"[\s:;,.()|/–-]+")
LONGEST = 160
"""Characters of a line that is a genre's name."""
_HEADINGS = re.compile(
    r"(?:synthese|rapport|note|questionnaire|breves?|flash|veille|actualites? sociales?|bulletin"
    r"|fiche|compte[- ]rendu|revue de (?:la )?presse)"
)
"""Names that a section of a text may have too."""
_NAMED = tuple((genre, re.compile(rf"(?:{name})(?![\w'])")) for genre, name in _NAMES)
_PLACED = frozenset({"bulletin", "breve"})


def genre(line: str) -> str:
    """The genre whose name a line is; empty where it is none's."""
    if len(line) > LONGEST:
        return ""
    plain = folded(line).strip(" .:-*")
    for code, name in _NAMED:
        if (found := name.match(plain)) and _is_rest(plain[found.end() :], code):
            return code
    return ""


def may_be_heading(line: str) -> bool:
    """Whether a genre's name is that of a section as well: it bears no number and no series."""
    return _HEADINGS.fullmatch(folded(line).strip(" .:-*")) is not None


def is_title(line: str) -> bool:
    """Whether a genre's name says more than the genre, and may be the title too."""
    return len(line.split()) > 3 and folded(line).startswith(("reponse", "compte", "cr ", "projet"))


@cache
def _places() -> re.Pattern[str]:
    """A country's or a post's name, with the word before it."""
    names = [*vocabulary.countries().values(), *(each.city for each in vocabulary.posts().values())]
    known = "|".join(sorted(map(re.escape, map(folded, names)), key=len, reverse=True))
    return re.compile(rf"(?:(?:en|au|aux|a|du|de la|de l'|de|d'|l'|la|le) ?)?(?:{known})(?!\w)")


def _is_rest(rest: str, code: str) -> bool:
    """Whether what follows a genre's name only says which of its series."""
    at = 0
    while at < len(rest):
        found = (
            _MARKS.match(rest, at)
            or _NUMBER.match(rest, at)
            or _SERIES.match(rest, at)
            or _PERIOD.match(rest, at)
            or (_places().match(rest, at) if code in _PLACED else None)
        )
        if found is None or found.end() == at:
            return False
        at = found.end()
    return True
