"""P3: end to end, from POST to searchable, against the slower of the two limits on its way.

The limits are the classifier alone in a loop and async_bulk alone: each has the whole machine to
itself, where the pipeline shares it among three services and three engines.
"""

import asyncio
import time
from statistics import median

from benchmarks.deployed import searchable, services, submit
from benchmarks.engines import Engines
from benchmarks.indexing import documents, with_async_bulk
from benchmarks.notes import classified_notes, raw_notes
from benchmarks.p01 import in_a_loop
from benchmarks.pairs import Measured, Scale, interleaved
from services.classify.classifier import warm_up

GOAL = 0.60
CHUNK_SIZE = 200
"""What P5 finds best, or within a few percent of it."""


def measure(scale: Scale, engines: Engines) -> list[Measured]:
    """One result: the ratio of the rates, in notes a second."""
    warm_up()
    number = scale.of(1_000, 5_000)
    known = classified_notes(number, seed=3)
    ready = documents(known)
    read = [one.note for one in known]
    limits: list[tuple[float, float]] = []
    with services(engines) as running:
        taken = 0

        def ours(at: int) -> float:
            nonlocal taken
            taken += number
            raw = list(raw_notes(number, seed=3, prefix=f"P3-{at}"))
            before = time.perf_counter()
            asyncio.run(submit(running.ingest, raw))
            return number / (asyncio.run(searchable(engines, running, taken)) - before)

        def limit(_: int) -> float:
            bulk = asyncio.run(with_async_bulk(engines.settings(), ready, CHUNK_SIZE))
            limits.append((in_a_loop(read), bulk))
            return min(limits[-1])

        pairs = interleaved(scale.pairs, ours, limit)
    return [
        Measured("P3", "POST to searchable ÷ slower of classifier and async_bulk", pairs.ratio,
                 GOAL, figures=pairs.figures("notes_per_s", "limit") | {
                     "loop_notes_per_s": round(median(a for a, _ in limits), 1),
                     "bulk_notes_per_s": round(median(b for _, b in limits), 1),
                     "notes": number})
    ]  # fmt: skip
