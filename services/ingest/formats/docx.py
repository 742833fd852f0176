"""DOCX: the text as its author sees it, tracked changes accepted; no headers, footers, comments.
These are read for marks of protection alone.

Read from the document's XML itself. A library that models the format to write it hands out less:
text boxes, footnotes, content controls and insertions are not among its paragraphs.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import PurePosixPath

from lxml import etree

from services.ingest.formats import archive, beside, blocks
from services.ingest.formats.blocks import Block
from services.ingest.formats.model import MOST_NAMES, Content
from services.ingest.formats.xml import Element, attribute, children, local, parsed

_WHAT = "DOCX"
_LEFT_OUT = frozenset(
    [
        "del",
        "moveFrom",
        "instrText",
        "delText",
        "delInstrText",
        "rPr",
        "pPr",
        "tblPr",
        "Fallback",
        "object",
        "annotationRef",
        "sectPr",
    ]
)
_WITHIN = frozenset(["sdt", "sdtContent", "ins", "moveTo", "customXml", "smartTag", "body"])
_CONTENTS = ("toc", "tm")
"""Beginnings of the styles of a table of contents (in French: TM1, TM2…)."""
_LISTS = ("listbullet", "listnumber", "listepuces", "listenumros")
_TITLES = ("title", "titre")
_EMBEDDED = "word/embeddings/"
_PROPERTIES = ("docProps/", "customXml/")
_NO_WORDS = re.compile(
    r"\[Content_Types\]\.xml|.*\.rels|word/(?:document|styles|settings|webSettings|fontTable|numbering|"
    r"theme/.*|stylesWithEffects)\.xml"
)
"""Parts that hold no words of the author, and the text itself."""
_NOTES = ("footnote", "endnote")


@dataclass
class _Reading:
    notes: dict[str, Element]
    cited: list[str] = field(default_factory=list)
    title: str = ""


def read(data: bytes) -> Content:
    """The text of a DOCX. Raises Refused."""
    with archive.opened(data) as packed:
        root = parsed(archive.read(packed, "word/document.xml"), _WHAT)
        names = packed.namelist()
        notes: dict[str, Element] = {}
        for kind in _NOTES:
            if f"word/{kind}s.xml" in names:
                inside = parsed(archive.read(packed, f"word/{kind}s.xml"), _WHAT)
                notes |= {f"{kind} {attribute(n, 'id')}": n for n in children(inside, kind)}
        parts = beside.of_parts(packed, _WHAT, without=_NO_WORDS, properties_in=_PROPERTIES)
        embedded = [PurePosixPath(name) for name in names if name.startswith(_EMBEDDED)]
        own = chain(_left_out(root), beside.attributes(root), (name.stem for name in embedded))
        outside = beside.joined(chain(own, parts))
        held = tuple(beside.files_in(packed))
    reading = _Reading(notes)
    found = [block for body in children(root, "body") for block in _blocks(body, reading)]
    for number, cited in enumerate(reading.cited, start=1):
        said = " ".join(block.text for block in _blocks(notes[cited], reading, in_note=True))
        found.append(Block(f"[{number}] {said}"))
    return Content(
        text=blocks.joined(found),
        title=reading.title,
        attachments=tuple(name.name for name in embedded[:MOST_NAMES]),
        beside=outside,
        held=held,
    )


def _left_out(root: Element) -> Iterator[str]:
    """What is deleted or hidden, a line for each paragraph; what is shown in capitals, so."""
    line: list[str] = []
    within: list[tuple[bool, bool]] = [(False, False)]
    for event, element in etree.iterwalk(root, events=("start", "end")):
        name = local(element)
        if event == "end":
            within.pop()
        else:
            out, large = within[-1]
            if name == "r":
                large = _set(element, "caps", "smallCaps")
                out = out or large or _set(element, "vanish")
            within.append((out or name in _LEFT_OUT, large))
            if out and name in ("t", "delText", "instrText"):
                text = element.text or ""
                line.append(text.upper() if large else text)
        if name == "p":
            yield "".join(line)
            line = []


def _blocks(parent: Element, reading: _Reading, *, in_note: bool = False) -> Iterator[Block]:
    for element in parent:
        name = local(element)
        if name == "p":
            yield from _paragraph(element, reading, in_note)
        elif name == "tbl":
            yield from blocks.table(list(_rows(element, reading)))
        elif name in _WITHIN:
            yield from _blocks(element, reading, in_note=in_note)


def _rows(table: Element, reading: _Reading) -> Iterator[list[list[Block]]]:
    for element in table:
        if local(element) == "tr" and not _deleted_row(element):
            yield list(_cells(element, reading))
        elif local(element) in _WITHIN:
            yield from _rows(element, reading)


def _cells(row: Element, reading: _Reading) -> Iterator[list[Block]]:
    for element in row:
        if local(element) == "tc":
            yield list(_blocks(element, reading))
        elif local(element) in _WITHIN:
            yield from _cells(element, reading)


def _deleted_row(row: Element) -> bool:
    return any(True for properties in children(row, "trPr") for _ in children(properties, "del"))


def _paragraph(element: Element, reading: _Reading, in_note: bool) -> Iterator[Block]:
    style, numbered = _style(element)
    if style.startswith(_CONTENTS) and style.rstrip("0123456789") in _CONTENTS:
        return
    boxes: list[Element] = []
    text = "".join(_inline(element, reading, boxes, in_note))
    if style in _TITLES and not reading.title:
        reading.title = text
    yield Block(text, item=numbered or style.startswith(_LISTS))
    for box in boxes:
        yield from _blocks(box, reading, in_note=in_note)


def _style(paragraph: Element) -> tuple[str, bool]:
    """The style's name, lower case; whether the paragraph is an item of a list."""
    style, numbered = "", False
    for properties in children(paragraph, "pPr"):
        for element in properties:
            if local(element) == "pStyle":
                style = attribute(element, "val").lower()
            elif local(element) == "numPr":
                numbered = not any(attribute(i, "val") == "0" for i in children(element, "numId"))
    return style, numbered and not style.startswith(("heading", *_TITLES))


def _inline(
    element: Element, reading: _Reading, boxes: list[Element], in_note: bool
) -> Iterator[str]:
    for child in element:
        name = local(child)
        if name == "t":
            yield child.text or ""
        elif name == "tab":
            yield " "
        elif name in ("br", "cr"):
            yield "\n"
        elif name == "noBreakHyphen":
            yield "-"
        elif name == "txbxContent":
            boxes.append(child)
        elif name.removesuffix("Reference") in _NOTES:
            note = f"{name.removesuffix('Reference')} {attribute(child, 'id')}"
            if note in reading.notes and not in_note:
                reading.cited.append(note)
                yield f" [{len(reading.cited)}]"
        elif name not in _LEFT_OUT and not (name == "r" and _set(child, "vanish")):
            yield from _inline(child, reading, boxes, in_note)


def _set(run: Element, *names: str) -> bool:
    """Whether one of these properties of a run is on."""
    return any(
        attribute(each, "val") not in ("0", "false")
        for properties in children(run, "rPr")
        for each in children(properties, *names)
    )
