"""The lines of a document's head, as the document shows them: those of its own part alone."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from services.ingest.formats.text import one_line
from services.runtime.parts import Kind, Part, parts

HEAD_LINES = 40
"""Lines with text in which a header is looked for: the longest letterhead seen has 15."""
LONG_LINE = 500
"""Characters beyond which a line is a paragraph and no header."""
NOT_OWN = frozenset({Kind.QUOTED, Kind.ANNEX, Kind.CONTENTS, Kind.NAVIGATION, Kind.COVER})
"""Parts in which no field of the document's own header stands."""
_EMPHASIS = re.compile(r"[*#>]+|(?<!\w)_+|_+(?!\w)|</?[bi]>")
_HYPHEN = re.compile("(?<=[A-Za-z0-9])\u00ad(?=[A-Za-z0-9])")
_DIGIT = re.compile(r"\d")
_CELLS = re.compile(r"\s*\|\s*|\t+| {3,}")
_SENTENCE = re.compile(r"[.!?…;]['\"»)\s]*$")
_SECTION = re.compile(r"(?:[IVX]{1,5}|\d{1,2}|[A-Z])\s?[.)/–-]\s+\S|\d{1,2}\.\d")
_BULLET = re.compile(r"[-•–*]\s")
FEW_WORDS = 5
"""Words from which a line that ends as a sentence is one."""
MANY_WORDS = 30
"""Words from which a line is a paragraph, however it ends."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line with text: its words, its cells where it lies in columns, whether blank lines stand
    before it, and whether it is of the letterhead as `services.runtime.parts` knows it."""

    text: str
    cells: tuple[str, ...]
    apart: bool
    letterhead: bool

    @property
    def is_sentence(self) -> bool:
        """Whether it ends as a sentence does, or is a paragraph."""
        return self.is_prose or is_sentence(self.text)

    @property
    def is_prose(self) -> bool:
        """Whether it is of the text: a sentence, a long paragraph, a numbered section."""
        if self.letterhead:
            return False
        words = self.text.count(" ") + 1
        sentence = words >= FEW_WORDS and _SENTENCE.search(self.text) is not None
        section = _SECTION.match(self.text) is not None or _BULLET.match(self.text) is not None
        return sentence or words >= MANY_WORDS or (section and words > 1)


def head_lines(text: str) -> Iterator[Line]:
    """The first lines with text of a document's own part, at most HEAD_LINES."""
    # Not all of a long report is cut into lines for its first page.
    top = text[: HEAD_LINES * LONG_LINE]
    found = parts(top)
    left_out = _Ranges([each for each in found if each.kind in NOT_OWN])
    known = _Ranges([each for each in found if each.kind is Kind.LETTERHEAD])
    count, apart, at = 0, False, 0
    for raw in top.splitlines(keepends=True):
        start, at = at, at + len(raw)
        middle = start + (len(raw) - len(raw.lstrip()))
        if left_out.hold(middle):
            apart = True
            continue
        plain = bare(raw)
        if not plain:
            apart = True
            continue
        count += 1
        if count > HEAD_LINES:
            return
        cells = tuple(filter(None, (bare(cell) for cell in _CELLS.split(raw.strip()))))
        yield Line(plain, cells or (plain,), apart, known.hold(middle))
        apart = False


def is_sentence(text: str) -> bool:
    """Whether a line ends as a sentence does."""
    return _SENTENCE.search(text) is not None


def bare(raw: str) -> str:
    """A line's words: no emphasis, single spaces."""
    if "\u00ad" in raw and _DIGIT.search(raw):
        # In a number it is the dash that an old text has for one.
        raw = _HYPHEN.sub("-", raw)
    return one_line(_EMPHASIS.sub("", raw))


class _Ranges:
    """Parts in order, asked for places in order."""

    def __init__(self, of: list[Part]) -> None:
        self._of = of
        self._at = 0

    def hold(self, place: int) -> bool:
        """Whether a place, not before the one asked for last, lies in one of them."""
        while self._at < len(self._of) and self._of[self._at].end <= place:
            self._at += 1
        return self._at < len(self._of) and self._of[self._at].start <= place
