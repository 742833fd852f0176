"""The distributed deployment tells its figures, outcomes and traces service by service."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.observability.collector import collecting
from tests.observability.conftest import CALLER, SECRET, TRACE, WITHIN, note
from tests.pipeline.deployments import ENGINES, Distributed, running

pytestmark = pytest.mark.live

Outcomes = dict[tuple[str, str], float]


def outcomes(url: str) -> Outcomes:
    """What a service has counted: outcomes by service and word."""
    text = httpx.get(f"{url}/metrics", timeout=10).raise_for_status().text
    return {
        (sample.labels["service"], sample.labels["outcome"]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "valise_outcomes_total" and sample.value
    }


def lags(url: str) -> dict[str, float]:
    """Lag by topic."""
    text = httpx.get(f"{url}/metrics", timeout=10).raise_for_status().text
    return {
        sample.labels["topic"]: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "valise_lag_records"
    }


def test_each_service_tells_what_it_did_with_a_note(
    tmp_path: Path, engine: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    engines = {name: engine(name.removeprefix("VALISE_")) for name in ENGINES}
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
    with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        with running(Distributed(tmp_path, f"seen{time.time_ns()}", engines)) as deployment:
            assert isinstance(deployment, Distributed)
            urls = {name: service.url for name, service in deployment.services.items()}
            sent = deployment.http.post(
                f"{urls['ingest']}/api/v1/notes",
                json=note("BER-1"),
                headers={"traceparent": f"00-{TRACE}-{CALLER}-01"},
                timeout=30,
            )
            assert sent.status_code == 202, sent.text
            spans = {span.name: span for span in collector.of_trace(TRACE, 4)}
            wanted = {
                "ingest": {("ingest", "accepted"): 1},
                "classify": {("classify", "classified"): 1},
                "search": {("search", "indexed"): 1},
            }
            end = time.monotonic() + WITHIN
            # Outcomes are counted just before the commit, so the lag may follow.
            behind = {
                "classify": {"notes.submitted": 0},
                "search": {
                    "notes.classified": 0,
                    "notes.submitted.dead": 0,
                    "notes.classified.dead": 0,
                },
            }
            while {name: outcomes(url) for name, url in urls.items()} != wanted or {
                name: lags(urls[name]) for name in behind
            } != behind:
                assert time.monotonic() < end, deployment.logs()
                time.sleep(0.2)
            told = {
                name: [json.loads(line) for line in service.log.read_text().splitlines()]
                for name, service in deployment.services.items()
            }
    journey = ["POST /api/v1/notes", "append", "classify", "index"]
    assert [spans[step].parent for step in journey] == [
        CALLER,
        *(spans[step].id for step in journey[:-1]),
    ]
    assert len({spans[step].pid for step in ("append", "classify", "index")}) == 3
    for name, lines in told.items():
        assert {line["service"] for line in lines} == {name}
        (ended,) = [line for line in lines if "outcome" in line]
        assert ended["note_id"] == sent.json()["id"]
        assert ended["trace_id"] == TRACE
        assert SECRET not in json.dumps(lines, ensure_ascii=False)
