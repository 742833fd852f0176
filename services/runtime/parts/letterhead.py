"""The letterhead of a document: who sends it, where and when, to whom, under which reference.

Its lines are known by their form, whole. The walk ends at the first paragraph; lines in between
that are of no such form (a title, a name) are the document's own text.
"""

import re
from dataclasses import dataclass, field
from functools import cache
from itertools import islice

from schemas.vocabulary import posts
from services.runtime.parts.lines import SENTENCE_ENDS, Line, folded, lines

HEAD_LINES = 40
"""Lines with text in which a letterhead is looked for."""
MOST_UNKNOWN = 8
"""Lines of no known form in a row after which the letterhead is over."""

_SUBJECT = frozenset({"objet", "sujet", "titre", "subject", "betreff", "asunto", "oggetto"})
_LABELS = frozenset(
    {
        *("reference", "references", "ref", "refs", "n/ref", "nos ref", "notre reference"),
        *("nos references", "v/ref", "vos ref", "votre reference", "vos references", "numero"),
        *("n°", "note n°", "reference de la note", "telegramme n°", "nd n°", "affaire suivie par"),
        *("dossier suivi par", "suivi par", "date", "date de la note", "fait le", "poste"),
        *("origine", "expediteur", "emetteur", "de", "from", "a", "to", "pour", "copie", "copies"),
        *("copie a", "cc", "cci", "destinataire", "destinataires", "diffusion", "a l'attention de"),
        *("genre", "type", "nature", "type de document", "nature du document", "auteur", "auteurs"),
        *("redacteur", "redactrice", "redige par", "signataire", "tel", "telephone", "fax", "mel"),
        *("courriel", "e-mail", "email", "mail", "site", "adresse", "p.j", "pj", "piece jointe"),
        *("pieces jointes", "annexe", "annexes", "classification", "protection", "marquage"),
        *("urgence", "priorite", "version", "service", "direction", "ministere", "visa", "statut"),
        *("pour action", "pour information", "pour attribution", "suite a donner", "envoye"),
        *("service emetteur", "service redacteur", "de la part de", "pour copie", "ambassade"),
        *("lieu", "lieu et date", "nombre de pages", "pages", "redigee par", "etabli par"),
    }
)
CONTENTS = frozenset({"sommaire", "table des matieres", "plan de la note", "contents"})
_SIGNING = frozenset({"signe", "contact", "contacts", "redaction", "relecture", "valide par"})
"""Labels at a text's end, beside those of the letterhead."""
_LABELLED = re.compile(r"([^:|]{1,40}?) ?: ?\|? ?(.*)")
MOST_OF_A_LINE = 120
"""Characters of a line of a letterhead that bears no label."""
MOST_OF_A_TITLE = 35
"""Words of a title that stands before or between lines of a letterhead."""
MOST_OF_A_LABEL = 25
"""Words after a label of the letterhead; a sentence of more is text."""

_ARTICLE = r"(?:(?:du|des|de la|de l'|la|le|les) ?)?"
_FIELD = (
    rf"{_ARTICLE}(?:sante|travail|emploi|sociale?|protection sociale|solidarites?|retraites?"
    r"|affaires sociales)"
)
_SOCIAL = (
    rf"(?:{_FIELD}(?:(?: et |, ?| ?[/-] ?){_FIELD}){{1,3}}$|{_FIELD}$"
    rf"|{_ARTICLE}affaires sociales(?: (?:et|de|du|pres|aupres|en|a|au|aux|pour)\b.*)?"
    r"|sociale?(?: (?:et|de l'ambassade|du consulat|pres|aupres|regionale?)\b.*)?)"
    r"(?: ?[/–-] .*)?$"
)
_FRENCH = re.compile(
    r"(?:l')?ambassade(?: de (?:france|la republique francaise)\b.*)?$"
    r"|l'ambassad(?:eur|rice)(?: de france\b.*)?$"
    r"|(?:le |la )?consul(?:at|e)?(?: generale?)?(?: de france\b.*)?$"
    r"|(?:french embassy|embassy of france|embajada de francia|ambasciata di francia"
    r"|(?:die )?franzosische botschaft|botschaft der franzosischen republik"
    r"|franska ambassaden|embaixada da franca)\b.*$"
    r"|(?:la )?(?:representation|mission|delegation) permanente(?: francaise| de la france)?"
    r"(?: (?:de la france|aupres|a|pour)\b.*)?$"
    r"|rp(?:ue|fue)?(?: bruxelles| geneve| new york)?$|republique francaise$"
    r"|liberte\W{1,3}egalite\W{1,3}fraternite$|(?:liberte|egalite|fraternite)$"
    r"|(?:le |la )?(?:service|pole|bureau|departement|section|mission)"
    rf"(?: internationale?)?(?: (?:pour les|des))? {_SOCIAL}"
    r"|(?:les )?ministeres (?:sociaux|charges des affaires sociales)$"
    r"|(?:le |la |l')?(?:service (?:du |de la )?)?(?:conseill(?:er|ere)|attachee?|assistante?)s?"
    rf"(?: adjointe?)?(?: (?:pour|aux|regionale?))? {_SOCIAL}"
    r"|(?:la )?chancellerie(?: diplomatique)?$"
    r"|service (?:economique|de presse|de cooperation|culturel|scientifique|de l'ambassade)\b.*$"
)
"""Lines of French offices abroad, as folded: letterhead wherever they stand at the top."""
_OFFICE = re.compile(
    r"(?:ministere|secretariat|direction|delegation|sous-direction"
    r"|bureau|cabinet|inspection)s?(?: (?:general|regional|interministeriel)(?:e|le)?)?"
    r"(?: chargee?s?)?(?: (?:de|des|du|de la|a la|au|aux|d'etat|delegue[es]*)\b| (?:de |a )?l'|$)"
)
"""Lines of offices that a title may name too: a paragraph or a known line must come after."""
_ELSEWHERE = re.compile(r"\w+ .* (?:en|au|aux) [A-Z]")
"""A country after the office: the title of a note on it."""
_POST = re.compile(r"(?:le )?(?:poste|antenne|bureau) (?:de |a |d')")
_VERB = re.compile(
    r"\b(?:a|ont|est|sont|va|vont|veut|veulent|annoncent?|adoptent?|publient?|presentent?"
    r"|proposent?|lancent?|demandent?|reforment?|face|entre|contre|selon|vers|sans)\b"
)
_RECEIVER = (
    r"(?:madame|monsieur|m\.|mme|l'attention"
    r"|(?:la|le) (?:ministre|direct|delegu|secretaire|cabinet))"
)
_GENRE = re.compile(
    r"(?:note|telegramme|message|depeche|bulletin|breves?|synthese|questionnaire|rapport"
    r"|compte[- ]rendu|fiche|memo|memorandum|lettre|courrier|veille|revue de presse|td|nd)"
    r"(?: (?:diplomatique|simple|d'information|d'analyse|d'actualites?|de synthese|de veille"
    r"|de mission|de presse|sociale?s?|hebdomadaire|mensuelle?|trimestrielle?|verbale"
    r"|au questionnaire|interne|de service|administrative))*"
    rf"(?: (?:n°|no|numero) ?\S{{1,20}})?(?: (?:pour|a) {_RECEIVER}.*)?$"
)
_MARK = re.compile(
    r"(?:(?:mention|protection) ?)?(?:diffusion (?:restreinte|limitee)|special france"
    r"|non protegee?|dr|sf|confidentiel(?: \w+)?|urgent|tres urgent|immediat|limite"
    r"|pour (?:information|action|attribution)|projet|provisoire)"
    r"(?:[ /–-]{1,3}(?:special france|sf|diffusion restreinte|urgent))?$"
)
_MONTH = (
    r"(?:janv(?:ier)?|fevr?(?:ier)?|mars|avr(?:il)?|mai|juin|juil(?:let)?|aout|sept(?:embre)?"
    r"|oct(?:obre)?|nov(?:embre)?|dec(?:embre)?|january|february|march|april|may|june|july|august"
    r"|september|october|november|december|januar|februar|marz|juni|juli|oktober|dezember"
    r"|enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|octubre|noviembre|diciembre"
    r"|gennaio|febbraio|aprile|maggio|giugno|luglio|settembre|ottobre|dicembre)"
)
_WEEKDAY = r"(?:(?:(?:lun|mar|mercre|jeu|vendre|same)di|dimanche),? )?"
_DATE = re.compile(
    r"(?:(?:fait )?(?:a )?(?:[a-z][a-z'-]{1,20}(?: [a-z][a-z'-]{0,20}){0,3}, ?(?:(?:le|den) )?"
    rf"|[a-z][a-z'-]{{1,20}} le )|(?:le|du|en date du) )?{_WEEKDAY}(?:le )?"
    r"(?:(?:\d{1,2} ?(?:er|°|\.)?|premier|[a-z]{2,6}(?:[ -]et[ -]un|-[a-z]{2,5})?)(?: de)? "
    rf"{_MONTH}\.?(?: de)?"
    r" (?:\d{4}|deux mille(?: [a-z-]+){0,3})"
    r"|\d{1,2} ?[/.-] ?\d{1,2} ?[/.-] ?\d{2,4}|\d{4}[/.-]\d{1,2}[/.-]\d{1,2})"
    r"(?:,? ?(?:a|t) ?\d{1,2} ?[:h] ?\d{0,2}\S{0,6})?\.?$"
    rf"|{_MONTH} \d{{4}}$"
)
_DATED = re.compile(
    r"(?:(?:new york|buenos aires|la haye|[a-z][a-z'-]{1,20}),? )?(?:(?:le|den) )?"
    rf"{_WEEKDAY}(?:\d{{1,2}} ?(?:er|°|\.)? {_MONTH} \d{{4}}|\d{{1,2}}[/.-]\d{{1,2}}[/.-]\d{{2,4}})"
)
"""A dateline in a line with something else: a letterhead in columns."""
_FIGURE = re.compile(r"\d")
_NUMBER = re.compile(
    r"(?:(?:note|telegramme|td|nd|bulletin|rapport)(?: \w+)? )?(?:n ?°|no\.?|numero) ?[:.]? ?"
    r"\S{0,14}\d\S{0,30}$|(?:note|telegramme|td|nd)(?: diplomatique)?(?: [a-z]{2,12})?"
    r"[ /_.-]\d[\d/_.-]*$"
)
_CODE = re.compile(r"(?=.*\d)[A-Z]{2,12}(?:[/_.\u2010-\u2013-][A-Za-z0-9]{1,10}){1,5}$")
_ADDRESSEE = re.compile(
    r"(?:(?:a|pour) )?(?:(?:messieurs|mesdames|monsieur|madame|mme|mm\.|m\.)(?: |,|$)|s\.e\.m)"
    r"|a l'attention d|cher(?:e|s|es)?\b|(?:a|pour)$|s/c\b|sous couvert\b|bonjour\b"
)
_AUTHORED = re.compile(
    r"(?:(?:cette )?(?:note|document|synthese) )?(?:redige|etabli|prepare|realise)e?s? par\b"
)
_CONTACT = re.compile(
    r"(?:tel|telephone|fax|mob|portable|courriel|e-?mail|mel)\b[ .:]"
    r"|\S+@\S+\.[a-z]{2,}$|(?:https?://|www\.)\S+$|\+?\d[\d ().-]{7,20}$"
    r"|\d{1,4}(?: ?(?:bis|ter))?,? (?:rue|avenue|av|bd|boulevard|place|quai|via|piazza|calle"
    r"|chemin|allee|square|impasse)\b|\d{4,6} [a-z' -]{2,30}$|(?:cs|bp) \d"
    r"|[a-z][a-z' .-]{2,30} \d{1,4}[a-z]?, ?\d{4,6} [a-z][a-z' -]{1,25}$"
    r"|\d{1,4},? [a-z][a-z' -]{2,30}, [a-z][a-z' -]{2,20} [a-z]{1,2}\d{1,2}[a-z]? ?\d[a-z]{2}$"
)
_CONTINUES = re.compile(
    r"(?:de|du|des|d'|en|au|aux|a|aupres|pour|et|chargee?s?)\b(?! ?:)|(?:la|le|l')\b(?! ?:)"
)


_BULLETS = ("-", "–", "•")


@dataclass
class Letterhead:
    """What stands at the top: the lines of the letterhead, those that name the subject, and where
    the last of them ends."""

    heads: list[Line] = field(default_factory=list)
    subjects: list[Line] = field(default_factory=list)
    end: int = 0


def letterhead(text: str, end: int) -> Letterhead:
    """The letterhead of a text, which ends before `end`."""
    found = Letterhead()
    doubtful: list[Line] = []
    before, plain_before, ended = None, "", False
    unknown = 0
    for line in islice(lines(text, 0, end), HEAD_LINES):
        plain = folded(line.text)
        kind = _kind(line, plain)
        if before is not None and found.subjects[-1:] == [before]:
            kind = "subject" if not kind and _names(before, plain_before, line) else kind
        if before is not None and kind is None and found.heads[-1:] == [before]:
            goes_on = _goes_on(line, plain, plain_before) or _is_item(line, before)
            kind = "head" if goes_on else None
        unknown += kind is None
        if kind is None and (unknown > MOST_UNKNOWN or _ends(line, plain)):
            ended = True
            break
        if kind == "subject":
            found.subjects.append(line)
        elif kind:
            found.heads.append(line)
            doubtful += [line] if kind in _DOUBTFUL else []
        if kind:
            unknown = 0
            found.end = line.end
        before, plain_before = line, plain
    if not ended and len(doubtful) == len(found.heads):
        found.heads = []
    return found


def is_letterhead(line: str) -> bool:
    """Whether a line by itself, as a subject, is of a letterhead: a French office, a genre, a
    mark, a date."""
    plain = folded(line)
    return len(plain) <= MOST_OF_A_LINE and bool(_french(plain) or _by_form(line, plain))


def names_subject(line: str) -> bool:
    """Whether a line bears the label of a subject."""
    label = _LABELLED.match(line)
    return bool(label and _label(label[1]) in _SUBJECT)


def signs(line: Line) -> bool:
    """Whether a line may stand in a signature: it tells who signs, where, or how to reach them."""
    plain = folded(line.text)
    label = _LABELLED.match(line.text)
    if label and _label(label[1]) in _SIGNING:
        return label[2].count(" ") < MOST_OF_A_LABEL
    return _kind(line, plain) in {"head", "office"}


_DOUBTFUL = ("office", "city")


def _kind(line: Line, plain: str) -> str | None:
    """What a line is by its form: `subject`, `head`, or one of `_DOUBTFUL`: it might be a title."""
    label = _LABELLED.match(line.text)
    if label and (name := _label(label[1])) in _SUBJECT | _LABELS:
        if name in _SUBJECT:
            return "subject"
        return "head" if label[2].count(" ") < MOST_OF_A_LABEL else None
    cells = _cells(line.text, plain)
    if line.end - line.start > MOST_OF_A_LINE * max(1, len(cells)):
        return None
    personal = _ADDRESSEE.match(plain) or _AUTHORED.match(plain)
    if _by_form(line.text, plain) or _is_office(line.text, plain) or personal:
        return "head" if not line.text.endswith((".", ";")) or _DATE.match(plain) else None
    if line.short and _maybe_office(line.text, plain):
        return "office"
    if _POST.sub("", plain) in _cities():
        return "city"
    if cells and all(_kind(_cell(line, cell), folded(cell)) for cell in cells):
        return "head"
    return None


def _label(text: str) -> str:
    return folded(text).replace("(s)", "").replace("(e)", "").strip(" .")


def _cells(text: str, plain: str) -> list[str]:
    """What stands in the columns of a line: between bars, and beside a dateline."""
    cells: list[str] = []
    if "|" in text:
        cells = text.split("|")
    elif len(text) <= MOST_OF_A_LINE and _FIGURE.search(text) and (dated := _DATED.search(plain)):
        cells = [plain[: dated.start()], plain[dated.end() :]]
    return [bare for cell in cells if (bare := cell.strip(" ,–-"))]


def _maybe_office(text: str, plain: str) -> bool:
    elsewhere = _ELSEWHERE.search(text) and not text.isupper()
    return bool(_OFFICE.match(plain)) and not (":" in plain or elsewhere or says(text))


def _cell(line: Line, text: str) -> Line:
    return Line(line.start, line.start + len(text), text)


def _is_office(text: str, plain: str) -> bool:
    ended = text.endswith(SENTENCE_ENDS) and not text.endswith(",")
    return _french(plain) and not (ended or says(text))


def _french(plain: str) -> bool:
    return bool(_FRENCH.match(plain)) and ":" not in plain


def _by_form(line: str, plain: str) -> bool:
    place, dash, day = plain.partition(" – " if " – " in plain else " - ")
    return bool(
        _DATE.match(plain.strip("()[]"))
        or (dash and place in _cities() and _DATE.match(day))
        or _GENRE.match(plain)
        or _MARK.match(plain)
        or _NUMBER.match(plain)
        or _CODE.match(line)
        or _CONTACT.match(plain)
    )


def says(text: str) -> bool:
    """Whether a line has a word that makes it a sentence or a title, not an office."""
    # In capitals, A may be the preposition.
    small = text.lower().replace("é", "e").replace("è", "e")
    return not text.isupper() and bool(_VERB.search(small))


def _names(before: Line, plain: str, line: Line) -> bool:
    """Whether a line goes on with the subject: the label stands alone before it, or it stands
    right under it and is no sentence, or begins with a small letter."""
    if line.end - line.start > 3 * MOST_OF_A_LINE:
        return False
    under = line.start - before.end <= 2
    return plain.rstrip(" :") in _SUBJECT or (under and (line.short or line.text[:1].islower()))


def _goes_on(line: Line, plain: str, before: str) -> bool:
    """Whether a line goes on with the office named in the one before (`AMBASSADE`, `DE FRANCE`)."""
    return bool(
        line.short
        and (_FRENCH.match(before) or _OFFICE.match(before) or _CONTINUES.match(before))
        and _CONTINUES.match(plain)
        and (line.text[:1].islower() or line.text.isupper())
        and not says(line.text)
    )


@cache
def _cities() -> frozenset[str]:
    return frozenset({"paris", *(folded(post.city) for post in posts().values())})


def _is_item(line: Line, before: Line) -> bool:
    """Whether a line is of a list under a label (`Destinataires :`), as the one before."""
    listed = before.text.rstrip().endswith(":") or before.text.startswith(_BULLETS)
    return listed and line.text.startswith(_BULLETS) and line.end - line.start <= MOST_OF_A_LINE


def _ends(line: Line, plain: str) -> bool:
    """Whether the letterhead is over here: a sentence, a paragraph, a table of contents. A long
    line without an end may be a title."""
    words = line.text.count(" ") + 1
    sentence = words > 4 and line.text.endswith(SENTENCE_ENDS)
    return sentence or words > MOST_OF_A_TITLE or plain.strip(" :") in CONTENTS
