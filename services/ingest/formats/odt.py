"""ODT: the text as its author sees it, tracked deletions, comments and page headers left out.
These are read for marks of protection alone.

Read from the document's XML itself, as DOCX and for the same reason.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain

from services.ingest.formats import archive, beside, blocks, encrypted, odt_lists, raised
from services.ingest.formats.blocks import Block
from services.ingest.formats.model import Content, Refused
from services.ingest.formats.numbering import BULLET_LABEL, Counter, whole
from services.ingest.formats.odt_lists import Look
from services.ingest.formats.tables import Cell, table
from services.ingest.formats.xml import Element, attribute, children, local, parsed

_WHAT = "ODT"
_LEFT_OUT = frozenset(
    [
        "tracked-changes",
        "annotation",
        "annotation-end",
        "table-of-content",
        "soft-page-break",
        "sequence-decls",
        "variable-decls",
        "user-field-decls",
        "forms",
        "event-listeners",
        "desc",
        "title",
        "object",
        "script",
    ]
)
_NO_WORDS = re.compile(r"content\.xml|settings\.xml|META-INF/manifest\.xml")
MOST_REPEATED = 60
"""Of a cell that ODT writes once for several; empty ones fill a hostile row by the million."""
MOST_SPACES = 100
"""Of a run of spaces, which ODT writes as a number: nobody means more, and a hostile one could be
of any length."""


@dataclass
class _List:
    """The list in hand: its style, its numbers, its depth (0 outermost), its item's label."""

    style: str
    counter: Counter
    depth: int = 0
    label: str = BULLET_LABEL


@dataclass
class _Reading:
    look: Look = field(default_factory=Look)
    notes: list[Element] = field(default_factory=list)
    boxes: list[Element] = field(default_factory=list)
    title: str = ""


def read(data: bytes) -> Content:
    """The text of an ODT. Raises Refused."""
    with archive.opened(data) as packed:
        names = packed.namelist()
        if "META-INF/manifest.xml" in names:
            manifest = archive.read(packed, "META-INF/manifest.xml")
            if b"encryption-data" in manifest:
                raise Refused(422, f"Le document est {encrypted.UNLOCK}.")
        root = parsed(archive.read(packed, "content.xml"), _WHAT)
        styled = "styles.xml" in names
        styles = parsed(archive.read(packed, "styles.xml"), _WHAT) if styled else None
        parts = beside.of_parts(packed, _WHAT, without=_NO_WORDS, properties_in=("meta.xml",))
        outside = beside.joined(chain(_left_out(root), beside.attributes(root), parts))
        held = tuple(beside.files_in(packed))
    look = odt_lists.look_of(each for each in (styles, root) if each is not None)
    reading = _Reading(look)
    found = [
        block
        for body in children(root, "body")
        for text in children(body, "text")
        for block in _blocks(text, reading)
    ]
    for number, note in enumerate(reading.notes, start=1):
        bodies = children(note, "note-body")
        inside = [b.text for body in bodies for b in _blocks(body, _Reading(look))]
        found.append(Block(f"[{number}] {' '.join(inside)}"))
    return Content(text=blocks.joined(found), title=reading.title, beside=outside, held=held)


def _left_out(root: Element) -> Iterator[str]:
    waiting = [root]
    while waiting:
        element = waiting.pop()
        if local(element) in _LEFT_OUT:
            yield from beside.paragraphs(element)
        else:
            waiting += element


def _blocks(parent: Element, reading: _Reading, within: _List | None = None) -> Iterator[Block]:
    for element in parent:
        name = local(element)
        if name in ("p", "h"):
            yield from _paragraph(element, reading, within)
        elif name == "list":
            yield from _items(element, reading, within)
        elif name == "table":
            yield from table(list(_rows(element, reading)))
        elif name not in _LEFT_OUT:
            yield from _blocks(element, reading, within)


def _paragraph(element: Element, reading: _Reading, within: _List | None) -> Iterator[Block]:
    text = raised.plain("".join(_inline(element, reading)))
    if attribute(element, "style-name").lower() == "title" and not reading.title:
        reading.title = text
    label = within.label if within else ""
    if local(element) == "h":
        number = label if within and label != BULLET_LABEL else reading.look.of_heading(element)
        yield Block(f"{number} {text}" if number and text.strip() else text)
    else:
        sides = () if within else blocks.sides(text)
        yield Block(text, item=within is not None, label=label, sides=sides)
    if within and text.strip():
        within.label = ""
    boxes, reading.boxes = reading.boxes, []
    for box in boxes:
        yield from _blocks(box, reading)


def _items(element: Element, reading: _Reading, within: _List | None) -> Iterator[Block]:
    """The items of a list. One that only holds a deeper list has no number of its own."""
    own = attribute(element, "style-name")
    if within is None:
        found = _List(own, reading.look.begin(element, own))
    else:
        found = _List(own or within.style, within.counter, within.depth + 1)
    for item in element:
        found.label = ""
        said = any(True for _ in children(item, "p", "h"))
        if local(item) == "list-item" and said:
            start = attribute(item, "start-value")
            found.label = reading.look.label(found.style, found.counter, found.depth, start)
        yield from _blocks(item, reading, found)


def _rows(element: Element, reading: _Reading) -> Iterator[list[Cell]]:
    for each in element:
        if local(each) == "table-row":
            yield [
                cell
                for found in children(each, "table-cell", "covered-table-cell")
                for cell in _cells(found, reading)
            ]
        elif local(each) in ("table-rows", "table-header-rows", "table-row-group"):
            yield from _rows(each, reading)


def _cells(element: Element, reading: _Reading) -> Iterator[Cell]:
    """A cell as often as it is repeated."""
    cell = Cell(
        list(_blocks(element, reading)),
        across=whole(attribute(element, "number-columns-spanned"), 1),
        down=whole(attribute(element, "number-rows-spanned"), 1),
        covered=local(element) == "covered-table-cell",
    )
    again = whole(attribute(element, "number-columns-repeated"), 1)
    yield from (cell for _ in range(max(1, min(again, MOST_REPEATED))))


def _inline(element: Element, reading: _Reading) -> Iterator[str]:
    if element.text:
        yield element.text
    for child in element:
        name = local(child)
        if name == "s":
            count = attribute(child, "c")
            # A length beyond 4 digits is not even read as a number.
            known = int(count) if count.isascii() and count.isdigit() and len(count) < 5 else 1
            yield " " * min(known, MOST_SPACES)
        elif name == "tab":
            yield "\t"
        elif name == "line-break":
            yield "\n"
        elif name == "note":
            reading.notes.append(child)
            yield f" [{len(reading.notes)}]"
        elif name == "text-box":
            reading.boxes.append(child)
        elif name not in _LEFT_OUT:
            height = reading.look.height(attribute(child, "style-name")) if name == "span" else ""
            yield height
            yield from _inline(child, reading)
            yield raised.END if height else ""
        if child.tail:
            yield child.tail
