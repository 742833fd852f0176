"""The footnotes of a PDF: small lines at the end of a page, the first with a number that is called
on it.

They come after the text, as the footnotes of every format do: a sentence that goes on over the page
is whole again.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from statistics import median

from services.ingest.formats.blocks import Block
from services.ingest.formats.pdf_lines import SMALLER, Line
from services.ingest.formats.pdf_paragraphs import paragraphs
from services.ingest.formats.text import one_line

_NUMBERED = re.compile(r"\[?(\d{1,3})(?:\]|[.)])?\s+(?:\|\s*)?(?=[^\W\d_]|[\"«“(])")


def apart(lines: Iterable[Line | None]) -> tuple[list[Line | None], list[Block]]:
    """The lines without footnotes, None between two pages; the footnotes, each a paragraph."""
    text: list[Line | None] = []
    notes: list[Block] = []
    page: list[Line] = []
    last = 0
    for line in (*lines, None):
        if line is not None:
            page.append(line)
            continue
        first, numbers = _notes_of(page, last)
        text += page[:first]
        text.append(None)
        for number, lines_of_note in _parted(page[first:], numbers):
            said = " ".join(one_line(each.text) for each in paragraphs(lines_of_note))
            notes.append(Block(f"[{number}] {said}"))
            last = number
        page = []
    return text, notes


def _notes_of(page: Sequence[Line], last: int) -> tuple[int, dict[int, int]]:
    """Where the footnotes of a page begin, its end where it has none; the number of each by its
    first line."""
    none = len(page)
    if not page:
        return none, {}
    small = SMALLER * median(line.size for line in page)
    start = none
    while start and page[start - 1].size <= small:
        start -= 1
    called = " ".join(line.text for line in page[:start])
    numbers: dict[int, int] = {}
    for at in range(start, none):
        found = _NUMBERED.match(page[at].text)
        number = int(found[1]) if found else 0
        follows = number == last + 1 or (number == 1 and not numbers)
        if follows and f"[{number}]" in called:
            numbers[at] = last = number
    return min(numbers, default=none), numbers


def _parted(lines: Sequence[Line], numbers: dict[int, int]) -> Iterator[tuple[int, list[Line]]]:
    """The lines of footnotes, by note, without its number."""
    starts = sorted(numbers)
    first = min(starts, default=0)
    for at, end in pairwise([*starts, first + len(lines)] if starts else []):
        begun = lines[at - first]
        text = _NUMBERED.sub("", begun.text, count=1)
        head = Line(text, begun.left, begun.right, begun.base, begun.size)
        yield numbers[at], [head, *lines[at - first + 1 : end - first]]
