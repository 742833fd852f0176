"""The header of a note: what its first lines say of subject, date, reference, post, genre, author
and addressees.

A line is recognised by its form, whole: a label and a colon, a dateline, a title. A word inside a
sentence says nothing, and nothing does after the first paragraph, or in what is quoted or annexed.
"""

from services.ingest.formats.head.lines import HEAD_LINES, LONG_LINE, bare
from services.ingest.formats.head.reading import (
    Head,
    has_body,
    note_fields,
    read,
    title,
)

__all__ = ["HEAD_LINES", "LONG_LINE", "Head", "bare", "has_body", "note_fields", "read", "title"]
