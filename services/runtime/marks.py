"""Protection marks in a text: known by their form, never by the bare word.

A mark is a line of its own, in capitals, or at the head or foot of the text as a heading is
written; it stands in brackets before a title, in capitals among a title's words, behind a label
(`Classification : Secret`), or in the wording of a stamp. *Secret médical*, a secret ballot and a
sentence that speaks of a secret document are ordinary words. Pure, and linear in the text's length.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import groupby, islice
from string import ascii_lowercase, ascii_uppercase
from typing import TYPE_CHECKING, Any

from schemas.letters import plain
from schemas.marks import LONGEST, NONE, Level, Marks, any_of, data, letters, named, read
from schemas.marks import read_form as form
from schemas.note import MAX_BODY
from services.runtime.mark_forms import Kind, bounds, bracketed

if TYPE_CHECKING:
    from schemas.answers import Problem

LONG_TITLE = 150
"""Characters of a line that may still be a title."""
HEAD_LINES = 15
"""Lines with text at the head of a text where a mark may be written as a heading is: the longest
letterhead seen has as many."""
FOOT_LINES = 5
MOST_CHARACTERS = 2 * MAX_BODY
"""Of one text that is looked at: what is longer is refused for its length."""
MOST_ARTICLES = 200
"""Mentions of the penal code's articles on secrets that are looked at: of a stamp there is one."""
WINDOW = 300
"""Characters on either side of such a mention in which a stamp's other words stand."""

TYPE = "urn:valise:problem:document-classifie"
STATUS = 422
DETAIL = (
    "Ce document porte une mention de classification : ce système ne reçoit aucun document "
    "classifié, et rien n’en a été conservé. Utilisez le réseau prévu pour ces documents et "
    "prévenez votre officier de sécurité."
)


_LEVELS = {
    Level.RESTREINT_UE: "RESTREINT UE / EU RESTRICTED",
    Level.NATO_RESTRICTED: "OTAN DIFFUSION RESTREINTE / NATO RESTRICTED",
}


@cache
def refusal() -> "Problem":
    """The answer to a classified document: it says what to do, and nothing of the document."""
    # The process that reads documents starts often, and answers nobody.
    from schemas.answers import Problem  # noqa: PLC0415

    return Problem(type=TYPE, title="Document classifié refusé", status=STATUS, detail=DETAIL)


def refused(found: Marks, approved: Collection[Level] = ()) -> "Problem | None":
    """Return the answer to a document with these marks that may not be kept; None: it may.

    `approved` are the levels for which this deployment is.
    """
    if found.classified:
        return refusal()
    for level in sorted(found.levels - frozenset(approved)):
        return refusal().model_copy(
            update={
                "detail": f"Ce document porte la mention {_LEVELS[level]}, pour laquelle ce "
                "déploiement n’est pas homologué : rien n’en a été conservé. Utilisez le réseau "
                "prévu pour ces documents."
            }
        )
    return None


def is_refusal(said: "Problem") -> bool:
    """Whether that is the answer to a document that may not be kept for its marks."""
    return said.type == TYPE


@dataclass(frozen=True, slots=True)
class Text:
    """A text to look for marks in. `head`: every line of it stands where a mark would (a subject, a
    page's margin, a property), so that a heading's way of writing is enough."""

    text: str = field(repr=False)
    head: bool = False


def found(*texts: Text) -> Marks:
    """The marks in these texts, together; the strictest of each."""
    marks = NONE
    for each in texts:
        marks |= _in_text(each.text[:MOST_CHARACTERS], each.head)
        if marks.classified:
            break
    return marks


def of_fields(fields: Any) -> Marks:
    """The marks in the fields of a note as they were sent, whatever is wrong with these.

    The body is read as a body, every other text as a subject; what `marking` and the marks of
    passages say counts only where it is classified.
    """
    bodies: list[str] = []
    others: list[str] = []
    declared: list[str] = []
    waiting: list[tuple[str, Any]] = [("", fields)]
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, dict):
            waiting += value.items()
        elif isinstance(value, list):
            waiting += [(name, item) for item in value]
        elif isinstance(value, str):
            kept = declared if name in ("marking", "mark") else bodies if name == "body" else others
            kept.append(_lines_of_name(value) if name == "attachments" else value)
    # In one piece: there may be very many.
    marks = found(Text("\n".join(others), head=True), *map(Text, bodies))
    for mark in declared:
        marks |= named(mark)
    return marks


def of_name(name: str) -> Marks:
    """The marks in a file's name and in those of its folders, its ending apart."""
    return found(Text(_lines_of_name(name), head=True))


def _lines_of_name(name: str) -> str:
    steps = [step.rpartition(".")[0] or step for step in name.split("/")]
    # Twice: an underscore is a space between words, and what separates a mark from them.
    return "\n".join((*(step.replace("_", " ") for step in steps), *steps))


_ANCHORS = (
    *("SECRET", "CONFIDENTI", "RESTREINT", "SPECIAIFRANCE", "FRANCESEUI", "FRANCEONIY"),
    *("FRENCHEYES", "COSMIC", "GEHEIM", "VERTRAUI", "SEGRET", "HEMIIG", "RISERVATISS", "STRAP"),
    *("IIMITE", "RESTREINTU", "UERESTREINT", "OTANRESTREINT", "NATORESTREINT", "EURESTREINT"),
    *("RESTRICTED", "RESTREINTO", "DIENSTGE", "VSNFD", "SENSITIVE", "CIASSIFIE"),
    *("DOCUMENTCIASSE", "CEKPETHO", "HOCTN", "RUEEUR", "CUEEUC", "SUEEUS", "SUEEUTS"),
)
"""In the letters of a line: without one of these it is no mark, which a test holds."""
_CAPITALS_ONLY = {letters("limite")}
"""The Council's LIMITE is an ordinary word besides, and may be the heading of a chapter."""
_LINE_ENDS = re.compile("\r\n?|[\x0b\x0c\x1c-\x1e]")
_SMALL, _LARGE = ascii_lowercase.encode(), ascii_uppercase.encode()
_SEPARATED = re.compile(r"[|;\t]| {3,}| - ")
_LABELLED = re.compile(
    rf"\W{{0,20}}(?:{any_of(plain(label) for label in data('labels'))})\W{{0,8}}(?:[:=](.*))?", re.I
)
_LISTED = re.compile(r"[-*o]\s")
_SPLIT = re.compile(
    r"(?m)^[^\w\n]{0,40}(CONFIDENTIEL|DIFFUSION|SPECIAL)\W{0,40}\n\W{0,40}"
    r"(DEFENSE|RESTREINTE|FRANCE)[^\w\n]{0,40}$"
)
_FIRST = re.compile(r"\W{0,20}(.{2,80}?)(?: -|- |--|[|\t;]|   |//| / |: |[\])}>])")
_LAST = re.compile(r"(?: -|- |--|[|\t;]|   (?=[^ ])|//| / |[\[({<])([^\[({<|\t;]{1,79}\w)\W{0,99}$")
_BRACKETED = re.compile(r"\W{0,20}[\[({<]([^\[({<\])}>]{2,80})[\])}>]")
_PORTION = re.compile(r"\((?:TS|S|C)//[A-Z][A-Z/ ,-]{1,60}\)")

_SPOKEN_OF = ("document", "note", "fiche", "classé", "information", "informations")
"""A mark's first words that make it one of the language too: a note is secret, a document filed."""
_SEEN_AS = {"I": "[IL1l]", "O": "[O0]", "E": "[E3]", "A": "[A4@]", "S": "[S5$]", "T": "[T7]"}
_COMPLEMENTS = any_of(plain(word) for word in data("complements"))


def _spaced(mark: str) -> str:
    """A mark in capitals, whatever separates its letters and words."""
    return r"[\s_./-]{0,3}".join(_SEEN_AS.get(each, re.escape(each)) for each in letters(mark))


def _any_longer(*names: str) -> str:
    """A mark of several words from these lists, in capitals."""
    marks = [mark for name in names for mark in data(name) if " " in mark]
    several = (mark for mark in marks if not mark.startswith(_SPOKEN_OF))
    return "|".join(map(_spaced, sorted(several, key=len, reverse=True)))


_NO_CLASSIFICATION = ("restricted", "special_france")
_ANY_LONGER = _any_longer("classified", *Level)
_SEVERAL_WORDS = re.compile(
    rf"(?<![A-Za-z])(?:(?:{_ANY_LONGER})(?![A-Za-z])"
    # A directive of the Union on business secrets; an American service.
    rf"(?!(?<=(?:UE|EU|US|UK).SECRET)[ _-](?i:{_COMPLEMENTS}|service)(?![A-Za-z]))"
    # The restricted circulation of a paper, what is so in France only.
    r"|(?<!\b(?i:en|la|sa).)(?<!_(?i:en|la|sa).)(?<!(?i:[^a-z]une).)(?<!\A(?i:une).)"
    rf"(?:{_any_longer(*_NO_CLASSIFICATION)})(?![A-Za-z])(?![ _-](?:DE|DU|DES|D)[^A-Za-z]\D))"
)
_PARTED = r"[-_.|/+()\[\]{}]"
_LETTER = re.compile("[A-Za-z]")
_LAST_WORD = re.compile(r"[A-Za-z0-9]{1,40}(?=[^A-Za-z0-9]{0,20}\Z)")
_SIGNS = ' *_-#|=)]}>"'
_ONE_WORD = (
    rf"(?<!(?i:vote).)(?<!(?i:scrutin).){_spaced('secret')}(?![A-Za-z])"
    rf"(?!(?: {{1,3}}|[_-])(?i:{_COMPLEMENTS})(?![A-Za-z]))"
)
_ALONE = re.compile(
    rf"\A[^A-Za-z]*(?:(?i:tr|re|fwd?) ?: ?)*(?:(?i:document|note|fiche|classe)[ _-])?{_ONE_WORD}"
    rf"|(?<![A-Za-z]){_ONE_WORD}(?=[^A-Za-z]*\Z)"
    rf"|{_PARTED} ?{_ONE_WORD}(?= ?{_PARTED})"
)
"""*SECRET* as the first word, the last, or between signs; no secret ballot, no business secret."""

_DATE = (
    r"(?:\d{1,2}(?:er)?[ ./-]{1,2}(?:[a-z]{3,9}|\d{1,2})\.?(?:[ ./-]{1,2}\d{2,4})?"
    r"|(?:[a-z]{3,9} )?\d{4}|\d{4}-\d\d-\d\d)"
)
_TERM = (
    r"(?:valable |valid )?(?:jusqu\W{0,2}(?:au|en|a fin|a)|(?:a compter|a partir) d(?:u|e|\W)"
    rf"|until|till|from)\s{{0,2}}(?:le )?{_DATE}(?:,? puis .{{2,60}})?"
)
_ENDINGS = (
    re.compile(rf"(?i)(?<=[a-z\])]) ?\W{{1,4}}{_TERM}\W{{0,3}}$"),
    # In capitals: *Secret (article 12)* may be the heading of a chapter.
    re.compile(
        r"(?<=[A-Z])\W{1,4}(?i:articles?|art\.)\s(?![^\d]{0,10}226-1[34])"
        r"[^()\[\]]{0,10}\d[^()\[\]]{0,100}\W{0,3}$"
    ),
    re.compile(r"(?<=[A-Z])\W{1,4}REL(?:EASABLE)?(?: TO)?\W{1,3}[A-Z][A-Z ,/&-]{1,80}$"),
    re.compile(
        r"(?<=LIMITE)\s{1,20}(?:BG|CS|DA|DE|EL|EN|ES|ET|FI|FR|GA|HR|HU|IT|LT|LV|MT|NL|PL|PT|RO|SK"
        r"|SL|SV)\W{0,3}$"
    ),
)
"""What may follow a mark in its line: how long it holds, the text that it rests on, whom else it
is for, the language of a paper of the Council."""
_ENDS_IN = re.compile(r"(?i:jusqu|compter|partir|until|till|from|art)|REL|LIMITE\s")
"""Stands in every line with such an ending."""

_THIS = r"\b(?:ce|cet|cette|(?:le |la )?presente?|(?:du|de la) presente?)"
_DOCUMENT = (
    r"(?:document|note|dossier|information|support|telegramme|fichier|message|courriel|piece)\b"
)
_STAMPS = (
    # At the beginning of a line or a sentence, and no quotation that a sentence goes on from.
    re.compile(
        rf"(?m)(?:^|[.:!]\s)[^\w\n]{{0,10}}{_THIS} {_DOCUMENT} est (?:un document |une piece )?"
        r"classifiee?(?=\W{0,3}$|\s*[.;!)]|,? (?:secret|tres|confidentiel|au niveau|au sens|defense"
        r"|de defense|en application|et\b|au titre))"
    ),
    re.compile(
        rf"(?m)(?:^|[.:!]\s)[^\w\n]{{0,10}}{_THIS} {_DOCUMENT} (?:contient|comporte) "
        r"(?:des|une) informations? (?:et supports )?classifiee?s?\b"
    ),
    re.compile(r"\bthis (?:document|message|cable) (?:is|contains) (?:\w+ ){0,3}classified\b"),
    re.compile(r"(?m)^\W{0,20}(?:classified by|declassify on)\s?:"),
)
_ARTICLE = re.compile(r"413-(?:9|1[0-2])\b")
_SENTENCE_ENDS = re.compile(r"(?<!art)[.!?]\s|\n\s*\n")
_STAMP_WORDS = (
    re.compile(rf"{_THIS} {_DOCUMENT}"),
    re.compile(r"\bcode penal\b|\bc\. ?pen"),
    re.compile(
        r"\b(?:divulg|reprodu|communi|diffus|deten|compromi|proteg|classif|sanction|passible|peine)"
    ),
)


def _in_text(text: str, head: bool) -> Marks:
    flat = _LINE_ENDS.sub("\n", plain(text))
    lines = flat.split("\n")
    marks = _labelled(lines) | _upright(lines)
    squeezed = letters(flat, digits=True, lines=True)
    anchors = [anchor for anchor in _ANCHORS if anchor in squeezed]
    if anchors:
        marks |= _in_lines(lines, squeezed, anchors, head)
    if "CIASSIF" in squeezed:
        lower = flat.lower()
        marks |= Marks(classified=any(stamp.search(lower) for stamp in _STAMPS))
    marks |= _split(flat)
    stamped = _penal(flat) or ("//" in flat and _PORTION.search(flat) is not None)
    return marks | Marks(classified=stamped)


def _labelled(lines: list[str]) -> Marks:
    """The marks behind labels: in the same line, in the next cell, or in the line below."""
    marks = NONE
    waiting = False
    for line in lines:
        if waiting and line.strip():
            marks |= _behind_label(line)
            waiting = False
        if ":" in line or "|" in line or "=" in line or "\t" in line:
            for part in _SEPARATED.split(line):
                if waiting and part.strip():
                    marks |= _behind_label(part)
                    waiting = False
                if label := _LABELLED.fullmatch(part):
                    marks |= _behind_label(label[1] or "")
                    waiting = not (label[1] or "").strip()
    return marks


def _in_lines(lines: list[str], squeezed: str, anchors: list[str], head: bool) -> Marks:
    marks = NONE
    ends = frozenset() if head else _ends(lines)
    titles = next((at for at, line in enumerate(lines) if is_text(line)), len(lines))
    anchor = re.compile("|".join(anchors))
    seen: set[tuple[str, bool]] = set()
    at = place = 0
    while not marks.classified and (found_at := anchor.search(squeezed, place)):
        at += squeezed.count("\n", place, found_at.start())
        line, outside = lines[at].strip(), head or at in ends
        if (line, outside) not in seen:
            seen.add((line, outside))
            marks |= _of_line(line, outside, head or (at < titles and not is_sentence(line)))
            if outside and (head or not _bounds(line)):
                marks |= _in_title(line) if head else _behind(line)
        place = squeezed.find("\n", found_at.end())
        if place < 0:
            break
    return marks


def _ends(lines: list[str]) -> frozenset[int]:
    """The lines with text at the head and at the foot."""
    numbers = range(len(lines))
    head = islice((at for at in numbers if lines[at].strip()), HEAD_LINES)
    foot = islice((at for at in reversed(numbers) if lines[at].strip()), FOOT_LINES)
    return frozenset((*head, *foot))


def _of_line(line: str, outside: bool, titled: bool) -> Marks:
    """The marks of a line; `outside`: it stands at the head or the foot; `titled`: before all text.

    Behind that a line may be a paragraph or head one: what a restricting mark is worth there,
    `marked_passages` finds.
    """
    marks = NONE
    for words in _with_and_without_ending(line):
        found = _of_words(words, outside)
        large_alone = _capitals(words) and form(words) is not None
        if titled or large_alone or found.classified or found.levels:
            marks |= found
    if marks == NONE or marks.classified or marks.levels:
        return marks
    return NONE if _bounds(line) else marks


def _bounds(line: str) -> bool:
    """Whether a line begins or ends a passage."""
    lead = next((at for at, each in enumerate(line) if each.isalnum()), 0)
    inside = (sign for sign in bracketed(line) if sign.kind is not Kind.STANDS)
    return any(bounds(line, lead)) or any(inside)


_OF_HEADER = re.compile(r"[\w .'/-]{1,30} ?: |.{2,60}\b(?:19|20)\d\d\W{0,3}$")
"""A label with its value, and a dateline: they may end with a full stop."""


def is_text(line: str) -> bool:
    """Return whether a line is of a paragraph, not of a letterhead or a title."""
    line = line.strip()
    if len(line) > LONG_TITLE:
        return True
    return is_sentence(line) and line.count(" ") >= 3 and not _OF_HEADER.match(line)


def is_sentence(line: str) -> bool:
    """Return whether a line ends as a sentence does, or is longer than a title."""
    return len(line) > LONG_TITLE or line.rstrip().endswith((".", "!", "?", ";", ':"', '."'))


def _with_and_without_ending(line: str) -> Iterator[str]:
    """A line, and what is left of it without each thing that may follow a mark."""
    yield line
    if len(line) <= LONGEST and _ENDS_IN.search(line):
        for ending in _ENDINGS:
            if follows := ending.search(line):
                yield line[: follows.start()]


def _behind_label(words: str) -> Marks:
    marks = NONE
    for each in _with_and_without_ending(words.strip()):
        marks |= read(each) or NONE
    return marks


def _of_words(line: str, outside: bool) -> Marks:
    marks = NONE
    large = _capitals(line)
    if letters(line) in _CAPITALS_ONLY and not large:
        return marks
    if len(line) <= LONGEST and (large or (outside and _begins_large(line))):
        listed = _LISTED.match(line) and not outside and line[0] != line[-1]
        marks |= (None if listed else form(line)) or NONE
    if (bracketed := _BRACKETED.match(line)) and (outside or _capitals(bracketed[1])):
        marks |= form(bracketed[1]) or NONE
    if outside:
        for part in (_FIRST.match(line), _LAST.search(line[-LONGEST:])):
            if part and _capitals(part[1]):
                marks |= form(part[1]) or NONE
    return marks


def _in_title(line: str) -> Marks:
    """The marks in capitals among a title's words. A title in capitals throughout may hold the
    single word, and a sentence may speak of any mark that it does not begin with."""
    first = _LETTER.search(line)
    sentence = line.rstrip(' ")').endswith(".") and not line.endswith("..")
    last = first.start() if first and sentence else len(line)
    marks = NONE
    for part in _SEVERAL_WORDS.finditer(line):
        if part.start() > last or marks.classified:
            break
        marks |= form(part[0]) or NONE
    alone = _ALONE.search(line) if line != line.upper() else None
    return marks | Marks(classified=alone is not None and alone.start() <= last)


def _behind(line: str) -> Marks:
    """The mark in capitals that ends a line of a letterhead, behind a name or a number."""
    end = line[-LONGEST:]
    for part in _SEVERAL_WORDS.finditer(end):
        before = _LAST_WORD.search(end, 0, part.start())
        if before and not before[0][0].islower() and not end[part.end() :].strip(_SIGNS):
            return form(part[0]) or NONE
    return NONE


def _capitals(text: str) -> bool:
    """Whether most letters of a plain text are capitals."""
    raw = text.encode("ascii")
    kept = len(raw.translate(None, _SMALL)), len(raw.translate(None, _LARGE))
    return kept[1] < kept[0]


def _begins_large(line: str) -> bool:
    first = next(filter(str.isalnum, line), "")
    return not first.islower()


def _split(flat: str) -> Marks:
    marks = NONE
    if not any(second in flat for second in ("DEFENSE", "RESTREINTE", "FRANCE")):
        return marks
    for both in _SPLIT.finditer(flat):
        marks |= form(f"{both[1]} {both[2]}") or NONE
    return marks


def _upright(lines: list[str]) -> Marks:
    """A letter a line, as a stamp along the page's edge is read."""
    marks = NONE
    written = (line for each in lines if (line := each.strip()))
    for alone, letters_down in groupby(written, lambda line: len(line) == 1):
        if alone:
            marks |= form("".join(islice(letters_down, LONGEST))) or NONE
    return marks


def _penal(flat: str) -> bool:
    """Whether a sentence says of this very document what the penal code says of secrets."""
    for count, article in enumerate(_ARTICLE.finditer(flat)):
        if count == MOST_ARTICLES:
            break
        before = flat[max(0, article.start() - WINDOW) : article.start()].lower()
        after = flat[article.start() : article.end() + WINDOW].lower()
        sentence = _SENTENCE_ENDS.split(before)[-1] + _SENTENCE_ENDS.split(after)[0]
        sentence = " ".join(sentence.split())
        if all(word.search(sentence) for word in _STAMP_WORDS):
            return True
    return False
