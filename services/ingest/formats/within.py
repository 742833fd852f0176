"""Files within files that are read as no note: a workbook in a report, slides sent with a mail.

The original that is kept holds them, so they are looked through for marks of protection. Where
nobody can look into one, the original is for those who may see every mark.
"""

from pathlib import PurePosixPath

from schemas.marks import Marks
from services.ingest.formats import archive, beside, kinds
from services.ingest.formats.model import Refused
from services.runtime import marks
from services.runtime.marks import Text, of_name

MOST_READ = 200
"""Files of one document that are looked through: a report has a workbook for each of its charts."""
DEEPEST = 2
"""Documents within documents that are read."""

_SIGNATURES = (".p7s", ".sig", ".asc")
MAX_SIGNATURE_BYTES = 64 * 1024
"""Of a detached signature with its certificates, which holds no text."""
_ZIPPED = b"PK\x03\x04"


def look(name: str, data: bytes) -> Marks | None:
    """Return the marks in a file that is none of the formats that are read; None: nobody can tell.

    Pictures bear none that could be read. A plain text and the parts of an office file are looked
    through; what is encrypted, damaged, or in a format of its own is not.
    """
    named = of_name(name)
    if kinds.is_empty(data) or kinds.is_picture(data) or _is_signature(name, data):
        return named
    said = _in_package(data) if data.startswith(_ZIPPED) else _as_text(data)
    return None if said is None else named | said


def _is_signature(name: str, data: bytes) -> bool:
    ending = PurePosixPath(name).suffix.lower()
    return ending in _SIGNATURES and len(data) <= MAX_SIGNATURE_BYTES


def _in_package(data: bytes) -> Marks | None:
    """The marks in the cells, slides and properties of an office file; None for another archive."""
    try:
        with archive.opened(data) as packed:
            names = packed.namelist()
            if "[Content_Types].xml" not in names and "mimetype" not in names:
                return None
            if any("/embeddings/" in name for name in names):
                return None
            return marks.found(Text(beside.joined(beside.of_package(packed))))
    except Refused:
        return None


def _as_text(data: bytes) -> Marks | None:
    if b"\0" in data:
        return None
    try:
        return marks.found(Text(data.decode("utf-8-sig")))
    except UnicodeDecodeError:
        return None
