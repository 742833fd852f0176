"""Finding the terms of the data files in a folded text: one automaton, the longest term wins."""

import unicodedata
from bisect import bisect_left
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from ahocorasick_rs import AhoCorasick

from services.classify.inflect import term_forms
from services.classify.text import Folded, fold

EXACT = "="
CAPITAL = "^"
ACCENTS = "~"
CAPITALS = 2
"""A word with so many capitals is an acronym or a proper name: the text must have them too."""

NEAR = 30
"""Words on each side in which `with` and `unless` look: about two sentences."""

_ARTICLES = frozenset({"La", "Le", "Les", "L"})

MeaningT = TypeVar("MeaningT", bound=Hashable)
Window = Callable[[MeaningT], tuple[frozenset[str], frozenset[str]]]
"""The folded expressions of which one must, and none may, stand near a term with this meaning."""


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
        folded = fold(form)
        words = [form[start:end] for start, end in folded.spans]
        yield Term(
            key=" ".join(folded.words),
            size=len(words),
            surface=form,
            capital=capital,
            proper=_proper(words),
            accents=accents,
            acronyms=_acronyms(words),
            meaning=meaning,
        )


class Near:
    """Where some folded expressions stand in one text, found once: asking costs little, however
    often a term with conditions comes.
    """

    def __init__(self, automaton: AhoCorasick, keys: Sequence[str], text: Folded) -> None:
        self._places: dict[str, list[int]] = {}
        for key, start, _end in automaton.find_matches_as_indexes(text.line, overlapping=True):
            self._places.setdefault(keys[key], []).append(text.places[start + 1])
        self._present = frozenset(self._places)

    def any(self, keys: frozenset[str], first: int, last: int) -> bool:
        """Whether one of them stands within NEAR words of the words `first` to `last`."""
        return any(self._one(key, first, last) for key in self._present & keys)

    def _one(self, key: str, first: int, last: int) -> bool:
        beyond = key.count(" ")
        places = self._places[key]
        before = bisect_left(places, first - NEAR)
        if before < len(places) and places[before] + beyond < first:
            return True
        after = bisect_left(places, last + 1)
        return after < len(places) and places[after] + beyond <= last + NEAR


class Matcher(Generic[MeaningT]):
    """All terms of one layer (themes, places, organisations), ready to be found in texts."""

    def __init__(
        self,
        wanted: Iterable[Term[MeaningT]],
        *,
        conditions: Window[MeaningT] | None = None,
        weight: Callable[[MeaningT], float] = lambda _: 0.0,
    ) -> None:
        """Terms count where their `conditions` hold; of equally long ones the heaviest `weight`
        wins.
        """
        self._conditions = conditions
        self._weight = weight
        self._terms: dict[str, list[Term[MeaningT]]] = {}
        for term in wanted:
            known = self._terms.setdefault(term.key, [])
            if term not in known:
                known.append(term)
        self._keys = list(self._terms)
        self._automaton = AhoCorasick([f" {key} " for key in self._keys])
        asked = (
            (conditions(t.meaning) for many in self._terms.values() for t in many)
            if conditions
            else ()
        )
        self._asked = sorted({key for needs, unless in asked for key in needs | unless})
        self._asking = AhoCorasick([f" {key} " for key in self._asked])

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
        near: Near | None = None
        for key, start, _end in self._automaton.find_matches_as_indexes(
            text.line, overlapping=True
        ):
            first = text.places[start + 1]
            admitted = [each for each in self._terms[self._keys[key]] if each.admits(text, first)]
            if self._conditions and any(any(self._conditions(each.meaning)) for each in admitted):
                near = near or Near(self._asking, self._asked, text)
                admitted = [each for each in admitted if self._holds(each, near, first)]
            if admitted:
                found.append((first, admitted[0].size, admitted))
        return self._longest(found)

    def _holds(self, term: Term[MeaningT], near: Near, first: int) -> bool:
        if self._conditions is None:
            return True
        needs, unless = self._conditions(term.meaning)
        last = first + term.size - 1
        if unless and near.any(unless, first, last):
            return False
        return not needs or near.any(needs, first, last)

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


def _proper(words: Sequence[str]) -> int:
    return next(
        (n for n, word in enumerate(words) if word[0].isupper() and word not in _ARTICLES), 0
    )


def _acronyms(words: Sequence[str]) -> tuple[tuple[int, str], ...]:
    return tuple(
        (place, word)
        for place, word in enumerate(words)
        if not word.islower() and sum(map(str.isupper, word)) >= CAPITALS
    )
