"""Text and Markdown files, word for word: the same note whoever reads the file, the command or the
service. No parser of documents is needed for it.
"""

from dataclasses import dataclass

from services.ingest.formats import head
from services.ingest.formats.head import Head
from services.ingest.formats.text import one_line
from services.runtime import text_files


@dataclass(frozen=True, slots=True)
class Plain:
    """What a text file says: `fields` as in `model.Document`, and the text as it stands.

    `header` is what its first lines say, `fields` included.
    """

    fields: dict[str, str]
    subject: str
    body: str
    header: Head


def read(data: bytes) -> Plain:
    """The text in a file's bytes; where its header names the subject, that is the subject, else the
    first line that is none of the header's.

    Raises ValueError, in French, where there is no text in them.
    """
    found = text_files.parse(data)
    rest = "" if found.body.lstrip().startswith(found.subject) else found.body
    whole = f"{found.subject}\n\n{rest}" if rest else found.body
    header = head.read(whole)
    subject = header.fields.get("subject", "")
    if not subject and head.bare(found.subject) in header.lines:
        subject = head.title(whole, header)
    if not subject:
        return Plain(header.fields, found.subject, found.body, header)
    first_is_subject = one_line(found.subject).endswith(subject)
    return Plain(header.fields, subject, found.body if first_is_subject else whole, header)
