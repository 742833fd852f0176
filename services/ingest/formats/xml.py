"""XML from outside: no document type, no entity, nothing fetched, no endless depth.

Whether there is a document type the parser itself says: bytes alone do not tell in every encoding
that it knows.
"""

import codecs
from collections.abc import Iterator
from typing import Any

from lxml import etree

from services.ingest.formats.model import Refused, damaged

Element = Any
"""lxml's elements: it publishes no types."""

_BEGINNINGS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    *(("<".encode(code), code) for code in ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be")),
)
"""What a file begins with by its encoding, the longest first (XML 1.0, appendix F)."""
_BEFORE = codecs.BOM_UTF8 + b" \t\r\n"


def parsed(data: bytes, what: str) -> Element:
    """The root of an XML file of an office document. Raises Refused (422)."""
    try:
        if _has_document_type(data):
            raise Refused(
                422, f"Ce fichier {what} déclare des entités XML : l'enregistrer à nouveau."
            )
        return etree.fromstring(data, _parser(remove_comments=True, remove_pis=True))
    except (etree.LxmlError, ValueError) as error:
        raise damaged(what) from error


def encoding(data: bytes) -> str | None:
    """The Unicode encoding that XML begins in, UTF-8 for all that looks like ASCII; None for what
    is no XML."""
    for beginning, code in _BEGINNINGS:
        if data.startswith(beginning):
            return code
    return "utf-8" if data.lstrip(_BEFORE).startswith(b"<") else None


class _Found(Exception):
    """Ends the first look at a file: at its document type, or at its first element without one."""

    def __init__(self, *, document_type: bool) -> None:
        super().__init__()
        self.document_type = document_type


class _Beginning:
    """What the parser tells while it looks at a file's beginning."""

    def doctype(self, *_: Any) -> None:
        """Called at the name of a document type, before anything is declared in it."""
        raise _Found(document_type=True)

    def start(self, *_: Any) -> None:
        """Called at the first element: from there on there can be no document type."""
        raise _Found(document_type=False)

    def close(self) -> None:
        """Called at the end of a file without any element."""


def _has_document_type(data: bytes) -> bool:
    try:
        etree.fromstring(data, _parser(target=_Beginning()))
    except _Found as found:
        return found.document_type
    return False


def _parser(**more: Any) -> Any:
    return etree.XMLParser(
        resolve_entities=False, load_dtd=False, no_network=True, huge_tree=False, **more
    )


def local(element: Element) -> str:
    """The name of an element without its namespace."""
    name: str = element.tag if isinstance(element.tag, str) else ""
    return name.rpartition("}")[2]


def attribute(element: Element, name: str) -> str:
    """The value of an attribute, whatever its namespace; empty where there is none."""
    for key, value in element.attrib.items():
        if key.rpartition("}")[2] == name:
            return str(value)
    return ""


def children(element: Element, *names: str) -> Iterator[Element]:
    """The direct children with one of these names."""
    return (child for child in element if local(child) in names)
