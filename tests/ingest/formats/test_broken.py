"""Files that are damaged, mislabelled or meant to harm: what each one gets."""

import io
import zipfile

import pytest

from services.ingest.formats import Document, Unreadable, extract, xml
from services.ingest.formats.model import Refused
from tests.ingest.formats.making import docx, eml, odt, paragraphs, pdf, zipped

TEXT = "La réforme des retraites est adoptée."
P = f"<text:p>{TEXT}</text:p>"
NOTE = docx(paragraphs(TEXT))
ODT = odt(P)
PDF = pdf([TEXT, "Second alinéa."])
ENTITY = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
LAUGHS = (
    "<!DOCTYPE a [<!ENTITY a 'ha'>"
    + "".join(
        f"<!ENTITY {b} '{f'&{a};' * 10}'>" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    )
    + "]>"
)
ZEROS = b"0" * (20 * 1024 * 1024)


def _encrypted(data: bytes) -> bytes:
    """An archive whose entries say that they are encrypted."""
    return data.replace(b"PK\x03\x04\x14\x00\x00", b"PK\x03\x04\x14\x00\x01").replace(
        b"PK\x01\x02\x14\x03\x14\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01"
    )


def _many(count: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        for number in range(count):
            packed.writestr(f"{number}.txt", b"x")
    return out.getvalue()


def _mail(head: str, body: str = "") -> bytes:
    return f"From: a@example.fr\r\nSubject: Note\r\n{head}\r\n\r\n{body}".encode()


MULTIPART = 'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b"'
NESTED_MAIL = eml("Fond")
for _turn in range(6):
    _edge = b"edge%d" % _turn
    NESTED_MAIL = (
        b"From: a@example.fr\r\nContent-Type: multipart/mixed; boundary=%b\r\n\r\n"
        b"--%b\r\nContent-Type: message/rfc822\r\n\r\n%b\r\n--%b--"
    ) % (_edge, _edge, NESTED_MAIL, _edge)

# name of the case, name of the file, its bytes, what it gets: words of its text, or the status and
# words of the detail
CASES: list[tuple[str, str, bytes, str | tuple[int, str]]] = [
    ("empty", "a.txt", b"", (422, "vide")),
    ("white space only", "a.txt", b" \r\n\t ", (422, "vide")),
    ("NUL bytes inside", "a.txt", b"Objet\0\0 : x", (422, "texte lisible")),
    ("NUL bytes only", "a.txt", bytes(50), (422, "vide")),
    ("older Windows encoding", "a.txt", TEXT.encode("cp1252"), TEXT),
    ("UTF-16 with its mark", "a.txt", TEXT.encode("utf-16"), TEXT),
    ("UTF-16 without a mark", "a.txt", TEXT.encode("utf-16-le"), (422, "texte lisible")),
    ("bytes of no encoding", "a.txt", b"\x81\x8d\x8f\x90\x9d\xff", (422, "texte lisible")),
    ("a PNG in disguise", "a.txt", b"\x89PNG\r\n\x1a\n" + bytes(50), (415, "image")),
    ("a program in disguise", "a.txt", b"MZ\x90\x00" + bytes(60), (415, "programme")),
    ("a PDF in disguise", "a.txt", PDF, "Second alinéa."),
    ("signs that turn the line", "a.txt", f"{TEXT}\n\u202etxet".encode(), "txet"),
    ("longer than a note", "a.txt", b"a b\n" * 600_000, (413, "2000000")),
    ("larger than any file", "a.txt", b"a" * (33 * 1024 * 1024), (413, "32 Mio")),
    ("unknown ending", "a.xlsx", b"a;b;c", (415, "acceptés")),
    ("RTF", "a.rtf", b"{\\rtf1 bonjour}", (415, "RTF")),
    ("empty", "a.md", b"\n\n", (422, "vide")),
    ("only a heading's sign", "a.md", b"#\n##\n", (422, "texte")),
    ("HTML inside", "a.md", f"# Note\n\n<script>alert(1)</script>\n{TEXT}".encode(), TEXT),
    ("NUL bytes", "a.md", b"# a\0b", (422, "texte lisible")),
    ("a DOCX in disguise", "a.md", NOTE, TEXT),
    ("a ZIP's beginning", "a.md", b"PK\x03\x04" + bytes(40), (422, "abîmé")),
    ("one endless line", "a.md", b"a " * 900_000, "a a a"),
    ("hashes without end", "a.md", b"#" * 500_000 + b" Titre\n\nTexte", "Texte"),
    ("Windows encoding", "a.markdown", f"# Été\n\n{TEXT}".encode("cp1252"), TEXT),
    ("half a character", "a.md", f"# Été\n\n{TEXT} é".encode()[:-1], "Ã"),
    ("colons without end", "a.md", b":" * 400_000 + b"\nTexte", "Texte"),
    ("empty", "a.html", b"", (422, "vide")),
    ("no text", "a.html", b"<html><body><img src=x></body></html>", (422, "texte")),
    ("script only", "a.html", b"<html><script>alert('x')</script></html>", (422, "texte")),
    ("truncated", "a.html", f"<html><body><p>{TEXT}<table><tr><td".encode(), TEXT),
    ("nested without end", "a.html", b"<div>" * 50_000 + b"x", (422, "")),
    ("entity of a file", "a.html", f"{ENTITY}<p>{TEXT} &x;</p>".encode(), TEXT),
    ("entities that grow", "a.html", f"{LAUGHS}<p>{TEXT} &i;</p>".encode(), TEXT),
    ("remote parts", "a.html", f"<link href=http://127.0.0.1:1/x><p>{TEXT}</p>".encode(), TEXT),
    ("hidden text", "a.html", f"<p>{TEXT}</p><p style='display:none'>x1y2</p>".encode(), TEXT),
    ("NUL bytes", "a.html", b"<p>\0\0b</p>", (422, "texte lisible")),
    ("false charset", "a.html", f"<meta charset=utf-8><p>{TEXT}</p>".encode("cp1252"), TEXT),
    ("unknown charset", "a.html", f"<meta charset=klingon><p>{TEXT}</p>".encode(), TEXT),
    ("a codec that is none", "a.html", f"<meta charset=idna><p>{TEXT}</p>".encode(), TEXT),
    ("attributes without end", "a.html", b"<p " + b"a=b " * 200_000 + b">Texte", "Texte"),
    ("a PDF in disguise", "a.html", PDF, TEXT),
    ("empty", "a.docx", b"", (422, "vide")),
    ("truncated", "a.docx", NOTE[:-60], (422, "abîmé")),
    ("not a ZIP", "a.docx", TEXT.encode(), (422, "DOCX")),
    ("no document inside", "a.docx", zipped({"[Content_Types].xml": "<a/>"}), (415, "acceptés")),
    ("entity of a file", "a.docx", docx(paragraphs(TEXT), ENTITY), (422, "entités")),
    ("entities that grow", "a.docx", docx(paragraphs("&i;"), LAUGHS), (422, "entités")),
    ("bomb", "a.docx", docx(paragraphs(TEXT), word__x=ZEROS), (413, "grande")),
    ("nested without end", "a.docx", docx("<w:sdt>" * 3000), (422, "abîmé")),
    ("broken XML", "a.docx", docx("<w:p><w:r>"), (422, "abîmé")),
    ("macros", "a.docm", docx(paragraphs(TEXT), **{"word__vbaProject.bin": b"x"}), (415, "macros")),
    (
        "a table",
        "a.docx",
        zipped({"[Content_Types].xml": b"sheet.main+xml", "xl/x": b""}),
        (415, ""),
    ),
    (
        "password",
        "a.docx",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"),
        (422, "mot de passe"),
    ),
    ("the older format", "a.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(80), (415, "ancien")),
    ("no text", "a.docx", docx("<w:p/>"), (422, "texte")),
    ("entries that lead out", "a.docx", docx(paragraphs(TEXT), **{"..__..__etc__x": b"x"}), TEXT),
    ("empty", "a.odt", b"\0\0", (422, "vide")),
    ("truncated", "a.odt", ODT[: len(ODT) // 2], (422, "abîmé")),
    ("not a ZIP", "a.odt", TEXT.encode(), (422, "ODT")),
    (
        "no content",
        "a.odt",
        zipped({"mimetype": b"application/vnd.oasis.opendocument.text"}),
        (422, "abîmé"),
    ),
    ("entity of a file", "a.odt", odt("<text:p>&x;</text:p>", ENTITY), (422, "entités")),
    ("entities that grow", "a.odt", odt("<text:p>&i;</text:p>", LAUGHS), (422, "entités")),
    ("bomb", "a.odt", odt(P, Pictures__x=ZEROS), (413, "grande")),
    (
        "spaces without end",
        "a.odt",
        odt(f"<text:p>{TEXT}<text:s text:c='999999999'/>.</text:p>"),
        TEXT,
    ),
    ("macros", "a.odt", odt(P, Basic__Standard__Module1_xml=b"Sub x"), (415, "macros")),
    (
        "password",
        "a.odt",
        odt("x", **{"META-INF__manifest.xml": "<m:encryption-data/>"}),
        (422, "passe"),
    ),
    ("nested without end", "a.odt", odt("<text:list>" * 3000), (422, "abîmé")),
    (
        "a spreadsheet",
        "a.odt",
        zipped({"mimetype": b"application/vnd.oasis.opendocument.spreadsheet"}),
        (415, "acceptés"),
    ),
    ("no text", "a.odt", odt(""), (422, "texte")),
    ("wrong ending", "a.docx", ODT, TEXT),
    ("empty", "a.pdf", b"", (422, "vide")),
    ("truncated", "a.pdf", PDF[:60], (422, "abîmé")),
    ("without its table", "a.pdf", PDF[: PDF.index(b"xref")], (422, "abîmé")),
    ("not a PDF", "a.pdf", TEXT.encode(), (422, "PDF")),
    ("signature only", "a.pdf", b"%PDF-1.7\n", (422, "abîmé")),
    ("encrypted", "a.pdf", pdf([TEXT], encrypted=True), (422, "mot de passe")),
    ("scanned", "a.pdf", pdf([], []), (422, "numérisé")),
    ("scanned, with page numbers", "a.pdf", pdf(["1"], ["2"], ["3"]), (422, "numérisé")),
    ("pages in a circle", "a.pdf", PDF.replace(b"Kids[4 0 R]", b"Kids[2 0 R]"), (422, "")),
    ("a page that is none", "a.pdf", PDF.replace(b"Kids[4 0 R]", b"Kids[9 0 R]"), (422, "")),
    ("a false count", "a.pdf", PDF.replace(b"/Count 1>>", b"/Count 99999999>>"), TEXT),
    ("noise before it", "a.pdf", b"\n" * 500 + PDF, TEXT),
    ("noise inside", "a.pdf", PDF.replace(b"BT /F1", b"\xff((("), (422, "numérisé")),
    ("empty", "a.eml", b"\n", (422, "vide")),
    ("no header", "a.eml", b"\r\nBonjour", (422, "abîmé")),
    ("no body", "a.eml", eml(), (422, "ni texte")),
    ("unknown charset", "a.eml", _mail("Content-Type: text/plain; charset=klingon", TEXT), TEXT),
    (
        "false base64",
        "a.eml",
        _mail("Content-Transfer-Encoding: base64", "====!!"),
        (422, "ni texte"),
    ),
    (
        "end missing",
        "a.eml",
        _mail(MULTIPART, f"--b\r\nContent-Type: text/plain\r\n\r\n{TEXT}"),
        TEXT,
    ),
    ("no such boundary", "a.eml", _mail(MULTIPART, "Bonjour"), (422, "ni texte")),
    ("too many parts", "a.eml", _mail(MULTIPART, "--b\r\n\r\nx\r\n" * 600), (413, "parties")),
    ("mails in mails", "a.eml", NESTED_MAIL, (422, "imbriqué")),
    ("broken words in the header", "a.eml", _mail("Subject: =?klingon?B?!!?=", TEXT), TEXT),
    ("a script in the page", "a.eml", eml(page=f"<script>x1y2</script><p>{TEXT}</p>"), TEXT),
    ("a program attached", "a.eml", eml(TEXT, files={"a.exe": b"MZ"}), TEXT),
    ("empty", "a.zip", zipped({}), (422, "aucun document")),
    ("truncated", "a.zip", zipped({"a.txt": TEXT})[:40], (422, "abîmé")),
    ("bomb in one entry", "a.zip", zipped({"a.txt": ZEROS}), (413, "grande")),
    (
        "bomb in many",
        "a.zip",
        zipped({f"{n}.txt": ZEROS[: 2**20] for n in range(70)}),
        (413, "grande"),
    ),
    ("too many entries", "a.zip", _many(2_001), (413, "2000 fichiers")),
    (
        "an archive in it",
        "a.zip",
        zipped({"b.zip": zipped({"a.txt": TEXT})}),
        (422, "dans une archive"),
    ),
    ("a way out", "a.zip", zipped({"../../etc/passwd.txt": TEXT}), TEXT),
    ("a root", "a.zip", zipped({"/etc/C:/a.txt": TEXT}), TEXT),
    ("password", "a.zip", _encrypted(zipped({"a.txt": TEXT})), (422, "")),
    ("another way to pack", "a.zip", zipped({"a.txt": TEXT}, zipfile.ZIP_LZMA), (422, "comprimée")),
    (
        "a wrong sum",
        "a.zip",
        zipped({"a.txt": TEXT}, zipfile.ZIP_STORED).replace(b"adopt", b"xxxxx"),
        (422, "abîmé"),
    ),
    (
        "folders and leavings only",
        "a.zip",
        zipped({"d/": "", "__MACOSX/a.txt": "x", ".DS_Store": "x"}),
        (422, "aucun document"),
    ),
    ("comments without end", "a", b"<!---->" * 2_000 + b"x", "x"),
    ("an unknown format in it", "a.zip", zipped({"a.bin": TEXT}), (415, "acceptés")),
]


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [case[1:] for case in CASES],
    ids=[f"{name.rpartition('.')[2]}: {what}" for what, name, _, _ in CASES],
)
def test_a_broken_or_hostile_file_gets_its_answer(
    name: str, data: bytes, expected: str | tuple[int, str]
) -> None:
    found = extract(data, name)[-1]
    if isinstance(expected, str):
        assert isinstance(found, Document), found
        assert expected in f"{found.subject}\n{found.body}"
        assert "x1y2" not in found.body
        assert "root:" not in found.body
    else:
        status, words = expected
        assert isinstance(found, Unreadable), found.body[:200]
        assert (found.status, words in found.detail) == (status, True), found
    assert ".." not in found.name
    assert not found.name.startswith("/")


ENCODINGS = {
    "UTF-8": "utf-8",
    "UTF-8 with its mark": "utf-8-sig",
    "UTF-16": "utf-16",
    "UTF-16LE": "utf-16-le",
    "UTF-16BE": "utf-16-be",
    "UTF-32": "utf-32",
    "UTF-32LE": "utf-32-le",
    "UTF-32BE": "utf-32-be",
    "UCS-4": "utf-32-be",
    "UTF-7": "utf-7",
    "ISO-8859-1": "latin-1",
    "IBM037": "cp037",
}
HOSTILE_TYPES = {
    "an entity": '<!DOCTYPE a [<!ENTITY x "ELARGI">]>',
    "an entity of a file": ENTITY.replace("<!DOCTYPE a [", '<!DOCTYPE a [<!ENTITY y "ELARGI">'),
    "entities that grow": LAUGHS.replace("'ha'", "'ELARGI'").replace("ENTITY i", "ENTITY x"),
    "a type elsewhere": '<!DOCTYPE a SYSTEM "file:///etc/passwd">',
    "a type and nothing in it": "<!DOCTYPE a>",
    "a parameter": '<!DOCTYPE a [<!ENTITY % p SYSTEM "file:///etc/passwd">%p;]>',
}


def _swapped(data: bytes) -> bytes:
    """Four-byte characters in an order that no machine writes them in (2143)."""
    fours = (data[at : at + 4] for at in range(0, len(data), 4))
    return b"".join(bytes([b, a, d, c]) for a, b, c, d in fours)


@pytest.mark.parametrize("hostile", HOSTILE_TYPES)
@pytest.mark.parametrize("name", ["a.docx", "a.odt"])
@pytest.mark.parametrize("declares", [True, False], ids=["declared", "not declared"])
@pytest.mark.parametrize("encoding", [*ENCODINGS, "UCS-4 in another order"])
def test_a_document_type_is_refused_in_whatever_encoding(
    encoding: str, declares: bool, name: str, hostile: str
) -> None:
    label = encoding.split(" ", maxsplit=1)[0]
    head = f'<?xml version="1.0" encoding="{label}"?>' if declares else ""
    entry = "word/document.xml" if name == "a.docx" else "content.xml"
    made = (docx if name == "a.docx" else odt)("", head + HOSTILE_TYPES[hostile])
    with zipfile.ZipFile(io.BytesIO(made)) as packed:
        files = {each: packed.read(each) for each in packed.namelist()}
    text = files[entry].decode()
    coded = text.encode(ENCODINGS.get(encoding, "utf-32-be"))
    files[entry] = coded if encoding in ENCODINGS else _swapped(coded)
    (found,) = extract(zipped(dict(files)), name)
    assert isinstance(found, Unreadable), found.body[:200]
    assert found.status == 422
    assert ("entités" in found.detail) or ("abîmé" in found.detail)
    if ENCODINGS.get(encoding) in ("utf-8", "utf-8-sig", "utf-16", "utf-32"):
        assert "entités" in found.detail


def test_a_document_type_written_in_signs_of_utf_7_is_refused() -> None:
    head = '<?xml version="1.0" encoding="UTF-7"?>+ADwAIQ-DOCTYPE a [+ADwAIQ-ENTITY x "y"+AD4AXQA+-'
    (found,) = extract(docx(paragraphs("&x;"), head), "a.docx")
    assert isinstance(found, Unreadable)
    assert (found.status, "entités" in found.detail) == (422, True)


def test_nothing_of_a_document_type_is_read_before_it_is_refused() -> None:
    with pytest.raises(Refused, match="entités"):
        xml.parsed(b"<!DOCTYPE a [ <<< &&& what no parser takes ]><a/>", "DOCX")


def test_an_office_document_in_each_encoding_of_its_standards_is_read() -> None:
    for code in ("utf-8", "utf-8-sig", "utf-16"):
        with zipfile.ZipFile(io.BytesIO(NOTE)) as packed:
            files = {each: packed.read(each) for each in packed.namelist()}
        files["word/document.xml"] = files["word/document.xml"].decode().encode(code)
        (found,) = extract(zipped(dict(files)), "a.docx")
        assert isinstance(found, Document), code
        assert found.body == TEXT


def test_words_that_look_like_a_document_type_are_text() -> None:
    (found,) = extract(docx(paragraphs(f"{TEXT} <!DOCTYPE html>")), "a.docx")
    assert isinstance(found, Document)
    assert "<!DOCTYPE html>" in found.body


def test_each_format_has_ten_cases_or_more() -> None:
    for ending in ("txt", "md", "html", "docx", "odt", "pdf", "eml", "zip"):
        assert len([name for _, name, _, _ in CASES if name.startswith(f"a.{ending[:3]}")]) >= 10
