"""Highlights: the passages of a note where the query's words stand, marked, as safe HTML."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape, unescape

from services.search.index import FRAGMENTS, SNIPPET
from services.search.index.analysis import Word, article_length, words

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


def marked_whole(text: str, patterns: Sequence[Pattern], stem: Stem) -> tuple[str, ...]:
    """The whole text with its matches marked; nothing where nothing matches."""
    matches = find(text, patterns, stem)
    return (_render(text, 0, len(text), matches),) if matches else ()


def marked_fragments(
    text: str, patterns: Sequence[Pattern], stem: Stem, most: int = FRAGMENTS, size: int = SNIPPET
) -> tuple[str, ...]:
    """Up to `most` passages of up to `size` characters with most different words, in text order."""
    matches = find(text[:SCANNED], patterns, stem)
    chosen: list[tuple[int, int]] = []
    for _, start, end in sorted(_windows(text, matches, size), reverse=True):
        if all(end <= other or start >= until for other, until in chosen):
            chosen.append((start, end))
        if len(chosen) == most:
            break
    return tuple(_render(text, start, end, matches) for start, end in sorted(chosen))


def find(text: str, patterns: Sequence[Pattern], stem: Stem) -> list[Match]:
    """Where the patterns match, in order of their beginning; a phrase is one match."""
    first_stems: dict[str, list[int]] = {}
    for number, pattern in enumerate(patterns):
        first_stems.setdefault(pattern[0][1], []).append(number)
    standing = list(words(text))
    found: list[Match] = []
    for at, word in enumerate(standing):
        for number in first_stems.get(stem(word.folded), ()):
            pattern = patterns[number]
            if _stands(pattern, standing, at, stem):
                found.append(Match(word.start, standing[at + pattern[-1][0]].end, number))
    return sorted(found, key=lambda match: (match.start, -match.end))


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


def _stands(pattern: Pattern, standing: Sequence[Word], at: int, stem: Stem) -> bool:
    return all(
        at + offset < len(standing) and stem(standing[at + offset].folded) == wanted
        for offset, wanted in pattern[1:]
    )


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
