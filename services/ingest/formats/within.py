"""Files within files that are read as no note: a workbook in a report, slides sent with a mail.

The original that is kept holds them, so they are looked through for marks of protection. Where
nobody can look into one, the original is for those who may see every mark.
"""

import re
from pathlib import PurePosixPath
from typing import NamedTuple
from zipfile import ZipFile

from schemas.marks import NONE, Marks
from services.ingest.formats import archive, beside, html, kinds
from services.ingest.formats.model import Refused
from services.runtime import marks
from services.runtime.marked_passages import look as look_in_text
from services.runtime.marks import Text, of_name

MOST_READ = 200
"""Files of one document that are looked through: a report has a workbook for each of its charts."""
DEEPEST = 2
"""Documents within documents that are read."""


MAX_SIGNATURE_BYTES = 64 * 1024
"""Of a detached signature with its certificates, which holds no text."""
_SIGNED = (".p7s", ".pkcs7-signature", ".x-pkcs7-signature")
"""Endings of signatures in DER; a part without a name has its media type for one."""
_DER = re.compile(rb"\x30[\x80-\x84]")
_CONTENT = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01\xa0"
"""A signature that holds what it signs: the type of data (RFC 5652, 4), and data behind it."""
_ARMOURED = re.compile(
    r"\s*-----BEGIN (PGP SIGNATURE|PKCS7|CMS)-----\r?\n(?:[A-Z][A-Za-z]{1,20}: [^\n]{0,200}\n)*"
    r"[A-Za-z0-9+/=\s]*-----END \1-----\s*"
)
_ZIPPED = b"PK\x03\x04"
_TEXTS = ("", ".txt", ".text", ".csv", ".tsv", ".tab", ".log", ".md", ".asc", ".sig", ".p7s")
"""Endings of what may be text and nothing else: not of what has a markup or encoding of its own."""
_ENCODED = re.compile(
    r"\{\\rtf|-----BEGIN |^begin [0-7]{3,4} |^content-transfer-encoding:|^mime-version:|%PDF-|^%!PS"
    r"|(?<![A-Za-z0-9+/=])[A-Za-z0-9+/=]{201}|(?<![A-Za-z0-9+/=])(?:(?:[A-Za-z0-9+/=]{50,200}+\s{1,3}+){4}"
    r"|(?:[A-Za-z0-9+/=]{20,200}+\s{1,3}+){10})",
    re.I | re.M,
)
_NO_SIGNS = re.compile("[\0-\x08\x0b\x0e-\x1f\x7f-\x9f\ufffd]")
_CELLS = re.compile(r"[;,\t|\"]+")
_OFFICE = (b"openxmlformats-officedocument", b"application/vnd.oasis.opendocument.")


class Look(NamedTuple):
    """The marks that are seen in a file; `whole`: all that it says was looked at."""

    marks: Marks
    whole: bool


_NOTHING = Look(NONE, True)
_UNSEEN = Look(NONE, False)


def look(name: str, data: bytes, depth: int = 0) -> Look:
    """Return the marks in a file that is none of the formats that are read.

    Only what is known to be looked at is `whole`: a picture and nothing behind it, a detached
    signature, plain text, and an office file whose every entry is one of these or XML.
    """
    found = _inside(name, data, depth)
    return Look(of_name(name) | found.marks, found.whole)


def _inside(name: str, data: bytes, depth: int) -> Look:
    if kinds.is_empty(data) or kinds.is_picture(data):
        return _NOTHING
    if data.startswith(_ZIPPED):
        return _in_package(data, depth)
    if _is_signature(name, data):
        return Look(marks.found(Text(data.decode("latin-1"))), True)
    return _as_text(name, data)


def _is_signature(name: str, data: bytes) -> bool:
    """Whether that is a signature apart from what it signs."""
    if len(data) > MAX_SIGNATURE_BYTES or kinds.hides_more(data):
        return False
    if PurePosixPath(name).suffix.lower() in _SIGNED and _DER.match(data):
        return _CONTENT not in data
    found = _ARMOURED.fullmatch(data.decode("latin-1"))
    return found is not None and (found[1] == "PGP SIGNATURE" or name.lower().endswith(_SIGNED))


def _in_package(data: bytes, depth: int) -> Look:
    """The marks in the cells, slides and properties of an office file; not of another archive."""
    if depth > DEEPEST:
        return _UNSEEN
    try:
        with archive.opened(data) as packed:
            if not _is_office(set(packed.namelist()), packed):
                return _UNSEEN
            said = beside.of_package(packed)
            text = beside.joined(said.lines)
            found = marks.found(Text(text), Text(said.names, head=True))
            found |= look_in_text("", text).certain.marks
            held = list(beside.files_in(packed))
    except Refused:
        return _UNSEEN
    whole = len(held) <= MOST_READ
    for file in held[:MOST_READ]:
        seen = look(file.name, file.data, depth + 1)
        found, whole = found | seen.marks, whole and seen.whole
    return Look(found, whole)


def _is_office(names: set[str], packed: ZipFile) -> bool:
    for entry in ("[Content_Types].xml", "mimetype"):
        if entry in names:
            said = archive.read(packed, entry)
            return any(kind in said for kind in _OFFICE)
    return False


def _as_text(name: str, data: bytes) -> Look:
    """The marks in a text, and in its cells; not `whole` where it is not plain."""
    try:
        text = html.decoded(data)
    except Refused:
        return _UNSEEN
    found = marks.found(Text(text), Text(_CELLS.sub("\n", text)))
    # Initials are too often the head of a table's column.
    found |= look_in_text("", text).certain.marks
    plain = (
        PurePosixPath(name).suffix.lower() in _TEXTS
        and not _NO_SIGNS.search(text)
        and not _ENCODED.search(text)
        and not text.lstrip().startswith("<")
        and text.count("<") <= text.count("\n") + 1
    )
    return Look(found, plain)
