"""`valise classify`: JSON Lines in, JSON Lines out, in order, whatever the lines hold."""

import io
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.classify import jsonl
from services.classify.release import RELEASE
from services.cli.classify import _read


def run(*given: Any, workers: int | None = 1) -> list[dict[str, Any]]:
    """The answers to these objects (bytes go in as they are)."""
    lines = [one if isinstance(one, bytes) else json.dumps(one).encode() for one in given]
    out = io.BytesIO()
    jsonl.run([line + b"\n" for line in lines], out.write, workers)
    return [json.loads(line) for line in out.getvalue().splitlines()]


def a_line(**changes: Any) -> dict[str, Any]:
    """A line on a pension reform in Italy."""
    return {
        "id": "a",
        "subject": "Retraites : la réforme italienne",
        "body": "Le gouvernement italien relève l'âge de la retraite ; l'OIT approuve.",
    } | changes


def test_an_answer_has_the_shape_that_is_promised() -> None:
    (answer,) = run(a_line())
    assert list(answer) == ["id", "release", "themes", "countries", "organisations"]
    assert (answer["id"], answer["release"]) == ("a", RELEASE)
    (theme,) = answer["themes"]
    assert (theme["theme"], theme["subthemes"]) == ("protection_sociale", ["retraites"])
    assert theme["evidence"][0] == {
        "field": "subject",
        "start": 0,
        "end": 9,
        "text": "Retraites",
        "source": "lexicon:protection_sociale.retraites",
    }
    (country,) = answer["countries"]
    assert (country["country"], country["role"]) == ("IT", "about")
    assert answer["organisations"][0]["id"] == "OIT"


def test_title_and_text_are_other_names_of_subject_and_body() -> None:
    line = a_line()
    renamed = {"id": "a", "title": line["subject"], "text": line["body"]}
    assert run(renamed) == run(line)


@pytest.mark.parametrize("missing", ["subject", "body"])
@pytest.mark.parametrize("how", ["absent", "empty", "null"])
def test_a_part_may_be_missing(missing: str, how: str) -> None:
    line = a_line()
    del line[missing]
    if how != "absent":
        line[missing] = "" if how == "empty" else None
    (answer,) = run(line)
    assert [tag["theme"] for tag in answer["themes"]] == ["protection_sociale"]


def test_the_post_is_taken_into_account() -> None:
    line = a_line(subject="Comptes", body="L'INPS a publié ses comptes.")
    without, with_post = run(line, line | {"post": "rome"})
    assert not without["countries"]
    assert with_post["countries"][0]["country"] == "IT"


@pytest.mark.parametrize(
    "bad",
    [
        b"{",
        b"\xff",
        b"[1]",
        b"3",
        b"null",
        b'{"id": "x", "body": 3}',
        b'{"id": "x", "subject": ["a"]}',
        b'{"id": "x", "body": "\\ud800"}',
        b'{"id": NaN, "body": "a"}',
        b"[" * 100_000,
        b'{"id": ' + b"9" * 5_000 + b"}",
    ],
)
def test_a_bad_line_has_its_error_in_its_place_and_the_others_go_on(bad: bytes) -> None:
    before, wrong, after = run(a_line(id="before"), bad, a_line(id="after"))
    assert (before["id"], after["id"]) == ("before", "after")
    assert set(wrong) == {"id", "error"}
    assert wrong["error"]


def test_blank_lines_are_left_out() -> None:
    assert [answer["id"] for answer in run(a_line(), b"   ", a_line(id=2))] == ["a", 2]


@given(st.text(max_size=200))
def test_evidence_is_the_slice_of_the_field_as_it_was_given(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        return
    body = f"{text} L’Italie e\u0301tend l'assurance-maladie {text}"
    (answer,) = run(a_line(body=body))
    for tag in (*answer["themes"], *answer["countries"], *answer["organisations"]):
        for one in tag["evidence"]:
            field = body if one["field"] == "body" else a_line()["subject"]
            assert field[one["start"] : one["end"]] == one["text"]


def test_many_lines_on_all_cores_are_answered_as_on_one_in_order() -> None:
    lines = [a_line(id=number, body=f"Note {number}. L'Italie.") for number in range(400)]
    lines[300] = {"id": 300, "body": 0}
    assert run(*lines, workers=2) == run(*lines, workers=1)


def test_a_stream_is_answered_line_by_line_before_it_ends() -> None:
    answers: Queue[bytes] = Queue()
    go_on = threading.Event()

    def slow() -> Iterator[bytes]:
        yield json.dumps(a_line()).encode()
        assert go_on.wait(60)

    reader = threading.Thread(target=jsonl.run, args=(slow(), answers.put, 2))
    reader.start()
    try:
        assert json.loads(answers.get(timeout=60))["id"] == "a"
    finally:
        go_on.set()
        reader.join(60)


def test_a_slow_stream_is_answered_even_after_its_beginning() -> None:
    answers: Queue[bytes] = Queue()
    go_on = threading.Event()
    count = jsonl.FEW + 3

    def slow() -> Iterator[bytes]:
        for number in range(count):
            yield json.dumps({"id": number}).encode()
        assert go_on.wait(60)

    reader = threading.Thread(target=jsonl.run, args=(slow(), answers.put, 2))
    reader.start()
    try:
        assert [json.loads(answers.get(timeout=60))["id"] for _ in range(count)] == list(
            range(count)
        )
    finally:
        go_on.set()
        reader.join(60)


def test_an_error_of_the_input_is_not_swallowed() -> None:
    def broken() -> Iterator[bytes]:
        for number in range(jsonl.FEW + 1):
            yield json.dumps({"id": number}).encode()
        raise OSError("pipe lost")

    with pytest.raises(OSError, match="pipe lost"):
        jsonl.run(broken(), lambda _: None, 2)


def test_a_text_file_is_classified_by_its_first_line_and_whole_text(tmp_path: Path) -> None:
    path = tmp_path / "note.txt"
    path.write_text("Retraites : la réforme italienne\n\nLe gouvernement.\n", encoding="utf-8")
    answer = jsonl.classify_file(path, _read)
    assert answer["id"] == "note.txt"
    assert answer["themes"][0]["theme"] == "protection_sociale"


@pytest.mark.parametrize(
    "header",
    [
        "Objet : Réforme des retraites en Italie\nRéférence : ROM-2026-1\nRome, le 4 mars 2026\n",
        "Objet: Réforme des retraites en Italie\n",
        "Note diplomatique\nRome, le 4 mars 2026\nOBJET : Réforme des retraites en Italie\n",
    ],
)
def test_a_header_is_read_as_when_the_file_is_submitted(header: str, tmp_path: Path) -> None:
    body = "\nLe gouvernement a adopté un texte.\n"
    path = tmp_path / "note.txt"
    path.write_text(header + body, encoding="utf-8")
    plain = {"subject": "Réforme des retraites en Italie", "post": "rome"}
    found = jsonl.classify_file(path, _read)
    text = _read(path.read_bytes())
    assert text[0] == plain["subject"]
    assert found["themes"][0]["evidence"][0]["field"] == "subject"
    assert "retraites" in found["themes"][0]["evidence"][0]["text"].lower()


def test_a_file_that_cannot_be_read_has_its_reason_in_french(tmp_path: Path) -> None:
    missing = jsonl.classify_file(tmp_path / "absent.txt", _read)
    assert missing["error"].startswith("fichier illisible")
    (tmp_path / "empty.txt").touch()
    assert "texte" in jsonl.classify_file(tmp_path / "empty.txt", _read)["error"]
