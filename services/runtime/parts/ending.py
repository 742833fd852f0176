"""What stands at a text's end and beside its matter: contents, annexes, signatures, cover lines."""

import re
from collections.abc import Iterator
from itertools import islice

from services.runtime.parts.letterhead import is_contact
from services.runtime.parts.lines import Line, folded, line_start, lines, lines_back

Range = tuple[int, int]

_CONTENTS = re.compile(
    r"^[^\S\n]{0,9}[#*_ ]{0,9}(?:<b>)?(?:sommaire|table des mati[èe]res|plan de la note"
    r"|contents|table of contents|inhalt(?:sverzeichnis)?|[íi]ndice|sumario|sommario)"
    r"(?:</b>)?[*_ \u00a0]{0,9}:?[^\S\n]{0,9}$",
    re.I | re.M,
)
_PAGED = re.compile(r"(?:\.{3}|…|(?: ?\. ){3}|_{3}|\t|[^\S\n]{3})[. …_\t|]*\**\d{1,4}\W{0,9}$")
_LED = re.compile(r"(?:\.{3}|…|(?:\. ){3})[ \t\u00a0]{0,9}(\d{1,4})[^\w\n]{0,9}$", re.M)
LEAST_PAGED = 3
"""So many lines that lead to pages, each no earlier, are a table of contents by themselves."""
MOST_ENTRIES = 400
MOST_OF_AN_ENTRY = 30
"""Words of an entry of a table of contents."""

_ANNEX = re.compile(
    r"^[^\S\n]{0,9}[#*_ ]{0,9}(?:annexes?|appendices?|annex|pi[èe]ces? jointes?|anlagen?|anexos?"
    r"|allegat[oi])(?:[ \u00a0]?n?[°º]?[ \u00a0]?(?:\d{1,2}|[ivx]{1,4}|[a-h]))?"
    r"(?:[ \u00a0]?[:.–—-](?P<title>[^\n]{0,160}))?[*_ \u00a0]{0,9}[^\S\n]{0,9}$",
    re.I | re.M,
)
_FILE = re.compile(r"\.[a-z]{3,4}\b|^\W*\d*\W*$", re.I)
_LABELLED_ANNEX = re.compile(r"\W*(?:pi[èe]ces? jointes?|annexes)\b[^:\n]{0,9}:", re.I)

_CLOSING = re.compile(
    r"(?:(?:bien|tres|fort|plus) )?(?:cordialement|amicalement|respectueusement|sincerement)"
    r"(?: (?:a vous|votre|,).*)?\W*$|bien a (?:vous|toi)\W*$|cdt\W*$|bien cdt\W*$|amities\W*$"
    r"|(?:(?:avec )?(?:nos|mes|sinceres|cordiales|meilleures|respectueuses) ){1,3}"
    r"(?:salutations|sentiments|hommages|amities)\b.{0,60}$"
    r"|(?:je (?:vous|te) prie|nous vous prions|veuillez|vous voudrez bien)\b.{0,80}"
    r"(?:agreer|recevoir|croire|accepter)\b.*|salutations(?: distinguees)?\W*$"
    r"|(?:(?:best|kind|warm|many) )?regards\W*$|(?:yours )?(?:sincerely|faithfully)\b"
    r"|(?:mit )?(?:freundlichen|besten|herzlichen) gru(?:ss|ß)en?\W*$"
    r"|(?:viele|beste) gru(?:ss|ß)e\W*$"
    r"|(?:un )?(?:cordial )?saludos?\W*$|(?:muy )?atentamente\W*$|(?:cordiali|distinti) saluti\W*$"
)
_DISCLAIMER = re.compile(
    r"(?:ce (?:message|courriel|courrier electronique|mail)|les informations contenues"
    r"|l'integrite de ce|si vous (?:n'etes pas|avez recu)|this (?:e-?mail|message|communication)"
    r"|the information (?:contained )?in|if you (?:are not|have received)"
    r"|diese (?:e-?mail|nachricht)"
    r"|este (?:mensaje|correo)|questo messaggio|avertissement|disclaimer)\b"
    r".*\b(?:confidentiel|destinataire|destine|confidential|recipient|intended|error|erreur"
    r"|vertraulich|confidencial|riservat)"
    r"|(?:merci de ne pas imprimer|n'imprimez|pensez a l'environnement|please consider the env"
    r"|avant d'imprimer|(?:envoye|sent) (?:de|depuis|from|a partir de) (?:mon|my|outlook))"
)
_TITLE = re.compile(
    r"(?:(?:le|la|l') ?)?(?:conseiller|conseillere|attachee?|chef(?:fe)?|adjointe?|directeur"
    r"|directrice|chargee? (?:de mission|d'etudes|d'affaires)|assistante?|ambassadeur"
    r"|ambassadrice|ministre conseill|secretaire|sous-direct|delegue|responsable|redact"
    r"|premier|premiere|consul|inspecteur|inspectrice)[a-z]*\b"
)
_NAMED = r"[^\W\d_](?:\.|[\w'’-]+)"
_NAME = re.compile(rf"{_NAMED}(?: {_NAMED}){{0,4}},?$")
SIGNED_LINES = 25
"""Lines in which a signature stands: a name, a title, an office, an address, a disclaimer."""
UNSIGNED_LINES = 10

_COVERING = re.compile(
    r"\b(?:(?:veuillez|vous voudrez bien|vous) (?:bien )?trouve(?:r|rez)?\b.{0,80}?"
    r"(?:ci[- ](?:joint|apres|dessous|annexe)|piece jointe|pieces jointes|en p\.?j|attache)"
    r"|je vous (?:prie de (?:bien vouloir )?trouver|adresse|transmets|fais suivre|transfere|envoie"
    r"|communique|fais parvenir)\b|nous vous (?:prions de trouver|adressons|transmettons|envoyons)"
    r"|j'ai l'honneur de vous (?:adresser|transmettre|faire parvenir)|je te (?:transmets|transfere"
    r"|fais suivre|envoie)|ci[- ]joint|ci[- ](?:dessous|apres)(?:,|\.|\W*$| (?:le|la|les|une?)\b)"
    r"|(?:please find|find) (?:attached|enclosed|below)|(?:see|as) (?:below|attached)|attached is"
    r"|anbei|im anhang|adjunto|se adjunta|in allegato|si allega|en piece jointe\b)"
    r"|^(?:pour (?:votre |ton )?(?:parfaite )?(?:information|info|avis|suite|memoire)|fyi|pvi|psi"
    r"|a toutes fins utiles|transmis|voir (?:ci|plus bas|le message)|message (?:transfere|transmis)"
    r"|(?:je |nous )?(?:transfer|transm|relai))"
)
_COURTEOUS = re.compile(
    r"(?:bonjour|bonsoir|madame|monsieur|mesdames|messieurs|chere?s?|hello|dear|guten tag"
    r"|sehr geehrt\w*|buenos dias|estimad[ao]s?|gentile?|salut)\b"
    r"|(?:je|nous) (?:reste|restons|me tiens|nous tenons)\b.*disposition|n'hesitez pas"
    r"|bonne (?:reception|journee|lecture|soiree|fin)"
    r"|merci (?:d'avance|par|beaucoup|bien|de (?:votre|ton|bien vouloir))"
    r"|en vous (?:remerciant|souhaitant)"
)
MOST_OF_A_COVER = 600
"""Characters of a paragraph that only says what comes with it."""


def contents(text: str, start: int, end: int) -> Iterator[Range]:
    """Tables of contents between two places: under their heading, or known by pages' numbers."""
    at = start
    for heading in _CONTENTS.finditer(text, start, end):
        if heading.start() >= at:
            at = max(at, _entries(text, heading, end))
            if at > heading.end():
                yield heading.start(), at
    yield from _paged(text, start, end)


def _entries(text: str, heading: re.Match[str], end: int) -> int:
    """Where the entries under a heading end: before a sentence, or the first of them again."""
    seen: set[str] = set()
    last, numbered, passed = heading.end(), False, 0
    for line in islice(lines(text, heading.end(), end), MOST_ENTRIES):
        whole = text[line.start : line.end]
        paged = len(whole) < 600 and bool(_PAGED.search(whole))
        title = _title(line.text)
        sentence = line.text.endswith((".", ";", "!", "?"))
        long = line.text.count(" ") > MOST_OF_AN_ENTRY
        # An entry over two lines has its page on the second.
        passed = 0 if paged else passed + numbered
        if passed > 1 or (not paged and (sentence or long or title in seen)):
            break
        seen.add(title)
        numbered = numbered or paged
        last = line.end if paged or not numbered else last
    return last if len(seen) > 1 else heading.end()


def _title(line: str) -> str:
    """An entry's words without number and page."""
    return re.sub(r"^(?:[\W\d]|[ivx]{1,4}[.)])*|[\W\d]*$", "", folded(line[:200]))


def _paged(text: str, start: int, end: int) -> Iterator[Range]:
    """Runs of lines with dots that lead to the number of a page."""
    first, last, page, count = 0, -1, 0, 0
    for found in _LED.finditer(text, start, end):
        begins = max(start, line_start(text, found.start()))
        if not (count and int(found[1]) >= page and not text[last:begins].strip()):
            if count >= LEAST_PAGED:
                yield first, last
            first, count = begins, 0
        last, page, count = found.end(), int(found[1]), count + 1
    if count >= LEAST_PAGED:
        yield first, last


def annex(text: str, start: int, end: int) -> int:
    """Where the first annex begins that has a text and stands under one; else `end`."""
    for heading in _ANNEX.finditer(text, start, end):
        title = heading["title"] or ""
        if _LABELLED_ANNEX.match(heading[0]) or (title and _FILE.search(title)):
            continue
        if title.rstrip().endswith((".", ";", ",")) or not text[start : heading.start()].strip():
            continue
        if next(lines(text, heading.end(), end), None) is not None:
            return heading.start()
    return end


def signature(text: str, start: int, end: int) -> int:
    """Where the signature begins that ends the text between two places; else `end`."""
    last = list(islice(lines_back(text, start, end), SIGNED_LINES))
    found = end
    number = 0
    while number < len(last) and _DISCLAIMER.match(folded(last[number].text)):
        found = last[number].start
        number += 1
    below = last[number:]
    for line in below:
        plain = folded(line.text)
        if _is_dashes(text, line) or _CLOSING.match(plain):
            return line.start
        if not (line.short or _DISCLAIMER.match(plain) or line.text.endswith(",")):
            break
    return min(found, _unsigned(below[:UNSIGNED_LINES], end))


def _is_dashes(text: str, line: Line) -> bool:
    return text[line.start : line.end].rstrip("\r") in ("--", "-- ")


def _unsigned(last: list[Line], end: int) -> int:
    """Where the lines begin that sign without a formula: a name, a title, how to reach them."""
    found, sure = end, False
    for line in last:
        plain = folded(line.text)
        known = line.short and bool(is_contact(line) or _TITLE.match(plain))
        named = _NAME.match(line.text) and line.text.istitle()
        if not (known or named):
            break
        found, sure = line.start, sure or known
    return found if sure else end


def cover(text: str, ranges: list[Range], *, courteous: bool) -> Iterator[Range]:
    """The paragraphs in these ranges that only say what comes with the document; with `courteous`,
    or beside such a one, also greetings and thanks."""
    polite: list[Range] = []
    covering = False
    for start, end in ranges:
        for line in lines(text, start, end):
            if line.end - line.start > MOST_OF_A_COVER:
                continue
            plain = folded(line.text)
            if _COVERING.search(plain):
                covering = True
                yield line.start, line.end
            elif _COURTEOUS.match(plain):
                polite.append((line.start, line.end))
    if covering or courteous:
        yield from polite


def menus(text: str, ranges: list[Range]) -> Iterator[Range]:
    """The runs of short lines in these ranges that end like no sentence."""
    for start, end in ranges:
        yield from _runs(text, start, end)


SHORT_LINE = 25
"""Words up to which a line without an end may be a link or a headline."""
LONG_WORDS = 250
"""Characters beyond which a line is no link, however few its words."""
MENU_LINES = 4
"""So many short lines in a row are a menu; fewer may be headings, a signature, an address."""
_ENDS = (".", ";", ",", ":", "…", "»", ")")
_INTRODUCED = (":",)
_WORD = re.compile(r"\w")
_TABLE = "|"


def _runs(text: str, first: int, end: int) -> Iterator[Range]:
    """Where runs of short lines begin and end; lines without a word are passed over."""
    start = stop = count = 0
    introduced = before = False
    at = first
    for line in text[first:end].split("\n"):
        bare = line.strip()
        if _WORD.search(bare):
            if _short(bare):
                if not count:
                    start, introduced = at, before
                count, stop = count + 1, at + len(line)
            else:
                if count >= MENU_LINES and not introduced:
                    yield start, stop
                count = 0
            before = bare.endswith(_INTRODUCED)
        at += len(line) + 1
    if count >= MENU_LINES and not introduced:
        yield start, stop


def _short(line: str) -> bool:
    return (
        len(line) <= LONG_WORDS
        and not line.endswith(_ENDS)
        and not line.startswith(_TABLE)
        and line.count(" ") < SHORT_LINE
    )
