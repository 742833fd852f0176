"""Text files: a subject from the first line that says something, the body from the rest."""

import codecs
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.note import MAX_SUBJECT
from services.runtime import text_files


def test_the_first_line_is_the_subject_and_the_rest_is_the_body(tmp_path: Path) -> None:
    path = tmp_path / "note.md"
    path.write_text("\n\n# Réforme des retraites \n\n  Le rapport.\nFin.\n", encoding="utf-8")
    text = text_files.parse(path.read_bytes())
    assert text.subject == "Réforme des retraites"
    assert text.body == "  Le rapport.\nFin."


def test_a_brief_of_one_line_is_its_own_body() -> None:
    text = text_files.parse("Grève à Londres.\n".encode())
    assert text.subject == "Grève à Londres."
    assert text.body == "Grève à Londres.\n"


@pytest.mark.parametrize(
    "content",
    [
        "Santé : l’été".encode(),
        codecs.BOM_UTF8 + "Santé : l’été".encode(),
        "Santé : l’été".encode("cp1252"),
        codecs.BOM_UTF16_LE + "Santé : l’été".encode("utf-16-le"),
    ],
)
def test_exports_of_all_ages_are_read(content: bytes) -> None:
    assert text_files.parse(content).subject == "Santé : l’été"


@pytest.mark.parametrize("content", [b"", b" \n\t\n", b"###\n", codecs.BOM_UTF8])
def test_a_file_without_text_is_refused_in_french(content: bytes) -> None:
    with pytest.raises(ValueError, match="ne contient pas de texte"):
        text_files.parse(content)


@pytest.mark.parametrize("content", [b"PK\x03\x04\x00\x00", b"\x81\x8d\x8f", b"%PDF-1.7\x00\xff"])
def test_a_file_that_is_no_text_is_refused_in_french(content: bytes) -> None:
    with pytest.raises(ValueError, match="pas un texte lisible"):
        text_files.parse(content)


def test_an_endless_first_line_is_cut_to_what_a_subject_may_have() -> None:
    text = text_files.parse(b"mot " * 1_000)
    assert len(text.subject) <= MAX_SUBJECT
    assert len(text.body) == 4_000


@given(st.binary())
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    try:
        text = text_files.parse(content)
    except ValueError:
        return
    assert text.subject.strip()
    assert text.body.strip()
    for word in text.subject.split() + text.body.split():
        assert word in text_files._decode(content)
