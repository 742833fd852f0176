"""P15: the embedded deployment: pipeline, search idle and while notes stream in, start, freshness.

Times are reported against their goals; the goals are for 200,000 notes, the full form's number.
"""

import asyncio
import contextlib
import json
import time
from statistics import median

from benchmarks.client import Client
from benchmarks.deployed import PATIENCE_SECONDS, ndjson, submit
from benchmarks.embedded import Serving, embedded
from benchmarks.engines import Engines
from benchmarks.notes import notes, raw_notes
from benchmarks.p01 import in_a_loop
from benchmarks.pairs import Measured, Scale, interleaved, p95
from benchmarks.searches import SEARCHES
from services.classify.classifier import warm_up

PIPELINE_GOAL = 0.8
IDLE_MS, STREAMING_MS, START_S, SEARCHABLE_S = 20.0, 60.0, 3.0, 1.0
WARM_UP = 50
LOOK_SECONDS = 0.01
PACE_SECONDS = 0.1
"""Between two searches while notes stream in: a reader every tenth of a second."""


def measure(scale: Scale, engines: Engines) -> list[Measured]:
    """Five results."""
    warm_up()
    number = scale.of(4_000, 200_000)
    part = number // scale.pairs
    read = notes(min(part, scale.of(1_000, 5_000)), seed=15)
    with embedded(engines.folder()) as running:
        # As the loop is warm, so is the child that classifies: its start is a row of its own.
        asyncio.run(running.take(list(raw_notes(WARM_UP, 15, "P15-W"))))
        pairs = interleaved(
            scale.pairs,
            lambda at: part / asyncio.run(running.take(list(raw_notes(part, 15, f"P15-{at}")))),
            lambda _: in_a_loop(read),
        )
        idle = asyncio.run(_searches(running.url, scale.of(5, 25)))
        fresh = asyncio.run(_freshness(running.url, scale.of(30, 200)))
        running.given += len(fresh)
        streaming = asyncio.run(_while_streaming(running, scale.of(800, 10_000)))
        asyncio.run(running.shows_all())
        running.deployment.end()
        start = running.start()
        asyncio.run(running.shows_all())
    size = {"notes": part * scale.pairs}
    return [
        Measured("P15", "embedded pipeline ÷ classifier in a loop", pairs.ratio, PIPELINE_GOAL,
                 figures=pairs.figures("notes_per_s", "loop") | size),
        _time("search p95, idle", p95(idle), IDLE_MS, "ms",
              {"p50_ms": round(median(idle), 2), "searches": len(idle)} | size),
        _time("search p95 while notes stream in", p95(streaming), STREAMING_MS, "ms",
              {"p50_ms": round(median(streaming), 2), "searches": len(streaming)} | size),
        _time("start to ready", start, START_S, "s", size),
        _time("submit to searchable p95", p95(fresh), SEARCHABLE_S, "s",
              {"p50_s": round(median(fresh), 3), "posts": len(fresh)} | size),
    ]  # fmt: skip


def _time(what: str, value: float, goal: float, unit: str, figures: dict[str, object]) -> Measured:
    return Measured("P15", what, value, goal, better="lower", unit=unit, figures=figures)


async def _searches(url: str, rounds: int) -> list[float]:
    """Milliseconds of each search, one reader; the first round warms up."""
    found = []
    async with Client(url) as client:
        for turn in range(rounds + 1):
            for asked in SEARCHES:
                taken = await _search(client, asked)
                if turn:
                    found.append(taken)
    return found


async def _while_streaming(running: Serving, number: int) -> list[float]:
    """The same while that many more notes are submitted, classified and indexed."""
    running.given += number
    raw = list(raw_notes(number, seed=15, prefix="P15-S"))
    found: list[float] = []

    async def read() -> None:
        async with Client(running.url) as client:
            while True:
                for asked in SEARCHES:
                    found.append(await _search(client, asked))
                    await asyncio.sleep(PACE_SECONDS)

    reader = asyncio.create_task(read())
    await submit(running.url, raw)
    await running.shows_all()
    if reader.done():
        reader.result()
    reader.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await reader
    return found


async def _freshness(url: str, posts: int) -> list[float]:
    """Seconds from a single POST until a search for the note's number finds it."""
    waits = []
    async with Client(url) as client:
        for body in ndjson(list(raw_notes(posts, seed=15, prefix="P15-F"))).splitlines():
            before = time.perf_counter()
            status, _, answer = await client.ask("/api/v1/notes", body)
            if status != 202:
                raise RuntimeError(f"{status}: {answer[:300]!r}")
            reference = json.loads(body)["reference"]
            await _found(client, f"q=%22{reference}%22", before + PATIENCE_SECONDS)
            waits.append(time.perf_counter() - before)
    return waits


async def _found(client: Client, asked: str, end: float) -> None:
    """Returns once this search has a hit."""
    while time.perf_counter() < end:
        _, _, answer = await client.ask(f"/api/v1/search?{asked}")
        found = json.loads(answer)
        # With none of the words there, notes with some of them are given instead.
        if found["total"] and not found["relaxed"]:
            return
        await asyncio.sleep(LOOK_SECONDS)
    raise RuntimeError(f"nothing found for {asked}")


async def _search(client: Client, asked: str) -> float:
    before = time.perf_counter()
    status, _, answer = await client.ask(f"/api/v1/search?{asked}")
    if status != 200:
        raise RuntimeError(f"{asked}: {status} {answer[:300]!r}")
    return (time.perf_counter() - before) * 1_000
