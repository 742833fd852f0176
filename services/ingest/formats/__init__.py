"""Files as notes: what a counsellor's word processor, browser or mailbox saved, as plain text.

`extract` is pure: bytes in, documents out, nothing read but these bytes. Files come from outside
and their parsers are written in C: a service calls `apart.extract_apart`, which runs it in a
process that can do nothing else.
"""

from services.ingest.formats.documents import extract
from services.ingest.formats.kinds import ENDINGS
from services.ingest.formats.model import Document, Unreadable

__all__ = ["ENDINGS", "Document", "Unreadable", "extract"]
