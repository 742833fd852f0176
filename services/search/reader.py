"""Who is reading, and what they may see: the one place that decides it for this service."""

from fastapi import Request

from schemas.note import Note
from schemas.query import PUBLIC, Reader
from schemas.vocabulary import Marking


def reader_of(request: Request) -> Reader:
    """The reader on whose behalf a request is answered.

    A deployment without keys knows one reader, who sees what bears no mark.
    """
    del request  # nobody presents a key yet
    return PUBLIC


def may_read(reader: Reader, note: Note) -> bool:
    """Whether the note may be shown to the reader, whole.

    A note with marked passages is for those who may see every mark there is: the passages are not
    cut out of it.
    """
    if (note.special_france or note.marked_spans) and not reader.special_france:
        return False
    strictest = list(Marking)[-1] if note.marked_spans else note.marking
    return {note.marking, strictest} <= reader.markings
