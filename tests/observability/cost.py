"""What counting, timing and telling outcomes cost beside the work itself.

Run by hand: `python -m tests.observability.cost`. Prints, for a batch of classify and one of the
indexer on the embedded engines, the CPU time of the batch and of its hooks, as medians: on a shared
machine it is steadier than the clock.
"""

import asyncio
import logging
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from schemas.classification import Classification
from schemas.events import classified, encode
from schemas.topics import ALL, CLASSIFIED, SUBMITTED, SUBMITTED_DEAD, Topic
from services.classify import handlers as classify
from services.classify.classifier import warm_up
from services.runtime import metrics
from services.runtime.log import Record
from services.runtime.log.sqlite import SqliteLog
from services.runtime.logs import JsonLines
from services.runtime.registry import Registry
from services.runtime.worker import Done, Process, Worker
from services.search import handlers as search
from services.search.index.embedded import TantivyIndex
from tests.builders import a_note, an_event

ROUNDS = 15
BODY = "La commission allemande propose de porter l'âge de départ à la retraite à 68 ans. " * 60
"""5 KB, the usual length of a note."""


def records(topic: Topic, count: int, start: int) -> list[Record]:
    """That many events of new notes, as the log delivers them."""
    made = []
    for number in range(start, start + count):
        event = an_event(a_note(reference=f"BER-{number}", body=BODY))
        if topic is CLASSIFIED:
            event = classified(event, Classification(release=1), datetime.now(UTC))
        key = str(event.note_id).encode()
        made.append(Record(topic.name, 0, number, key, encode(event), {}, 0))
    return made


async def batches(process: Process, topic: Topic, size: int) -> float:
    """Median CPU seconds of a batch."""
    times = []
    for turn in range(ROUNDS):
        given = records(topic, size, turn * size)
        began = time.process_time()
        await process(given)
        times.append(time.process_time() - began)
    return median(times)


def hooks(log: SqliteLog, topic: Topic, size: int, each: Callable[[], object], often: int) -> float:
    """Median CPU seconds of settling a batch (counters, JSON lines) and of `often` times `each`."""
    worker = Worker(
        service="cost",
        log=log,
        topic=topic,
        dead=SUBMITTED_DEAD,
        group="cost",
        process=_nothing,
    )
    given = records(topic, size, 0)
    done = [Done("done", 1, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")] * size
    times = []
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(often):
            each()
        worker._settle(given, done)
        times.append(time.process_time() - began)
    return median(times)


async def _nothing(_: Sequence[Record]) -> Sequence[Done]:
    return []


def timed() -> None:
    """One use of a stage's timer."""
    with classify.TIME.time():
        pass


async def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        handler = logging.FileHandler(os.devnull)
        handler.setFormatter(JsonLines("cost"))
        logging.basicConfig(level="INFO", handlers=[handler], force=True)
        folder = Path(name)
        log, registry = SqliteLog(folder / "log"), Registry(f"sqlite:///{folder / 'registry'}")
        index = TantivyIndex(folder / "index")
        registry.migrate()
        await log.provision(ALL)
        await index.start()
        warm_up()
        rows = [
            (
                "classify, 100 notes",
                await batches(classify.processor(log), SUBMITTED, 100),
                hooks(log, SUBMITTED, 100, timed, 100),
            ),
            (
                "index, 200 notes",
                await batches(search.processor(index, registry), CLASSIFIED, 200),
                hooks(log, CLASSIFIED, 200, lambda: metrics.END_TO_END.observe(0.3), 200),
            ),
        ]
        await log.stop()
        await index.stop()
        registry.close()
    for what, batch, cost in rows:
        print(f"{what}: {batch * 1e3:.1f} ms, hooks {cost * 1e3:.2f} ms, {cost / batch:.2%}")


if __name__ == "__main__":
    asyncio.run(main())
