"""P14: a rebuild from Kafka into a new Elasticsearch index, against P5's indexer.

From the first record read to the moment when searches see the new index; the time that the old one
is kept for searches under way is left out.
"""

import asyncio
import time
from collections.abc import Sequence

from benchmarks.consuming import entry, fill
from benchmarks.engines import Engines
from benchmarks.indexing import drop, with_the_worker
from benchmarks.notes import classified_notes
from benchmarks.pairs import Measured, Scale, interleaved
from schemas.events import ClassifiedNote
from schemas.topics import CLASSIFIED
from services.runtime.log.kafka import KafkaLog
from services.runtime.settings import Settings
from services.search.index import elastic_rebuild
from services.search.index.elastic import ElasticIndex
from services.search.rebuild import Progress, Step, rebuild

GOAL = 0.90


def measure(scale: Scale, engines: Engines) -> list[Measured]:
    """One result: notes per second of the rebuild ÷ those of the indexer."""
    notes = classified_notes(scale.of(2_000, 10_000), seed=14)
    # Nobody searches here.
    elastic_rebuild.GRACE_SECONDS = 0.0
    # The first run warms the node up and is thrown away.
    asyncio.run(with_the_rebuild(engines.settings(), notes))
    pairs = interleaved(
        scale.pairs,
        lambda _: asyncio.run(with_the_rebuild(engines.settings(), notes)),
        lambda _: asyncio.run(with_the_worker(engines.settings(), notes)),
    )
    return [
        Measured("P14", "rebuild ÷ indexer from Kafka", pairs.ratio, GOAL,
                 figures=pairs.figures("notes_per_s", "indexer") | {"notes": len(notes)}),
    ]  # fmt: skip


async def with_the_rebuild(settings: Settings, notes: Sequence[ClassifiedNote]) -> float:
    """Notes per second of a rebuild: read, decoded, indexed, checked, put in place."""
    log, index = KafkaLog(settings), ElasticIndex(settings)
    await fill(log, CLASSIFIED, [entry(note) for note in notes])
    await index.start()
    times: dict[Step, float] = {}

    def tell(progress: Progress) -> None:
        times.setdefault(progress.step, time.perf_counter())

    try:
        done = await rebuild(log, index, tell=tell)
    finally:
        await log.stop()
        await index.stop()
        await drop(settings)
    if done.notes != len(notes):
        raise RuntimeError(f"{done.notes} of {len(notes)} notes in the new index")
    return len(notes) / (times[Step.CLEAN] - times[Step.READ])
