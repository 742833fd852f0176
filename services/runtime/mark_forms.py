"""The shapes that a mark takes among other words: in brackets, before a colon or a dash, behind
« Début » or « Fin », in a sentence on the document itself.

All functions take plain text (`schemas.letters.plain`), of one line, and say where in it a mark
stands and what it means. Which part of a note it is worth is for `marked_passages`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from schemas.letters import plain
from schemas.marks import LONGEST, NONE, Marks, data, letters, read

SHORT = frozenset(
    letters(mark) for name in ("restricted_short", "special_france_short") for mark in data(name)
)
"""Initials that are marks (DR, SF), and much else."""

_SEEN_AS = {"I": "[IL1l]", "L": "[IL1l]", "O": "[O0]", "E": "[E3]", "A": "[A4@]", "S": "[S5$]"}
_ORDINARY = {
    letters(mark)
    for mark in ("limite", "restreint", "restricted", "France seulement", "France only")
}
"""Marks that are ordinary words too, unless they stand in capitals."""


class Kind(StrEnum):
    """What a mark in its place does: it stands there, or it opens or ends what it is worth."""

    STANDS = "stands"
    BEGINS = "begins"
    ENDS = "ends"


@dataclass(frozen=True, slots=True)
class Sign:
    """A mark as it stands in a line: from `start` to `end`, its bracket included.

    `words` are its own; `bracket` is the one that opens it, empty where there is none; `short`:
    initials alone.
    """

    start: int
    end: int
    words: str
    marks: Marks
    kind: Kind = Kind.STANDS
    bracket: str = ""
    short: bool = False

    @property
    def large(self) -> bool:
        """Whether it is written in capitals throughout."""
        return self.words == self.words.upper()


def _spaced(mark: str) -> str:
    """A mark, whatever separates its letters and words."""
    words = (letters(word) for word in re.split(r"\W+", plain(mark)))
    return r"[ _./-]{0,5}".join(
        # No more: *CONFIDENTIEL - le* is not *confidentielle*.
        "(?:[ _./-]|  )?".join(_SEEN_AS.get(each, re.escape(each)) for each in word)
        for word in words
        if word
    )


def _marks(*names: str) -> str:
    found = {mark for name in names for mark in data(name)} - {"limite"}
    return "|".join(_spaced(mark) for mark in sorted(found, key=len, reverse=True))


_RESTRICTING = ("restricted", "restricted_short", "special_france", "special_france_short")
_ALL = _marks(*_RESTRICTING, "classified", "unknown", "restreint_ue", "nato_restricted")
_JOIN = r"[ ]{0,2}(?:[-/+&,|]{1,2}|et|and|ou)?[ ]{0,2}"
_MARK = re.compile(
    rf"(?i)(?:{_ALL}|LIMITE)(?![a-z0-9])(?:{_JOIN}(?:{_ALL})(?![a-z0-9])){{0,3}}"
    r"(?:[- ]{1,3}page \d{1,4}(?:/\d{1,4})?)?"
)
_NOT_FURTHER = re.compile(r"(?i)[ ](?:de|du|des|dans|d)\b|[-'][a-z]")
"""Behind a mark: it is a word among others (*diffusion restreinte du rapport*)."""

_BRACKET = re.compile(r"([\[({<]{1,3}) {0,2}([^\[\](){}<>\n]{1,80}?) {0,2}[\])}>]{1,3}")
_BEGIN = r"debut|(?:ici )?commence(?:ment)?|(?:ici )?debute|begin(?:ning)?|start(?: of)?"
_END = r"fin|ici (?:finit|s'arrete|se termine)|end(?: of)?|/"
_FILL = (
    r"(?:[ :'_-]{1,3}|(?:de|du|des|la|le|l|d|partie|passage|paragraphe|section|texte|extrait|zone"
    r"|mention|marquage|contenu|bloc|portee|en|a|sous|protection|reserve[es]*)\b){0,12}"
)
_WORD_FIRST = re.compile(rf"(?i)(?:(?P<begin>{_BEGIN})|(?P<end>{_END})){_FILL}")
_MARK_FIRST = re.compile(rf"(?i)[ :_-]{{1,3}}(?:(?P<begin>{_BEGIN})|(?P<end>{_END}))$")
_BOUND = re.compile(rf"(?:(?i:{_BEGIN}|{_END})(?![a-z]))|/")
_AT_BOUND = re.compile(rf"(?:^|(?<=[.!?;:)\]\"*=_<>~-] )|(?<=  ))(?=(?:{_BEGIN}|{_END})\b)", re.I)
_TO_END = re.compile(r"""[ *_="'~#>.:;!)\]}|-]*$""")
_UNMARKED = re.compile(r"(?i)(?:NP|U|non[ -]protege|non[ -]classifie|unclassified)")


def mark_at(line: str, at: int) -> Sign | None:
    """Return the mark that stands at that place of a line, the longest; None where none does."""
    found = _MARK.match(line, at, at + LONGEST)
    if found is None or (end := found.end()) <= at:
        return None
    words = found[0]
    meant = _meant(words)
    if meant is None:
        return None
    return Sign(at, end, words, meant, short=_is_short(words))


def goes_on(line: str, at: int) -> bool:
    """Return whether what follows a mark there makes it a word among others."""
    return _NOT_FURTHER.match(line, at) is not None


def bracketed(line: str) -> Iterator[Sign]:
    """Yield the marks in brackets of a line, those that begin or end a passage too."""
    for found in _BRACKET.finditer(line):
        sign = _in_bracket(found[2])
        if sign is not None:
            yield Sign(
                found.start(),
                found.end(),
                sign.words,
                sign.marks,
                sign.kind,
                found[1][0],
                sign.short,
            )


def bounds(line: str, lead: int) -> Iterator[Sign]:
    """Yield the marks behind « Début » and « Fin » that stand without brackets.

    They stand at `lead`, where the line's words begin, or where a sentence of it does.
    """
    places = {lead} | {found.start() for found in _AT_BOUND.finditer(line)}
    for at in sorted(places):
        word = _WORD_FIRST.match(line, at)
        sign = mark_at(line, word.end()) if word else None
        if word and sign and (line[at].isupper() or (at == lead and ends_line(line, sign.end))):
            kind = Kind.BEGINS if word["begin"] else Kind.ENDS
            yield Sign(at, sign.end, line[at : sign.end], sign.marks, kind)
    if (sign := mark_at(line, lead)) and (
        word := _MARK_FIRST.match(line[sign.end :].rstrip(" .:-=*_"))
    ):
        kind = Kind.BEGINS if word["begin"] else Kind.ENDS
        yield Sign(lead, len(line), line[lead:].strip(), sign.marks, kind)


def ends_line(line: str, at: int) -> bool:
    """Return whether nothing but signs follows in the line."""
    return _TO_END.match(line, at) is not None


def unmarked(words: str) -> bool:
    """Return whether a portion says that it bears no mark."""
    return _UNMARKED.fullmatch(words.strip()) is not None


def whole(words: str) -> Sign | None:
    """Return the mark that these words are and nothing else."""
    words = words.strip()
    if not words or len(words) > LONGEST:
        return None
    meant = _meant(words)
    return None if meant is None else Sign(0, len(words), words, meant, short=_is_short(words))


def _in_bracket(words: str) -> Sign | None:
    """The mark that the words in a bracket are; with `/`, « fin », « début », what it does."""
    if not _BOUND.search(words):
        return whole(words)
    if (word := _WORD_FIRST.match(words)) and (sign := whole(words[word.end() :])):
        kind = Kind.BEGINS if word["begin"] else Kind.ENDS
        return Sign(0, 0, words, sign.marks, kind, short=sign.short)
    if (sign := mark_at(words, 0)) and (word := _MARK_FIRST.match(words, sign.end)):
        kind = Kind.BEGINS if word["begin"] else Kind.ENDS
        return Sign(0, 0, words, sign.marks, kind, short=sign.short)
    return whole(words)


@lru_cache(4_096)
def _is_short(words: str) -> bool:
    """Whether the words are one pair of initials: two together are no chance."""
    return letters(words) in SHORT


@lru_cache(4_096)
def _meant(words: str) -> Marks | None:
    """What these words mean as a mark; None where they are none, or as good as an ordinary word."""
    if letters(words) in _ORDINARY and words != words.upper():
        return None
    meant = read(re.sub(r"(?i)(?<=[ /+&,|])(?:et|and|ou)(?=[ /+&,|])", " ", words))
    if meant is None or meant == NONE:
        return None
    # SF6 is a gas, DR 12 a number; *numéro spécial* is a magazine's.
    if re.match(r"(?i)numero (?!\d)", words):
        return None
    if any(each.isdigit() for each in words) and letters(re.sub(r"\d", "", words)) in SHORT:
        return None
    return meant


_OTHERS = re.compile(
    r"(?i)\b(?:le|la|les) (?:paragraphe|passage|partie|section|point|alinea|information|element)s? "
    r"(?:ci-(?:apres|dessous|dessus)|suivante?s?|precedente?s?|qui suivent"
    r"|\d{1,3}(?:[.,]? ?(?:a|et|au)? ?\d{1,3}){0,8})\b"
)
"""Parts of the document that a sentence names by their place."""
_THIS = re.compile(
    r"(?i)\b(?:ce|cet|cette|ces|this|(?:le |la |les |du |de la )?presente?s?) "
    r"(?P<what>document|note|fiche|dossier|telegramme|message|courriel|rapport|texte|envoi|bulletin"
    r"|synthese|analyse|compte[ -]rendu|cable|informations|elements|paragraphe|passage|partie"
    r"|section|point|alinea)\b"
)
_IS = re.compile(
    r"(?i)[^.!?\n]{0,60}?\b(?:est|sont|is|reste(?:nt)?|demeure|porte(?:nt)?|comporte|releve(?:nt)?"
    r"|fait l'objet|beneficie|doit|sera|bear)\b"
    r"(?:[ :,\"'-]{1,3}|(?:un|une|la|le|l|de|du|d|document|note|mention|marquage|classee?"
    r"|classifiee?|protegee?|couverte?|marquee?|soumise?|par|en|a|au|niveau|strictement|donc|desormais|sous"
    r"|entierement|toujours|etre|rester|traite[er]?e?|considere[er]?e?|manipuler|diffuser|comme"
    r"|reserve)\b){1,16}"
)
_APPOSED = re.compile(
    r"(?: ?, ?(?:(?:qui est|a|en|classee?|marquee?|de) ){0,2}"
    r"| (?:en|comme|a|sous|classee?|marquee?)(?: (?:document|note|mention))? )"
)
_OF_DEFENCE = re.compile(r"(?i)secret (?:de )?(?:la )?defense nationale")
_SPREAD = re.compile(
    r"(?i)\b(?:la |sa )?diffusion (?:de|du) (?:ce|cet|cette|(?:la |le )?presente?) [a-z]{4,12}"
    r"(?: [a-z']{2,9}){0,2} (?P<mark>restreinte|limitee)(?! dans\b| aux? (?:seule?s? )?mois)"
)
_TO_WHOM = re.compile(r" (?:aux?|a l'|a la|a) ")
_NEGATED = re.compile(r"(?i)\bn'|\bne\b|\bpas\b|\bplus\b|\bnon\b|\bsi\b")
_TITLED = re.compile(
    r"(?i)\W{0,20}(?:(?:document|note|fiche|telegramme|message|rapport|mention|marquage)s?[ :]{1,3}"
    r"(?:(?:a|en|de|classee?|classifiee?|marquee?|de la mention)[ :]{1,2}){0,2}|a )"
)
_PARTS = ("paragraphe", "passage", "partie", "section", "point", "alinea")


@dataclass(frozen=True, slots=True)
class Said:
    """A mark that a sentence gives the document, or a part of it; `start`, where it says so."""

    sign: Sign
    start: int
    of_part: bool


def said(line: str) -> Iterator[Said]:
    """Yield the marks that sentences of a line give: « Ce document est à diffusion restreinte. »"""
    for spread in _SPREAD.finditer(line):
        restricted = read("diffusion restreinte") or NONE
        yield Said(
            Sign(spread.start(), spread.end(), spread[0], restricted), spread.start(), of_part=False
        )
    for this in (*_THIS.finditer(line), *_OTHERS.finditer(line)):
        part = this.re is _THIS and this["what"].lower() in _PARTS
        for way in (_IS, _APPOSED):
            found = way.match(line, this.end())
            sign = mark_at(line, found.end()) if found else None
            if found and (secret := _OF_DEFENCE.match(line, found.end())):
                marks = Marks(classified=True)
                sign = Sign(secret.start(), secret.end(), secret[0].capitalize(), marks)
            if found is None or sign is None or goes_on(line, sign.end):
                continue
            if _NEGATED.search(found[0]) or not _meant_as_such(line, this.start(), sign, found[0]):
                continue
            yield Said(sign, this.start(), part)
            break
    if sign := _addressed(line):
        yield Said(sign, sign.start, of_part=False)
    titled = _TITLED.match(line)
    sign = mark_at(line, titled.end()) if titled else None
    if titled and sign and _is_titled(line, titled[0], sign):
        yield Said(sign, titled.start(), of_part=False)


def _is_titled(line: str, before: str, sign: Sign) -> bool:
    """Whether a line that begins with the document's name gives it that mark."""
    if sign.short:
        return sign.large and not line[sign.end :].startswith(" Congo")
    if sign.marks.classified:
        formal = sign.words[0].isupper() and "classifie" in before.lower()
        return formal and ends_line(line, sign.end)
    # *Document confidentiel du ministère* is what another wrote.
    return not goes_on(line, sign.end) and not line[sign.end :].lstrip()[:1].islower()


def _addressed(line: str) -> Sign | None:
    """*Diffusion restreinte aux seuls…*, as the beginning of a line."""
    begins = re.match(r"[ *_\"'>#-]{0,20}", line)
    sign = mark_at(line, begins.end() if begins else 0)
    if sign is None or sign.short or not sign.words[0].isupper() or sign.marks.classified:
        return None
    return sign if _TO_WHOM.match(line, sign.end) and len(line) <= LONGEST else None


def _meant_as_such(line: str, start: int, sign: Sign, between: str) -> bool:
    """Whether a sentence gives the mark: a classified one as a mark is written, and no quotation;
    initials in capitals."""
    if sign.short:
        return sign.large
    if not sign.marks.classified or letters(sign.words).startswith("CIASSIFI"):
        return not sign.marks.classified
    begins = re.search(r"(?:^|[.!?] )\W{0,3}$", line[max(0, start - 8) : start])
    quoted = '"' in line[max(0, start - 3) : start]
    formal = sign.words[0].isupper() or " " in sign.words.strip() or "classe" in between.lower()
    return begins is not None and not quoted and formal


def portion(words: str) -> bool:
    """Return whether these are the initials of a classified portion."""
    return words in ("S", "TS", "C")
