"""P5: the indexer from Kafka to Elasticsearch, against async_bulk at its best chunk size.

async_bulk gets its documents ready-made; the indexer reads them from Kafka, decodes and checks
them, makes the documents, and marks each receipt in PostgreSQL.
"""

import asyncio

from benchmarks.engines import Engines
from benchmarks.indexing import documents, with_async_bulk, with_the_adapter, with_the_worker
from benchmarks.notes import classified_notes
from benchmarks.pairs import Measured, Scale, interleaved

GOAL = 0.90
CHUNK_SIZES = (100, 200, 500, 1_000)


def measure(scale: Scale, engines: Engines) -> list[Measured]:
    """Two results: the whole indexer, held against the goal, and the adapter alone."""
    notes = classified_notes(scale.of(2_000, 10_000), seed=5)
    ready = documents(notes)
    # The first run warms the node up and is thrown away.
    asyncio.run(with_async_bulk(engines.settings(), ready, CHUNK_SIZES[0]))
    chunks = {
        size: asyncio.run(with_async_bulk(engines.settings(), ready, size)) for size in CHUNK_SIZES
    }
    best = max(chunks, key=lambda size: chunks[size])
    alone: list[float] = []

    def ours(_: int) -> float:
        alone.append(asyncio.run(with_the_adapter(engines.settings(), notes)))
        return asyncio.run(with_the_worker(engines.settings(), notes))

    pairs = interleaved(
        scale.pairs, ours, lambda _: asyncio.run(with_async_bulk(engines.settings(), ready, best))
    )
    adapter = type(pairs)(alone, pairs.peer)
    known = {"notes": len(notes), "chunk_size": best}
    return [
        Measured("P5", "indexer from Kafka ÷ async_bulk", pairs.ratio, GOAL,
                 figures=pairs.figures("notes_per_s", "bulk") | known),
        Measured("P5", "index adapter alone ÷ async_bulk", adapter.ratio, None,
                 figures=adapter.figures("notes_per_s", "bulk") | known),
    ]  # fmt: skip
