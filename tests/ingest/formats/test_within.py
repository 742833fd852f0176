"""What holds several documents bears the strictest mark of all that lies in it."""

import asyncio
import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from email.message import EmailMessage
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.marks import NONE, STRICTEST, Marks
from schemas.vocabulary import Marking
from services.ingest.formats import extract
from services.ingest.formats.apart import extract_apart
from services.ingest.formats.documents import MOST_STEPS, complete
from services.ingest.formats.model import Document, Unreadable
from tests.ingest.formats.making import docx, eml, odt, paragraphs, pdf, pdf_of, zipped

TEXT = "La commission propose de porter l'âge de départ à 68 ans."
RESTRICTED = Marks(Marking.DIFFUSION_RESTREINTE)
FRANCE = Marks(special_france=True)
SAID = {
    "": NONE,
    "DIFFUSION RESTREINTE": RESTRICTED,
    "SPÉCIAL FRANCE": FRANCE,
    "DIFFUSION RESTREINTE - SPÉCIAL FRANCE": STRICTEST,
}
SHEET_TYPES = (
    '<Types><Override ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.'
    'sheet.main+xml"/></Types>'
)
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(200)
OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)


def workbook(*cells: str) -> bytes:
    """An XLSX with these cells."""
    shared = "".join(f"<si><t>{cell}</t></si>" for cell in cells)
    return zipped(
        {"[Content_Types].xml": SHEET_TYPES, "xl/sharedStrings.xml": f"<sst>{shared}</sst>"}
    )


def pdf_with(name: str, data: bytes) -> bytes:
    """A PDF with a file attached."""
    objects = [
        b"<</Type/Catalog/Pages 2 0 R/Names<</EmbeddedFiles<</Names[(f)5 0 R]>>>>>>",
        b"<</Type/Pages/Kids[4 0 R]/Count 1>>",
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Resources<</Font<</F1 3 0 R>>>>"
        b"/Contents 7 0 R>>",
        f"<</Type/Filespec/F({name})/UF({name})/EF<</F 6 0 R>>>>".encode(),
        b"<</Type/EmbeddedFile/Length %d>>stream\n%s\nendstream" % (len(data), data),
        b"<</Length 95>>stream\nBT /F1 12 Tf 72 700 Td (La commission propose de porter l age de "
        b"depart a 68 ans.) Tj ET\nendstream",
    ]
    return pdf_of(objects)


@dataclass
class Node:
    """A file of a random structure: what it says of itself, and what lies in it."""

    kind: str
    mark: str
    data: bytes
    inside: list["Node"] = field(default_factory=list)

    def all_inside(self) -> Iterator["Node"]:
        yield self
        for each in self.inside:
            yield from each.all_inside()


def leaf(chance: random.Random) -> Node:
    mark = chance.choice([*SAID, "", ""])
    kind = chance.choice(["txt", "docx", "pdf", "xlsx"])
    words = f"{TEXT} {chance.random()}"
    lines = [mark, words] if mark else [words]
    if kind == "txt":
        data = "\n\n".join(lines).encode()
    elif kind == "docx":
        data = docx(paragraphs(*lines))
    elif kind == "pdf":
        data = pdf([line.replace("É", "E").replace("â", "a") for line in lines])
    else:
        data = workbook(*lines)
    return Node(kind, mark, data)


def tree(chance: random.Random, depth: int, *, in_archive: bool = False) -> Node:
    """A file with files in it, no deeper than is read."""
    if depth == 0 or chance.random() < 0.2:
        return leaf(chance)
    kind = chance.choice(["eml", "eml", "docx"] + ([] if in_archive else ["zip"]))
    deeper = 0 if kind == "docx" else depth - 1
    inside = [
        tree(chance, deeper, in_archive=in_archive or kind == "zip")
        for _ in range(chance.randrange(1, 4))
    ]
    files = {f"f{at}.{each.kind}": each.data for at, each in enumerate(inside)}
    mark = chance.choice([*SAID, "", ""])
    words = f"{TEXT} {chance.random()}"
    if kind == "zip":
        return Node(kind, "", zipped(dict(files)), inside)
    if kind == "docx":
        body = paragraphs(*([mark] if mark else []), words)
        held = {f"word__embeddings__{name}": data for name, data in files.items()}
        return Node(kind, mark, docx(body, **held), inside)
    return Node(kind, mark, eml("\n\n".join(filter(None, [mark, words])), files=files), inside)


@given(seed=st.integers(0, 10_000))
def test_a_file_bears_the_marks_of_all_that_lies_in_it(seed: int) -> None:
    chance = random.Random(seed)
    top = tree(chance, 2)
    expected: dict[str, Marks] = {}
    for node in top.all_inside():
        marks = NONE
        for each in node.all_inside():
            marks |= SAID[each.mark]
        expected[sha256(node.data).hexdigest()] = marks
    found = extract(top.data, f"tout.{top.kind}")
    documents = [each for each in found if isinstance(each, Document)]
    for each in documents:
        wanted = expected[sha256(each.original).hexdigest()]
        assert each.marks | wanted == each.marks, each.name
        assert not each.unseen, each.name
    by_name = {each.name: sha256(each.original).hexdigest() for each in documents}
    for each in documents:
        inside = {at for name, at in by_name.items() if name.startswith(f"{each.name}/")}
        assert inside <= set(each.holds)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("note.txt", f"DIFFUSION RESTREINTE\n\n{TEXT}".encode()),
        ("DIFFUSION RESTREINTE - note.docx", docx(paragraphs(TEXT))),
        ("DIFFUSION RESTREINTE.xlsx", workbook("1")),
        ("tableau.xlsx", workbook("1", "DIFFUSION RESTREINTE")),
        ("liste.csv", b"a;b\nDIFFUSION RESTREINTE\n"),
        ("suite.eml", eml(f"DIFFUSION RESTREINTE\n\n{TEXT}")),
        ("suite.eml", eml(TEXT, files={"a.txt": f"DIFFUSION RESTREINTE\n\n{TEXT}".encode()})),
        ("annexes.zip", zipped({"d/a.txt": f"DIFFUSION RESTREINTE\n\n{TEXT}"})),
        ("annexes.zip", zipped({"DIFFUSION RESTREINTE.pdf": b"%PDF-1.4 damaged"})),
        (
            "rapport.docx",
            docx(
                paragraphs(TEXT), **{"word__embeddings__a.xlsx": workbook("DIFFUSION RESTREINTE")}
            ),
        ),
    ],
)
def test_a_mail_bears_the_mark_of_what_is_attached(name: str, data: bytes) -> None:
    mail, *rest = extract(eml(TEXT, files={"autre.txt": TEXT.encode(), name: data}), "m.eml")
    assert isinstance(mail, Document)
    assert mail.marks.marking is Marking.DIFFUSION_RESTREINTE
    (other,) = [each for each in rest if each.name == "m.eml/autre.txt"]
    # A name stands in the mail's own headers, and a mail's marks hold for what it brings.
    if "restreinte" not in name.lower():
        assert other.marks == NONE, "what lies beside it is another document"


def test_a_mail_within_a_mail_says_so_as_the_others_do() -> None:
    inner = EmailMessage()
    inner["Subject"] = "DIFFUSION RESTREINTE"
    inner.set_content(TEXT)
    outer = EmailMessage()
    outer["Subject"] = "Une suite"
    outer.set_content(TEXT)
    outer.add_attachment(inner)
    for each in extract(outer.as_bytes(), "m.eml"):
        assert each.marks == RESTRICTED


@pytest.mark.parametrize(
    ("data", "unseen"),
    [
        (docx(paragraphs(TEXT), **{"word__embeddings__a.xlsx": workbook("1")}), False),
        (docx(paragraphs(TEXT), **{"word__embeddings__o.bin": OLD_OFFICE}), True),
        (docx(paragraphs(TEXT), **{"word__media__i.png": PICTURE}), False),
        (odt(f"<text:p>{TEXT}</text:p>", **{"Object 1": OLD_OFFICE}), True),
        (odt(f"<text:p>{TEXT}</text:p>", **{"Object 1__content.xml": "<a/>"}), False),
        (pdf_with("a.txt", TEXT.encode()), False),
        (pdf_with("a.xls", OLD_OFFICE), True),
        (eml(TEXT, files={"logo.png": PICTURE}), False),
        (eml(TEXT, files={"smime.p7s": b"\x30\x82" + bytes(900)}), False),
        (eml(TEXT, files={"ancien.doc": OLD_OFFICE}), True),
        (eml(TEXT, files={"vide.txt": b""}), False),
        (eml(TEXT, files={"abime.docx": b"PK\x03\x04abime"}), True),
        (eml(TEXT, files={"secret.pdf": pdf([TEXT], encrypted=True)}), True),
        (eml(TEXT, files={"a.zip": zipped({"logo.png": PICTURE, "a.txt": TEXT})}), False),
        (eml(TEXT, files={"a.zip": zipped({"ancien.doc": OLD_OFFICE, "a.txt": TEXT})}), True),
        (eml(TEXT, files={"winmail.dat": b"\x78\x9f\x3e\x22" + bytes(90)}), True),
    ],
)
def test_what_nobody_could_look_into_is_told(data: bytes, unseen: bool) -> None:
    first = extract(data, "n.eml" if data.startswith(b"From") else "n")[0]
    assert isinstance(first, Document), first
    assert first.unseen is unseen


@pytest.mark.parametrize("mark", ["DIFFUSION RESTREINTE", "SECRET"])
def test_files_in_a_document_are_looked_through(mark: str) -> None:
    held = f"{mark}\n\n{TEXT}".encode()
    for data in (
        docx(paragraphs(TEXT), **{"word__embeddings__a.docx": docx(paragraphs(mark, TEXT))}),
        docx(paragraphs(TEXT), **{"word__afchunk1.txt": held}),
        docx(paragraphs(TEXT), **{"word__embeddings__a.xlsx": workbook("2", mark)}),
        pdf_with("a.txt", held),
        pdf_with("a.xlsx", workbook(mark)),
    ):
        (found,) = extract(data, "n")
        if mark == "SECRET":
            assert isinstance(found, Unreadable)
            assert found.classified
        else:
            assert found.marks == RESTRICTED


def test_documents_within_documents_without_end_are_not_followed() -> None:
    data = docx(paragraphs("SECRET", TEXT))
    for _ in range(5):
        data = docx(paragraphs(TEXT), **{"word__embeddings__a.docx": data})
    (found,) = extract(data, "n.docx")
    assert isinstance(found, Document)
    assert found.unseen


async def test_the_process_apart_tells_the_same() -> None:
    marked = f"DIFFUSION RESTREINTE\n\n{TEXT}".encode()
    for files in ({"a.txt": marked}, {"a.doc": OLD_OFFICE, "b.txt": TEXT.encode()}):
        data = eml(TEXT, files=files)
        assert await asyncio.wait_for(extract_apart(data, "m.eml"), 60) == extract(data, "m.eml")


def test_of_a_mail_whose_reading_was_cut_short_it_is_told() -> None:
    mail = Document("x.zip/m.eml", "message/rfc822", b"m", {}, "Objet", TEXT)
    text = Document("x.zip/a.txt", "text/plain", b"a", {}, "Objet", TEXT)
    rest = Unreadable("x.zip", 422, "interrompue")
    for found, unseen in (
        ([text, mail, rest], [False, True]),
        ([mail, replace(text, name="x.zip/m.eml/a.txt"), rest], [True, False]),
        ([mail, text, rest], [False, False]),
    ):
        told = complete(list(found))
        assert [each.unseen for each in told[:2]] == unseen


def test_a_name_of_many_folders_is_cut() -> None:
    (found,) = extract(zipped({"a/" * 20_000 + "b.txt": TEXT}), "n.zip")
    assert isinstance(found, Document)
    assert found.name.count("/") <= 2 * MOST_STEPS


PACKAGE = {"[Content_Types].xml": SHEET_TYPES}
ODS = "application/vnd.oasis.opendocument.spreadsheet"
BINARY = bytes(range(1, 256)) * 3
ARMOUR = b"-----BEGIN PGP SIGNATURE-----\n\niQEzBAEBCAAdFiEE\n=abcd\n-----END PGP SIGNATURE-----\n"


def part(head: str, body: bytes) -> bytes:
    """A mail with a text, and a part with these headers."""
    return (
        b"From: a@b.fr\nTo: c@d.fr\nSubject: Suite\nMIME-Version: 1.0\n"
        b"Content-Type: multipart/mixed; boundary=B\n\n--B\nContent-Type: text/plain\n\nLe rapport "
        b"est remis.\n--B\n" + head.encode() + b"\n\n" + body + b"\n--B--\n"
    )


@pytest.mark.parametrize(
    ("name", "data", "unseen"),
    [
        ("a.rtf", rb"{\rtf1\ansi{\b SEC}{\b RET}\par}", True),
        ("a.csv", rb"{\rtf1\ansi{\b SEC}{\b RET}\par}", True),
        ("a.mht", b"MIME-Version: 1.0\nContent-Type: text/html\n\n<p>x</p>", True),
        ("a.log", b"Content-Transfer-Encoding: base64\n\nU0VDUkVU\n", True),
        ("a.mbox", b"From a@b Thu Jan 1 00:00:00 2026\n\nx", True),
        ("a.fodt", b"<office:document/>", True),
        ("a.csv", b"<office:document/>", True),
        ("a.svg", b"<svg/>", True),
        ("a.json", b"{}", True),
        ("a.ics", b"BEGIN:VCALENDAR\nEND:VCALENDAR\n", True),
        ("a.csv", b"QUJD" * 60, True),
        ("a.log", (b"QUJD" * 19 + b"\n") * 9, True),
        ("a.csv", b"a;b\n1;2\n", False),
        ("a.csv", "année;pays\n2026;Suède\n".encode("cp1252"), False),
        ("note.asc", b"-----BEGIN PGP SIGNED MESSAGE-----\n\nx\n" + ARMOUR, True),
        ("note.asc", b"-----BEGIN PGP MESSAGE-----\n\nQUJD\n-----END PGP MESSAGE-----\n", True),
        ("signature.asc", ARMOUR, False),
        ("smime.p7m", b"\x30\x82" + bytes(900), True),
        ("smime.p7s", b"\x30\x82\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01\xa0\x09x", True),
        ("a.png", PICTURE + zipped({"a.txt": "x"}), True),
        ("a.png", PICTURE + b"IEND\xae\x42\x60\x82SECRET", True),
        ("a.xlsb", zipped(PACKAGE | {"xl/sharedStrings.bin": BINARY}), True),
        ("a.xlsx", zipped(PACKAGE | {"xl/x.bin": OLD_OFFICE}), True),
        ("a.xlsx", zipped(PACKAGE | {"xl/damaged.xml": "<a><b>"}), True),
        ("a.pptx", zipped(PACKAGE | {"ppt/embeddings/a.xlsx": workbook("1")}), False),
        ("a.xlsx", zipped(PACKAGE | {"xl/printerSettings/printerSettings1.bin": BINARY}), False),
        ("a.ods", zipped({"mimetype": ODS, "content.xml": "<a/>"}), False),
        ("a.ods", zipped({"mimetype": ODS, "content.xml": BINARY}), True),
        ("a.ods", zipped({"mimetype": ODS, "content.xml": "<a/>", "Object 1": OLD_OFFICE}), True),
        ("a.oxps", zipped({"[Content_Types].xml": "<Types/>", "a.fpage": "<a/>"}), True),
        ("a.zip", zipped({"b.txt": TEXT, "~$a.docx": BINARY}), True),
        ("a.zip", zipped({"b.txt": TEXT, "d/": BINARY}), True),
        ("a.zip", zipped({"b.txt": TEXT, "__MACOSX/._b.txt": b"\0\5\x16\7" + bytes(90)}), False),
        ("a.zip", zipped({"b.txt": TEXT, "desktop.ini": ""}), False),
    ],
)
def test_a_file_in_a_mail_counts_as_looked_into_only_where_it_was(
    name: str, data: bytes, unseen: bool
) -> None:
    mail = extract(eml(TEXT, files={name: data}), "m.eml")[0]
    assert isinstance(mail, Document)
    assert mail.unseen is unseen


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("xl/sharedStrings.xml", "<sst><si><r><t>SEC</t></r><r><t>RET</t></r></si></sst>"),
        (
            "xl/worksheets/s.xml",
            '<w><oddHeader>&amp;C&amp;"Arial,Gras"&amp;14SECRET</oddHeader></w>',
        ),
        ("xl/workbook.xml", '<w><sheets><sheet name="SECRET"/></sheets></w>'),
        ("ppt/slides/s.xml", '<s xmlns:a="a"><a:p><a:t>SEC</a:t><a:t>RET</a:t></a:p></s>'),
        ("xl/x.bin", zipped(PACKAGE | {"x.xml": "<a>SECRET</a>"})),
        ("~$a.docx", "SECRET"),
    ],
)
def test_runs_headers_and_names_in_an_office_file_are_read(name: str, data: bytes | str) -> None:
    held = zipped(PACKAGE | {name: data} if name != "~$a.docx" else {name: data})
    mail = extract(eml(TEXT, files={"a.zip" if name == "~$a.docx" else "a.xlsx": held}), "m.eml")[0]
    assert isinstance(mail, Unreadable)
    assert mail.classified


@pytest.mark.parametrize(
    ("data", "unseen"),
    [
        (docx(paragraphs(TEXT), word__foo__x=BINARY), True),
        (docx(paragraphs(TEXT), **{"word__chunk.docx": docx(paragraphs(TEXT))}), False),
        (docx(paragraphs(TEXT), **{"word__fonts__font1.odttf": BINARY}), False),
        (docx(paragraphs(TEXT), **{"word__fonts__font1.odttf": OLD_OFFICE}), True),
        (docx(paragraphs(TEXT), **{"customXml__item.dat": BINARY}), True),
        (odt(f"<text:p>{TEXT}</text:p>", ObjBFFFC1=OLD_OFFICE), True),
        (odt(f"<text:p>{TEXT}</text:p>", **{"layout-cache": BINARY}), False),
        (pdf([TEXT]), False),
        (
            pdf([TEXT]) + b"\n7 0 obj<</Type/EmbeddedFile/Length 1>>stream\nx\nendstream endobj",
            True,
        ),
        (pdf([TEXT]) + b"\n7 0 obj<</Subtype/FileAttachment>>endobj", True),
        (pdf([TEXT]) + b"\n7 0 obj<</XFA 8 0 R>>endobj", True),
        (f"<html><p>{TEXT}</p><iframe srcdoc='x'></iframe></html>".encode(), True),
        (f"<html><p>{TEXT}</p><a href='data:text/html,x'>x</a></html>".encode(), True),
        (f"<html><p>{TEXT}</p><img src='data:image/gif;base64,R0lGODlh'></html>".encode(), False),
        (part("Content-Type: text/rtf", rb"{\rtf1 x}"), True),
        (part("Content-Type: text/enriched", b"<bold>x</bold>"), True),
        (part("Content-Type: text/plain\nContent-Transfer-Encoding: x-own", b"x"), True),
        (part("Content-Type: text/plain; charset=cp500", b"x"), True),
        (part("Content-Type: message/global\nContent-Transfer-Encoding: base64", b"eA=="), True),
        (part("Content-Type: text/plain", b"begin 644 a.txt\nabc\nend"), True),
        (part("Content-Type: text/plain; charset=iso-8859-1", b"x"), False),
    ],
)
def test_what_lies_in_a_document_in_another_form_is_told(data: bytes, unseen: bool) -> None:
    first = extract(data, "n.eml" if data.startswith(b"From") else "n")[0]
    assert isinstance(first, Document), first
    assert first.unseen is unseen


@pytest.mark.parametrize("encoding", ["base64;", "base64 (x)", "BASE64 "])
def test_what_stands_behind_an_encoding_hides_nothing(encoding: str) -> None:
    head = f"Content-Type: text/plain\nContent-Transfer-Encoding: {encoding}"
    (found,) = extract(part(head, b"U0VDUkVUCg=="), "m.eml")
    assert isinstance(found, Unreadable)
    assert found.classified


@pytest.mark.parametrize(
    "inside",
    [
        '<p style="display:none">SECRET</p>',
        "<!--[if mso]><p>SECRET</p><![endif]-->",
        "<!-- SECRET",
        '<img alt="SECRET">',
        "<title>SECRET</title>",
        '<meta name="classification" content="SECRET">',
        "<style>p:before{content:'SECRET'}</style>",
        "<button>SECRET</button>",
        "<template><p>SECRET</p></template>",
        '<iframe srcdoc="&lt;p&gt;SECRET&lt;/p&gt;"></iframe>',
    ],
)
def test_a_page_in_a_mail_is_looked_through_as_a_page_by_itself(inside: str) -> None:
    page = f"<html><body><p>{TEXT}</p>{inside}</body></html>"
    for data in (eml(page=page), eml(TEXT, page=page), page.encode()):
        (found,) = extract(data, "n.eml" if data.startswith(b"From") else "n.html")
        assert isinstance(found, Unreadable), inside
        assert found.classified


def test_a_form_of_its_text_that_cannot_be_read_does_not_refuse_a_mail() -> None:
    (mail,) = extract(eml(TEXT, page="<div>" * 400), "m.eml")
    assert isinstance(mail, Document), mail
    assert mail.body == TEXT
    assert mail.unseen
