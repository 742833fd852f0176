"""PDF: its text in paragraphs again, without what layout adds to every page.

PDFium gives characters and where they stand. Lines become paragraphs by their spacing; words cut
at a line's end are whole again; headers, footers and page numbers, known by coming back, are
dropped. No script or picture is looked at; margins, annotations, forms and properties are read for
marks of protection alone.
"""

import ctypes
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import chain, islice

import pypdfium2
import pypdfium2.raw as pdfium

from schemas.note import MAX_BODY
from services.ingest.formats import beside, blocks, encrypted, pdf_notes
from services.ingest.formats.model import MOST_NAMES, Content, Held, Refused, damaged
from services.ingest.formats.pdf_lines import Line, top_first
from services.ingest.formats.pdf_lines import lines as lines_of
from services.ingest.formats.pdf_paragraphs import paragraphs

MOST_PAGES = 3_000
"""Beyond that it is no report; an honest one of 1,000 pages is read whole."""
MOST_CHARACTERS = MAX_BODY * 2
"""Of all pages before anything is dropped: reading stops there, and the text is refused as too
long."""
LETTERS_A_PAGE = 5
"""On average, below which pages are pictures: a stamp or a page number may be text."""
MARGIN = 0.12
"""Of a page's height, above and below, where headers and footers stand."""
SAME_ON = 0.5
"""Of the pages that must have a line in the margin for it to be a header (every other: left,
right)."""
SHORT_NUMBER = 40
"""Characters up to which a line can be a page's number, whatever stands round it."""
LONGEST_NUMBER = 5
"""Digits of a page's number."""
MOST_ENTRIES = 2_000
"""Annotations of a page, and entries of an outline, that are looked at."""
MOST_BYTES = 64 * 1024
"""Of an annotation's field."""
_XMP, _XMP_END = b"<x:xmpmeta", b"</x:xmpmeta>"
_FIELDS = (b"Contents", b"T", b"Subj", b"V", b"DV", b"TU", b"Name", b"RC", b"OverlayText")
_OWN_PROPERTIES = ("Classification", "Marking", "Sensitivity", "Category", "Company", "Comments")
"""Keys that writers add to a PDF's properties; PDFium lists none, it must be asked for each."""

_HOLDING = (
    *(pdfium.FPDF_ANNOT_FILEATTACHMENT, pdfium.FPDF_ANNOT_RICHMEDIA, pdfium.FPDF_ANNOT_SOUND),
    *(pdfium.FPDF_ANNOT_MOVIE, pdfium.FPDF_ANNOT_SCREEN, pdfium.FPDF_ANNOT_THREED),
)
"""Annotations with a file in them."""
_XFA = (pdfium.FORMTYPE_XFA_FULL, pdfium.FORMTYPE_XFA_FOREGROUND)
_EMBEDDED = (re.compile(rb"/EmbeddedFile(?![A-Za-z])"), re.compile(rb"/EF(?![A-Za-z])\s*(?:<<|\d)"))
"""What stands in the bytes for each file; the second may be compressed, the first never is."""
_MEDIA = re.compile(rb"/(?:FileAttachment|RichMedia|XFA)(?![A-Za-z])")
_ASSOCIATED = re.compile(rb"/AF(?![A-Za-z])\s*(?:\[|\d+ \d+ R)")

_NUMBERED = re.compile(
    r"\W*(?:p\.|page)?\s*(?:\d{1,4}|[ivxl]{1,6})(?:\s*(?:/|sur|de)\s*\d{1,4})?\W*", re.I
)
_DIGITS = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class _Page:
    """A page: its lines, and what annotations and forms say on it."""

    height: float
    lines: tuple[Line, ...]
    said: tuple[str, ...] = ()
    holds_file: bool = False


def read(data: bytes) -> Content:
    """The text of a PDF. Raises Refused: 422 where it is encrypted, damaged or only pictures."""
    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if getattr(error, "err_code", None) == pdfium.FPDF_ERR_PASSWORD:
            raise Refused(422, f"Le PDF est {encrypted.UNLOCK}.") from error
        raise damaged("PDF") from error
    with closing(document):
        if len(document) > MOST_PAGES:
            raise Refused(413, f"Le PDF a plus de {MOST_PAGES} pages : le partager.")
        try:
            pages = list(_pages(document))
            held, unseen = _attachments(document)
            unseen = unseen or _holds_more(document, data, len(held), pages)
            outside = beside.joined(chain(_round_the_text(pages), _outside(document, data)))
        except pypdfium2.PdfiumError as error:
            raise damaged("PDF") from error
    letters = sum(c.isalnum() for page in pages for line in page.lines for c in line.text)
    if not pages or letters < LETTERS_A_PAGE * len(pages):
        raise Refused(
            422,
            "Ce PDF est une image sans texte (document numérisé) : envoyer le fichier d'origine, "
            "ou en faire reconnaître les caractères.",
        )
    lines, notes = pdf_notes.apart(_without_margins(pages))
    text = blocks.joined([*paragraphs(lines), *notes])
    said = "\n".join(line.text for page in pages for line in page.lines)
    names = tuple(file.name for file in held)
    return Content(
        text=text,
        attachments=names,
        lines=said,
        beside=outside,
        held=held,
        unseen=unseen,
    )


def _round_the_text(pages: Sequence[_Page]) -> Iterator[str]:
    for page in pages:
        yield from (line.text for line in page.lines if _outer(line, page))
        yield from page.said


def _outside(document: pypdfium2.PdfDocument, data: bytes) -> Iterator[str]:
    """What a PDF says outside its pages: its properties and its outline."""
    for key in (*document.METADATA_KEYS, *_OWN_PROPERTIES):
        yield from beside.of_property(document.get_metadata_value(key))
    at = -1
    for _ in range(MOST_ENTRIES):
        at = data.find(_XMP, at + 1)
        end = data.find(_XMP_END, at)
        if min(at, end) < 0:
            break
        packet = data[at : end + len(_XMP_END)]
        yield from beside.of_part(packet, "PDF", are_properties=True)
        at = end
    for entry in islice(document.get_toc(max_depth=8), MOST_ENTRIES):
        yield entry.get_title()


def _drawn(document: pypdfium2.PdfDocument, number: int) -> list[str]:
    """The lines of a page with its annotations drawn into it, in memory: nobody keeps it."""
    page = document[number]
    with closing(page):
        if pdfium.FPDFPage_Flatten(page, pdfium.FLAT_NORMALDISPLAY) != pdfium.FLATTEN_SUCCESS:
            return []
    page = document[number]
    with closing(page), closing(page.get_textpage()) as text:
        return [line.text for line in lines_of(text.raw)]


def _annotations(page: pypdfium2.PdfPage) -> tuple[list[str], bool, bool]:
    """What the annotations of a page say in their fields; whether they draw anything else;
    whether they hold a file."""
    said: list[str] = []
    drawn = holding = False
    for number in range(min(pdfium.FPDFPage_GetAnnotCount(page), MOST_ENTRIES)):
        annotation = pdfium.FPDFPage_GetAnnot(page, number)
        if annotation:
            kind = pdfium.FPDFAnnot_GetSubtype(annotation)
            drawn = drawn or kind != pdfium.FPDF_ANNOT_LINK
            holding = holding or kind in _HOLDING
            for key in _FIELDS:
                said += beside.of_property(_field(annotation, key))
            pdfium.FPDFPage_CloseAnnot(annotation)
    return said, drawn, holding


def _field(annotation: object, key: bytes) -> str:
    """A text field of an annotation: PDFium gives its length in UTF-16 first, then itself."""
    length = min(pdfium.FPDFAnnot_GetStringValue(annotation, key, None, 0), MOST_BYTES)
    buffer = ctypes.create_string_buffer(length + 2)
    text = ctypes.cast(buffer, ctypes.POINTER(ctypes.c_ushort))
    pdfium.FPDFAnnot_GetStringValue(annotation, key, text, length)
    return buffer.raw[:length].decode("utf-16-le", "replace").rstrip("\0")


def _pages(document: pypdfium2.PdfDocument) -> Iterator[_Page]:
    read = 0
    for number in range(len(document)):
        page = document[number]
        with closing(page), closing(page.get_textpage()) as text:
            height = page.get_height()
            lines = tuple(top_first(list(lines_of(text.raw))))
            said, drawn, holding = _annotations(page)
        if drawn:
            before = {line.text for line in lines}
            said += [text for text in _drawn(document, number) if text not in before]
        yield _Page(height, lines, tuple(said), holding)
        read += sum(len(line.text) for line in lines)
        if read > MOST_CHARACTERS:
            raise Refused(413, f"Le texte dépasse {MAX_BODY} caractères : le partager.")


def _attachments(document: pypdfium2.PdfDocument) -> tuple[tuple[Held, ...], bool]:
    """The files that PDFium lists; whether one of them could not be read."""
    count = document.count_attachments()
    files = [document.get_attachment(number) for number in range(min(count, MOST_NAMES))]
    read_too = [(file.get_name(), _bytes_of(file)) for file in files]
    unseen = count > MOST_NAMES or any(data is None for _, data in read_too)
    return tuple(Held(name, data or b"") for name, data in read_too), unseen


def _bytes_of(file: pypdfium2.PdfAttachment) -> bytes | None:
    try:
        return bytes(file.get_data())
    except pypdfium2.PdfiumError:  # there is none, or it is damaged
        return None


def _holds_more(
    document: pypdfium2.PdfDocument, data: bytes, listed: int, pages: Sequence[_Page]
) -> bool:
    """Whether a PDF holds files that PDFium does not list: on its pages, in a form of Adobe's
    (XFA), associated with a part of it."""
    form = pdfium.FPDF_GetFormType(document)
    if form in _XFA or any(page.holds_file for page in pages) or _MEDIA.search(data):
        return True
    files = max(len(found.findall(data)) for found in _EMBEDDED)
    return files > listed or (_ASSOCIATED.search(data) is not None and not listed)


def _without_margins(pages: Sequence[_Page]) -> Iterator[Line | None]:
    """The lines of all pages, None between two; no page numbers, no line that comes back in
    margins."""
    seen: Counter[str] = Counter()
    for number, page in enumerate(pages):
        outer = (line for line in page.lines if _outer(line, page))
        seen.update({key for line in outer for key in _keys(line, number)})
    often = max(2, SAME_ON * len(pages) * 0.5)
    for number, page in enumerate(pages):
        for line in page.lines:
            if _outer(line, page):
                times = max(seen[key] for key in _keys(line, number))
                if (len(pages) > 2 and times > often) or (len(pages) == 2 and times == 2):
                    continue
                if len(line.text) < SHORT_NUMBER and _NUMBERED.fullmatch(line.text.strip()):
                    continue
            yield line
        yield None


def _outer(line: Line, page: _Page) -> bool:
    return not MARGIN * page.height < line.base < (1 - MARGIN) * page.height


def _keys(line: Line, page: int) -> list[str]:
    """What a line has in common with others that come back: all of it, or all but one number that
    grows with the pages. Rows of a table differ in more."""
    text = " ".join(line.text.split())
    numbers = [found for found in _DIGITS.finditer(text) if len(found[0]) <= LONGEST_NUMBER]
    return [text] + [
        f"{text[: found.start()]}#{int(found[0]) - page}{text[found.end() :]}"
        for found in dict.fromkeys([*numbers[:3], *numbers[-3:]])
    ]
