"""What stands at a text's end and beside its matter: contents, annexes, signatures, cover lines."""

import re
from collections.abc import Iterator
from itertools import islice

from services.runtime.parts.letterhead import says, signs
from services.runtime.parts.lines import Line, folded, line_start, lines, lines_back

Range = tuple[int, int]

_CONTENTS = re.compile(
    r"^[^\S\n]{0,9}[#*_ ]{0,9}(?:<b>)?(?:sommaire|table des mati[èe]res|plan de la note"
    r"|au sommaire(?: de ce num[ée]ro)?|dans ce num[ée]ro"
    r"|contents|table of contents|inhalt(?:sverzeichnis)?|[íi]ndice|sumario|sommario)"
    r"(?:</b>)?[*_ \u00a0]{0,9}:?[^\S\n]{0,9}$",
    re.I | re.M,
)
_PAGED = re.compile(r"(?:\.{3}|…|(?: ?\. ){3}|_{3}|\t|[^\S\n]{3})[. …_\t|]*\**\d{1,4}\W{0,9}$")
_LEADERS = ("...", "…", ". . .")
_LED = re.compile(r"(?:\.{3}|…|(?:\. ){3})[ \t\u00a0]{0,9}(\d{1,4})[^\w\n]{0,9}$", re.M)
LEAST_PAGED = 3
"""So many lines that lead to pages, each no earlier, are a table of contents by themselves."""
MOST_ENTRIES = 400
MOST_OF_AN_ENTRY = 30
"""Words of an entry of a table of contents."""

_ANNEX = re.compile(
    r"^[^\S\n]{0,9}[#*_ ]{0,9}(?:annexes?|appendices?|annex|pi[èe]ces? jointes?|anlagen?|anexos?"
    r"|allegat[oi])(?:[ \u00a0]?n?[°º]?[ \u00a0]?(?P<number>\d{1,2}|[ivx]{1,4}|[a-h])\b)?"
    r"(?:[ \u00a0]?[:.–—-](?P<title>[^\n]{0,160})|[ \u00a0](?P<name>[^\W\d][^\n]{0,120}))?"
    r"[*_ \u00a0]{0,9}[^\S\n]{0,9}$",
    re.I | re.M,
)
_FILE = re.compile(r"\.[a-z]{3,4}\b|^\W*\d*\W*$", re.I)
_LABELLED_ANNEX = re.compile(r"\W*(?:pi[èe]ces? jointes?|annexes)\b[^:\n\d]{0,4}:", re.I)

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
    r"(?:(?:le contenu de )?ce (?:message|courriel|courrier electronique|mail)"
    r"|les informations contenues|(?:avis|clause|notice|mention) de (?:non-)?(?:confid|respons)\w+"
    r"|confidentiality notice"
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
    r"(?:(?:le|la|l') ?)?(?:conseill(?:er|ere)s?|attachee?|chef(?:fe)? d[eu]|adjointe? (?:au|a la)"
    r"|direct(?:eur|rice)|chargee? (?:de mission|d'etudes|d'affaires)|assistante?"
    r"|ambassad(?:eur|rice)|ministre conseill(?:er|ere)|secretaire general|sous-direct(?:eur|rice)"
    r"|delegue|responsable|redact(?:eur|rice)|premi(?:er|ere) (?:secretaire|conseill)"
    r"|consul|inspect(?:eur|rice))(?:e|le)?\b"
    r"|pour (?:l'|le |la ).{1,60}par delegation$"
)
_BETWEEN = re.compile(r" \| |, | [–-] ")
_NAMED = r"[^\W\d_](?:\.|[\w'’-]+)"
_NAME = re.compile(rf"{_NAMED}(?: {_NAMED}){{0,4}},?$")
_PARTICLES = frozenset({"de", "du", "des", "la", "le", "von", "van", "der", "den", "di", "da"})
SIGNED_LINES = 25
"""Lines in which a signature stands: a name, a title, an office, an address, a disclaimer."""
UNSIGNED_LINES = 10

_COVERING = re.compile(
    r"\b(?:veuillez|voudrez bien|vous|te|prie de(?: bien vouloir)?|prions de) trouver(?:ez|as)?"
    r"\b.{0,80}?\b(?:ci[- ](?:joint|apres|dessous|annexe)|pieces? jointes?|en p\.?j|attache)"
    r"|\b(?:je|nous) (?:vous|te) (?:(?:re)?transmet|adress|transfer|envoi|envoy|communiqu"
    r"|fais (?:suivre|parvenir)|faisons (?:suivre|parvenir)|joins|joignons)"
    r"|\bj'ai l'honneur de vous (?:adresser|transmettre|faire parvenir)"
    r"|\bfind (?:attached|enclosed|below)|\b(?:see|as) (?:below|attached)|^attached (?:is|are)"
    r"|^(?:ci[- ]joint|ci[- ](?:dessous|apres)|en pieces? jointes?)(?:es?)?\b"
    r"|^(?:anbei|im anhang|adjunto|se adjunta|in allegato|si allega)\b"
    r"|^(?:pour (?:votre |ton )?(?:parfaite |bonne )?(?:information|info|avis|suite|memoire)"
    r"|fyi|pvi|psi|a toutes fins utiles|transmis (?:pour|a)"
    r"|(?:voir|cf\.?) (?:ci|pj|p\.j|pieces? jointes?|plus bas|le message)"
    r"|(?:la |le |les |une? )?(?:note|document|rapport|fichier|texte)s?"
    r" (?:en pieces? jointes?|en pj|ci[- ]jointe?s?)"
    r"|(?:message|mail|courriel) (?:transfere|transmis|ci))\b"
)
_COURTEOUS = re.compile(
    r"(?:bonjour|bonsoir|madame|monsieur|mesdames|messieurs|chere?s?|hello|dear|guten tag"
    r"|sehr geehrt\w*|buenos dias|estimad[ao]s?|gentile?|salut)\b"
    r"|(?:je|nous) (?:reste|restons|me tiens|nous tenons)\b.*disposition|n'hesitez pas"
    r"|bonne (?:reception|journee|lecture|soiree|fin)"
    r"|merci (?:d'avance|par|beaucoup|bien|de (?:votre|ton|bien vouloir))"
    r"|en vous (?:remerciant|souhaitant)"
)
COVER_LINES = 30
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
    if any(text.find(sign, start, end) >= 0 for sign in _LEADERS):
        yield from _paged(text, start, end)


def _entries(text: str, heading: re.Match[str], end: int) -> int:
    """Where the entries under a heading end: before a sentence, or the first of them again."""
    seen = {_title(heading[0])}
    last, numbered, passed, tight = heading.end(), False, 0, True
    for line in islice(lines(text, heading.end(), end), MOST_ENTRIES):
        whole = text[line.start : line.end]
        paged = len(whole) < 600 and bool(_PAGED.search(whole))
        title = _title(line.text)
        sentence = line.text.endswith((".", ";", "!", "?"))
        long = line.text.count(" ") > MOST_OF_AN_ENTRY
        # An entry over two lines has its page on the second.
        passed = 0 if paged else passed + numbered
        apart = text.count("\n", last, line.start) > 1
        done = sentence or long or title in seen or (apart and tight and len(seen) > 2)
        if passed > 1 or (not paged and done):
            break
        tight = tight and not (apart and len(seen) > 1)
        seen.add(title)
        numbered = numbered or paged
        last = line.end if paged or not numbered else last
    return last if len(seen) > 2 else heading.end()


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
        title = heading["title"] or heading["name"] or ""
        if heading["name"] and not (heading["number"] and title[0].isupper()):
            continue
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
    """Where the lines begin that sign without a formula, below a text: a name, a title, how to
    reach them."""
    found, sure = end, False
    for line in last:
        known = _tells_who(line, line.text.rstrip(", "))
        if not (known or _names(line.text)):
            cells = [cell.strip() for cell in _BETWEEN.split(line.text)]
            known = any(_tells_who(line, cell) for cell in cells)
            if not (known and all(_names(cell) or _tells_who(line, cell) for cell in cells)):
                return found if sure and not line.text.endswith(":") else end
        found, sure = line.start, sure or known
    return end


def _tells_who(line: Line, cell: str) -> bool:
    """Whether a line, or a cell of it, tells who signs, or how to reach them."""
    part = Line(line.start, line.start + len(cell), cell)
    titled = part.short and _TITLE.match(folded(cell)) and not says(cell)
    return signs(part) or bool(titled)


def _names(line: str) -> bool:
    """Whether a line may be somebody's name: capitals, but for what goes with family names."""
    words = line.split()
    return bool(_NAME.match(line)) and all(
        word[0].isupper() or word in _PARTICLES for word in words
    )


def cover(text: str, ranges: list[Range], *, courteous: bool) -> Iterator[Range]:
    """The paragraphs in these ranges that only say what comes with the document, among the first
    `COVER_LINES`; with `courteous`, or beside such a one, also greetings and thanks."""
    polite: list[Range] = []
    covering = False
    every = (line for start, end in ranges for line in lines(text, start, end))
    for line in islice(every, COVER_LINES):
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


SHORT_LINE = 25
"""Words up to which a line without an end may be a link or a headline."""
LONG_WORDS = 250
"""Characters beyond which a line is no link, however few its words."""
MENU_LINES = 4
"""So many short lines in a row are a menu; fewer may be headings, a signature, an address."""
UNKNOWN_LINES = 6
"""So many of them without a word that pages have (*Accueil*): a note may list things too."""
_ENDS = (".", ";", ",", ":", "…", "»", ")")
_INTRODUCED = (":",)
_WORD = re.compile(r"\w")
_ITEM = re.compile(r"[-–—•*·▪◦]|\d{1,2}[.)]|[a-z]\)")
_TABLE = "|"
_OF_A_PAGE = re.compile(
    r"^(?:accueil|home|menu|rechercher?|recherche avancee|connexion|se connecter|s'abonner|contact"
    r"|newsletter|partager|imprimer|print|mentions legales|plan du site|lire aussi|a lire"
    r"|sur le meme|liens|articles? (?:lies|similaires)|tags|mots[- ]cles|navigation|retour"
    r"|suivez[- ]nous|publicite|les plus lus|vous etes ici|aller au contenu|©|cookies)",
)


class _Run:
    """A run of short lines that end like no sentence."""

    def __init__(self) -> None:
        self.count = self.start = self.end = self.items = 0
        self.introduced = self.of_a_page = False

    def add(self, start: int, line: str, bare: str, *, introduced: bool) -> None:
        """A line that belongs to it; the first may be introduced by the line before."""
        if not self.count:
            self.start, self.introduced = start, introduced
        self.count, self.end = self.count + 1, start + len(line)
        self.items += bool(_ITEM.match(bare))
        self.of_a_page = self.of_a_page or bool(_OF_A_PAGE.match(folded(bare[:40])))

    def is_menu(self, *, outside: bool) -> bool:
        """Whether it is a menu: by words of pages, or long and `outside`, before or after all else,
        where items of a list do not count."""
        if self.introduced:
            return False
        if self.of_a_page:
            return self.count >= MENU_LINES
        return outside and self.count - self.items >= UNKNOWN_LINES


def menus(text: str, ranges: list[Range]) -> Iterator[Range]:
    """The menus in these ranges: runs of short lines that end like no sentence."""
    for start, end in ranges:
        yield from _runs(text, start, end)


def _runs(text: str, first: int, end: int) -> Iterator[Range]:
    """Where menus begin and end; lines without a word are passed over."""
    run = _Run()
    before, begun = False, first > 0
    at = first
    for line in text[first:end].split("\n"):
        bare = line.strip()
        if _WORD.search(bare):
            if _short(bare):
                run.add(at, line, bare, introduced=before)
            else:
                if run.is_menu(outside=not begun):
                    yield run.start, run.end
                run, begun = _Run(), True
            before = bare.endswith(_INTRODUCED)
        at += len(line) + 1
    if run.is_menu(outside=not begun or end == len(text)):
        yield run.start, run.end


def _short(line: str) -> bool:
    return (
        len(line) <= LONG_WORDS
        and not line.endswith(_ENDS)
        and not line.startswith(_TABLE)
        and line.count(" ") < SHORT_LINE
    )
