"""The journey of a correction on each deployment: sent, in force, lasting, exported."""

import json
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from schemas.note import note_id
from tests.pipeline.corpus import SAMPLES, samples
from tests.pipeline.deployments import Deployment, Embedded, deployment_of, running
from tests.pipeline.test_journey import ARRIVE_SECONDS, search, valise
from tests.pipeline.test_kills import total, wait_until

REFERENCE = "BER-2026-0142"
NOTE = note_id("berlin", REFERENCE)


@pytest.fixture(
    scope="module", params=["embedded", pytest.param("distributed", marks=pytest.mark.live)]
)
def deployment(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployment]:
    """A deployment with the sample notes in it."""
    folder = tmp_path_factory.mktemp("corrections")
    chosen = deployment_of(request.param, folder, "corrections", request)
    with running(chosen):
        sent = valise(chosen, "submit", str(SAMPLES))
        assert sent.returncode == 0, sent.stdout + sent.stderr
        wait_until(lambda: total(chosen) >= len(samples()), ARRIVE_SECONDS)
        yield chosen


def correct(
    deployment: Deployment, themes: list[str], countries: list[str], note: object = NOTE
) -> httpx.Response:
    return deployment.http.post(
        f"{deployment.ingest}/api/v1/notes/{note}/corrections",
        json={"themes": themes, "countries": countries},
        timeout=30,
    )


def view(deployment: Deployment, note: object = NOTE) -> dict[str, Any]:
    return dict(deployment.http.get(f"{deployment.search}/api/v1/notes/{note}", timeout=30).json())


def found(deployment: Deployment, **filters: str) -> list[str]:
    return [hit["reference"] for hit in search(deployment, **filters)["hits"]]


def test_a_corrected_note_moves_to_its_new_theme_and_stays_there(deployment: Deployment) -> None:
    assert REFERENCE in found(deployment, theme="protection_sociale", country="DE")
    assert correct(deployment, ["sante.hopital"], ["AT"]).status_code == 202
    wait_until(
        lambda: REFERENCE in found(deployment, subtheme="sante.hopital", country="AT"),
        ARRIVE_SECONDS,
    )
    assert REFERENCE not in found(deployment, theme="protection_sociale")
    assert REFERENCE not in found(deployment, country="DE")
    shown = view(deployment)
    assert (shown["tags_from"], shown["correction"]) == ("reader", 1)
    assert "protection_sociale" in [tag["theme"] for tag in shown["found"]["themes"]]

    assert valise(deployment, "submit", str(SAMPLES)).returncode == 0
    again = correct(deployment, ["sante.hopital"], ["AT"])
    assert (again.status_code, again.json()["outcome"]) == (200, "duplicate")

    deployment.kill_classify()
    assert correct(deployment, ["travail.emploi"], ["AT"]).json()["correction"] == 2
    wait_until(lambda: REFERENCE in found(deployment, subtheme="travail.emploi"), ARRIVE_SECONDS)
    assert REFERENCE not in found(deployment, theme="sante")
    assert view(deployment)["correction"] == 2


def test_many_corrections_at_once_are_all_taken_and_the_last_one_holds(
    deployment: Deployment,
) -> None:
    note = note_id("madrid", "MAD-2026-031")
    countries = ["AR", "BE", "CH", "DK", "EE", "FI", "GR", "HU"]
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(lambda code: correct(deployment, ["travail"], [code], note), countries)
        )
    assert [answer.status_code for answer in answers] == [202] * 8
    by_number = {
        answer.json()["correction"]: country
        for country, answer in zip(countries, answers, strict=True)
    }
    assert sorted(by_number) == list(range(1, 9))
    wait_until(lambda: view(deployment, note)["correction"] == 8, ARRIVE_SECONDS)
    assert [tag["country"] for tag in view(deployment, note)["countries"]] == [by_number[8]]


def test_a_reader_corrects_and_an_analyst_exports(deployment: Deployment, tmp_path: Path) -> None:
    note = note_id("londres", "LON-2026-B-018")
    arguments = ("--theme", "sante.professionnels", "--country", "GB", "--country", "IE")
    sent = valise(deployment, "correct", "londres/LON-2026-B-018", *arguments, "--json")
    assert sent.returncode == 0, sent.stderr
    assert json.loads(sent.stdout)["correction"] == 1
    wait_until(lambda: view(deployment, note)["correction"] == 1, ARRIVE_SECONDS)

    target = tmp_path / "corrections.jsonl"
    exported = valise(deployment, "corrections", "export", "--output", str(target))
    assert exported.returncode == 0, exported.stderr
    lines = {line["id"]: line for line in map(json.loads, target.read_text().splitlines())}
    line = lines[str(note)]
    assert line["labels"] == ["sante"]
    assert line["subthemes"] == ["sante.professionnels"]
    assert line["countries_about"] == ["GB", "IE"]
    (sample,) = [each for each in samples() if each["reference"] == "LON-2026-B-018"]
    assert (line["title"], line["post"]) == (sample["subject"], "londres")
    assert line["found"]["themes"]
    assert len(exported.stdout.splitlines()) == 1

    printed = valise(deployment, "corrections", "export")
    assert printed.stdout == target.read_text()


def test_what_a_reader_does_not_name_stays_as_it_is(deployment: Deployment) -> None:
    if not isinstance(deployment, Embedded):
        pytest.skip("one address for both services is the proxy's work here")
    note = note_id("quebec", "QUE-2026-022")
    before = view(deployment, note)
    assert valise(deployment, "correct", str(note), "--theme", "travail").returncode == 0
    wait_until(lambda: view(deployment, note)["correction"] == 1, ARRIVE_SECONDS)
    after = view(deployment, note)
    assert [tag["theme"] for tag in after["themes"]] == ["travail"]
    assert [tag["country"] for tag in after["countries"]] == [
        *sorted(tag["country"] for tag in before["countries"] if tag["role"] == "about"),
        *sorted(tag["country"] for tag in before["countries"] if tag["role"] == "mentioned"),
    ]
    none = valise(deployment, "correct", str(note), "--no-theme", "--no-country")
    assert "correction 2" in none.stdout
    wait_until(lambda: view(deployment, note)["themes"] == [], ARRIVE_SECONDS)
    unknown = valise(deployment, "correct", "berlin/INCONNUE", "--no-theme")
    assert unknown.returncode == 1
    assert unknown.stderr.strip()


def test_corrections_outlive_the_loss_of_the_index(deployment: Deployment, tmp_path: Path) -> None:
    if not isinstance(deployment, Embedded):
        pytest.skip("the same log and the same document; the lost index has its own live test")
    deployment.server.end()
    shutil.rmtree(deployment.data / "index")
    deployment.start()
    wait_until(lambda: total(deployment) >= len(samples()), ARRIVE_SECONDS)
    wait_until(lambda: view(deployment).get("correction") == 2, ARRIVE_SECONDS)
    assert [tag["theme"] for tag in view(deployment)["themes"]] == ["travail"]
