"""`valise rectify` and `valise withdraw` without a server."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from schemas.note import note_id
from services.cli.revise import _passages
from tests.cli.test_command import run
from tests.cli.test_submit import PATIENCE_SECONDS, valise
from tests.ingest.formats.making import docx, paragraphs
from tests.pipeline.deployments import Embedded, free_port, running

NOTE = "berlin/BER-2026-0142"


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    with running(Embedded(tmp_path_factory.mktemp("revise"))) as found:
        yield found


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


def test_a_guessed_date_and_a_subject_are_mended(deployment: Embedded, tmp_path: Path) -> None:
    document = tmp_path / "BER-M-1.docx"
    document.write_bytes(docx(paragraphs("Les retraites", "La commission a remis son rapport.")))
    sent = valise(deployment, "submit", "--post", "berlin", str(document))
    assert sent.returncode == 0, sent.stderr
    assert "déduit, à vérifier" in sent.stdout
    assert "la référence (BER-M-1, nom du fichier)" in sent.stdout
    address = f"{deployment.ingest}/api/v1/notes/{note_id('berlin', 'BER-M-1')}"

    def shown(revision: int) -> dict[str, Any]:
        until = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until:
            answer = deployment.http.get(address)
            if answer.status_code == 200 and answer.json()["revision"] == revision:
                return dict(answer.json()["note"])
            time.sleep(0.2)
        raise AssertionError(f"revision {revision} is not shown")

    def rectified(*arguments: str, over: int) -> str:
        shown(over)
        done = valise(deployment, "rectify", *arguments, "--note", "berlin/BER-M-1")
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "déjà rectifiée" in rectified(str(document), over=1)
    assert "révision 2" in rectified(str(document), "--date", "2026-03-04", over=1)
    assert "révision 3" in rectified("--subject", "Réforme des retraites", over=2)
    assert "révision 4" in rectified("--date", "2026-03-05", "--minor", over=3)
    mended = shown(4)
    assert (mended["date"], mended["subject"]) == ("2026-03-05", "Réforme des retraites")
    assert "commission" in mended["body"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "rien à rectifier"),
        (["--date", "4 mars 2026"], "date invalide"),
        (["--date", "2026-02-31"], "date invalide"),
        (["note.json", "--subject", "Autre"], "JSON"),
        (["note.xyz", "--subject", "Autre"], "format non pris en charge"),
    ],
)
def test_what_cannot_be_mended_is_said(arguments: list[str], said: str) -> None:
    failed = run("rectify", *arguments, "--note", NOTE, VALISE_URL="http://127.0.0.1:1")
    assert failed.returncode == 2
    assert said in " ".join(failed.stderr.replace("│", " ").split())
