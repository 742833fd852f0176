"""Text and Markdown files, word for word: the same note whoever reads the file, the command or the
service. No parser of documents is needed for it.
"""

from dataclasses import dataclass

from schemas.note import MAX_SUBJECT
from services.ingest.formats import head
from services.ingest.formats.text import one_line
from services.runtime import text_files


@dataclass(frozen=True, slots=True)
class Plain:
    """What a text file says: `fields` as in `model.Document`, and the text as it stands.

    `guessed` names what it does not state as its own, as in `model.Document`.
    """

    fields: dict[str, str]
    subject: str
    body: str
    guessed: tuple[str, ...] = ()
    impossible: str = ""


def read(data: bytes) -> Plain:
    """The text in a file's bytes; where its header names the subject, that is the subject, else the
    first line that is none of the header's.

    Raises ValueError, in French, where there is no text in them.
    """
    found = text_files.parse(data)
    rest = "" if found.body.lstrip().startswith(found.subject) else found.body
    whole = f"{found.subject}\n\n{rest}" if rest else found.body
    header = head.read(whole)
    stated = header.fields.get("subject", "")
    guessed = tuple(sorted(header.guessed | (set() if stated else {"subject"})))
    subject, body = stated, whole
    if not stated:
        first = head.bare(found.subject)
        subject = head.title(whole, header) if first in header.lines else found.subject
    if subject == found.subject or (stated and one_line(found.subject).endswith(stated)):
        body = found.body
    return Plain(header.fields, subject[:MAX_SUBJECT], body, guessed, header.impossible)
