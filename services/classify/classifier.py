"""The classifier: from the text of a note to its tags, each with the evidence for it."""

from functools import cache

from schemas.classification import Classification
from schemas.note import Note
from services.classify import ner
from services.classify.countries import country_tags
from services.classify.gazetteer import gazetteer
from services.classify.lexicon import lexicon
from services.classify.matter import matter
from services.classify.organisations import organisation_tags, organisations
from services.classify.release import RELEASE
from services.classify.text import Folded, fold
from services.classify.themes import theme_tags


def classify(note: Note) -> Classification:
    """All tags of a note; offsets count code points of its subject and body."""
    return classify_texts(note.subject, note.body, note.post)


def classify_texts(subject: str, body: str, post: str | None = None) -> Classification:
    """All tags of a text as it is given, in any Unicode form; either part may be empty.

    Raises Misconfigured where a name needs the language model and that is not installed.
    """
    folded_subject, folded_body = folded(subject, body)
    return Classification(
        release=RELEASE,
        themes=theme_tags(folded_subject, folded_body),
        countries=country_tags(folded_subject, folded_body, post, ner.is_place),
        organisations=organisation_tags(folded_subject, folded_body),
    )


def folded(subject: str, body: str) -> tuple[Folded, Folded]:
    """Subject and body as they are tagged: folded, without what weighs nothing."""
    said = matter(subject, body)
    return fold(said[0], _words()), fold(said[1], _words())


def warm_up() -> None:
    """Load the data files and the language model now: the first note should not wait.

    Raises Misconfigured with one line where the model is missing.
    """
    ner.ready()
    load_data()


def load_data() -> None:
    """Load the data files alone: the model follows where a text first needs it."""
    classify_texts("Réforme des retraites en Allemagne", "Le Bundestag a adopté la réforme.")


@cache
def _words() -> frozenset[str]:
    return lexicon().words | gazetteer().words | organisations().words
