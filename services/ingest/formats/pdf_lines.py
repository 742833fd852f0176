"""The lines of a PDF's page: what stands at one height, cells apart, small raised figures known.

PDFium parts lines where a sign stands higher, and puts what stands beside in any order: here a line
is whole again.
"""

import ctypes
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import median

import pypdfium2.raw as pdfium

from services.ingest.formats import raised
from services.ingest.formats.blocks import SEPARATOR

CELL_GAP = 1.6
"""Of the letters' size, between words, from which they stand in two columns of a table."""
WORD_GAP = 0.12
"""Of the letters' size, between two pieces of a line, from which a space stands there."""
RAISED_BY = 0.12
"""Of the letters' size, from which a smaller figure is raised."""
SMALLER = 0.92
"""Of the letters' size, up to which a figure is small; so is the text of a footnote."""
HYPHEN = "\x02"
"""PDFium's sign for a hyphen at the end of a line, after which it goes on with the next one."""
_HYPHENS = (2, 0xFFFE)
LONGEST_LABEL = 10
LABEL = re.compile(r"(?:\d{1,2}|[A-Za-z]|[ivxIVX]{1,5}|\d{1,2}(?:\.\d{1,2}){1,3})[.)]|[•▪■●◦‣–—-]")
"""What stands before an item, however far from it."""
_CLOSE = (".", ",", ")", "]", " ", raised.UP)
_FIGURES = re.compile(r"[(\[]?\d{1,3}[)\]]?")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a page: its text, its box (y grows upwards), its letters' size, cells or not, and
    where the last of its cells begins."""

    text: str
    left: float
    right: float
    base: float
    size: float
    row: bool = False
    cell: float = 0.0


def lines(page: object) -> Iterator[Line]:
    """The lines of a page in the order of its text, what stands side by side as one."""
    waiting: Line | None = None
    for line in _runs(page):
        both = _together(waiting, line) if waiting is not None else None
        if waiting is not None and both is None:
            yield replace(waiting, text=raised.plain(waiting.text))
        waiting = both or line
    if waiting is not None:
        yield replace(waiting, text=raised.plain(waiting.text))


def top_first(found: Sequence[Line]) -> list[Line]:
    """The lines of a page with those first that a file writes last and places above all others, in
    letters as large: a letterhead in a frame."""
    if not found:
        return []
    above = found[0].base + 0.5 * found[0].size
    large = SMALLER * median(line.size for line in found)
    at = len(found)
    while at > 1 and found[at - 1].base > above and found[at - 1].size >= large:
        at -= 1
    return [*found[at:], *found[:at]]


def _together(one: Line, other: Line) -> Line | None:
    """Two pieces of one line as one; None where they are two lines."""
    gap = other.left - one.right
    if one.text.endswith(HYPHEN):
        return None
    if abs(one.base - other.base) < 0.3 * one.size:
        if gap > one.size:
            before = one.text.rstrip()
            if LABEL.fullmatch(before.strip()):
                return replace(one, text=f"{before} {other.text}", right=other.right)
            cell = other.cell if other.row else other.left
            text = f"{before}{SEPARATOR}{other.text}"
            return replace(one, text=text, right=other.right, row=True, cell=cell)
        if abs(gap) < one.size and abs(one.size - other.size) < 0.2 * one.size:
            apart = gap > WORD_GAP * one.size and other.text[:1] not in _CLOSE
            space = " " if apart and not one.text.endswith(" ") else ""
            text = f"{one.text}{space}{other.text}"
            return replace(one, text=text, right=other.right, row=one.row or other.row)
        return None
    if _is_raised(other, one) and -0.5 * one.size < gap < one.size:
        text = f"{one.text.rstrip()}{raised.UP}{other.text.strip()}{raised.END}"
        return replace(one, text=text, right=other.right)
    if _is_raised(one, other) and -0.5 * other.size < gap < 2 * other.size:
        text = f"{raised.UP}{one.text.strip()}{raised.END}{other.text}"
        return replace(other, text=text, left=one.left)
    return None


def _is_raised(small: Line, line: Line) -> bool:
    higher = small.base - line.base
    return (
        small.size <= SMALLER * line.size
        and RAISED_BY * line.size < higher < line.size
        and _FIGURES.fullmatch(small.text.strip()) is not None
    )


@dataclass(slots=True)
class _Run:
    """Signs of a line as they come: the first, the last, the first that stands on its base."""

    page: object
    parts: list[str]
    first: int = -1
    last: int = -1
    main: int = -1
    base: float = 0.0
    size: float = 1.0
    row: bool = False
    cell: int = 0
    after_space: bool = False

    def sign(self, index: int, character: str) -> None:
        """Add a sign that is no space."""
        digit = "0" <= character <= "9"
        if self.first < 0:
            self.first = index
            self._stand_on(index)
        elif self.after_space and _gap(self.page, self.last, index) > CELL_GAP:
            label = len(self.parts) <= LONGEST_LABEL and LABEL.fullmatch(
                "".join(self.parts).strip()
            )
            if not label:
                self.parts.append(SEPARATOR.lstrip())
                self.row = True
                self.cell = index
        if digit and index != self.main and self._is_higher(index):
            character = f"{raised.UP}{character}{raised.END}"
        elif not digit and self.main == self.first != index:
            self._after_figures(index)
        self.parts.append(character)
        self.last = index
        self.after_space = False

    def _after_figures(self, index: int) -> None:
        """See whether the figures that a line begins with are a note's number."""
        self.main = index  # looked at once
        begun = "".join(self.parts[:6]).strip()
        if len(self.parts) <= 6 and len(begun) <= 5 and _FIGURES.fullmatch(begun):
            base, size = self.base, self.size
            self._stand_on(index)
            if base - self.base > RAISED_BY * self.size and size <= SMALLER * self.size:
                space = " " if self.after_space else ""
                self.parts = [f"{raised.UP}{begun}{raised.END}{space}"]

    def _stand_on(self, index: int) -> None:
        self.main = index
        self.base = _base(self.page, index)
        self.size = _size(self.page, index)

    def _is_higher(self, index: int) -> bool:
        if _base(self.page, index) - self.base <= RAISED_BY * self.size:
            return False
        return _size(self.page, index) <= SMALLER * self.size

    def line(self, last: int) -> Line:
        """The line, up to a sign."""
        left, _ = _edges(self.page, self.first)
        _, right = _edges(self.page, last)
        text = "".join(self.parts)
        cell = _edges(self.page, self.cell)[0] if self.row else left
        return Line(text, left, right, self.base, self.size, self.row, cell)


def _runs(page: object) -> Iterator[Line]:
    """The lines as PDFium parts them. Boxes are asked for at words' ends only: they cost most."""
    count = pdfium.FPDFText_CountChars(page)
    run = _Run(page, [])
    for index in range(count + 1):
        code = pdfium.FPDFText_GetUnicode(page, index) if index < count else 10
        if code in (10, 13):
            if run.first >= 0:
                yield run.line(run.last)
            run = _Run(page, [])
            continue
        if code in _HYPHENS and run.first >= 0 and not run.after_space:
            run.parts.append(HYPHEN)
            yield run.line(index)
            run = _Run(page, [])
            continue
        character = "-" if code in _HYPHENS else chr(code) if 0 < code < 0x110000 else ""
        if character and not character.isspace():
            run.sign(index, character)
        else:
            run.after_space = True
            run.parts.append(character)


def _base(page: object, index: int) -> float:
    x, base = ctypes.c_double(), ctypes.c_double()
    pdfium.FPDFText_GetCharOrigin(page, index, x, base)
    return base.value


def _edges(page: object, index: int) -> tuple[float, float]:
    """Where a character begins and ends, from the page's left."""
    left, right, bottom, top = (ctypes.c_double() for _ in range(4))
    pdfium.FPDFText_GetCharBox(page, index, left, right, bottom, top)
    return left.value, right.value


def _gap(page: object, one: int, other: int) -> float:
    """The space between two characters, in their size."""
    return (_edges(page, other)[0] - _edges(page, one)[1]) / _size(page, other)


def _size(page: object, index: int) -> float:
    """The size of a letter on the page: some writers scale letters of size 1."""
    size = float(pdfium.FPDFText_GetFontSize(page, index)) or 1.0
    matrix = pdfium.FS_MATRIX()
    if pdfium.FPDFText_GetMatrix(page, index, matrix) and matrix.d:
        size *= abs(float(matrix.d))
    return max(size, 0.1)
