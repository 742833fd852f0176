"""`valise rebuild` on each deployment, killed half-way and then run again, while people search."""

import asyncio
import json
import random
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from schemas.events import ClassifiedNote, encode
from schemas.topics import ALL, CLASSIFIED
from services.cli.rebuild import PATH, as_text
from services.runtime.log import Entry
from tests.builders import a_classified_note, a_note
from tests.pipeline.deployments import Deployment, Embedded, deployment_of, running
from tests.pipeline.test_journey import valise
from tests.pipeline.test_kills import total, wait_until

NOTES = 2_000
SEED = 6


@pytest.fixture(params=["embedded", pytest.param("distributed", marks=pytest.mark.live)])
def deployment(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Deployment]:
    """A deployment in whose log there are notes, all of them indexed."""
    chosen = deployment_of(request.param, tmp_path, "rebuild", request)
    asyncio.run(fill(chosen))
    with running(chosen):
        wait_until(lambda: total(chosen) == NOTES, 120)
        yield chosen


async def fill(deployment: Deployment) -> None:
    log = deployment.open_log()
    await log.provision(ALL)
    events = [event(number) for number in range(NOTES)]
    for at in range(0, NOTES, 200):
        await log.append(CLASSIFIED.name, events[at : at + 200])
    await log.stop()


def event(number: int) -> Entry:
    note: ClassifiedNote = a_classified_note(a_note(reference=f"BER-{number:05}"))
    return Entry(str(note.note_id).encode(), encode(note))


def test_a_rebuild_killed_half_way_is_simply_run_again(deployment: Deployment) -> None:
    lines = random.Random(SEED).randrange(2, 6)
    with (
        suppress(httpx.TransportError),
        deployment.http.stream("POST", f"{deployment.search}{PATH}", timeout=60) as answer,
    ):
        for number, line in enumerate(answer.iter_lines()):
            assert "progress" in json.loads(line)
            if number == lines:
                deployment.kill_search()
    if not isinstance(deployment, Embedded):
        deployment.services["search"].wait_ready()
    assert total(deployment) == NOTES
    done = valise(deployment, "rebuild", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert (found["complete"], found["notes"], found["records"]) == (True, NOTES, NOTES)
    assert total(deployment) == NOTES
    if isinstance(deployment, Embedded):
        assert [each.name for each in deployment.data.glob("index*")] == ["index"]
    deployment.kill_search()
    wait_until(lambda: ready(deployment) and total(deployment) == NOTES, 60)


def ready(deployment: Deployment) -> bool:
    with suppress(httpx.TransportError):
        return (
            deployment.http.get(f"{deployment.search}/health/ready", timeout=5).status_code == 200
        )
    return False


def test_a_second_rebuild_waits_for_the_first_and_a_client_that_leaves_ends_its_own(
    deployment: Deployment,
) -> None:
    url = f"{deployment.search}{PATH}"
    with deployment.http.stream("POST", url, timeout=60) as first:
        lines = first.iter_lines()  # kept: with it would go the connection
        assert "progress" in json.loads(next(lines))
        second = deployment.http.post(url, timeout=60)
        assert second.status_code == 409
        assert second.json()["title"] == "Reconstruction en cours"
        assert second.headers["Retry-After"]
    # The first one's connection is closed by now: nobody listens to it any more.
    wait_until(lambda: valise(deployment, "rebuild").returncode == 0, 120)
    assert total(deployment) == NOTES
    assert (
        deployment.http.post(url, headers={"Origin": "https://ailleurs.example"}).status_code == 403
    )


def test_what_was_done_is_told_in_french() -> None:
    told = as_text(
        {"complete": True, "notes": 12_345, "withdrawn": 1, "refused": 0, "unreadable": 2,
         "seconds": 31.4}
    )  # fmt: skip
    assert [line.replace("\u202f", " ") for line in told] == [
        "Index refait en 31,4 s",
        "12 345 notes en place",
        "1 note retirée",
        "2 enregistrements illisibles, laissés de côté",
    ]
    assert as_text({"complete": False})[0].startswith("Interrompu")
