"""P6: the consuming path, from Kafka to a handler that does nothing, against aiokafka's getmany."""

import asyncio
import time
from collections.abc import Sequence

from aiokafka import AIOKafkaConsumer

from benchmarks.consuming import entry, fill
from benchmarks.engines import Engines
from benchmarks.notes import event, notes
from benchmarks.pairs import Measured, Scale, interleaved
from schemas.topics import SUBMITTED
from services.runtime.log import Record, kafka_settings
from services.runtime.log.kafka import KafkaLog
from services.runtime.settings import Settings

GOAL = 0.40
BATCH = 200
ROUNDS = 4
"""Times that the notes are put on the topic: what counts is records, not different ones."""


def measure(scale: Scale, engines: Engines) -> list[Measured]:
    """One result: the ratio of the rates, in records a second."""
    settings = engines.settings()
    entries = [entry(event(note)) for note in notes(scale.of(2_500, 10_000), seed=6)] * ROUNDS
    asyncio.run(_filled(settings, entries))
    number = len(entries)
    pairs = interleaved(
        scale.pairs,
        lambda at: asyncio.run(ours(settings, f"ours-{at}", number)),
        lambda at: asyncio.run(getmany(settings, f"raw-{at}", number)),
    )
    return [
        Measured("P6", "consuming path ÷ raw getmany", pairs.ratio, GOAL,
                 figures=pairs.figures("records_per_s", "getmany") | {"records": number})
    ]  # fmt: skip


async def ours(settings: Settings, group: str, number: int) -> float:
    """Records per second through the log port, committed batch by batch."""
    log = KafkaLog(settings)
    done = asyncio.Event()
    seen, began = 0, 0.0

    async def handle(records: Sequence[Record]) -> None:
        nonlocal seen, began
        began = began or time.perf_counter()
        seen += len(records)
        if seen >= number:
            done.set()

    log.subscribe(SUBMITTED.name, group, handle, max_records=BATCH)
    await log.start()
    await done.wait()
    rate = number / (time.perf_counter() - began)
    await log.stop()
    return rate


async def getmany(settings: Settings, group: str, number: int) -> float:
    """Records per second of the bare client, under the same group protocol, never committed."""
    consumer = AIOKafkaConsumer(
        settings.topic_prefix + SUBMITTED.name,
        **kafka_settings.connection(settings),
        group_id=group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        fetch_max_bytes=kafka_settings.FETCH_BYTES,
        max_partition_fetch_bytes=kafka_settings.MAX_MESSAGE_BYTES,
    )
    await consumer.start()
    try:
        seen, began = 0, 0.0
        while seen < number:
            batches = await consumer.getmany(timeout_ms=1_000, max_records=BATCH)
            began = began or (time.perf_counter() if batches else 0.0)
            seen += sum(map(len, batches.values()))
        return number / (time.perf_counter() - began)
    finally:
        await consumer.stop()


async def _filled(settings: Settings, entries: Sequence[object]) -> None:
    log = KafkaLog(settings)
    try:
        await fill(log, SUBMITTED, entries)  # type: ignore[arg-type]
    finally:
        await log.stop()
