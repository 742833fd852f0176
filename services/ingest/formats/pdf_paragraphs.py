"""The paragraphs of a PDF: its lines joined as their writer had them, and only where they go on.

A line goes on where the page shows it: its next one begins inside a sentence, or it is full, so
that the next word had no room. How wide a column is, lines say that certainly go on. All other
lines stay lines.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from services.ingest.formats.blocks import SEPARATOR, Block
from services.ingest.formats.pdf_lines import HYPHEN, Line

NEW_PARAGRAPH = 1.35
"""Of the usual distance of lines, from which a new paragraph begins."""
OTHER_SIZE = 1.12
"""Between two lines' letters: a heading and its text."""
SHORT_LINE = 0.85
"""Of the text's width: a line that ends earlier, with the end of a sentence, ends its paragraph."""
NEAR = 3
"""Lines before and after one, of those that go on, by which its column's width is known."""
SAME_COLUMN = 6.0
"""Of the letters' size, between the beginnings of two lines of one column."""
ROOM = 0.5
"""Of the letters' size, that must be left beside a word for which there was room."""
LONG_WORD = 24
"""Signs of a word that go into the room beside a line: an address goes on anywhere."""
RUNNING = 24
"""Signs of a line that certainly goes on, so that it says where its column ends."""
NARROW = 0.8
"""Of the text's width: one line alone does not show that a column is that narrow."""
FEW_BEFORE = 3
"""Lines before a letterhead of two blocks side by side."""
MOST_ROWS = 12
WIDER_LINES = 1.8
"""Of the usual distance: a raised sign moves the lines of a paragraph so far apart."""

_BULLETS = re.compile(r"[•▪■●◦‣⁃∙·\uf0b7\uf0a7\uf02d➢✓]\s*|[–—-]\s+")
_ENDS = (".", "!", "?", ":", ";", "»", "…")
_KEPT_BEFORE = re.compile(
    r"(?:^|\W)(?:vice|ex|non|sous|mi|demi|semi|celui|celle|ceux|celles|lui|eux|elle|elles|moi|soi|nous"
    r"|vous|peut|grand|franco|anglo|germano|socio|médico|est|là|au|ci|avant|après|outre|contre|inter"
    r"|quasi|micro|auto|co|pays|c'est|jusque|rendez|non)$",
    re.I,
)
_KEPT_AFTER = re.compile(
    r"(?:ci|là|même|mêmes|il|ils|elle|elles|on|je|tu|nous|vous|t|y|en|dire|être|delà|dessus|dessous)\b",
    re.I,
)
_LINK = re.compile(
    r"\S\s+(?:de|du|des|en|et|ou|la|le|les|aux?|à|pour|par|sur|dans|une?|l['’]|d['’]|que|qui|sous)$",
    re.I,
)
"""The end of a line that goes on, whatever its length."""
_MONTH = re.compile(
    r"\b(?:janvier|février|mars|avril|mai|juin|juillet|août|septembre|octobre|novembre|décembre)$",
    re.I,
)
_YEAR = re.compile(r"(?:19|20)\d\d\b")
_FIGURE = re.compile(r"[\d\s.,%€$£+-]+")
_LABEL = re.compile(
    r"[A-ZÀ-ÝŒ][^.;,:!?|]{0,25}\s?:(?:\s|$)|N\s?[°º]\s?\S*\d|[A-ZÀ-Ý][\w' -]{1,30}, le \d"
)
"""What begins a line of a header: a label, a number, a dateline."""
_NUMBER = re.compile(r"(?:\d{1,2}[.)]|[a-z][.)]|[ivx]{1,5}[.)])\s+\S")


@dataclass
class _Page:
    """What the lines of a text say together: their distance, their right edge, and which of them
    go on, by number; the words in it that have a hyphen."""

    pitch: float
    right: float
    whole: set[str]
    flowing: list[int] = field(default_factory=list)
    edges: dict[int, Line] = field(default_factory=dict)


def paragraphs(lines: Iterable[Line | None]) -> list[Block]:
    """The paragraphs of a text's lines, None between two pages; a line that stands by itself begins
    on a line of its own.
    """
    kept = [line for line in lines if line is None or line.text.strip()]
    page = _page(kept)
    writing = _Writing(page)
    first, end = _side_by_side(kept)
    for number, line in enumerate(kept):
        if first <= number < end:
            if number == first:
                writing.end()
                writing.found += _columns([each for each in kept[first:end] if each])
            continue
        if line is None:
            writing.new_page = True
        else:
            writing.write(line, number)
    writing.end()
    return writing.found


@dataclass
class _Writing:
    """The paragraphs so far, and the one in hand with its last line."""

    page: _Page
    found: list[Block] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    last: Line | None = None
    at: int = 0
    new_page: bool = False
    item: bool = False

    def write(self, line: Line, number: int) -> None:
        """Add a line to the paragraph in hand, or begin one with it."""
        text = line.text.strip()
        bullet = _BULLETS.match(text)
        alone = False
        wrapped = self.last is not None and _in_last_cell(self.last, line, self.page)
        if self.parts and self.last is not None and not wrapped:
            alone = _stands_alone(self.last, line, self.page, self.at)
            runs = number in self.page.edges or (self.at - 1) in self.page.edges
            begins = _begins(self.last, line, self.page, self.new_page)
            ended = self.last.text.rstrip().endswith((".", "!", "?"))
            if bullet or begins or (alone and (runs or ended) and not line.row):
                self.end()
        if not self.parts:
            self.item = bullet is not None
            text = text[bullet.end() :] if bullet else text
        elif not wrapped and (line.row or (self.last and self.last.row) or alone):
            self.parts.append("\n")
        else:
            text = _glue(self.parts, text, self.page.whole)
        self.parts.append(text)
        if wrapped and self.last:  # still in the row
            line = replace(line, row=True, cell=self.last.cell, left=self.last.left)
        self.last, self.at, self.new_page = line, number, False

    def end(self) -> None:
        """The paragraph in hand is done."""
        if self.parts:
            self.found.append(Block("".join(self.parts).replace(HYPHEN, "-"), item=self.item))
        self.parts = []


def _in_last_cell(last: Line, line: Line, page: _Page) -> bool:
    """Whether a line goes on in the last cell of the row before it."""
    step = last.base - line.base
    near = abs(line.left - last.cell) < ROOM * line.size and line.left > last.left + line.size
    close = 0 < step <= NEW_PARAGRAPH * page.pitch * line.size
    return last.row and not line.row and near and close


def _side_by_side(lines: Sequence[Line | None]) -> tuple[int, int]:
    """Where a letterhead of two blocks side by side begins and ends; twice 0 where there is
    none."""
    rows = [n for n, line in enumerate(lines[: FEW_BEFORE + 1]) if line and line.row]
    if not rows:
        return 0, 0
    end = first = rows[0]
    for number in range(first, min(len(lines), first + MOST_ROWS)):
        line = lines[number]
        if line is None or not line.row:
            break
        cells = line.text.split(SEPARATOR)
        if len(cells) != 2 or any(_FIGURE.fullmatch(cell) for cell in cells):
            return 0, 0
        if cells[0].rstrip().endswith(":"):
            return 0, 0
        end = number + 1
    return (first, end) if end - first > 1 else (0, 0)


def _columns(rows: Sequence[Line]) -> list[Block]:
    """Two blocks side by side as two, a line for each cell."""
    cells = [row.text.split(SEPARATOR) for row in rows]
    return [Block("\n".join(row[column].strip() for row in cells)) for column in (0, 1)]


def _begins(last: Line, line: Line, page: _Page, new_page: bool) -> bool:
    """Whether a line begins a paragraph, after the line before it."""
    if last.text.rstrip().endswith(HYPHEN):
        return False
    if last.row and line.row:
        return new_page
    if last.row != line.row or max(last.size, line.size) > OTHER_SIZE * min(last.size, line.size):
        return True
    ended = last.text.rstrip().endswith(_ENDS)
    if new_page:
        return ended
    step = (last.base - line.base) / (page.pitch * max(line.size, 0.1))
    if step > NEW_PARAGRAPH:
        inside = not ended and line.text.strip()[:1].islower()
        return not inside or step > WIDER_LINES or _has_room(last, line, page.right)
    if line.base - last.base > line.size:  # the top of another column
        return ended or not line.text.strip()[:1].islower()
    return ended and last.right < last.left + SHORT_LINE * (page.right - last.left)


def _stands_alone(last: Line, line: Line, page: _Page, at: int) -> bool:
    """Whether a line does not go on with the one before it, the line number `at`."""
    before, text = last.text.rstrip(), line.text.strip()
    if before.endswith(HYPHEN):
        return False
    if _LABEL.match(text) or _NUMBER.match(text):
        return True
    if before.endswith(("-", ",")) and text[:1].islower():
        return False
    if _LINK.search(before) or (_MONTH.search(before) and _YEAR.match(text)):
        return False
    if abs(line.left - last.left) > SAME_COLUMN * line.size:
        return True
    edge = _edge(page, last, at)
    if edge is None:
        short = len(before) < RUNNING and _has_room(last, line, page.right)
        return short or not text[:1].islower()
    return _has_room(last, line, edge)


def _has_room(last: Line, line: Line, edge: float) -> bool:
    """Whether the first word of a line would have had room at the end of the one before it."""
    letter = (line.right - line.left) / max(len(line.text), 1)
    first = line.text.split(maxsplit=1)[0][:LONG_WORD]
    return last.right + letter * (len(first) + 1) + ROOM * line.size < edge


def _edge(page: _Page, line: Line, at: int) -> float | None:
    """Where the column of a line ends, by the nearest lines in it that go on; None where none
    does."""
    place = bisect_left(page.flowing, at)
    before = _ends(page, line, page.flowing[max(0, place - NEAR) : place])
    after = _ends(page, line, page.flowing[place : place + NEAR])
    if len(before) + len(after) == 1 and max(before + after) < NARROW * page.right:
        return None
    if len(before) > 1 and len(after) > 1:
        return min(max(before), max(after))
    return max(before + after, default=None)


def _ends(page: _Page, line: Line, numbers: Iterable[int]) -> list[float]:
    """Where those of these lines end that stand in the column of a line."""
    lines = (page.edges[number] for number in numbers)
    return [each.right for each in lines if abs(each.left - line.left) < SAME_COLUMN * line.size]


def _page(lines: Sequence[Line | None]) -> _Page:
    whole = {word for line in lines if line for word in re.findall(r"\w+(?:-\w+)+", line.text)}
    found = _Page(_pitch(lines), _right_edge(lines), whole)
    for number, (one, two) in enumerate(pairwise(lines)):
        if one and two and _goes_on(one, two, found.pitch):
            found.flowing.append(number)
            found.edges[number] = one
    return found


def _goes_on(one: Line, two: Line, pitch: float) -> bool:
    """Whether a line certainly goes on with the next: in the midst of a sentence, or of a word."""
    step = one.base - two.base
    hyphened = one.text.endswith(HYPHEN)
    if one.row or two.row or (len(one.text) < RUNNING and not hyphened):
        return False
    if not 0 < step <= NEW_PARAGRAPH * pitch * max(two.size, 0.1):
        return False
    if max(one.size, two.size) > OTHER_SIZE * min(one.size, two.size):
        return False
    text = two.text.strip()
    begun = text[:1].islower() and not _NUMBER.match(text)
    inside = begun and not one.text.rstrip().endswith(_ENDS)
    return hyphened or inside


def _pitch(lines: Sequence[Line | None]) -> float:
    """The usual distance of two lines, by the size of letters."""
    steps = sorted(
        (one.base - two.base) / one.size
        for one, two in pairwise(lines)
        if one and two and 0.8 * one.size < one.base - two.base < 2.5 * one.size
    )
    # Not the median: in a list of short paragraphs most steps are between paragraphs.
    return steps[len(steps) // 5] if steps else 1.2


def _right_edge(lines: Sequence[Line | None]) -> float:
    edges = sorted(line.right for line in lines if line)
    return edges[int(len(edges) * 0.9)] if edges else 0.0


def _glue(parts: list[str], text: str, whole: set[str]) -> str:
    """A paragraph's next line, with what stands between: a space, or nothing inside a word."""
    before = parts[-1]
    if not before.endswith((HYPHEN, "-")):
        return f" {text}"
    stem = before[:-1]
    if not stem[-1:].isalpha() or before.endswith(" -"):
        return text if stem[-1:].isalnum() else f" {text}"
    first = re.split(r"\W", stem)[-1]
    second = re.match(r"\w+", text)
    compound = second is not None and f"{first}-{second[0]}" in whole
    kept = (
        not text[:1].islower() or _KEPT_BEFORE.search(stem) or _KEPT_AFTER.match(text) or compound
    )
    parts[-1] = f"{stem}-" if kept else stem
    return text
