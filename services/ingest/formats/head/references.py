"""The numbers of notes in a line: which are the document's own, and which it cites."""

import re
from dataclasses import dataclass

from schemas import vocabulary
from schemas.references import plain_reference
from services.ingest.formats.head import dates
from services.ingest.formats.head.folding import folded

MOST_REFERENCE = 200
"""Characters of a reference, as in schemas.note."""
MOST_CITES = 50

_KIND = (
    r"(?:note|t[ée]l[ée]gramme|d[ée]p[êe]che|message|br[èe]ves?|synth[èe]se|bulletin|rapport"
    r"|questionnaire|fiche|lettre|td|nd|ndi|compte[- ]rendu)"
)
_QUALIFIED = (
    r"(?:\s+(?:diplomatiques?|d['’](?:actualit[ée]s?|information|analyse)|de synth[èe]se|simple"
    r"|sociale?s?|de mission|hebdomadaires?|mensuelle?s?))*"
)
_SIGN = r"(?:n\s?[°º]|n\s?o\.?\s|num[ée]ro)"
_OWN = r"(?:(?:(?:notre|nos|ma|mon|mes)(?=\s)|n/)\s*(?:r[ée]f(?:[ée]rence)?s?\.?\s*:?\s*)?)"
_CODE = r"[A-Za-z]{0,12}[\w./-]*\d[\w./-]*"
_NUMBER = re.compile(
    rf"(?:{_KIND}{_QUALIFIED})?\s*{_SIGN}\s*[:.]?\s*(?P<number>{_CODE})"
    r"(?:\s*(?:,?\s*(?:en date )?du\s+\d.{1,40}|\([^()]{1,40}\)"
    r"|[-,/]\s+(?-i:[A-Z\d]).{0,40}))?\s*\.?",
    re.I,
)
"""A line that is a number and what kind of thing has it, with its date or none."""
_NAMED = re.compile(
    rf"(?P<ours>{_OWN})?(?:(?P<theirs>(?:votre|vos)(?=\s)|v/)\s*)?(?:(?:la|le|les)\s+)?"
    rf"(?:(?P<kind>{_KIND}|saisine|demande|courriel|courrier|mail|instruction|circulaire|envoi"
    rf"|commande){_QUALIFIED}(?:\s+(?:de la|de l['’]|du|des|de)\s?\S{{1,30}}(?=\s+{_SIGN}))?\s+)?"
    rf"(?:{_SIGN}\s*[:.]?\s*)?(?P<number>{_CODE})",
    re.I,
)
"""A number after words that say whose it is."""
_CITED = re.compile(r"\s*(?:;|\n|,(?=\s)|\bet\b)\s*")
_CITED_DATE = re.compile(r"\s*(?:\bdu|\ben date du|\()\s*\d.*$")
_REFERENCE = re.compile(r"(?=.*\d)\S[\S ]{0,80}")
_WORD_OF_TEXT = re.compile(
    r"(?<!\S)(?:les|des|aux|une|pour|par|dans|sur|sous|avec|loi|decret|directive|reglement"
    r"|arrete|rapport|article|convention|decision)(?!\S)"
)
"""What a text cited in a sentence has (`directive (UE) 2019/1158`), and no note's own number."""
_OTHERS = frozenset(
    {
        *("dss", "dgt", "dgefp", "dgs", "dgos", "dgcs", "drees", "dares", "daei", "igas", "cab"),
        *("sgmas", "dgafp", "mae", "meae", "daj", "cnaf", "cnav", "cnam", "cleiss", "urssaf"),
        *("acoss", "ue", "com", "swd", "loi"),
    }
)
"""Beginnings of the numbers of those to whom posts write."""
_BEGINNING = re.compile(r"[a-z]+")
_YEAR = re.compile(r"(?<!\d)(20\d{2})(?!\d)")


@dataclass(frozen=True, slots=True)
class Reference:
    """A number in a line, and whose it is as the words before it say: `ours`, `theirs`, or
    neither. `dated`: a date stands after it, as after what is cited."""

    number: str
    ours: bool = False
    theirs: bool = False
    dated: bool = False


def of_line(line: str) -> str:
    """The number that a line is by its form (`Note diplomatique n° ROM-2026-0804`), or empty."""
    found = _NUMBER.fullmatch(plain_reference(line))
    return found["number"].rstrip(".") if found else ""


def own(value: str) -> str:
    """The number that a value after `Référence :` is; empty where it is none of a note."""
    value = plain_reference(value).strip()
    undated = _CITED_DATE.sub("", value).strip() or value
    number = _NUMBER.fullmatch(undated) or _NAMED.fullmatch(undated)
    reference = (number["number"] if number else undated).strip().rstrip(".,;")
    known = _REFERENCE.fullmatch(reference) and not _WORD_OF_TEXT.search(folded(reference))
    return reference if known and "|" not in reference and not dates.read(reference) else ""


def cited(value: str) -> list[Reference]:
    """The references in a line that cites notes, in order, each once."""
    found: dict[str, Reference] = {}
    lines = "\n".join(map(plain_reference, value.splitlines()))
    for part in _CITED.split(lines):
        stripped = part.strip(" .-:•")
        bare = _CITED_DATE.sub("", stripped)
        named = _NUMBER.fullmatch(bare) or _NAMED.fullmatch(bare)
        number = (named["number"] if named else bare).strip().rstrip(".")
        if not _REFERENCE.fullmatch(number) or dates.read(number) or len(found) >= MOST_CITES:
            continue
        said = named.groupdict() if named else {}
        theirs = bool(said.get("theirs")) or folded(bare).startswith(("saisine", "demande"))
        known = Reference(
            number[:MOST_REFERENCE], bool(said.get("ours")), theirs, dated=bare != stripped
        )
        found.setdefault(known.number, known)
    return list(found.values())


def may_be_own(found: list[Reference], day: str, post: str) -> Reference | None:
    """The one number after `Réf. :` that is the document's own where it has no other.

    It is alone; it is called ours, or neither dated nor anybody else's: not of those to whom posts
    write, nor of another post, nor of an earlier year than the document's `day`.
    """
    if len(found) != 1 or found[0].theirs:
        return None
    (only,) = found
    if only.ours:
        return only
    begun = _BEGINNING.match(folded(only.number))
    sender = _post_of(begun[0]) if begun else ""
    years = _YEAR.findall(only.number)
    another = bool(begun and begun[0] in _OTHERS) or bool(sender and post and sender != post)
    earlier = bool(years and day and years[0] < day[:4])
    code = re.fullmatch(_CODE, only.number) is not None
    return only if code and not (only.dated or another or earlier) else None


def _post_of(beginning: str) -> str:
    """The post whose name a number begins with (`rom`, `ber`), where that can be told."""
    if len(beginning) < 3:
        return ""
    for code, post in vocabulary.posts().items():
        if folded(post.city).replace(" ", "").startswith(beginning):
            return code
    return ""
