"""One document, one identity: the same note, laid out as counsellors do, saved in each format.

Subject, reference, date, genre, post, author and addressees are the same in all; the text is the
same line by line, but for the differences that are listed here.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping

import pytest

from services.ingest.formats import Document, extract
from tests.ingest.formats.layouts import LAYOUTS, Layout, libre, mail, page, word

WRITERS = {"docx": word, "odt": libre, "html": page, "eml": mail}
NAMES = ("subject", "reference", "date", "genre", "post", "author", "addressees")
_FIGURES = re.compile(r"\d+")
_LABEL = re.compile(r"(?:\d{1,2}|[a-z])[.)]\s|-\s")


def _read(data: bytes, name: str) -> Document:
    found = extract(data, name)
    assert isinstance(found[0], Document), found
    return found[0]


def _lines(document: Document, layout: Layout) -> list[str]:
    """The lines of the text, in order; the number of an item stands apart from what is numbered."""
    title = document.subject if document.subject != layout.fields["subject"] else ""
    lines = [" ".join(line.split()) for line in f"{title}\n{document.body}".splitlines()]
    return [_LABEL.sub("", line) for line in lines if line.strip()]


def _check(document: Document, layout: Layout) -> None:
    found = {name: document.fields.get(name, "") for name in NAMES}
    assert found == {name: layout.fields.get(name, "") for name in NAMES}
    assert document.subject == layout.fields["subject"]


@pytest.fixture(scope="session")
def printed(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, bytes]:
    """Every layout as a browser prints it."""
    chromium = "/usr/bin/chromium" if os.access("/usr/bin/chromium", os.X_OK) else None
    chromium = chromium or shutil.which("chromium")
    if chromium is None:
        pytest.skip("no Chromium here to print a PDF with")
    folder = tmp_path_factory.mktemp("printed")
    found = {}
    for name, layout in LAYOUTS.items():
        written = folder / f"{name.replace(' ', '-')}.html"
        written.write_bytes(page(layout))
        out = written.with_suffix(".pdf")
        _run(
            *(chromium, "--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer"),
            *(f"--user-data-dir={folder / 'profile'}", f"--print-to-pdf={out}", written.as_uri()),
        )
        found[name] = out.read_bytes()
    return found


@pytest.fixture(scope="session")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, bytes]:
    """Every layout's DOCX as LibreOffice makes a PDF of it."""
    office = shutil.which("soffice")
    if office is None:
        pytest.skip("no LibreOffice here to make a PDF with")
    folder = tmp_path_factory.mktemp("converted")
    files = {name: folder / f"{name.replace(' ', '-')}.docx" for name in LAYOUTS}
    for name, file in files.items():
        file.write_bytes(word(LAYOUTS[name]))
    _run(
        *(office, f"-env:UserInstallation={(folder / 'profile').as_uri()}", "--headless"),
        *("--convert-to", "pdf", "--outdir", str(folder), *map(str, files.values())),
    )
    return {name: file.with_suffix(".pdf").read_bytes() for name, file in files.items()}


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=180)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", WRITERS)
def test_a_note_has_one_identity_in_every_format(kind: str, layout: str) -> None:
    written = LAYOUTS[layout]
    document = _read(WRITERS[kind](written), f"note.{kind}")
    _check(document, written)
    if kind != "docx":
        word_document = _read(word(written), "note.docx")
        assert _lines(document, written) == _lines(word_document, written)


@pytest.mark.browser
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_note_that_a_browser_prints_has_the_same(
    layout: str, printed: Mapping[str, bytes]
) -> None:
    _check_pdf(printed[layout], layout)


@pytest.mark.browser
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_note_that_libreoffice_prints_has_the_same(
    layout: str, converted: Mapping[str, bytes]
) -> None:
    _check_pdf(converted[layout], layout)


def _check_pdf(data: bytes, layout: str) -> None:
    written = LAYOUTS[layout]
    document = _read(data, "note.pdf")
    _check(document, written)
    expected = _lines(_read(word(written), "note.docx"), written)
    found = _lines(document, written)
    assert _FIGURES.findall("\n".join(sorted(found))) == _FIGURES.findall(
        "\n".join(sorted(expected))
    )
    assert found == expected
