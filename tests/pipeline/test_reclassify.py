"""After a new release of the classifier, on each deployment: new tags, and nothing else moves."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from schemas.note import note_id
from services.classify.release import RELEASE
from tests.classify.other_release import OTHER
from tests.conftest import ROOT
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

ARRIVE_SECONDS = 240.0


@pytest.fixture(params=["embedded", pytest.param("distributed", marks=pytest.mark.live)])
def deployment(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Deployment]:
    """A deployment in which the present release has classified the sample notes."""
    with running(deployment_of(request.param, tmp_path, "reclassify", request)) as chosen:
        sent = valise(chosen, chosen.ingest, "submit", str(SAMPLES))
        assert sent.returncode == 0, sent.stdout + sent.stderr
        wait_until(lambda: total(chosen) >= len(samples()), ARRIVE_SECONDS)
        yield chosen


def valise(deployment: Deployment, url: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [VALISE, *arguments],
        env=environment(deployment) | {"VALISE_URL": url},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def other_release(deployment: Deployment, *arguments: str) -> dict[str, Any]:
    """What the next release's process says in the end, on the log of this deployment."""
    embedded = isinstance(deployment, Embedded)
    env = {"VALISE_DATA": str(deployment.data)} if embedded else deployment.env
    ours, theirs = os.pipe()  # its line from a parent: while that is open, it works
    try:
        done = subprocess.run(
            [sys.executable, "-m", "tests.classify.other_release", *arguments],
            env={**os.environ, **env},
            stdin=ours,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            cwd=ROOT,
            timeout=120,
        )
    finally:
        os.close(ours)
        os.close(theirs)
    return dict(json.loads(done.stdout.splitlines()[-1])["summary"])


def get(deployment: Deployment, path: str) -> dict[str, Any]:
    answer = deployment.http.get(f"{deployment.search}{path}", timeout=30)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def feed(deployment: Deployment) -> list[tuple[str, str, str]]:
    items = get(deployment, "/feeds/all.json")["items"]
    return [(item["id"], item["date_published"], item["date_modified"]) for item in items]


def steps(deployment: Deployment, note: object) -> list[tuple[str, str]]:
    trace = get(deployment, f"/api/v1/notes/{note}/trace")
    assert trace["state"] == "indexed"
    return [(step["step"], step["at"]) for step in trace["steps"]]


def test_a_new_release_reaches_every_note_and_disturbs_nobody(deployment: Deployment) -> None:
    notes = [note_id(sample["post"], sample["reference"]) for sample in samples()]
    before = feed(deployment)
    known = {note: dict(steps(deployment, note)) for note in notes}
    assert get(deployment, "/api/v1/search?theme=travail")["total"] < len(notes)

    dry = other_release(deployment, "--dry-run")
    assert (dry["due"], dry["published"]) == (len(notes), 0)
    done = other_release(deployment)
    assert (done["published"], done["changed"]) == (len(notes), dry["changed"])
    assert done["tags"] == dry["tags"]

    wait_until(
        lambda: get(deployment, "/api/v1/search?theme=travail")["total"] == len(notes),
        ARRIVE_SECONDS,
    )
    for note in notes:
        view = get(deployment, f"/api/v1/notes/{note}")
        assert (view["revision"], view["release"]) == (1, OTHER)
        now = dict(steps(deployment, note))
        assert {name: now[name] for name in ("received", "indexed")} == {
            name: known[note][name] for name in ("received", "indexed")
        }
        assert now["classified"] > known[note]["classified"]
    assert feed(deployment) == before
    assert total(deployment) == len(notes)


def test_the_command_speaks_to_the_service(deployment: Deployment) -> None:
    url = deployment.ingest if isinstance(deployment, Embedded) else classify_url(deployment)
    shown = valise(deployment, url, "reclassify", "--dry-run")
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.splitlines()[0].startswith(f"Version {RELEASE} du classement : simulation")
    assert f"{len(samples())} déjà à jour" in shown.stdout
    summary = json.loads(valise(deployment, url, "reclassify", "--json").stdout)
    assert (summary["dry_run"], summary["complete"]) == (False, True)
    assert (summary["current"], summary["published"]) == (len(samples()), 0)


def classify_url(deployment: Any) -> str:
    return str(deployment.services["classify"].url)
