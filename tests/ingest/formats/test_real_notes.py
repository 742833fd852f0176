"""The real documents of the field, saved in each format by the tools that people use: the same text
comes back. What differs is listed in docs/formats.md.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from difflib import SequenceMatcher
from email.message import EmailMessage
from html import escape
from io import BytesIO
from pathlib import Path

import pytest
from docx import Document as WordDocument
from odfdo import Document as OdfDocument
from odfdo import Paragraph

from services.ingest.formats import Document, extract

MOST_DIFFERENT = {"pdf": 0.01}
"""Of the words and signs: the PDF of a browser loses which hyphen was its writer's, and lines that
consist of a sign alone."""


@pytest.fixture(
    params=["docx", "odt", "html", "eml", pytest.param("pdf", marks=pytest.mark.browser)]
)
def saved(
    request: pytest.FixtureRequest, tmp_path: Path
) -> tuple[str, Callable[[list[str]], bytes]]:
    """A format, and what saves paragraphs in it."""
    kind: str = request.param
    if kind == "pdf":
        chromium = "/usr/bin/chromium" if os.access("/usr/bin/chromium", os.X_OK) else None
        chromium = chromium or shutil.which("chromium")
        if chromium is None:
            pytest.skip("no Chromium here to print a PDF with")
        return kind, lambda texts: _printed(chromium, texts, tmp_path)
    return kind, {"docx": _docx, "odt": _odt, "html": _page, "eml": _mail}[kind]


def test_the_real_documents_come_back(
    saved: tuple[str, Callable[[list[str]], bytes]], shared_notes: Path
) -> None:
    kind, save = saved
    files = sorted(shared_notes.glob("*.txt"))
    assert files
    lines = [file.read_text("utf-8").splitlines() for file in files]
    if kind == "pdf":  # in one, as starting the browser takes longest
        lines = [[line for each in lines for line in each]]
    for each in lines:
        texts = [line for line in each if line.strip()]
        (found,) = extract(save(texts), f"note.{kind}")
        assert isinstance(found, Document), found
        whole = (
            found.body if found.body.startswith(found.subject) else f"{found.subject}\n{found.body}"
        )
        expected, read = list(_words("\n".join(texts))), list(_words(whole))
        if kind == "pdf":
            same = sum(b.size for b in SequenceMatcher(None, expected, read).get_matching_blocks())
            assert same >= (1 - MOST_DIFFERENT[kind]) * max(len(expected), len(read))
        else:
            assert read == expected


def _words(text: str) -> Iterator[str]:
    return (found[0] for found in re.finditer(r"\w+|[^\w\s]", text.replace("\u00ad", "")))


def _docx(texts: list[str]) -> bytes:
    document = WordDocument()
    document.sections[0].header.paragraphs[0].text = "En-tête de chaque page"
    for text in texts:
        document.add_paragraph(text)
    out = BytesIO()
    document.save(out)
    return out.getvalue()


def _odt(texts: list[str]) -> bytes:
    document = OdfDocument("text")
    document.body.clear()
    for text in texts:
        document.body.append(Paragraph(text))
    out = BytesIO()
    document.save(out)
    return out.getvalue()


def _page(texts: list[str]) -> bytes:
    inside = "".join(f"<p>{escape(text)}</p>" for text in texts)
    return (
        '<!doctype html><html lang="fr"><head><meta charset="utf-8"></head>'
        f'<body style="hyphens: auto; text-align: justify">{inside}</body></html>'
    ).encode()


def _mail(texts: list[str]) -> bytes:
    message = EmailMessage()
    message["From"] = "cas.rome@example.fr"
    message["Subject"] = texts[0][:60]
    message.set_content("\n\n".join(texts))
    return message.as_bytes()


def _printed(chromium: str, texts: list[str], folder: Path) -> bytes:
    page, printed = folder / "note.html", folder / "note.pdf"
    page.write_bytes(_page(texts))
    subprocess.run(
        [
            chromium,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            f"--user-data-dir={folder / 'profile'}",
            f"--print-to-pdf={printed}",
            page.as_uri(),
        ],
        check=True,
        capture_output=True,
        timeout=120,
    )
    return printed.read_bytes()
