"""Notes stream in while classify and search are killed: none is lost, none is doubled.

The oracle: the ids that ingest accepted, against what search lists page by page; each note at its
first revision with the tags that the classifier gives it in a run without faults.
"""

import os
import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from schemas.note import Note
from services.classify.classifier import classify
from tests.pipeline.corpus import many
from tests.pipeline.deployments import Deployment, Distributed, Embedded, running

NOTES = int(os.environ.get("VALISE_KILL_NOTES", "400"))
KILLS = int(os.environ.get("VALISE_KILLS", "5"))
SEED = int(os.environ.get("VALISE_KILL_SEED", "20260304"))
ARRIVE_SECONDS = 240.0


@pytest.fixture(
    params=[
        pytest.param("embedded", marks=pytest.mark.slow),
        pytest.param("distributed", marks=[pytest.mark.slow, pytest.mark.live]),
    ]
)
def deployment(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Deployment]:
    chosen: Deployment
    if request.param == "embedded":
        chosen = Embedded(tmp_path)
    else:
        address = request.getfixturevalue("engine")
        chosen = Distributed(
            tmp_path,
            f"kill-{uuid4().hex[:8]}",
            {f"VALISE_{name}": address(name) for name in ("KAFKA", "ELASTICSEARCH", "DATABASE")},
        )
    with running(chosen):
        yield chosen


def test_notes_survive_kills_of_classify_and_search(deployment: Deployment) -> None:
    print(f"seed {SEED}")
    notes = many(NOTES, SEED)
    chance = random.Random(SEED)
    strikes = sorted(
        (chance.randrange(NOTES // 20, NOTES), victim)
        for victim in ("kill_classify", "kill_search")
        for _ in range(KILLS)
    )
    accepted: dict[str, dict[str, Any]] = {}
    submitted = threading.Lock()

    def send(note: dict[str, Any]) -> None:
        answer = until_accepted(deployment, note)
        with submitted:
            accepted[answer["id"]] = note

    with ThreadPoolExecutor(4) as pool:
        pending = [pool.submit(send, note) for note in notes]
        for point, victim in strikes:
            wait_until(lambda point=point: len(accepted) >= point or all_done(pending))
            time.sleep(chance.uniform(0, 0.3))
            getattr(deployment, victim)()
        for future in pending:
            future.result()
    assert len(accepted) == NOTES

    wait_until(lambda: total(deployment) >= NOTES, ARRIVE_SECONDS)
    found = list(every_hit(deployment))
    ids = [hit["id"] for hit in found]
    assert len(ids) == len(set(ids)), "a note is found twice"
    assert set(ids) == set(accepted), "accepted notes and found notes differ"
    for hit in found:
        assert hit["revision"] == 1
        clean = classify(Note.model_validate(accepted[hit["id"]])).model_dump(mode="json")
        assert hit["themes"] == clean["themes"]
        assert hit["countries"] == clean["countries"]


def until_accepted(deployment: Deployment, note: dict[str, Any]) -> dict[str, Any]:
    """Submit as a careful client does: again until there is an answer that says it is kept."""
    end = time.monotonic() + ARRIVE_SECONDS
    while time.monotonic() < end:
        try:
            answer = httpx.post(f"{deployment.ingest}/api/v1/notes", json=note, timeout=20)
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
        answer = httpx.get(f"{deployment.search}/api/v1/search", params={"size": 1}, timeout=20)
    except httpx.TransportError:
        return -1
    return int(answer.json()["total"]) if answer.status_code == 200 else -1


def every_hit(deployment: Deployment) -> Iterator[dict[str, Any]]:
    """All notes, page by page, as a feed reader that never stops would get them."""
    cursor: str | None = None
    while True:
        parameters = {"sort": "received", "size": "100"} | ({"cursor": cursor} if cursor else {})
        answer = httpx.get(f"{deployment.search}/api/v1/search", params=parameters, timeout=30)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        yield from page["hits"]
        cursor = page["next"]
        if cursor is None:
            return


def all_done(futures: list[Any]) -> bool:
    return all(future.done() for future in futures)


def wait_until(true: Any, seconds: float = ARRIVE_SECONDS) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "not in time"
        time.sleep(0.05)
