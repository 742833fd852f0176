"""`valise submit` with a folder as a counsellor has it, on a running embedded deployment."""

import io
import json
import signal
import subprocess
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from schemas.note import note_id
from services.cli import app
from services.cli.submit import FILE_ENDINGS, TEXT_ENDINGS, text_draft
from services.ingest.formats import ENDINGS
from services.runtime.marks import refusal
from tests.ingest.formats.making import docx, paragraphs, zipped
from tests.ingest.texts import ABROAD
from tests.operations.test_expunge import where
from tests.pipeline.deployments import VALISE, Embedded, environment, running

TEXT = "Objet : Âge de la retraite\n\nLa commission allemande propose de porter l'âge à 68 ans.\n"

PATIENCE_SECONDS = 60


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    with running(Embedded(tmp_path_factory.mktemp("submit"))) as found:
        yield found


def valise(deployment: Embedded, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [VALISE, *arguments],
        env=environment(deployment),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def page(reference: str, subject: str) -> str:
    return (
        "<html><head><meta charset='utf-8'></head><body>"
        f"<p>Référence : {reference}</p><p>Berlin, le 5 mars 2026</p><p>Objet : {subject}</p>"
        "<p>La commission allemande propose de porter l'âge de la retraite à 68 ans.</p>"
        "</body></html>"
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Good files, an archive of two, and files that cannot be notes."""
    notes = tmp_path / "notes"
    notes.mkdir()
    for number in range(6):
        (notes / f"BER-T-{number}.txt").write_text(TEXT + str(number), encoding="utf-8")
        text = page(f"BER-H-{number}", f"Retraites {number}")
        (notes / f"document {number}.html").write_text(text, encoding="utf-8")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("un.html", page("BER-Z-1", "Un"))
        archive.writestr("deux.html", page("BER-Z-2", "Deux"))
    (notes / "envoi.zip").write_bytes(packed.getvalue())
    (notes / "tableau.xlsx").write_bytes(b"PK\x03\x04")
    (notes / "casse.docx").write_bytes(b"PK\x03\x04 pas un document")
    (notes / "vide.pdf").write_bytes(b"")
    return notes


def outcomes(done: "subprocess.CompletedProcess[str]") -> dict[str, str]:
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return {line["file"].partition("notes/")[2]: line["outcome"] for line in lines}


def test_a_folder_that_was_stopped_half_way_ends_the_same_when_sent_again(
    deployment: Embedded, folder: Path
) -> None:
    sent = sorted(folder.iterdir())[:5]
    first = valise(deployment, "submit", "--post", "berlin", "--json", *map(str, sent))
    assert "accepted" in outcomes(first).values(), first.stderr

    again = valise(deployment, "submit", "--post", "berlin", "--json", str(folder))
    found = outcomes(again)
    assert again.returncode == 1
    bad = {"tableau.xlsx", "casse.docx", "vide.pdf"}
    assert {name for name, outcome in found.items() if outcome == "refused"} == bad
    taken = {name: outcome for name, outcome in found.items() if name not in bad}
    before = {name for name, outcome in outcomes(first).items() if outcome == "accepted"}
    assert {name for name, outcome in taken.items() if outcome == "duplicate"} == before
    assert set(taken) - before == {n for n, outcome in taken.items() if outcome == "accepted"}
    assert {"envoi.zip/un.html", "envoi.zip/deux.html"} <= set(taken)

    third = valise(deployment, "submit", "--post", "berlin", str(folder))
    assert third.stdout.splitlines()[-1] == f"17 documents : {len(taken)} déjà reçues, 3 refusées"
    assert third.stdout.count("déjà reçue ") == len(taken)

    listed = valise(deployment, "trace", "--post", "berlin", "--json")
    references = [json.loads(line)["reference"] for line in listed.stdout.splitlines()]
    assert len(references) == len(taken)
    one = valise(deployment, "trace", "--post", "berlin", "--reference", "BER-Z-2")
    assert one.returncode == 0
    assert "reçue" in one.stdout


def test_a_document_in_english_is_said_to_be_so_and_found_by_its_words(
    deployment: Embedded, tmp_path: Path
) -> None:
    english = tmp_path / "white-paper.html"
    text = page("BER-EN-1", "Pension reform: the white paper")
    text = text.replace("<p>La commission", f"<p>{ABROAD['en']}</p><p>La commission")
    english.write_text(text, encoding="utf-8")
    sent = valise(deployment, "submit", "--post", "berlin", str(english))
    assert "langue reconnue : anglais" in sent.stdout
    german = tmp_path / "BER-DE-1.txt"
    german.write_text(f"Rente\n\n{ABROAD['en']}", encoding="utf-8")
    stated = valise(deployment, "submit", "--post", "berlin", "--language", "de", str(german))
    assert "langue reconnue" not in stated.stdout

    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        asked = ["search", "enrolment", "workers", "--json"]
        hits = json.loads(valise(deployment, *asked).stdout)["hits"]
        if len(hits) == 2 or time.monotonic() > until:
            break
        time.sleep(0.5)
    assert {hit["reference"]: hit["language"] for hit in hits} == {
        "BER-EN-1": "en",
        "BER-DE-1": "de",
    }
    only = valise(deployment, "search", "enrolment", "--language", "de", "--json")
    assert [hit["reference"] for hit in json.loads(only.stdout)["hits"]] == ["BER-DE-1"]


def test_a_submission_that_is_interrupted_says_how_to_go_on(
    deployment: Embedded, tmp_path: Path
) -> None:
    notes = tmp_path / "notes"
    notes.mkdir()
    for number in range(1_200):
        (notes / f"MAD-{number:04}.txt").write_text(f"{TEXT}{number}", encoding="utf-8")
    command = subprocess.Popen(
        [VALISE, "submit", "--post", "madrid", "--json", str(notes)],
        env=environment(deployment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert command.stdout is not None
    command.stdout.readline()
    command.send_signal(signal.SIGINT)
    said, complaint = command.communicate(timeout=60)
    assert command.returncode == 1
    assert "Relancer la même commande" in complaint
    assert "Traceback" not in complaint
    told = len(said.splitlines()) + 1
    assert told < 1_200

    found = outcomes(valise(deployment, "submit", "--post", "madrid", "--json", str(notes)))
    assert set(found.values()) == {"accepted", "duplicate"}
    assert len(found) == 1_200
    assert sum(outcome == "duplicate" for outcome in found.values()) >= told


def test_a_preview_shows_what_would_be_read_and_tagged_and_keeps_nothing(
    deployment: Embedded, tmp_path: Path
) -> None:
    document = tmp_path / "nouveau.html"
    document.write_text(page("BER-P-1", "Retraites : le rapport"), encoding="utf-8")
    shown = valise(deployment, "submit", "--preview", "--post", "berlin", str(document))
    assert shown.returncode == 0, shown.stderr
    assert "objet      Retraites : le rapport" in shown.stdout
    assert "référence  BER-P-1" in shown.stdout
    assert "date       2026-03-05" in shown.stdout
    assert "pays       Allemagne" in shown.stdout
    assert "1 document : 1 aperçu" in shown.stdout
    note = tmp_path / "BER-P-2.txt"
    note.write_text(TEXT, encoding="utf-8")
    guessed = valise(deployment, "submit", "--preview", "--post", "berlin", "--json", str(note))
    assert json.loads(guessed.stdout)["read"]["guessed"] == ["reference", "date", "genre"]
    places = deployment.http.get(
        f"{deployment.ingest}/api/v1/notes", params={"post": "berlin", "reference": "BER-P-1"}
    )
    assert places.json() == {"post": "berlin", "notes": [], "next": None}


def test_a_preview_of_what_is_no_text_says_why(deployment: Embedded, tmp_path: Path) -> None:
    document = tmp_path / "casse.docx"
    document.write_bytes(b"PK\x03\x04")
    shown = valise(deployment, "submit", "--preview", "--post", "berlin", str(document))
    assert shown.returncode == 1
    assert "refusée" in shown.stdout
    assert "Traceback" not in shown.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["trace"],
        ["trace", "berlin/X", "--post", "berlin"],
        ["trace", "--reference", "X"],
        ["trace", "berlin/X", "--state", "parked"],
        ["trace", "--post", "berlin", "--state", "perdue"],
    ],
)
def test_wrong_use_of_trace_exits_2(arguments: list[str]) -> None:
    assert CliRunner().invoke(app, arguments).exit_code == 2


def test_a_post_that_is_none_is_said_in_french(deployment: Embedded) -> None:
    failed = valise(deployment, "trace", "--post", "atlantide")
    assert failed.returncode == 1
    assert "poste inconnu" in failed.stderr


def test_the_command_sends_every_format_that_is_read() -> None:
    assert set(TEXT_ENDINGS + FILE_ENDINGS) == set(ENDINGS)


def test_the_header_of_a_text_is_read(tmp_path: Path) -> None:
    file = tmp_path / "n.txt"
    file.write_text(
        "Objet : Réforme du Kurzarbeit\nRéférence : BER-2026-0777\nBerlin, le 4 mars 2026\n"
        "Réf. : BER-2025-0001\n\nLe Bundestag a adopté la réforme du chômage partiel.\n",
        encoding="utf-8",
    )
    draft = text_draft(file, "berlin", {})
    assert isinstance(draft.payload, dict)
    assert draft.payload["subject"] == "Réforme du Kurzarbeit"
    assert draft.payload["reference"] == "BER-2026-0777"
    assert draft.payload["date"] == "2026-03-04"
    assert draft.payload["cites"] == ["BER-2025-0001"]
    assert draft.defaulted == ()
    given = text_draft(file, "madrid", {"date": "2026-05-06", "subject": "Autre"})
    assert isinstance(given.payload, dict)
    assert (given.payload["date"], given.payload["subject"]) == ("2026-05-06", "Autre")
    assert given.payload["post"] == "madrid"


def test_a_text_is_the_same_note_sent_alone_or_in_an_archive(
    deployment: Embedded, tmp_path: Path
) -> None:
    text = "Ambassade de France\nObjet : Réforme\nDate : 4 mars 2026\n\nLe Bundestag a voté.\n"
    file = tmp_path / "BER-A-1.txt"
    file.write_text(text, encoding="utf-8")
    draft = text_draft(file, "berlin", {})
    assert isinstance(draft.payload, dict)
    assert draft.payload["body"].startswith("Ambassade de France\n")
    packed = tmp_path / "envoi.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.write(file, file.name)
        archive.writestr("BER-A-2\u2028bis.txt", text)
    assert valise(deployment, "submit", "--post", "berlin", str(file)).returncode == 0
    again = valise(deployment, "submit", "--post", "berlin", "--json", str(packed))
    said = [json.loads(line)["outcome"] for line in again.stdout.split("\n") if line]
    assert said == ["duplicate", "accepted"], again.stderr


@pytest.mark.parametrize("preview", [(), ("--preview",)])
def test_a_classified_document_is_refused_in_one_line_and_leaves_nothing(
    deployment: Embedded, tmp_path: Path, preview: tuple[str, ...]
) -> None:
    word = "Zythomancielle"
    hidden = docx(
        paragraphs(f"Note {word}"), **{"word__header1.xml": f"<h><p>SECRET</p>{word}</h>"}
    )
    files = {
        "note.txt": f"Note {word}\n\nTRÈS SECRET\n\nLe texte.".encode(),
        "note.json": json.dumps({"marking": "secret", "body": word}).encode(),
        "note.docx": hidden,
        "envoi.zip": zipped({f"{word}.docx": hidden}),
        "SECRET - note.html": page("BER-S-1", word).encode(),
    }
    for name, content in files.items():
        path = tmp_path / name
        path.write_bytes(content)
        done = valise(deployment, "submit", "--post", "berlin", *preview, str(path))
        assert done.returncode == 1, done.stdout
        (line, _) = done.stdout.splitlines()
        assert line.startswith("refusée")
        assert line.endswith(refusal().detail)
    assert where(deployment.data, word) == set()
    assert word not in deployment.logs()


def test_a_passage_is_marked_by_its_words(deployment: Embedded, tmp_path: Path) -> None:
    note = tmp_path / "MARQUE-1.txt"
    note.write_text(f"{TEXT}\nLa coalition cède sur\nl’âge légal.\n", encoding="utf-8")
    marks = ("--mark", "spécial France: cède sur l’âge légal", "--mark", "DR: 68 ans")
    shown = valise(deployment, "submit", "--post", "berlin", "--preview", *marks, str(note))
    assert "passage    Spécial France : « cède sur l’âge légal »" in shown.stdout
    assert "passage    Diffusion restreinte : « 68 ans »" in shown.stdout
    sent = valise(deployment, "submit", "--post", "berlin", *marks, str(note))
    assert sent.returncode == 0, sent.stdout + sent.stderr
    document = tmp_path / "MARQUE-2.docx"
    document.write_bytes(docx(paragraphs("Titre", "La coalition cède sur l’âge légal.")))
    sent = valise(deployment, "submit", "--post", "berlin", *marks[:2], str(document))
    assert sent.returncode == 0, sent.stdout + sent.stderr
    for reference, count in (("MARQUE-1", 2), ("MARQUE-2", 1)):
        address = f"{deployment.ingest}/api/v1/notes/{note_id('berlin', reference)}"
        until = time.monotonic() + PATIENCE_SECONDS
        while (answer := deployment.http.get(address, timeout=30)).status_code != 200:
            assert time.monotonic() < until, answer.text
            time.sleep(0.2)
        assert len(answer.json()["note"]["marked_spans"]) == count


@pytest.mark.parametrize(
    ("mark", "said"),
    [
        ("SF: mots absents", "nulle part"),
        ("SF: a", "plusieurs fois"),
        ("rouge: 68 ans", "rouge: 68 ans"),
        ("68 ans", "deux-points"),
    ],
)
def test_a_mark_that_cannot_be_followed_sends_nothing(
    deployment: Embedded, tmp_path: Path, mark: str, said: str
) -> None:
    note = tmp_path / "MARQUE-3.txt"
    note.write_text(TEXT, encoding="utf-8")
    done = valise(deployment, "submit", "--post", "berlin", "--mark", mark, str(note))
    assert done.returncode != 0
    assert said in " ".join((done.stdout + done.stderr).replace("│", " ").split())
    address = f"{deployment.ingest}/api/v1/notes/{note_id('berlin', 'MARQUE-3')}"
    assert deployment.http.get(address, timeout=30).status_code == 404


def test_a_preview_shows_the_protection_that_submission_would_give(
    deployment: Embedded, tmp_path: Path
) -> None:
    note = tmp_path / "MARQUE-4.txt"
    note.write_text(
        f"Négociation (DR)\n\n{TEXT}\n2. [Spécial France] Le ministre cède.\n", encoding="utf-8"
    )
    shown = valise(deployment, "submit", "--post", "berlin", "--preview", str(note))
    assert "protection Diffusion restreinte" in shown.stdout
    assert "passage    Spécial France : « [Spécial France] Le ministre cède. »" in shown.stdout
    assert "peut être une mention" in " ".join(shown.stdout.split())
