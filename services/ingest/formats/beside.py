"""What a document says beside its text: headers, comments, properties, what is hidden or deleted.

Looked at for marks of protection, by the process that reads the document, and thrown away.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import PurePosixPath
from zipfile import ZipFile

from lxml import etree

from schemas.marks import LONGEST
from schemas.note import MAX_BODY
from services.ingest.formats import archive, kinds
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
_OWN = re.compile(
    r"(?i)^mimetype$|(?:^|/)printerSettings\d*\.bin$|^layout-cache$|\.(?:odttf|fntdata)$|^META-INF/"
)
"""What an office program adds in formats of its own, without text: settings of a printer, fonts
as they are embedded (their first bytes changed), where pages break."""
_FONTS = (b"\0\1\0\0", b"OTTO", b"ttcf", b"true", b"wOFF", b"wOF2")
MAX_OWN_BYTES = 16 * 1024 * 1024
"""Of one such part: a font of Chinese characters has 10 MB."""
_SEALED = b"\0?"
"""In the place of what cannot be unpacked: nobody reads it."""
_STRINGS = frozenset([*_LINES, "si", "is", "c", "comment", "text", "table-cell"])
"""Elements whose runs are one string in a workbook or a slide."""
_NAMING = _SAYING | {"name", "unicodestring", "codename", "displayname", "caption"}
_PROPERTIES = ("docProps/", "meta.xml", "customXml/")
_MARGINS = ("Header", "Footer", "header", "footer")
_SIDES = re.compile(r"&[LCR]")
_CODES = re.compile(r'&(?:"[^"\n]{0,200}"|K[0-9A-Fa-f+-]{5,8}|\d{1,3}|[A-Za-z])')
"""Codes in a workbook's headers and footers (ECMA-376, 18.3.1.39)."""


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


def paragraphs(root: Element, lines: frozenset[str] = _LINES) -> Iterator[str]:
    """The paragraphs of an office document's part, with all that is hidden or deleted in them."""
    line: list[str] = []
    for event, element in etree.iterwalk(root, events=("start", "end")):
        name = local(element)
        if name in lines:
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
    """The files in an office document that are no part of its own: workbooks of charts, embedded
    and imported texts, objects of other programs, and whatever else is neither XML, a picture nor
    a font."""
    for entry in packed.infolist():
        name = entry.filename
        try:
            data = archive.read(packed, entry)
        except Refused:
            data = _SEALED
        if _FILES.search(name) or not _is_own(name, data):
            yield Held(PurePosixPath(name).name or "entree.bin", data)


def _is_own(name: str, data: bytes) -> bool:
    if not data.strip(b"\0 \t\r\n") or encoding(data) is not None or kinds.is_picture(data):
        return True
    known = data.startswith(_FONTS) or _OWN.search(name) is not None
    return known and len(data) <= MAX_OWN_BYTES and not kinds.hides_more(data)


@dataclass(slots=True)
class Said:
    """What an office file says: its cells and paragraphs; its names, properties and headers."""

    lines: list[str]
    names: str


def of_package(packed: ZipFile) -> Said:
    """What the parts of any office file say that are XML. Raises Refused where one cannot be
    read."""
    lines: list[str] = []
    names: list[str] = []
    for entry in packed.infolist():
        data = archive.read(packed, entry)
        if encoding(data) is None:
            continue
        root = parsed(data, "Office")
        for element in root.iter("*"):
            text = element.text
            if text and not text.isspace():
                lines.append(text)
                if local(element).endswith(_MARGINS):
                    names.append(_CODES.sub("", _SIDES.sub("\n", text)))
            names += (
                value
                for name, value in element.attrib.items()
                if name.rpartition("}")[2].lower() in _NAMING
            )
        lines += paragraphs(root, _STRINGS)
        if entry.filename.startswith(_PROPERTIES):
            names += properties(root)
    return Said(lines, joined(names))


def of_part(data: bytes, what: str, *, are_properties: bool) -> Iterator[str]:
    """What a part of an office document says, also where it is damaged."""
    try:
        root = parsed(data, what)
    except Refused:
        # No editor opens it, but what it says may be read all the same.
        text = data.decode(encoding(data) or "utf-8", "replace")
        return iter(text.replace("<", "\n<").replace(">", ">\n").split("\n"))
    return properties(root) if are_properties else paragraphs(root)
