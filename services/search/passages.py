"""The text of a note cut for reading: paragraphs, tables, and the passages that speak for its tags.

Everything works on positions in the stored text (code points), so that nothing of it is lost or
added: the pieces put together are the text.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

_BLANK = re.compile(r"\n[^\S\n]*(?:\n[^\S\n]*)+")
_COLUMNS = re.compile(r"\t|\S {3,}\S|\|.*\|")
TABLE_SHARE = 0.5
"""A block is a table where more than half of its lines, and at least two, stand in columns."""
TABLE_LINES = 2


@dataclass(frozen=True, slots=True)
class Span:
    """A passage that speaks for the tag named `tag`; `end` is excluded."""

    start: int
    end: int
    tag: str


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of text and the tags that it speaks for, in order of their passages.

    `ends` are those of its tags whose passage ends with this segment.
    """

    start: int
    text: str
    tags: tuple[str, ...] = ()
    ends: tuple[str, ...] = ()

    @property
    def end(self) -> int:
        """Where it ends in the text, excluded."""
        return self.start + len(self.text)


class Shape(StrEnum):
    """How a block is set: running text, or lines whose columns must stay aligned."""

    PARAGRAPH = "paragraph"
    TABLE = "table"


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch of text between blank lines."""

    start: int
    end: int
    shape: Shape


def marked(text: str, spans: Sequence[Span]) -> list[Segment]:
    """The text as segments, each with the tags that its passages speak for.

    Spans may overlap, touch, repeat, be empty or reach outside the text. The segments' texts put
    together are the text.
    """
    size = len(text)
    inside = [Span(max(span.start, 0), min(span.end, size), span.tag) for span in spans]
    inside = [span for span in inside if span.start < span.end]
    inside.sort(key=lambda span: (span.start, -span.end, span.tag))
    cuts = {0, size} | {span.start for span in inside} | {span.end for span in inside}
    segments = []
    waiting = 0
    active: list[Span] = []
    for left, right in pairwise(sorted(cuts)):
        while waiting < len(inside) and inside[waiting].start <= left:
            active.append(inside[waiting])
            waiting += 1
        active = [span for span in active if span.end > left]
        tags = tuple(dict.fromkeys(span.tag for span in active))
        ends = tuple(dict.fromkeys(span.tag for span in active if span.end == right))
        segments.append(Segment(left, text[left:right], tags, ends))
    return segments


def laid_out(text: str, spans: Sequence[Span]) -> list[tuple[Shape, list[Segment]]]:
    """The blocks of the text in order, each with its shape and its marked segments.

    A passage that reaches over blank lines is cut into one segment per block.
    """
    segments = marked(text, spans)
    at = 0
    blocks_of_segments = []
    for block in blocks(text):
        while segments[at].end <= block.start:
            at += 1
        pieces = []
        while at < len(segments) and segments[at].start < block.end:
            pieces.append(_within(segments[at], block))
            if segments[at].end > block.end:
                break
            at += 1
        blocks_of_segments.append((block.shape, pieces))
    return blocks_of_segments


def _within(segment: Segment, block: Block) -> Segment:
    left, right = max(segment.start, block.start), min(segment.end, block.end)
    text = segment.text[left - segment.start : right - segment.start]
    ends = segment.ends if segment.end <= block.end else ()
    return Segment(left, text, segment.tags, ends)


def blocks(text: str) -> list[Block]:
    """The stretches of text between blank lines, in order; blank lines belong to none."""
    found = []
    start = 0
    for gap in _BLANK.finditer(text):
        if text[start : gap.start()].strip():
            found.append(Block(start, gap.start(), _shape(text[start : gap.start()])))
        start = gap.end()
    if text[start:].strip():
        found.append(Block(start, len(text), _shape(text[start:])))
    return found


def _shape(text: str) -> Shape:
    lines = text.strip("\n").split("\n")
    columns = sum(1 for line in lines if _COLUMNS.search(line))
    aligned = columns >= TABLE_LINES and columns > TABLE_SHARE * len(lines)
    return Shape.TABLE if aligned else Shape.PARAGRAPH
