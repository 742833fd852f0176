"""A note on each deployment: sent, rectified, withdrawn, reinstated, as its people see it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.note import note_id
from tests.ingest.formats.making import docx, paragraphs
from tests.pipeline.deployments import Deployment, Embedded, deployment_of, running
from tests.pipeline.test_journey import ARRIVE_SECONDS, search, valise
from tests.pipeline.test_kills import wait_until

NOTE = "berlin/BER-2026-0700"
ID = note_id("berlin", "BER-2026-0700")
FIRST = "Réforme des retraites\n\nLe ministre annonce la kyrielle à 68 ans, pour l'Allemagne.\n"
SECOND = "Réforme des retraites\n\nLe ministre annonce la ribambelle à 67 ans, pour l'Allemagne.\n"


@pytest.fixture(
    scope="module", params=["embedded", pytest.param("distributed", marks=pytest.mark.live)]
)
def deployment(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployment]:
    """A deployment without a note."""
    folder = tmp_path_factory.mktemp("revisions")
    chosen = deployment_of(request.param, folder, "revisions", request)
    with running(chosen):
        yield chosen


def found(deployment: Deployment, words: str) -> bool:
    page = search(deployment, q=words)
    return not page["relaxed"] and str(ID) in [hit["id"] for hit in page["hits"]]


def status(deployment: Deployment) -> int:
    return deployment.http.get(f"{deployment.search}/api/v1/notes/{ID}", timeout=30).status_code


def test_a_note_is_sent_rectified_withdrawn_and_reinstated(deployment: Deployment) -> None:
    address = f"{deployment.ingest}/api/v1/notes"
    note = {
        "post": "berlin",
        "reference": "BER-2026-0700",
        "date": "2026-03-04",
        "subject": "Réforme des retraites",
        "body": FIRST,
        "cites": ["BER-2026-0699"],
    }
    assert deployment.http.post(address, json=note, timeout=30).status_code == 202
    wait_until(lambda: found(deployment, "kyrielle"), ARRIVE_SECONDS)
    seen = deployment.http.get(f"{deployment.search}/api/v1/notes/{ID}", timeout=30).headers["ETag"]

    new = deployment.http.put(
        f"{address}/{ID}", json=note | {"body": SECOND}, headers={"If-Match": seen}, timeout=30
    )
    assert (new.status_code, new.json()["revision"]) == (202, 2)
    wait_until(lambda: found(deployment, "ribambelle"), ARRIVE_SECONDS)
    assert not found(deployment, "kyrielle")
    stale = deployment.http.delete(f"{address}/{ID}", headers={"If-Match": seen}, timeout=30)
    assert stale.status_code == 412
    told = deployment.http.get(
        f"{deployment.search}/api/v1/notes/{ID}/revisions", timeout=30
    ).json()
    assert [one["revision"] for one in told["revisions"]] == [2, 1]
    assert [one["field"] for one in told["revisions"][0]["changes"]] == ["body"]

    gone = deployment.http.delete(f"{address}/{ID}", headers={"If-Match": '"2.0.0"'}, timeout=30)
    assert gone.status_code == 202
    wait_until(lambda: status(deployment) == 410, ARRIVE_SECONDS)
    wait_until(lambda: not found(deployment, "ribambelle"), ARRIVE_SECONDS)
    assert deployment.http.post(address, json=note, timeout=30).status_code == 409

    back = deployment.http.put(
        f"{address}/{ID}", json=note, headers={"If-Match": '"2.0.0"'}, timeout=30
    )
    assert back.status_code == 412
    shown = deployment.http.get(f"{deployment.search}/api/v1/notes/{ID}", timeout=30)
    back = deployment.http.put(
        f"{address}/{ID}", json=note, headers={"If-Match": shown.headers["ETag"]}, timeout=30
    )
    assert (back.status_code, back.json()["revision"]) == (202, 4)
    wait_until(lambda: found(deployment, "kyrielle"), ARRIVE_SECONDS)
    missing = deployment.http.get(
        f"{deployment.search}/api/v1/missing-references", timeout=30
    ).json()
    assert [one["reference"] for one in missing["missing"]] == ["BER-2026-0699"]


def test_a_counsellor_does_the_same_from_a_terminal(deployment: Deployment, tmp_path: Path) -> None:
    if not isinstance(deployment, Embedded):
        pytest.skip("one address for both services is the proxy's work here")
    file = tmp_path / "BER-2026-0700.md"
    file.write_text(SECOND)
    wait_until(lambda: status(deployment) == 200, ARRIVE_SECONDS)
    done = valise(deployment, "rectify", str(file), "--note", NOTE, "--minor", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["revision"] == 5
    wait_until(lambda: found(deployment, "ribambelle"), ARRIVE_SECONDS)
    shown = deployment.http.get(f"{deployment.search}/api/v1/notes/{ID}", timeout=30).json()
    assert (shown["note"]["cites"], shown["note"]["date"]) == (["BER-2026-0699"], "2026-03-04")

    gone = valise(deployment, "withdraw", NOTE)
    assert gone.returncode == 0, gone.stderr
    assert "note retirée" in gone.stdout
    wait_until(lambda: status(deployment) == 410, ARRIVE_SECONDS)
    again = valise(deployment, "withdraw", NOTE)
    assert again.returncode == 1
    assert "retirée" in again.stderr

    by_id = valise(deployment, "rectify", str(file), "--note", str(ID))
    assert by_id.returncode == 2
    back = valise(deployment, "rectify", str(file), "--note", NOTE)
    assert (back.returncode, back.stdout.startswith("note rectifiée")) == (0, True)
    wait_until(lambda: status(deployment) == 200, ARRIVE_SECONDS)
    shown = deployment.http.get(f"{deployment.search}/api/v1/notes/{ID}", timeout=30).json()
    assert shown["note"]["date"] == "2026-03-04"

    document = docx(paragraphs("Objet : Retraites", "Le rapport propose une farandole."))
    (tmp_path / "suite.docx").write_bytes(document)
    done = valise(deployment, "rectify", str(tmp_path / "suite.docx"), "--note", NOTE)
    assert done.returncode == 0, done.stderr
    wait_until(lambda: found(deployment, "farandole"), ARRIVE_SECONDS)
    original = deployment.http.get(f"{deployment.ingest}/api/v1/notes/{ID}/original", timeout=30)
    assert original.content == document

    (tmp_path / "nan.json").write_text('{"subject": NaN}')
    (tmp_path / "surrogate.json").write_text('{"subject": "\\ud800"}')
    for wrong in ("absent.md", "note.docx", "nan.json", "surrogate.json"):
        failed = valise(deployment, "rectify", str(tmp_path / wrong), "--note", NOTE)
        assert failed.returncode in (1, 2)
        assert "Traceback" not in failed.stderr
    unknown = valise(deployment, "withdraw", "berlin/INCONNUE")
    assert unknown.returncode == 1
    assert unknown.stderr.strip()
