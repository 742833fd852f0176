"""An embedded deployment that everything was sent through once: good notes, bad ones, nonsense."""

import asyncio
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
from prometheus_client.parser import text_string_to_metric_families

from schemas.topics import SUBMITTED
from services.runtime.log import Entry
from services.runtime.log.sqlite import SqliteLog
from tests.observability.collector import Collector, collecting
from tests.pipeline.deployments import Embedded, client_of, running

SECRET = "Zythomancie"
"""A word of subject and body, which no log and no trace may say."""

TRACE = "0af7651916cd43dd8448eb211c80319c"
MANY_TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = "b7ad6b7169203331"

WITHIN = 60.0

Samples = dict[str, list[tuple[dict[str, str], float]]]


@dataclass
class Observed:
    """The deployment, its collector, and the id of the note that was sent with a trace."""

    deployment: Embedded
    collector: Collector
    note_id: str

    def samples(self) -> Samples:
        """What /metrics says: samples by name, histogram parts under their own names.

        A busy machine may leave the classify process no second to answer in: asked again then.
        """
        end = time.monotonic() + WITHIN
        while True:
            found = self.samples_now()
            services = {labels["service"] for labels, _ in found.get("valise_consumer_up", [])}
            if "classify" in services or time.monotonic() > end:
                return found

    def samples_now(self) -> Samples:
        """What /metrics says to one question."""
        answer = self.deployment.http.get(f"{self.deployment.ingest}/metrics", timeout=10)
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/plain; version=")
        found: Samples = {}
        for family in text_string_to_metric_families(answer.text):
            for sample in family.samples:
                found.setdefault(sample.name, []).append((dict(sample.labels), sample.value))
        return found

    def value(self, name: str, **labels: str) -> float | None:
        """The one sample with these labels; None where there is none."""
        found = [
            value
            for given, value in self.samples().get(name, [])
            if labels.items() <= given.items()
        ]
        assert len(found) <= 1, found
        return found[0] if found else None

    def until(self, name: str, wanted: float, **labels: str) -> None:
        """Wait for that value."""
        end = time.monotonic() + WITHIN
        while (found := self.value(name, **labels)) != wanted:
            assert time.monotonic() < end, f"{name}{labels}: {found}\n{self.deployment.logs()}"
            time.sleep(0.1)


def note(reference: str, **changes: str) -> dict[str, str]:
    return {
        "post": "berlin",
        "reference": reference,
        "date": "2026-03-04",
        "subject": f"{SECRET} : les retraites",
        "body": f"En Allemagne, la réforme des retraites ({SECRET}) est débattue.",
    } | changes


@pytest.fixture(scope="package")
def observed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Observed]:
    """Notes accepted one by one and as many, one twice, a conflict, refusals, a poison record."""
    folder: Path = tmp_path_factory.mktemp("observed")
    with pytest.MonkeyPatch.context() as patch, collecting() as collector:
        patch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        patch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
        patch.setenv("VALISE_LOG_FORMAT", "json")
        with running(Embedded(folder)) as deployment:
            assert isinstance(deployment, Embedded)
            with client_of(deployment.key, deployment.ingest) as http:
                traced = http.post(
                    "/api/v1/notes",
                    json=note("BER-1"),
                    headers={"traceparent": f"00-{TRACE}-{CALLER}-01"},
                )
                assert traced.status_code == 202, traced.text
                assert http.post("/api/v1/notes", json=note("BER-2")).status_code == 202
                assert http.post("/api/v1/notes", json=note("BER-2")).status_code == 200
                other = note("BER-2", body=f"Tout autre chose sur {SECRET}.")
                assert http.post("/api/v1/notes", json=other).status_code == 409
                wrong = note("BER-3", date=SECRET)
                assert http.post("/api/v1/notes", json=wrong).status_code == 422
                odd = http.post("/api/v1/notes", content=SECRET, headers={"content-type": "a/b"})
                assert odd.status_code == 415
                many = [note("BER-4"), note("BER-5"), note("BER-6", post="")]
                answered = http.post(
                    "/api/v1/notes",
                    content="\n".join(json.dumps(each) for each in many),
                    headers={
                        "content-type": "application/x-ndjson",
                        "traceparent": f"00-{MANY_TRACE}-{CALLER}-01",
                    },
                )
                assert [json.loads(each)["status"] for each in answered.iter_lines()] == [
                    202,
                    202,
                    422,
                ]
                asyncio.run(_poison(deployment.data / "log.sqlite3"))
                http.get("/api/v1/search", params={"q": "retraites"}).raise_for_status()
                http.get("/nothing/here")
            seen = Observed(deployment, collector, traced.json()["id"])
            seen.until("valise_outcomes_total", 4, service="search", outcome="indexed")
            letters = "notes.submitted.dead"
            seen.until("valise_outcomes_total", 1, topic=letters, outcome="parked")
            yield seen


async def _poison(path: Path) -> None:
    """A record that is no event, straight onto the log."""
    log = SqliteLog(path)
    nonsense = Entry(key=str(uuid4()).encode(), value=f'{{"subject": "{SECRET}"}}'.encode())
    await log.append(SUBMITTED.name, [nonsense])
    await log.stop()
