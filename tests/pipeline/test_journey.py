"""The journey of a note as its people see it, on each deployment: submit, find, follow, trace."""

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import feedparser
import httpx
import pytest

from schemas.note import note_id
from tests.ingest.formats.making import docx, paragraphs, zipped
from tests.operations.test_expunge import where
from tests.pipeline.corpus import SAMPLES, samples
from tests.pipeline.deployments import (
    VALISE,
    Deployment,
    Embedded,
    deployment_of,
    environment,
    running,
)
from tests.pipeline.test_kills import total, wait_until

ARRIVE_SECONDS = 60.0


@pytest.fixture(
    scope="module", params=["embedded", pytest.param("distributed", marks=pytest.mark.live)]
)
def deployment(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployment]:
    """A deployment with the sample notes in it."""
    folder = tmp_path_factory.mktemp("journey")
    chosen = deployment_of(request.param, folder, "journey", request)
    with running(chosen):
        sent = valise(chosen, "submit", str(SAMPLES))
        assert sent.returncode == 0, sent.stdout + sent.stderr
        wait_until(lambda: total(chosen) >= len(samples()), ARRIVE_SECONDS)
        yield chosen


def valise(deployment: Deployment, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """The command, pointed at the service that serves it."""
    url = deployment.ingest if arguments[0] in ("submit", "correct") else deployment.search
    url = deployment.classify if "--preview" in arguments else url
    return subprocess.run(
        [VALISE, *arguments],
        env=environment(deployment) | {"VALISE_URL": url},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def search(deployment: Deployment, **parameters: Any) -> dict[str, Any]:
    answer = deployment.http.get(
        f"{deployment.search}/api/v1/search", params=parameters, timeout=30
    )
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def references(page: dict[str, Any]) -> list[str]:
    return [hit["reference"] for hit in page["hits"]]


def test_a_desk_officer_finds_a_note_by_words_without_their_accents(
    deployment: Deployment,
) -> None:
    page = search(deployment, q="retraite esperance de vie")
    assert references(page)[0] == "BER-2026-0142"
    assert "<mark>" in "".join(page["hits"][0]["highlights"]["subject"])


def test_a_desk_officer_filters_by_theme_country_and_genre(deployment: Deployment) -> None:
    page = search(deployment, theme="travail", country="ES")
    assert "MAD-2026-031" in references(page)
    assert {hit["post"] for hit in page["hits"]} <= {"madrid", "bruxelles", "buenos_aires"}
    assert references(search(deployment, genre="breve", post="londres")) == ["LON-2026-B-018"]


def test_a_note_about_several_countries_is_found_under_each(deployment: Deployment) -> None:
    for country in ("SE", "DK", "FI", "NO"):
        assert "STO-2026-S-004" in references(search(deployment, country=country))


def test_a_note_on_none_of_the_themes_bears_none(deployment: Deployment) -> None:
    page = search(deployment, q="déménagement chancellerie")
    assert page["hits"][0]["reference"] == "BER-2026-0150"
    assert page["hits"][0]["themes"] == []


def test_every_tag_shows_evidence_equal_to_the_text_at_its_place(deployment: Deployment) -> None:
    seen = 0
    for sample in samples():
        note = note_id(sample["post"], sample["reference"])
        view = deployment.http.get(f"{deployment.search}/api/v1/notes/{note}", timeout=30).json()
        for tag in view["themes"] + view["countries"] + view["organisations"]:
            assert tag["evidence"]
            for evidence in tag["evidence"]:
                text = view["note"][evidence["field"]]
                assert text[evidence["start"] : evidence["end"]] == evidence["text"]
                seen += 1
    assert seen > 50


def test_a_subscriber_follows_a_theme_and_asks_again_for_nothing(deployment: Deployment) -> None:
    address = f"{deployment.search}/feeds/sante.atom"
    first = deployment.http.get(address, timeout=30)
    feed = feedparser.parse(first.content)
    assert not feed.bozo
    assert "LON-2026-B-018" in first.text
    again = deployment.http.get(
        address, headers={"If-None-Match": first.headers["ETag"]}, timeout=30
    )
    assert again.status_code == 304
    listed = deployment.http.get(
        f"{deployment.search}/feeds/protection_sociale/MA.json", timeout=30
    ).json()
    assert listed["version"] == "https://jsonfeed.org/version/1.1"
    assert any("RAB-2026-0051" in json.dumps(item) for item in listed["items"])


def test_the_same_folder_sent_again_changes_nothing(deployment: Deployment) -> None:
    again = valise(deployment, "submit", "--json", str(SAMPLES))
    assert again.returncode == 0
    outcomes = {json.loads(line)["outcome"] for line in again.stdout.splitlines()}
    assert outcomes == {"duplicate"}
    assert total(deployment) == len(samples())


def test_a_post_sees_where_its_note_is(deployment: Deployment) -> None:
    shown = valise(deployment, "trace", "berlin/BER-2026-0142")
    assert shown.returncode == 0, shown.stderr
    for step in ("reçue", "classée", "indexée"):
        assert step in shown.stdout
    assert valise(deployment, "trace", str(uuid4())).returncode == 1


def test_the_command_searches(deployment: Deployment) -> None:
    found = valise(deployment, "search", "infirmières", "--theme", "sante")
    assert found.returncode == 0, found.stderr
    assert "QUE-2026-022" in found.stdout
    assert valise(deployment, "search", "xylophone").returncode == 1
    assert valise(deployment, "search", "x", "--theme", "cuisine").returncode == 2


def test_bad_documents_are_refused_each_with_its_reason_and_good_ones_pass(
    deployment: Deployment, tmp_path: Path
) -> None:
    (tmp_path / "MAD-B-1.txt").write_text("Espagne : grève des médecins\n\nLes urgences ferment.")
    (tmp_path / "VIDE.txt").write_text("  \n")
    (tmp_path / "image.png").write_bytes(b"\x89PNG\r\n")
    (tmp_path / "faux.json").write_text('{"post": "madrid"}')
    sent = valise(deployment, "submit", str(tmp_path), "--post", "madrid", "--json")
    assert sent.returncode == 1
    answers = {Path(a["file"]).name: a for a in map(json.loads, sent.stdout.splitlines())}
    assert answers["MAD-B-1.txt"]["outcome"] == "accepted"
    assert {a["outcome"] for name, a in answers.items() if name != "MAD-B-1.txt"} == {"refused"}
    assert all(a["detail"] for name, a in answers.items() if name != "MAD-B-1.txt")


def test_a_sent_note_is_found_within_seconds(deployment: Deployment) -> None:
    word = f"zibeline{uuid4().hex[:6]}"
    note = samples()[0] | {"reference": word, "body": f"Une {word} dans le rapport."}
    assert deployment.http.post(f"{deployment.ingest}/api/v1/notes", json=note).status_code == 202
    began = time.monotonic()
    wait_until(lambda: search(deployment, q=word)["total"] == 1, 15)
    print(f"found after {time.monotonic() - began:.2f} s")


def test_the_pages_show_the_note_with_its_evidence(deployment: Deployment) -> None:
    page = deployment.http.get(f"{deployment.search}/", params={"q": "infirmières"})
    assert page.status_code == 200
    assert "Québec" in page.text
    note = note_id("quebec", "QUE-2026-022")
    shown = deployment.http.get(f"{deployment.search}/notes/{note}")
    assert shown.status_code == 200
    assert "<mark" in shown.text


def test_the_api_describes_itself(deployment: Deployment) -> None:
    for address, path in (
        (deployment.ingest, "/api/v1/notes"),
        (deployment.search, "/api/v1/search"),
    ):
        assert path in httpx.get(f"{address}/openapi.json").json()["paths"]


def test_the_real_documents_travel_the_whole_way(
    deployment: Deployment, shared_notes: Path
) -> None:
    sent = valise(deployment, "submit", "--json", "--post", "bruxelles", str(shared_notes))
    assert sent.returncode == 0, sent.stdout
    ids = {Path(a["file"]).name[:3]: a["id"] for a in map(json.loads, sent.stdout.splitlines())}
    assert len(ids) == 5
    wait_until(lambda: all(state(deployment, note) == "indexed" for note in ids.values()), 60)

    words = {
        "000": "réseau conseillers affaires sociales sites",
        "001": "réseaux diplomatique consulaire influence recommandations effectifs",
        "002": "Cleiss convention d'objectifs et de gestion",
        "003": "SOCIEUX+ emplois verts Pérou",
        "004": "conseil d'orientation des retraites EN3S coopérations bilatérales",
    }
    tags: dict[str, dict[str, Any]] = {}
    for number, note in ids.items():
        wait_until(
            lambda number=number, note=note: (
                note
                in [
                    hit["id"]
                    for hit in search(deployment, q=words[number], post="bruxelles")["hits"]
                ]
            ),
            15,
        )
        wait_until(lambda note=note: note in feed(deployment), 15)
        tags[number] = deployment.http.get(f"{deployment.search}/api/v1/notes/{note}").json()

    themes = {
        number: {tag["theme"]: tag["subthemes"] for tag in view["themes"]}
        for number, view in tags.items()
    }
    countries = {
        number: {tag["country"]: tag["role"] for tag in view["countries"]}
        for number, view in tags.items()
    }
    assert not {"sante", "protection_sociale"} & themes["001"].keys()
    assert "protection_sociale" in themes["002"]
    assert {"travail", "protection_sociale"} <= themes["003"].keys()
    assert {"PE", "CO"} <= countries["003"].keys()
    assert countries["003"].get("ES") in (None, "mentioned")
    assert "retraites" in themes["004"]["protection_sociale"]
    assert {"MA", "ML"} <= countries["004"].keys()


def feed(deployment: Deployment) -> str:
    address = f"{deployment.search}/feeds/search.json"
    return deployment.http.get(address, params={"post": "bruxelles"}, timeout=30).text


def state(deployment: Deployment, note: str) -> str:
    answer = deployment.http.get(f"{deployment.search}/api/v1/notes/{note}/trace")
    return str(answer.json().get("state"))


def test_a_document_is_previewed_and_nothing_of_it_is_kept(
    deployment: Deployment, tmp_path: Path
) -> None:
    word = "Tarabiscotance"
    document = docx(
        paragraphs(
            "Référence : BER-PREVIEW-1",
            "Date : 5 mars 2026",
            f"Objet : Réforme des retraites ({word})",
            f"Le Bundestag a adopté la réforme des retraites ({word}).",
        )
    )
    path = tmp_path / "note.docx"
    path.write_bytes(document)
    before = total(deployment)
    shown = valise(deployment, "submit", "--preview", "--post", "berlin", "--json", str(path))
    assert shown.returncode == 0, shown.stdout + shown.stderr
    found = json.loads(shown.stdout)
    assert found["read"]["reference"] == "BER-PREVIEW-1"
    assert found["tags"]["countries"][0]["country"] == "DE"
    assert [tag["theme"] for tag in found["tags"]["themes"]] == ["protection_sociale"]

    secret = docx(paragraphs("TRÈS SECRET", f"Le Bundestag a adopté la {word}."))
    files = {"bon.docx": document, "autre.docx": secret, "casse.pdf": b"%PDF-1.4"}
    answer = deployment.http.post(
        f"{deployment.classify}/api/v1/preview", files={"file": ("envoi.zip", zipped(files))}
    )
    lines = [json.loads(line) for line in answer.content.split(b"\n") if line]
    assert [line["status"] for line in lines] == [200, 422, 422]
    assert lines[0]["preview"]["problem"]["errors"][0]["field"] == "post"

    assert total(deployment) == before
    places = deployment.http.get(
        f"{deployment.search}/api/v1/notes",
        params={"post": "berlin", "reference": "BER-PREVIEW-1"},
    )
    assert places.json()["notes"] == []
    assert word not in deployment.logs()
    if isinstance(deployment, Embedded):
        assert where(deployment.data, word) == set()
