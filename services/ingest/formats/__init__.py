"""Files as notes: what a counsellor's word processor, browser or mailbox saved, as plain text.

`extract` is pure: bytes in, documents out, nothing read but these bytes. Files come from outside
and their parsers are written in C: a service calls `apart.extract_apart`, which runs it in a
process that can do nothing else.
"""

from services.ingest.formats.kinds import ENDINGS
from services.ingest.formats.model import Document, Unreadable

__all__ = ["ENDINGS", "Document", "Unreadable", "extract"]


def extract(data: bytes, name: str, media_type: str | None = None) -> list[Document | Unreadable]:
    """The documents in a file, as `documents.extract` says; its parsers are loaded now.

    Whoever only reads the header of a text, as the command does, has no need of them.
    """
    from services.ingest.formats import documents  # noqa: PLC0415  not in every install

    return documents.extract(data, name, media_type)
