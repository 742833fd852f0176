"""Tables as plain text: a row a line, its cells in their columns; the same for every format."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from services.ingest.formats.blocks import SEPARATOR, Block, joined
from services.ingest.formats.text import one_line

LONG_CELL = 600
"""Characters from which a cell is no cell: the table only lays the page out, and is left open."""
WIDEST = 60
"""Columns that one cell may span; a hostile table says a million."""
MOST_FILLED = 50_000
"""Places that spanning cells may fill in one table."""
FEW_ROWS, FEW_COLUMNS = 4, 3
"""Of a letterhead that is laid out as a table."""
_FIGURE = re.compile(r"[\d\s.,%€$£+-]*\d[\d\s.,%€$£+-]*")
"""What a cell of a letterhead never is, and one of a table of figures is."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell: its blocks, the columns and rows it spans; `covered`: it only holds the place of one
    that spans it."""

    blocks: Sequence[Block] = ()
    across: int = 1
    down: int = 1
    covered: bool = False


def table(rows: Sequence[Sequence[Cell]]) -> list[Block]:
    """A table as one block: a row a line, cells parted by ` | `, places that a cell spans empty.

    One that only lays a page out (a single column, a cell as long as a page) becomes its cells' own
    blocks, one after the other.
    """
    texts = [[joined(cell.blocks) for cell in row] for row in rows]
    widest = max((len(row) for row in rows), default=0)
    if widest <= 1 or any(len(text) > LONG_CELL for row in texts for text in row):
        return [block for row in rows for cell in row for block in cell.blocks]
    placed = _placed(rows, [[one_line(text) for text in row] for row in texts])
    lines = [SEPARATOR.join(row).strip() for row in placed if any(row)]
    laid_out = "\n\n".join(_laid_out(texts)) if _is_layout(texts) else ""
    return [Block("\n".join(lines), laid_out=laid_out)] if lines else []


def _placed(rows: Sequence[Sequence[Cell]], texts: Sequence[Sequence[str]]) -> Iterator[list[str]]:
    """The rows with an empty text in each place that a cell spans, but at a row's end."""
    over: dict[int, int] = {}
    left = MOST_FILLED
    for row, said in zip(rows, texts, strict=True):
        line: list[str | None] = []
        waiting = list(zip(row, said, strict=True))[::-1]
        while waiting or len(line) in over:
            column = len(line)
            if column in over:
                _pass_covered(waiting)
                line.append(None)
                over[column] -= 1
                if over[column] <= 0 or left <= 0:
                    del over[column]
                continue
            cell, text = waiting.pop()
            across = max(1, min(cell.across, WIDEST)) if left > 0 else 1
            line.append(text)
            for _ in range(1, across):
                _pass_covered(waiting)
                line.append(None)
            if cell.down > 1 and left > 0:
                over |= {column + further: cell.down - 1 for further in range(across)}
        left -= line.count(None)
        while line and line[-1] is None:
            line.pop()
        yield [text or "" for text in line]


def _pass_covered(waiting: list[tuple[Cell, str]]) -> None:
    """Leave out the cell that a format writes where another spans; one with text stays."""
    if waiting and waiting[-1][0].covered and not waiting[-1][1]:
        waiting.pop()


def _is_layout(texts: Sequence[Sequence[str]]) -> bool:
    """Whether a table at a text's top is its letterhead: few cells, side by side, of several
    lines."""
    rows = [[text for text in row if text] for row in texts if any(row)]
    if not rows or len(rows) > FEW_ROWS or max(map(len, rows)) > FEW_COLUMNS:
        return False
    first = rows[0]
    several = any("\n" in text for text in first)
    figures = any(_FIGURE.fullmatch(text) for row in rows for text in row)
    return several and len(first) > 1 and not figures and not _is_labelled(first)


def _is_labelled(row: Sequence[str]) -> bool:
    return row[0].endswith(":")


def _laid_out(texts: Sequence[Sequence[str]]) -> Iterator[str]:
    for row in texts:
        said = [text for text in row if text]
        if said and _is_labelled(said):
            yield SEPARATOR.join(map(one_line, said))
        else:
            yield from said
