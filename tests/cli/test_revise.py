"""`valise rectify` and `valise withdraw` without a server."""

from pathlib import Path

import pytest

from services.cli.revise import _passages
from tests.cli.test_command import run
from tests.pipeline.deployments import free_port

NOTE = "berlin/BER-2026-0142"


@pytest.mark.parametrize(
    "arguments",
    [["rectify", "note.md"], ["withdraw"], ["withdraw", "pas-un-identifiant"]],
)
def test_wrong_use_exits_2(arguments: list[str]) -> None:
    failed = run(*arguments, VALISE_URL=f"http://127.0.0.1:{free_port()}")
    assert failed.returncode == 2, failed.stderr
    assert "Traceback" not in failed.stderr


def test_without_a_service_the_command_says_so_and_exits_3(tmp_path: Path) -> None:
    file = tmp_path / "note.md"
    file.write_text("Réforme des retraites\n\nÀ 67 ans.\n")
    url = f"http://127.0.0.1:{free_port()}"
    for arguments in (["rectify", str(file), "--note", NOTE], ["withdraw", NOTE]):
        failed = run(*arguments, VALISE_URL=url)
        assert failed.returncode == 3
        assert url in failed.stderr
        assert "Traceback" not in failed.stderr


BEFORE = {
    "subject": "Vaccins",
    "body": "Texte public.\nPassage réservé.",
    "marked_spans": [{"field": "body", "start": 14, "end": 30, "mark": "special_france"}],
}


def test_a_marked_passage_is_found_again_where_its_words_stand() -> None:
    # As a text file may have it: with the line ends and the letters of another system.
    body = "Un paragraphe nouveau.\r\n\r\nPassage re\u0301serve\u0301.\r\nTexte public."
    said = {"subject": "Vaccins", "body": body}
    (span,) = _passages(BEFORE, said)
    assert said["body"][span["start"] : span["end"]] == "Passage réservé."
    assert span["mark"] == "special_france"


@pytest.mark.parametrize("body", ["Texte public.", "Passage réservé. Passage réservé."])
def test_a_marked_passage_that_is_not_there_once_is_never_published(body: str) -> None:
    with pytest.raises(ValueError, match="marked_spans"):
        _passages(BEFORE, {"subject": "Vaccins", "body": body})


def test_a_passage_that_bears_its_mark_may_have_other_words_and_the_service_finds_it() -> None:
    body = "La réforme avance.\n\n[SF] Le ministre cède.\n\nLa suite.\n"
    start = body.index("[SF]")
    span = {"field": "body", "start": start, "end": start + 22, "mark": "special_france"}
    before = {"subject": "Note", "body": body, "marked_spans": [span]}
    said = {"subject": "Note", "body": body.replace("cède", "cédera")}
    assert _passages(before, said) == []
    unmarked = {"subject": "Note", "body": body.replace("[SF] ", "")}
    with pytest.raises(ValueError, match="marked_spans"):
        _passages(before, unmarked)
