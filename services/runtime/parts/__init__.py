"""The parts of a document that are not its own text: what a text begins and ends with, what it
quotes, what stands round it.

One place knows them, for all who read a text: its header is read from its own part, tags are given
for it, excerpts begin with it.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from services.runtime.parts import ending
from services.runtime.parts.letterhead import is_letterhead, letterhead, names_subject
from services.runtime.parts.lines import Line, lines
from services.runtime.parts.quoted import Range, introduction, quoted, united

__all__ = ["Kind", "Part", "is_letterhead", "own_words", "parts", "parts_of_quoted", "without"]


_WORD = re.compile(r"[^\W\d_]\S*")


class Kind(StrEnum):
    """What a part of a document is."""

    LETTERHEAD = "letterhead"
    """Office, dateline, reference, addressees; not what stands between them, as a title."""
    SUBJECT = "subject"
    """The lines that name the subject in the letterhead: the document's own words."""
    QUOTED = "quoted"
    """Another message: what is answered or forwarded."""
    NAVIGATION = "navigation"
    """Menus, links and headlines round a copied page."""
    SIGNATURE = "signature"
    """The closing formula and what follows it, the legal notice too."""
    CONTENTS = "contents"
    """A table of contents."""
    ANNEX = "annex"
    """The first annex and all that follows: the document's own matter, but none of its header."""
    COVER = "cover"
    """Sentences that only say what comes with the document, and courtesies beside them."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a text, from `start` to `end` in code points."""

    kind: Kind
    start: int
    end: int


def parts(body: str) -> tuple[Part, ...]:
    """The parts of a text, apart from each other and in order; what is in none is its own text.

    Never raises; takes time in proportion to the text.
    """
    found = _Laid(len(body))
    found.lay(Kind.QUOTED, quoted(body))
    begun = _top(body, found)
    _lay_contents(body, found, begun)
    end = _lay_annex(body, found, begun)
    _lay_ending(body, found, begun, end)
    found.lay(Kind.NAVIGATION, ending.menus(body, found.free(begun, end)))
    return tuple(Part(kind, start, stop) for start, stop, kind in found.laid)


def parts_of_quoted(body: str, quote: Part) -> tuple[Part, ...]:
    """The parts of a message that a text quotes, by their place in that text: the lines that
    introduce it are its letterhead and its subject. Of lines with a `>` nothing is told apart.
    """
    start = introduction(body, quote.start, quote.end)
    opening = (
        Part(Kind.SUBJECT if names_subject(line.text) else Kind.LETTERHEAD, line.start, line.end)
        for line in lines(body, quote.start, start)
    )
    if start == quote.start:
        return ()
    inside = parts(body[start : quote.end])
    return (*opening, *(Part(part.kind, part.start + start, part.end + start) for part in inside))


def without(body: str, left_out: Iterable[Part]) -> str:
    """The text with these parts as blanks: every other character stays where it is."""
    pieces: list[str] = []
    at = 0
    for part in left_out:
        pieces += [body[at : part.start], " " * (part.end - part.start)]
        at = part.end
    return "".join([*pieces, body[at:]])


def own_words(body: str, found: Iterable[Part]) -> int:
    """How many words a text has beyond its parts: none or two, and it only brings something."""
    return len(_WORD.findall(without(body, found)))


class _Laid:
    """What of a text is in parts already: what is laid later goes where nothing is yet."""

    def __init__(self, length: int) -> None:
        self._length = length
        self.laid: list[tuple[int, int, Kind]] = []

    def lay(self, kind: Kind, ranges: Iterable[Range]) -> None:
        """Add parts of a kind where the text is free."""
        free = self.free(0, self._length)
        at = 0
        for start, end in united(each for each in ranges if each[0] < each[1]):
            while at < len(free) and free[at][1] <= start:
                at += 1
            here = at
            while here < len(free) and free[here][0] < end:
                self.laid.append((max(start, free[here][0]), min(end, free[here][1]), kind))
                here += 1
        self.laid.sort()

    def free(self, start: int, end: int) -> list[Range]:
        """What between two places is in no part, in order."""
        found: list[Range] = []
        for first, last, _ in self.laid:
            if first >= end:
                break
            if first > start:
                found.append((start, first))
            start = max(start, last)
        if start < end:
            found.append((start, end))
        return found


def _top(body: str, found: _Laid) -> int:
    """Lay the letterhead; where the text after it begins."""
    free = found.free(0, len(body))
    if not free or free[0][0]:
        return 0
    top = letterhead(body, free[0][1])
    found.lay(Kind.LETTERHEAD, _joined(body, top.heads))
    found.lay(Kind.SUBJECT, _joined(body, top.subjects))
    return top.end


def _joined(body: str, of: Iterable[Line]) -> list[Range]:
    """Where lines stand, those with nothing but blanks between them as one range."""
    found: list[Range] = []
    for line in of:
        if found and not body[found[-1][1] : line.start].strip():
            found[-1] = (found[-1][0], line.end)
        else:
            found.append((line.start, line.end))
    return found


def _lay_contents(body: str, found: _Laid, begun: int) -> None:
    found.lay(
        Kind.CONTENTS,
        [
            each
            for start, end in found.free(begun, len(body))
            for each in ending.contents(body, start, end)
        ],
    )


def _lay_annex(body: str, found: _Laid, begun: int) -> int:
    """Lay the annexes; where the text before them ends."""
    for start, end in found.free(begun, len(body)):
        at = ending.annex(body, start, end)
        if at < end:
            found.lay(Kind.ANNEX, [(at, len(body))])
            return at
    return len(body)


def _lay_ending(body: str, found: _Laid, begun: int, end: int) -> None:
    """Lay the signature, at the end of the document's last own text, and what only covers."""
    for start, stop in reversed(found.free(begun, end)):
        if written := len(body[start:stop].rstrip()):
            at = ending.signature(body, start, start + written)
            found.lay(Kind.SIGNATURE, [(at, start + written)])
            break
    courteous = any(kind is Kind.QUOTED for _, _, kind in found.laid)
    free = found.free(0, end)
    found.lay(Kind.COVER, ending.cover(body, free, courteous=courteous))
