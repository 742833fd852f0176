"""P9: from POST to visible at half of the rate that the pipeline sustains: a time, not a ratio."""

import asyncio
import json
import time
from statistics import median

from elasticsearch import AsyncElasticsearch

from benchmarks.client import Client
from benchmarks.deployed import index_of, ndjson, searchable, services, submit
from benchmarks.engines import Engines
from benchmarks.notes import raw_notes
from benchmarks.pairs import Measured, Scale, p95

REFRESH_S = 1.0
"""The refresh interval that our index asks for (services/search/data/elasticsearch.json)."""
GOAL_S = REFRESH_S + 1.5
LOOK_SECONDS = 0.05
PATIENCE_SECONDS = 120.0


def measure(scale: Scale, engines: Engines) -> list[Measured]:
    """One result: p95 in seconds."""
    burst = scale.of(600, 3_000)
    with services(engines) as running:
        before = time.perf_counter()
        asyncio.run(submit(running.ingest, list(raw_notes(burst, seed=9, prefix="P9-A"))))
        rate = burst / (asyncio.run(searchable(engines, running, burst)) - before) / 2
        number = max(20, int(rate * scale.of(20, 120)))
        bodies = ndjson(list(raw_notes(number, seed=9, prefix="P9-B"))).splitlines()
        waits = asyncio.run(
            _paced(running.ingest, engines.addresses["VALISE_ELASTICSEARCH"], index_of(running),
                   bodies, rate)
        )  # fmt: skip
    return [
        Measured("P9", "POST to visible at half load, p95", p95(waits), GOAL_S, better="lower",
                 unit="s", figures={"p50_s": round(median(waits), 3), "notes": number,
                                    "longest_s": round(max(waits), 3),
                                    "notes_per_s": round(rate, 1)})
    ]  # fmt: skip


async def _paced(
    ingest: str, elasticsearch: str, index: str, bodies: list[bytes], rate: float
) -> list[float]:
    """Seconds from the begin of each POST until a search would find the note."""
    sent: dict[str, float] = {}
    waits: list[float] = []

    async def send() -> None:
        start = time.perf_counter()
        async with Client(ingest) as client:
            for at, body in enumerate(bodies):
                await asyncio.sleep(max(0.0, start + at / rate - time.perf_counter()))
                before = time.perf_counter()
                status, _, answer = await client.ask("/api/v1/notes", body)
                if status != 202:
                    raise RuntimeError(f"{status}: {answer[:300]!r}")
                sent[json.loads(answer)["id"]] = before

    async def look(client: AsyncElasticsearch) -> None:
        end = time.perf_counter() + len(bodies) / rate + PATIENCE_SECONDS
        while len(waits) < len(bodies):
            if time.perf_counter() > end:
                raise RuntimeError(f"{len(bodies) - len(waits)} notes never became visible")
            await asyncio.sleep(LOOK_SECONDS)
            if not sent:
                continue
            asked = {"ids": {"values": list(sent)}}
            answer = await client.search(index=index, query=asked, source=False, size=len(sent))
            now = time.perf_counter()
            waits.extend(now - sent.pop(hit["_id"]) for hit in answer["hits"]["hits"])

    async with AsyncElasticsearch(elasticsearch, request_timeout=60) as client:
        await asyncio.gather(send(), look(client))
    return waits
