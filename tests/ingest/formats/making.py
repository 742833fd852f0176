"""Small files of every format, written byte by byte: what a broken or hostile one is made from."""

import zipfile
from email.message import EmailMessage
from html import escape
from io import BytesIO

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
TYPES = (
    '<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-'
    'officedocument.wordprocessingml.document.main+xml"/></Types>'
)
ODT_TYPE = b"application/vnd.oasis.opendocument.text"
ODT_NAMES = (
    'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
    'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" '
    'xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0"'
)


def zipped(files: dict[str, bytes | str], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A ZIP file of these files, whatever their names."""
    out = BytesIO()
    with zipfile.ZipFile(out, "w", method) as packed:
        for name, data in files.items():
            packed.writestr(zipfile.ZipInfo(name), data, compress_type=method)
    return out.getvalue()


def paragraphs(*texts: str) -> str:
    """Paragraphs of a DOCX."""
    return "".join(f"<w:p><w:r><w:t>{escape(text)}</w:t></w:r></w:p>" for text in texts)


def docx(body: str, doctype: str = "", **more: bytes | str) -> bytes:
    """A DOCX with this body; `more`: further entries, `__` for `/` in their names."""
    document = f'{doctype}<w:document xmlns:w="{W}"><w:body>{body}</w:body></w:document>'
    files: dict[str, bytes | str] = {"[Content_Types].xml": TYPES, "word/document.xml": document}
    return zipped(files | {name.replace("__", "/"): data for name, data in more.items()})


def odt(body: str, doctype: str = "", **more: bytes | str) -> bytes:
    """An ODT with this body; `more` as in `docx`."""
    content = (
        f"{doctype}<office:document-content {ODT_NAMES}><office:body><office:text>{body}"
        "</office:text></office:body></office:document-content>"
    )
    files: dict[str, bytes | str] = {"mimetype": ODT_TYPE, "content.xml": content}
    return zipped(files | {name.replace("__", "/"): data for name, data in more.items()})


def pdf(*pages: list[str], header: str = "", encrypted: bool = False) -> bytes:
    """A PDF in Helvetica, lines 14 points apart, an empty line for a gap; `header` on each page,
    with its number below. The sign `ﬁ` is the font's own ligature.
    """
    names = [f"{4 + 2 * number} 0 R" for number in range(len(pages))]
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        f"<</Type/Pages/Kids[{' '.join(names)}]/Count {len(pages)}>>".encode(),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding<</Type/Encoding"
        b"/BaseEncoding/WinAnsiEncoding/Differences[1/fi]>>>>",
    ]
    for number, lines in enumerate(pages, start=1):
        placed = [(72, 700 - 14 * at, line) for at, line in enumerate(lines)]
        if header:
            placed += [(72, 800, header), (280, 30, f"{number} / {len(pages)}")]
        drawn = b"BT /F1 11 Tf "
        for x, y, line in placed:
            shown = b"".join(
                b"\\001"
                if sign == "ﬁ"
                else sign.encode("cp1252").replace(b"(", b"\\(").replace(b")", b"\\)")
                for sign in line
            )
            drawn += b"1 0 0 1 %d %d Tm (%s) Tj " % (x, y, shown)
        drawn += b"ET"
        content = 5 + 2 * (number - 1)
        objects += [
            f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents {content} 0 R"
            "/Resources<</Font<</F1 3 0 R>>>>>>".encode(),
            stream(drawn),
        ]
    if encrypted:
        objects.append(
            b"<</Filter/Standard/V 1/R 2/P -44/O<" + b"61" * 32 + b">/U<" + b"62" * 32 + b">>>"
        )
    lock = b"/Encrypt %d 0 R/ID[<00><00>]" % len(objects) if encrypted else b""
    return pdf_of(objects, lock)


def pdf_of(objects: list[bytes], more: bytes = b"") -> bytes:
    """A PDF of these objects, numbered from 1, the first its catalogue; `more` for its trailer."""
    out = b"%PDF-1.4\n"
    offsets = []
    for number, data in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj%s\nendobj\n" % (number, data)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return (
        out
        + b"xref\n0 %d\n0000000000 65535 f \n%s" % (len(objects) + 1, table)
        + b"trailer<</Size %d/Root 1 0 R%s>>\nstartxref\n%d\n%%%%EOF"
        % (len(objects) + 1, more, len(out))
    )


def stream(content: bytes, more: bytes = b"") -> bytes:
    """A stream of a PDF; `more` for its dictionary."""
    return b"<<%s/Length %d>>stream\n%s\nendstream" % (more, len(content), content)


def eml(text: str = "", page: str = "", files: dict[str, bytes] | None = None) -> bytes:
    """A mail from a counsellor, of 4 March 2026."""
    message = EmailMessage()
    message["From"] = "Conseillère <cas.berlin@example.fr>"
    message["To"] = "daei@example.fr"
    message["Subject"] = "TR: Réforme des retraites en Allemagne"
    message["Date"] = "Wed, 04 Mar 2026 09:30:00 +0100"
    if text:
        message.set_content(text)
    if page and text:
        message.add_alternative(page, subtype="html")
    elif page:
        message.set_content(page, subtype="html")
    for name, data in (files or {}).items():
        message.add_attachment(data, "application", "octet-stream", filename=name)
    return message.as_bytes()
