"""Text and Markdown files, word for word: the same note whoever reads the file, the command or the
service. No parser of documents is needed for it.
"""

from dataclasses import dataclass

from services.ingest.formats import head
from services.ingest.formats.text import one_line
from services.runtime import text_files


@dataclass(frozen=True, slots=True)
class Plain:
    """What a text file says: `fields` as in `model.Document`, and the text as it stands."""

    fields: dict[str, str]
    subject: str
    body: str


def read(data: bytes) -> Plain:
    """The text in a file's bytes; only where its header names the subject, that is the subject.

    Raises ValueError, in French, where there is no text in them.
    """
    found = text_files.parse(data)
    rest = "" if found.body.lstrip().startswith(found.subject) else found.body
    whole = f"{found.subject}\n\n{rest}" if rest else found.body
    fields = head.read(whole).fields
    subject = fields.get("subject", "")
    if not subject:
        return Plain(fields, found.subject, found.body)
    first_is_subject = one_line(found.subject).endswith(subject)
    return Plain(fields, subject, found.body if first_is_subject else whole)
