"""Paragraphs, list items and tables, written as plain text: the same for every format."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from services.ingest.formats.text import tidy

LONG_CELL = 600
"""Characters from which a cell is no cell: the table only lays the page out, and is left open."""
FEW_BEFORE = 3
"""Paragraphs before a table that is a letterhead: the state's name, a motto, a title."""
SHORT_LINE = 120
"""Characters of such a paragraph: beyond, it is text."""
MOST_SIDES, SHORTEST_SIDE = 3, 12
"""Of a letterhead's line that tabs part; a shorter beginning is a number or a label."""
MOST_BLOCKS = 20
"""Of a text's beginning, in which lines that tabs part may be its letterhead."""
SEPARATOR = " | "
BULLET = "- "


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph or a table's rows.

    `item`: one of a list, with no blank line before the next; `label` stands before it, or nothing
    where it goes on with the item before. `laid_out`: of what stands side by side, one after the
    other, as a letterhead is written; `sides`: of a line that tabs part.
    """

    text: str
    item: bool = False
    label: str = BULLET.strip()
    laid_out: str = ""
    sides: tuple[str, ...] = ()


def joined(blocks: Iterable[Block]) -> str:
    """The text: blocks parted by blank lines, items of one list by line ends."""
    parts: list[str] = []
    before = Block("")
    tops = 0
    for block in _in_columns(blocks):
        text = tidy(block.laid_out if tops <= FEW_BEFORE and block.laid_out else block.text)
        if not text:
            continue
        if parts:
            parts.append("\n" if block.item and before.item else "\n\n")
        parts.append(f"{block.label} {text}" if block.item and block.label else text)
        before = block
        if not block.laid_out:
            tops += 1 if len(text) <= SHORT_LINE and not block.item else FEW_BEFORE + 1
    return "".join(parts)


def _in_columns(blocks: Iterable[Block]) -> Iterator[Block]:
    """The blocks; of lines that tabs part, at the top, the left sides before the right ones."""
    rows: list[Block] = []
    for number, block in enumerate(blocks):
        if block.sides and number < MOST_BLOCKS:
            rows.append(block)
            continue
        yield from _columns(rows)
        rows = []
        yield block
    yield from _columns(rows)


def _columns(rows: Sequence[Block]) -> Iterator[Block]:
    if len({len(row.sides) for row in rows}) > 1:
        yield from (replace(row, laid_out="\n".join(row.sides)) for row in rows)
    elif rows:
        columns = zip(*(row.sides for row in rows), strict=True)
        laid_out = "\n\n".join("\n".join(column) for column in columns)
        yield Block("\n\n".join(row.text for row in rows), laid_out=laid_out)


def sides(text: str) -> tuple[str, ...]:
    """What a paragraph has on both sides of its tabs, as a letterhead puts the sender and the date;
    nothing of all others.
    """
    found = tuple(side.strip() for side in text.split("\t") if side.strip())
    if not 2 <= len(found) <= MOST_SIDES or len(found[0]) < SHORTEST_SIDE or "\n" in text:
        return ()
    return () if found[0].endswith(":") or len(text) > SHORT_LINE else found
