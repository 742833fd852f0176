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
from dataclasses import dataclass, replace
from itertools import chain, islice, pairwise

import pypdfium2
import pypdfium2.raw as pdfium

from schemas.note import MAX_BODY
from services.ingest.formats import beside, blocks, encrypted
from services.ingest.formats.blocks import SEPARATOR, Block
from services.ingest.formats.model import MOST_NAMES, Content, Held, Refused, damaged

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
NEW_PARAGRAPH = 1.35
"""Of the usual distance of lines, from which a new paragraph begins."""
OTHER_SIZE = 1.12
"""Between two lines' letters: a heading and its text."""
SHORT_LINE = 0.85
"""Of the text's width: a line that ends earlier, with the end of a sentence, ends its paragraph."""
SHORT_NUMBER = 40
"""Characters up to which a line can be a page's number, whatever stands round it."""
CELL_GAP = 1.6
"""Of the letters' size, between words, from which they stand in two columns of a table."""

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

_HYPHEN = "\x02"
"""PDFium's sign for a hyphen at the end of a line, after which it goes on with the next one."""
_HYPHENS = (2, 0xFFFE)
_NUMBERED = re.compile(
    r"\W*(?:p\.|page)?\s*(?:\d{1,4}|[ivxl]{1,6})(?:\s*(?:/|sur|de)\s*\d{1,4})?\W*", re.I
)
_DIGITS = re.compile(r"\d+")
_BULLETS = re.compile(r"[•▪■●◦‣⁃∙·\uf0b7\uf0a7\uf02d➢✓]\s*|[–—-]\s+")
_ENDS = (".", "!", "?", ":", ";", "»", "…")
_KEPT_BEFORE = re.compile(
    r"(?:^|\W)(?:vice|ex|non|sous|mi|demi|semi|celui|celle|ceux|celles|lui|eux|elle|elles|moi|soi|nous"
    r"|vous|peut|grand|franco|anglo|germano|socio|médico|est|là|au|ci|avant|après|outre|contre|inter"
    r"|quasi|micro|auto|co|pays|c'est|jusque|rendez|non)$",
    re.I,
)
_KEPT_AFTER = re.compile(
    r"(?:ci|là|même|mêmes|il|ils|elle|elles|on|je|tu|nous|vous|t|y|en|dire|être|delà|dessus|dessous)\b",
    re.I,
)


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of a page: its text, its box (y grows upwards), its letters' size, cells or not."""

    text: str
    left: float
    right: float
    base: float
    size: float
    row: bool = False


@dataclass(frozen=True, slots=True)
class _Page:
    """A page: its lines, and what annotations and forms say on it."""

    height: float
    lines: tuple[_Line, ...]
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
    text = blocks.joined(_paragraphs(_without_margins(pages)))
    lines = "\n".join(line.text for page in pages for line in page.lines)
    names = tuple(file.name for file in held)
    return Content(
        text=text,
        attachments=names,
        lines=lines,
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
        return [line.text for line in _lines(text.raw)]


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
            height, lines = page.get_height(), tuple(_lines(text.raw))
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


def _lines(page: object) -> Iterator[_Line]:
    """The lines of a page in the order of its text, those that stand side by side as one."""
    waiting: _Line | None = None
    for line in _runs(page):
        if waiting is not None and _beside(waiting, line):
            text = f"{waiting.text.rstrip()}{SEPARATOR}{line.text}"
            waiting = replace(waiting, text=text, right=line.right, row=True)
            continue
        if waiting is not None:
            yield waiting
        waiting = line
    if waiting is not None:
        yield waiting


def _beside(one: _Line, other: _Line) -> bool:
    return abs(one.base - other.base) < 0.3 * one.size and other.left > one.right + one.size


def _runs(page: object) -> Iterator[_Line]:
    """The lines as PDFium parts them. Boxes are asked for at words' ends only: they cost most."""
    count = pdfium.FPDFText_CountChars(page)
    first = last = -1
    parts: list[str] = []
    row = after_space = False
    for index in range(count + 1):
        code = pdfium.FPDFText_GetUnicode(page, index) if index < count else 10
        if code in (10, 13):
            if first >= 0:
                yield _line(page, "".join(parts), first, last, row)
            parts, first, row = [], -1, False
            continue
        if code in _HYPHENS and first >= 0 and not after_space:
            parts.append(_HYPHEN)
            yield _line(page, "".join(parts), first, index, row)
            parts, first, row = [], -1, False
            continue
        character = "-" if code in _HYPHENS else chr(code) if 0 < code < 0x110000 else ""
        if character and not character.isspace():
            if first < 0:
                first = index
            elif after_space and _gap(page, last, index) > CELL_GAP:
                character = f"{SEPARATOR.lstrip()}{character}"
                row = True
            last = index
            after_space = False
        else:
            after_space = True
        parts.append(character)


def _line(page: object, text: str, first: int, last: int, row: bool) -> _Line:
    left, _ = _edges(page, first)
    _, right = _edges(page, last)
    x, base = ctypes.c_double(), ctypes.c_double()
    pdfium.FPDFText_GetCharOrigin(page, first, x, base)
    return _Line(text, left, right, base.value, _size(page, first), row)


def _edges(page: object, index: int) -> tuple[float, float]:
    """Where a character begins and ends, from the page's left."""
    left, right, bottom, top = (ctypes.c_double() for _ in range(4))
    pdfium.FPDFText_GetCharBox(page, index, left, right, bottom, top)
    return left.value, right.value


def _gap(page: object, one: int, other: int) -> float:
    """The space between two characters, in their size."""
    return (_edges(page, other)[0] - _edges(page, one)[1]) / _size(page, other)


def _size(page: object, index: int) -> float:
    """The size of a letter on the page: some writers scale letters of size 1."""
    size = float(pdfium.FPDFText_GetFontSize(page, index)) or 1.0
    matrix = pdfium.FS_MATRIX()
    if pdfium.FPDFText_GetMatrix(page, index, matrix) and matrix.d:
        size *= abs(float(matrix.d))
    return max(size, 0.1)


def _without_margins(pages: Sequence[_Page]) -> Iterator[_Line | None]:
    """The lines of all pages, None between two; no page numbers, no line that comes back in
    margins."""
    seen = Counter(
        key for page in pages for key in {_key(line) for line in page.lines if _outer(line, page)}
    )
    often = max(2, SAME_ON * len(pages) * 0.5)
    for page in pages:
        for line in page.lines:
            if _outer(line, page):
                again = len(pages) > 2 and seen[_key(line)] > often
                if again or (len(pages) == 2 and seen[_key(line)] == 2):
                    continue
                if len(line.text) < SHORT_NUMBER and _NUMBERED.fullmatch(line.text.strip()):
                    continue
            yield line
        yield None


def _outer(line: _Line, page: _Page) -> bool:
    return not MARGIN * page.height < line.base < (1 - MARGIN) * page.height


def _key(line: _Line) -> str:
    return _DIGITS.sub("#", " ".join(line.text.split()))


def _paragraphs(lines: Iterator[_Line | None]) -> Iterator[Block]:
    """Lines joined as their writer had them."""
    kept = list(lines)
    pitch = _pitch(kept)
    right = _right_edge(kept)
    whole = {word for line in kept if line for word in re.findall(r"\w+(?:-\w+)+", line.text)}
    parts: list[str] = []
    last: _Line | None = None
    new_page = False
    item = False
    for line in kept:
        if line is None:
            new_page = True
            continue
        text = line.text.strip()
        if not text:
            continue
        bullet = _BULLETS.match(text)
        if parts and (bullet or last is None or _begins(last, line, pitch, right, new_page)):
            yield Block("".join(parts).replace(_HYPHEN, "-"), item=item)
            parts = []
        if not parts:
            item = bullet is not None
            text = text[bullet.end() :] if bullet else text
        elif line.row or (last and last.row):
            parts.append("\n")
        else:
            text = _glue(parts, text, whole)
        parts.append(text)
        last, new_page = line, False
    if parts:
        yield Block("".join(parts).replace(_HYPHEN, "-"), item=item)


def _begins(last: _Line, line: _Line, pitch: float, right: float, new_page: bool) -> bool:
    """Whether a line begins a paragraph, after the line before it."""
    if last.text.rstrip().endswith(_HYPHEN):
        return False
    if last.row and line.row:
        return new_page
    if last.row != line.row or max(last.size, line.size) > OTHER_SIZE * min(last.size, line.size):
        return True
    ended = last.text.rstrip().endswith(_ENDS)
    if new_page:
        return ended
    if last.base - line.base > NEW_PARAGRAPH * pitch * max(line.size, 0.1):
        return True
    return ended and last.right < last.left + SHORT_LINE * (right - last.left)


def _pitch(lines: Sequence[_Line | None]) -> float:
    """The usual distance of two lines, by the size of letters."""
    steps = sorted(
        (one.base - two.base) / one.size
        for one, two in pairwise(lines)
        if one and two and 0.8 * one.size < one.base - two.base < 2.5 * one.size
    )
    # Not the median: in a list of short paragraphs most steps are between paragraphs.
    return steps[len(steps) // 5] if steps else 1.2


def _right_edge(lines: Sequence[_Line | None]) -> float:
    edges = sorted(line.right for line in lines if line)
    return edges[int(len(edges) * 0.9)] if edges else 0.0


def _glue(parts: list[str], text: str, whole: set[str]) -> str:
    """A paragraph's next line, with what stands between: a space, or nothing inside a word."""
    before = parts[-1]
    if not before.endswith((_HYPHEN, "-")):
        return f" {text}"
    stem = before[:-1]
    if not stem[-1:].isalpha() or before.endswith(" -"):
        return text if stem[-1:].isalnum() else f" {text}"
    first = re.split(r"\W", stem)[-1]
    second = re.match(r"\w+", text)
    compound = second is not None and f"{first}-{second[0]}" in whole
    kept = (
        not text[:1].islower() or _KEPT_BEFORE.search(stem) or _KEPT_AFTER.match(text) or compound
    )
    parts[-1] = f"{stem}-" if kept else stem
    return text
