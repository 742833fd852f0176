"""Indexing in Elasticsearch: our worker from Kafka, our adapter alone, and async_bulk."""

import time
from collections.abc import Sequence
from typing import Any

from elasticsearch import AsyncElasticsearch
from elasticsearch.helpers import async_bulk

from benchmarks.consuming import AT_ONCE, Clock, drained, entry, fill
from schemas.answers import State
from schemas.events import ClassifiedNote, NoteEvent
from schemas.topics import CLASSIFIED, CLASSIFIED_DEAD
from services.ingest.accept import content_hash
from services.runtime.log.kafka import KafkaLog
from services.runtime.registry import Registry, Submission
from services.runtime.settings import Settings
from services.runtime.worker import Worker
from services.search import document
from services.search.app import BATCH, GROUP
from services.search.handlers import SERVICE, processor
from services.search.index.elastic import ElasticIndex
from services.search.index.elastic_bulk import slim
from services.search.index.elastic_setup import Names, ensure_index

WRITE_SECONDS = 120


async def with_the_worker(settings: Settings, notes: Sequence[ClassifiedNote]) -> float:
    """Notes per second of the search service: read, decoded, indexed, marked in the registry."""
    log, index, registry = (
        KafkaLog(settings),
        ElasticIndex(settings),
        Registry(settings.registry_url),
    )
    registry.migrate()
    _receive(registry, notes)
    await fill(log, CLASSIFIED, [entry(note) for note in notes])
    await index.start()
    clock = Clock(processor(index, registry))
    worker = Worker(
        service=SERVICE,
        log=log,
        topic=CLASSIFIED,
        dead=CLASSIFIED_DEAD,
        group=f"{GROUP}.{index.generation}",
        process=clock,
        max_records=BATCH,
    )
    try:
        return await drained(log, worker, clock, len(notes), "indexed")
    finally:
        await log.stop()
        await index.stop()
        registry.close()
        await drop(settings)


async def with_the_adapter(settings: Settings, notes: Sequence[ClassifiedNote]) -> float:
    """Notes per second of the index port alone, batch by batch as the worker calls it."""
    index = ElasticIndex(settings)
    await index.start()
    try:
        before = time.perf_counter()
        for at in range(0, len(notes), BATCH):
            await index.apply(notes[at : at + BATCH])
        return len(notes) / (time.perf_counter() - before)
    finally:
        await index.stop()
        await drop(settings)


def documents(notes: Sequence[ClassifiedNote]) -> list[dict[str, Any]]:
    """The very documents that we index, ready for async_bulk."""
    made = [slim(document.documents(note)[0]) for note in notes]
    return [
        {"_id": one["id"], "_source": one, "version": one["version"], "version_type": "external"}
        for one in made
    ]


async def with_async_bulk(
    settings: Settings, ready: Sequence[dict[str, Any]], chunk_size: int
) -> float:
    """Documents per second of elasticsearch-py's helper into an index made like ours."""
    names = Names(settings.index)
    client = AsyncElasticsearch(settings.elasticsearch, request_timeout=WRITE_SECONDS)
    async with client:
        await ensure_index(client, names, 0)
        before = time.perf_counter()
        # The helper takes its actions apart: it gets a copy of each.
        done, errors = await async_bulk(
            client, (dict(one) for one in ready), index=names.write, chunk_size=chunk_size
        )
        seconds = time.perf_counter() - before
    await drop(settings)
    if done != len(ready) or errors:
        raise RuntimeError(f"async_bulk took {done} of {len(ready)}: {errors}")
    return len(ready) / seconds


async def drop(settings: Settings) -> None:
    """Remove the index, so that the next run finds the node as this one did."""
    async with AsyncElasticsearch(settings.elasticsearch, request_timeout=WRITE_SECONDS) as client:
        found = await client.indices.get_alias(name=Names(settings.index).write)
        for name in found:
            await client.indices.delete(index=name)


def _receive(registry: Registry, notes: Sequence[ClassifiedNote]) -> None:
    """Receipts as ingest leaves them, so that marking finds its rows."""
    events = [NoteEvent.model_validate(_submitted(note)) for note in notes]
    for at in range(0, len(events), AT_ONCE):
        begun = registry.begin(
            [
                Submission(one, content_hash(one.note), frozenset())
                for one in events[at : at + AT_ONCE]
            ]
        )
        registry.mark_received([one.key for one in begun if one.state is State.PENDING])


def _submitted(note: ClassifiedNote) -> dict[str, Any]:
    return {name: getattr(note, name) for name in NoteEvent.model_fields}
