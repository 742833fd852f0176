"""Notes stream in while classify and search are killed: none is lost, none is doubled.

The oracle: the ids that ingest accepted, against what search lists page by page; each note at its
first revision with the tags that the classifier gives it in a run without faults.
"""

import os
import random
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from schemas.note import Note
from services.classify.classifier import classify
from services.search.document import HIT_PASSAGES
from tests.pipeline.corpus import many
from tests.pipeline.deployments import Deployment, deployment_of, running

NOTES = int(os.environ.get("VALISE_KILL_NOTES", "400"))
KILLS = int(os.environ.get("VALISE_KILLS", "5"))
SEED = int(os.environ.get("VALISE_KILL_SEED", "20260304"))
ARRIVE_SECONDS = 240.0
AHEAD = 80
"""Notes accepted and not yet found at most: work for some seconds, in hand at every kill."""


@pytest.fixture(
    params=[
        pytest.param("embedded", marks=pytest.mark.slow),
        pytest.param("distributed", marks=[pytest.mark.slow, pytest.mark.live]),
    ]
)
def deployment(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Deployment]:
    chosen = deployment_of(request.param, tmp_path, "kill", request)
    with running(chosen):
        yield chosen


def test_notes_survive_kills_of_classify_and_search(deployment: Deployment) -> None:
    print(f"seed {SEED}")
    notes = many(NOTES, SEED)
    chance = random.Random(SEED)
    strikes = sorted(
        (chance.randrange(NOTES * 9 // 10), victim)
        for victim in ("kill_classify", "kill_search")
        for _ in range(KILLS)
    )
    stream = Stream(deployment)
    with ThreadPoolExecutor(4) as pool:
        sending = [pool.submit(stream.send, note) for note in notes]
        try:
            for point, victim in strikes:
                wait_until(lambda point=point: stream.found() >= point)
                time.sleep(chance.uniform(0, 0.2))
                getattr(deployment, victim)()
            # Not what was found so far: the last kill may strike after all were.
            wait_until(lambda: stream.found() >= NOTES and total(deployment) >= NOTES)
        finally:
            stream.stop()
        for future in sending:
            future.result()
    accepted = stream.accepted
    assert len(accepted) == NOTES

    found = list(every_hit(deployment))
    ids = [hit["id"] for hit in found]
    assert len(ids) == len(set(ids)), "a note is found twice"
    assert set(ids) == set(accepted), "accepted notes and found notes differ"
    for hit in found:
        assert hit["revision"] == 1
        clean = classify(Note.model_validate(accepted[hit["id"]])).model_dump(mode="json")
        assert hit["themes"] == as_shown(clean["themes"])
        assert hit["countries"] == as_shown(clean["countries"])


class Stream:
    """Notes on their way, a little ahead of what search shows, so that every kill strikes work."""

    def __init__(self, deployment: Deployment) -> None:
        self.accepted: dict[str, dict[str, Any]] = {}
        self._deployment = deployment
        self._found = 0
        self._over = False

    def found(self) -> int:
        """How many notes search has shown so far (asked again; kept while it is down)."""
        self._found = max(self._found, total(self._deployment))
        return self._found

    def stop(self) -> None:
        """No more is sent: whoever fails need not wait for the senders."""
        self._over = True

    def send(self, note: dict[str, Any]) -> None:
        """Submit one note, once the pipeline is less than AHEAD notes behind."""
        wait_until(lambda: self._over or len(self.accepted) < self._found + AHEAD)
        assert not self._over, "the test has ended"
        answer = until_accepted(self._deployment, note)
        self.accepted[answer["id"]] = note


def until_accepted(deployment: Deployment, note: dict[str, Any]) -> dict[str, Any]:
    """Submit as a careful client does: again until there is an answer that says it is kept."""
    end = time.monotonic() + ARRIVE_SECONDS
    while time.monotonic() < end:
        try:
            answer = deployment.http.post(
                f"{deployment.ingest}/api/v1/notes", json=note, timeout=20
            )
        except httpx.TransportError:
            time.sleep(0.1)
            continue
        if answer.status_code in (200, 202):
            return dict(answer.json())
        assert answer.status_code == 503, answer.text
        time.sleep(0.2)
    raise AssertionError("not accepted in time")


def total(deployment: Deployment) -> int:
    try:
        answer = deployment.http.get(
            f"{deployment.search}/api/v1/search", params={"size": 1}, timeout=20
        )
    except httpx.TransportError:
        return -1
    return int(answer.json()["total"]) if answer.status_code == 200 else -1


def as_shown(tags: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Tags with the passages that a hit carries."""
    return [tag | {"evidence": tag["evidence"][:HIT_PASSAGES]} for tag in tags]


def every_hit(deployment: Deployment) -> Iterator[dict[str, Any]]:
    """All notes, page by page, as a feed reader that never stops would get them."""
    cursor: str | None = None
    while True:
        parameters = {"sort": "received", "size": "100"} | ({"cursor": cursor} if cursor else {})
        answer = deployment.http.get(
            f"{deployment.search}/api/v1/search", params=parameters, timeout=30
        )
        assert answer.status_code == 200, answer.text
        page = answer.json()
        yield from page["hits"]
        cursor = page["next"]
        if cursor is None:
            return


def wait_until(true: Any, seconds: float = ARRIVE_SECONDS) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "not in time"
        time.sleep(0.05)
