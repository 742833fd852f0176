"""Words that only accompany a document: « Veuillez trouver ci-joint la note », and a signature.

Known by its sentences, each of which must say no more than that something comes with the mail, or
be polite. One sentence of content, and the text is a document of its own.
"""

import re
import unicodedata

from schemas import marks

MOST_WORDS = 120
"""Of a letter, its signature not counted: who writes more has something to say."""
LONG_SENTENCE = 45
"""Words in a sentence that announces a document: beyond, it says what stands there."""
MOST_CHARACTERS = 6_000
"""Of a text that is looked at, its signature and the notices of its office among them."""
LONG_SIGNATURE = 14
"""Words in a line of a signature."""
MOST_NAMED = 6
"""Words behind a colon that may name a document by anything."""
WRAPPED = 60
"""Characters of a line that goes on in the next one."""
MOST_LINES = 10
"""Of a signature that no formula closes the letter before."""


def _any(*forms: str) -> re.Pattern[str]:
    """One of these forms, whole words; of a text as `_folded` gives it."""
    return re.compile(rf"(?<!\w)(?:{'|'.join(forms)})(?!\w)")


_ADDRESS = re.compile(r"(?:[\W_]*$|(?:https?://|www\.)\S+|\S+@\S+|[+\d][\d .()/+-]{5,})", re.I)
_GREETING = re.compile(
    r"(?:bonjour|bonsoir|madame|monsieur|mesdames|messieurs|chers?|cheres?|hello|dear|hi|hallo"
    r"|sehr geehrte[rs]?|liebe[rs]?|guten (?:tag|morgen)|mes chers|tous|toutes)\b"
    r"[^.!?:;]{0,80}[,.!:]?"
)
_CLOSING = re.compile(
    r"(?:bien |tres |salutations? |avec mes |meilleures? |sinceres? |respectueuse\w* )*"
    r"(?:cordialement|cdlt|cordiales? (?:salutations?|pensees)|bien a (?:vous|toi|tous)|amicalement"
    r"|amities|bav|sincerement|respectueusement|salutations?|remerciements"
    r"|(?:best|kind|warm) regards|regards|best|sincerely|yours (?:sincerely|faithfully)|mfg"
    r"|cordiali saluti|un saludo|saludos"
    r"|(?:mit )?(?:freundlichen|besten|viele|beste) gru(?:ss|ß)en?)\b[^.!?\n]{0,60}[,.!]?"
)
_PAPER = (
    r"(?:notes?|syntheses?|breves?|rapports?|annexes?|tableaux?|questionnaires?|reponses?|bulletins?"
    r"|documents?|comptes? rendus?|textes?|traductions?|versions?|telegrammes?|fiches?|analyses?"
    r"|elements|contributions?|dossiers?|fichiers?|revues?|courriers?|lettres?|projets?)"
)
_ANNOUNCES = _any(
    r"ci[- ]?(?:jointe?s?|annexee?s?|apres|dessous|incluse?s?)",
    r"pieces?[ -]jointes?",
    r"p\.?j\.?|pjs|sous ce pli",
    r"jointe?s? (?:a|au) (?:ce|cet|cette|mon|notre|present)",
    rf"{_PAPER} (?:\w+ ){{0,6}}(?:est |sont )?jointe?s?(?: [àa]|$|[.,;])",
    r"en (?:attache|attachement|pj|fichier joint|document joint)",
    rf"{_PAPER} .{{0,60}}en annexe|en annexe .{{0,60}}{_PAPER}",
    r"(?:veuillez|vous|voudrez|tu) (?:bien )?(?:trouver\w*|recevrez)",
    r"(?:prie|merci) de (?:bien )?(?:vouloir )?trouver",
    rf"voici .{{0,30}}{_PAPER}",
    r"(?:je|nous) .{0,60}(?:transmets|transmettons|adresse|adressons|envoie|envoyons|communique"
    r"|communiquons|soumets|soumettons|remets|remettons"
    r"|(?:fais|faisons) (?:suivre|parvenir|passer))",
    r"(?:honneur|plaisir|permets|permettons|chargee?) .{0,30}(?:transmettre|adresser|envoyer"
    r"|communiquer|remettre|soumettre|faire (?:suivre|parvenir|tenir|passer))",
    r"de la part d[eu]",
    r"(?:please|kindly) find|attached|enclosed",
    r"anbei|beigefugte?|anhangend|im anhang|in der anlage|in allegato|adjunt[oa]",
)
_REPORTS = re.compile(
    r"\b(?:a|ont) (?!été |bien |demand|souhait|sollicit|valid|visé|sign|rédig|prépar|transmis"
    r"|adress|envoy|fait )(?:\w+ment )?\w+(?:é|i|u|is|it)(?:e?s)?\b"
    r"|\b(?:qui|et|le gouvernement|le parlement|la réforme|la loi|l['’]état) (?:reporte|relève"
    r"|supprime|adopte|annonce|propose|prévoit|crée|instaure|augmente|baisse|recule|saisit|refuse"
    r"|introduit)\b"
)
"""What says something itself, whatever it announces; of a text in small letters, accents kept."""
_POLITE = _any(
    r"(?:restons?|demeurons?|demeure|reste|tiens|tenons) .{0,30}(?:disposition|disponibles?)",
    r"n['’ ]hesite[zr]?s? pas",
    r"bon(?:ne)? (?:reception|lecture|journee|soiree|semaine|fin|week-?end|courage)",
    r"merci|remercie|remercions|remerciant",
    r"pour (?:votre |ton |vos |bonne )?(?:parfaite |complete )?(?:information|info|attribution"
    r"|action|suites?|diffusion|validation|relecture|avis|archivage|reference)",
    r"fyi|fya|zur (?:information|kenntnis)|per informazione",
    r"comme (?:convenu|promis|demande|annonce)",
    r"veuillez (?:agreer|recevoir|croire)",
    r"je vous prie (?:d['’ ]agreer|de (?:recevoir|croire))",
    r"a (?:toutes fins utiles|toute fin utile)",
    r"bien recue?s?|(?:mes|nos) excuses|(?:prie|prions) de m['’]excuser",
    r"(?:en )?vous (?:en )?souhait(?:e|ons|ant)",
    r"dans l['’]attente",
    r"accuser reception",
    r"thank you|thanks|do not hesitate|don['’]t hesitate|vielen dank|grazie|gracias",
)
_DESCRIBES = re.compile(
    r"(?:(?:cette|ces) (?:notes?|syntheses?|breves?|versions?)|celle-ci|celui-ci|elles?|ils?"
    r"|(?:ce|ces) (?:documents?|rapports?|bulletins?)) (?:fait le point|font le point|portent?"
    r"|presente(?:nt)?|traite(?:nt)?|reponde?n?t?|complete(?:nt)?|actualise(?:nt)?|annule(?:nt)?"
    r"|remplace(?:nt)?|fait suite|a ete (?:valide|relu|vise)|ne comporte|reprend)"
)
_NOTICE = _any(
    r"confidentiels?|confidential|destinataires?|expediteur|n['’]imprimez|imprimer ce",
    r"environnement|virus|par erreur|intended (?:recipient|solely)",
    r"sent from my|envoye (?:de|depuis) mon|telecharger outlook|get outlook",
)
_OF_OFFICE = re.compile(
    r"\S@\S|\+?\d[\d .()-]{8,}|\b(?:conseill|attachee?s? |ambassade|consulat|representation"
    r"|delegation|ministere|direction|service|embassy|counsellor|tel\b)"
)
_LABELLED = re.compile(
    r"(?:objet|sujet|ref(?:\.|erences?)?|n/ref\.?|date|de|a|cc|copie|destinataires?|importance"
    r"|p\.?j\.?|pieces?[ -]jointes?|subject|attachments?|poste)\s*(?:\(\d+\)\s*)?:.{0,200}"
)
_FILE = re.compile(r"\S\.(?:docx?|odt|pdf|html?|txt|md|zip|eml|rtf)\b")
_DOCUMENT = re.compile(rf"(?:(?:l[ae]s?|une?|deux|trois|son|sa|ses|notre|nos) |l['’])?{_PAPER}\b")
_BULLET = re.compile(r"\s*(?:[-–—•*·]|\d{1,2}[.)])\s+")
_INITIALS = re.compile(r"(?:[A-Z]\.[ -]?){1,4}")
_SENTENCES = re.compile(r"(?<=[.!?;])\s+(?=[A-ZÀ-Þ«])|\n\s*\n")
_SIGNED = re.compile(r"^(?:--|__+|—)\s*$", re.M)
_FIGURES = re.compile(r"\d\s?%|\d\s?(?:milli|€|euros?\b)|\b\d{1,3}[,.]\d\b")
"""What a sentence that reports has, and none that only announces."""


def only_accompanies(text: str) -> bool:
    """Return whether a text does no more than bring something along.

    An empty one does so too. A sentence must announce a document, describe it in a word, be
    polite or a mark of protection; what stands behind the closing formula must be a signature or
    an office's notice.
    """
    if len(text) > MOST_CHARACTERS:
        return False
    letter, signature = _parted(text.strip())
    if len(letter.split()) > MOST_WORDS:
        return False
    return all(map(_is_of_letter, _sentences(letter))) and all(
        map(_is_of_signature, signature.splitlines())
    )


def _parted(text: str) -> tuple[str, str]:
    """The letter, and what stands behind its closing formula or its `-- `."""
    at = 0
    for line in text.splitlines(keepends=True):
        plain = _folded(line)
        if _SIGNED.match(plain) or _CLOSING.fullmatch(plain):
            return text[:at], text[at + len(line) :]
        at += len(line)
    return _unclosed(text)


def _unclosed(text: str) -> tuple[str, str]:
    """The letter and its signature where no formula parts them: the last lines that end in no sign
    of a sentence."""
    lines = text.splitlines()
    at = len(lines)
    while at > max(0, len(lines) - MOST_LINES) and _is_name(lines[at - 1]):
        at -= 1
    if at == 0 and text and not _OF_OFFICE.search(_folded(text)):
        return text, ""  # a title, say, and nothing that names an office
    return "\n".join(lines[:at]), "\n".join(lines[at:])


def _is_name(line: str) -> bool:
    plain = line.strip()
    if not plain or _ADDRESS.fullmatch(plain) or _INITIALS.fullmatch(plain):
        return True
    return (
        len(plain.split()) <= LONG_SIGNATURE
        and not plain.endswith((".", "!", "?", ";", ":", ","))
        and not _ANNOUNCES.search(_folded(plain))
        and not _BULLET.match(plain)
        and not _FIGURES.search(plain)
        and plain[:1].isupper()
    )


def _sentences(letter: str) -> list[str]:
    """The sentences of a letter, wrapped lines made whole; a short line stands alone."""
    whole: list[str] = []
    for line in letter.splitlines():
        plain = line.strip()
        before = whole[-1] if whole else ""
        wrapped = len(before) >= WRAPPED and not before.endswith((".", "!", "?", ":", ";"))
        if before and (plain[:1].islower() or wrapped) and not _BULLET.match(plain):
            whole[-1] += f" {plain}"
        else:
            whole.append(plain)
    return [each.strip() for line in whole for each in _SENTENCES.split(line) if each.strip()]


def _is_of_letter(sentence: str) -> bool:
    if marks.read_form(sentence) is not None:
        return True
    plain = _folded(_BULLET.sub("", sentence))
    if _GREETING.fullmatch(plain) or _CLOSING.fullmatch(plain) or _LABELLED.fullmatch(plain):
        return True
    if greeting := re.match(r"[^,]{3,40},\s+", plain):
        rest = plain[greeting.end() :]
        if _GREETING.fullmatch(greeting[0].strip()) and rest:
            plain = rest
    words = len(plain.split())
    if words > LONG_SENTENCE or _FIGURES.search(plain):
        return False
    if _BULLET.match(sentence):  # one of the documents that are named
        return bool(_DOCUMENT.match(plain) or _FILE.search(plain))
    if _REPORTS.search(sentence.lower()) or _says_more(plain):
        return False
    said = _ANNOUNCES.search(plain) or _POLITE.search(plain) or _FILE.search(plain)
    return bool(said or _DESCRIBES.match(plain))


def _says_more(plain: str) -> bool:
    """Whether something other than a document is told behind a colon."""
    _, colon, told = plain.partition(" :")
    return bool(colon) and len(told.split()) > MOST_NAMED and not re.search(_PAPER, told)


def _is_of_signature(line: str) -> bool:
    plain = _folded(line)
    if len(plain.split()) <= LONG_SIGNATURE and not plain.startswith(("ps ", "ps:", "p.s")):
        return not _FIGURES.search(plain)
    return bool(_NOTICE.search(plain))


def _folded(text: str) -> str:
    """Small letters without accents, on one line."""
    letters = unicodedata.normalize("NFD", text.casefold())
    return " ".join("".join(c for c in letters if not unicodedata.combining(c)).split())
