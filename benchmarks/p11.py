"""P11: a feed that has not changed (304), against the same feed sent whole (200)."""

import asyncio
import time
from collections.abc import Sequence
from statistics import median

from benchmarks.client import Client
from benchmarks.deployed import searchable, services, submit
from benchmarks.embedded import embedded
from benchmarks.engines import Engines
from benchmarks.notes import raw_notes
from benchmarks.pairs import Measured, Scale

GOAL = 5.0
FEEDS = (
    "/feeds/all.atom",
    "/feeds/sante.atom",
    "/feeds/country/DE.json",
    "/feeds/search.atom?q=retraites",
)


def measure(scale: Scale, engines: Engines) -> list[Measured]:
    """Two results, one for each deployment: how many times faster 304 is."""
    raw = list(raw_notes(scale.of(500, 5_000), seed=11))
    times = scale.of(15, 100)
    with embedded(engines.folder()) as running:
        asyncio.run(running.take(raw))
        alone = asyncio.run(_asked(running.url, times))
    with services(engines) as deployed:
        asyncio.run(submit(deployed.ingest, raw))
        asyncio.run(searchable(engines, deployed, len(raw)))
        spread = asyncio.run(_asked(deployed.search, times))
    return [
        _result("embedded", alone, len(raw)),
        _result("Elasticsearch", spread, len(raw)),
    ]


def _result(where: str, found: tuple[Sequence[float], Sequence[float]], notes: int) -> Measured:
    whole, unchanged = found
    ratio = median(a / b for a, b in zip(whole, unchanged, strict=True))
    return Measured("P11", f"feed, 200 ÷ 304, {where}", ratio, GOAL,
                    figures={"200_ms": round(median(whole), 2),
                             "304_ms": round(median(unchanged), 2),
                             "notes": notes, "pairs": len(whole)})  # fmt: skip


async def _asked(url: str, times: int) -> tuple[list[float], list[float]]:
    """Milliseconds of 200 and of 304, in turn, for every feed."""
    whole, unchanged = [], []
    async with Client(url) as client:
        for feed in FEEDS:
            _, headers, _ = await client.ask(feed)
            for _ in range(times):
                whole.append(await _timed(client, feed, 200))
                unchanged.append(await _timed(client, feed, 304, If_None_Match=headers["etag"]))
    return whole, unchanged


async def _timed(client: Client, feed: str, wanted: int, **headers: str) -> float:
    before = time.perf_counter()
    status, _, _ = await client.ask(feed, **headers)
    if status != wanted:
        raise RuntimeError(f"{feed}: {status} instead of {wanted}")
    return (time.perf_counter() - before) * 1_000
