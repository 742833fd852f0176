"""Where somebody may hide a mark in a file, and what each attempt gets; the same table stands in
docs/security.md.
"""

from collections.abc import Callable
from email.message import EmailMessage
from io import BytesIO
from zipfile import ZipFile

import pytest

from schemas.marks import NONE, STRICTEST, Marks
from schemas.vocabulary import Marking
from services.ingest.formats import Document, Unreadable, extract
from services.ingest.formats.apart import extract_apart
from services.runtime.marks import refusal
from tests.ingest.formats.making import (
    ODT_NAMES,
    W,
    docx,
    eml,
    odt,
    paragraphs,
    pdf,
    pdf_of,
    stream,
    zipped,
)

TEXT = "La commission a remis son rapport. Elle propose d'indexer l'âge de départ."
V = "urn:schemas-microsoft-com:vml"
PROPERTIES = "http://schemas.openxmlformats.org/officeDocument/2006/custom-properties"

Maker = Callable[[str], bytes]
"""A file in which this mark stands somewhere, beside ordinary text."""


def _run(text: str, properties: str = "") -> str:
    return f"<w:r><w:rPr>{properties}</w:rPr><w:t>{text}</w:t></w:r>"


def _word(inside: str) -> bytes:
    return docx(f"{paragraphs('Titre', TEXT)}<w:p>{inside}</w:p>")


def _word_part(name: str, content: bytes | str) -> bytes:
    return docx(paragraphs("Titre", TEXT), **{name: content})


def _header(mark: str) -> str:
    return f'<w:hdr xmlns:w="{W}">{paragraphs(mark)}</w:hdr>'


def _writer(inside: str = "", **parts: str) -> bytes:
    return odt(f"<text:p>Titre</text:p><text:p>{TEXT}{inside}</text:p>", **parts)


def _page(inside: str) -> bytes:
    return f"<html><body><main><h1>Titre</h1><p>{TEXT}</p></main>{inside}</body></html>".encode()


def _drawn(*more: bytes, content: bytes = b"", page: str = "", catalog: str = "") -> bytes:
    """A PDF of one page with ordinary text, and more: drawn, on the page, in the catalogue."""
    text = TEXT.encode("cp1252")
    objects = [
        f"<</Type/Catalog/Pages 2 0 R{catalog}>>".encode(),
        b"<</Type/Pages/Kids[4 0 R]/Count 1>>",
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
        f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 5 0 R"
        f"/Resources<</Font<</F1 3 0 R>>/Properties<</L 6 0 R>>>>{page}>>".encode(),
        stream(b"BT /F1 11 Tf 1 0 0 1 72 500 Tm (%s) Tj ET %s" % (text, content)),
        *more,
    ]
    return pdf_of(objects)


def _signs(mark: str) -> bytes:
    return mark.encode("cp1252", "replace")


def _text_object(mark: str, before: bytes = b"", at: bytes = b"72 400") -> bytes:
    return b"BT /F1 11 Tf %s 1 0 0 1 %s Tm (%s) Tj ET" % (before, at, _signs(mark))


def _layer(mark: str) -> bytes:
    off = "/OCProperties<</OCGs[6 0 R]/D<</OFF[6 0 R]/Order[6 0 R]>>>>"
    content = b"/OC /L BDC %s EMC" % _text_object(mark)
    return _drawn(b"<</Type/OCG/Name(Calque)>>", content=content, catalog=off)


def _annotated(fields: bytes) -> bytes:
    annotation = b"<</Type/Annot/Rect[72 300 300 340]%s>>" % fields
    return _drawn(annotation, page="/Annots[6 0 R]")


def _stamped(mark: str) -> bytes:
    looks = stream(
        b"BT /F1 20 Tf 1 0 0 1 5 5 Tm (%s) Tj ET" % _signs(mark),
        b"/Type/XObject/Subtype/Form/BBox[0 0 228 40]/Resources<</Font<</F1 3 0 R>>>>",
    )
    annotation = b"<</Type/Annot/Subtype/Stamp/F 4/Rect[72 300 300 340]/AP<</N 7 0 R>>>>"
    return _drawn(annotation, looks, page="/Annots[6 0 R]")


def _filled(mark: str) -> bytes:
    field = b"<</Type/Annot/Subtype/Widget/FT/Tx/T(c)/V(%s)/Rect[72 300 300 340]>>" % _signs(mark)
    return _drawn(field, page="/Annots[6 0 R]", catalog="/AcroForm<</Fields[6 0 R]>>")


def _with_properties(entries: bytes) -> bytes:
    return _drawn(b"<<%s>>" % entries).replace(b"/Root 1 0 R", b"/Root 1 0 R/Info 6 0 R")


def _outlined(mark: str) -> bytes:
    entry = b"<</Title(%s)/Parent 7 0 R>>" % _signs(mark)
    return _drawn(
        entry, b"<</Type/Outlines/First 6 0 R/Last 6 0 R/Count 1>>", catalog="/Outlines 7 0 R"
    )


def _xmp(mark: str) -> bytes:
    packet = f"<x:xmpmeta xmlns:x='adobe:ns:meta/'><a>{mark}</a></x:xmpmeta>".encode()
    return _drawn(stream(packet, b"/Type/Metadata/Subtype/XML"), catalog="/Metadata 6 0 R")


def _mail(**headers: str) -> bytes:
    message = EmailMessage()
    message["From"] = "cas.berlin@example.fr"
    message["Subject"] = headers.pop("Subject", "Réforme des retraites")
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content(TEXT)
    return message.as_bytes()


def _commented(mark: str) -> bytes:
    out = BytesIO(zipped({"note.txt": TEXT}))
    with ZipFile(out, "a") as packed:
        packed.comment = mark.encode()
    return out.getvalue()


ATTACKS: dict[str, tuple[str, Maker]] = {
    "text: a line of the text": ("n.txt", lambda m: f"Titre\n\n{TEXT}\n\n{m}\n".encode()),
    "text: UTF-16": ("n.txt", lambda m: f"Titre\n\n{m}\n\n{TEXT}".encode("utf-16")),
    "text: a comment of Markdown": ("n.md", lambda m: f"# Titre\n\n<!-- {m} -->\n{TEXT}".encode()),
    "text: the head of a page": ("n.txt", lambda m: f"Titre\n{TEXT}\n\x0c{m}\n{TEXT}".encode()),
    "docx: a paragraph": ("n.docx", lambda m: docx(paragraphs("Titre", m, TEXT))),
    "docx: letters in runs of their own": ("n.docx", lambda m: _word("".join(map(_run, m)))),
    "docx: the page header": ("n.docx", lambda m: _word_part("word__header1.xml", _header(m))),
    "docx: the page footer": ("n.docx", lambda m: _word_part("word__footer3.xml", _header(m))),
    "docx: a header with a type of document": (
        "n.docx",
        lambda m: _word_part("word__header1.xml", f"<!DOCTYPE x>{_header(m)}"),
    ),
    "docx: a header with a type of document in UTF-16": (
        "n.docx",
        lambda m: _word_part("word__header1.xml", f"<!DOCTYPE x>{_header(m)}".encode("utf-16")),
    ),
    "docx: a header in UTF-16 without its mark": (
        "n.docx",
        lambda m: _word_part(
            "word__header1.xml",
            f'<?xml version="1.0" encoding="UTF-16LE"?>{_header(m)}'.encode("utf-16-le"),
        ),
    ),
    "docx: a header in UTF-32": (
        "n.docx",
        lambda m: _word_part("word__header1.xml", _header(m).encode("utf-32")),
    ),
    "docx: a damaged header": (
        "n.docx",
        lambda m: _word_part("word__header1.xml", _header(m).replace("</w:hdr>", "")),
    ),
    "docx: a header under another name": (
        "n.docx",
        lambda m: _word_part("word__partie.bin", _header(m)),
    ),
    "docx: a watermark": (
        "n.docx",
        lambda m: _word_part(
            "word__header1.xml",
            f'<w:hdr xmlns:w="{W}" xmlns:v="{V}"><w:p><w:r><w:pict><v:shape>'
            f'<v:textpath string="{m}"/></v:shape></w:pict></w:r></w:p></w:hdr>',
        ),
    ),
    "docx: a comment": (
        "n.docx",
        lambda m: _word_part(
            "word__comments.xml",
            f'<w:comments xmlns:w="{W}"><w:comment>{paragraphs(m)}</w:comment></w:comments>',
        ),
    ),
    "docx: a footnote that nothing calls": (
        "n.docx",
        lambda m: _word_part(
            "word__footnotes.xml",
            f'<w:footnotes xmlns:w="{W}"><w:footnote>{paragraphs(m)}</w:footnote></w:footnotes>',
        ),
    ),
    "docx: hidden text": ("n.docx", lambda m: _word(_run("Suite.") + _run(m, "<w:vanish/>"))),
    "docx: deleted text": (
        "n.docx",
        lambda m: _word(_run("Suite.") + f"<w:del><w:r><w:delText>{m}</w:delText></w:r></w:del>"),
    ),
    "docx: a text box": (
        "n.docx",
        lambda m: _word(
            f"<w:r><w:pict><w:txbxContent>{paragraphs(m)}</w:txbxContent></w:pict></w:r>"
        ),
    ),
    "docx: small letters shown as capitals": (
        "n.docx",
        lambda m: docx(
            "".join(paragraphs(TEXT) for _ in range(30))
            + f"<w:p>{_run(m.lower(), '<w:caps/>')}</w:p>"
            + "".join(paragraphs(TEXT) for _ in range(30))
        ),
    ),
    "docx: a picture's description": (
        "n.docx",
        lambda m: _word(f'<w:r><w:drawing><docPr descr="{m}"/></w:drawing></w:r>'),
    ),
    "docx: the title in its properties": (
        "n.docx",
        lambda m: _word_part("docProps__core.xml", f"<core><title>{m}</title></core>"),
    ),
    "docx: a property of its own, in small letters": (
        "n.docx",
        lambda m: _word_part(
            "docProps__custom.xml",
            f'<Properties xmlns="{PROPERTIES}"><property name="Classification"><lpwstr>{m.lower()}'
            "</lpwstr></property></Properties>",
        ),
    ),
    "docx: the words of a diagram": (
        "n.docx",
        lambda m: _word_part("word__diagrams__data1.xml", f"<d><p><t>{m}</t></p></d>"),
    ),
    "docx: the name of an embedded file": (
        "n.docx",
        lambda m: _word_part(f"word__embeddings__{m}.xlsx", "x"),
    ),
    "odt: a paragraph": ("n.odt", lambda m: _writer(f"</text:p><text:p>{m}")),
    "odt: the page header": (
        "n.odt",
        lambda m: _writer(**{"styles.xml": f"<s {ODT_NAMES}><text:p>{m}</text:p></s>"}),
    ),
    "odt: a comment": (
        "n.odt",
        lambda m: _writer(f"<office:annotation><text:p>{m}</text:p></office:annotation>"),
    ),
    "odt: deleted text": (
        "n.odt",
        lambda m: _writer(
            f"</text:p><text:tracked-changes><text:p>{m}</text:p></text:tracked-changes><text:p>"
        ),
    ),
    "odt: hidden text": (
        "n.odt",
        lambda m: _writer(f'<text:hidden-text text:string-value="{m}"/>'),
    ),
    "odt: a keyword, in small letters": (
        "n.odt",
        lambda m: _writer(**{"meta.xml": f"<meta><keyword>{m.lower()}</keyword></meta>"}),
    ),
    "html: a paragraph": ("n.html", lambda m: _page(f"<p>{m}</p>")),
    "html: entities": ("n.html", lambda m: _page("".join(f"&#{ord(c)};" for c in m))),
    "html: the footer": ("n.html", lambda m: _page(f"<footer>{m.capitalize()}</footer>")),
    "html: a menu": ("n.html", lambda m: _page(f"<nav><ul><li>{m}</ul></nav>")),
    "html: a hidden element": ("n.html", lambda m: _page(f"<div style='display:none'>{m}</div>")),
    "html: a comment": ("n.html", lambda m: _page(f"<!-- {m} -->")),
    "html: a property": ("n.html", lambda m: _page(f'<meta name="x" content="{m.lower()}">')),
    "html: a picture's description": ("n.html", lambda m: _page(f'<img alt="{m}">')),
    "html: added by the style sheet": (
        "n.html",
        lambda m: _page(f"<style>p::before {{ content: '{m}' }}</style>"),
    ),
    "html: split by elements": ("n.html", lambda m: _page(f"<p>{'<b></b>'.join(m)}</p>")),
    "pdf: a line of the text": ("n.pdf", lambda m: _drawn(content=_text_object(m))),
    "pdf: the page's margin": ("n.pdf", lambda m: pdf([TEXT, "", TEXT], [TEXT], header=m.title())),
    "pdf: a line close to others": ("n.pdf", lambda m: pdf([TEXT, m, TEXT, TEXT])),
    "pdf: invisible text": ("n.pdf", lambda m: _drawn(content=_text_object(m, b"3 Tr"))),
    "pdf: white text": ("n.pdf", lambda m: _drawn(content=_text_object(m, b"1 1 1 rg"))),
    "pdf: text beyond the page": (
        "n.pdf",
        lambda m: _drawn(content=_text_object(m, at=b"72 900")),
    ),
    "pdf: letters far apart": ("n.pdf", lambda m: _drawn(content=_text_object(m, b"14 Tc"))),
    "pdf: a layer that is off": ("n.pdf", _layer),
    "pdf: an annotation": (
        "n.pdf",
        lambda m: _annotated(b"/Subtype/FreeText/Contents(%s)" % _signs(m)),
    ),
    "pdf: a hidden annotation": (
        "n.pdf",
        lambda m: _annotated(b"/Subtype/Text/F 2/Contents(%s)" % _signs(m)),
    ),
    "pdf: a stamp that is only drawn": ("n.pdf", _stamped),
    "pdf: a form's field": ("n.pdf", _filled),
    "pdf: the title in its properties": (
        "n.pdf",
        lambda m: _with_properties(b"/Title(%s)" % _signs(m)),
    ),
    "pdf: a property of its own, in small letters": (
        "n.pdf",
        lambda m: _with_properties(b"/Classification(%s)" % _signs(m.lower())),
    ),
    "pdf: its XMP properties": ("n.pdf", _xmp),
    "pdf: the outline": ("n.pdf", _outlined),
    "mail: the subject": ("n.eml", lambda m: _mail(Subject=f"TR: [{m}] Retraites")),
    "mail: the text": ("n.eml", lambda m: eml(f"Bonjour,\n\n{m}\n\n{TEXT}")),
    "mail: the other form of its text": ("n.eml", lambda m: eml(TEXT, f"<p>{TEXT}</p><p>{m}</p>")),
    "mail: a header of its own": ("n.eml", lambda m: _mail(X_Classification=m.lower())),
    "mail: Sensitivity": ("n.eml", lambda m: _mail(Sensitivity=m)),
    "mail: the name of an attachment that is not read": (
        "n.eml",
        lambda m: eml(TEXT, files={f"{m}.xlsx": b"x"}),
    ),
    "archive: the name of an entry": ("n.zip", lambda m: zipped({f"{m}.txt": TEXT})),
    "archive: the name of a folder": ("n.zip", lambda m: zipped({f"{m}/a.txt": TEXT})),
    "archive: its comment": ("n.zip", _commented),
}
"""What was tried, the file's name, and what makes the file."""

DISGUISES = ["TRÈS SECRET", "SEСRET", "S E C R E T", "SE\u00adCRET"]


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_hidden_classified_mark_is_refused_and_the_same_file_without_it_is_read(
    attack: str,
) -> None:
    name, make = ATTACKS[attack]
    (refused,) = extract(make("SECRET"), name)
    assert isinstance(refused, Unreadable), attack
    assert refused.classified
    assert (refused.status, refused.detail) == (422, refusal().detail)
    found = extract(make("SECRETARIAT"), name)
    assert all(isinstance(each, Document) and each.marks == NONE for each in found)


@pytest.mark.parametrize("attack", [name for name in ATTACKS if not name.startswith("pdf")])
@pytest.mark.parametrize("mark", DISGUISES)
def test_disguised_marks_are_found_wherever_they_hide(attack: str, mark: str) -> None:
    name, make = ATTACKS[attack]
    (refused,) = extract(make(mark), name)
    assert isinstance(refused, Unreadable)
    assert refused.classified


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_hidden_restricted_mark_restricts_the_note(attack: str) -> None:
    name, make = ATTACKS[attack]
    (found,) = extract(make("DIFFUSION RESTREINTE - SF"), name)
    assert isinstance(found, Document)
    assert found.marks == STRICTEST


def test_in_an_archive_only_the_classified_document_is_refused() -> None:
    found = extract(zipped({"a.txt": TEXT, "b.txt": f"SECRET\n\n{TEXT}", "c.txt": TEXT}), "n.zip")
    assert [isinstance(each, Document) for each in found] == [True, False, True]


def test_a_mail_is_refused_with_a_classified_attachment_and_its_others_are_read() -> None:
    """The mail's original would hold the attachment's bytes."""
    files = {"a.txt": f"SECRET\n\n{TEXT}".encode(), "b.txt": TEXT.encode()}
    mail, first, second = extract(eml(TEXT, files=files), "n.eml")
    assert isinstance(mail, Unreadable)
    assert isinstance(first, Unreadable)
    assert mail.classified
    assert first.classified
    assert isinstance(second, Document)


def test_what_a_mail_says_of_itself_holds_for_what_it_brings() -> None:
    mail = eml(f"DIFFUSION RESTREINTE\n\n{TEXT}", files={"b.txt": TEXT.encode()})
    found = extract(mail, "n.eml")
    restricted = Marks(Marking.DIFFUSION_RESTREINTE)
    assert [isinstance(each, Document) and each.marks for each in found] == [restricted] * 2


def test_a_mail_within_a_mail_taints_both() -> None:
    inner = eml(TEXT, files={"a.txt": f"SECRET\n\n{TEXT}".encode()})
    found = extract(eml(TEXT, files={"m.eml": inner}), "n.eml")
    assert [isinstance(each, Unreadable) and each.classified for each in found] == [True] * 3


def test_a_classified_mail_is_refused_whole() -> None:
    mail = eml(f"TRÈS SECRET\n\n{TEXT}", files={"b.txt": TEXT.encode()})
    (refused,) = extract(mail, "n.eml")
    assert isinstance(refused, Unreadable)
    assert refused.classified


async def test_marks_come_out_of_the_process_that_reads_the_file() -> None:
    restricted = _word_part("word__header1.xml", _header("DIFFUSION RESTREINTE"))
    (found,) = await extract_apart(restricted, "n.docx")
    assert isinstance(found, Document)
    assert found.marks == Marks(Marking.DIFFUSION_RESTREINTE)
    files = {"a.docx": _word_part("word__header1.xml", _header("SECRET")), "b.txt": b"Texte"}
    mail, refused, _ = await extract_apart(eml(TEXT, files=files), "n.eml")
    assert isinstance(refused, Unreadable)
    assert isinstance(mail, Unreadable)
    assert refused.classified
    assert mail.classified


def test_endless_text_beside_a_document_is_refused_for_its_length() -> None:
    header = f'<w:hdr xmlns:w="{W}">{paragraphs("mot " * 1_100_000)}</w:hdr>'
    (refused,) = extract(_word_part("word__header1.xml", header), "n.docx")
    assert isinstance(refused, Unreadable)
    assert refused.status == 413
