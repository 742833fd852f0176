"""The language of a note whose sender does not state it, found by its first lines.

py3langid (BSD; a fork of langid.py, Lui and Baldwin 2012) reads the bytes of a text and gives each
language its probability; no network, the same answer to the same text. Whatever is not clearly
another language is French.
"""

from functools import cache
from typing import TYPE_CHECKING

from schemas.note import Note
from schemas.vocabulary import FRENCH, language_code, languages

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

READ = 3_000
"""Characters of the body that are read, in a millisecond; enough for all texts measured."""
SHORTEST = 20
"""Bytes (UTF-8) of a text that may be another language than French: less is a word or a code."""
CLEARLY = 20.0
"""How much more probable than French another language must be. Of 4,687 French titles six go
to another language (five of them are in English, in truth), of 112 subjects in 18 other languages
one goes to French; of 3,408 French texts none goes elsewhere (docs/adr/0009)."""

_ALSO_TOLD_APART = ("nn",)
"""Codes of the model beside those of schemas/data/languages.json: Nynorsk is Norwegian here."""


def stated_or_found(note: Note, defaulted: frozenset[str]) -> tuple[Note, frozenset[str]]:
    """The note with its language, and the fields that nobody stated.

    A language that the sender states is taken as it is; one that was found is a defaulted field,
    and so no part of the content hash.
    """
    if "language" in note.model_fields_set:
        return note, defaulted
    found = language_of(note.subject, note.body)
    return note.model_copy(update={"language": found}), defaulted | {"language"}


def language_of(subject: str, body: str) -> str:
    """The ISO 639-1 code of the language in which this is written; `fr` where that is not clear."""
    text = f"{subject}\n{body[:READ]}"
    if len(text.encode()) < SHORTEST:
        return FRENCH
    probable = dict(_identifier().rank(text))
    found = max(probable, key=probable.__getitem__)
    if found == FRENCH or probable[found] < CLEARLY * probable[FRENCH]:
        return FRENCH
    return language_code(str(found))


def warnings(note: Note, defaulted: frozenset[str]) -> tuple[str, ...]:
    """What the sender of this note should know of its language, in French."""
    if "language" not in defaulted or note.language == FRENCH:
        return ()
    return (
        f"langue reconnue : {languages()[note.language]} (pour en indiquer une autre, donner le "
        "champ « language »)",
    )


def load() -> None:
    """Read the model now: the first note should not wait for it."""
    _identifier()


@cache
def _identifier() -> "LanguageIdentifier":
    from py3langid.langid import (  # noqa: PLC0415  (the command line does without it)
        MODEL_FILE,
        LanguageIdentifier,
    )

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages([*languages(), *_ALSO_TOLD_APART])
    return identifier
