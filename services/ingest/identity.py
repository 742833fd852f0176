"""What a note is known by: what of it was guessed, and what its text says against it."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from schemas import vocabulary
from schemas.note import Note
from services.ingest.formats import head
from services.ingest.formats.head import posts

GUESSED = "déduit, à vérifier : "
NO_BODY = "pas de corps : le texte n'a que des lignes d'en-tête"

FIRST_LINE = "première ligne du texte"
FILE_NAME = "nom du fichier"
CITED = "numéro donné sous « Réf. »"
OF_THE_MAIL = "celle du courriel"
OF_THE_COVER = "d'après le courriel d'accompagnement"
OF_THE_FILE = "celle du fichier"
OF_THE_SENDER = "le document n'en donne pas"
DEFAULT = "par défaut"

_NAMES = {
    "subject": "l'objet",
    "reference": "la référence",
    "date": "la date",
    "post": "le poste",
    "genre": "le genre",
}
_TELLING = frozenset({"subject", "reference", "date", "post"})
"""What is worth a warning: nearly no document states its genre."""
_SHOWN = 80
"""Characters of a value that a warning repeats."""
_SHORT = 4_000
"""Characters beyond which a text is more than a header."""
_TOP = 3_000
"""Characters in which a letterhead is looked for."""
_SENTENCE = re.compile(r"^[^:\n]*(?: \S+){7}.*[.!?…;]['\"»)\s]*$", re.M)


def guesses(note: Note | Mapping[str, Any], guessed: Mapping[str, str]) -> tuple[str, ...]:
    """What the sender should know of the fields that were guessed, in French; `guessed` says where
    each was taken from. The note may be one as JSON."""
    if not guessed.keys() & _TELLING:
        return ()
    said = ", ".join(
        f"{_NAMES[name]} ({_value(note, name)}, {guessed[name]})"
        for name in _NAMES
        if name in guessed
    )
    return (f"{GUESSED}{said}",)


def _value(note: Note | Mapping[str, Any], name: str) -> str:
    value = str(getattr(note, name) if isinstance(note, Note) else note[name])
    if name == "genre":
        return vocabulary.genres()[value]
    return value if len(value) <= _SHOWN else value[: _SHOWN - 1] + "…"


def has_body(note: Note) -> bool:
    """Whether the text of a note is more than the lines of a header and its title."""
    if len(note.body) > _SHORT or _SENTENCE.search(note.body):
        return True
    return head.has_body(note.body, note.subject)


def doubts(note: Note, *, dated: bool) -> tuple[str, ...]:
    """What in a note's own header speaks against what it is sent as, in French: another post's
    letterhead; unless it is `dated` by its sender or its header, a date that no calendar has."""
    top = note.body[:_TOP]
    if dated and not _office().search(top):
        return ()
    header = head.read(top)
    return (*_elsewhere(note, header), *(() if dated else _impossible(header)))


def _elsewhere(note: Note, header: head.Head) -> Iterator[str]:
    named = header.fields.get("post")
    if named and named != note.post:
        yield _other(vocabulary.posts()[named].title, note.post)
    elif not named and header.office and not posts.covers(note.post, header.office):
        yield _other(header.office, note.post)


def _other(office: str, post: str) -> str:
    return (
        f"le document porte l'en-tête d'un autre poste ({office}) que celui qui l'envoie "
        f"({vocabulary.posts()[post].city}) : à vérifier"
    )


def _impossible(header: head.Head) -> Iterator[str]:
    if header.impossible:
        yield f"la date du document (« {header.impossible} ») n'existe pas : à rectifier"


@cache
def _office() -> re.Pattern[str]:
    """Words without which no text names a post at its top."""
    cities = "|".join(re.escape(post.city) for post in vocabulary.posts().values())
    return re.compile(
        r"ambassade|consulat|permanente|\brpf?ue\b|\brp\b|\bposte\s*:|\borigine\s*:"
        rf"|\b(?:{cities})\b\W{{1,3}}(?:le\b|\d)|\b(?:de|from|exp[ée]diteur|provenance)\s*:",
        re.I,
    )
