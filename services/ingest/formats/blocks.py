"""Paragraphs, list items and tables, written as plain text: the same for every format."""

from collections.abc import Iterable
from dataclasses import dataclass

from services.ingest.formats.text import tidy

LONG_CELL = 600
"""Characters from which a cell is no cell: the table only lays the page out, and is left open."""
FEW_BEFORE = 3
"""Paragraphs before a table that is a letterhead: the state's name, a motto, a title."""
SHORT_LINE = 120
"""Characters of such a paragraph: beyond, it is text."""
SEPARATOR = " | "
BULLET = "- "


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph or a table's rows.

    `item`: one of a list, with no blank line before the next; `label` stands before it, or nothing
    where it goes on with the item before. `laid_out`: of a table, its cells one after the other.
    """

    text: str
    item: bool = False
    label: str = BULLET.strip()
    laid_out: str = ""


def joined(blocks: Iterable[Block]) -> str:
    """The text: blocks parted by blank lines, items of one list by line ends."""
    parts: list[str] = []
    before = Block("")
    tops = 0
    for block in blocks:
        text = tidy(block.laid_out if tops <= FEW_BEFORE and block.laid_out else block.text)
        if not text:
            continue
        if parts:
            parts.append("\n" if block.item and before.item else "\n\n")
        parts.append(f"{block.label} {text}" if block.item and block.label else text)
        before = block
        short = bool(block.laid_out) or (len(text) <= SHORT_LINE and not block.item)
        tops += 1 if short else FEW_BEFORE + 1
    return "".join(parts)
