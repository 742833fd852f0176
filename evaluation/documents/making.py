"""One sheet of blocks, written in each format as the programs that posts use write it."""

import os
import re
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from html import escape
from io import BytesIO
from pathlib import Path

from docx import Document as WordDocument
from odfdo import Document as OdfDocument
from odfdo import List, ListItem, Paragraph, Table

MADE = (2026, 5, 20, 9, 0, 0)
"""When the files were made: in none of their texts."""


@dataclass(frozen=True, slots=True)
class Columns:
    """A table without lines that lays a letterhead out in two columns."""

    left: str
    right: str


@dataclass(frozen=True, slots=True)
class Items:
    """A numbered list."""

    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rows:
    """A table, its headings first."""

    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading within the text."""

    text: str


Block = str | Columns | Items | Rows | Heading
"""A string is a paragraph; lines within it are lines of it; `^1^` is raised."""

_RAISED = re.compile(r"\^([^^]{1,3})\^")


def docx(*blocks: Block, header: str = "", footer: str = "") -> bytes:
    """A document of Word."""
    document = WordDocument()
    section = document.sections[0]
    if header:
        section.header.paragraphs[0].text = header
    if footer:
        section.footer.paragraphs[0].text = footer
    for block in blocks:
        if isinstance(block, Heading):
            document.add_heading(block.text, 2)
        elif isinstance(block, Items):
            for item in block.items:
                document.add_paragraph(item, style="List Number")
        elif isinstance(block, str):
            paragraph = document.add_paragraph()
            for number, piece in enumerate(_RAISED.split(block)):
                paragraph.add_run(piece).font.superscript = number % 2 == 1
        else:
            rows = block.rows if isinstance(block, Rows) else ((block.left, block.right),)
            table = document.add_table(len(rows), len(rows[0]))
            for at, row in enumerate(rows):
                for column, cell in enumerate(row):
                    table.cell(at, column).text = cell
    out = BytesIO()
    document.save(out)
    return out.getvalue()


def odt(*blocks: Block) -> bytes:
    """A document of LibreOffice; a raised sign is written as it is."""
    document = OdfDocument("text")
    document.body.clear()
    for block in blocks:
        if isinstance(block, Items):
            document.body.append(List([ListItem(item) for item in block.items]))
        elif isinstance(block, (str, Heading)):
            text = block if isinstance(block, str) else block.text
            document.body.append(Paragraph(_RAISED.sub(r"\1", text)))
        else:
            rows = block.rows if isinstance(block, Rows) else ((block.left, block.right),)
            table = Table("Tableau", width=len(rows[0]), height=len(rows))
            for at, row in enumerate(rows):
                for column, cell in enumerate(row):
                    filled = table.get_cell((column, at))
                    for line in cell.split("\n"):
                        filled.append(Paragraph(line))
                    table.set_cell((column, at), filled)
            document.body.append(table)
    out = BytesIO()
    document.save(out)
    return out.getvalue()


def page(*blocks: Block, before: str = "", after: str = "", style: str = "") -> bytes:
    """A page; `before` and `after` stand round its article as they are."""
    inside = "\n".join(map(_element, blocks))
    return (
        '<!doctype html><html lang="fr"><head><meta charset="utf-8"><title>Note</title>'
        f"<style>{style}</style></head><body>{before}<main>{inside}</main>{after}</body></html>"
    ).encode()


def _element(block: Block) -> str:
    if isinstance(block, Heading):
        return f"<h2>{escape(block.text)}</h2>"
    if isinstance(block, Items):
        return f"<ol>{''.join(f'<li>{_inline(item)}</li>' for item in block.items)}</ol>"
    if isinstance(block, str):
        return f"<p>{_inline(block)}</p>"
    rows = block.rows if isinstance(block, Rows) else ((block.left, block.right),)
    cells = ("".join(f"<td>{_inline(cell)}</td>" for cell in row) for row in rows)
    return f'<table width="100%">{"".join(f"<tr>{row}</tr>" for row in cells)}</table>'


def _inline(text: str) -> str:
    return _RAISED.sub(r"<sup>\1</sup>", escape(text)).replace("\n", "<br>")


def text(*blocks: Block) -> bytes:
    """A text file; columns and cells are parted by spaces."""
    lines = []
    for block in blocks:
        if isinstance(block, Heading):
            lines.append(block.text)
        elif isinstance(block, Items):
            lines.append("\n".join(f"{n}. {item}" for n, item in enumerate(block.items, 1)))
        elif isinstance(block, str):
            lines.append(_RAISED.sub(r" (\1)", block))
        else:
            rows = block.rows if isinstance(block, Rows) else ((block.left, block.right),)
            lines.append("\n".join("    ".join(row) for row in rows))
    return "\n\n".join(lines).encode()


def chromium() -> str | None:
    """The browser that prints PDFs here, if any."""
    usual = "/usr/bin/chromium"
    return usual if os.access(usual, os.X_OK) else shutil.which("chromium")


def pdf(*blocks: Block, header: str = "", footer: str = "") -> Callable[[], bytes]:
    """A page as a browser prints it, once it is asked for; `header`, `footer` on each page."""
    stamp = "".join(
        f'<div style="position:fixed;{side}:0;width:100%;text-align:center">{escape(said)}</div>'
        for side, said in (("top", header), ("bottom", footer))
        if said
    )
    style = "body{font:11pt serif;margin:3em 1em} p{margin:.7em 0}"
    return lambda: _printed(page(*blocks, before=stamp, style=style))


def _printed(source: bytes) -> bytes:
    browser = chromium()
    assert browser is not None, "asked for only where there is one"
    with tempfile.TemporaryDirectory() as folder:
        written, printed = Path(folder, "note.html"), Path(folder, "note.pdf")
        written.write_bytes(source)
        subprocess.run(
            [
                browser,
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                f"--user-data-dir={folder}/profile",
                "--no-pdf-header-footer",
                f"--print-to-pdf={printed}",
                written.as_uri(),
            ],
            check=True,
            capture_output=True,
            timeout=120,
        )
        return printed.read_bytes()


def mail(
    subject: str,
    plain: str = "",
    *,
    html: str = "",
    files: Mapping[str, bytes] | None = None,
    day: str = "Wed, 20 May 2026 09:30:00 +0200",
) -> bytes:
    """A mail as a program saves it; files named `.eml` are attached as mails."""
    message = EmailMessage()
    message["From"] = "Conseillère pour les affaires sociales <cas@poste.example.fr>"
    message["To"] = "DAEI <daei@example.fr>"
    message["Subject"] = subject
    message["Date"] = day
    if plain:
        message.set_content(plain)
        if html:
            message.add_alternative(html, subtype="html")
    elif html:
        message.set_content(html, subtype="html")
    for name, data in (files or {}).items():
        message.add_attachment(data, "application", "octet-stream", filename=name)
    if message.is_multipart():
        message.set_boundary("=_limite")
    return message.as_bytes()


def forwarding(subject: str, plain: str, inner: bytes) -> bytes:
    """A mail with another attached, as `message/rfc822`."""
    outer = mail(subject, plain)
    headers, _, _ = outer.partition(b"\n\n")
    kept = [
        line for line in headers.split(b"\n") if not line.lower().startswith((b"content", b"mime"))
    ]
    return b"\n".join(
        [
            *kept,
            b"MIME-Version: 1.0",
            b'Content-Type: multipart/mixed; boundary="=_limite"',
            b"",
            b"--=_limite",
            b'Content-Type: text/plain; charset="utf-8"',
            b"Content-Transfer-Encoding: 8bit",
            b"",
            plain.encode(),
            b"--=_limite",
            b"Content-Type: message/rfc822",
            b'Content-Disposition: attachment; filename="message.eml"',
            b"",
            inner,
            b"--=_limite--",
            b"",
        ]
    )


def archive(files: Sequence[tuple[str, bytes]]) -> bytes:
    """A ZIP of these files."""
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        for name, data in files:
            packed.writestr(zipfile.ZipInfo(name, MADE), data)
    return out.getvalue()
