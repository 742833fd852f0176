"""Which format a file is in: by its content first, by its name where the content does not say."""

import re
from pathlib import PurePosixPath

from services.ingest.formats import archive, encrypted
from services.ingest.formats.model import Refused

TEXT, MARKDOWN, HTML, DOCX, ODT, PDF, EML, ZIP = (
    "txt",
    "md",
    "html",
    "docx",
    "odt",
    "pdf",
    "eml",
    "zip",
)

MEDIA_TYPES = {
    TEXT: "text/plain",
    MARKDOWN: "text/markdown",
    HTML: "text/html",
    DOCX: "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ODT: "application/vnd.oasis.opendocument.text",
    PDF: "application/pdf",
    EML: "message/rfc822",
    ZIP: "application/zip",
}

_BY_ENDING = {
    ".txt": TEXT,
    ".md": MARKDOWN,
    ".markdown": MARKDOWN,
    ".html": HTML,
    ".htm": HTML,
    ".docx": DOCX,
    ".odt": ODT,
    ".pdf": PDF,
    ".eml": EML,
    ".zip": ZIP,
}
ENDINGS = tuple(_BY_ENDING)
_BY_MEDIA_TYPE = {media_type: kind for kind, media_type in MEDIA_TYPES.items()} | {
    "application/xhtml+xml": HTML,
    "text/x-markdown": MARKDOWN,
    "application/x-zip-compressed": ZIP,
    "application/x-pdf": PDF,
}
_SIGNED = (DOCX, ODT, PDF, ZIP)
"""Formats whose content says so: a file of that name without the signature is damaged."""

PDF_WITHIN = 1024
"""Bytes before a PDF's signature that its readers let pass."""

_KNOWN = ", ".join(ENDINGS)
_MACROS = Refused(
    415, "Un document avec des macros n'est pas accepté : l'enregistrer sans macros (.docx, .odt)."
)
_PICTURES = (
    *(b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"II*\0", b"MM\0*"),
    *(b"II\xbc\x01", b"VCLMTF", b"\x01\0\x09\0"),  # HD Photo, LibreOffice's and bare metafiles
    *(b"\xd7\xcd\xc6\x9a", b"\x01\0\0\0\x6c\0\0\0"),  # Windows metafiles, old and enhanced
)
_OTHERS = (
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "ancien format de Microsoft Office"),
    (b"{\\rtf", "format RTF"),
    *((signature, "image") for signature in _PICTURES),
    (b"Rar!", "archive RAR"),
    (b"7z\xbc\xaf", "archive 7z"),
    (b"\x1f\x8b", "archive gzip"),
    (b"MZ", "programme"),
    (b"\x7fELF", "programme"),
)
_BEHIND = (
    b"%PDF-1.",
    b"Rar!\x1a\x07",
    b"7z\xbc\xaf\x27\x1c",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
    b"{\\rtf1",
)
"""Beginnings of documents and archives, long enough not to stand in a picture by chance."""
_PNG_END = b"IEND\xae\x42\x60\x82"
_ENCRYPTED_PACKAGE = "EncryptedPackage".encode("utf-16-le")
_LIKE_HTML = re.compile(
    rb"\s*(?:<!--(?>.*?-->)\s*+)*+<(?:!doctype\s+html|html|head|body)\b", re.I | re.S
)
_MAIL_LINE = re.compile(
    rb"^(?:From|To|Received|Return-Path|Delivered-To|Message-ID|MIME-Version|Content-Type"
    rb"|X-[A-Za-z-]+|DKIM-Signature|Subject|Date):",
    re.I | re.M,
)
_MAIL_LINES = 4
"""Header lines of a mail that make one of a file without that name."""


def kind_of(data: bytes, name: str, media_type: str | None = None) -> str:
    """The format of a file. Raises Refused where it is none of ours, or damaged beyond knowing."""
    if is_empty(data):
        raise Refused(422, "Le fichier est vide.")
    ending = PurePosixPath(name).suffix.lower()
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")):
        return _zipped(data)
    if b"%PDF-" in data[:PDF_WITHIN]:
        return PDF
    _refuse_others(data)
    encrypted.check_file(data, ending)
    declared = (media_type or "").partition(";")[0].strip().lower()
    kind = _BY_ENDING.get(ending) or _BY_MEDIA_TYPE.get(declared)
    if kind in _SIGNED:
        raise Refused(
            422,
            f"Le contenu n'est pas celui d'un fichier {kind.upper()} : l'enregistrer à nouveau.",
        )
    if kind is None and ending and declared not in _BY_MEDIA_TYPE:
        raise Refused(415, f"Format non pris en charge (acceptés : {_KNOWN}).")
    if kind in (None, TEXT):
        kind = _of_text(data)
    return kind


def is_empty(data: bytes) -> bool:
    """Whether a file says nothing."""
    return not data.strip(b"\0 \t\r\n")


def is_picture(data: bytes) -> bool:
    """Whether these are the bytes of a picture, in one of the formats that documents hold, and of
    nothing else."""
    webp = data[:4] == b"RIFF" and data[8:12] == b"WEBP"
    bitmap = data[:2] == b"BM" and data[6:10] == bytes(4)
    film = data[4:12] in (b"ftypheic", b"ftypavif")
    if not (data.startswith(_PICTURES) or film or webp or bitmap):
        return False
    return not hides_more(data)


def hides_more(data: bytes) -> bool:
    """Whether another file lies behind a file's beginning: programs read a ZIP from its end."""
    at = data.find(b"PK\x03\x04")
    if at >= 0 and data.find(b"PK\x05\x06", at) >= 0:
        return True
    if any(signature in data for signature in _BEHIND):
        return True
    end = data.rfind(_PNG_END) if data.startswith(b"\x89PNG") else -1
    return end >= 0 and not is_empty(data[end + len(_PNG_END) :])


def known(name: str, media_type: str) -> bool:
    """Whether an attachment of that name and type is in a format that is read."""
    ending = PurePosixPath(name).suffix.lower()
    return ending in _BY_ENDING or (not ending and media_type in _BY_MEDIA_TYPE)


def _of_text(data: bytes) -> str:
    if _LIKE_HTML.match(data[:4096]):
        return HTML
    head = data[:8192].replace(b"\r\n", b"\n").partition(b"\n\n")[0]
    if _MAIL_LINE.match(head) and len(_MAIL_LINE.findall(head)) >= _MAIL_LINES:
        return EML
    return TEXT


def _refuse_others(data: bytes) -> None:
    for signature, what in _OTHERS:
        if data.startswith(signature):
            if _ENCRYPTED_PACKAGE in data:
                raise Refused(422, f"Le document est {encrypted.UNLOCK}.")
            raise Refused(415, f"Format non pris en charge ({what}) ; acceptés : {_KNOWN}.")


def _zipped(data: bytes) -> str:
    with archive.opened(data) as packed:
        names = set(packed.namelist())
        if "word/document.xml" in names or "[Content_Types].xml" in names:
            return _microsoft(names, archive.read(packed, "[Content_Types].xml"))
        if "mimetype" in names:
            declared = archive.read(packed, "mimetype").strip()
            if declared == MEDIA_TYPES[ODT].encode():
                if any(_is_macro(entry) for entry in names):
                    raise _MACROS
                return ODT
            if declared.startswith(b"application/"):
                raise Refused(415, f"Format non pris en charge (acceptés : {_KNOWN}).")
    return ZIP


def _microsoft(names: set[str], types: bytes) -> str:
    if b"macroEnabled" in types or any("vbaproject" in entry.lower() for entry in names):
        raise _MACROS
    if b"wordprocessingml.document.main" not in types:
        raise Refused(415, f"Format non pris en charge (acceptés : {_KNOWN}).")
    return DOCX


def _is_macro(entry: str) -> bool:
    """Whether an ODT's entry is a program; the empty tables of contents that editors add are
    not."""
    return entry.startswith(("Basic/", "Scripts/")) and not entry.endswith(
        ("/", "-lc.xml", "-lb.xml")
    )
