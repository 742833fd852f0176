"""P8: search over HTTP, against the very same body sent straight to Elasticsearch."""

import asyncio
import json
import time
from statistics import median
from urllib.parse import parse_qsl

from benchmarks.client import Client
from benchmarks.deployed import index_of, searchable, services
from benchmarks.engines import Engines
from benchmarks.notes import classified_notes
from benchmarks.pairs import Measured, Scale, p95
from benchmarks.searches import SEARCHES
from schemas.query import PUBLIC
from services.runtime.settings import Settings
from services.search.index.cursor import order_of
from services.search.index.elastic import ElasticIndex
from services.search.index.elastic_query import search_body
from services.search.index.wanted import wanted
from services.search.parameters import query_of

FACTOR, EXTRA_MS = 1.25, 3.0
DEEP_GOAL = 1.3
DEEP_PAGE = 50
BATCH = 200


def measure(scale: Scale, engines: Engines) -> list[Measured]:
    """Two results: our p95 in parts of what is allowed, and page 50 against page 1."""
    with services(engines) as running:
        settings = Settings.from_env(running.env)
        number = scale.of(4_000, 50_000)
        asyncio.run(_fill(settings, number))
        asyncio.run(searchable(engines, running, number))
        url = engines.addresses["VALISE_ELASTICSEARCH"]
        rounds = scale.of(5, 25)
        ours, straight = asyncio.run(_asked(running.search, url, index_of(running), rounds))
        first, deep = asyncio.run(_deep(running.search, scale.of(15, 50)))
    allowed = FACTOR * p95(straight) + EXTRA_MS
    return [
        Measured("P8", "search p95 ÷ (1.25 × straight + 3 ms)", p95(ours) / allowed, 1.0,
                 better="lower", figures={
                     "ours_p95_ms": round(p95(ours), 2), "straight_p95_ms": round(p95(straight), 2),
                     "ours_p50_ms": round(median(ours), 2),
                     "straight_p50_ms": round(median(straight), 2),
                     "notes": number, "searches": len(ours)}),
        Measured("P8", "page 50 ÷ page 1", median(deep) / median(first), DEEP_GOAL, better="lower",
                 figures={"page_1_ms": round(median(first), 2),
                          "page_50_ms": round(median(deep), 2)}),
    ]  # fmt: skip


async def _fill(settings: Settings, number: int) -> None:
    index = ElasticIndex(settings)
    await index.start()
    try:
        for at in range(0, number, BATCH):
            await index.apply(classified_notes(min(BATCH, number - at), seed=8_000 + at))
    finally:
        await index.stop()


def body_of(asked: str) -> bytes:
    """The request that the service makes of this search, without its point in time."""
    query = query_of(parse_qsl(asked), PUBLIC)
    words = wanted(query.words)
    made = search_body(query, words, order_of(query, words.french), None, relaxed=False)
    return json.dumps(made).encode()


async def _asked(
    ours: str, straight: str, index: str, rounds: int
) -> tuple[list[float], list[float]]:
    """Milliseconds of each search, ours and straight in turn; the first round warms up."""
    bodies = [body_of(asked) for asked in SEARCHES]
    found: tuple[list[float], list[float]] = ([], [])
    async with Client(ours) as service, Client(straight) as engine:
        for turn in range(rounds + 1):
            for asked, body in zip(SEARCHES, bodies, strict=True):
                mine = await _timed(service, f"/api/v1/search?{asked}")
                theirs = await _timed(engine, f"/{index}/_search", body)
                if turn:
                    found[0].append(mine)
                    found[1].append(theirs)
    return found


async def _deep(url: str, times: int) -> tuple[list[float], list[float]]:
    """Milliseconds of page 1 and of page 50 of one search, in turn."""
    asked = "/api/v1/search?q=s%C3%A9curit%C3%A9&size=5"
    first, deep = [], []
    async with Client(url) as service:
        page = asked
        for _ in range(DEEP_PAGE - 1):
            _, _, answer = await service.ask(page)
            page = f"{asked}&cursor={json.loads(answer)['next']}"
        for _ in range(times):
            first.append(await _timed(service, asked))
            deep.append(await _timed(service, page))
    return first, deep


async def _timed(client: Client, path: str, body: bytes | None = None) -> float:
    before = time.perf_counter()
    status, _, answer = await client.ask(path, body)
    if status != 200:
        raise RuntimeError(f"{path}: {status} {answer[:300]!r}")
    return (time.perf_counter() - before) * 1_000
