"""Highlights: the passages of a note where the query's words stand, marked, as safe HTML."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape, unescape
from itertools import accumulate, islice

from services.search.index import FRAGMENTS, SNIPPET
from services.search.index.analysis import article_length, folded_form, words, words_as_written

OPEN, CLOSE = "<mark>", "</mark>"
CONTEXT = 60
"""Characters shown before a fragment's first mark: enough to read into it, most of the 200 left
for what follows."""
SCANNED = 200_000
"""Characters of a body that are looked through: all of any report seen (73,000) and a bound on
the time that one hit can take."""

PIECES_KEPT = 50_000
"""Pieces of text between spaces whose words are remembered from search to search: some 15 MB."""
LONGEST_KEPT = 100
"""Characters of a piece that is remembered: longer ones are addresses and mischief."""

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
    """Marks the passages of texts that match any of the patterns.

    What is learnt about a piece of text is kept: one marker for all the hits of a page.
    """

    def __init__(self, patterns: Sequence[Pattern], stem: Stem) -> None:
        """`stem` gives the stem of a folded word, as in the patterns."""
        self._patterns = patterns
        self._stem = stem
        self._openings = _Openings(_Beginning(patterns, stem))

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
        # No word goes over a space: pieces between spaces can be known by heart, and a text is cut
        # into them some ten times faster than into words.
        pieces = text.replace("\n", " ").split(" ")
        opening = [at for at, piece in enumerate(pieces) if self._openings[piece]]
        if not opening:
            return []
        ends = list(accumulate(map(len, pieces)))
        found = []
        for at in opening:
            for offset, length, number in self._openings[pieces[at]]:
                start = ends[at] - len(pieces[at]) + at + offset
                end = self._end(text, start, length, self._patterns[number])
                if end is not None:
                    found.append(Match(start, end, number))
        return sorted(found, key=lambda match: (match.start, -match.end))

    def _end(self, text: str, start: int, length: int, pattern: Pattern) -> int | None:
        """Where a match ends whose first word stands at `start`; None where the rest is absent."""
        if len(pattern) == 1:
            return start + length
        last, _ = pattern[-1]
        row = list(islice(words(text, start), last + 1))
        if len(row) <= last or any(self._stem(row[at].folded) != stem for at, stem in pattern):
            return None
        return row[last].end


class _Beginning(dict[str, tuple[int, ...]]):
    """The numbers of the patterns that a written word begins."""

    def __init__(self, patterns: Sequence[Pattern], stem: Stem) -> None:
        super().__init__()
        self._stem = stem
        self._by_stem: dict[str, tuple[int, ...]] = {}
        for number, pattern in enumerate(patterns):
            first = pattern[0][1]
            self._by_stem[first] = (*self._by_stem.get(first, ()), number)

    def __missing__(self, written: str) -> tuple[int, ...]:
        numbers = self[written] = self._by_stem.get(self._stem(folded_form(written)), ())
        return numbers


class _Openings(dict[str, tuple[tuple[int, int, int], ...]]):
    """The words of a piece of text that begin a pattern: (offset, length, pattern's number)."""

    def __init__(self, beginning: _Beginning) -> None:
        super().__init__()
        self._beginning = beginning

    def __missing__(self, piece: str) -> tuple[tuple[int, int, int], ...]:
        found = []
        for written, offset in _pieces[piece]:
            for number in self._beginning[written]:
                found.append((offset, len(written), number))
        openings = self[piece] = tuple(found)
        return openings


class _Pieces(dict[str, tuple[tuple[str, int], ...]]):
    """The words of each piece of text seen, as they are written, with their offsets."""

    def __missing__(self, piece: str) -> tuple[tuple[str, int], ...]:
        found = tuple(words_as_written(piece))
        if len(piece) <= LONGEST_KEPT:
            if len(self) >= PIECES_KEPT:
                self.clear()
            self[piece] = found
        return found


_pieces = _Pieces()


def tidy(fragment: str, size: int | None = None) -> str:
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
        article = article_length(text) if inside else 0
        pieces.append(escape(text[:article]) + _mark(text[article:], inside))
    return "".join(pieces)


def _windows(
    text: str, matches: Sequence[Match], size: int
) -> Iterable[tuple[tuple[int, int, int], int, int]]:
    """(rank, start, end) of the passage that each match opens."""
    for at, match in enumerate(matches):
        start = _word_start(text, max(0, match.start - CONTEXT), match.start)
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
