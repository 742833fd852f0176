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
from zipfile import ZipFile

from lxml import etree

from services.ingest.formats import archive, beside, blocks, docx_lists, raised
from services.ingest.formats.blocks import Block
from services.ingest.formats.docx_lists import Lists, Style, Styles
from services.ingest.formats.model import MOST_NAMES, Content
from services.ingest.formats.numbering import whole
from services.ingest.formats.tables import Cell, table
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
_HEADINGS = ("heading", *_TITLES)
_HEIGHTS = {"superscript": raised.UP, "subscript": raised.DOWN}


@dataclass
class _Reading:
    notes: dict[str, Element]
    styles: Styles = field(default_factory=Styles)
    lists: Lists = field(default_factory=Lists)
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
        styles = docx_lists.styles_of(_part(packed, "word/styles.xml"))
        lists = docx_lists.lists_of(_part(packed, "word/numbering.xml"))
        parts = beside.of_parts(packed, _WHAT, without=_NO_WORDS, properties_in=_PROPERTIES)
        embedded = [PurePosixPath(name) for name in names if name.startswith(_EMBEDDED)]
        own = chain(_left_out(root), beside.attributes(root), (name.stem for name in embedded))
        outside = beside.joined(chain(own, parts))
        held = tuple(beside.files_in(packed))
    reading = _Reading(notes, styles, lists)
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


def _part(packed: ZipFile, name: str) -> Element | None:
    """The root of a part of a DOCX; None where it has none. Raises Refused."""
    return parsed(archive.read(packed, name), _WHAT) if name in packed.namelist() else None


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
            yield from table(list(_rows(element, reading)))
        elif name in _WITHIN:
            yield from _blocks(element, reading, in_note=in_note)


def _rows(element: Element, reading: _Reading) -> Iterator[list[Cell]]:
    for each in element:
        if local(each) == "tr" and not _deleted_row(each):
            before = _of_row(each, "gridBefore")
            yield [*([Cell(across=before)] if before else []), *_cells(each, reading)]
        elif local(each) in _WITHIN:
            yield from _rows(each, reading)


def _cells(row: Element, reading: _Reading) -> Iterator[Cell]:
    for element in row:
        if local(element) == "tc":
            spans = [each for p in children(element, "tcPr") for each in children(p, "gridSpan")]
            across = whole(attribute(spans[0], "val"), 1) if spans else 1
            yield Cell(list(_blocks(element, reading)), across)
        elif local(element) in _WITHIN:
            yield from _cells(element, reading)


def _of_row(row: Element, name: str) -> int:
    """A whole number among a row's properties; 0 where it is not there."""
    found = [each for p in children(row, "trPr") for each in children(p, name)]
    return whole(attribute(found[0], "val"), 0) if found else 0


def _deleted_row(row: Element) -> bool:
    return any(True for properties in children(row, "trPr") for _ in children(properties, "del"))


def _paragraph(element: Element, reading: _Reading, in_note: bool) -> Iterator[Block]:
    style_id, own = _properties(element)
    style = style_id.lower()
    if style.startswith(_CONTENTS) and style.rstrip("0123456789") in _CONTENTS:
        return
    boxes: list[Element] = []
    text = raised.plain("".join(_inline(element, reading, boxes, in_note)))
    if style in _TITLES and not reading.title:
        reading.title = text
    yield _numbered(text, element, style_id, own, reading)
    for box in boxes:
        yield from _blocks(box, reading, in_note=in_note)


def _properties(paragraph: Element) -> tuple[str, tuple[str, int]]:
    """The style's id; the list and the level that the paragraph itself names."""
    style, own = "", ("", -1)
    for properties in children(paragraph, "pPr"):
        style = next((attribute(e, "val") for e in children(properties, "pStyle")), style)
        own = docx_lists.numbering_of(properties)
    return style, own


def _numbered(
    text: str, paragraph: Element, style_id: str, own: tuple[str, int], reading: _Reading
) -> Block:
    """A paragraph with the number that Word shows; a heading's is part of its text."""
    chain = reading.styles.chain(style_id)
    of_style = next((style for style in chain if style.list_id), None)
    list_id = own[0] or (of_style.list_id if of_style else "")
    heading = _is_heading(style_id, chain)
    listed = style_id.lower().startswith(_LISTS)
    if not list_id or docx_lists.in_no_list(list_id):
        return Block(text, item=listed and not list_id, sides=blocks.sides(text))
    depth = own[1]
    if depth < 0 and of_style is not None:
        depth = of_style.level
        if depth < 0:
            styled = reading.lists.level_of_style(list_id, style_id, reading.styles)
            depth = styled
    gone = not text.strip() and _mark_is_deleted(paragraph)
    label = None if gone else reading.lists.label(list_id, max(depth, 0), reading.styles)
    if label is None:
        return Block(text, item=not heading)
    if heading:
        return Block(text if label in ("", "-") or not text.strip() else f"{label} {text}")
    return Block(text, item=label != "", label=label)


def _is_heading(style_id: str, chain: list[Style]) -> bool:
    names = [style_id.lower(), *(style.name for style in chain)]
    return any(name.startswith(_HEADINGS) for name in names) or any(s.outline for s in chain)


def _mark_is_deleted(paragraph: Element) -> bool:
    return any(
        True
        for properties in children(paragraph, "pPr")
        for run in children(properties, "rPr")
        for _ in children(run, "del", "moveFrom")
    )


def _inline(
    element: Element, reading: _Reading, boxes: list[Element], in_note: bool
) -> Iterator[str]:
    for child in element:
        name = local(child)
        if name == "t":
            yield child.text or ""
        elif name == "tab":
            yield "\t"
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
        elif name == "r":
            yield from _run(child, reading, boxes, in_note)
        elif name not in _LEFT_OUT:
            yield from _inline(child, reading, boxes, in_note)


def _run(run: Element, reading: _Reading, boxes: list[Element], in_note: bool) -> Iterator[str]:
    """A run's text, between marks where it is raised or lowered; nothing of a hidden one."""
    if _set(run, "vanish"):
        return
    height = _HEIGHTS.get(_height(run, reading.styles))
    if height and not any(local(child).endswith("Reference") for child in run):
        yield height
        yield from _inline(run, reading, boxes, in_note)
        yield raised.END
    else:
        yield from _inline(run, reading, boxes, in_note)


def _height(run: Element, styles: Styles) -> str:
    """How high a run stands, by itself or by its style of characters."""
    for properties in children(run, "rPr"):
        if own := docx_lists.height_of(properties):
            return own
        for style in children(properties, "rStyle"):
            return next((s.height for s in styles.chain(attribute(style, "val")) if s.height), "")
    return ""


def _set(run: Element, *names: str) -> bool:
    """Whether one of these properties of a run is on."""
    return any(
        attribute(each, "val") not in ("0", "false")
        for properties in children(run, "rPr")
        for each in children(properties, *names)
    )
