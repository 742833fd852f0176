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
MOST_SIDES, SHORTEST_SIDE = 3, 12
"""Of a letterhead's line that tabs part; a shorter beginning is a number or a label."""
SEPARATOR = " | "
BULLET = "- "


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph or a table's rows.

    `item`: one of a list, with no blank line before the next; `label` stands before it, or nothing
    where it goes on with the item before. `laid_out`: of what stands side by side, one after the
    other, as a letterhead is written.
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
        if not block.laid_out:
            tops += 1 if len(text) <= SHORT_LINE and not block.item else FEW_BEFORE + 1
    return "".join(parts)


def side_by_side(text: str) -> str:
    """What a paragraph has on both sides of its tabs, a line each, as a letterhead puts the sender
    and the date; empty for all others.
    """
    sides = [side.strip() for side in text.split("\t") if side.strip()]
    if not 2 <= len(sides) <= MOST_SIDES or len(sides[0]) < SHORTEST_SIDE or "\n" in text:
        return ""
    return "" if sides[0].endswith(":") or len(text) > SHORT_LINE else "\n".join(sides)
