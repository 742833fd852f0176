"""P1: classify from Kafka to Kafka, against the same classifier in a loop."""

import asyncio
import time
from collections.abc import Sequence

from benchmarks.consuming import Clock, drained, entry, fill
from benchmarks.engines import Engines
from benchmarks.notes import event, notes
from benchmarks.pairs import Measured, Scale, interleaved
from schemas.note import Note
from schemas.topics import SUBMITTED, SUBMITTED_DEAD
from services.classify.app import BATCH, GROUP
from services.classify.classifier import classify, warm_up
from services.classify.handlers import SERVICE, processor
from services.runtime.log import Entry
from services.runtime.log.kafka import KafkaLog
from services.runtime.settings import Settings
from services.runtime.worker import Worker

GOAL = 0.80


def measure(scale: Scale, engines: Engines) -> list[Measured]:
    """One result: the ratio of the rates, in notes a second."""
    warm_up()
    read = notes(scale.of(1_500, 8_000), seed=1)
    entries = [entry(event(note)) for note in read]
    pairs = interleaved(
        scale.pairs,
        lambda _: asyncio.run(through_kafka(engines.settings(), entries)),
        lambda _: in_a_loop(read),
    )
    return [
        Measured("P1", "classify, Kafka in to Kafka out ÷ classifier in a loop", pairs.ratio, GOAL,
                 figures=pairs.figures("notes_per_s", "loop") | {"notes": len(read)})
    ]  # fmt: skip


def in_a_loop(read: Sequence[Note]) -> float:
    """Notes per second of the classifier alone, on one core."""
    before = time.perf_counter()
    for note in read:
        classify(note)
    return len(read) / (time.perf_counter() - before)


async def through_kafka(settings: Settings, entries: Sequence[Entry]) -> float:
    """Notes per second of the service's worker, all of its topic waiting for it."""
    log = KafkaLog(settings)
    await fill(log, SUBMITTED, entries)
    clock = Clock(processor(log))
    worker = Worker(
        service=SERVICE,
        log=log,
        topic=SUBMITTED,
        dead=SUBMITTED_DEAD,
        group=GROUP,
        process=clock,
        max_records=BATCH,
    )
    try:
        return await drained(log, worker, clock, len(entries), "classified")
    finally:
        await log.stop()
