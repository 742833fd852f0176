"""Highlights: the passages of a note where the query's words stand, marked, as safe HTML."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape, unescape
from itertools import accumulate, islice

from services.search.index import FRAGMENTS, SNIPPET
from services.search.index.analysis import (
    FRENCH,
    LONGEST_KEPT,
    PIECES_KEPT,
    Chain,
    article_length,
    folded_form,
    pieces_of,
    words,
    words_as_written,
)

OPEN, CLOSE = "<mark>", "</mark>"
CONTEXT = 60
"""Characters shown before a fragment's first mark: enough to read into it, most of the 200 left
for what follows."""
SCANNED = 200_000
"""Characters of a body that are looked through: all of any report seen (73,000) and a bound on
the time that one hit can take."""

Pattern = tuple[tuple[int, str], ...]
"""Stems in a row with their distance from the first: one pair for a word, several for a phrase."""
Stem = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Match:
    """A stretch of text to mark, in code points, and the pattern that it matches."""

    start: int
    end: int
    pattern: int


class Marker:
    """Marks the passages of texts that match any of the patterns: one for the hits of a page."""

    def __init__(self, patterns: Sequence[Pattern], stem: Stem, chain: Chain = FRENCH) -> None:
        """`stem` gives the stem of a folded word, as in the patterns; `chain` makes the words."""
        self._patterns = patterns
        self._stem = stem
        self._chain = chain
        self._known = _known(stem, chain)
        self._by_first: dict[str, list[int]] = {}
        for number, pattern in enumerate(patterns):
            self._by_first.setdefault(pattern[0][1], []).append(number)

    def whole(self, text: str) -> tuple[str, ...]:
        """The whole text with its matches marked; nothing where nothing matches."""
        matches = self.find(text)
        return (_render(text, 0, len(text), matches),) if matches else ()

    def fragments(self, text: str, most: int = FRAGMENTS, size: int = SNIPPET) -> tuple[str, ...]:
        """Up to `most` passages of `size` characters with most different words, in text order."""
        matches = self.find(text[:SCANNED])
        chosen: list[tuple[int, int]] = []
        for _, start, end in sorted(_windows(text, matches, size), reverse=True):
            if all(end <= other or start >= until for other, until in chosen):
                chosen.append((start, end))
            if len(chosen) == most:
                break
        return tuple(_render(text, start, end, matches) for start, end in sorted(chosen))

    def find(self, text: str) -> list[Match]:
        """Where the patterns match, in order of their beginning; a phrase is one match."""
        pieces = pieces_of(text)
        opening = self._openings(set(pieces))
        if not opening:
            return []
        ends = list(accumulate(map(len, pieces)))
        found = []
        for at in [at for at, piece in enumerate(pieces) if piece in opening]:
            for offset, length, number in opening[pieces[at]]:
                start = ends[at] - len(pieces[at]) + at + offset
                end = self._end(text, start, length, self._patterns[number])
                if end is not None:
                    found.append(Match(start, end, number))
        return sorted(found, key=lambda match: (match.start, -match.end))

    def _openings(self, pieces: set[str]) -> dict[str, list[tuple[int, int, int]]]:
        """The words of these pieces that begin a pattern: (offset, length, pattern's number)."""
        there = self._known.places(pieces, self._by_first)
        found: dict[str, list[tuple[int, int, int]]] = {}
        for stem, places in there.items():
            for piece, words_there in places.items():
                found.setdefault(piece, []).extend(
                    (offset, length, number)
                    for offset, length in words_there
                    for number in self._by_first[stem]
                )
        return found

    def _end(self, text: str, start: int, length: int, pattern: Pattern) -> int | None:
        """Where a match ends whose first word stands at `start`; None where the rest is absent."""
        if len(pattern) == 1:
            return start + length
        last, _ = pattern[-1]
        row = list(islice(words(text, start, chain=self._chain), last + 1))
        if len(row) <= last or any(self._stem(row[at].folded) != stem for at, stem in pattern):
            return None
        return row[last].end


Places = tuple[tuple[int, int], ...]
"""Where a stem's words stand in a piece of text: (offset, length) of each."""


class _Known:
    """The pieces of text seen, by the stems of their words: a page's hits, and those of the next
    search, consist nearly all of pieces that were seen before."""

    def __init__(self, stem: Stem, chain: Chain) -> None:
        self._stem = stem
        self._chain = chain
        self._seen = _Seen()

    def places(self, pieces: set[str], stems: Iterable[str]) -> dict[str, dict[str, Places]]:
        """Per stem, the pieces that hold it and where."""
        # One reference for all of it: another thread may begin a new memory meanwhile.
        seen = self._seen
        if len(seen.pieces) > PIECES_KEPT:
            seen = self._seen = _Seen()
        passing: dict[str, dict[str, Places]] = {}
        for piece in pieces - seen.pieces:
            kept = len(piece) <= LONGEST_KEPT
            for stem, places in self._read(piece).items():
                (seen.by_stem if kept else passing).setdefault(stem, {})[piece] = places
            # Last: whoever finds the piece here finds its words above.
            if kept:
                seen.pieces.add(piece)
        found: dict[str, dict[str, Places]] = {}
        for stem in stems:
            known = seen.by_stem.get(stem, {})
            here = {piece: known[piece] for piece in pieces.intersection(list(known))}
            found[stem] = here | passing.get(stem, {})
        return found

    def _read(self, piece: str) -> dict[str, Places]:
        found: dict[str, list[tuple[int, int]]] = {}
        for written, offset in words_as_written(piece, self._chain):
            stem = self._stem(folded_form(written, self._chain))
            found.setdefault(stem, []).append((offset, len(written)))
        return {stem: tuple(places) for stem, places in found.items()}


class _Seen:
    """A memory of pieces: what was read of each, by stem."""

    def __init__(self) -> None:
        self.pieces: set[str] = set()
        self.by_stem: dict[str, dict[str, Places]] = {}


@cache
def _known(stem: Stem, chain: Chain) -> _Known:
    return _Known(stem, chain)


def tidy(fragment: str, size: int | None = None, *, chain: Chain = FRENCH) -> str:
    """An engine's fragment in the form of our own: elided articles outside the marks, one way of
    escaping, and no more than `size` characters of text."""
    pieces = []
    inside = False
    left = len(fragment) if size is None else size
    for part in re.split(f"({OPEN}|{CLOSE})", fragment):
        if part in (OPEN, CLOSE):
            inside = part == OPEN
            continue
        text = unescape(part)[:left]
        left -= len(text)
        article = article_length(text, chain) if inside else 0
        pieces.append(escape(text[:article]) + _mark(text[article:], inside))
    return "".join(pieces)


def _windows(
    text: str, matches: Sequence[Match], size: int
) -> Iterable[tuple[tuple[int, int, int], int, int]]:
    """(rank, start, end) of the passage that each match opens."""
    for at, match in enumerate(matches):
        earliest = max(0, match.start - CONTEXT)
        # What stands above the match's own paragraph says nothing of it.
        gap = text.rfind("\n\n", earliest, match.start)
        start = _word_start(text, earliest if gap < 0 else gap + 2, match.start)
        end = _word_end(text, min(len(text), start + size), min(match.end, start + size))
        inside = []
        for other in matches[at:]:
            if other.end > end:
                break
            inside.append(other.pattern)
        yield (len(set(inside)), len(inside), -start), start, end


def _word_start(text: str, at: int, latest: int) -> int:
    if at == 0 or text[at - 1].isspace():
        return at
    while at < latest and not text[at].isspace():
        at += 1
    while at < latest and text[at].isspace():
        at += 1
    return at


def _word_end(text: str, at: int, earliest: int) -> int:
    if at < len(text) and not text[at].isspace():
        while at > earliest and not text[at - 1].isspace():
            at -= 1
    while at > earliest and text[at - 1].isspace():
        at -= 1
    return at


def _render(text: str, start: int, end: int, matches: Sequence[Match]) -> str:
    pieces = []
    at = start
    for match in matches:
        begin, until = max(match.start, at), min(match.end, end)
        if begin < until:
            pieces += [escape(text[at:begin]), _mark(text[begin:until], True)]
            at = until
    return "".join(pieces) + escape(text[at:end])


def _mark(text: str, marked: bool) -> str:
    return f"{OPEN}{escape(text)}{CLOSE}" if marked and text else escape(text)
