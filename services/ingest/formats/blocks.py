"""Paragraphs, list items and tables, written as plain text: the same for every format."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from services.ingest.formats.text import one_line, tidy

LONG_CELL = 600
"""Characters from which a cell is no cell: the table only lays the page out, and is left open."""
SEPARATOR = " | "
BULLET = "- "


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph or a table's rows; `item`: one of a list, with no blank line before the next."""

    text: str
    item: bool = False


def joined(blocks: Iterable[Block]) -> str:
    """The text: blocks parted by blank lines, items of one list by line ends."""
    parts: list[str] = []
    before = Block("")
    for block in blocks:
        text = tidy(block.text)
        if not text:
            continue
        if parts:
            parts.append("\n" if block.item and before.item else "\n\n")
        parts.append(f"{BULLET}{text}" if block.item else text)
        before = block
    return "".join(parts)


def table(rows: Sequence[Sequence[Sequence[Block]]]) -> list[Block]:
    """A table (rows of cells of blocks) as one block, a row a line, cells parted by ` | `.

    One that only lays a page out (a single column, a cell as long as a page) becomes its cells' own
    blocks, one after the other.
    """
    texts = [[one_line(joined(cell)) for cell in row] for row in rows]
    widest = max((len(row) for row in texts), default=0)
    if widest <= 1 or any(len(cell) > LONG_CELL for row in texts for cell in row):
        return [block for row in rows for cell in row for block in cell]
    lines = [SEPARATOR.join(row).strip() for row in texts if any(row)]
    return [Block("\n".join(lines))] if lines else []
