"""A worker on real Kafka, timed from its first batch in hand to its last outcome."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from schemas.events import ClassifiedNote, NoteEvent, encode
from schemas.topics import ALL, Topic
from services.runtime.log import Entry, Record
from services.runtime.log.kafka import KafkaLog
from services.runtime.worker import Done, Parked, Process, Worker

AT_ONCE = 100
"""Entries of one append while a topic is filled: what 5 s easily take, whatever their size."""
PATIENCE_SECONDS = 600.0


class Clock:
    """Wraps a process and remembers when it was first called."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self.began: float | None = None

    async def __call__(self, records: Sequence[Record]) -> Sequence[Done | Parked]:
        if self.began is None:
            self.began = time.perf_counter()
        return await self._process(records)


def entry(event: NoteEvent | ClassifiedNote) -> Entry:
    """The event as it lies on its topic."""
    return Entry(key=str(event.note_id).encode(), value=encode(event))


async def fill(log: KafkaLog, topic: Topic, entries: Sequence[Entry]) -> None:
    """Create all topics and put these entries on one of them."""
    await log.provision(ALL)
    for at in range(0, len(entries), AT_ONCE):
        await log.append(topic.name, entries[at : at + AT_ONCE])


async def drained(log: KafkaLog, worker: Worker, clock: Clock, number: int, outcome: str) -> float:
    """Records per second with which the worker does that many, each with that outcome."""
    worker.subscribe()
    await log.start()
    end = time.perf_counter() + PATIENCE_SECONDS
    while worker.counts.total() < number:
        if time.perf_counter() > end or await _failed(worker):
            raise RuntimeError(f"{worker.counts} of {number} after {PATIENCE_SECONDS:.0f} s")
        await asyncio.sleep(0.01)
    seconds = time.perf_counter() - (clock.began or end)
    if worker.counts[outcome] != number:
        raise RuntimeError(f"{worker.counts} instead of {number} {outcome}")
    return number / seconds


async def _failed(worker: Worker) -> bool:
    subscription: Any = worker._subscription
    return subscription is not None and subscription.failure is not None
