"""ODT: the text as its author sees it, tracked deletions, comments and page headers left out.
These are read for marks of protection alone.

Read from the document's XML itself, as DOCX and for the same reason.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain

from services.ingest.formats import archive, beside, blocks, encrypted
from services.ingest.formats.blocks import Block
from services.ingest.formats.model import Content, Refused
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
MOST_SPACES = 100
"""Of a run of spaces, which ODT writes as a number: nobody means more, and a hostile one could be
of any length."""


@dataclass
class _Reading:
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
        parts = beside.of_parts(packed, _WHAT, without=_NO_WORDS, properties_in=("meta.xml",))
        outside = beside.joined(chain(_left_out(root), beside.attributes(root), parts))
        held = tuple(beside.files_in(packed))
    reading = _Reading()
    found = [
        block
        for body in children(root, "body")
        for text in children(body, "text")
        for block in _blocks(text, reading, item=False)
    ]
    for number, note in enumerate(reading.notes, start=1):
        inside = [b.text for body in children(note, "note-body") for b in _blocks(body, _Reading())]
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


def _blocks(parent: Element, reading: _Reading, *, item: bool = False) -> Iterator[Block]:
    for element in parent:
        name = local(element)
        if name in ("p", "h"):
            text = "".join(_inline(element, reading))
            if attribute(element, "style-name").lower() == "title" and not reading.title:
                reading.title = text
            yield Block(text, item=item)
            boxes, reading.boxes = reading.boxes, []
            for box in boxes:
                yield from _blocks(box, reading)
        elif name == "list":
            yield from _blocks(element, reading, item=True)
        elif name == "table":
            yield from blocks.table(list(_rows(element, reading)))
        elif name not in _LEFT_OUT:
            yield from _blocks(element, reading, item=item)


def _rows(table: Element, reading: _Reading) -> Iterator[list[list[Block]]]:
    for element in table:
        if local(element) == "table-row":
            yield [
                list(_blocks(cell, reading))
                for cell in children(element, "table-cell", "covered-table-cell")
            ]
        elif local(element) in ("table-rows", "table-header-rows", "table-row-group"):
            yield from _rows(element, reading)


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
            yield " "
        elif name == "line-break":
            yield "\n"
        elif name == "note":
            reading.notes.append(child)
            yield f" [{len(reading.notes)}]"
        elif name == "text-box":
            reading.boxes.append(child)
        elif name not in _LEFT_OUT:
            yield from _inline(child, reading)
        if child.tail:
            yield child.tail
