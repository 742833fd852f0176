"""The labels of a header's fields, in the words that administrations use for them."""

import re
from dataclasses import dataclass

from services.ingest.formats.head.folding import folded

_LABELS = {
    "subject": "objet|sujet|titre|intitule|subject|object|theme de la note|objet de la note",
    "reference": "reference|n/ref|n/reference|n/references|nos ref|notre ref|notre reference"
    "|nos references|numero|n°|note n°|reference de la note|numero de la note|telegramme n°|nd n°"
    "|ndi|ndi n°|td|td n°|nd|numero d'ordre|n° d'ordre|numero de reference|bulletin n°|numero du td"
    "|reference interne|reference du document|notre numero|depeche n°|message n°|rapport n°",
    "cited": "ref|refs|references",
    "cites": "v/ref|v/reference|vos ref|votre ref|votre reference|vos references|voir|cf"
    "|en reponse a|suite a|reponse a|references citees|notes citees|textes de reference",
    "date": "date|date de la note|fait le|en date du|date du document|date d'emission|emis le|le"
    "|date de redaction|redige le|envoye le|date d'envoi|mise a jour|mise a jour le|mis a jour le"
    "|derniere mise a jour|date de mise a jour|etabli le",
    "post": "poste|origine|provenance|poste emetteur|poste expediteur",
    "sender": "de|from|expediteur|expeditrice|emetteur|emettrice|service emetteur",
    "author": "auteur|auteure|autrice|auteurs|redacteur|redactrice|redacteurs|redige par"
    "|redaction|auteur de la note|redacteur de la note|auteur(s)|redacteur(s)|redacteur/redactrice",
    "signatory": "signataire|signe|signe par|affaire suivie par|dossier suivi par|suivi par"
    "|signature|agent traitant|redige et signe par|conseiller|conseillere",
    "addressees": "a|to|pour|destinataire|destinataires|destinataire(s)|a l'attention de"
    "|pour information|information|info|destinataires en copie|copie|copies|copie a|copies a|cc"
    "|copie pour information|copie(s)|destinataires principaux|diffuse a|liste de diffusion|attn",
    "acting": "pour action|action|pour attribution|attribution|pour suite a donner"
    "|destinataires pour action|destinataire pour action|pour attribution et action",
    "genre": "genre|type|nature|type de document|nature du document|categorie|type de note"
    "|genre de document",
    "expected": "suite a donner|suite attendue|suites attendues|suites a donner|traitement",
}
_NAME_OF = {label: name for name, labels in _LABELS.items() for label in labels.split("|")}
_SIGNED = re.compile(r"([^:|\d]{1,40}?)\s*:\s*(.*)", re.S)
_DASHED = re.compile(r"(objet|sujet|titre|intitul[ée])\s+[-–—]\s+(.*)", re.I)
_NUMBERED = re.compile(
    r"((?:n|nos|notre)\s?[/ ]\s?r[ée]f(?:[ée]rence)?s?\.?|r[ée]f(?:[ée]rence)?s?\.?|td|ndi|nd)\s+"
    r"((?:n\s?[°º]\s?)?(?:[A-Z]{2,12}[ ])?\S*\d\S*)",
    re.I,
)
_ALONE = frozenset(
    {"subject", "reference", "cited", "date", "post", "addressees", "author", "acting"}
)
_WORDS = frozenset(
    {
        *("a", "de", "to", "from", "pour", "le", "action", "nd", "td", "info", "redaction"),
        *("titre", "sujet"),
    }
)
"""Labels that are ordinary words: a line of them alone needs its colon."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """A line or a cell that begins with a label: the field's name, and what stands after it.

    `sure`: a sign parts the two; else the label is the whole of the line.
    """

    name: str
    label: str
    value: str
    sure: bool = True


def read(text: str) -> Labelled | None:
    """The label that a line or a cell begins with and its value; None where it has none."""
    for form in (_SIGNED, _DASHED, _NUMBERED):
        if (found := form.fullmatch(text)) and (name := _name(found[1])):
            return Labelled(name, _plain(found[1]), found[2].strip())
    plain = _plain(text)
    name = _NAME_OF.get(plain, "")
    if name in _ALONE and plain not in _WORDS:
        return Labelled(name, plain, "", sure=False)
    return None


def _name(label: str) -> str:
    return _NAME_OF.get(_plain(label), "")


def _plain(label: str) -> str:
    plain = folded(label).strip(" .*-")
    return plain.replace(" / ", "/").replace("n / ", "n/").replace("ref.", "ref")
