"""What comes out of a file: documents that can be read, and those that cannot, with the reason."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from schemas.marks import NONE, Marks
from services.runtime import marks

MAX_FILE_BYTES = 32 * 1024 * 1024
"""Of one file. The longest report of the field is 3 MB as a PDF with its pictures: ten times
that."""

MAX_UNPACKED_BYTES = 64 * 1024 * 1024
"""Of all that one file holds, unpacked. It fits in the child's memory (apart.MEMORY_BYTES) with
room for the tree of the largest document."""

MOST_NAMES = 200
"""Attachments named in a note, as in schemas.note."""


@dataclass(frozen=True, slots=True)
class Document:
    """One readable document of a file.

    `name`: its file's name; inside an archive or a mail `archive.zip/dir/note.docx`. `original`:
    the bytes of this very document. `fields`: what its header says, of subject, date (ISO 8601),
    reference, post (code), genre (code), author, action, cites and addressees (joined by `;`); only
    what is there. `subject`: the
    best guess: the header's, else the title, else the first line. `body`: readable text, paragraphs
    parted by blank lines, never empty. `attachments`: names of what was attached and not read.
    `marks`: the marks of protection in all of the document and in all that lies in it; it is no
    classified one. `unseen`: something lies in it that nobody could look into. `holds`: the SHA-256
    of each file that lies in it. `guessed`: fields, subject and date among them, that it does not
    state as its own: the first line as subject, a mail's date, the number that it only cites.

    `accompanies`: it is a mail that says no more than that something comes with it; then its body
    may be empty. `covers`: the mails that only brought this document, the nearest first.
    `supplied`: names of the fields that come from them. `forwarded`: as in `Content`.
    """

    name: str
    media_type: str
    original: bytes = field(repr=False)
    fields: Mapping[str, str]
    subject: str
    body: str
    attachments: tuple[str, ...] = ()
    marks: Marks = NONE
    unseen: bool = False
    holds: tuple[str, ...] = ()
    accompanies: bool = False
    covers: tuple["Document", ...] = ()
    supplied: tuple[str, ...] = ()
    forwarded: bool = False
    guessed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unreadable:
    """One document that could not be read. `status`: 413, 415 or 422; `detail`: what to do.

    `classified`: it may not be read here; then its name is for nobody either. `marks` are those
    that are known of it all the same; `unseen`: there may be others.
    """

    name: str
    status: int
    detail: str
    classified: bool = False
    marks: Marks = NONE
    unseen: bool = True


@dataclass(frozen=True, slots=True)
class Held:
    """A file that lies in a document."""

    name: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Content:
    """What the reader of one format found: `text` as in `Document.body`, `title` where it has
    one.

    For the marks of protection alone: `lines`, the text as it lies on the pages, where `text` was
    put together from these; `beside`, what the document says outside its text; `held`, the files
    that lie in it; `unseen`: something else lies in it that nobody can look into.

    `forwarded`: the text is a message that a mail does no more than forward.
    """

    text: str
    title: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    attachments: tuple[str, ...] = ()
    lines: str = ""
    beside: str = ""
    held: tuple[Held, ...] = field(default=(), repr=False)
    unseen: bool = False
    forwarded: bool = False


class Refused(Exception):
    """A document that is not read: the HTTP status, and one French sentence that says what to
    do; whether it is a classified one."""

    def __init__(self, status: int, detail: str, *, classified: bool = False) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.classified = classified

    def of(self, name: str) -> Unreadable:
        """The same, of the document with that name."""
        return Unreadable(name, self.status, self.detail, self.classified)


def places_of(name: str) -> Iterator[str]:
    """Return the names of the files in which a document of that name lies, the nearest first."""
    at = name.rfind("/")
    while at > 0:
        yield name[:at]
        at = name.rfind("/", 0, at)


def check(found: Marks) -> Marks:
    """These marks. Raises Refused where they are a classified document's."""
    if found.classified:
        raise Refused(marks.STATUS, marks.DETAIL, classified=True)
    return found


def damaged(what: str) -> Refused:
    """The refusal of a file that is not what it says, `what` being its format."""
    return Refused(422, f"Ce fichier {what} est abîmé ou incomplet : l'enregistrer à nouveau.")
