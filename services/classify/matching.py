"""Finding the terms of the data files in a folded text: one automaton, the longest term wins."""

import unicodedata
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from ahocorasick_rs import AhoCorasick

from services.classify.inflect import term_forms
from services.classify.text import Folded, fold, fold_term

EXACT = "="
CAPITAL = "^"
ACCENTS = "~"
CAPITALS = 2
"""A word with so many capitals is an acronym or a proper name: the text must have them too."""

_ARTICLES = frozenset({"La", "Le", "Les", "L"})

MeaningT = TypeVar("MeaningT", bound=Hashable)
Holds = Callable[[MeaningT, Folded, int, int], bool]
"""Whether a term with this meaning counts at words `first` to `last` of a text."""


@dataclass(frozen=True, slots=True)
class Term(Generic[MeaningT]):
    """One form of a term, what it means, and what it asks of the text beside the folded words.

    `capital`: word number `proper`, the first one written with a capital, must have it in the text.
    `acronyms`: words with two capitals or more and their place; so they must stand in the text.
    """

    key: str
    size: int
    surface: str
    capital: bool
    proper: int
    accents: bool
    acronyms: tuple[tuple[int, str], ...]
    meaning: MeaningT

    def admits(self, text: Folded, first: int) -> bool:
        """Whether the original at word `first` has the capitals and accents that the term asks."""
        for place, word in self.acronyms:
            start, end = text.spans[first + place]
            if unicodedata.normalize("NFC", text.text[start:end]) != word:
                return False
        if not (self.capital or self.accents):
            return True
        original = text.surface(first, first + self.size - 1)
        if self.capital and not text.text[text.spans[first + self.proper][0]].isupper():
            return False
        return not self.accents or original.isupper() or _nfc(original) == _nfc(self.surface)


@dataclass(frozen=True, slots=True)
class Match(Generic[MeaningT]):
    """A term found at words `first` to `last`, both included."""

    term: Term[MeaningT]
    first: int
    last: int


def terms(written: str, meaning: MeaningT, *, capital: bool = False) -> Iterable[Term[MeaningT]]:
    """The forms of a term as written in a data file, with its marks (see themes.txt)."""
    exact = accents = False
    while written[0] in EXACT + CAPITAL + ACCENTS:
        exact |= written[0] == EXACT
        capital |= written[0] == CAPITAL
        accents |= written[0] == ACCENTS
        written = written[1:]
    for form in (written,) if exact else term_forms(written):
        key = fold_term(form)
        yield Term(
            key=key,
            size=key.count(" ") + 1,
            surface=form,
            capital=capital,
            proper=_proper(form),
            accents=accents,
            acronyms=_acronyms(form),
            meaning=meaning,
        )


class Matcher(Generic[MeaningT]):
    """All terms of one layer (themes, places, organisations), ready to be found in texts."""

    def __init__(
        self,
        wanted: Iterable[Term[MeaningT]],
        *,
        holds: Holds[MeaningT] | None = None,
        weight: Callable[[MeaningT], float] = lambda _: 0.0,
    ) -> None:
        """`holds` is asked of each occurrence; of equally long ones the heaviest `weight` wins."""
        self._holds = holds
        self._weight = weight
        self._terms: dict[str, list[Term[MeaningT]]] = {}
        for term in wanted:
            known = self._terms.setdefault(term.key, [])
            if term not in known:
                known.append(term)
        self._keys = list(self._terms)
        self._automaton = AhoCorasick([f" {key} " for key in self._keys])

    @property
    def words(self) -> frozenset[str]:
        """All words of the terms: what a word broken at a line's end may be mended to."""
        return frozenset(word for key in self._keys for word in key.split(" "))

    def knows(self, key: str) -> bool:
        """Whether a folded word is a term."""
        return key in self._terms

    def __len__(self) -> int:
        return len(self._keys)

    def find(self, text: Folded) -> list[Match[MeaningT]]:
        """Matches that do not overlap, in order; of those that do, the longest, the heaviest, the
        first.

        Terms of the same words with different meanings are all given.
        """
        found: list[tuple[int, int, list[Term[MeaningT]]]] = []
        for key, start, _end in self._automaton.find_matches_as_indexes(
            text.line, overlapping=True
        ):
            first = text.places[start + 1]
            admitted = [
                term for term in self._terms[self._keys[key]] if self._admits(term, text, first)
            ]
            if admitted:
                found.append((first, admitted[0].size, admitted))
        return self._longest(found)

    def _admits(self, term: Term[MeaningT], text: Folded, first: int) -> bool:
        if not term.admits(text, first):
            return False
        return self._holds is None or self._holds(term.meaning, text, first, first + term.size - 1)

    def _longest(
        self, found: Sequence[tuple[int, int, list[Term[MeaningT]]]]
    ) -> list[Match[MeaningT]]:
        matches: list[Match[MeaningT]] = []
        taken: set[int] = set()
        for first, size, admitted in sorted(
            found,
            key=lambda item: (-item[1], -max(self._weight(t.meaning) for t in item[2]), item[0]),
        ):
            words = range(first, first + size)
            if taken.isdisjoint(words):
                taken.update(words)
                matches.extend(Match(term, first, first + size - 1) for term in admitted)
        return sorted(matches, key=lambda match: match.first)


def _nfc(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).lower().replace("’", "'").split())


def _proper(form: str) -> int:
    words = [form[start:end] for start, end in fold(form).spans]
    return next(
        (n for n, word in enumerate(words) if word[0].isupper() and word not in _ARTICLES), 0
    )


def _acronyms(form: str) -> tuple[tuple[int, str], ...]:
    words = (form[start:end] for start, end in fold(form).spans)
    return tuple(
        (place, word)
        for place, word in enumerate(words)
        if sum(char.isupper() for char in word) >= CAPITALS
    )
