"""What a document says beside its text: headers, comments, properties, what is hidden or deleted.

Looked at for marks of protection, by the process that reads the document, and thrown away.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import PurePosixPath
from zipfile import ZipFile

from lxml import etree

from schemas.marks import LONGEST
from schemas.note import MAX_BODY
from services.ingest.formats import archive
from services.ingest.formats.model import Held, Refused
from services.ingest.formats.xml import Element, encoding, local, parsed

MOST_CHARACTERS = 2 * MAX_BODY
"""Of all that stands beside one text."""

_LINES = frozenset(["p", "h"])
_SPACES = frozenset(["s", "tab", "br", "cr", "line-break"])
_SAYING = frozenset(
    [
        "string",
        "descr",
        "title",
        "alt",
        "tooltip",
        "help-text",
        "string-value",
        "helptext",
        "aria-label",
    ]
)
"""Attributes in which a document speaks to its reader: a watermark's words, a picture's text."""
_LABEL = "Mention : "
_FILES = re.compile(r"(?i)(?:^|/)(?:embeddings/|afchunk[^/]*\.(?!xml$))")
"""Of a DOCX: what is embedded, and what is to be imported (`w:altChunk`)."""
_OBJECT = re.compile(r"Object \d+")
"""Of an ODT: an object of another program; one of its own is a folder of XML."""


def joined(lines: Iterable[str]) -> str:
    """These lines as one text. Raises Refused (413) where there is too much of it."""
    kept: list[str] = []
    left = MOST_CHARACTERS
    for line in lines:
        left -= len(line) + 1
        if left < 0:
            raise Refused(
                413, "Les en-têtes, commentaires et propriétés du document sont trop longs."
            )
        kept.append(line)
    return "\n".join(kept)


def paragraphs(root: Element) -> Iterator[str]:
    """The paragraphs of an office document's part, with all that is hidden or deleted in them."""
    line: list[str] = []
    for event, element in etree.iterwalk(root, events=("start", "end")):
        name = local(element)
        if name in _LINES:
            yield "".join(line)
            line = []
        elif event == "start" and name in _SPACES:
            line.append(" ")
        added = element.text if event == "start" else element.tail
        if added and (event == "start" or element is not root):
            line.append(added)
    yield "".join(line)
    yield from attributes(root)


def attributes(root: Element) -> Iterator[str]:
    """What elements say in attributes."""
    for element in root.iter("*"):
        for name, value in element.attrib.items():
            if name.rpartition("}")[2].lower() in _SAYING:
                yield value


def properties(root: Element) -> Iterator[str]:
    """The values of a document's properties."""
    for element in root.iter("*"):
        if element.text and element.text.strip():
            yield from of_property(element.text)


def of_property(value: str) -> Iterator[str]:
    """A property's value, as it is and as a mark that a label announces."""
    yield value
    if len(value) <= LONGEST:
        yield f"{_LABEL}{' '.join(value.split())}"


def of_parts(
    packed: ZipFile, what: str, *, without: re.Pattern[str], properties_in: tuple[str, ...]
) -> Iterator[str]:
    """What the parts of an office document say that are XML, whatever their names.

    Parts that the pattern names are left out; those whose name begins so are properties.
    """
    for entry in packed.infolist():
        if without.fullmatch(entry.filename):
            continue
        with suppress(Refused):  # what cannot be unpacked nobody reads
            data = archive.read(packed, entry)
            if encoding(data) is not None:
                are_properties = entry.filename.startswith(properties_in)
                yield from of_part(data, what, are_properties=are_properties)


def files_in(packed: ZipFile) -> Iterator[Held]:
    """The files in an office document that are documents by themselves: workbooks of charts,
    embedded and imported texts, objects of other programs."""
    for entry in packed.infolist():
        if _FILES.search(entry.filename) or _OBJECT.fullmatch(entry.filename):
            with suppress(Refused):
                yield Held(PurePosixPath(entry.filename).name, archive.read(packed, entry))


def of_package(packed: ZipFile) -> Iterator[str]:
    """What the parts of any office file say that are XML: each cell, run or property a line."""
    for entry in packed.infolist():
        with suppress(Refused):
            data = archive.read(packed, entry)
            if encoding(data) is not None:
                root = parsed(data, "Office")
                yield from (each.text for each in root.iter("*") if each.text)
                yield from paragraphs(root)


def of_part(data: bytes, what: str, *, are_properties: bool) -> Iterator[str]:
    """What a part of an office document says, also where it is damaged."""
    try:
        root = parsed(data, what)
    except Refused:
        # No editor opens it, but what it says may be read all the same.
        text = data.decode(encoding(data) or "utf-8", "replace")
        return iter(text.replace("<", "\n<").replace(">", ">\n").split("\n"))
    return properties(root) if are_properties else paragraphs(root)
