"""XML from outside: no document type, no entity, nothing fetched, no endless depth."""

from collections.abc import Iterator
from typing import Any

from lxml import etree

from services.ingest.formats.model import Refused, damaged

Element = Any
"""lxml's elements: it publishes no types."""

_DOCTYPES = tuple("<!DOCTYPE".encode(code) for code in ("ascii", "utf-16-le", "utf-16-be"))


def parsed(data: bytes, what: str) -> Element:
    """The root of an XML file of an office document. Raises Refused (422)."""
    if any(sign in data for sign in _DOCTYPES):
        raise Refused(422, f"Ce fichier {what} déclare des entités XML : l'enregistrer à nouveau.")
    parser = etree.XMLParser(
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        return etree.fromstring(data, parser)
    except (etree.LxmlError, ValueError) as error:
        raise damaged(what) from error


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
